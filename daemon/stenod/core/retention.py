"""What must leave the disk although it is still wanted: the one place where audio may be dropped (law 9).

Three limits, each enough by itself: the bytes of all audio files, their age, and the free space that the disk must
keep, so that this acts before the disk is full. Whole files go, the least needed first, the oldest of them first. What
goes and was pending becomes a gap (`retention`).

It goes in steps of ten minutes of audio, or of a sixteenth of the limit where that is less: each step is one gap
record, so a week without a network makes a thousand of them and not sixty thousand. The newest two minutes never go:
they are being transcribed, and a disk that others have filled is no reason to drop words that come at once.

Pure: sizes and positions in, files out.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum

from stenod.core.timeline import Span

SAMPLE_BYTES = 2
STEP_SECONDS = 600.0
STEPS_MIN = 16
"""A step is at most this part of a limit."""
NEWEST_SECONDS = 120.0


class Need(IntEnum):
    """What an audio file is still good for, the least first."""

    HEARD = 0
    """Nothing: all of it is transcribed or lost, and a person wants it kept."""
    QUIET = 1
    """A judgement may be undone."""
    PENDING = 2
    """It is to be transcribed, or a replay of what is begins in it."""
    SENDING = 3
    """Its words are on their way: it never goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionLimits:
    """Zero means no limit."""

    bytes_max: int = 0
    seconds_max: float = 0.0
    free_bytes_min: int = 0


def surplus(
    stored: Sequence[Span],
    need: Callable[[Span], Need],
    *,
    tail: int,
    rate: int,
    free_bytes: int,
    limits: RetentionLimits,
) -> list[Span]:
    """Return the files that must go, in the order of their starts; `need` is asked only where something must."""
    excess = max(
        _bytes(stored) - limits.bytes_max if limits.bytes_max else 0,
        limits.free_bytes_min - free_bytes,
    )
    oldest = tail - round(limits.seconds_max * rate) if limits.seconds_max else 0
    newest = tail - round(NEWEST_SECONDS * rate)
    if excess <= 0 and not any(span.end <= oldest for span in stored):
        return []
    needs = {span: need(span) for span in stored if span.end <= newest}
    candidates = sorted(
        (span for span in needs if needs[span] is not Need.SENDING), key=lambda span: (needs[span], span.start)
    )
    going = set()
    if any(span.end <= oldest for span in candidates):
        oldest += round(_step(STEP_SECONDS, limits.seconds_max) * rate)
        going = {span for span in candidates if span.end <= oldest}
    step_bytes = _step(STEP_SECONDS * rate * SAMPLE_BYTES, limits.bytes_max, limits.free_bytes_min)
    if excess > 0 and _bytes(candidates) >= step_bytes:
        rest = excess + step_bytes - _bytes(going)
        for span in candidates:
            if rest <= 0:
                break
            if span not in going:
                going.add(span)
                rest -= span.count * SAMPLE_BYTES
    return sorted(going)


def stretches(files: Sequence[Span]) -> list[Span]:
    """Return sorted files with touching ones as one."""
    joined: list[Span] = []
    for span in files:
        if joined and joined[-1].end == span.start:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined


def _bytes(files: Collection[Span]) -> int:
    return sum(span.count for span in files) * SAMPLE_BYTES


def _step(whole: float, *limits: float) -> float:
    return min([whole, *(limit / STEPS_MIN for limit in limits if limit)])
