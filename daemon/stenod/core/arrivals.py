"""What came when: one run of a source against the machine's clocks, and what is missing between its blocks.

* A boot clock that went on while the monotonic one stood still: the machine slept, and nobody recorded (`suspend`).
* Audio that was counted and dropped: exactly that is missing (`overflow`).
* A block that is late is doubtful: audio before it is lost, or only waits somewhere and comes in one burst. So it is
  held, with what follows, until a block is punctual again (nothing was lost), or for two seconds; then what even the
  most punctual of the held blocks is late by is missing, before the first of them (`overflow`). A device that says that
  it lost audio is believed sooner.

Only a device's own stamps tell that. A pipe loses nothing: what is missing there may come in a minute, or was never
spoken (a writer that rests), and a gap would stand in the middle of a word. There UTC follows the clock, no more.

How late a block is, the clock fit says: a crystal that is slow is no loss. Audio that is too much makes later blocks
early, which moves the fit at once: no audio is ever said to be captured after it came.

It knows no journal and no device; seconds are of audio since the beginning of the run, gaps included.
"""

from dataclasses import dataclass, replace

from stenod.core.clock import Moment
from stenod.core.clock_fit import ClockFit
from stenod.core.source import Block
from stenod.core.timeline import Cause, Loss

SUSPEND_SECONDS_MIN = 0.5
"""A shorter one is found by its missing audio."""
DOUBT_SECONDS = 0.05
"""What law 10 lets a word be off by. Sound servers change their own delay by a block or two."""
TOLD_DOUBT_SECONDS = 0.02
"""The same where the device says that it lost audio."""
BURST_SECONDS = 2.0
"""So long a late block waits for those that were only held up."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A block in its place: `start` to `end` in seconds of the run, after what was lost before it."""

    block: Block
    moment: Moment
    losses: tuple[Loss, ...]
    start: float
    end: float

    def later(self, seconds: float) -> "Arrival":
        """Return the same block further on."""
        return replace(self, start=self.start + seconds, end=self.end + seconds)


class Arrivals:
    """One run of a source; `clocked` as in `core.source.Source`, `pace` is the one to expect."""

    def __init__(self, first: Moment, *, clocked: bool, patient: bool = False, pace: float = 1.0) -> None:
        self.patient = patient
        """The source waits for us, so no time without audio is a loss."""
        self.asleep = first.asleep
        self._clocked = clocked
        self._fit = ClockFit(pace)
        self._end = 0.0
        self._held: list[Arrival] = []
        self._late_least = 0.0
        self._doubt_seconds = DOUBT_SECONDS

    @property
    def pace(self) -> float:
        """Seconds of the machine's clock a second of audio."""
        return self._fit.pace

    def at(self, seconds: float) -> float:
        """Return when that second of the run was captured, on the boot clock."""
        return self._fit.at(seconds)

    def take(self, block: Block, moment: Moment) -> list[Arrival]:
        """Return what may be stored now, in order: nothing while it is doubtful, else all that was held, and this."""
        losses = self._known_losses(block, moment)
        start = self._end + sum(loss.seconds for loss in losses)
        self._end = start + block.frames / block.rate
        arrival = Arrival(block, moment, losses, start, self._end)
        late = self._fit.late(arrival.end, moment.boottime)
        if block.overflowed:
            self._doubt_seconds = TOLD_DOUBT_SECONDS
        self._late_least = min(late, self._late_least) if self._held else late
        self._held.append(arrival)
        if late <= self._doubt_seconds or self.patient or not self._clocked:
            return self._release()
        if moment.boottime - self._held[0].moment.boottime < BURST_SECONDS:
            return []
        return self.settle()

    def absence(self, began: float, moment: Moment) -> list[Loss]:
        """Return what is missing between the end of this run and another's beginning, on the boot clock."""
        missing = max(0.0, began - self.at(self._end))
        slept = moment.asleep - self.asleep
        if slept < SUSPEND_SECONDS_MIN:
            return [Loss(missing, Cause.DEVICE)]
        return [Loss(min(slept, missing), Cause.SUSPEND), Loss(max(0.0, missing - slept), Cause.DEVICE)]

    def settle(self) -> list[Arrival]:
        """Return what is held, with what is missing before it: nothing more will come, or not soon enough."""
        if not self._held:
            return []
        missing = Loss(self._late_least, Cause.OVERFLOW)
        first, *others = (arrival.later(missing.seconds) for arrival in self._held)
        self._held = [replace(first, losses=(*first.losses, missing)), *others]
        self._end += missing.seconds
        return self._release()

    def _release(self) -> list[Arrival]:
        released, self._held = self._held, []
        self._doubt_seconds = DOUBT_SECONDS
        for arrival in released:
            self._fit.add(arrival.end, arrival.moment.boottime)
        return released

    def _known_losses(self, block: Block, moment: Moment) -> tuple[Loss, ...]:
        losses = []
        slept = moment.asleep - self.asleep
        if slept >= SUSPEND_SECONDS_MIN:
            self.asleep = moment.asleep
            if not self.patient:
                losses.append(Loss(slept, Cause.SUSPEND))
        if block.dropped:
            losses.append(Loss(block.dropped / block.rate, Cause.OVERFLOW))
        return tuple(losses)
