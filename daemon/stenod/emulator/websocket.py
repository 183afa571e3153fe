"""One WebSocket connection on the server's side, over any trio stream.

It is wsproto with a deadline and a bound on everything, rather than trio-websocket: one task a connection instead of
two, and each step of a handshake or a close can be left out, delayed or done wrong on purpose.

A request that is no upgrade is handed to the caller too, who may have a page for it.

Limits: a message of more than 1 MiB ends the connection with 1009 before it is held in memory; a request head is
bounded by h11 (16 KiB). Errors: what a client does wrong is a `Left` value; only `trio.BrokenResourceError` and
`trio.ClosedResourceError` (the stream is gone) are raised.
"""

import json
import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import h11
import trio
from wsproto import ConnectionType, WSConnection
from wsproto import events as ws
from wsproto.connection import ConnectionState
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from stenod.emulator.dialect import Acceptance, Rejection, Request
from stenod.emulator.gate import GatedStream

MESSAGE_BYTES_MAX = 1 << 20
QUERY_FIELDS_MAX = 1_000
REASON_BYTES_MAX = 123
CLOSE_SECONDS_MAX = 5.0
"""How long a client may take to answer a close frame."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A plain HTTP request instead of an upgrade, and what wsproto would answer to it."""

    request: Request
    error: RemoteProtocolError


@dataclass(frozen=True, slots=True)
class Left:
    """The connection is over: the close code and reason, 1006 when there was no close frame, and who ended it."""

    code: int
    reason: str
    by: str = "client"


