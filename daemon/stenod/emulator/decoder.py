"""Where in the oracle's timeline is this audio? The reading of `oracle`'s signal.

Theory. The decoder is in one of two states. *Following*: it knows which sample should come next, makes that stretch
of the signal again and compares. Equal to the last bit costs two array operations a message, and the first unequal
sample is the exact end of a run. Not equal but strongly correlated (resampled, louder, quieter) is followed too,
with the lag of the best correlation, and marked as not exact. *Searching*: it tries windows of one block at a step
of 2.5 ms, reads 32 tone pairs in each with one Fourier transform, takes the window whose pairs are decided most
clearly, turns its code into a position, aligns by correlation with the signal made again, believes it if it reads
the same once aligned (a few wrong bits correlate well too), and extends the run backwards to where it began.

What it returns tiles the audio it was given: each sample belongs to exactly one `Piece`, except that where a jump
joins two runs with equal samples at the seam both runs contain them (the data cannot tell; about one jump in a
hundred). A run of zeros is silence that somebody injected. What cannot be read is `unknown`; pieces shorter than 40
ms between two others may be.

Bounds: at most 80 ms of audio wait for more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice

import numpy as np
import numpy.typing as npt

from stenod.emulator.oracle import (
    BLOCKS_MAX,
    PAGE_BLOCKS,
    TONE_BIN_FIRST,
    TONES,
    Samples,
    block_samples_at,
    position_of,
    synthesize,
)

ZEROS_MIN = 16  # after resampling a single zero may be the signal's
SEAM_MAX = 16
SEARCH_STEPS_PER_BLOCK = 8
FINE_STEPS_PER_BLOCK = 32
CORRELATION_MIN = 0.85
CLARITY_MIN = 0.5
CANDIDATES_MAX = 6
WAITING_BLOCKS_MAX = 4


class Kind(Enum):
    """What a stretch of received audio is."""

    ORACLE = "oracle"
    SILENCE = "silence"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the session's samples `[start, start + count)` and, for `ORACLE`, the position of its first."""

    kind: Kind
    start: int
    count: int
    position: int = 0
    plan: str = ""
    exact: bool = False


@dataclass(frozen=True, slots=True)
class _Anchor:
    """Sample `index` of the waiting audio is sample `position` of the plan."""

    index: int
    position: int
    plan: str
    exact: bool


