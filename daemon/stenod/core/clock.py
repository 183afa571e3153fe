"""The two clocks, handed in wherever time is needed."""

from typing import Protocol


class Clock(Protocol):
    """Real in the daemon, virtual in simulation."""

    def now(self) -> float:
        """Monotonic seconds; only differences mean anything."""

    def wall(self) -> float:
        """Unix seconds; may be wrong and may jump."""
