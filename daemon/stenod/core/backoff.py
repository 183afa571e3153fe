"""How long to wait before the next opening: delays, the budget of openings, the breaker (law 6).

*Delay*: refusals are paced, 1 s and then 1.8 s in the first minute of trouble (so an outage of seconds costs seconds,
and ten seconds of refusals see eight attempts at most), after that up to 30 s with full jitter above a floor of 2 s.
*Budget*: a token bucket of accepted openings, so that a provider that accepts and drops at once is not hammered; a
hand-over has a reserved place. *Breaker*: sessions that open and die at once, without progress, wait like a refusal the
second time, and 30 s the third time in a row, doubling to 5 minutes. So do sessions that live on but never answer, from
the second in a row on.

All are refilled by healthy time, never by a transcript: a quiet room is healthy. Only who was silent must have settled
audio before it counts as there.
"""

from dataclasses import dataclass
from random import Random

from stenod.core.verdict import Verdict

FIRST_CEILINGS_SECONDS = (1.0, 1.8)
FIRST_MINUTE_SECONDS = 60.0
FLOOR_RATIO = 0.8
"""In the first minute: a floor this close to the ceiling is what bounds the attempts in ten seconds."""
LATER_FLOOR_SECONDS = 2.0
LATER_CEILING_SECONDS = 30.0
RETRY_SECONDS_MAX = 0.25
HEALTHY_SECONDS = 5.0
"""A session that was ready for this long clears the record."""
BREAKER_DEATHS = 3
BREAKER_SECONDS = 30.0
BREAKER_SECONDS_MAX = 300.0
UNANSWERED_MAX = 2
"""So many sessions in a row that took audio and said nothing: the provider is away, whatever it accepts."""
SILENT_DOUBLINGS_MAX = 1
"""Each of its sessions is a wait already."""
PROBE_SECONDS = 600.0
PROBE_SECONDS_MAX = 6 * 3600.0
ROUNDING_TOKENS = 1e-6
"""What is missing by rounding only: a wait shorter than the clock can tell would never end."""


@dataclass(slots=True)
class Backoff:
    """The record of one provider's failures; `rng` decides the jitter."""

    rng: Random
    failures: int = 0
    trouble_since: float | None = None
    quick_deaths: int = 0
    unanswered: int = 0
    """Sessions in a row that took audio and made no headway with it, however long they lived; see `tasks.offers`."""
    probes: int = 0
    next_at: float = 0.0
    """Nobody attempts before this: live, late and successor are opened side by side, and all of them are one client."""

    def wait_seconds(self, now: float) -> float:
        """Return how long an attempt must wait for those of others."""
        return max(0.0, self.next_at - now)

    def attempted(self, now: float) -> None:
        """Count an attempt: while there is trouble, the next one keeps its distance."""
        if self.failures:
            self.next_at = now + self._bounds(now)[0]

    def refused(self, now: float) -> float:
        """An opening failed: return the delay before the next, in seconds."""
        if self.trouble_since is None:
            self.trouble_since = now
        self.failures += 1
        shortest, longest = self._bounds(now)
        self.next_at = now + shortest
        return self.rng.uniform(shortest, longest)

    def ended(self, now: float, verdict: Verdict, *, ready_seconds: float, progressed: bool) -> float:
        """A session that had been ready ended: return the delay before the next opening."""
        if ready_seconds >= HEALTHY_SECONDS or progressed:
            self.clear()
        elif not self.unanswered:
            self.quick_deaths += 1
        if self.silent:
            return self._breaker(min(self.unanswered - UNANSWERED_MAX, SILENT_DOUBLINGS_MAX))
        if self.quick_deaths >= BREAKER_DEATHS:
            return self._breaker(self.quick_deaths - BREAKER_DEATHS)
        if verdict is Verdict.BACKOFF or (verdict is Verdict.RETRY and self.quick_deaths > 1):
            return self.refused(now)
        if verdict is Verdict.RETRY:
            return self.rng.uniform(0.0, RETRY_SECONDS_MAX)
        return 0.0

    def probe(self) -> float:
        """Return the wait before a fatal failure is probed again: 10 minutes, doubling to 6 hours."""
        delay = min(PROBE_SECONDS_MAX, PROBE_SECONDS * 2.0 ** min(self.probes, 10))
        self.probes += 1
        return delay

    def clear(self) -> None:
        """Healthy: forget the trouble; but for silence, which only headway ends."""
        self.failures = self.quick_deaths = self.probes = 0
        self.trouble_since = None

    @property
    def broken(self) -> bool:
        """Whether the breaker is open."""
        return self.quick_deaths >= BREAKER_DEATHS or self.silent

    @property
    def silent(self) -> bool:
        """Whether it takes audio and answers nobody."""
        return self.unanswered >= UNANSWERED_MAX

    def _bounds(self, now: float) -> tuple[float, float]:
        """The shortest and the longest delay after so many failures."""
        if self.trouble_since is not None and now - self.trouble_since < FIRST_MINUTE_SECONDS:
            ceiling = FIRST_CEILINGS_SECONDS[min(self.failures, len(FIRST_CEILINGS_SECONDS)) - 1]
            return FLOOR_RATIO * ceiling, ceiling
        return LATER_FLOOR_SECONDS, min(LATER_CEILING_SECONDS, LATER_FLOOR_SECONDS * 2.0 ** min(self.failures, 10))

    def _breaker(self, doublings: int) -> float:
        ceiling = min(BREAKER_SECONDS_MAX, BREAKER_SECONDS * 2.0 ** min(doublings, 10))
        return self.rng.uniform(FLOOR_RATIO * ceiling, ceiling)


@dataclass(slots=True)
class OpeningBudget:
    """A token bucket of openings: `burst` at once, `per_minute` in the long run."""

    per_minute: float
    burst: float = 10.0
    _configured: float = 0.0
    _tokens: float | None = None
    _at: float = 0.0

    def wait_seconds(self, now: float, *, reserved: bool = False) -> float:
        """Return how long an opening must wait. A hand-over (`reserved`) may go one below empty."""
        self._refill(now)
        assert self._tokens is not None
        missing = (0.0 if reserved else 1.0) - self._tokens
        return missing * 60.0 / self.per_minute if missing > ROUNDING_TOKENS else 0.0

    def take(self, now: float) -> None:
        """Count an accepted opening."""
        self._refill(now)
        assert self._tokens is not None
        self._tokens -= 1.0

    def halve(self) -> None:
        """The provider said that there were too many; never below one a minute."""
        self._configured = max(self._configured, self.per_minute)
        self.per_minute = max(1.0, self.per_minute / 2.0)

    def restore(self) -> None:
        """A session was healthy for long: give one halving back."""
        self.per_minute = max(self.per_minute, min(self._configured, self.per_minute * 2.0))

    def refund(self) -> None:
        """The opening that was taken was refused: it did not count."""
        assert self._tokens is not None
        self._tokens = min(self.burst, self._tokens + 1.0)

    def _refill(self, now: float) -> None:
        if self._tokens is None:
            self._tokens, self._at = self.burst, now
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._at) * self.per_minute / 60.0)
        self._at = now
