"""Where a replay begins, and which of its words are already printed.

A replay begins at the last quiet point before the first word that was not final; then nothing overlaps. Without quiet,
it begins two seconds before the end of the last final, and the overlap is matched by monotone alignment: a heard word
is the printed one when their times lie within 1.2 s and order is kept; equal text counts for more than mere nearness.
(Real providers pad a turn's first word up to 1 s early and its last 0.25 s late, and word a replay differently now and
then.) A heard word with a partner is dropped, one without is kept: in doubt a word comes twice rather than not at all,
and the seam is marked.

A session that hears a stretch which others have gone on from (a *late* one) has a seam at its end too: it hears two
seconds more where no quiet is, and what those who went on have printed is theirs.

Positions are samples of the stream.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from stenod.core.level import QUIET_RUN_SECONDS, quiet_runs
from stenod.core.timeline import FOREVER
from stenod.core.turns import PlacedWord

OVERLAP_SECONDS = 2.0
AFTER_SECONDS = 0.2
"""How far behind the settled audio a quiet point is looked for: the shortest fits."""
CUT_TRUST_SECONDS = 0.3
"""Words that end this close to a cut within speech may be halves: the other side of the cut says them whole."""
EDGE_SECONDS = 0.02
"""A block of the meter: this close to the end of the quiet a word may have begun."""
TOLERANCE_SECONDS = 1.2
SHARED_RATIO_MIN = 0.6
"""Words that differ in text are the same word only when the shorter one lies this much within the other: padding moves
one edge of a word, so a word and its neighbour share little."""
SAME_PLACE_SECONDS = 0.06
"""Two words whose beginnings and ends differ by no more were said in one place: a recogniser's times are as exact."""
EQUAL_WEIGHT = 1.5
"""An equal word half a second away loses against another one in its very place: that is the replay worded otherwise."""


@dataclass(frozen=True, slots=True)
class Seam:
    """What was printed around the place where a replay begins, and up to where its words may be repetitions."""

    printed: tuple[PlacedWord, ...]
    until: int
    """Heard words that begin at or after this are new."""
    torn_until: int = 0
    """A heard word that begins before this is half of one that somebody else has said whole, or will."""
    settled: int = 0
    """Where the share begins: no word that ends behind this was said whole by others."""


@dataclass(frozen=True, slots=True)
class EndSeam:
    """What was printed by those who went on at `end`, where a late session's share ends."""

    printed: tuple[PlacedWord, ...]
    end: int
    heard_until: int = FOREVER
    """The late session's audio ended here: a word that is said to end there may be said to end later by others."""
    met: bool = False
    """A word of theirs was heard: what follows is theirs too."""


@dataclass(frozen=True, slots=True)
class Sewn:
    """What is left of a heard turn, the seam for the next one, and whether the match leaves a doubt."""

    kept: tuple[PlacedWord, ...]
    seam: Seam
    doubtful: bool


@dataclass(frozen=True, slots=True)
class SewnEnd:
    """The same at a late session's end."""

    kept: tuple[PlacedWord, ...]
    seam: EndSeam
    doubtful: bool


def replay_start(before: bytes, after: bytes, settled: int, rate: int) -> int:
    """Return where a replay begins: in the last quiet point, else as early as `before` allows.

    `before` is audio that ends at `settled` (at most `OVERLAP_SECONDS`), `after` what follows it. Quiet that begins
    behind `settled` is none: what ends before it is a word that would be heard from its middle. Nor does a replay begin
    right at the end of a quiet point, which is known to a block only: a word may have begun.
    """
    origin = settled - len(before) // 2
    runs = [
        (origin + start, origin + end) for start, end in quiet_runs(before + after, rate) if origin + start <= settled
    ]
    if not runs:
        return origin
    start, end = runs[-1]
    middle, edge = (start + end) // 2, round(EDGE_SECONDS * rate)
    if end < settled:
        return middle
    goes_on = end + edge > settled + len(after) // 2
    return settled if goes_on else min(settled, max(middle, end - edge))


