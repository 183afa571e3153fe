"""What the exceptions of a dial mean. What a real system raises is in `edge/test_websocket`."""

import socket
import ssl

import pytest

from stenod.core import transport
from stenod.core.dialling import dial_failure


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(101, "no route"), "unreachable: cannot reach example.org: [Errno 101] no route"),
        (ConnectionRefusedError(111, "no"), "connection-refused: nothing listens at example.org: [Errno 111] no"),
        (socket.gaierror(-3, "no"), "name-not-resolved: the name example.org is not known: [Errno -3] no"),
        (UnicodeEncodeError("idna", "", 0, 1, "no"), "name-not-resolved: no name can be like example.org: "),
        (ssl.SSLCertVerificationError("no"), "tls: no trusted connection to example.org: "),
    ],
)
def test_each_kind_has_its_token(error: Exception, text: str) -> None:
    """Subclasses are of their kind, and the system's own words follow."""
    found = dial_failure("example.org", error)
    assert found.text.startswith(text)
    assert (True, None, None) == (found.local, found.http_status, found.close_code)


def test_the_cause_that_counts() -> None:
    """trio wraps what it tried into an error of its own with a group for a cause; TLS goes before the line."""
    error = OSError("all attempts failed")
    error.__cause__ = ExceptionGroup("attempts", [ConnectionRefusedError(111, "no"), ssl.SSLError("bad")])
    assert transport.TLS_FAILED == dial_failure("example.org", error).text.partition(":")[0]
