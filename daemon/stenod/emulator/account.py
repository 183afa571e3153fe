"""How much audio a session has received, and when each piece of it would have been processed.

Theory. The service processes at about 1.25 times real time and closes a session with more than 300 s waiting. The two
closures whose numbers are public fit this: 314.9 s received in 1.312 s, and 545.09 s in 190.29 s, are 313 s and 307 s
more than 1.25 times the elapsed time; no other ratio fits both. So the account is a leaky bucket: a chunk is processed
when all before it are and 1/1.25 of its own length has passed. A burst buys nothing, and idle time saves nothing up.

`Haste` is the other rule, of the older interface: audio may not come faster than real time for longer than a minute.
Time is cut into periods; who sends more than a period's worth in each of them, for longer than that, is too fast. A
burst that is over within a minute is not.

Pure: `now` comes as an argument.
"""

PERIOD_SECONDS = 10.0
PERIOD_TOLERANCE = 1.02


class AudioAccount:
    """Count one session's samples and tell when each chunk is processed."""

    def __init__(self, rate: int, drain_ratio: float, now: float) -> None:
        self._rate = rate
        self._drain_ratio = drain_ratio
        self._processed_at = now
        self.samples = 0

    @property
    def seconds(self) -> float:
        """Audio received."""
        return self.samples / self._rate

    def receive(self, samples: int, now: float) -> float:
        """Enter a chunk; return when it will have been processed."""
        self.samples += samples
        self._processed_at = max(self._processed_at, now) + samples / self._rate / self._drain_ratio
        return self._processed_at

    def ahead_seconds(self, now: float) -> float:
        """Return how much received audio waits."""
        return max(0.0, self._processed_at - now) * self._drain_ratio


class Haste:
    """Tell when one session's audio has come faster than real time for too long."""

    def __init__(self, hasty_seconds: float, now: float) -> None:
        self._hasty_seconds = hasty_seconds
        self._period_at = now
        self._period_seconds = 0.0
        self._hasty_periods = 0

    def receive(self, seconds: float, now: float) -> bool:
        """Enter a chunk; return whether it is one too many."""
        while now >= self._period_at + PERIOD_SECONDS:
            hasty = self._period_seconds > PERIOD_SECONDS * PERIOD_TOLERANCE
            self._hasty_periods = self._hasty_periods + 1 if hasty else 0
            self._period_at += PERIOD_SECONDS
            self._period_seconds = 0.0
        self._period_seconds += seconds
        return self._hasty_periods * PERIOD_SECONDS > self._hasty_seconds
