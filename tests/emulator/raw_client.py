"""A raw client of the interfaces, written from their facts alone: trio-websocket over a pair of memory streams."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import trio
import trio.lowlevel
from trio.testing import memory_stream_pair
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from stenod.emulator.oracle import synthesize
from stenod.emulator.server import Emulator, EmulatorOptions

RATE = 16_000
STREAMING = {"sample_rate": RATE, "encoding": "pcm_s16le", "speech_model": "universal-streaming-english"}
PRO = STREAMING | {"speech_model": "universal-3-5-pro"}


def path_of(query: dict[str, Any], path: str = "/v3/ws") -> str:
    """Return the target of a request: booleans as true and false, lists as JSON, tuples as repeated parameters."""
    texts = [
        (name, one if isinstance(one, str) else json.dumps(one))
        for name, value in query.items()
        for one in (value if isinstance(value, tuple) else (value,))
    ]
    return f"{path}?{urlencode(texts)}"


def emulator(**options: Any) -> Emulator:
    """Return an emulator with the oracle engine and a wall clock that stands still."""
    return Emulator(EmulatorOptions(**{"engine": "oracle"} | options), wall=lambda: 1_795_200_000.0)


class Client:
    """One connection; `messages` holds everything received, `closed` the code and reason of the end."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self.messages: list[Any] = []
        self.closed: tuple[int, str] | None = None
        self.sent = 0

    async def receive(self) -> Any:
        """Return the next message, decoded if it is JSON; None at the end."""
        try:
            message = await self.socket.get_message()
        except ConnectionClosed as error:
            reason = error.reason
            self.closed = (reason.code, reason.reason or "") if reason else (1006, "")
            return None
        with suppress(ValueError, RecursionError):
            message = json.loads(message) or message
        self.messages.append(message)
        return message

    async def until(self, kind: str) -> Any:
        """Return the next message of this type; fail at the end."""
        while (message := await self.receive()) is not None:
            if isinstance(message, dict) and message.get("type") == kind:
                return message
        raise AssertionError(f"no {kind} before the end {self.closed}")

    async def drain(self) -> tuple[int, str]:
        """Read to the end; return code and reason."""
        while await self.receive() is not None:
            pass
        assert self.closed is not None
        return self.closed

    async def say(self, message: Any) -> None:
        """Send a message: text as it is, a type's name, an object as JSON."""
        if isinstance(message, str) and message.isalpha():
            message = {"type": message}
        await self.socket.send_message(message if isinstance(message, str | bytes) else json.dumps(message))

    async def stream(self, start: int, seconds: float, *, chunk: float = 0.1, plan: str = "dialogue") -> None:
        """Send oracle audio at real time."""
        origin = trio.current_time()
        size = round(chunk * RATE)
        for number in range(round(seconds / chunk)):
            await self.socket.send_message(synthesize(start + number * size, size, plan=plan).tobytes())
            await trio.sleep_until(origin + (number + 1) * chunk)

    async def zeros(self, seconds: float) -> None:
        """Send injected silence at real time."""
        for _ in range(round(seconds / 0.1)):
            await self.socket.send_message(bytes(2 * RATE // 10))
            await trio.sleep(0.1)

    def of(self, kind: str, name: str = "type") -> list[dict[str, Any]]:
        """Return the messages of one type."""
        return [message for message in self.messages if isinstance(message, dict) and message.get(name) == kind]

    @property
    def finals(self) -> list[dict[str, Any]]:
        """The end-of-turn messages."""
        return [m for m in self.messages if isinstance(m, dict) and m.get("end_of_turn") is True]


@asynccontextmanager
async def connected(
    server: Emulator,
    query: dict[str, Any] | None = None,
    *,
    key: str | None = "key",
    path: str = "/v3/ws",
    subprotocols: tuple[str, ...] = (),
) -> AsyncIterator[Client]:
    """Yield a client whose handshake is done; at the end its stream is cut."""
    mine, theirs = memory_stream_pair()
    headers = [] if key is None else [(b"Authorization", key.encode())]
    target = path_of(STREAMING if query is None else query, path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_stream, theirs)
        socket = await wrap_client_stream(
            nursery, mine, "localhost", target, extra_headers=headers, subprotocols=subprotocols
        )
        yield Client(socket)
        await trio.aclose_forcefully(mine)
        with trio.move_on_after(30):
            await trio.lowlevel.checkpoint()
            while server._connections:  # noqa: ASYNC110
                await trio.sleep(0.1)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def session(
    server: Emulator, query: dict[str, Any] | None = None, *, first: str | None = "Begin", **opening: Any
) -> AsyncIterator[Client]:
    """Yield a client that has seen the first message, if one is awaited, and reads in the background from then on."""
    async with connected(server, query, **opening) as client:
        if first is not None:
            await client.until(first)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.drain)
            yield client
            nursery.cancel_scope.cancel()
