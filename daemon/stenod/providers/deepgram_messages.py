"""Deepgram's messages, read with tolerance.

A word must not be lost because one field beside it makes no sense, so each field is read for itself: what is wrong
is as good as missing. A transcript without its words is spread over the span that its message covers. Times are
seconds of the audio that was sent on this connection, silence included.

It does not know which messages there were before (the conversation).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stenod.providers.content import Content, TurnWord, content, word_times
from stenod.providers.reading import number, text

SECONDS_MAX = 1e8
"""Three years: no limit of a session is known, so that only nonsense is out of bounds."""
SPEAKER_MAX = 1_000_000
INCOMPLETE = "incomplete"
"""Stands for the hash where the session was ended before all audio had been processed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A `Results` message: the state of one span of the audio."""

    start: float | None
    end: float | None
    """None where it cannot be told how far it reaches."""
    final: bool
    """Its span will not be revised."""
    endpoint: bool
    """A pause was found at its end."""
    finalized: bool
    """It answers our `Finalize`."""
    text: str
    words: tuple[TurnWord, ...]
    language: str | None
    words_skipped: int
    """Entries of its word list that were no words."""

    @property
    def empty(self) -> bool:
        """Whether it says nothing at all."""
        return not self.text and not self.words

    def content(self, since: float) -> Content:
        """Return text and words, agreeing; `since` is where they can have begun where the message does not say."""
        start = since if self.start is None else self.start
        return content(self.text, self.words, (), start, max(start, self.end or 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The summary with which a session ends."""

    seconds: float | None
    """Of audio received."""
    whole: bool
    """It carries the hash of all audio, so all of it was processed."""
    understood: bool
    """Any of what was sent was taken for audio."""


def seconds(value: object) -> float | None:
    """Return seconds; None where they make no sense."""
    return number(value, SECONDS_MAX)


def read_results(fields: Mapping[str, Any]) -> Results:
    """Return the message: of several channels and several readings the first."""
    channel = _first(fields.get("channel"))
    alternative = _first(channel.get("alternatives"))
    transcript = text(alternative.get("transcript"), None)
    listed = alternative.get("words")
    entries = listed if isinstance(listed, list) else []
    tokens = transcript.split()
    # Where the list is as long as the text, an entry that cannot be read is the word that stands there.
    spelled: Sequence[str] = tokens if len(tokens) == len(entries) else [""] * len(entries)
    read = [_read_word(entry, instead) for entry, instead in zip(entries, spelled, strict=True)]
    words = tuple(word for word in read if word is not None)
    start, duration = seconds(fields.get("start")), seconds(fields.get("duration"))
    named = [word.end for word in words if word.end is not None]
    return Results(
        start=start,
        end=max(named, default=None) if start is None or duration is None else start + duration,
        final=fields.get("is_final") is True,
        endpoint=fields.get("speech_final") is True,
        finalized=fields.get("from_finalize") is True,
        text=transcript,
        words=words,
        language=_language(channel, alternative, entries),
        words_skipped=len(entries) - len(words),
    )


def channel_of(fields: Mapping[str, Any]) -> int:
    """Return which channel a `Results` is about: of mono audio it is 0."""
    index = fields.get("channel_index")
    found = number(index[0], SPEAKER_MAX) if isinstance(index, list) and index else None
    return 0 if found is None else int(found)


def read_metadata(fields: Mapping[str, Any]) -> Metadata:
    """Return the message; what is missing in it is taken for the worse."""
    digest = text(fields.get("sha256"))
    duration = seconds(fields.get("duration"))
    return Metadata(
        seconds=duration,
        whole=bool(digest) and digest.casefold() != INCOMPLETE,
        understood=duration != 0.0,
    )


def last_word_end(fields: Mapping[str, Any]) -> float | None:
    """Return where an `UtteranceEnd` says that the last word ended; None where it does not (-1 was reported)."""
    return seconds(fields.get("last_word_end"))


def error_text(fields: Mapping[str, Any]) -> str:
    """Return what an `Error` says, without the message of ours that it echoes."""
    parts = (text(fields.get(name)) for name in ("variant", "code", "description"))
    return ": ".join(part for part in parts if part)


def _first(value: object) -> Mapping[str, Any]:
    """Return an object, the first of a list of objects, or an empty one."""
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, dict) else {}


def _read_word(entry: object, instead: str) -> TurnWord | None:
    fields = entry if isinstance(entry, dict) else {}
    spelling = text(fields.get("punctuated_word"), None) or text(fields.get("word"), None) or instead
    if not spelling:
        return None
    start, end = word_times(seconds(fields.get("start")), seconds(fields.get("end")))
    return TurnWord(spelling, start, end, number(fields.get("confidence"), 1.0), _speaker(fields.get("speaker")))


def _speaker(value: object) -> str | None:
    """Return a speaker's label: they are numbered from 0."""
    found = number(value, SPEAKER_MAX)
    return text(value) or None if found is None else str(int(found))


def _language(channel: Mapping[str, Any], alternative: Mapping[str, Any], entries: Sequence[object]) -> str | None:
    """Return the language in which most was said, where several are possible."""
    listed = alternative.get("languages")
    said = [text(entry.get("language")) for entry in entries if isinstance(entry, dict)]
    candidates = [*(listed if isinstance(listed, list) else []), *said, channel.get("detected_language")]
    return next((found for one in candidates if (found := text(one))), None)
