"""What becomes durable together: one transaction at a time, from memory to the ledger.

Records get their ids here, spans are settled here, and what was lost on the way (gaps) is told with the next commit,
whoever makes it: whoever loses something waits for nothing (`wanted` tells that one should be made).

A ledger that cannot write now (a full disk) is asked again and again with the same transaction; callers wait. A wait
can be cancelled, the transaction then is the next one's to write: what memory has settled is never forgotten. Where the
ledger fails for good, every further commit fails too, so that memory never runs ahead of it: the process must end.

It does not know audio, files, clocks or what a record means.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import trio

from stenod.core import records
from stenod.core.accounts import Account
from stenod.core.chronology import Chronology
from stenod.core.records import Record
from stenod.core.timeline import Cause, Change, Settled, Span, State, Timeline
from stenod.core.transaction import LedgerStalled, StreamState, Transaction
from stenod.tasks.disk_health import DiskHealth, Part

NOTES_MAX = 1000
"""What waits to be told while the ledger cannot write; the oldest are dropped."""
STRETCH_SECONDS = 600.0
"""A gap that goes on is told in pieces of this length."""

Offload = Callable[..., Awaitable[Any]]
"""`await offload(function, *arguments)`: runs a blocking call where it does not block the loop."""
Settlement = tuple[int, int, State, Cause | None]


class Ledger(Protocol):
    """See `edge.ledger.Ledger`."""

    def commit(self, stream: str, epoch: int, transaction: Transaction) -> None: ...
    def unprinted(self, stream: str, reader: str, count: int) -> list[tuple[int, int, bytes]]: ...
    def printed(self, stream: str, reader: str, epoch: int, sequence: int) -> None: ...
    def printing(self, stream: str, reader: str) -> None: ...
    def cut(self, stream: str, reader: str) -> bool: ...
    def source_start(self, stream: str, identity: str, tail: int) -> int: ...
    def recent(self, stream: str, count: int) -> list[bytes]: ...
    def printed_by_all(self, stream: str, count: int) -> list[tuple[int, int, bytes]]: ...
    def prune(self, stream: str, epoch: int, sequence: int) -> None: ...
    def spoken(self, stream: str, start: int, end: int) -> list[bytes]: ...


@dataclass(slots=True)
class _Loss:
    """A gap that memory knows and the ledger does not."""

    start: int
    end: int
    cause: Cause
    estimated: bool


class Commits:
    """One stream's way into the ledger; `times(start, end)` are the time fields of a record."""

    def __init__(
        self,
        *,
        stream: str,
        state: StreamState,
        timeline: Timeline,
        ledger: Ledger,
        offload: Offload,
        chronology: Chronology,
        health: DiskHealth,
        times: Callable[[int, int], dict[str, Any]],
    ) -> None:
        self._stream = stream
        self._rate = state.rate
        self._epoch = state.epoch
        self._sequence = state.sequence
        self._session = state.session
        self._timeline = timeline
        self._ledger = ledger
        self._offload = offload
        self._chronology = chronology
        self._health = health
        self._times = times
        self._troubles = set(state.troubles)
        """Subjects of which an earlier run left bad news standing; what is told of one now takes its place."""
        self._lock = trio.Lock()
        self._callers: set[trio.CancelScope] = set()
        self._losses: list[_Loss] = []
        self._growing: _Loss | None = None
        """The gap that ends at the tail and goes on: told when it is over, or long."""
        self._notes: deque[Record] = deque(maxlen=NOTES_MAX)
        self._wanted = trio.Event()
        self._accounts: dict[str, Callable[[], Account]] = {}
        self._outstanding: Transaction | None = None
        """Settled in memory, not (or not surely) in the ledger."""
        self._failure: Exception | None = None

    def new_session(self) -> str:
        """Return the next session's name; it becomes durable with the next commit."""
        self._session += 1
        return f"{self._stream}-{self._session:06d}"

    def note(self, record: Record) -> None:
        """Put a record into the outbox with the next commit, and wait for nothing."""
        self._supersede(record)
        self._notes.append(record)
        self._wanted.set()

    def account(self, name: str, account: Callable[[], Account]) -> None:
        """Write the session's account with every commit from now on, up to the one in which it has ended."""
        self._accounts[name] = account

    def lose(self, start: int, end: int, cause: Cause, *, estimated: bool = False) -> None:
        """Settle at once, so that nobody takes it for audio; record and ledger follow with the next commit."""
        fresh = self._timeline.settle(start, end, State.GAP, cause).fresh
        self._losses += [_Loss(span.start, span.end, cause, estimated) for span in fresh]
        self._wanted.set()

    def lose_more(self, count: int, cause: Cause) -> None:
        """Extend the timeline by `count` lost samples, which are one gap with those before them."""
        growing = self._growing
        if growing is not None and (growing.end, growing.cause) == (self._timeline.tail, cause):
            self._timeline.prolong_gap(count)
            growing.end += count
            if growing.end - growing.start >= STRETCH_SECONDS * self._rate:
                self.lose_no_more()
            return
        self.lose_no_more()
        start = self._timeline.extend(count)
        self._timeline.settle(start, start + count, State.GAP, cause)
        self._growing = _Loss(start, start + count, cause, estimated=False)

    def lose_no_more(self) -> None:
        """The gap that went on is over, and is told."""
        if self._growing is not None:
            self._losses.append(self._growing)
            self._growing = None
            self._wanted.set()

    def unwritten(self, span: Span) -> bool:
        """Whether the ledger may not know of something that is settled within the span: its audio must stay."""
        losses = [(loss.start, loss.end) for loss in self._losses]
        if self._outstanding is not None:
            losses += [(fresh.start, fresh.end) for change in self._outstanding.changes for fresh in change.fresh]
        return any(start < span.end and span.start < end for start, end in losses)

    async def commit(self, new: Sequence[Record], settle: Sequence[Settlement] = ()) -> tuple[list[Record], int]:
        """Write records and settled spans in one durable transaction; see `Journal.commit`."""
        self._supersede(*new)
        with trio.CancelScope(shield=not self._health.out(Part.LEDGER)) as scope:
            self._callers.add(scope)
            try:
                async with self._lock:
                    await self._write()
                    own, settled = self._prepare(new, settle)
                    await self._write()
            finally:
                self._callers.discard(scope)
        assert len(own) == len(new)
        return own, settled

    def mended(self, subject: str) -> bool:
        """See `Journal.mended`."""
        stands = subject in self._troubles
        self._troubles.discard(subject)
        return stands

    def _supersede(self, *new: Record) -> None:
        self._troubles -= {record.subject for record in new if isinstance(record, records.Status)}

    def want(self) -> None:
        """Ask for a commit soon, and wait for nothing."""
        self._wanted.set()

    async def wanted(self) -> None:
        """Wait until there is something to write that nobody waits for."""
        await self._wanted.wait()

    async def flush(self) -> None:
        """Return when nothing is unwritten, or when the ledger cannot write."""
        self.lose_no_more()
        if self._wanted.is_set() and not self._health.out(Part.LEDGER):
            await self.commit([])

    def conclude(self) -> None:
        """Write what is left, here and now; what the ledger does not take then is found by the next start."""
        self.lose_no_more()
        try:
            while self._failure is None and self._unfinished:
                if self._outstanding is None:
                    self._prepare([], [])
                assert self._outstanding is not None
                self._ledger.commit(self._stream, self._epoch, self._outstanding)
                self._outstanding = None
        except LedgerStalled as stalled:
            self._health.failed(Part.LEDGER, str(stalled), stalled.remedy)

    @property
    def _unfinished(self) -> bool:
        """Whether memory knows something that belongs into the ledger."""
        return bool(self._outstanding or self._losses or self._notes or self._chronology.changed)

    async def patiently(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call the ledger until it can: the waits can be cancelled, the call itself cannot."""
        while True:
            try:
                with trio.CancelScope(shield=True):
                    result = await self._offload(function, *arguments)
            except LedgerStalled as stalled:
                self._health.failed(Part.LEDGER, str(stalled), stalled.remedy)
                for scope in self._callers:
                    scope.shield = False
                if self._health.room_made():
                    continue
                await trio.sleep(self._health.wait_seconds(Part.LEDGER))
            else:
                return result

    async def _write(self) -> None:
        """Write the outstanding transaction, if there is one."""
        if self._failure is not None:
            raise self._failure
        if self._outstanding is None:
            return
        try:
            await self.patiently(self._ledger.commit, self._stream, self._epoch, self._outstanding)
        except Exception as failure:
            self._failure = failure
            self._wanted.set()
            raise
        self._outstanding = None
        self._health.worked(Part.LEDGER)

    def _prepare(self, new: Sequence[Record], settle: Sequence[Settlement]) -> tuple[list[Record], int]:
        """Settle, number, and leave the transaction to be written; without any wait."""
        losses, self._losses = self._losses, []
        notes = list(self._notes)
        self._notes.clear()
        if self._wanted.is_set():
            self._wanted = trio.Event()  # One that is not set stays: somebody waits for it.
        changes = [self._timeline.settle(*one) for one in settle]
        before = [*(self._gap_record(loss) for loss in losses), *notes]
        identified = [self._identified(record) for record in [*before, *new]]
        accounts = [account() for account in self._accounts.values()]
        for account in accounts:
            if account.ended_at is not None:
                del self._accounts[account.name]
        self._outstanding = Transaction(
            changes=[*(_change(loss) for loss in losses), *(change for change in changes if change.fresh)],
            lines=[(sequence, records.line(record)) for sequence, record in identified],
            spoken={
                sequence: (round(record.start * self._rate), round(record.end * self._rate))
                for sequence, record in identified
                if isinstance(record, records.Final)
            },
            sequence=self._sequence,
            session=self._session,
            tail=self._timeline.tail if self._growing is None else self._growing.start,
            anchors=self._chronology.unwritten(),
            accounts=accounts,
        )
        own = [record for _, record in identified[len(before) :]]
        return own, sum(span.count for change in changes for span in change.fresh)

    def _gap_record(self, loss: _Loss) -> Record:
        times = self._times(loss.start, loss.end)
        return records.Gap(stream=self._stream, cause=loss.cause.value, estimated=loss.estimated, **times)

    def _identified(self, record: Record) -> tuple[int, Record]:
        sequence = self._sequence
        self._sequence += 1
        identity = records.record_id(self._stream, self._epoch, sequence)
        return sequence, msgspec.structs.replace(record, id=identity)


def _change(loss: _Loss) -> Change:
    return Change((), (Settled(loss.start, loss.end, State.GAP, loss.cause),), (Span(loss.start, loss.end),))