def live_start(before: bytes, tail: int, rate: int) -> int | None:
    """Return the last quiet point of audio that ends at `tail`, or None: where two sessions part that hear no overlap.

    Nobody knows yet what comes at the tail: a pause goes on, or a stop's closure ends and its sound begins. So they
    part half the shortest quiet point before its end, or in its middle.
    """
    runs = quiet_runs(before, rate)
    if not runs:
        return None
    start, end = (tail - len(before) // 2 + place for place in runs[-1])
    return max((start + end) // 2, end - round(QUIET_RUN_SECONDS * rate) // 2)


def replay_end(before: bytes, after: bytes, end: int, rate: int) -> tuple[int, int]:
    """Return up to where a session hears whose share ends at `end`, and up to where it is believed.

    Both are there, where it is quiet, else beyond it: at the next quiet point, or as far as `after` reaches (at most
    `OVERLAP_SECONDS`), and then its last words may be halves.
    """
    origin = end - len(before) // 2
    reach = end + len(after) // 2
    for start, stop in quiet_runs(before + after, rate):
        if origin + stop >= end:
            quiet = end if origin + start <= end else origin + (start + stop) // 2
            return quiet, FOREVER
    return reach, max(end, reach - round(CUT_TRUST_SECONDS * rate))


def seam_at(printed: Sequence[PlacedWord], start: int, settled: int, rate: int, *, torn: bool = False) -> Seam:
    """Return the seam of a replay from `start` whose share begins at `settled`.

    What lies before was transcribed, or will be by another session, which hears its words whole. A replay that begins
    as early as it may begins within speech (`torn`: this one does anyhow), and its first word may be a half; any other
    begins in the quiet, and a word that is said to begin there is a padded one.
    """
    if start >= settled:
        return Seam((), start)
    before = tuple(word for word in printed if word.end > start)
    torn = torn or settled - start >= round(OVERLAP_SECONDS * rate)
    torn_until = start + round(CUT_TRUST_SECONDS * rate) if torn else 0
    return Seam(before, settled + round(TOLERANCE_SECONDS * rate), torn_until, settled)


def end_seam_at(printed: Sequence[PlacedWord], end: int, heard_until: int = FOREVER) -> EndSeam:
    """Return the seam of a late session's end. Those who began there, in a quiet point, repeated nothing."""
    early = any(word.start < end for word in printed)
    return EndSeam(tuple(printed) if early else (), end, heard_until)


def sew(seam: Seam, heard: Sequence[PlacedWord], rate: int) -> Sewn:
    """Drop from a heard turn what is already printed."""
    candidates = [word for word in heard if word.start < seam.until]
    pairs = _alignment(seam.printed, candidates, partial(_score_at_start, seam, rate=rate))
    partners = {heard_index for _, heard_index in pairs}
    kept = tuple(word for index, word in enumerate(heard) if index not in partners and not _torn(seam, word))
    passed = max((printed_index for printed_index, _ in pairs), default=-1) + 1
    unlike = any(key(seam.printed[one].text) != key(heard[other].text) for one, other in pairs)
    stranded = (
        any(index < max(partners) for index in range(len(candidates)) if index not in partners) if pairs else False
    )
    return Sewn(kept, replace(seam, printed=seam.printed[passed:]), unlike or stranded)


def sew_end(seam: EndSeam, heard: Sequence[PlacedWord], rate: int) -> SewnEnd:
    """Leave out of a heard turn what those who went on have printed.

    From the first word that is theirs on, the late session keeps only what lies in its own share: what they had whole,
    they said.
    """
    pairs = _alignment(seam.printed, heard, partial(_score, rate=rate, whole=True))
    # Unlike words are one only where an equal pair follows, or in the very same place: the last of a turn may be the
    # one before a padded one.
    while pairs and not _is_certain(seam, seam.printed[pairs[-1][0]], heard[pairs[-1][1]], rate):
        pairs.pop()
    partners = {heard_index for _, heard_index in pairs}
    first = 0 if seam.met else min(partners, default=len(heard))
    kept = tuple(
        word
        for index, word in enumerate(heard)
        if index not in partners and ((index < first and bool(pairs)) or (word.start + word.end) // 2 < seam.end)
    )
    passed = max((printed_index for printed_index, _ in pairs), default=-1) + 1
    unlike = any(key(seam.printed[one].text) != key(heard[other].text) for one, other in pairs)
    stranded = any(index > first and index not in partners and word in kept for index, word in enumerate(heard))
    left = replace(seam, printed=seam.printed[passed:], met=seam.met or bool(pairs))
    return SewnEnd(kept, left, unlike or stranded)


def key(text: str) -> str:
    """Return what two spellings of one word share: case and punctuation vary with the turn's formatting."""
    return "".join(character for character in text.casefold() if character.isalnum())


def _alignment(
    printed: Sequence[PlacedWord], heard: Sequence[PlacedWord], score: Callable[[PlacedWord, PlacedWord], float]
) -> list[tuple[int, int]]:
    """Return the pairs (printed, heard) of the best monotone alignment."""
    rows, columns = len(printed), len(heard)
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            skipped = max(best[row + 1][column], best[row][column + 1])
            paired = score(printed[row], heard[column])
            best[row][column] = max(skipped, paired + best[row + 1][column + 1] if paired > 0 else 0.0)
    pairs = []
    row = column = 0
    while row < rows and column < columns:
        paired = score(printed[row], heard[column])
        if paired > 0 and best[row][column] == paired + best[row + 1][column + 1]:
            pairs.append((row, column))
            row, column = row + 1, column + 1
        elif best[row][column] == best[row + 1][column]:
            row += 1
        else:
            column += 1
    return pairs


def _torn(seam: Seam, word: PlacedWord) -> bool:
    return word.start < seam.torn_until and word.end <= seam.settled


def _is_certain(seam: EndSeam, printed: PlacedWord, heard: PlacedWord, rate: int) -> bool:
    """Whether two words are one without looking at their neighbours: padding moves one edge, never both."""
    printed_end = min(printed.end, seam.heard_until) if heard.end >= seam.heard_until else printed.end
    edges = max(abs(printed.start - heard.start), abs(printed_end - heard.end))
    return key(printed.text) == key(heard.text) or edges <= SAME_PLACE_SECONDS * rate


def _score_at_start(seam: Seam, printed: PlacedWord, heard: PlacedWord, *, rate: int) -> float:
    """Return `_score`; what may be half a word lies in the place of many, and is one of them only by its text."""
    if _torn(seam, heard) and key(printed.text) != key(heard.text):
        return 0.0
    return _score(printed, heard, rate=rate)


def _score(printed: PlacedWord, heard: PlacedWord, *, rate: int, whole: bool = False) -> float:
    """Return how much speaks for two words being one; 0: nothing. Padding moves one edge of a word, not both.

    `whole`: words that differ in text must cover each other. At a late session's end the printed word may be padded
    over the one before it, which nobody else says.
    """
    shared = max(0, min(printed.end, heard.end) - max(printed.start, heard.start))
    lengths = (printed.end - printed.start, heard.end - heard.start)
    if key(printed.text) == key(heard.text):
        distance = min(abs(printed.start - heard.start), abs(printed.end - heard.end)) / rate
        nearness = 1.0 - distance / TOLERANCE_SECONDS
        # Whoever says "no, no, no" has equal neighbours: the word in the very place is the one.
        return EQUAL_WEIGHT * nearness + shared / max(1, *lengths) if nearness > 0 else 0.0
    length = max(1, max(lengths) if whole else min(lengths))
    return shared / length if shared >= SHARED_RATIO_MIN * length else 0.0
