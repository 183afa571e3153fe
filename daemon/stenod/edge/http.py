"""One question over HTTP: a GET and its answer, with h11; the only file that knows it.

Everything is bounded: the time, the head, the body. Nothing is followed: a redirect is an answer like any other, since
what it leads to would be sent the key. An answer that breaks off or comes too late counts as far as it came, if there
is a status: that says more than a deadline does.
"""

from urllib.parse import urlsplit

import h11
import trio

from stenod.core import transport
from stenod.core.dialling import Dial, dial_failure
from stenod.core.transport import ConnectionEnded

HEAD_BYTES_MAX = 16 * 1024
BODY_BYTES_MAX = 64 * 1024
READ_BYTES = 16 * 1024
PROTOCOL_ERROR = 1002
"""RFC 6455 has the number; the rule for it fits: the other side does not speak what we do."""


class _Answer:
    """What has come of an answer so far."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.body = b""

    @property
    def found(self) -> tuple[int, str] | None:
        """The answer, if there is one."""
        return None if self.status is None else (self.status, self.body[:BODY_BYTES_MAX].decode("utf-8", "replace"))


async def fetch(url: str, headers: tuple[tuple[str, str], ...], *, seconds: float, dial: Dial) -> tuple[int, str]:
    """Return status and body of the answer to a GET, within `seconds`.

    Raises `ConnectionEnded` for everything that keeps an answer from coming: name, route, port, TLS, a peer that hangs
    up, keeps silent or speaks something else. Neither the URL's query nor a header is part of it.
    """
    parts = urlsplit(url)
    host, tls = parts.hostname or "", parts.scheme == "https"
    resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = [
        ("Host", parts.netloc.rpartition("@")[2]),
        ("Accept", "application/json"),
        ("Connection", "close"),
        *headers,
    ]
    answer = _Answer()
    stream: trio.abc.Stream | None = None
    try:
        request = h11.Request(method="GET", target=resource, headers=sent)
        with trio.fail_after(seconds):
            stream = await dial(host, parts.port or (443 if tls else 80), tls)
            await _exchange(stream, request, answer)
    except trio.TooSlowError:
        if answer.found is None:
            text = f"{transport.OPENING_DEADLINE}: no answer from {host} within {seconds:.3g} s"
            raise ConnectionEnded(text, local=True) from None
    except h11.LocalProtocolError as error:
        raise ConnectionEnded(f"{transport.DEFECT}: no request could be made", local=True) from error
    except h11.RemoteProtocolError as error:
        if answer.found is None:
            raise ConnectionEnded(f"the peer does not speak HTTP: {error}", close_code=PROTOCOL_ERROR) from error
    except (OSError, UnicodeError, trio.BrokenResourceError) as error:
        if answer.found is None:
            raise dial_failure(host, error) from error
    finally:
        if stream is not None:
            await trio.aclose_forcefully(stream)
    if answer.found is None:
        raise ConnectionEnded("the peer hung up before it answered", close_code=transport.ABNORMAL)
    return answer.found


async def _exchange(stream: trio.abc.Stream, request: h11.Request, answer: _Answer) -> None:
    """Send the request and read its answer, until it ends or is long enough."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)
    await stream.send_all((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    while len(answer.body) < BODY_BYTES_MAX:
        match connection.next_event():
            case h11.NEED_DATA:
                data = await stream.receive_some(READ_BYTES)
                if not data and answer.status is None:
                    return
                connection.receive_data(bytes(data))
            case h11.Response(status_code=status):
                answer.status = status
            case h11.Data(data=data):
                answer.body += bytes(data)
            case h11.InformationalResponse():
                pass
            case _:
                return
