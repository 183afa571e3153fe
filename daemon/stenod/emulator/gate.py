"""The bad line between a connection and its stream.

While a gate is held, nothing is read, written or noticed: what arrived stays where it is, an end of file too. It is
how an IP outage looks from inside, and when it is over life goes on with whatever came in the meantime.

A `deaf` connection is held alone; a `black-hole` holds all of them, also those that arrive during it.
"""

import contextlib
import math
import socket
from collections.abc import Callable

import trio

RECEIVE_BYTES = 65_536
SEND_SECONDS_MAX = 30.0
"""A client that reads nothing for this long, on an open line, is gone."""


class GatedStream:
    """Pass bytes through, unless held; `held_until` is the whole server's outage."""

    def __init__(self, stream: trio.abc.Stream, held_until: Callable[[], float]) -> None:
        self._stream = stream
        self._held_until = held_until
        self._deaf_until = -math.inf
        self._arrived: bytes | bytearray | None = None
        self._unsent = b""
        self._torn = False

    def deafen(self, seconds: float) -> None:
        """Hold this connection alone for a while, or for ever."""
        self._deaf_until = trio.current_time() + seconds

    async def wait_open(self) -> None:
        """Wait until the line is open, unless it never will be."""
        while self._until() > trio.current_time() and self._deaf_until < math.inf:  # noqa: ASYNC110 - not a poll
            await trio.sleep_until(self._until())

    async def outlast(self) -> None:
        """If deaf for good, hold the stream until the client has given up: a dead path says no goodbye."""
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while self._deaf_until == math.inf and await self._stream.receive_some(RECEIVE_BYTES):
                pass

    async def receive_some(self) -> bytes | bytearray:
        """Return the next bytes, empty at the end of the stream."""
        await self._hold()
        if self._arrived is None:
            self._arrived = await self._stream.receive_some(RECEIVE_BYTES)
            await self._hold()
        data, self._arrived = self._arrived, None
        return data

    async def send_all(self, data: bytes) -> None:
        """Send; a client that does not read breaks the connection. Raises `trio.BrokenResourceError`.

        What a cancelled call could not send because the line was held goes first when it is open again, as from a
        kernel's buffer; one that was cancelled halfway has torn the connection.
        """
        self._unsent += data
        await self._hold()
        if self._torn:
            raise trio.BrokenResourceError("half a message was sent")
        data, self._unsent = self._unsent, b""
        self._torn = True
        with trio.move_on_after(SEND_SECONDS_MAX) as scope:
            await self._stream.send_all(data)
        if scope.cancelled_caught:
            raise trio.BrokenResourceError("the client does not read")
        self._torn = False

    def _until(self) -> float:
        return max(self._deaf_until, self._held_until())

    async def _hold(self) -> None:
        while (until := self._until()) > trio.current_time():  # noqa: ASYNC110 - not a poll
            await trio.sleep_until(until)


async def reset(stream: trio.abc.Stream) -> None:
    """End a stream abruptly: with RST on a socket, without any goodbye on another stream."""
    if isinstance(stream, trio.SocketStream):
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger: on, 0 s
        with contextlib.suppress(OSError):  # It may have ended by itself.
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    await trio.aclose_forcefully(stream)
