"""The watchdog: tells the service manager how it is, as long as that is true.

It is fed from health, not from a timer: audio must have grown (where a live source is delivering) or the supervisor
must have turned. A daemon that is stuck stops feeding it, and is killed and restarted, which loses nothing.
"""

from collections.abc import Callable
from typing import Protocol

import trio

PERIOD_SECONDS = 5.0
PERIODS_A_DEADLINE = 3.0


class Notifier(Protocol):
    """See `edge.systemd.Notifier`."""

    @property
    def watchdog_seconds(self) -> float | None: ...
    def ready(self) -> None: ...
    def reloading(self) -> None: ...
    def stopping(self, seconds_max: float) -> None: ...
    def status(self, text: str) -> None: ...
    def alive(self) -> None: ...


class Watchdog:
    """`healthy` says whether the tasks of the process are turning; `state` is what they are doing, in words."""

    def __init__(self, *, notifier: Notifier, healthy: Callable[[], bool], state: Callable[[], str]) -> None:
        self._notifier = notifier
        self._healthy = healthy
        self._state = state

    async def run(self) -> None:
        """Report for ever."""
        deadline = self._notifier.watchdog_seconds
        period = PERIOD_SECONDS if deadline is None else min(PERIOD_SECONDS, deadline / PERIODS_A_DEADLINE)
        while True:
            self._notifier.status(self._state())
            if self._healthy():
                self._notifier.alive()
            await trio.sleep(period)
