"""The untidiness of real providers, seeded: what a client must survive without losing or repeating a word.

Observed on the live service: a turn's first word starts up to a second early, its last ends a quarter of a second late;
finals come some 0.3 s after the last word, and later under load; the same audio is cut into turns differently by
where the session began, and a replayed word is at times worded otherwise. The odds are ours.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from stenod.emulator.engine import Engine, Hypothesis, Word

EARLY_SECONDS_MAX = 1.0
LATE_SECONDS = 0.25
DELAY_SECONDS_MIN, DELAY_SECONDS_MAX = 0.3, 3.0
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.3, 1.2
REWORDED_ONE_IN = 20
REMEMBERED_MAX = 1_000_000


class Realism:
    """One server's dice, and its memory of which words were heard in which session."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._first_session: dict[int, int] = {}

    def dice(self, *about: object) -> random.Random:
        """Return dice that depend on the seed and on what they are thrown for."""
        return random.Random("/".join(map(str, (self._seed, *about))))

    def pause_seconds(self, position: int) -> float:
        """Return the pause that ends a turn, by the position at which the session began."""
        return self.dice("pause", position).uniform(PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX)

    def reword(self, word: Word, session: int) -> Word:
        """Return a word as this session hears it: one in twenty that an earlier session heard is worded otherwise."""
        if word.position is None:
            return word
        start = word.position[0]
        first = self._first_session.setdefault(start, session)
        if len(self._first_session) > REMEMBERED_MAX:
            del self._first_session[next(iter(self._first_session))]
        if first == session or self.dice("word", start, session).randrange(REWORDED_ONE_IN):
            return word
        return replace(word, text=f"v{word.text[1:]}", confidence=0.6)


class RealisticEngine:
    """Make another engine's hypotheses untidy; implements `Engine`."""

    def __init__(self, engine: Engine, realism: Realism, session: int, rate: int) -> None:
        self._engine = engine
        self._realism = realism
        self._session = session
        self._rate = rate
        self._turn = 0

    @property
    def quiet(self) -> int:
        """See `Engine`."""
        return self._engine.quiet

    async def hear(self, pcm: bytes) -> list[Hypothesis]:
        """See `Engine`."""
        return self._all(await self._engine.hear(pcm))

    async def end_turn(self) -> list[Hypothesis]:
        """See `Engine`."""
        return self._all(await self._engine.end_turn())

    def set_pause(self, seconds: float) -> None:
        """Keep the pause that the seed chose."""

    def _all(self, hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
        return [self._one(hypothesis) for hypothesis in hypotheses]

    def _one(self, hypothesis: Hypothesis) -> Hypothesis:
        dice = self._realism.dice("turn", self._session, self._turn)
        early = int(dice.uniform(0, EARLY_SECONDS_MAX) * self._rate)
        delay = dice.uniform(DELAY_SECONDS_MIN, DELAY_SECONDS_MAX)
        words = [self._realism.reword(word, self._session) for word in hypothesis.words]
        if words:
            words[0] = replace(words[0], start=max(0, words[0].start - early))
        if words and hypothesis.ended:
            words[-1] = replace(words[-1], end=words[-1].end + int(LATE_SECONDS * self._rate))
        self._turn += hypothesis.ended
        return replace(hypothesis, words=tuple(words), delay_seconds=delay if hypothesis.ended else 0.0)
