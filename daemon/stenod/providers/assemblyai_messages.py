"""AssemblyAI's messages, read with tolerance.

A word must not be lost because one field beside it makes no sense, so each field is read for itself: what is wrong
is as good as missing. A partial's `transcript` holds the settled words only, and either it or the words may be empty:
they complete each other (`content`). Times are whole milliseconds of the session's audio.

It does not know which messages there were before (the conversation).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stenod.providers.content import TurnWord, word_times
from stenod.providers.reading import number, text

SECONDS_MAX = 86_400.0
"""No session lasts a day: a time beyond it is none."""
TURN_ORDER_MAX = 2**31


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


def _read_word(entry: object, speaker: str | None) -> TurnWord | None:
    if not isinstance(entry, dict) or not (spelling := text(entry.get("text"), None)):
        return None
    start, end = word_times(milliseconds(entry.get("start")), milliseconds(entry.get("end")))
    return TurnWord(
        text=spelling,
        start=start,
        end=end,
        confidence=number(entry.get("confidence"), 1.0),
        speaker=label(entry.get("speaker")) or speaker,
        settled=entry.get("word_is_final") is True,
    )
