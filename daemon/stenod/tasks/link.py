"""One session's connection together with what is observed of it: every message in or out passes here.

So the fault detector sees all, each send has its deadline, and the pacer and the timers share one way out.
"""

from typing import Protocol

import trio

from stenod.core.clock import Clock
from stenod.core.liveness import Liveness
from stenod.core.transport import Connection, ConnectionEnded, Frame


class Connect(Protocol):
    """See `edge.websocket.connect`."""

    async def __call__(
        self, nursery: trio.Nursery, url: str, headers: tuple[tuple[str, str], ...], *, seconds: float
    ) -> Connection:
        """Open a connection or raise `ConnectionEnded`."""


class Link:
    """A connection, its liveness, and the deadline of a send in seconds."""

    def __init__(self, connection: Connection, liveness: Liveness, clock: Clock, send_seconds: float) -> None:
        self._connection = connection
        self._clock = clock
        self._send_seconds = send_seconds
        self._heard = trio.Event()
        self.liveness = liveness

    async def send(self, frame: Frame, *, speech_seconds: float | None = None) -> None:
        """Send one message or raise `ConnectionEnded`; of audio, so much is louder than the room."""
        await self._connection.send(frame, self._send_seconds)
        self.liveness.said(self._clock.now(), speech_seconds=speech_seconds)

    async def receive(self) -> Frame:
        """Return the next message or raise `ConnectionEnded`."""
        frame = await self._connection.receive()
        self.liveness.heard(self._clock.now())
        self._heard.set()
        return frame

    async def ping(self) -> None:
        """Ask whether the other side is there; returns when it is.

        A message is an answer too. Its pong is then not waited for: if it never came, nobody would ask again.
        """
        self.liveness.asked(self._clock.now())
        self._heard = trio.Event()
        failure: ConnectionEnded | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._overtake, nursery.cancel_scope)
            try:
                await self._connection.ping()
            except ConnectionEnded as ended:
                failure = ended
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        self.liveness.answered(self._clock.now())

    async def _overtake(self, question: trio.CancelScope) -> None:
        await self._heard.wait()
        question.cancel()
