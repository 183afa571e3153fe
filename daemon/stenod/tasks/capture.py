"""Capture: opens the source, reads it, and hands what it reads to the intake, which appends it to the journal.

A live source is read at once and always. When it is lost, it is opened again with growing delays, and the time without
it becomes a gap of that length on the timeline. A source that is not live is paced in real time and read at most two
minutes ahead of the transcript; waiting loses nothing of it, also for a disk that is full, so it has no gaps.
"""

from collections.abc import Callable

import trio

from stenod.core import records
from stenod.core.clock import Clock, Moment
from stenod.core.health import Device
from stenod.core.log import Log
from stenod.core.source import READ_AHEAD_SECONDS, WAITING_SECONDS_MAX, Block, Reader, Source, SourceBroken, SourceLost
from stenod.tasks.intake import Converter, Intake
from stenod.tasks.journal import Journal
from stenod.tasks.levels import Levels

SUBJECT = "device"
REMEDIES = {
    True: "it is opened again by itself; see that it is plugged in and that nobody else has it: `stenod devices`",
    False: "it is started again by itself; see why it ended",
}
"""By whether it is a device."""
REOPEN_SECONDS = (0.25, 0.5, 1.0)
"""Delays before a lost source is opened again; the last one repeats. With the start of a child it is within 2 s."""
STORE_SECONDS = 1.0
"""How often a disk is asked whether it takes what was read of a source that waits."""
STEADY_SECONDS = 10.0
"""A source that delivered for so long is lost anew; before, it is still the same loss."""
CRYSTAL_DEVIATION_MAX = 0.001
"""A device that is fast is no file, after months neither."""


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
        boot: str = "",
        synchronised: Callable[[], bool] = lambda: True,
        channel: int = 0,
    ) -> None:
        """`boot` names this start of the machine (empty: unknown), `synchronised` whether its clock was set.

        `channel`: which one of the source's the converter takes, from 1; 0: all.
        """
        self._source = source
        self._origin = origin
        """Where on the timeline a source that can be read again begins."""
        self._journal = journal
        self._clock = clock
        self._log = log
        self._intake = Intake(
            source=source,
            journal=journal,
            converter=converter,
            clock=clock,
            log=log,
            boot=boot,
            synchronised=synchronised,
        )
        self._levels = Levels(source=source.description, channel=channel, journal=journal, clock=clock, log=log)
        self._live = source.live
        self._opened = False
        """Whether anything ever came."""
        self._began = (0.0, 0)
        """When the first block began, on the clock that blocks are stamped with, and its position."""
        self.lost = ""
        """Why there is no audio now; empty while it comes."""
        self.turned_at = clock.now()
        """When it last read something or tried to open the source."""

    @property
    def live(self) -> bool:
        """Whether audio that is not read now is lost."""
        return self._live

    @property
    def device(self) -> Device:
        """How the source is."""
        if self._journal.finished:
            return Device.ENDED
        if self.lost:
            return Device.LOST
        return Device.UP if self._opened else Device.OPENING

    async def run(self) -> None:
        """Read until the source ends; raises `SourceError` where a person must act. Appends all it has, always."""
        losses = 0
        try:
            while True:
                opened_at = self.turned_at = self._clock.now()
                try:
                    position = (self._journal.tail - self._origin) / self._journal.rate
                    async with self._source.open(position) as reader:
                        came = await self._read(reader)
                    if self._source.ends:
                        await self._store_rest()
                        if not came and position > 0:
                            self._log.warning("input.known", source=self._source.description, position_seconds=position)
                        return
                    reason = f"{self._source.description} ended"
                except SourceBroken as broken:
                    self._log.warning("input.broken", reason=str(broken))
                    await self._store_rest()
                    return
                except SourceLost as lost:
                    reason = str(lost)
                losses = 0 if self.turned_at - opened_at >= STEADY_SECONDS else losses
                await self._lost(reason, losses)
                losses += 1
        finally:
            with trio.CancelScope(shield=True):
                await self._intake.settle()
                if self._source.live:  # it cannot be read again
                    self._intake.abandon()
            self._journal.finish()

    async def _read(self, reader: Reader) -> bool:
        """Read one opening of the source to its end; the answer says whether anything came."""
        came = False
        while (block := await reader.read()) is not None:
            self.turned_at = self._clock.now()
            with trio.CancelScope(shield=True):  # what was read is stored; nothing here waits
                moment = self._intake.moment(block)
                if not came:
                    await self._resume(block, moment)
                    came = True
                await self._intake.take(block, moment)
            if self._live:
                self._levels.hear(block)
            await self._stored()
            await self._hold_back(moment.boottime)
        return came

    async def _store_rest(self) -> None:
        await self._intake.settle()
        await self._stored()

    async def _stored(self) -> None:
        """Wait until the disk has taken what was read of a source that waits."""
        while not self._intake.stored():
            await trio.sleep(STORE_SECONDS)
            self.turned_at = self._clock.now()

    async def _resume(self, block: Block, moment: Moment) -> None:
        """Place the first block of an opening, and say that the source is back."""
        began_at = moment.boottime - block.frames / block.rate
        await self._intake.begin(block, moment)
        if not self._opened or not self._live:
            self._opened = True
            self._began = (began_at, self._journal.tail)
        told, self.lost = self.lost, ""
        if (self._live and self._journal.mended(SUBJECT)) or told:
            self._tell("back", f"{self._source.description} is back")

    async def _hold_back(self, came_at: float) -> None:
        """Pace a source that is not live; take a live one that runs far ahead of the clock for a file.

        A command is not a file: it may be restarted, and then there is a gap. It is held back, and stays live.
        `came_at` is when its last block came, on the boot clock: a sleep of the machine is a gap, and takes time.
        """
        ahead = self._ahead_seconds(came_at)
        if self._live:
            if self._source.clocked or ahead <= READ_AHEAD_SECONDS:
                return
            if not self._source.ends:
                await trio.sleep(ahead - READ_AHEAD_SECONDS)
                return
            self._live = False
            self._intake.wait()
            self._log.info("input.taken_for_file", ahead_seconds=round(ahead, 1))
            return
        if ahead > 0 and not self._source.live:
            await trio.sleep(ahead)
        while (self._journal.tail - self._journal.cursor) / self._journal.rate > WAITING_SECONDS_MAX:
            pulse = self._journal.pulse()
            await pulse.wait()
            began_at, position = self._began
            self._began = (began_at + max(0.0, -self._ahead_seconds(self._clock.now())), position)

    def _ahead_seconds(self, now: float) -> float:
        """How much more audio there was than time; of a live source, beyond what its crystal may be fast by."""
        began_at, position = self._began
        fast = CRYSTAL_DEVIATION_MAX if self._source.live else 0.0
        return (self._intake.end - position) / self._journal.rate - (now - began_at) * (1.0 + fast)

    async def _lost(self, reason: str, losses: int) -> None:
        """Say so, and wait before the next opening."""
        await self._store_rest()
        delay = REOPEN_SECONDS[min(losses, len(REOPEN_SECONDS) - 1)]
        self._log.warning("source.lost", source=self._source.description, reason=reason, delay_seconds=delay)
        told, self.lost = self.lost, reason
        if not told:
            self._tell("lost", reason, REMEDIES[self._source.clocked])
        await trio.sleep(delay)

    def _tell(self, state: str, reason: str, remedy: str = "") -> None:
        at = records.rfc3339(self._clock.wall())
        self._journal.note(
            records.Status(
                stream=self._journal.stream, at=at, subject=SUBJECT, state=state, reason=reason, remedy=remedy
            )
        )
