"""Whether what a microphone gives is good to hear: too loud, far too quiet, or nothing at all. One judgement a second.

Pure: a machine that is told each second's `Reading`, and remembers three minutes of them.

What is judged, and why these figures:

* *muted*: five seconds of exact zeros. The quietest converter has noise in its last bit; only a mute, a noise gate, an
  empty jack or a server without a source gives zeros, and people pause for less.
* *clipping*: in three of ten seconds a thousandth of the samples lie at full scale. Speech that is just loud enough
  touches it with none of its samples or a few; at a thousandth most of its peaks are cut. A slammed door is one second.
* *quiet*: in three minutes there were 30 seconds with the swing of syllables, so somebody speaks, and not three of all
  reach -55 dB. Speech is mostly recorded at -26 dB (ITU-T P.56); 30 dB less is at the noise of cheap microphones. An
  empty room has no swing, so it is never too quiet, and neither is a night with a fan.

Each ends later than it began (hysteresis), and one that comes again and again is told after ever longer persistence.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from stenod.core.level import FLOOR_DB_MIN, Reading

MUTED_SECONDS = 5
CLIPPED_SHARE = 0.001
CLIPPED_SECONDS, CLIPPED_OF_SECONDS = 3, 10
CLIPPED_CLEAR_SECONDS = 30
QUIET_DB, AUDIBLE_DB = -55.0, -49.0
QUIET_OF_SECONDS = 180
SWING_DB, SWING_SECONDS = 10.0, 30
LOUDEST_SECONDS = 3
PERSISTENCE_SECONDS_MAX = 600
FORGET_SECONDS = 6 * 3600


class Level(StrEnum):
    """What a level says about the microphone, in the order in which one hides another."""

    MUTED = "muted"
    CLIPPING = "clipping"
    QUIET = "quiet"
    GOOD = "good"


@dataclass(slots=True)
class Alarm:
    """Raised by what persists, cleared by what is over for long enough; each raising makes the next one harder."""

    first_seconds: int
    """How long it must persist."""
    clear_seconds: int = 1
    raised: bool = False
    _needed_seconds: int = 0
    _held_seconds: int = 0
    _over_seconds: int = 0
    _since_seconds: int = 0

    def tick(self, *, present: bool, over: bool) -> None:
        """A second passed in which it was there, was over, or neither."""
        self._since_seconds += 1
        if self._since_seconds > FORGET_SECONDS or not self._needed_seconds:
            self._needed_seconds = self.first_seconds
        self._held_seconds = self._held_seconds + 1 if present else 0
        self._over_seconds = self._over_seconds + 1 if over else 0
        if not self.raised and self._held_seconds >= self._needed_seconds:
            self.raised = True
            self._needed_seconds = min(2 * self._needed_seconds, PERSISTENCE_SECONDS_MAX)
            self._since_seconds = 0
        elif self.raised and self._over_seconds >= self.clear_seconds:
            self.raised = False


@dataclass(slots=True)
class Gauge:
    """One stream's levels."""

    level: Level = Level.GOOD
    _muted: Alarm = field(default_factory=lambda: Alarm(MUTED_SECONDS))
    _clipping: Alarm = field(default_factory=lambda: Alarm(1, CLIPPED_CLEAR_SECONDS))
    _quiet: Alarm = field(default_factory=lambda: Alarm(1))
    _clipped: deque[float] = field(default_factory=lambda: deque(maxlen=CLIPPED_OF_SECONDS))
    _levels: deque[float] = field(default_factory=lambda: deque(maxlen=QUIET_OF_SECONDS))
    _swings: deque[bool] = field(default_factory=lambda: deque(maxlen=QUIET_OF_SECONDS))

    def add(self, second: Reading) -> Level | None:
        """Take a second into account; the answer is what it is now, where that is something else than before."""
        self._muted.tick(present=second.still, over=not second.still)
        if not second.still:
            self._clipped.append(second.clipped_share)
            self._levels.append(second.level_db)
            self._swings.append(second.swing_db >= SWING_DB)
            clipped = sum(share >= CLIPPED_SHARE for share in self._clipped)
            self._clipping.tick(present=clipped >= CLIPPED_SECONDS, over=clipped == 0)
            self._quiet.tick(present=self._too_quiet, over=self.loudest_db > AUDIBLE_DB)
        before, self.level = self.level, self._judged
        return None if before is self.level else self.level

    @property
    def clipped_share(self) -> float:
        """Of all samples of the last ten seconds."""
        return sum(self._clipped) / max(1, len(self._clipped))

    @property
    def loudest_db(self) -> float:
        """What the third loudest second of three minutes reached: two may be anything."""
        return sorted(self._levels, reverse=True)[:LOUDEST_SECONDS][-1] if self._levels else FLOOR_DB_MIN

    @property
    def _too_quiet(self) -> bool:
        whole = len(self._levels) == QUIET_OF_SECONDS
        return whole and sum(self._swings) >= SWING_SECONDS and self.loudest_db <= QUIET_DB

    @property
    def _judged(self) -> Level:
        alarms = {Level.MUTED: self._muted, Level.CLIPPING: self._clipping, Level.QUIET: self._quiet}
        return next((level for level, alarm in alarms.items() if alarm.raised), Level.GOOD)
