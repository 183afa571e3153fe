"""Both clocks on trio's virtual time; the wall clock can be set, as NTP or a person does."""

import trio

WALL_AT_START = 1_795_200_000.0


class FakeClock:
    """`stepped` seconds is what the wall clock is wrong by."""

    def __init__(self) -> None:
        self.stepped = 0.0

    def now(self) -> float:
        """Monotonic seconds."""
        return trio.current_time()

    def wall(self) -> float:
        """Unix seconds."""
        return WALL_AT_START + trio.current_time() + self.stepped
