"""A ledger that can be used, whatever became of the last one: opened, or begun anew beside it.

One that is damaged is set aside, loudly; its streams go on at the audio that is left.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from stenod.core import records
from stenod.core.beginning import Salvage, beginning
from stenod.core.log import Log
from stenod.core.transaction import Beginning, StreamState
from stenod.edge import salvage
from stenod.edge.ledger import Ledger, LedgerDamaged
from stenod.edge.segments import Segments

MOMENT = "%Y%m%dT%H%M%SZ"
REMEDY = (
    "keep the file that was set aside if its transcript matters and was not read; look after the disk; "
    "what is transcribed again is marked as recovered"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A ledger, its stream, and what a person must be told once."""

    ledger: Ledger
    state: StreamState
    status: records.Status | None = None


def open_ledger(path: Path, stream: str, rate: int, segments: Segments, log: Log, *, unix: float, used: bool) -> Opened:
    """Open the ledger and its stream; raises `LedgerUnusable` where no new one can be begun either.

    `used`: whether the stream was recorded before; `unix` is now.
    """
    gone = used and (not path.exists() or path.stat().st_size == 0)
    if salvage.orphaned(path):
        salvage.set_aside(path, time.strftime(MOMENT, time.gmtime(unix)))
    try:
        ledger, state = _opened(path, stream, rate, segments, unix=unix, used=used)
    except LedgerDamaged as damaged:
        aside = salvage.set_aside(path, time.strftime(MOMENT, time.gmtime(unix)))
        log.error("ledger.damaged", reason=str(damaged), kept=str(aside), remedy=REMEDY)
        status = _status(stream, f"the ledger was damaged and is kept as {aside.name}", unix)
        return Opened(*_opened(path, stream, rate, segments, unix=unix, used=used), status)
    if not gone:
        return Opened(ledger, state)
    log.error("ledger.gone", path=str(path), remedy=REMEDY)
    return Opened(ledger, state, _status(stream, "the ledger was gone", unix))


def _status(stream: str, reason: str, unix: float) -> records.Status:
    return records.Status(
        stream=stream,
        at=records.rfc3339(unix),
        subject="journal",
        state="damaged",
        reason=f"{reason}; the audio that is left is transcribed again",
        remedy=REMEDY,
    )


def _opened(
    path: Path, stream: str, rate: int, segments: Segments, *, unix: float, used: bool
) -> tuple[Ledger, StreamState]:
    ledger = Ledger(path)

    def begin() -> Beginning:
        lost = [_plausible(salvage.salvaged(one).get(stream)) for one in salvage.all_aside(path)]
        return beginning(segments.written(), lost, used=used, rate=rate, unix=unix)

    try:
        return ledger, ledger.open_stream(stream, rate, begin)
    except BaseException:
        ledger.close()
        raise


def _plausible(found: Salvage | None) -> Salvage | None:
    return found if found is not None and found.plausible() else None
