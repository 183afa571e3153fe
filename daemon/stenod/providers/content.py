"""What was said of a turn: its text and its words, made to agree.

Neither is always whole. A text may hold fewer words than the list or more, either may be empty, and single words may
have no times. A word must not be lost for that: text and words complete each other, and a word without times is spread
evenly over the space between its neighbours.

It knows no provider's field names.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stenod.providers.base import SpokenWord


@dataclass(frozen=True, slots=True)
class TurnWord:
    """One word as it stands in the message; times are None where it has none that make sense."""

    text: str
    start: float | None = None
    end: float | None = None
    confidence: float | None = None
    speaker: str | None = None
    settled: bool = False
    """Promised not to change."""


@dataclass(frozen=True, slots=True)
class Content:
    """A turn's text and words, agreeing with each other."""

    text: str
    words: tuple[SpokenWord, ...]
    end: float | None
    """End of the last word that the provider gave a time; None where every time is ours."""


def content(
    transcript: str, words: Sequence[TurnWord], known: Sequence[TurnWord], since: float, until: float = 0.0
) -> Content:
    """Return text and words, completed from each other.

    `known` are the words that were said of this turn before, `since` is where it can have begun at the earliest and
    `until` where it goes on to at least.
    """
    tokens = transcript.split()
    joined = " ".join(word.text for word in words)
    if not words:
        words = _timed_like(tokens, known)
    elif not transcript or _goes_on(joined, transcript):
        transcript = joined
    elif _goes_on(transcript, joined) and len(tokens) > len(words):
        words = (*words, *(TurnWord(token) for token in tokens[len(words) :]))
    ends = [word.end for word in words if word.end is not None]
    return Content(transcript, _spread(words, known, since, until), ends[-1] if ends else None)


def word_times(start: float | None, end: float | None) -> tuple[float | None, float | None]:
    """Return the times of a word where one may be missing or before the other; none where both are missing."""
    if start is None or end is None:
        known = end if start is None else start
        return known, known
    return start, max(start, end)


def _goes_on(longer: str, shorter: str) -> bool:
    """Whether one text begins with the other and has more: letters and digits only, whatever their case."""
    letters, begin = ("".join(letter for letter in one.casefold() if letter.isalnum()) for one in (longer, shorter))
    return len(letters) > len(begin) and letters.startswith(begin)


def _timed_like(tokens: Sequence[str], known: Sequence[TurnWord]) -> tuple[TurnWord, ...]:
    """Return words for a bare text, with the times of the words known before where they are as many."""
    if len(tokens) == len(known):
        return tuple(replace(word, text=token) for token, word in zip(tokens, known, strict=True))
    return tuple(TurnWord(token) for token in tokens)


def _spread(words: Sequence[TurnWord], known: Sequence[TurnWord], since: float, until: float) -> tuple[SpokenWord, ...]:
    """Return the words with times for all: a run of words without any shares the space that it stands in."""
    starts = [word.start for word in known if word.start is not None]
    ends = [word.end for word in known if word.end is not None]
    left = min(starts, default=since)
    spoken: list[SpokenWord] = []
    waiting: list[TurnWord] = []
    for word in words:
        if word.start is None or word.end is None:
            waiting.append(word)
            continue
        spoken += _shared(waiting, min(left, word.start), word.start)
        waiting = []
        spoken.append(SpokenWord(word.text, word.start, word.end, word.confidence, word.speaker))
        left = word.end
    spoken += _shared(waiting, left, max([left, until, *ends]))
    return tuple(spoken)


def _shared(words: Sequence[TurnWord], left: float, right: float) -> list[SpokenWord]:
    step = (right - left) / len(words) if words else 0.0
    return [
        SpokenWord(word.text, left + place * step, left + (place + 1) * step, word.confidence, word.speaker)
        for place, word in enumerate(words)
    ]
