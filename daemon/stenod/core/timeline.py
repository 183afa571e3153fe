"""The tiling of a stream's timeline: which samples are settled, and as what.

Positions are sample indexes. Every sample from 0 to the tail is either *settled* (transcribed, quiet, or a gap) or
*pending*. Only the settled spans are kept: sorted, disjoint, adjacent equals merged, so a month of steady work is
one span. What is settled once is never settled otherwise: whoever comes second settles only what is still pending.
Only a person may take a judgement back, that something was quiet (`reopen`); the cursor falls by that and nothing else.

It does not know files, databases or seconds; the ledger stores exactly the `Change`s that it returns.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

FOREVER = 2**62
"""The end of what is open: no stream gets there."""


class State(StrEnum):
    """What became of a sample."""

    TRANSCRIBED = "transcribed"
    QUIET = "quiet"
    GAP = "gap"
    UNKNOWN = "unknown"
    """It is in a ledger that is lost: what became of it was told, and its audio is not stored."""


class Cause(StrEnum):
    """Why audio will never be transcribed."""

    DEVICE = "device"
    OVERFLOW = "overflow"
    SUSPEND = "suspend"
    STOPPED = "stopped"
    RETENTION = "retention"
    DISK = "disk"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Samples `start` to `end`, the end not included; never empty."""

    start: int
    end: int

    def __post_init__(self) -> None:
        assert 0 <= self.start < self.end, (self.start, self.end)

    @property
    def count(self) -> int:
        """Samples in it."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Loss:
    """Audio that is missing, before it has a place."""

    seconds: float
    cause: Cause
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """A settled span."""

    start: int
    end: int
    state: State
    cause: Cause | None = None

    def same_kind(self, other: "Settled") -> bool:
        """Whether both may be written as one when they touch. Gaps stay apart: each is a record of its own."""
        return self.state is other.state and self.state is not State.GAP


@dataclass(frozen=True, slots=True)
class Change:
    """What storage must do: delete the spans that began at `removed`, insert `added`; `fresh` is what is new."""

    removed: tuple[int, ...]
    added: tuple[Settled, ...]
    fresh: tuple[Span, ...]


NO_CHANGE = Change((), (), ())


@dataclass(slots=True)
class Timeline:
    """The settled spans of one stream and where its audio ends (`tail`)."""

    tail: int = 0
    _spans: list[Settled] = field(default_factory=list)

    @classmethod
    def restored(cls, spans: Iterable[Settled], tail: int) -> "Timeline":
        """Rebuild from storage; spans may come in any order but must not overlap."""
        ordered = sorted(spans, key=lambda span: span.start)
        for left, right in pairwise(ordered):
            assert left.end <= right.start, (left, right)
        return cls(max(tail, ordered[-1].end if ordered else 0), ordered)

    def __iter__(self) -> Iterator[Settled]:
        return iter(self._spans)

    @property
    def cursor(self) -> int:
        """The first pending sample; the tail where none is pending."""
        return self.first_pending(0)

    def first_pending(self, start: int) -> int:
        """The first pending sample at or after `start`; at least the tail where there is none."""
        position = start
        for span in self._from(start):
            if span.start > position:
                break
            position = max(position, span.end)
        return position

    def pending(self, start: int, end: int) -> list[Span]:
        """The pending parts of [start, end)."""
        found = []
        position = start
        for span in self._from(start):
            if span.start >= end:
                break
            if span.start > position:
                found.append(Span(position, span.start))
            position = max(position, span.end)
        if position < end:
            found.append(Span(position, end))
        return found

    def pending_run(self, start: int, end: int, *, through: bool = False) -> Span | None:
        """The first pending part of [start, end), None where nothing of it is pending.

        `through`: what is transcribed counts as pending, too. Who had begun to hear it goes on through it.
        """
        for span in self._from(start):
            if through and span.state is State.TRANSCRIBED:
                continue
            if span.start > start:
                end = min(end, span.start)
                break
            start = max(start, span.end)
        return Span(start, end) if start < end else None

    def holds(self, state: State, start: int, end: int) -> bool:
        """Whether any sample of [start, end) is settled as `state`."""
        for span in self._from(start):
            if span.start >= end:
                return False
            if span.state is state and span.end > start:
                return True
        return False

    def late_run(self, start: int, end: int) -> Span | None:
        """What one late session may hear: from the first pending sample of [start, end) to the next transcribed one.

        What is quiet or lost in between parts no speech. None where nothing is pending.
        """
        first = self.first_pending(start)
        if first >= end:
            return None
        ahead = self._from(first)
        spoken = (span.start for span in ahead if span.start > first and span.state is State.TRANSCRIBED)
        last = self.pending(first, min(end, next(spoken, end)))[-1]
        return Span(first, last.end)

    def transcribed_end(self) -> int:
        """Where the last transcribed span ends; 0 where there is none."""
        return next((span.end for span in reversed(self._spans) if span.state is State.TRANSCRIBED), 0)

    def settled_as(self, state: State, start: int) -> list[Span]:
        """What is settled as `state` at or after `start`, in order."""
        return [
            Span(max(span.start, start), span.end)
            for span in self._from(start)
            if span.state is state and span.end > start
        ]

    def gaps(self, start: int, end: int) -> list[Span]:
        """What was lost from within [start, end) on, behind `start`; gaps that touch are one here."""
        joined: list[Span] = []
        for span in self._from(start):
            touches = bool(joined) and joined[-1].end == span.start
            if span.start >= end and not touches:
                break
            if span.state is not State.GAP or span.end <= start:
                continue
            first = joined.pop().start if touches else max(span.start, start)
            joined.append(Span(first, span.end))
        return joined

    def pending_count(self) -> int:
        """Samples that are still to be transcribed."""
        return sum(span.count for span in self.pending(0, self.tail)) if self.tail else 0

    def extend(self, count: int) -> int:
        """Append `count` pending samples; return the position of the first."""
        assert count >= 0, count
        start = self.tail
        self.tail += count
        return start

    def prolong_gap(self, count: int) -> None:
        """Append `count` samples to the gap that ends at the tail."""
        last = self._spans[-1]
        assert (last.state, last.end) == (State.GAP, self.tail), (last, self.tail)
        self.tail += count
        self._spans[-1] = Settled(last.start, self.tail, last.state, last.cause)

    def last_gap_end(self, position: int) -> int:
        """Where the last gap before `position` ends; 0 where there is none."""
        for span in reversed(self._spans[: self._index(position) + 1]):
            if span.state is State.GAP and span.end <= position:
                return span.end
        return 0

    def lost_from(self, start: int) -> int:
        """How many samples are lost from `start` on, in one gap or several that touch."""
        return sum(gap.count for gap in self.gaps(start, start + 1))

    def settle(self, start: int, end: int, state: State, cause: Cause | None = None) -> Change:
        """Settle the pending part of [start, end), which must not reach beyond the tail."""
        assert 0 <= start <= end <= self.tail, (start, end, self.tail)
        assert (cause is not None) == (state is State.GAP), (state, cause)
        fresh = self.pending(start, end) if start < end else []
        if not fresh:
            return NO_CHANGE
        removed: list[int] = []
        added: list[Settled] = []
        for piece in fresh:
            settled = Settled(piece.start, piece.end, state, cause)
            self._insert(settled, removed, added)
        return Change(tuple(removed), tuple(added), tuple(fresh))

    def reopen(self, start: int, end: int) -> Change:
        """Make the quiet part of [start, end) pending again; what was transcribed or lost stays that."""
        kept: list[Settled] = []
        removed: list[int] = []
        added: list[Settled] = []
        fresh: list[Span] = []
        for span in self._spans:
            first, last = max(span.start, start), min(span.end, end)
            if span.state is not State.QUIET or first >= last:
                kept.append(span)
                continue
            edges = ((span.start, first), (last, span.end))
            rest = [Settled(left, right, span.state) for left, right in edges if left < right]
            removed.append(span.start)
            fresh.append(Span(first, last))
            added += rest
            kept += rest
        self._spans = kept
        return Change(tuple(removed), tuple(added), tuple(fresh)) if fresh else NO_CHANGE

    def _insert(self, piece: Settled, removed: list[int], added: list[Settled]) -> None:
        """Insert one piece, merged with its equal neighbours."""
        index = bisect_left(self._spans, piece.start, key=lambda span: span.start)
        first, last = index, index
        if index > 0 and self._spans[index - 1].end == piece.start and self._spans[index - 1].same_kind(piece):
            first = index - 1
        if index < len(self._spans) and self._spans[index].start == piece.end and self._spans[index].same_kind(piece):
            last = index + 1
        neighbours = self._spans[first:last]
        start = min([piece.start, *(span.start for span in neighbours)])
        end = max([piece.end, *(span.end for span in neighbours)])
        merged = Settled(start, end, piece.state, piece.cause)
        self._spans[first:last] = [merged]
        for span in neighbours:
            if span in added:
                added.remove(span)
            else:
                removed.append(span.start)
        added.append(merged)

    def _from(self, position: int) -> Iterator[Settled]:
        """The spans from the first one that may cover `position` on."""
        for index in range(self._index(position), len(self._spans)):
            yield self._spans[index]

    def _index(self, position: int) -> int:
        """The index of the first span that may cover `position` or lie after it."""
        return max(0, bisect_right(self._spans, position, key=lambda span: span.start) - 1)
