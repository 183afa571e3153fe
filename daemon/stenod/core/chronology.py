"""The chronology of a stream: which UTC each position has (law 10).

It is a list of anchors, each with its own pace up to the next one. A run of the device (an opening of the source)
begins with one; more are added where what the clock fit says now is not what the last anchor says.

What was told stays: a position whose time stands in a record keeps its time, and within a run UTC never goes
backwards. Where we said too late, time goes on at half its pace until it is right; where too early, it jumps forward.

The system clock is right by definition, and only a step of it breaks this rule: from the block on in which it is seen,
positions follow the new clock. What came before keeps the old one, except where that was not synchronised and nobody
was told yet: there the boot clock, which has no steps, tells what the new clock would have shown.

It knows no clock and no device; see `clock_fit` for where paces and times come from.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stenod.core import records
from stenod.core.timeline import Cause, Loss

STEP_SECONDS = 0.002
"""A system clock that is off the boot clock by so much more or less than before was set. Slewing moves both."""
MEND_SECONDS = 0.01
"""An anchor is added where the last one is wrong by more than this."""
MEND_BACK_SECONDS = 60.0
"""What the fit says now holds for so long: its newest points, and no longer."""
THIN_SECONDS = 0.02
"""An old anchor goes where the one before it says the same within this."""
ANCHORS_MAX = 4096
SANE_UNIX = 1_577_836_800.0
"""2020: a system clock that is before it was never set."""
ABSENCE_SECONDS_MAX = 10 * 365 * 86_400.0
CATCH_UP_PACE = 0.5
NOTHING = -1
STOPPED_UNKNOWN = Loss(0.0, Cause.STOPPED, True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One position and its moment on two clocks, good until the next anchor."""

    position: int
    unix: float
    boottime: float = 0.0
    """CLOCK_BOOTTIME at the same moment: it goes on in a suspend and is never set."""
    pace: float = 1.0
    """Seconds of those clocks a second of audio; a device that is fast is below 1."""
    boot: str = ""
    """Between which starts of the machine `boottime` means anything; empty where that is not known."""
    synchronised: bool = True
    """Whether the system clock had been set by a reference."""

    @property
    def offset(self) -> float:
        """System clock minus boot clock: changes only when somebody sets the system clock."""
        return self.unix - self.boottime

    def moved(self, position: int, rate: int) -> "Anchor":
        """Return the same line, held at another position."""
        seconds = (position - self.position) / rate * self.pace
        return replace(self, position=position, unix=self.unix + seconds, boottime=self.boottime + seconds)

    def shifted(self, seconds: float) -> "Anchor":
        """Return the same moment as a system clock shows it that was set by so much."""
        return replace(self, unix=self.unix + seconds)

    def trusted(self, synchronised: bool) -> "Anchor":
        """Return the same moment with what is known now of the clock that showed it."""
        return replace(self, synchronised=synchronised)


