"""The timers of one session: pings, KeepAlive, silence for a provider that needs some, the conversation's own
deadlines, and the fault detector's verdict.

What is due and what is dead is decided in `core.liveness`; here is only the waiting.
"""

from collections.abc import Callable

import trio

from stenod.core import transport
from stenod.core.clock import Clock
from stenod.core.liveness import Health
from stenod.core.transport import ConnectionEnded
from stenod.providers.base import Conversation, Event
from stenod.tasks.link import Link
from stenod.tasks.warmth import Warmth

TICK_SECONDS = 0.5
"""Deadlines move when messages come; a tick this short notices soon enough without waking for each."""
TICK_SECONDS_MIN = 0.01

FAULTS = {
    Health.DEAD: f"{transport.PING_DEADLINE}: a ping was not answered",
    Health.STALLED: f"{transport.STALLED}: speech was sent and nothing came back",
}


class Keepalive:
    """Holds one session open and notices when it is dead."""

    def __init__(
        self,
        link: Link,
        conversation: Conversation,
        clock: Clock,
        deliver: Callable[[list[Event]], None],
        warmth: Warmth,
    ) -> None:
        self._link = link
        self._conversation = conversation
        self._clock = clock
        self._deliver = deliver
        self._warmth = warmth

    async def run(self) -> None:
        """Run until the session is dead or stalled: then `ConnectionEnded` says which."""
        while True:
            now = self._clock.now()
            fault = FAULTS.get(self._link.liveness.health(now))
            if fault is not None:
                raise ConnectionEnded(fault, close_code=transport.ABNORMAL, local=True)
            await self._hold_open(now)
            deadline = self._conversation.deadline()
            if deadline is not None and now >= deadline:
                self._deliver(self._conversation.due(now))
            await trio.sleep(self._pause(now))

    async def ping(self) -> None:
        """Ask again whenever the last answer is old; one question at a time. Runs for ever."""
        while True:
            pause = self._link.liveness.ping_at() - self._clock.now()
            if pause > 0:
                await trio.sleep(pause)
            else:
                await self._link.ping()

    async def _hold_open(self, now: float) -> None:
        keepalive_at = self._link.liveness.keepalive_at()
        frame = self._conversation.keepalive() if keepalive_at is not None and now >= keepalive_at else None
        if frame is not None:
            await self._link.send(frame)
        warm_at = self._warmth.due_at(self._link)
        if warm_at is not None and self._clock.now() >= warm_at:
            await self._warmth.give(self._link)

    def _pause(self, now: float) -> float:
        moments = (
            self._link.liveness.keepalive_at(),
            self._warmth.due_at(self._link),
            self._conversation.deadline(),
        )
        pauses = [moment - now for moment in moments if moment is not None]
        return min(TICK_SECONDS, max(TICK_SECONDS_MIN, min(pauses, default=TICK_SECONDS)))
