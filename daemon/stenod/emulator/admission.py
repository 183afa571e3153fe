"""Who may come in now, by number: how many sessions live, and how many were opened in the last minute.

Ids are drawn from seeded dice, those of sessions and those of requests that become none from dice of their own, so
that a refusal more does not change the ids of the sessions.
"""

import random
import uuid
from collections import deque

from stenod.emulator.options import EmulatorOptions

OPENINGS_WINDOW_SECONDS = 60.0


class Admission:
    """How many sessions live, how many were opened in the last minute, and who may come in."""

    def __init__(self, options: EmulatorOptions) -> None:
        self._options = options
        self._openings: deque[float] = deque()
        self._random = random.Random(f"{options.seed}/sessions")
        self._requests = random.Random(f"{options.seed}/requests")
        self.living = 0
        self.attempts = 0
        self.sessions = 0

    def crowded(self, now: float) -> bool:
        """Tell whether one more session is one too many."""
        while self._openings and now - self._openings[0] >= OPENINGS_WINDOW_SECONDS * self._options.time_scale:
            self._openings.popleft()
        living_max, openings_max = self._options.sessions_max, self._options.openings_per_minute_max
        return (living_max is not None and self.living >= living_max) or (
            openings_max is not None and len(self._openings) >= openings_max
        )

    def admit(self, now: float) -> tuple[int, str]:
        """Enter a session; return its number and id."""
        if self._options.openings_per_minute_max is not None:
            self._openings.append(now)
        self.living += 1
        self.sessions += 1
        return self.sessions - 1, _uuid(self._random)

    def name(self) -> str:
        """Return an id for a request that becomes no session."""
        return _uuid(self._requests)


def _uuid(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))
