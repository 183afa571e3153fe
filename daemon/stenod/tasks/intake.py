"""The intake: makes blocks mono at the stream's rate, and puts each in its place on the timeline, with its time.

What is missing before a block becomes a gap there; what is known of a block's time goes into the chronology. It asks
`core.arrivals` about both, and does not know where blocks come from, or when the source is opened again.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from stenod.core.arrivals import Arrival, Arrivals
from stenod.core.chronology import Anchor
from stenod.core.clock import Clock, Moment
from stenod.core.log import Log
from stenod.core.source import Block, Source
from stenod.core.timeline import Loss
from stenod.tasks.journal import Journal

APPEND_SECONDS = 0.1
"""What a killed process loses at most, where nothing is held in doubt."""


class Converter(Protocol):
    """See `edge.resampling.Converter`."""

    def feed(self, pcm: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class Intake:
    """One source into one journal; see `Capture` for the arguments."""

    def __init__(
        self,
        *,
        source: Source,
        journal: Journal,
        converter: Callable[[int, int, int], Converter],
        clock: Clock,
        log: Log,
        boot: str,
        synchronised: Callable[[], bool],
    ) -> None:
        self._source = source
        self._journal = journal
        self._new_converter = converter
        self._clock = clock
        self._log = log
        self._boot = boot
        self._synchronised = synchronised
        self._live = source.live
        self._converter: Converter | None = None
        self._format: tuple[int, int] | None = None
        self._collected = bytearray()
        self._refused = False
        """Whether the disk had no room for the collected."""
        self._run: Arrivals | None = None
        """What came in this opening of the source, or in the last one."""
        self._mark = (0.0, 0)
        """A second of the run and its position: where the conversion was begun."""

    @property
    def end(self) -> int:
        """Where the audio ends that was taken, stored or not; the conversion may hold a little more."""
        return self._journal.tail + len(self._collected) // 2

    def wait(self) -> None:
        """From now on the source waits for us: time without its audio is no loss."""
        self._live = False
        if self._run is not None:
            self._run.patient = True

    async def begin(self, block: Block, moment: Moment) -> None:
        """Begin a run before its first block: after the time that passed without the source."""
        duration = block.frames / block.rate
        pace = 1.0 if self._run is None else self._run.pace
        run = Arrivals(moment, clocked=self._source.clocked, patient=not self._live, pace=pace)
        anchor = self._anchor(block, moment, self._journal.tail, moment.boottime - duration, pace)
        losses: Sequence[Loss] = ()
        if self._live and self._run is not None:
            losses = self._run.absence(anchor.boottime, moment)
        elif self._live and self._journal.tail > 0:
            losses = [self._journal.chronology.absence(self._journal.tail, anchor)]
        counts = [self._count(loss) for loss in losses]
        anchor = replace(anchor, position=self._journal.tail + sum(counts))
        self._journal.begin(anchor)
        for loss, count in zip(losses, counts, strict=True):
            await self._journal.gap(count, loss.cause, estimated=loss.estimated)
        self._mark = (0.0, self._journal.tail)
        self._run = run

    async def take(self, block: Block, moment: Moment) -> None:
        """Take a block of the run that was begun; what is doubtful is held for a moment."""
        assert self._run is not None
        for arrival in self._run.take(block, moment):
            await self._place(arrival)

    def stored(self) -> bool:
        """Try again to append what the disk has not taken of a source that waits; return whether it has now."""
        if self._refused:
            self._append()
        return not self._refused

    def abandon(self) -> None:
        """What the disk has not taken by now is lost."""
        self._journal.append(bytes(self._collected))
        self._collected.clear()

    async def settle(self) -> None:
        """Append all that was read: what was held in doubt, and what is held back in the conversion."""
        if self._run is not None:
            for arrival in self._run.settle():
                await self._place(arrival)
        self._flush()

    async def _place(self, arrival: Arrival) -> None:
        """Append what was lost before a block, and the block; note what is known now of its time."""
        block = arrival.block
        if arrival.losses or self._format != (block.rate, block.channels):
            self._flush()
            for loss in arrival.losses:
                self._log.warning("audio.dropped", dropped_seconds=loss.seconds, reason=loss.cause.value)
                await self._journal.gap(self._count(loss), loss.cause)
            self._mark = (arrival.start, self._journal.tail)
        self._convert(block)
        if self._source.live:
            assert self._run is not None
            end = self._run.at(arrival.end)
            anchor = self._anchor(block, arrival.moment, self._position(arrival.end), end, self._run.pace)
            self._journal.chronology.follow(anchor, self._position(arrival.start))

    def _convert(self, block: Block) -> None:
        """Convert and append; a change of format in mid-stream begins a new conversion."""
        if self._format != (block.rate, block.channels):
            self._converter = self._new_converter(block.rate, block.channels, self._journal.rate)
            self._format = (block.rate, block.channels)
        assert self._converter is not None
        self._collected += self._converter.feed(block.pcm)
        if len(self._collected) >= 2 * APPEND_SECONDS * self._journal.rate:
            self._append()

    def moment(self, block: Block) -> Moment:
        """Return when a block that was just read came: by its own stamps, or now."""
        monotonic = self._clock.now() if block.monotonic is None else block.monotonic
        boottime = monotonic if block.boottime is None else block.boottime
        return Moment(monotonic, boottime, self._clock.wall() if block.wall is None else block.wall)

    def _anchor(self, block: Block, moment: Moment, position: int, boottime: float, pace: float) -> Anchor:
        return Anchor(
            position=position,
            unix=boottime + moment.wall - moment.boottime,
            boottime=boottime,
            pace=pace,
            boot="" if block.boottime is None else self._boot,
            synchronised=self._synchronised(),
        )

    def _position(self, seconds: float) -> int:
        """Return the position of a second of the run."""
        marked, position = self._mark
        return position + round((seconds - marked) * self._journal.rate)

    def _count(self, loss: Loss) -> int:
        """Return a loss in samples. Where nobody knows how much was lost, one sample says that something was."""
        return max(round(loss.seconds * self._journal.rate), int(loss.estimated))

    def _append(self) -> None:
        self._refused = not self._journal.append(bytes(self._collected), patient=not self._live)
        if not self._refused:
            self._collected.clear()

    def _flush(self) -> None:
        """Append what is held back in the conversion and in the collection."""
        if self._converter is not None:
            self._collected += self._converter.finish()
            self._converter, self._format = None, None
        self._append()
