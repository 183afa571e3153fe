"""The recogniser made of the oracle: it hears exactly the words whose audio arrived, and says which it heard in part.

A word heard whole is its text. A word heard in part (the session began or ended in it, or a hole is in it) is
`frag-` and its number when at least 40 % of it was heard, and nothing below. Where the audio is exact to the bit,
whole means every sample; elsewhere 5 ms at either end are forgiven. Times are those of the session's own samples as
they arrived, never of the decoded position, so that a client's mapping of times is truly tested.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stenod.emulator import plans
from stenod.emulator.decoder import Decoder, Kind, Piece
from stenod.emulator.engine import EngineError, Hypothesis, Word
from stenod.emulator.turns import TurnBuilder

FRAGMENT_SHARE_MIN = 0.4
GROWING_SHARE_MIN = 0.4
PATIENCE_SECONDS = 0.3
"""How long a word that was interrupted is waited for."""


@dataclass(slots=True)
class _Hearing:
    """The word that is being heard: which, where it began in the session, and how much of it arrived."""

    word: plans.Word
    plan: str
    start: int
    end: int
    reached: int
    heard: int
    whole: bool
    grace: int


class OracleEngine:
    """Implement `Engine` on the oracle's decoder."""

    def __init__(
        self,
        rate: int,
        pause_seconds: float,
        witness: Callable[[Piece], None],
        pause_for: Callable[[int], float] | None = None,
    ) -> None:
        try:
            self._decoder = Decoder(rate)
        except ValueError as error:
            raise EngineError(str(error)) from error
        self._rate = rate
        self._turns = TurnBuilder(rate, pause_seconds)
        self._witness = witness
        self._pause_for = pause_for
        self._hearing: _Hearing | None = None

    @property
    def quiet(self) -> int:
        """See `Engine`."""
        return self._hearing.start if self._hearing else self._decoder.resolved

    async def hear(self, pcm: bytes) -> list[Hypothesis]:
        """Decode and collect; see `Engine`."""
        pieces = self._decoder.feed(np.frombuffer(pcm, dtype="<i2"))
        hypotheses = self._collect(pieces)
        return hypotheses + self._turns.advance(self.quiet)

    async def end_turn(self) -> list[Hypothesis]:
        """Take what waits in the decoder, give up on a word in progress, end the turn; see `Engine`."""
        hypotheses = self._collect(self._decoder.finish())
        return hypotheses + self._flush() + self._turns.end()

    def set_pause(self, seconds: float) -> None:
        """See `Engine`."""
        self._turns.pause_seconds = seconds

    def _collect(self, pieces: list[Piece]) -> list[Hypothesis]:
        hypotheses: list[Hypothesis] = []
        for piece in pieces:
            self._witness(piece)
            if piece.kind is Kind.ORACLE:
                if self._pause_for is not None:
                    self._turns.pause_seconds = self._pause_for(piece.position)
                    self._pause_for = None
                for word in plans.words_overlapping(
                    piece.position, piece.position + piece.count, piece.plan, self._rate
                ):
                    hypotheses += self._hear_word(word, piece)
        waited = self._decoder.resolved - (self._hearing.end if self._hearing else 0)
        if self._hearing and waited > PATIENCE_SECONDS * self._rate:
            hypotheses += self._flush()
        return hypotheses

    def _hear_word(self, word: plans.Word, piece: Piece) -> list[Hypothesis]:
        """Take the part of a word that is in a piece."""
        grace = 0 if piece.exact else self._rate // 200
        first = max(word.start, piece.position)
        reached = min(word.end, piece.position + piece.count)
        start, end = piece.start + first - piece.position, piece.start + reached - piece.position
        hypotheses: list[Hypothesis] = []
        hearing = self._hearing
        if hearing and (hearing.word, hearing.plan) == (word, piece.plan) and first >= hearing.reached - grace:
            joined = abs(first - hearing.reached) <= grace and abs(start - hearing.end) <= grace
            hearing.whole &= joined
            hearing.heard += reached - first
            hearing.reached, hearing.end, hearing.grace = reached, end, grace
        else:
            hypotheses += self._flush()
            whole = first <= word.start + grace
            hearing = _Hearing(word, piece.plan, start, end, reached, reached - first, whole, grace)
            self._hearing = hearing
        if reached >= word.end - grace:
            return hypotheses + self._flush()
        if hearing.whole and not self._turns.open and hearing.heard >= GROWING_SHARE_MIN * (word.end - word.start):
            hypotheses += self._turns.grow(self._word(hearing, word.text[: len(word.text) // 2]))
        return hypotheses

    def _flush(self) -> list[Hypothesis]:
        """Report the word that was being heard as far as it was heard."""
        hearing, self._hearing = self._hearing, None
        if hearing is None:
            return []
        if hearing.whole and hearing.reached >= hearing.word.end - hearing.grace:
            return self._turns.add(self._word(hearing, hearing.word.text))
        if hearing.heard < FRAGMENT_SHARE_MIN * (hearing.word.end - hearing.word.start):
            return []
        return self._turns.add(self._word(hearing, f"frag-{hearing.word.index:07d}"))

    def _word(self, hearing: _Hearing, text: str) -> Word:
        position = (hearing.word.start, hearing.word.end)
        confidence = 0.99 if hearing.whole else 0.5
        return Word(text, hearing.start, hearing.end, confidence, position)
