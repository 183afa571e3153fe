"""AssemblyAI's messages: read with tolerance, and the text and words of a `Turn` made to agree.

A word must not be lost because one field beside it makes no sense, so each field is read for itself: what is wrong
is as good as missing. Text and words then complete each other, because neither is always whole: a partial's
`transcript` holds the settled words only, and either may be empty. Times are whole milliseconds of the session's
audio; a word without them is spread evenly over the space between its neighbours.

It does not know which messages there were before (the conversation).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from stenod.providers.base import SpokenWord

SECONDS_MAX = 86_400.0
"""No session lasts a day: a time beyond it is none."""
TURN_ORDER_MAX = 2**31
TEXT_CHARACTERS_MAX = 2000
"""For names and sentences that go to logs; not for what was spoken."""


@dataclass(frozen=True, slots=True)
class TurnWord:
    """One word as it stands in the message; times are None where it has none that make sense."""

    text: str
    start: float | None = None
    end: float | None = None
    confidence: float | None = None
    speaker: str | None = None
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A `Turn` message."""

    order: int
    ended: bool
    formatted: bool
    text: str
    words: tuple[TurnWord, ...]
    language: str | None
    words_skipped: int
    """Entries of its word list that were no words."""

    @property
    def empty(self) -> bool:
        """Whether it says nothing at all."""
        return not self.text and not self.words


@dataclass(frozen=True, slots=True)
class Content:
    """A turn's text and words, agreeing with each other."""

    text: str
    words: tuple[SpokenWord, ...]
    end: float | None
    """End of the last word that the provider gave a time; None where every time is ours."""


def read_object(message: str) -> dict[str, Any] | None:
    """Return a message's fields, None where it is no JSON object.

    Strict first, for speed. Python's own reader takes what servers written in Python send by mistake (`NaN`, which
    counts as missing, and half surrogates, which `text` replaces).
    """
    try:
        fields = msgspec.json.decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        try:
            fields = json.loads(message, parse_constant=lambda _constant: None)
        except (ValueError, RecursionError):
            return None
    return fields if isinstance(fields, dict) else None


def text(value: object, characters_max: int | None = TEXT_CHARACTERS_MAX) -> str:
    """Return a text that can be written as UTF-8, without surrounding space; empty where it is none."""
    if not isinstance(value, str):
        return ""
    return value.strip()[:characters_max].encode("utf-8", "replace").decode()


def number(value: object, largest: float) -> float | None:
    """Return a number from 0 to `largest`; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= largest:
        return None
    return float(value)


def milliseconds(value: object) -> float | None:
    """Return milliseconds as seconds; None where they make no sense."""
    found = number(value, SECONDS_MAX * 1000)
    return None if found is None else found / 1000


def turn_order(value: object) -> int | None:
    """Return the number of a turn; None where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TURN_ORDER_MAX else None


def label(value: object) -> str | None:
    """Return a speaker's label; `UNKNOWN` (turns under about a second) is no speaker."""
    found = text(value)
    return found if found and found != "UNKNOWN" else None


def read_turn(fields: Mapping[str, Any]) -> Turn | None:
    """Return the message, None where it cannot be told which turn it is about."""
    order = turn_order(fields.get("turn_order"))
    if order is None:
        return None
    speaker = label(fields.get("speaker_label"))
    listed = fields.get("words")
    entries = listed if isinstance(listed, list) else []
    words = tuple(word for word in (_read_word(entry, speaker) for entry in entries) if word is not None)
    return Turn(
        order=order,
        ended=fields.get("end_of_turn") is True,
        formatted=fields.get("turn_is_formatted") is True,
        text=text(fields.get("transcript"), None) or text(fields.get("utterance"), None),
        words=words,
        language=text(fields.get("language_code")) or None,
        words_skipped=len(entries) - len(words),
    )


def revised_speakers(entry: Mapping[str, Any], words_count: int) -> tuple[str | None, ...] | None:
    """Return the speakers of a revised turn, one a word; None where they do not fit its final."""
    listed = entry.get("words")
    words = listed if isinstance(listed, list) and listed else [None] * words_count
    if words_count == 0 or len(words) != words_count:
        return None
    speaker = label(entry.get("speaker_label"))
    found = (label(word.get("speaker")) if isinstance(word, dict) else None for word in words)
    return tuple(one or speaker for one in found)


def content(transcript: str, words: Sequence[TurnWord], known: Sequence[TurnWord], since: float) -> Content:
    """Return text and words, completed from each other.

    `known` are the words that were said of this turn before, `since` is where it can have begun at the earliest.
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
    return Content(transcript, _spread(words, known, since), ends[-1] if ends else None)


def _read_word(entry: object, speaker: str | None) -> TurnWord | None:
    if not isinstance(entry, dict) or not (spelling := text(entry.get("text"), None)):
        return None
    start, end = milliseconds(entry.get("start")), milliseconds(entry.get("end"))
    if start is None or end is None:
        start = end = end if start is None else start
    return TurnWord(
        text=spelling,
        start=start,
        end=end if start is None or end is None else max(start, end),
        confidence=number(entry.get("confidence"), 1.0),
        speaker=label(entry.get("speaker")) or speaker,
        settled=entry.get("word_is_final") is True,
    )


def _goes_on(longer: str, shorter: str) -> bool:
    """Whether one text begins with the other and has more: letters and digits only, whatever their case."""
    letters, begin = ("".join(letter for letter in one.casefold() if letter.isalnum()) for one in (longer, shorter))
    return len(letters) > len(begin) and letters.startswith(begin)


def _timed_like(tokens: Sequence[str], known: Sequence[TurnWord]) -> tuple[TurnWord, ...]:
    """Return words for a bare text, with the times of the words known before where they are as many."""
    if len(tokens) == len(known):
        return tuple(replace(word, text=token) for token, word in zip(tokens, known, strict=True))
    return tuple(TurnWord(token) for token in tokens)


def _spread(words: Sequence[TurnWord], known: Sequence[TurnWord], since: float) -> tuple[SpokenWord, ...]:
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
    spoken += _shared(waiting, left, max([left, *ends]))
    return tuple(spoken)


def _shared(words: Sequence[TurnWord], left: float, right: float) -> list[SpokenWord]:
    step = (right - left) / len(words) if words else 0.0
    return [
        SpokenWord(word.text, left + place * step, left + (place + 1) * step, word.confidence, word.speaker)
        for place, word in enumerate(words)
    ]
