"""From what a provider said in session time to words and turns on the stream's timeline.

Times go through the sent map (law 10), then they are put in order: providers pad a turn's edges, so a start may
lie before the turn before it. Within one session no word is ever dropped for its times.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from stenod.core.timeline import Span

FORCE_PAUSE_SECONDS = 0.1
"""A turn is only ever ended in the quiet: ended within a word, it would be two halves, and no later session says it
whole. Speech without any pause just stays in the journal for longer."""
LOST_SECONDS = 1.0
"""Of what was lost, so much is heard as silence at most; no turn reaches over so much of it."""


class Position(Protocol):
    """Session seconds to a sample of the stream (`core.sentmap.SentMap.position`)."""

    def __call__(self, seconds: float, *, end: bool = False) -> int: ...


class Spoken(Protocol):
    """A word in session seconds (`providers.base.SpokenWord`)."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def speaker(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word on the timeline, in samples."""

    text: str
    start: int
    end: int
    confidence: float | None = None
    speaker: str | None = None


def place(words: Sequence[Spoken], position: Position, *, earliest: int, session: str) -> tuple[PlacedWord, ...]:
    """Put words on the timeline: none before `earliest`, starts in order, no end before its start.

    Speaker labels are scoped to their session, because every session begins its own.
    """
    placed = []
    for word in words:
        start, end = position(word.start), position(word.end, end=True)
        if end < start and word.start <= word.end:
            start = end  # It ended before anything behind the hole was heard.
        start = max(start, earliest)
        end = max(end, start)
        placed.append(PlacedWord(word.text, start, end, word.confidence, scoped(session, word.speaker)))
        earliest = start
    return tuple(placed)


def in_order(words: Sequence[PlacedWord], earliest: int) -> tuple[PlacedWord, ...]:
    """Return the words with none that begins before `earliest` and none that ends before its start."""
    return tuple(
        word if word.start >= earliest else replace(word, start=earliest, end=max(word.end, earliest)) for word in words
    )


def scoped(session: str, speaker: str | None) -> str | None:
    """Return the speaker's label within its session."""
    return None if speaker is None else f"{session}/{speaker}"


def force_due(open_seconds: float, pause_seconds: float, seconds_max: float) -> bool:
    """Whether a turn that has been open this long is to be ended by us now."""
    return open_seconds >= seconds_max and pause_seconds >= FORCE_PAUSE_SECONDS


def parted(words: Sequence[PlacedWord], lost: Sequence[Span]) -> list[tuple[PlacedWord, ...]]:
    """Return the parts of a turn between the stretches that were lost, which come in order; none is empty.

    A provider that had said nothing of the turn could not be told to end it. Padding reaches into what was lost, and a
    word that ends behind it was said behind it: no part lies there.
    """
    parts: list[tuple[PlacedWord, ...]] = []
    rest = tuple(words)
    for gap in lost:
        count = next((index for index, word in enumerate(rest) if word.end > gap.end), len(rest))
        before, after = rest[:count], rest[count:]
        if not after or not before:
            continue
        parts.append(
            tuple(replace(word, start=min(word.start, gap.start), end=min(word.end, gap.start)) for word in before)
        )
        rest = in_order(after, gap.end)
    return [*parts, rest] if rest else parts
