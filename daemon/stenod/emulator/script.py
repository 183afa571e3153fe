"""The engine that reads from a script: given words at given session times, whatever the audio.

The file is JSON lines, one word a line, or one JSON document: a list of words for every session, or a list of such
lists, one a session in order (later sessions hear nothing). A word is `{"text": "hello", "start": 1.2, "end": 1.5}`,
in seconds of the session's audio. A word is heard once the session's audio has reached its end.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from stenod.emulator.engine import Hypothesis, Word
from stenod.emulator.turns import TurnBuilder

CONFIDENCE = 0.9
SECONDS_MAX = 1e9
"""No session is as long; in samples it still is a whole number."""


class ScriptWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One word of the file, in seconds of the session's audio."""

    text: str
    start: float
    end: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.start <= self.end <= SECONDS_MAX:
            raise ValueError(f"a word starts from 0 on and does not end before: not {self.start:g} to {self.end:g}")


class Script:
    """The words of every session, or of each."""

    def __init__(self, sessions: Sequence[Sequence[ScriptWord]], *, same_for_all: bool) -> None:
        self._sessions = sessions
        self._same_for_all = same_for_all

    def engine(self, session: int, rate: int, pause_seconds: float) -> "ScriptEngine":
        """Return a session's engine."""
        place = 0 if self._same_for_all else session
        words = self._sessions[place] if place < len(self._sessions) else ()
        return ScriptEngine(words, rate, pause_seconds)


class ScriptEngine:
    """Implement `Engine` by reading on as the audio goes by."""

    def __init__(self, words: Sequence[ScriptWord], rate: int, pause_seconds: float) -> None:
        self._words = [
            Word(word.text, round(word.start * rate), round(word.end * rate), CONFIDENCE)
            for word in sorted(words, key=lambda word: word.end)
        ]
        self._next = 0
        self._heard = 0
        self._turns = TurnBuilder(rate, pause_seconds)

    @property
    def quiet(self) -> int:
        """See `Engine`."""
        begun = self._next < len(self._words) and self._words[self._next].start < self._heard
        return self._words[self._next].start if begun else self._heard

    async def hear(self, pcm: bytes) -> list[Hypothesis]:
        """Say the words that the audio has passed; see `Engine`."""
        self._heard += len(pcm) // 2
        hypotheses: list[Hypothesis] = []
        while self._next < len(self._words) and self._words[self._next].end <= self._heard:
            hypotheses += self._turns.add(self._words[self._next])
            self._next += 1
        return hypotheses + self._turns.advance(self.quiet)

    async def end_turn(self) -> list[Hypothesis]:
        """See `Engine`."""
        return self._turns.end()

    def set_pause(self, seconds: float) -> None:
        """See `Engine`."""
        self._turns.pause_seconds = seconds


def load_script(path: Path) -> Script:
    """Read a script. Raises `ValueError` with file and cause."""
    try:
        return parse_script(path.read_bytes())
    except OSError as error:
        msg = f"cannot read script {path}: {error.strerror}"
        raise ValueError(msg) from error
    except msgspec.DecodeError as error:
        msg = f"cannot read script {path}: {error}"
        raise ValueError(msg) from error


def parse_script(data: bytes) -> Script:
    """Read a script's text. Raises `msgspec.DecodeError`."""
    if data.lstrip().startswith(b"["):
        sessions = msgspec.json.decode(data, type=list[list[ScriptWord] | ScriptWord])
        lists = [item for item in sessions if isinstance(item, list)]
        if lists:
            if len(lists) != len(sessions):
                raise msgspec.ValidationError("words and lists of words are mixed")
            return Script(lists, same_for_all=False)
        return Script([[item for item in sessions if isinstance(item, ScriptWord)]], same_for_all=True)
    words = msgspec.json.Decoder(ScriptWord).decode_lines(data)
    return Script([words], same_for_all=True)
