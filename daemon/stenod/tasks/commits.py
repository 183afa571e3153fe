"""What becomes durable together: one transaction at a time, from memory to the ledger.

Records get their ids here, spans are settled here, and what was lost on the way (gaps) is told with the next commit,
whoever makes it. It does not know audio, files, clocks or what a record means.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec
import trio

from stenod.core import records
from stenod.core.accounts import Account
from stenod.core.chronology import Chronology
from stenod.core.records import Record
from stenod.core.timeline import Cause, Change, State, Timeline
from stenod.core.transaction import StreamState, Transaction

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
    def close(self) -> None: ...


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
        times: Callable[[int, int], dict[str, Any]],
    ) -> None:
        self.ahead = False
        """Memory knows of a commit that the disk may not have (yet, or ever): nothing is deleted meanwhile."""
        self._stream = stream
        self._epoch = state.epoch
        self._sequence = state.sequence
        self._session = state.session
        self._timeline = timeline
        self._ledger = ledger
        self._offload = offload
        self._chronology = chronology
        self._times = times
        self._lock = trio.Lock()
        self._lost: list[tuple[Change, Cause, bool]] = []
        self._accounts: dict[str, Callable[[], Account]] = {}

    def new_session(self) -> str:
        """Return the next session's name; it becomes durable with the next commit."""
        self._session += 1
        return f"{self._stream}-{self._session:06d}"

    def lose(self, start: int, end: int, cause: Cause, *, estimated: bool = False) -> None:
        """Settle at once, so that nobody takes it for audio; record and ledger follow with the next commit."""
        self._lost.append((self._timeline.settle(start, end, State.GAP, cause), cause, estimated))

    def account(self, name: str, account: Callable[[], Account]) -> None:
        """Write the session's account with every commit from now on, up to the one in which it has ended."""
        self._accounts[name] = account

    async def commit(self, new: Sequence[Record], settle: Sequence[Settlement] = ()) -> tuple[list[Record], int]:
        """Write records and settled spans in one durable transaction; see `Journal.commit`."""
        with trio.CancelScope(shield=True):
            async with self._lock:
                written = await self._write(new, settle)
        assert len(written[0]) == len(new)
        return written

    async def _write(self, new: Sequence[Record], settle: Sequence[Settlement]) -> tuple[list[Record], int]:
        losses, self._lost = self._lost, []
        changes = [self._timeline.settle(*one) for one in settle]
        gaps = [
            self._gap_record(span.start, span.end, cause, estimated)
            for change, cause, estimated in losses
            for span in change.fresh
        ]
        identified = [self._identified(record) for record in [*gaps, *new]]
        accounts = [(account, account()) for account in self._accounts.values()]
        transaction = Transaction(
            changes=[change for change in [*(change for change, _, _ in losses), *changes] if change.fresh],
            lines=[(sequence, records.line(record)) for sequence, record in identified],
            sequence=self._sequence,
            session=self._session,
            tail=self._timeline.tail,
            accounts=[account for _, account in accounts],
            anchors=self._chronology.unwritten(),
        )
        self.ahead = True
        await self._offload(self._ledger.commit, self._stream, self._epoch, transaction)
        self.ahead = False
        for source, account in accounts:
            if account.ended_at is not None and self._accounts.get(account.name) is source:
                del self._accounts[account.name]
        own = [record for _, record in identified[len(gaps) :]]
        return own, sum(span.count for change in changes for span in change.fresh)

    def _gap_record(self, start: int, end: int, cause: Cause, estimated: bool) -> Record:
        return records.Gap(stream=self._stream, cause=cause.value, estimated=estimated, **self._times(start, end))

    def _identified(self, record: Record) -> tuple[int, Record]:
        sequence = self._sequence
        self._sequence += 1
        identity = records.record_id(self._stream, self._epoch, sequence)
        return sequence, msgspec.structs.replace(record, id=identity)