class Decoder:
    """Read one session's audio; see the module for the method."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._block = block_samples_at(rate)
        self._waiting: Samples = np.zeros(0, dtype=np.int16)
        self._start = 0
        self._next: tuple[str, int, bool] | None = None
        self._seam: Samples = np.zeros(0, dtype=np.int16)
        self._zeros_min = ZEROS_MIN
        bins = TONE_BIN_FIRST + 2 * np.arange(TONES)
        self._low_bins, self._high_bins = bins, bins + 1

    @property
    def resolved(self) -> int:
        """Session samples for which a piece has been returned."""
        return self._start

    def feed(self, samples: Samples) -> list[Piece]:
        """Return the pieces that these samples complete."""
        self._waiting = np.concatenate((self._waiting, samples)) if len(self._waiting) else samples
        return list(self._resolve(final=False))

    def finish(self) -> list[Piece]:
        """Return what is left, when no more audio will come."""
        return list(self._resolve(final=True))

    def _resolve(self, *, final: bool) -> Iterator[Piece]:
        while len(self._waiting):
            if self._next is not None:
                yield from self._follow(final=final)
                if self._next is not None:
                    return
                continue
            zeros = _leading_zeros(self._waiting)
            if zeros >= self._zeros_min:
                yield self._take(Kind.SILENCE, zeros)
                continue
            anchor = self._search(len(self._waiting))
            if anchor is None:
                yield from self._give_up(final=final)
                return
            yield from self._begin(anchor)

    def _take(self, kind: Kind, count: int, position: int = 0, plan: str = "", *, exact: bool = False) -> Piece:
        piece = Piece(kind, self._start, count, position, plan, exact)
        self._seam = self._waiting[max(0, count - SEAM_MAX) : count]
        self._zeros_min = 1 if exact or kind is Kind.SILENCE else ZEROS_MIN
        self._waiting = self._waiting[count:]
        self._start += count
        return piece

    # Following

    def _follow(self, *, final: bool) -> Iterator[Piece]:
        """Take what continues the current run; forget the run where something else begins."""
        assert self._next is not None
        plan, position, exact = self._next
        if exact:
            count = self._equal_samples(plan, position, self._waiting)
            if count:
                yield self._take(Kind.ORACLE, count, position, plan, exact=True)
            self._next = None if len(self._waiting) else (plan, position + count, True)
            return
        yield from self._follow_roughly(plan, position, final=final)

    def _equal_samples(self, plan: str, position: int, samples: Samples) -> int:
        if position < 0:
            return 0
        different = synthesize(position, len(samples), rate=self._rate, plan=plan) != samples
        return int(different.argmax()) if different.any() else len(samples)

    def _follow_roughly(self, plan: str, position: int, *, final: bool) -> Iterator[Piece]:
        """Follow by correlation: the whole message at once when it fits, block by block to find the end of a run."""
        while len(self._waiting):
            count = len(self._waiting)
            if count < self._block and not final:
                break
            lag = self._lag(plan, position, self._waiting, self._block // 20)
            if lag is None and count > self._block:
                count = self._block
                lag = self._lag(plan, position, self._waiting[:count], self._block // 20)
            if lag is None:
                self._next = None
                return
            position += lag
            if self._equal_samples(plan, position, self._waiting[:count]) == count:
                self._next = (plan, position, True)
                yield from self._follow(final=final)
                return
            yield self._take(Kind.ORACLE, count, position, plan)
            position += count
        self._next = (plan, position, False)

    def _lag(self, plan: str, position: int, samples: Samples, reach: int) -> int | None:
        """Return by how many samples the audio lies later in the plan than `position`, or None if it is not there."""
        start = max(0, position - reach)
        made = synthesize(start, len(samples) + 2 * reach, rate=self._rate, plan=plan).astype(np.float64)
        heard = samples.astype(np.float64)
        products = np.correlate(made, heard, mode="valid")
        energies = np.convolve(made * made, np.ones(len(heard)), mode="valid")
        norm = np.sqrt(energies * float(heard @ heard))
        scores = np.abs(products) / np.where(norm > 0, norm, np.inf)
        best = int(scores.argmax())
        return start + best - position if scores[best] >= CORRELATION_MIN else None

    # Searching

    def _search(self, end: int) -> _Anchor | None:
        """Find a block of the signal in the first `end` waiting samples, aligned to the sample; an exact one rather."""
        rough: _Anchor | None = None
        for steps in (SEARCH_STEPS_PER_BLOCK, FINE_STEPS_PER_BLOCK):
            for index, plan, block in self._candidates(end, max(1, self._block // steps)):
                anchor = self._align(index, plan, block, end)
                if anchor is not None and anchor.exact:
                    return anchor
                rough = rough or anchor
        return rough

    def _align(self, index: int, plan: str, block: int, end: int) -> _Anchor | None:
        """Shift a candidate to where the signal made again fits best; believe it if it then reads the same."""
        position = block * self._block
        lag = self._lag(plan, position, self._waiting[index : index + self._block], self._block // 8)
        if lag is None or not 0 <= index - lag <= end - self._block:
            return None
        index -= lag
        window = self._waiting[index : index + self._block]
        # A few wrong bits still correlate well; aligned, a true block decides each bit clearly.
        codes, clarities = self._read(window[None, :])
        if position_of(int(codes[0])) != (plan, block) or clarities[0].min() < CLARITY_MIN:
            return None
        exact = self._equal_samples(plan, position, window) == self._block
        return _Anchor(index, position, plan, exact)

    def _read(self, windows: Samples) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return the code of each window, and how clearly each of its bits is decided, from 0 to 1."""
        power = np.abs(np.fft.rfft(windows, axis=1)) ** 2
        low, high = power[:, self._low_bins], power[:, self._high_bins]
        clarities = np.abs(high - low) / np.maximum(high + low, 1.0)
        return (high > low).astype(np.int64) @ (1 << np.arange(TONES, dtype=np.int64)), clarities

    def _candidates(self, end: int, step: int) -> Iterator[tuple[int, str, int]]:
        """Yield window starts whose tones spell a valid code, the clearest first."""
        starts = np.arange(0, min(end, 8 * self._block) - self._block + 1, step)
        if not len(starts):
            return
        windows = self._waiting[starts[:, None] + np.arange(self._block)[None, :]]
        codes, clarities = self._read(windows)
        clarity = clarities.mean(axis=1)
        named = ((int(place), position_of(int(codes[place]))) for place in np.argsort(-clarity))
        good = ((place, name) for place, name in named if name is not None and name[1] < BLOCKS_MAX - PAGE_BLOCKS)
        for place, (plan, block) in islice(good, CANDIDATES_MAX):
            yield int(starts[place]), plan, block

    def _begin(self, anchor: _Anchor) -> Iterator[Piece]:
        """Start a run at the anchor, extended backwards to its first sample; before it may stand another run."""
        back = min(anchor.index, anchor.position)
        if anchor.exact:
            reach = self._equal_before(anchor.plan, anchor.position, self._waiting[anchor.index - back : anchor.index])
        else:
            reach = self._rough_reach(anchor, back)
        before = anchor.index - reach
        earlier = self._search(before) if before >= self._block else None
        if earlier is not None:
            yield from self._begin(earlier)
            return
        yield from self._split(before)
        position = anchor.position - reach
        self._next = (anchor.plan, position, anchor.exact)
        if anchor.exact and not before:
            seam = self._seam[len(self._seam) - min(len(self._seam), position) :]
            shared = self._equal_before(anchor.plan, position, seam)
            if shared:
                yield Piece(Kind.ORACLE, self._start - shared, shared, position - shared, anchor.plan, exact=True)

    def _equal_before(self, plan: str, position: int, samples: Samples) -> int:
        """Return how many samples, counted backwards, equal the signal that ends at `position`."""
        made = synthesize(position - len(samples), len(samples), rate=self._rate, plan=plan)
        different = np.flatnonzero(made != samples)
        return len(samples) - 1 - int(different[-1]) if len(different) else len(samples)

    def _rough_reach(self, anchor: _Anchor, back: int) -> int:
        """Return how far before a rough anchor the run goes, in quarter blocks."""
        quarter = self._block // 4
        reach = 0
        while reach < back:
            size = min(quarter, back - reach)
            end = anchor.index - reach
            position = anchor.position - reach - size
            if size < quarter // 2 or self._lag(anchor.plan, position, self._waiting[end - size : end], 2) is None:
                return back if back - reach < quarter // 2 else reach
            reach += size
        return reach

    def _give_up(self, *, final: bool) -> Iterator[Piece]:
        """Call the oldest waiting audio unknown when too much waits."""
        if final:
            yield from self._split(len(self._waiting))
        elif len(self._waiting) > WAITING_BLOCKS_MAX * self._block:
            yield from self._split(len(self._waiting) - 2 * self._block)

    def _split(self, count: int) -> Iterator[Piece]:
        """Take `count` samples that are not the signal: runs of zeros are silence, the rest is unknown."""
        while count > 0:
            zeros = min(count, _leading_zeros(self._waiting))
            if zeros >= self._zeros_min:
                yield self._take(Kind.SILENCE, zeros)
                count -= zeros
                continue
            until = _next_zero_run(self._waiting[:count])
            yield self._take(Kind.UNKNOWN, until)
            count -= until


def _leading_zeros(samples: Samples) -> int:
    nonzero = samples != 0
    return int(nonzero.argmax()) if nonzero.any() else len(samples)


def _next_zero_run(samples: Samples) -> int:
    """Return where the first run of at least `ZEROS_MIN` zeros begins, or the length."""
    if len(samples) < ZEROS_MIN:
        return len(samples)
    zero = np.concatenate(([0], np.cumsum(samples == 0)))
    full = np.flatnonzero(zero[ZEROS_MIN:] - zero[:-ZEROS_MIN] == ZEROS_MIN)
    return int(full[0]) if len(full) else len(samples)
