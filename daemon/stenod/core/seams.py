"""Where a replay begins, and which of its words are already printed.

A replay begins at the last quiet point before the first word that was not final; then nothing overlaps. Without quiet,
it begins two seconds before the end of the last final, and the overlap is matched by monotone alignment: a heard word
is the printed one when their times lie within 1.2 s and order is kept; equal text counts for more than mere nearness.
(Real providers pad a turn's first word up to 1 s early and its last 0.25 s late, and word a replay differently now and
then.) A heard word with a partner is dropped, one without is kept: in doubt a word comes twice rather than not at all,
and the seam is marked.

Positions are samples of the stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stenod.core.level import quiet_runs
from stenod.core.turns import PlacedWord

OVERLAP_SECONDS = 2.0
AFTER_SECONDS = 0.1
"""How far behind the settled audio a quiet point is looked for."""
CUT_TRUST_SECONDS = 0.3
"""Words that end this close to a cut within speech may be halves: the other side of the cut says them whole."""
TOLERANCE_SECONDS = 1.2
SHARED_RATIO_MIN = 0.6
"""Words that differ in text are the same word only when the shorter one lies this much within the other: padding moves
one edge of a word, so a word and its neighbour share little."""
EQUAL_WEIGHT = 1.5
"""An equal word half a second away loses against another one in its very place: that is the replay worded otherwise."""


@dataclass(frozen=True, slots=True)
class Seam:
    """What was printed around the place where a replay begins, and up to where its words may be repetitions."""

    printed: tuple[PlacedWord, ...]
    until: int
    """Heard words that begin at or after this are new."""


@dataclass(frozen=True, slots=True)
class Sewn:
    """What is left of a heard turn, the seam for the next one, and whether the match leaves a doubt."""

    kept: tuple[PlacedWord, ...]
    seam: Seam
    doubtful: bool


def replay_start(before: bytes, after: bytes, settled: int, rate: int) -> int:
    """Return where a replay begins: in the last quiet point, else as early as `before` allows.

    `before` is audio that ends at `settled` (at most `OVERLAP_SECONDS`), `after` what follows it.
    """
    origin = settled - len(before) // 2
    runs = quiet_runs(before + after, rate)
    if not runs:
        return origin
    start, end = runs[-1]
    return settled if origin + end >= settled else origin + (start + end) // 2


def seam_at(printed: Sequence[PlacedWord], start: int, settled: int, rate: int) -> Seam:
    """Return the seam of a replay from `start` when everything before `settled` was transcribed."""
    if start >= settled:
        return Seam((), start)
    return Seam(tuple(word for word in printed if word.end > start), settled + round(TOLERANCE_SECONDS * rate))


def sew(seam: Seam, heard: Sequence[PlacedWord], rate: int) -> Sewn:
    """Drop from a heard turn what is already printed."""
    candidates = [word for word in heard if word.start < seam.until]
    pairs = _alignment(seam.printed, candidates, rate)
    partners = {heard_index for _, heard_index in pairs}
    kept = tuple(word for index, word in enumerate(heard) if index not in partners)
    passed = max((printed_index for printed_index, _ in pairs), default=-1) + 1
    unlike = any(key(seam.printed[one].text) != key(heard[other].text) for one, other in pairs)
    stranded = (
        any(index < max(partners) for index in range(len(candidates)) if index not in partners) if pairs else False
    )
    return Sewn(kept, Seam(seam.printed[passed:], seam.until), unlike or stranded)


def key(text: str) -> str:
    """Return what two spellings of one word share: case and punctuation vary with the turn's formatting."""
    return "".join(character for character in text.casefold() if character.isalnum())


def _alignment(printed: Sequence[PlacedWord], heard: Sequence[PlacedWord], rate: int) -> list[tuple[int, int]]:
    """Return the pairs (printed, heard) of the best monotone alignment."""
    rows, columns = len(printed), len(heard)
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            skipped = max(best[row + 1][column], best[row][column + 1])
            paired = _score(printed[row], heard[column], rate)
            best[row][column] = max(skipped, paired + best[row + 1][column + 1] if paired > 0 else 0.0)
    pairs = []
    row = column = 0
    while row < rows and column < columns:
        paired = _score(printed[row], heard[column], rate)
        if paired > 0 and best[row][column] == paired + best[row + 1][column + 1]:
            pairs.append((row, column))
            row, column = row + 1, column + 1
        elif best[row][column] == best[row + 1][column]:
            row += 1
        else:
            column += 1
    return pairs


def _score(printed: PlacedWord, heard: PlacedWord, rate: int) -> float:
    """Return how much speaks for two words being one; 0: nothing. Padding moves one edge of a word, not both."""
    if key(printed.text) == key(heard.text):
        distance = min(abs(printed.start - heard.start), abs(printed.end - heard.end)) / rate
        return max(0.0, EQUAL_WEIGHT * (1.0 - distance / TOLERANCE_SECONDS))
    shared = min(printed.end, heard.end) - max(printed.start, heard.start)
    shorter = max(1, min(printed.end - printed.start, heard.end - heard.start))
    return shared / shorter if shared >= SHARED_RATIO_MIN * shorter else 0.0
