"""WebSocket connections, with trio-websocket: the only file that knows it.

Two things are done differently from the package's own `open_websocket_url`. We dial ourselves, so that every failure
has its name, and so that simulation can hand in a stream of its own. And its background reader runs under a guard: the
package raises a refused upgrade inside that task, and never wakes the one who waits when the peer hangs up during the
handshake; the guard keeps the exception and tells that the reader is over.
"""

import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream
from wsproto.utilities import ProtocolError

from stenod.core import transport
from stenod.core.transport import ConnectionEnded, Frame

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
MESSAGES_WAITING_MAX = 64
"""The session's receiver hands on at once; this is only slack for one turn of the loop."""
BODY_CHARACTERS_MAX = 2000

Dial = Callable[[str, int, bool], Awaitable[trio.abc.Stream]]
"""(host, port, TLS) to an open stream."""


async def dial_tcp(host: str, port: int, tls: bool) -> trio.abc.Stream:
    """Open TCP, and TLS with the system's certificates; always verified."""
    stream = await trio.open_tcp_stream(host, port)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not tls:
        return stream
    secured = trio.SSLStream(stream, ssl.create_default_context(), server_hostname=host, https_compatible=True)
    try:
        await secured.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return secured


class _ReaderGuard:
    """Stands in for the nursery that trio-websocket wants: runs its one task and keeps how it ended."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.ended = trio.Event()
        self.error: Exception | None = None

    def start_soon(self, function: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(self._run, function)

    async def _run(self, function: Callable[[], Awaitable[None]]) -> None:
        try:
            await function()
        except Exception as error:  # whatever a peer makes it raise ends this connection only
            self.error = error
        finally:
            self.ended.set()


class TrioWebsocket:
    """An open connection; see `core.transport.Connection`."""

    def __init__(self, connection: WebSocketConnection, stream: trio.abc.Stream, guard: _ReaderGuard) -> None:
        self._connection = connection
        self._stream = stream
        self._guard = guard

    async def send(self, frame: Frame, seconds: float) -> None:
        """Send one message within `seconds`."""
        try:
            with trio.fail_after(seconds):
                await self._connection.send_message(frame)
        except trio.TooSlowError:
            await trio.aclose_forcefully(self._stream)
            raise ConnectionEnded(
                f"{transport.SEND_DEADLINE}: a message took over {seconds:g} s to send",
                close_code=transport.ABNORMAL,
                local=True,
            ) from None
        except (ConnectionClosed, ProtocolError) as error:
            raise self._ended(error) from error

    async def receive(self) -> Frame:
        """Return the next message."""
        try:
            return await self._connection.get_message()
        except ConnectionClosed as error:
            raise self._ended(error) from error

    async def ping(self) -> None:
        """Send a ping and wait for its pong."""
        try:
            await self._connection.ping()
        except (ConnectionClosed, ProtocolError) as error:
            raise self._ended(error) from error

    async def close(self, seconds: float) -> None:
        """Close politely within `seconds`, then by force."""
        with trio.CancelScope(shield=True):
            with trio.move_on_after(seconds):
                with suppress(ConnectionClosed, ProtocolError, trio.BrokenResourceError):
                    await self._connection.aclose()
            await trio.aclose_forcefully(self._stream)
            await self._guard.ended.wait()

    def _ended(self, error: Exception) -> ConnectionEnded:
        reason = self._connection.closed
        if reason is None and isinstance(error, ConnectionClosed):
            reason = error.reason
        if reason is None:
            text = f"the connection broke: {self._guard.error or error}"
            return ConnectionEnded(text, close_code=transport.ABNORMAL)
        return ConnectionEnded(reason.reason or "", close_code=reason.code)


async def connect(
    nursery: trio.Nursery,
    url: str,
    headers: tuple[tuple[str, str], ...],
    *,
    seconds: float,
    dial: Dial = dial_tcp,
) -> TrioWebsocket:
    """Open `url` within `seconds`; the connection's reader runs in `nursery` until it is closed.

    Raises `ConnectionEnded` for everything that can go wrong: name, route, port, TLS, a refused upgrade (with its
    status and body), a peer that hangs up or keeps silent.
    """
    parts = urlsplit(url)
    tls = parts.scheme == "wss"
    host = parts.hostname or ""
    resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with trio.fail_after(seconds):
            stream = await dial(host, parts.port or (443 if tls else 80), tls)
            return await _upgrade(nursery, stream, parts.netloc.rpartition("@")[2], resource, headers)
    except trio.TooSlowError:
        text = f"{transport.OPENING_DEADLINE}: no connection to {host} within {seconds:g} s"
        raise ConnectionEnded(text, local=True) from None
    except (OSError, trio.BrokenResourceError) as error:
        raise _dial_failure(host, error) from error


async def _upgrade(
    nursery: trio.Nursery, stream: trio.abc.Stream, host: str, resource: str, headers: tuple[tuple[str, str], ...]
) -> TrioWebsocket:
    guard = _ReaderGuard(nursery)
    connection: WebSocketConnection | None = None
    try:
        async with trio.open_nursery() as race:

            async def give_up_with_reader() -> None:
                await guard.ended.wait()
                race.cancel_scope.cancel()

            race.start_soon(give_up_with_reader)
            connection = await wrap_client_stream(
                guard,  # type: ignore[arg-type]
                stream,  # type: ignore[arg-type]
                host,
                resource,
                extra_headers=[(name.encode(), value.encode()) for name, value in headers],
                message_queue_size=MESSAGES_WAITING_MAX,
                max_message_size=MESSAGE_BYTES_MAX,
            )
            race.cancel_scope.cancel()
    finally:
        if connection is None:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)
                await guard.ended.wait()
    if connection is None:
        raise _refusal(guard.error)
    return TrioWebsocket(connection, stream, guard)


def _refusal(error: Exception | None) -> ConnectionEnded:
    if isinstance(error, ConnectionRejected):
        body = (error.body or b"").decode("utf-8", "replace")[:BODY_CHARACTERS_MAX]
        named = [value.decode("utf-8", "replace") for name, value in error.headers or () if name.lower() == b"dg-error"]
        text = " ".join([*named, body]).strip() or f"HTTP status {error.status_code}"
        return ConnectionEnded(text, http_status=error.status_code)
    detail = f": {error}" if error is not None else ""
    return ConnectionEnded(f"the peer hung up during the handshake{detail}", close_code=transport.ABNORMAL)


def _dial_failure(host: str, error: BaseException) -> ConnectionEnded:
    causes = list(_causes(error))
    for kind, token, sentence in DIAL_FAILURES:
        found = next((cause for cause in causes if isinstance(cause, kind)), None)
        if found is not None:
            return ConnectionEnded(f"{token}: {sentence.format(host=host)}: {found}", local=True)
    return ConnectionEnded(f"{transport.UNREACHABLE}: cannot reach {host}: {error}", local=True)


DIAL_FAILURES: tuple[tuple[type[BaseException], str, str], ...] = (
    (ssl.SSLError, transport.TLS_FAILED, "no trusted connection to {host}"),
    (socket.gaierror, transport.NAME_NOT_RESOLVED, "the name {host} is not known"),
    (ConnectionRefusedError, transport.CONNECTION_REFUSED, "nothing listens at {host}"),
)


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return the exception, what it groups and what caused it; trio wraps the interesting one."""
    if error is None:
        return []
    grouped = [inner for one in getattr(error, "exceptions", ()) for inner in _causes(one)]
    return [error, *grouped, *_causes(error.__cause__)]
