"""Where a stream goes on when the ledger that knew it is lost.

What is stored is transcribed again, whatever had become of it: a word twice, marked as such, is better than none. What
is not stored was settled by the lost ledger, which deleted it for that; nobody knows any more as what. Positions go on,
and the ids of the new epoch are none that were printed before.

Nothing that was salvaged is trusted: it is used where it is plausible, and everything works without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stenod.core.chronology import Anchor
from stenod.core.timeline import Settled, Span, State
from stenod.core.transaction import Beginning

RATES = range(8_000, 48_001)
EPOCH_MAX = 10**10
SESSION_MAX = 10**9
TAIL_SECONDS_MAX = 100 * 366 * 86_400


@dataclass(frozen=True, slots=True)
class Salvage:
    """What a lost ledger seems to say of a stream."""

    rate: int
    epoch: int
    session: int
    tail: int

    def plausible(self) -> bool:
        """Whether all of it can be."""
        return (
            self.rate in RATES
            and 0 <= self.epoch <= EPOCH_MAX
            and 0 <= self.session <= SESSION_MAX
            and 0 <= self.tail <= TAIL_SECONDS_MAX * self.rate
        )


@dataclass(frozen=True, slots=True)
class Written:
    """An audio file: what it holds, and when its last sample was written (Unix seconds)."""

    span: Span
    unix: float


def beginning(
    stored: Sequence[Written], lost: Sequence[Salvage | None], *, used: bool, rate: int, unix: float
) -> Beginning:
    """Return how a stream begins in a new ledger.

    `lost`: what the ledgers before it say, oldest first, None for nothing plausible. `used`: whether it was recorded
    before. `unix` is now.
    """
    if not used and not lost:
        return Beginning()
    files = sorted(stored, key=lambda written: written.span)
    known = [one for one in lost if one is not None]
    tail = max([0, *(written.span.end for written in files), *(one.tail for one in known)])
    rate = known[-1].rate if known else rate
    return Beginning(
        rate=rate,
        epoch=_epoch(lost, unix),
        session=max((one.session for one in known), default=0),
        tail=tail,
        spans=_unknown([written.span for written in files], tail),
        anchors=_anchors(files, rate),
        recovered_until=tail,
    )


def _epoch(lost: Sequence[Salvage | None], unix: float) -> int:
    """One more than the last one; where nobody knows that, the time, which is more than any count.

    Two in one second differ by how many were lost.
    """
    highest = max((one.epoch for one in lost if one is not None), default=-1)
    last_is_known = bool(lost) and lost[-1] is not None
    return max(highest + 1, len(lost), 0 if last_is_known else int(unix) + len(lost))


def _unknown(files: Sequence[Span], tail: int) -> tuple[Settled, ...]:
    """What no file holds."""
    found, position = [], 0
    for span in [*files, Span(tail, tail + 1)]:
        if position < span.start:
            found.append(Settled(position, span.start, State.UNKNOWN))
        position = max(position, span.end)
    return tuple(found)


def _anchors(files: Sequence[Written], rate: int) -> tuple[Anchor, ...]:
    """When each stretch of files was recorded, as the files' own times tell; nobody vouches for that clock."""
    found, position = [], -1
    for written in files:
        if written.span.start != position:
            unix = written.unix - written.span.count / rate
            found.append(Anchor(position=written.span.start, unix=unix, synchronised=False))
        position = written.span.end
    return tuple(found)
