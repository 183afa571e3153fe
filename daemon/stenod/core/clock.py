"""The clocks: two that are handed in wherever time is needed, and three that audio is stamped with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

APART_SECONDS_MAX = 0.001
ATTEMPTS_MAX = 5


class Clock(Protocol):
    """Real in the daemon, virtual in simulation."""

    def now(self) -> float:
        """Monotonic seconds; only differences mean anything."""

    def wall(self) -> float:
        """Unix seconds; may be wrong and may jump."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on three clocks, in seconds."""

    monotonic: float
    """CLOCK_MONOTONIC: never set, and stands still while the machine sleeps."""
    boottime: float
    """CLOCK_BOOTTIME: never set, and goes on."""
    wall: float
    """CLOCK_REALTIME, Unix seconds: may be wrong and may jump."""

    @property
    def asleep(self) -> float:
        """How long the machine has slept since it was started."""
        return self.boottime - self.monotonic


def read_moment(monotonic: Callable[[], float], boottime: Callable[[], float], wall: Callable[[], float]) -> Moment:
    """Read three clocks as one instant: again where the process had to rest between them."""
    for _ in range(ATTEMPTS_MAX):
        before = monotonic()
        moment = Moment(before, boottime(), wall())
        if monotonic() - before <= APART_SECONDS_MAX:
            break
    return moment
