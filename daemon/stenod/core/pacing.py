"""The rate rule: never more than `ratio` seconds of audio a second, over any window of 10 s.

Two conditions together. A leaky schedule keeps chunks apart by their own length over the ratio, so that the stream is
smooth; and a log of the last window is the rule itself, exact for every window however the chunks fall. A live
stream never waits here: it cannot be faster than the clock.
"""

from collections import deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 10.0
TOLERANCE_SECONDS = 1e-6
"""Sums of floats; far below one sample."""


@dataclass(slots=True)
class RateRule:
    """`ratio` may be lowered at any time; `now` is monotonic seconds."""

    ratio: float
    _sent: deque[tuple[float, float]] = field(default_factory=deque)
    _sum: float = 0.0
    _free_at: float = 0.0

    @property
    def chunk_seconds_max(self) -> float:
        """Longer chunks would leave so much of a window unused that what is late could not be caught up."""
        slack = (self.ratio - 1.0) * WINDOW_SECONDS
        return slack / 2.0 if slack > TOLERANCE_SECONDS else WINDOW_SECONDS

    def allowed_at(self, now: float, seconds: float) -> float:
        """Return when (at the earliest `now`) a chunk of this length may go out."""
        assert 0 < seconds <= self.ratio * WINDOW_SECONDS, seconds
        self._forget(now)
        at = max(now, self._free_at - TOLERANCE_SECONDS)
        excess = self._sum + seconds - self.ratio * WINDOW_SECONDS
        for sent_at, sent_seconds in self._sent:
            if excess <= TOLERANCE_SECONDS:
                break
            at = max(at, sent_at + WINDOW_SECONDS)
            excess -= sent_seconds
        return at

    def sent(self, now: float, seconds: float) -> None:
        """Count a chunk that goes out now."""
        self._forget(now)
        self._sent.append((now, seconds))
        self._sum += seconds
        self._free_at = max(self._free_at, now) + seconds / self.ratio

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0][0] <= now - WINDOW_SECONDS:
            self._sum -= self._sent.popleft()[1]
        if not self._sent:
            self._sum = 0.0
