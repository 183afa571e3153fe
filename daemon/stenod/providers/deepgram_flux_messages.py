"""Flux's messages about turns, read with tolerance.

A word must not be lost because one field beside it makes no sense, so each field is read for itself: what is wrong is
as good as missing. Times are seconds of the session's audio. A word may have none: older servers send none at all.

It does not know which messages there were before (the conversation).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stenod.providers.content import TurnWord, word_times
from stenod.providers.reading import number, text

SECONDS_MAX = 366 * 86_400.0
"""No limit to a session is known; a time beyond a year is none all the same."""
NUMBER_MAX = 2**53
"""Of turns and messages; larger ones are not exact in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnInfo:
    """A `TurnInfo` message. Text and words are those of the whole turn so far, not what has been added."""

    event: str
    index: int
    window_start: float | None
    """Where the turn's audio begins: not its speech."""
    window_end: float | None
    """How much audio was transcribed."""
    text: str
    words: tuple[TurnWord, ...]
    language: str | None

    @property
    def empty(self) -> bool:
        """Whether it says nothing at all."""
        return not self.text and not self.words

    @property
    def size(self) -> int:
        """How many words it says."""
        return max(len(self.text.split()), len(self.words))


def whole_number(value: object) -> int | None:
    """Return the number of a turn or a message; None where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= NUMBER_MAX else None


def read_turn_info(fields: Mapping[str, Any]) -> TurnInfo | None:
    """Return the message, None where it cannot be told which turn it is about."""
    index = whole_number(fields.get("turn_index"))
    if index is None:
        return None
    listed, languages = fields.get("words"), fields.get("languages")
    words = (_read_word(entry) for entry in listed) if isinstance(listed, list) else ()
    return TurnInfo(
        event=text(fields.get("event")),
        index=index,
        window_start=number(fields.get("audio_window_start"), SECONDS_MAX),
        window_end=number(fields.get("audio_window_end"), SECONDS_MAX),
        text=text(fields.get("transcript"), None),
        words=tuple(word for word in words if word is not None),
        language=(text(languages[0]) or None) if isinstance(languages, list) and languages else None,
    )


def _read_word(entry: object) -> TurnWord | None:
    if not isinstance(entry, dict) or not (spelling := text(entry.get("word"), None)):
        return None
    start, end = word_times(number(entry.get("start"), SECONDS_MAX), number(entry.get("end"), SECONDS_MAX))
    return TurnWord(text=spelling, start=start, end=end, confidence=number(entry.get("confidence"), 1.0))
