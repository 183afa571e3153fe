"""WebSocket connections, with trio-websocket: the only file that knows it.

Two things are done differently from the package's own `open_websocket_url`. The dial is handed in, so that every
failure has its name, and so that simulation can have a stream of its own. And its background reader runs under a guard:
the package raises a refused upgrade inside that task, and never wakes the one who waits when the peer hangs up during
the handshake; the guard keeps the exception and tells that the reader is over.

A refusal that is not complete (a body that ends with the connection, as proxies send, or that never ends) is none for
the package; so we keep the first bytes of the peer's answer, and read the status there.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream
from wsproto.utilities import ProtocolError

from stenod.core import transport
from stenod.core.dialling import Dial, dial_failure
from stenod.core.transport import ConnectionEnded, Frame

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
TOO_LARGE = "Exceeded maximum message size: {} bytes"
"""What the library closes with, on our side, when the peer's message is larger; a peer has another limit."""
MESSAGES_WAITING_MAX = 64
"""The session's receiver hands on at once; this is only slack for one turn of the loop."""
BODY_CHARACTERS_MAX = 2000
ANSWER_BYTES_MAX = 64 * 1024
"""To the request for an upgrade; what refuses at greater length is cut off."""
ERROR_HEADERS, ID_HEADERS = ("dg-error",), ("dg-request-id",)
"""Where a refusal says its reason, and the number that the provider's support asks for, besides the body: Deepgram."""
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})\b")
PROTOCOL_ERROR = 1002
"""RFC 6455: the other side does not keep to the protocol."""


class _Stream(trio.abc.Stream):
    """The dialled stream; keeps the `answer` until the upgrade is done (`opened`), and ends it where it is too long."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.answer = b""
        self.opened = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            await self._stream.send_all(data)
        except BaseException:
            # Cancelled, half of a frame may be out: whatever followed would be read as the rest of it.
            await trio.aclose_forcefully(self._stream)
            raise

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        if self.opened:
            return data
        self.answer += data
        return data if len(self.answer) <= ANSWER_BYTES_MAX else b""

    async def aclose(self) -> None:
        await self._stream.aclose()


class _ReaderGuard:
    """Stands in for the nursery that trio-websocket wants: runs its one task and keeps how it ended."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._scope = trio.CancelScope()
        self.ended = trio.Event()
        self.error: Exception | None = None

    def start_soon(self, function: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(self._run, function)

    async def end(self) -> None:
        """End the reader, whatever it waits for: a closed stream does not wake one whose queue is full."""
        self._scope.cancel()
        await self.ended.wait()

    async def _run(self, function: Callable[[], Awaitable[None]]) -> None:
        try:
            with self._scope:
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
        self.headers: Mapping[str, str] = _decoded(connection.handshake_headers)
        """See `core.transport.Connection`."""

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
            await self._guard.end()

    def _ended(self, error: Exception) -> ConnectionEnded:
        reason = self._connection.closed
        if reason is None and isinstance(error, ConnectionClosed):
            reason = error.reason
        if reason is None:
            text = f"the connection broke: {self._guard.error or error}"
            return ConnectionEnded(text, close_code=transport.ABNORMAL)
        if reason.reason == TOO_LARGE.format(MESSAGE_BYTES_MAX):
            return ConnectionEnded(f"{transport.OVERSIZED}: {reason.reason}", close_code=int(reason.code), local=True)
        return ConnectionEnded(reason.reason or "", close_code=int(reason.code))


async def connect(
    nursery: trio.Nursery,
    url: str,
    headers: tuple[tuple[str, str], ...],
    *,
    seconds: float,
    dial: Dial,
) -> TrioWebsocket:
    """Open `url` within `seconds`; the connection's reader runs in `nursery` until it is closed.

    Raises `ConnectionEnded` for everything that can go wrong: name, route, port, TLS, a refused upgrade (with its
    status and body), a peer that hangs up or keeps silent.
    """
    parts = urlsplit(url)
    tls = parts.scheme == "wss"
    host = parts.hostname or ""
    stream: _Stream | None = None
    resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with trio.fail_after(seconds):
            stream = _Stream(await dial(host, parts.port or (443 if tls else 80), tls))
            return await _upgrade(nursery, stream, parts.netloc.rpartition("@")[2], resource, headers)
    except trio.TooSlowError:
        if stream is not None and (refused := _refusal(None, stream.answer)).http_status is not None:
            raise refused from None
        text = f"{transport.OPENING_DEADLINE}: no connection to {host} within {seconds:.3g} s"
        raise ConnectionEnded(text, local=True) from None
    except (OSError, UnicodeError, trio.BrokenResourceError) as error:
        raise dial_failure(host, error) from error


async def _upgrade(
    nursery: trio.Nursery, stream: _Stream, host: str, resource: str, headers: tuple[tuple[str, str], ...]
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
                extra_headers=[(name.encode(), value.encode(errors="replace")) for name, value in headers],
                message_queue_size=MESSAGES_WAITING_MAX,
                max_message_size=MESSAGE_BYTES_MAX,
            )
            race.cancel_scope.cancel()
        stream.opened = connection is not None
    finally:
        if not stream.opened:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)
                await guard.end()
    if connection is None:
        raise _refusal(guard.error, stream.answer)
    return TrioWebsocket(connection, stream, guard)


def _refusal(error: Exception | None, answer: bytes) -> ConnectionEnded:
    """Say why there is no upgrade; `error` is the reader's, `answer` what the peer said."""
    if isinstance(error, ConnectionRejected):
        return _refused(error.status_code, error.headers or (), error.body or b"")
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    status = STATUS_LINE.match(first)
    if status is not None and status[1] != b"101":
        headers = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        return _refused(int(status[1]), headers, body)
    if answer and (error is not None or (status is None and not b"HTTP/1.1 ".startswith(answer[:9]))):
        text = f"the peer does not speak WebSocket, it answered {answer[:80]!r}"
        return ConnectionEnded(text, close_code=PROTOCOL_ERROR)
    if error is not None:
        return ConnectionEnded(f"{transport.DEFECT}: no request could be made: {type(error).__name__}", local=True)
    return ConnectionEnded("the peer hung up during the handshake", close_code=transport.ABNORMAL)


def _refused(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> ConnectionEnded:
    """Say what a refusal says: the body, with what only the headers name before and behind it."""
    named = _decoded(headers)
    said = body.decode("utf-8", "replace")[:BODY_CHARACTERS_MAX].strip()
    if said.startswith("<"):  # a page for a browser, from somebody between us and the provider
        said = f"HTTP status {status}, with a web page"
    reasons = [named[name] for name in ERROR_HEADERS if named.get(name, "") not in said]
    text = " ".join([*reasons, said]).strip() or f"HTTP status {status}"
    numbers = [f"({name}: {named[name]})" for name in ID_HEADERS if named.get(name, "") not in said]
    return ConnectionEnded(" ".join([text, *numbers]), http_status=status)


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by their names in lower case, each cut at a sensible length."""
    found: dict[str, str] = {}
    for name, value in headers:
        key, text = (raw.decode("utf-8", "replace").strip() for raw in (name.lower(), value))
        found[key] = f"{found[key]}, {text}" if key in found else text[:BODY_CHARACTERS_MAX]
    return found
