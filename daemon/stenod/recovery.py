"""A ledger that can be used, whatever became of the last one: opened, or begun anew beside it.

One that is damaged is set aside, loudly; its streams go on at the audio that is left.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from stenod.core import records
from stenod.core.beginning import Salvage, beginning
from stenod.core.log import Log
from stenod.core.transaction import Beginning, StreamState
from stenod.edge import salvage
from stenod.edge.ledger import Ledger, LedgerDamaged, LedgerUnusable
from stenod.edge.segments import Segments

MOMENT = "%Y%m%dT%H%M%SZ"
GONE_REMEDY = "look after the disk; what is transcribed again is marked as recovered"
REMEDY = f"keep the file that was set aside if its transcript matters and was not read; {GONE_REMEDY}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A stream that the ledger is opened for; `used`: it was recorded before."""

    stream: str
    rate: int
    segments: Segments
    used: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A ledger, its streams by name, and what a person must be told once, in each of them."""

    ledger: Ledger
    states: Mapping[str, StreamState]
    statuses: Sequence[records.Status] = ()


def open_ledger(path: Path, streams: Sequence[Recorded], log: Log, *, unix: float) -> Opened:
    """Open the ledger and streams of it, all in the same one; `unix` is now.

    A folder of audio says that a ledger knew its stream, and is made after that: what a start leaves that found no room
    is no loss. Raises `LedgerUnusable` where no new ledger can be begun either.
    """
    used = any(one.used for one in streams)
    gone = used and (not path.exists() or path.stat().st_size == 0)
    if salvage.orphaned(path):
        salvage.set_aside(path, time.strftime(MOMENT, time.gmtime(unix)))
    try:
        opened = _opened(path, streams, unix=unix)
    except LedgerDamaged as damaged:
        aside = salvage.set_aside(path, time.strftime(MOMENT, time.gmtime(unix)))
        log.error("ledger.damaged", reason=str(damaged), kept=str(aside), remedy=REMEDY)
        reason = f"the ledger was damaged and is kept as {aside.name}"
        return replace(_opened(path, streams, unix=unix), statuses=_statuses(streams, reason, REMEDY, unix))
    if not gone:
        return opened
    log.error("ledger.gone", path=str(path), remedy=GONE_REMEDY)
    return replace(opened, statuses=_statuses(streams, "the ledger was gone", GONE_REMEDY, unix))


def _statuses(streams: Sequence[Recorded], reason: str, remedy: str, unix: float) -> list[records.Status]:
    return [_status(one.stream, reason, remedy, unix) for one in streams]


def _status(stream: str, reason: str, remedy: str, unix: float) -> records.Status:
    return records.Status(
        stream=stream,
        at=records.rfc3339(unix),
        subject="journal",
        state="damaged",
        reason=f"{reason}; the audio that is left is transcribed again",
        remedy=remedy,
    )


def _opened(path: Path, streams: Sequence[Recorded], *, unix: float) -> Opened:
    def begin(one: Recorded) -> Beginning:
        lost = [_plausible(salvage.salvaged(aside).get(one.stream)) for aside in salvage.all_aside(path)]
        return beginning(one.segments.written(), lost, used=one.used, rate=one.rate, unix=unix)

    with _taken_back(path) as closing:
        ledger = Ledger(path)
        closing.callback(ledger.close)
        states = {one.stream: ledger.open_stream(one.stream, one.rate, partial(begin, one)) for one in streams}
        for one in streams:
            one.segments.make()
        closing.pop_all()
    return Opened(ledger, states)


@contextmanager
def _taken_back(path: Path) -> Iterator[ExitStack]:
    """Remove a ledger that began here and in which nothing came to stand; one that was there stays."""
    begins = not path.exists()
    try:
        with ExitStack() as closing:
            yield closing
    except LedgerUnusable:
        for end in ("", *salvage.COMPANIONS) if begins else ():
            with suppress(OSError):
                path.with_name(path.name + end).unlink()
        raise


def _plausible(found: Salvage | None) -> Salvage | None:
    return found if found is not None and found.plausible() else None