class Chronology:
    """One stream's; `told` is the position up to which records have told their times."""

    def __init__(self, rate: int, anchors: Iterable[Anchor] = (), told: int = NOTHING) -> None:
        self._rate = rate
        self._anchors = sorted(anchors, key=lambda anchor: anchor.position)
        self._told = told
        self._begun = self._anchors[-1].position if self._anchors else 0
        """Where the last run or the last step of the clock begins: nothing before is mended."""
        self._changed: int | None = None

    def at(self, position: int) -> Anchor | None:
        """Return what holds at a position, held there; before the first anchor its line is good as well."""
        if not self._anchors:
            return None
        index = max(0, bisect_right(self._anchors, position, key=lambda anchor: anchor.position) - 1)
        return self._anchors[index].moved(position, self._rate)

    def times(self, start: int, end: int, now: float) -> dict[str, Any]:
        """Return the four time fields of a record about [start, end); `now` is used where nothing is known yet.

        A record that a clock was set back in tells both its ends by the clock as it was at its end.
        """
        self._told = max(self._told, end)
        first, last = self.at(start), self.at(end)
        started, ended = (now if anchor is None else anchor.unix for anchor in (first, last))
        if ended < started:
            started = ended - (end - start) / self._rate
        return {
            "start": round(start / self._rate, 3),
            "end": round(end / self._rate, 3),
            "started_at": records.rfc3339(started),
            "ended_at": records.rfc3339(ended),
        }

    def begin(self, anchor: Anchor) -> None:
        """Begin a run of the device at the anchor."""
        self._write(anchor.position, [anchor])
        self._begun = anchor.position

    def follow(self, now: Anchor, since: int) -> None:
        """Take what is known now of a position at the end of the audio; a step of the clock came not before `since`."""
        last = self._anchors[-1]
        step = now.offset - last.offset
        if abs(step) > STEP_SECONDS:
            self._step(since, step, now.synchronised)
        if now.synchronised is not self._anchors[-1].synchronised:
            self._write(now.position, [anchor.trusted(now.synchronised) for anchor in self._from(now.position)])
        held = self.at(now.position)
        assert held is not None
        if abs(now.boottime - held.boottime) > MEND_SECONDS:
            self._mend(now)

    def absence(self, position: int, now: Anchor) -> Loss:
        """Return how long nobody recorded before `now`; `position` is where the recording had ended."""
        last = self.at(position)
        if last is None:
            return STOPPED_UNKNOWN
        awake = now.boottime - last.boottime
        if now.boot and now.boot == last.boot and awake > -1.0:
            return Loss(max(0.0, awake), Cause.STOPPED)
        seconds = now.unix - last.unix
        if min(now.unix, last.unix) < SANE_UNIX or not 0.0 <= seconds <= ABSENCE_SECONDS_MAX:
            return STOPPED_UNKNOWN
        return Loss(seconds, Cause.STOPPED, not (now.synchronised and last.synchronised))

    def unwritten(self) -> tuple[int, Sequence[Anchor]] | None:
        """Return, once, from which position on the stored anchors are to be replaced, and by what."""
        changed, self._changed = self._changed, None
        if changed is None:
            return None
        return changed, [anchor for anchor in self._anchors if anchor.position >= changed]

    @property
    def changed(self) -> bool:
        """Whether there is anything `unwritten`."""
        return self._changed is not None

    def _from(self, position: int) -> list[Anchor]:
        """Return what holds from a position on, the first anchor held there."""
        held = self.at(position)
        assert held is not None
        return [held, *(anchor for anchor in self._anchors if anchor.position > position)]

    def _step(self, since: int, seconds: float, synchronised: bool) -> None:
        """The system clock was set."""
        first = since
        for anchor in reversed(self._anchors):
            if anchor.synchronised or anchor.boot != self._anchors[-1].boot:
                break
            first = min(since, max(self._told, anchor.position))
            if self._told >= anchor.position:
                break
        self._write(first, [anchor.shifted(seconds).trusted(synchronised) for anchor in self._from(first)])
        self._begun = max(self._begun, first)

    def _mend(self, now: Anchor) -> None:
        """Go over to what is known now, from the last position on that was told, or from a minute ago."""
        recent = now.position - round(MEND_BACK_SECONDS * self._rate)
        first = max(self._told, self._begun, recent)
        held, right = self.at(first), now.moved(first, self._rate)
        assert held is not None
        right = replace(right, unix=right.boottime + self._anchors[-1].offset)
        late = held.boottime - right.boottime
        # Half a second of clock a second of audio, so twice as long as we are late.
        caught_up = first + round(late / (1.0 - CATCH_UP_PACE) / now.pace * self._rate)
        if caught_up <= first or first == self._begun > self._told:
            self._write(first, [right])
            return
        slow = replace(right, unix=held.unix, boottime=held.boottime, pace=now.pace * CATCH_UP_PACE)
        self._write(first, [slow, right.moved(caught_up, self._rate)])

    def _write(self, first: int, anchors: Sequence[Anchor]) -> None:
        """Replace what there is from `first` on."""
        kept = [anchor for anchor in self._anchors if anchor.position < first]
        self._anchors = [*kept, *anchors]
        self._changed = first if self._changed is None else min(first, self._changed)
        if len(self._anchors) > ANCHORS_MAX:
            self._thin()

    def _thin(self) -> None:
        """Drop old anchors: those that say nothing new, and where that is not enough the oldest."""
        half = len(self._anchors) // 2
        old = self._anchors[:1]
        for anchor in self._anchors[1:half]:
            expected = old[-1].moved(anchor.position, self._rate)
            if anchor.boot != expected.boot or abs(anchor.unix - expected.unix) > THIN_SECONDS:
                old.append(anchor)
        if len(old) > half // 2:
            old = old[len(old) - half // 2 :]
        self._anchors = [*old, *self._anchors[half:]]
        self._changed = 0
