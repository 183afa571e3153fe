"""A journal at a glance: what `stenod status` tells of one stream. Pure: it reads what it is handed and judges little.

What a person should see to is `attention`: audio or lines that wait while nothing runs, and a provider that refuses.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stenod.core import records
from stenod.core.accounts import Account, Sum, summed
from stenod.core.chronology import Anchor
from stenod.core.moments import Moments
from stenod.core.timeline import Settled, Span, State, Timeline
from stenod.core.troubles import standing

SPANS_SHOWN = 5
FATAL = "fatal"
JOURNAL_LOST = {("journal", "lost"), ("journal", "damaged")}
PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What there is: some of the ledger's rows of one stream, and its files."""

    stream: str
    rate: int
    tail: int
    spans: Sequence[Settled]
    stored: Sequence[Span]
    anchors: Sequence[Anchor]
    accounts: Sequence[Account]
    """The last ones, oldest first."""
    sums: Sequence[Sum]
    """Of all sessions ever."""
    statuses: Sequence[Mapping[str, Any]]
    """The last status records, oldest first."""
    records: int
    """In the outbox."""
    waiting: Mapping[str, int]
    """Records that a reader has not got, by reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A span for a person; times are None where no clock was ever noted."""

    state: str
    """`transcribed`, `quiet`, `gap:CAUSE` or `pending`."""
    start: float
    end: float
    started_at: str | None
    ended_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One stream at a glance; seconds, and positions as seconds on its timeline."""

    directory: str
    stream: str
    rate: int
    """Hz; sessions count their audio in samples."""
    process: int | None
    """Who runs there now; 0 where its number is not known."""
    tail: float
    tail_at: str | None
    cursor: float
    cursor_at: str | None
    lag_seconds: float
    """From the first pending sample to the tail."""
    seconds: Mapping[str, float]
    """By state, gaps as `gap:CAUSE`."""
    last: Sequence[Stretch]
    sessions: Sequence[Account]
    statuses: Sequence[Mapping[str, Any]]
    troubles: Sequence[Mapping[str, Any]]
    """Status records that no later one has ended."""
    records: int
    waiting: Mapping[str, int]
    audio_seconds: float
    """Stored."""
    audio_bytes: int
    ledger_bytes: int
    spent: Sequence[Sum]
    """By provider."""
    attention: Sequence[str] = field(default=())
    """What a person should see to, in sentences."""


def overview(survey: Survey, *, directory: str, process: int | None, ledger_bytes: int, resume: str) -> Overview:
    """Look at one stream; `resume` is the command that transcribes what waits."""
    tail = max([survey.tail, *(span.end for span in survey.stored)])
    timeline = Timeline.restored(survey.spans, tail)
    moments = Moments(survey.rate, survey.anchors)
    parts = list(_parts(timeline))
    audio = sum(span.count for span in survey.stored)
    seconds = _totals(parts, survey.rate)
    troubles = list(standing(survey.statuses).values())
    return Overview(
        directory=directory,
        stream=survey.stream,
        rate=survey.rate,
        process=process,
        tail=_seconds(tail, survey.rate),
        tail_at=_told(moments.at(tail)),
        cursor=_seconds(timeline.cursor, survey.rate),
        cursor_at=_told(moments.at(timeline.cursor)),
        lag_seconds=_seconds(tail - timeline.cursor, survey.rate),
        seconds=seconds,
        last=[_stretch(*part, moments) for part in parts[-SPANS_SHOWN:]],
        sessions=survey.accounts,
        statuses=survey.statuses,
        troubles=troubles,
        records=survey.records,
        waiting=survey.waiting,
        audio_seconds=_seconds(audio, survey.rate),
        audio_bytes=2 * audio,
        ledger_bytes=ledger_bytes,
        spent=summed(survey.sums),
        attention=tuple(_attention(survey, troubles, process, seconds.get(PENDING, 0.0), resume)),
    )


def _parts(timeline: Timeline) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of all spans in order, the pending ones among them."""
    position = 0
    for span in timeline:
        if position < span.start:
            yield PENDING, position, span.start
        yield span.state.value if span.cause is None else f"{span.state}:{span.cause}", span.start, span.end
        position = span.end
    if position < timeline.tail:
        yield PENDING, position, timeline.tail


def _totals(parts: Sequence[tuple[str, int, int]], rate: int) -> dict[str, float]:
    totals = {State.TRANSCRIBED.value: 0, State.QUIET.value: 0, PENDING: 0}
    for name, start, end in parts:
        totals[name] = totals.get(name, 0) + end - start
    return {name: _seconds(samples, rate) for name, samples in totals.items()}


def _stretch(name: str, start: int, end: int, moments: Moments) -> Stretch:
    return Stretch(
        state=name,
        start=_seconds(start, moments.rate),
        end=_seconds(end, moments.rate),
        started_at=_told(moments.at(start)),
        ended_at=_told(moments.at(end)),
    )


def _attention(
    survey: Survey, troubles: Sequence[Mapping[str, Any]], process: int | None, pending: float, resume: str
) -> Iterator[str]:
    for status in troubles:
        if (status.get("subject"), status.get("state")) in JOURNAL_LOST or status.get("state") == FATAL:
            yield f"{status.get('subject')}: {_sentences(status.get('reason', ''), status.get('remedy', ''))}"
    if process is not None:
        return
    if pending:
        as_before = ", with the --config or --endpoint that it had" if "--provider" in resume else ""
        yield f"nothing runs, and {pending:.1f} s of audio wait; to transcribe them: {resume}{as_before}"
    elif any(survey.waiting.values()):
        yield f"nothing runs, and {max(survey.waiting.values())} lines wait; to print them: {resume}"


def _sentences(reason: str, remedy: str) -> str:
    """One after the other, told apart also where the first does not end in a full stop."""
    apart = "" if not remedy or reason.endswith((".", "!", "?")) else ";"
    return f"{reason}{apart} {remedy}".strip()


def _seconds(samples: int, rate: int) -> float:
    return round(samples / rate, 3)


def _told(unix: float | None) -> str | None:
    return None if unix is None else records.rfc3339(unix)
