"""Is this session alive? A fault detector: observations in, a colour out; no clock of its own.

Four things are told apart (law 8). *Dead*: a ping has no answer in time, and nothing else came either. *Stalled*: the
connection answers, but speech was sent and the provider has said nothing at all for a long time. A quiet room is
neither. The dead microphone is the capture task's business.

Any message counts as an answer: a pong may queue behind a large message on a slow link.
"""

from dataclasses import dataclass
from enum import StrEnum

WARM_PAUSE_SECONDS = 1.0
"""Audio that went out within this time is on its way to an answer; silence follows only then."""
SPEECH_SECONDS_MIN = 0.3
"""Louder than the room for this long in all, since the provider last spoke: shorter than a word is noise."""


class Health(StrEnum):
    """Green: go on. Yellow: an answer is due. Red: replace the session."""

    ALIVE = "alive"
    WAITING = "waiting"
    DEAD = "dead"
    STALLED = "stalled"


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessOptions:
    """Seconds."""

    ping_seconds: float = 1.0
    pong_seconds: float = 3.0
    stall_seconds: float = 30.0
    keepalive_seconds: float | None = None
    warm_seconds: float | None = None
    warm_first_seconds: float | None = None
    """The same until the provider has said something; None: no other."""


@dataclass(slots=True)
class Liveness:
    """What was seen of one session, and what follows from it."""

    options: LivenessOptions
    opened_at: float
    _said_at: float = 0.0
    _heard_at: float = 0.0
    _streamed_at: float = 0.0
    _answered_at: float = 0.0
    _asked_at: float | None = None
    _speech_since: float | None = None
    _speech_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._said_at = self._heard_at = self._streamed_at = self._answered_at = self.opened_at

    def said(self, now: float, *, speech_seconds: float | None = None) -> None:
        """We sent a message; of audio, so much in it was louder than the room. A click is no speech."""
        self._said_at = now
        if speech_seconds is None:
            return
        self._streamed_at = now
        self._speech_seconds += speech_seconds
        if self._speech_since is None and self._speech_seconds >= SPEECH_SECONDS_MIN:
            self._speech_since = now

    def heard(self, now: float) -> None:
        """The provider sent a message."""
        self._heard_at = now
        self._speech_since = None
        self._speech_seconds = 0.0
        self.answered(now)

    def asked(self, now: float) -> None:
        """We sent a ping."""
        if self._asked_at is None:
            self._asked_at = now

    def answered(self, now: float) -> None:
        """A pong came, or a message, which is as good."""
        self._answered_at = now
        self._asked_at = None

    def ping_at(self) -> float:
        """When the next ping is due."""
        return self._answered_at + self.options.ping_seconds

    def keepalive_at(self) -> float | None:
        """When the next keepalive is due; None where the provider needs none."""
        if self.options.keepalive_seconds is None:
            return None
        return self._said_at + self.options.keepalive_seconds

    def warm_at(self) -> float | None:
        """When a provider that says nothing is to be sent some silence; None where it needs none."""
        if self.options.warm_seconds is None:
            return None
        first = self.options.warm_first_seconds
        silent = self._heard_at == self.opened_at
        seconds = first if silent and first is not None else self.options.warm_seconds
        return max(self._heard_at + seconds, self._streamed_at + WARM_PAUSE_SECONDS)

    def health(self, now: float) -> Health:
        """Return the colour."""
        if self._asked_at is not None and now - self._asked_at >= self.options.pong_seconds:
            return Health.DEAD
        if self._speech_since is not None and now - self._speech_since >= self.options.stall_seconds:
            return Health.STALLED
        return Health.ALIVE if self._asked_at is None else Health.WAITING
