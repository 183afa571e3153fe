"""Does a journal keep its promises? Everything that can be checked of one without the one who wrote it.

Law 2: the settled spans neither overlap nor reach beyond the tail, and every pending sample lies in a stored file.
Law 3: ids follow each other without a hole from the first that was not pruned, every final lies where its audio counts
as transcribed (a live one that was heard from before its session's share: from the share on), and the turns of live
sessions come in order of their starts. It reads and judges; it mends nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec

from stenod.core import records
from stenod.core.seams import OVERLAP_SECONDS, TOLERANCE_SECONDS
from stenod.core.timeline import Settled, Span, State, Timeline

EDGE_SECONDS = 0.05
"""Printed times are rounded to milliseconds, providers round theirs, and padded edges are clamped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What is there: the ledger's rows of one stream, and its files."""

    stream: str
    rate: int
    tail: int
    sequence: int
    spans: Sequence[Settled]
    stored: Sequence[Span]
    lines: Sequence[tuple[int, int, bytes]]
    """The outbox: epoch, sequence, line; in order."""
    oldest: int = 0
    """The sequence of the first record that was not pruned."""
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """How far each reader has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was found. `faults` is empty where all promises are kept."""

    stream: str
    faults: tuple[str, ...]
    seconds: Mapping[str, float]
    """By state, gaps by `gap:cause`, and `pending`."""
    records: Mapping[str, int]
    """By type."""
    unprinted: Mapping[str, int]
    """By reader."""


def audit(stock: Stock) -> Audit:
    """Check one stream."""
    tail = max([stock.tail, *(span.end for span in stock.stored)])
    faults = [*_span_faults(stock, tail)]
    parsed, broken = _parsed(stock)
    faults += broken
    if not faults:
        timeline = Timeline.restored(stock.spans, tail)
        faults += [*_storage_faults(stock, timeline), *_turn_faults(stock, parsed)]
    return Audit(
        stream=stock.stream,
        faults=tuple(faults),
        seconds=_seconds(stock, tail),
        records=_counted(str(record.get("type")) for record in parsed),
        unprinted={
            reader: sum((epoch, sequence) > place for epoch, sequence, _ in stock.lines)
            for reader, place in stock.places.items()
        },
    )


def _span_faults(stock: Stock, tail: int) -> Iterator[str]:
    ordered = sorted(stock.spans, key=lambda span: span.start)
    for span in ordered:
        if not 0 <= span.start < span.end <= tail:
            yield f"span {span.start} to {span.end} lies outside the timeline of {tail} samples"
    for left, right in pairwise(ordered):
        if left.end > right.start:
            yield f"span {right.start} to {right.end} overlaps the one before it, which ends at {left.end}"


def _storage_faults(stock: Stock, timeline: Timeline) -> Iterator[str]:
    """Pending audio that no file holds; files that overlap.

    A hole behind the ledger's tail is one that it is about to be told of: capture waits for no commit.
    """
    stored = sorted(stock.stored)
    for left, right in pairwise(stored):
        if left.end > right.start:
            yield f"the audio file at {right.start} overlaps the one before it, which ends at {left.end}"
    for span in timeline.pending(0, timeline.tail) if timeline.tail else ():
        position = span.start
        for file in stored:
            if file.start <= position < file.end:
                position = file.end
        if position < min(span.end, stock.tail):
            yield f"sample {position} is pending, but no file holds it"


def _parsed(stock: Stock) -> tuple[list[dict[str, Any]], list[str]]:
    """Decode the outbox; say what is wrong with its order and identities."""
    parsed, faults = [], []
    if stock.lines and stock.lines[0][1] != stock.oldest:
        epoch, first, _ = stock.lines[0]
        faults.append(f"records {epoch}/{stock.oldest} to {epoch}/{first - 1} are missing from the outbox")
    if not stock.lines and stock.oldest != stock.sequence:
        faults.append(f"records {stock.oldest} to {stock.sequence - 1} are missing from the outbox")
    for (epoch, sequence, _), (next_epoch, next_sequence, _) in pairwise(stock.lines):
        if epoch == next_epoch and next_sequence != sequence + 1:
            faults.append(f"records {epoch}/{sequence + 1} to {epoch}/{next_sequence - 1} are missing from the outbox")
    for epoch, sequence, line in stock.lines:
        try:
            record = records.parsed(line)
        except (msgspec.DecodeError, AssertionError):
            faults.append(f"record {epoch}/{sequence} is not a JSON object")
            continue
        if record.get("id") != records.record_id(stock.stream, epoch, sequence):
            faults.append(f"record {epoch}/{sequence} calls itself {record.get('id')}")
        parsed.append(record)
    if stock.lines and stock.sequence <= stock.lines[-1][1]:
        faults.append(f"the next record would be {stock.sequence}, but {stock.lines[-1][1]} is taken")
    return parsed, faults


def _turn_faults(stock: Stock, parsed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Finals out of order, outside transcribed audio, or with words outside themselves.

    A turn may reach over what was not sent within it (a gap), but not over what is still to be transcribed; only a live
    one's beginning may, whose session heard what lies before its share, which another one has still to say.
    """
    edge = round(EDGE_SECONDS * stock.rate)
    reach = round((OVERLAP_SECONDS + TOLERANCE_SECONDS) * stock.rate)
    settled = sorted(stock.spans, key=lambda span: span.start)
    heard = [span for span in settled if span.state is State.TRANSCRIBED]
    latest: dict[str, float] = {}
    for record in parsed:
        if record.get("type") != "final":
            continue
        start, end = float(record["start"]), float(record["end"])
        words = record["words"]
        if not words or start > end or any(word["start"] < start or word["end"] > end for word in words):
            yield f"{record['id']}: its words do not lie within it"
        if start < latest.get(record["session"], 0.0):
            yield f"{record['id']} begins before the turn before it"
        latest[record["session"]] = start
        first, last = round(start * stock.rate) + edge, round(end * stock.rate) - edge
        if _covered(settled, first, last):
            counts = first >= last or any(span.start < last and first < span.end for span in heard)
        else:
            shares = [last, *(span.start for span in heard if first < span.start < last)]
            near = [] if record.get("late") else [share for share in shares if share <= min(first + reach, stock.tail)]
            counts = any(_covered(settled, share, last) for share in near)
        if not counts:
            yield f"{record['id']}: its audio does not count as transcribed"


def _covered(spans: Sequence[Settled], start: int, end: int) -> bool:
    """Whether spans in order cover [start, end); touching ones may differ in kind."""
    for span in spans:
        if span.start <= start < span.end:
            start = span.end
    return start >= end


def _seconds(stock: Stock, tail: int) -> dict[str, float]:
    totals: dict[str, float] = {}
    for span in stock.spans:
        name = span.state.value if span.cause is None else f"{span.state.value}:{span.cause.value}"
        totals[name] = totals.get(name, 0.0) + (span.end - span.start) / stock.rate
    totals["pending"] = tail / stock.rate - sum(totals.values())
    return {name: round(seconds, 3) + 0.0 for name, seconds in totals.items()}  # never -0.0


def _counted(names: Iterator[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
