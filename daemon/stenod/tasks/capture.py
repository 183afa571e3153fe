"""Capture: reads the source, makes it mono at the stream's rate, and appends it to the journal. Nothing else.

A live source is read at once and always. When it is lost, it is opened again with growing delays, and the time without
it becomes a gap of that length on the timeline. A source that is not live is paced in real time and read at most a
minute ahead of the transcript; waiting loses nothing of it, so it has no gaps.
"""

from collections.abc import Callable
from typing import Protocol

import trio

from stenod.core import records
from stenod.core.chronology import Anchor
from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.source import READ_AHEAD_SECONDS, Block, Reader, Source, SourceLost
from stenod.core.timeline import Cause
from stenod.tasks.journal import Journal

APPEND_SECONDS = 0.1
"""What a killed process loses at most."""
REOPEN_SECONDS = (0.25, 0.5, 1.0, 2.0)
"""Delays before a lost source is opened again; the last one repeats."""


class Converter(Protocol):
    """See `edge.resampling.Converter`."""

    def feed(self, pcm: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class Capture:
    """One source into one journal; `converter(rate_in, channels_in, rate_out)` makes the format fit."""

    def __init__(
        self,
        *,
        source: Source,
        journal: Journal,
        converter: Callable[[int, int, int], Converter],
        clock: Clock,
        log: Log,
        origin: int = 0,
    ) -> None:
        self._source = source
        self._origin = origin
        """Where on the timeline a source that can be read again begins."""
        self._journal = journal
        self._new_converter = converter
        self._clock = clock
        self._log = log
        self._converter: Converter | None = None
        self._format: tuple[int, int] | None = None
        self._collected = bytearray()
        self._live = source.live
        self._seen_at: float | None = None
        """When the last block ended, on the clock that the source stamps with."""
        self._started_at = 0.0
        self._read_seconds = 0.0
        self._came = False
        self._told_lost = False
        self.turned_at = clock.now()
        """When it last read something or tried to open the source."""

    @property
    def live(self) -> bool:
        """Whether audio that is not read now is lost."""
        return self._live

    async def run(self) -> None:
        """Read until the source ends; raises `SourceError` where a person must act. Appends all it has, always."""
        losses = 0
        try:
            while True:
                self._came = False
                self.turned_at = self._clock.now()
                try:
                    position = (self._journal.tail - self._origin) / self._journal.rate
                    async with self._source.open(position) as reader:
                        await self._read(reader)
                    if self._source.ends:
                        if not self._came and position > 0:
                            self._log.warning("input.known", source=self._source.description, position_seconds=position)
                        return
                    reason = f"{self._source.description} ended"
                except SourceLost as lost:
                    reason = str(lost)
                losses = 0 if self._came else losses + 1
                await self._lost(reason, losses)
        finally:
            self._flush()
            self._journal.finish()

    async def _read(self, reader: Reader) -> None:
        """Read one opening of the source to its end."""
        fresh = True
        while (block := await reader.read()) is not None:
            if fresh:
                await self._resume(block)
                fresh = False
            if block.dropped:
                await self._dropped(block)
            self._take(block)
            await self._hold_back()

    async def _resume(self, block: Block) -> None:
        """Place the first block of an opening on the timeline: after the time that passed without the source."""
        duration = block.frames / block.rate
        now, began_at = self._stamp(block), self._clock.wall() - duration
        self._read_seconds = 0.0
        self._started_at = self._clock.now() - duration
        if self._live and self._seen_at is not None:
            missing = now - duration - self._seen_at
            await self._journal.gap(round(missing * self._journal.rate), Cause.DEVICE)
        elif self._live and self._journal.tail > 0:
            anchor = self._journal.chronology.at(self._journal.tail)
            missing = 0.0 if anchor is None else began_at - anchor.unix
            await self._journal.gap(round(missing * self._journal.rate), Cause.STOPPED)
        began = now - duration
        self._journal.chronology.begin(Anchor(position=self._journal.tail, unix=began_at, boottime=began))
        if self._told_lost:
            self._told_lost = False
            self._tell("back", f"{self._source.description} is back")

    def _take(self, block: Block) -> None:
        """Convert and append; a change of format in mid-stream begins a new conversion."""
        if self._format != (block.rate, block.channels):
            self._flush()
            self._format = (block.rate, block.channels)
            self._converter = self._new_converter(block.rate, block.channels, self._journal.rate)
        assert self._converter is not None
        self._collected += self._converter.feed(block.pcm)
        self._read_seconds += block.frames / block.rate
        self._came = True
        self.turned_at = self._clock.now()
        self._seen_at = self._stamp(block)
        if len(self._collected) >= 2 * APPEND_SECONDS * self._journal.rate:
            self._append()

    async def _dropped(self, block: Block) -> None:
        """The child had to drop audio before this block: a gap of exactly that length."""
        self._flush()
        await self._journal.gap(round(block.dropped * self._journal.rate / block.rate), Cause.OVERFLOW)
        self._log.warning("audio.dropped", dropped_seconds=block.dropped / block.rate, reason="overflow")

    async def _hold_back(self) -> None:
        """Pace a source that is not live; take a live one that runs far ahead of the clock for a file."""
        ahead = self._started_at + self._read_seconds - self._clock.now()
        if self._live:
            if self._source.ends and ahead > READ_AHEAD_SECONDS:
                self._live = False
                self._log.info("input.taken_for_file", ahead_seconds=round(ahead, 1))
            return
        if self._source.live:
            ahead = 0.0
        if ahead > 0:
            await trio.sleep(ahead)
        while (self._journal.tail - self._journal.cursor) / self._journal.rate > READ_AHEAD_SECONDS:
            pulse = self._journal.pulse()
            await pulse.wait()
            self._started_at = max(self._started_at, self._clock.now() - self._read_seconds)

    async def _lost(self, reason: str, losses: int) -> None:
        """Say so, and wait before the next opening."""
        self._flush()
        delay = REOPEN_SECONDS[min(losses, len(REOPEN_SECONDS) - 1)]
        self._log.warning("source.lost", source=self._source.description, reason=reason, delay_seconds=delay)
        if not self._told_lost:
            self._told_lost = True
            self._tell("lost", reason)
        await trio.sleep(delay)

    def _tell(self, state: str, reason: str) -> None:
        at = records.rfc3339(self._clock.wall())
        record = records.Status(stream=self._journal.stream, at=at, subject="device", state=state, reason=reason)
        self._journal.note(record)

    def _stamp(self, block: Block) -> float:
        return self._clock.now() if block.monotonic is None else block.monotonic

    def _append(self) -> None:
        collected, self._collected = bytes(self._collected), bytearray()
        self._journal.append(collected)

    def _flush(self) -> None:
        """Append what is held back in the conversion and in the collection."""
        if self._converter is not None:
            self._collected += self._converter.finish()
            self._converter, self._format = None, None
        self._append()
