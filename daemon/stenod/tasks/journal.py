"""The journal: the one place where audio gets its position and where progress becomes durable.

Audio goes into segments and records into the ledger; the timeline in memory mirrors the ledger's spans. One task
(capture) appends; whoever settles or records goes through `commit`, which is one transaction and one at a time. Audio
is deleted only after the commit that made it dispensable.

It does not know what a provider or a turn is. Where the disk, the threads and the clocks are real is decided by who
builds it: simulation hands in memory and inline calls.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import trio

from stenod.core.accounts import Account
from stenod.core.chronology import NOTHING, Anchor, Chronology
from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.outage import remedy
from stenod.core.pruning import last_prunable
from stenod.core.records import Record
from stenod.core.retention import stretches
from stenod.core.timeline import Cause, Settled, Span, Timeline
from stenod.core.transaction import StreamState
from stenod.tasks.commits import Commits, Ledger, Offload, Settlement
from stenod.tasks.disk_health import SUBJECT, DiskHealth, Part, Reserve
from stenod.tasks.stored_audio import NEAR_SECONDS, Keeping, Segments, StoredAudio

RETENTION_SECONDS = 10.0
"""How often the limits are looked at: the disk's floor must hold for what comes in that time."""

PRUNED_MAX = 100
"""Lines that go at once: ten a second would have to come to overtake it, and no commit waits long for so few."""


