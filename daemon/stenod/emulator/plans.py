"""Speech plans: what is a word where in the oracle's endless audio.

Theory. The timeline is cut into blocks of 20 ms, and the blocks into cells of one or three minutes. Each cell is laid
out by dice that are seeded with the plan and the cell's number alone, so any cell is known without its predecessors,
and each cell holds the same number of words, so a word's index in the whole plan is known too. A word never crosses
the border of a cell. All lengths are whole blocks: a plan is the same at every sample rate.

- `dialogue`: turns of 3 to 12 words of 200 to 500 ms with 60 to 140 ms between them, and 0.6 to 2 s between turns;
- `continuous`: words that abut, with no quiet for ever;
- `silence`: one turn every two to four minutes;
- `music`: loud throughout, and never a word.

It knows nothing of sound; `oracle` turns blocks into samples.
"""

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

BLOCKS_PER_SECOND = 50
WORD_BLOCKS_MIN, WORD_BLOCKS_MAX = 10, 25
GAP_BLOCKS_MIN, GAP_BLOCKS_MAX = 3, 7
PAUSE_BLOCKS_MIN, PAUSE_BLOCKS_MAX = 30, 100
TURN_WORDS_MIN, TURN_WORDS_MAX = 3, 12
_MASK = (1 << 64) - 1


class Dice:
    """Draw whole numbers that depend on the seeds only, the same on every machine and version (splitmix64)."""

    def __init__(self, *seeds: int) -> None:
        self._state = 0
        for seed in seeds:
            self._state = (self._state + seed) & _MASK
            self._state = self.draw()

    def draw(self) -> int:
        """Return the next 64 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + self.draw() % (high - low + 1)

    def shares(self, total: int, low: int, high: int, count: int) -> list[int]:
        """Split `total` into `count` parts of `low` to `high` each; the bounds must allow it."""
        assert low * count <= total <= high * count, (total, low, high, count)
        parts = []
        for left in range(count - 1, -1, -1):
            least = max(low, total - left * high)
            most = min(high, total - left * low)
            mean = total // (left + 1)
            spread = max(1, (high - low) // 2)
            parts.append(self.between(max(least, min(mean - spread, most)), min(most, max(mean + spread, least))))
            total -= parts[-1]
        return parts


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a plan, in samples of the oracle's timeline."""

    text: str
    start: int
    end: int
    index: int


@dataclass(frozen=True, slots=True)
class Cell:
    """The words of one cell, in blocks from its start."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan: its number in the signal's code, the length of a cell, its words per cell, and how they are laid."""

    number: int
    cell_blocks: int
    cell_words: int
    lay: Callable[[Dice], Cell]
    loud_throughout: bool = False


def _turn(dice: Dice, size: int, at: int, starts: list[int], ends: list[int]) -> int:
    """Append one turn's words from block `at`; return the block after its last word."""
    for number in range(size):
        if number:
            at += dice.between(GAP_BLOCKS_MIN, GAP_BLOCKS_MAX)
        starts.append(at)
        at += dice.between(WORD_BLOCKS_MIN, WORD_BLOCKS_MAX)
        ends.append(at)
    return at


def _lay_dialogue(dice: Dice) -> Cell:
    turns: list[tuple[list[int], list[int]]] = []
    spoken = 0
    for size in dice.shares(90, TURN_WORDS_MIN, TURN_WORDS_MAX, 15):
        starts: list[int] = []
        ends: list[int] = []
        spoken += _turn(dice, size, 0, starts, ends)
        turns.append((starts, ends))
    pauses = dice.shares(60 * BLOCKS_PER_SECOND - spoken, PAUSE_BLOCKS_MIN, PAUSE_BLOCKS_MAX, len(turns))
    all_starts: list[int] = []
    all_ends: list[int] = []
    at = 0
    for pause, (starts, ends) in zip(pauses, turns, strict=True):
        at += pause
        all_starts += [at + start for start in starts]
        all_ends += [at + end for end in ends]
        at = all_ends[-1]
    return Cell(tuple(all_starts), tuple(all_ends))


def _lay_continuous(dice: Dice) -> Cell:
    ends: list[int] = []
    at = 0
    for length in dice.shares(60 * BLOCKS_PER_SECOND, WORD_BLOCKS_MIN, WORD_BLOCKS_MAX, 171):
        at += length
        ends.append(at)
    return Cell((0, *ends[:-1]), tuple(ends))


def _lay_silence(dice: Dice) -> Cell:
    starts: list[int] = []
    ends: list[int] = []
    _turn(dice, 6, dice.between(60, 120) * BLOCKS_PER_SECOND, starts, ends)
    return Cell(tuple(starts), tuple(ends))


def _lay_nothing(dice: Dice) -> Cell:  # noqa: ARG001 - a layout takes dice, also one that throws none
    return Cell((), ())


PLANS: dict[str, Plan] = {
    "dialogue": Plan(0, 60 * BLOCKS_PER_SECOND, 90, _lay_dialogue),
    "continuous": Plan(1, 60 * BLOCKS_PER_SECOND, 171, _lay_continuous, loud_throughout=True),
    "silence": Plan(2, 180 * BLOCKS_PER_SECOND, 6, _lay_silence),
    "music": Plan(3, 60 * BLOCKS_PER_SECOND, 0, _lay_nothing, loud_throughout=True),
}
PLAN_NAMES: tuple[str, ...] = tuple(PLANS)


@lru_cache(maxsize=256)
def cell_of(plan: str, number: int) -> Cell:
    """Lay out one cell."""
    return PLANS[plan].lay(Dice(PLANS[plan].number + 1, number))


def words_between(
    start_sample: int, end_sample: int, plan: str = "dialogue", *, rate: int = 16_000
) -> list[tuple[str, int, int]]:
    """Return `(text, start, end)` of each word that shares a sample with `[start_sample, end_sample)`, uncut."""
    return [(word.text, word.start, word.end) for word in words_overlapping(start_sample, end_sample, plan, rate)]


def words_overlapping(start_sample: int, end_sample: int, plan: str, rate: int) -> Iterator[Word]:
    """Yield each word that shares a sample with `[start_sample, end_sample)`, in order."""
    if end_sample <= start_sample:
        return
    spec = PLANS[plan]
    block_samples = rate // BLOCKS_PER_SECOND
    first_block = start_sample // block_samples
    end_block = -(-end_sample // block_samples)
    for number in range(first_block // spec.cell_blocks, (end_block - 1) // spec.cell_blocks + 1):
        cell = cell_of(plan, number)
        origin = number * spec.cell_blocks
        place = bisect.bisect_right(cell.ends, first_block - origin)
        while place < len(cell.starts) and cell.starts[place] + origin < end_block:
            index = number * spec.cell_words + place
            start = (cell.starts[place] + origin) * block_samples
            end = (cell.ends[place] + origin) * block_samples
            yield Word(f"w{index:07d}", start, end, index)
            place += 1


def loud_spans(first_block: int, end_block: int, plan: str) -> Iterator[tuple[int, int]]:
    """Yield the `[start, end)` stretches of loud blocks inside `[first_block, end_block)`."""
    if PLANS[plan].loud_throughout:
        yield first_block, end_block
        return
    for word in words_overlapping(first_block, end_block, plan, BLOCKS_PER_SECOND):
        yield max(word.start, first_block), min(word.end, end_block)
