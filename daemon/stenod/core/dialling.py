"""How a host is reached, and what it means when it is not.

`Dial` is the contract between whoever opens streams (`edge/dialling.py`, or a simulated network) and whoever speaks
over them. What dialling raises is the system's, wrapped by trio and by TLS; here it gets its token and its sentence.
Kinds are known by their names, so that nothing that touches a network is imported.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from stenod.core import transport
from stenod.core.transport import ConnectionEnded

Dial = Callable[[str, int, bool], Awaitable[Any]]
"""(host, port, TLS) to an open stream."""

FAILURES = (
    ("SSLError", transport.TLS_FAILED, "no trusted connection to {host}"),
    ("gaierror", transport.NAME_NOT_RESOLVED, "the name {host} is not known"),
    ("UnicodeError", transport.NAME_NOT_RESOLVED, "no name can be like {host}"),
    ("ConnectionRefusedError", transport.CONNECTION_REFUSED, "nothing listens at {host}"),
)
"""Names of exceptions, in the order in which they are looked for: an error of TLS may be caused by one of the line."""


def dial_failure(host: str, error: BaseException) -> ConnectionEnded:
    """Return what an exception of a dial means."""
    causes = _causes(error)
    for kind, token, sentence in FAILURES:
        for cause in causes:
            if kind in (one.__name__ for one in type(cause).__mro__):
                return ConnectionEnded(f"{token}: {sentence.format(host=host)}: {cause}", local=True)
    return ConnectionEnded(f"{transport.UNREACHABLE}: cannot reach {host}: {error}", local=True)


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return the exception, what it groups and what caused it; trio wraps the interesting one."""
    if error is None:
        return []
    grouped = [inner for one in getattr(error, "exceptions", ()) for inner in _causes(one)]
    return [error, *grouped, *_causes(error.__cause__)]