class Connection:
    """Speak WebSocket over a stream; see the module."""

    def __init__(self, stream: GatedStream) -> None:
        self._stream = stream
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._inbox: deque[str | bytes | Left] = deque()
        self._parts: list[str | bytes] = []
        self._parts_bytes = 0
        self._sending = trio.Lock()
        self.pinged_at = -math.inf

    # The handshake

    async def request(self) -> Request | Visit | None:
        """Return the request, or None if there was none; one that is not even HTTP has been answered."""
        head = b""
        while True:
            data = await self._stream.receive_some()
            if not data:
                return None
            head += data
            try:
                self._protocol.receive_data(bytes(data))
                for event in self._protocol.events():
                    if isinstance(event, ws.Request):
                        return _request(event)
            except RemoteProtocolError as error:
                visit = _plain_request(head)
                if visit is not None:
                    return Visit(visit, error)
                await self.turn_down(error)
                return None
            except (LocalProtocolError, ValueError):  # UnicodeError is one
                return None

    async def accept(self, acceptance: Acceptance) -> None:
        """Answer 101."""
        headers = [(name.encode(), value.encode()) for name, value in acceptance.headers]
        await self._send(ws.AcceptConnection(subprotocol=acceptance.subprotocol, extra_headers=headers))

    async def reject(self, rejection: Rejection) -> None:
        """Answer an upgrade with another HTTP status."""
        data, headers = _answer(rejection)
        await self._send(ws.RejectConnection(status_code=rejection.status, headers=headers, has_body=True))
        await self._send(ws.RejectData(data=data, body_finished=True))

    async def answer(self, page: Rejection) -> None:
        """Answer a plain request, and ask for no more on this connection."""
        data, headers = _answer(page)
        lines = [b"HTTP/1.1 %d " % page.status, *(name + b": " + value for name, value in headers)]
        await self._stream.send_all(b"\r\n".join([*lines, b"connection: close", b"", data]))

    async def turn_down(self, error: RemoteProtocolError) -> None:
        """Answer a bad request as wsproto advises, if it can still be answered."""
        if error.event_hint is None:
            return
        try:
            await self._send(error.event_hint)
        except LocalProtocolError:
            return

    # Messages

    async def receive(self) -> str | bytes | Left:
        """Return the next message, or how the connection ended; answer pings on the way."""
        while not self._inbox:
            data = await self._stream.receive_some()
            if not data:
                return Left(1006, "", "network")
            await self._digest(bytes(data))
        return self._inbox.popleft()

    async def _digest(self, data: bytes) -> None:
        try:
            self._protocol.receive_data(data)
            for event in self._protocol.events():
                if isinstance(event, ws.Ping):
                    self.pinged_at = trio.current_time()
                    await self._send(event.response())
                elif isinstance(event, ws.CloseConnection):
                    # wsproto makes one of its own when it cannot read on; then the peer has not closed.
                    closed = self._protocol.state in (ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED)
                    self._inbox.append(Left(int(event.code), event.reason or "", "client" if closed else "server"))
                    if self._protocol.state is ConnectionState.REMOTE_CLOSING:
                        await self._send(event.response())
                elif isinstance(event, ws.TextMessage | ws.BytesMessage):
                    self._assemble(event)
        except RemoteProtocolError as error:
            hint = error.event_hint
            code = int(hint.code) if isinstance(hint, ws.CloseConnection) else 1002
            self._inbox.append(Left(code, str(error), "server"))
        except LocalProtocolError:
            self._inbox.append(Left(1002, "out of order", "server"))

    def _assemble(self, event: ws.TextMessage | ws.BytesMessage) -> None:
        if self._parts_bytes > MESSAGE_BYTES_MAX:
            return
        self._parts.append(event.data if isinstance(event.data, str) else bytes(event.data))
        self._parts_bytes += len(event.data)
        if self._parts_bytes > MESSAGE_BYTES_MAX:
            self._parts.clear()
            self._inbox.append(Left(1009, f"message over {MESSAGE_BYTES_MAX} bytes", "server"))
        elif event.message_finished:
            self._inbox.append(_joined(self._parts))
            self._parts, self._parts_bytes = [], 0

    async def send(self, message: str | bytes) -> None:
        """Send one message; after either side's goodbye there is nobody to send it to."""
        try:
            await self._send(ws.TextMessage(message) if isinstance(message, str) else ws.BytesMessage(message))
        except LocalProtocolError as error:
            raise trio.BrokenResourceError from error

    async def _send(self, event: ws.Event) -> None:
        async with self._sending:
            await self._stream.send_all(self._protocol.send(event))

    # The end

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame, without a code for 1005, and give the client a few seconds to answer it.

        Whatever else it says is dropped.
        """
        with trio.move_on_after(CLOSE_SECONDS_MAX):
            try:
                text = reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
                # A frame without a code cannot have a reason either.
                none = code == CloseReason.NO_STATUS_RCVD
                await self._send(ws.CloseConnection(CloseReason.NO_STATUS_RCVD if none else code, "" if none else text))
                while not isinstance(await self.receive(), Left):
                    pass
            except (LocalProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
                return


def _request(event: ws.Request) -> Request:
    return _request_of(event.target, event.extra_headers, tuple(event.subprotocols))


def _request_of(target: str, lines: Iterable[tuple[bytes, bytes]], subprotocols: tuple[str, ...] = ()) -> Request:
    parts = urlsplit(target)
    parameters = tuple(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX))
    headers: Mapping[str, str] = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in lines}
    return Request(path=parts.path, parameters=parameters, headers=headers, subprotocols=subprotocols)


def _plain_request(head: bytes) -> Request | None:
    """Return a well-formed GET that asks for no upgrade."""
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(head)
    try:
        event = reader.next_event()
        if not isinstance(event, h11.Request) or event.method != b"GET":
            return None
        request = _request_of(event.target.decode("ascii"), event.headers)
    except (h11.RemoteProtocolError, ValueError):
        return None
    return None if "upgrade" in request.headers else request


def _answer(rejection: Rejection) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    data = json.dumps(rejection.body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
    return data, headers + [(name.encode(), value.encode()) for name, value in rejection.headers]


def _joined(parts: list[str | bytes]) -> str | bytes:
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], str):
        return "".join(part for part in parts if isinstance(part, str))
    return b"".join(part for part in parts if isinstance(part, bytes))