class Journal:
    """One stream's journal."""

    def __init__(
        self,
        *,
        stream: str,
        state: StreamState,
        segments: Segments,
        ledger: Ledger,
        clock: Clock,
        offload: Offload,
        log: Log,
        keeping: Keeping,
        reserve: Reserve | None = None,
    ) -> None:
        self.stream = stream
        self.rate = state.rate
        self.clock = clock
        self.captured = 0
        """Samples that came since it was opened."""
        self.ended = trio.Event()
        """No more audio will come."""
        self._lines_seconds = keeping.lines_seconds
        self._recovered_until = state.recovered_until
        self._ledger = ledger
        self._offload = offload
        known = max((span.end for span in state.spans), default=NOTHING)
        self.chronology = Chronology(state.rate, state.anchors, known)
        self._log = log
        self._pulse = trio.Event()
        self._timeline = Timeline.restored(state.spans, max(state.tail, segments.tail))
        told = SUBJECT in state.troubles
        self._health = DiskHealth(stream=stream, clock=clock, log=log, note=self.note, reserve=reserve, told=told)
        self._commits = Commits(
            stream=stream,
            state=state,
            timeline=self._timeline,
            ledger=ledger,
            offload=offload,
            chronology=self.chronology,
            health=self._health,
            times=self.times,
        )
        self._audio = StoredAudio(
            segments=segments,
            timeline=self._timeline,
            rate=self.rate,
            keeping=keeping,
            commits=self._commits,
            health=self._health,
            clock=clock,
        )
        self._lose_missing(segments.spans())

    @property
    def finished(self) -> bool:
        """Whether no more audio will come."""
        return self.ended.is_set()

    @property
    def tail(self) -> int:
        """Where the timeline ends."""
        return self._timeline.tail

    @property
    def cursor(self) -> int:
        """The first pending sample."""
        return self._timeline.cursor

    @property
    def lag_seconds(self) -> float:
        """From the cursor to the tail."""
        return (self.tail - self.cursor) / self.rate

    def recovered(self, position: int) -> bool:
        """Whether this was recorded before the ledger that knew it was lost: it may have been printed before."""
        return position < self._recovered_until

    @property
    def trouble(self) -> tuple[str, str]:
        """What is wrong with its disk now, and what to do; empty where all is well."""
        return self._health.trouble

    def mended(self, subject: str) -> bool:
        """Whether an earlier run left bad news of this subject standing; only the first who asks is told."""
        return self._commits.mended(subject)

    def pending(self, start: int, end: int) -> list[Span]:
        """The pending parts of [start, end)."""
        return self._timeline.pending(start, end)

    def pending_run(self, start: int, end: int, *, through: bool = False) -> Span | None:
        """The first pending part of [start, end); `through`: what is transcribed counts as pending, too."""
        return self._timeline.pending_run(start, end, through=through)

    def first_pending(self, start: int) -> int:
        """The first pending sample at or after `start`."""
        return self._timeline.first_pending(start)

    def lost_from(self, start: int) -> int:
        """How many samples are lost from `start` on."""
        return self._timeline.lost_from(start)

    def gaps(self, start: int, end: int) -> list[Span]:
        """What was lost from within [start, end) on."""
        return self._timeline.gaps(start, end)

    def pending_seconds(self) -> float:
        """How much is still to be transcribed."""
        return self._timeline.pending_count() / self.rate

    def settled(self) -> list[Settled]:
        """All settled spans, for those who check."""
        return list(self._timeline)

    def begin(self, anchor: Anchor) -> None:
        """Begin a run of the device there; durable soon, for without it nobody knows when the audio was captured."""
        self.chronology.begin(anchor)
        self._commits.want()

    def append(self, pcm: bytes, *, patient: bool = False) -> bool:
        """Store s16le mono at the stream's rate at the tail. Synchronous: a live source waits for nothing.

        Return whether it is on the timeline: where the disk cannot take it, audio of a `patient` source is not.
        """
        if pcm:
            if not self._audio.append(pcm, patient=patient):
                return False
            self.captured += len(pcm) // 2
            self._notify()
        return True

    async def gap(self, count: int, cause: Cause, *, estimated: bool = False) -> None:
        """Extend the timeline by `count` samples that were lost, and say so with the next commit; waits for nothing."""
        await trio.lowlevel.checkpoint()
        if count > 0:
            self._commits.lose_no_more()
            start = self._timeline.extend(count)
            self._commits.lose(start, start + count, cause, estimated=estimated)
            self._notify()

    def note(self, record: Record) -> None:
        """Put a record into the outbox with the next commit; waits for nothing, and tells no id."""
        self._commits.note(record)

    async def give_up(self, start: int, end: int) -> None:
        """What is pending of [start, end) will not be transcribed: gaps, with the cause `rejected`."""
        self._commits.lose(start, end, Cause.REJECTED)
        await self.commit([])

    def read(self, position: int, count: int) -> bytes:
        """Return stored audio, as much of `count` as is contiguous."""
        return self._audio.read(position, count)

    def replay_start(self, settled: int) -> int:
        """Return where to begin a session whose first pending sample is `settled`; see `core.seams`."""
        return self._audio.replay_start(settled)

    def live_start(self, tail: int) -> tuple[int, int]:
        """Return where a session's share begins that goes live at the tail, and from where on it hears.

        What an earlier run captured is another's, also while nothing has come that tells how long the stop was.
        """
        return self._audio.live_start(tail) if self.captured else (tail, tail)

    def replay_end(self, end: int) -> tuple[int, int]:
        """Return up to where a session hears whose share ends at `end`, and is believed; see `core.seams`."""
        return self._audio.replay_end(end)

    def late_run(self, start: int, end: int) -> Span | None:
        """Return what of [start, end) one late session may hear; see `core.timeline`."""
        return self._timeline.late_run(start, end)

    @property
    def transcribed_end(self) -> int:
        """Where the last transcribed sample lies, the end not included."""
        return self._timeline.transcribed_end()

    async def recent(self, count: int) -> list[bytes]:
        """Return the lines of the last finals in the outbox, printed or not, oldest first."""
        lines: list[bytes] = await self._commits.patiently(self._ledger.recent, self.stream, count)
        return lines

    async def spoken(self, start: int, end: int) -> list[bytes]:
        """Return the lines of the outbox whose words touch [start, end), printed or not."""
        lines: list[bytes] = await self._commits.patiently(self._ledger.spoken, self.stream, start, end)
        return lines

    def source_start(self, identity: str) -> int:
        """Return where a source that can be read again begins on the timeline; before anything else runs."""
        return self._ledger.source_start(self.stream, identity, self.tail)

    def finish(self) -> None:
        """Say that no more audio will come."""
        self.ended.set()
        self._notify()

    def times(self, start: int, end: int) -> dict[str, Any]:
        """Return the four time fields of a record about [start, end), which will not change any more."""
        return self.chronology.times(start, end, self.clock.wall())

    def new_session(self) -> str:
        """Return the next session's name; it becomes durable with the next commit."""
        return self._commits.new_session()

    def account(self, name: str, account: Callable[[], Account]) -> None:
        """Write the session's account with every commit from now on, up to the one in which it has ended."""
        self._commits.account(name, account)

    async def commit(self, new: Sequence[Record], settle: Sequence[Settlement] = ()) -> tuple[list[Record], int]:
        """Put records into the outbox and settle spans, in one durable transaction.

        Returns the records with their ids, and how many samples were settled. Not cancelled half way: memory and ledger
        never differ.
        """
        written = await self._commits.commit(new, settle)
        self._notify()
        return written

    async def flush(self) -> None:
        """Return when all that was lost or noted is in the outbox, or when the ledger cannot write."""
        await self._commits.flush()
        self._notify()

    async def maintain(self, sync_seconds: float) -> None:
        """Make audio durable once a period, delete what is no longer needed, keep the limits. Runs for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write_losses)
            nursery.start_soon(self._sync, sync_seconds)
            nursery.start_soon(self._retain)

    async def retain(self) -> None:
        """Let go what the limits do not allow: pending audio becomes a gap first, then its files go."""
        files = self._audio.surplus()
        if not files:
            return
        pending = 0
        for span in stretches(files):
            pending += sum(part.count for part in self._timeline.pending(span.start, span.end))
            self._commits.lose(span.start, span.end, Cause.RETENTION)
        if pending:
            self._log.error("audio.dropped", dropped_seconds=round(pending / self.rate, 1), reason="retention")
            await self.commit([])
        self._audio.remove(files)

    async def prune(self) -> None:
        """Let go of some of the outbox's oldest lines, where they are old enough and every reader has them."""
        rows = await self._commits.patiently(self._ledger.printed_by_all, self.stream, PRUNED_MAX)
        last = last_prunable(
            rows,
            batch=PRUNED_MAX,
            oldest_seconds=self.tail / self.rate - self._lines_seconds,
            near_pending=self._near_pending,
        )
        if last is not None:
            await self._commits.patiently(self._ledger.prune, self.stream, *last)

    def forget(self, near_seconds: float) -> None:
        """Delete audio files whose samples are all settled, and no pending ones are within `near_seconds`."""
        self._audio.forget(near_seconds)

    async def _write_losses(self) -> None:
        while True:
            await self._commits.wanted()
            await self.commit([])

    async def _sync(self, period_seconds: float) -> None:
        while True:
            await trio.sleep(period_seconds)
            try:
                await self._offload(self._audio.sync)
            except OSError as error:
                self._health.failed(Part.SYNC, str(error.strerror), remedy(error.errno))
            else:
                self._health.worked(Part.SYNC)
            if self.chronology.changed:
                self._commits.want()
            self.forget(NEAR_SECONDS)

    async def _retain(self) -> None:
        while True:
            await trio.sleep(RETENTION_SECONDS)
            await self.retain()
            if self._lines_seconds:
                await self.prune()

    def _near_pending(self, start: float, end: float) -> bool:
        first, last = (round(second * self.rate) for second in (start - NEAR_SECONDS, end + NEAR_SECONDS))
        return self.pending_run(max(0, first), min(last, self.tail)) is not None

    async def unprinted(self, reader: str, count: int) -> list[tuple[int, int, bytes]]:
        """Return records that the reader has not seen: (epoch, sequence, line)."""
        rows: list[tuple[int, int, bytes]] = await self._commits.patiently(
            self._ledger.unprinted, self.stream, reader, count
        )
        return rows

    async def printed(self, reader: str, epoch: int, sequence: int) -> None:
        """Move the reader's place behind this record."""
        await self._commits.patiently(self._ledger.printed, self.stream, reader, epoch, sequence)

    async def printing(self, reader: str) -> None:
        """Note that a line is on its way to the reader which an end of the process may cut."""
        await self._commits.patiently(self._ledger.printing, self.stream, reader)

    async def cut(self, reader: str) -> bool:
        """Return whether an earlier run may have left the reader with half a line."""
        left: bool = await self._commits.patiently(self._ledger.cut, self.stream, reader)
        return left

    def pulse(self) -> trio.Event:
        """Return an event that is set at the next change: audio, commit, end. Take it before looking."""
        return self._pulse

    def close(self) -> None:
        """Write what is left, make the audio durable, and delete what is not needed. The ledger is others' too."""
        self._commits.conclude()
        self._audio.finish_file()
        self.forget(NEAR_SECONDS if self.cursor < self.tail else 0.0)
        self._audio.close()

    def _lose_missing(self, stored: Sequence[Span]) -> None:
        """Pending samples that no file holds are a gap from now on.

        A power cut ate the last second: of the last file, or also of the one before it, which had just ended.
        """
        edges = [(0, 0), *((span.start, span.end) for span in stored), (self.tail, self.tail)]
        for (_, start), (end, _) in pairwise(edges):
            if start < end:
                self._commits.lose(start, end, Cause.DISK)

    def _notify(self) -> None:
        pulse, self._pulse = self._pulse, trio.Event()
        pulse.set()
