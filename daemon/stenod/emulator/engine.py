"""The words between a session and a speech engine.

An engine hears one session's audio in order and answers with hypotheses. It knows samples, not milliseconds, and
nothing of any protocol. Engines differ in what they may revise: `Hypothesis.settled` says how many leading words of
an open turn will not change any more (none, for a recogniser that rewrites).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class EngineError(Exception):
    """The engine cannot serve this session, or has died in it; the message says why."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word, in samples of its session; `position` is its `[start, end)` on the oracle's timeline, if any."""

    text: str
    start: int
    end: int
    confidence: float = 1.0
    position: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """All words of the present turn; each hypothesis replaces the one before, and an `ended` one is the last."""

    words: tuple[Word, ...]
    ended: bool = False
    settled: int = 0
    delay_seconds: float = 0.0


class Engine(Protocol):
    """One session's recogniser."""

    @property
    def quiet(self) -> int:
        """Session sample before which no word began that is still to be said for the first time."""
        ...

    async def hear(self, pcm: bytes) -> Sequence[Hypothesis]:
        """Take the next s16le samples; return what they changed, in order. Raises `EngineError` when it has died."""
        ...

    async def end_turn(self) -> Sequence[Hypothesis]:
        """End the open turn now, if there is one, with what was heard."""
        ...

    def set_pause(self, seconds: float) -> None:
        """Set how long a pause ends a turn."""
        ...
