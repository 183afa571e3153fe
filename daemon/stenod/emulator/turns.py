"""Words to turns, for engines that hear one word after the other and never take one back.

A turn is a run of words ended by a pause, by order, or by its length: a monologue without a pause may run over a
minute on the live service too, and what is unbounded there is bounded here (two minutes).
"""

from stenod.emulator.engine import Hypothesis, Word

TURN_SECONDS_MAX = 120


class TurnBuilder:
    """Collect words; say when a turn has changed or ended."""

    def __init__(self, rate: int, pause_seconds: float) -> None:
        self._rate = rate
        self.pause_seconds = pause_seconds
        self._words: list[Word] = []
        self._growing: Word | None = None

    @property
    def open(self) -> bool:
        """Whether a turn has begun that has not ended, with words or without."""
        return bool(self._words) or self._growing is not None

    def add(self, word: Word) -> list[Hypothesis]:
        """Take a whole word."""
        hypotheses = self.advance(word.start)
        self._words.append(word)
        if word.end - self._words[0].start > TURN_SECONDS_MAX * self._rate:
            return [*hypotheses, *self.end()]
        return [*hypotheses, Hypothesis(tuple(self._words), settled=len(self._words) - 1)]

    def grow(self, word: Word) -> list[Hypothesis]:
        """Show the beginning of a turn's first word, once."""
        hypotheses = self.advance(word.start)
        if self.open:
            return hypotheses
        self._growing = word
        return [*hypotheses, Hypothesis((word,))]

    def advance(self, position: int) -> list[Hypothesis]:
        """Hear that no word began before session sample `position`."""
        last = self._words[-1] if self._words else self._growing
        if last is None or position - last.end < self.pause_seconds * self._rate:
            return []
        return self.end()

    def end(self) -> list[Hypothesis]:
        """End the open turn; one that was begun by a word that came to nothing ends empty."""
        if not self.open:
            return []
        words = tuple(self._words)
        self._words.clear()
        self._growing = None
        return [Hypothesis(words, ended=True, settled=len(words))]
