"""Synthetic audio that knows where it is: every 20 ms block names its own position and plan.

Theory. A block carries a 32-bit code: 28 bits of block number (62 days), 2 bits of plan, 2 fixed bits as a check,
all stirred by a bijection so that neighbours differ in half of their bits. Bit `b` is a tone of `200 + 100 b` Hz, or
50 Hz higher when it is set: 32 tones at once between 200 and 3350 Hz, orthogonal over 20 ms, which a telephone band,
a resampler and a change of level leave intact. The tones of eight bits are summed once into a table of 256
waveforms, so a block costs four look-ups. Word blocks are loud (about -18 dBFS), all others are the same code 42 dB
lower: quiet, known to the sample, and still readable.

No sample of it is ever exactly zero, so a zero in received audio was always put there by somebody else.

`synthesize` is a pure function of position: any slice equals the same slice of a longer one, to the bit, within one
machine. The truth about its words is `words_between`. The reading is in `decoder`.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from stenod.emulator.plans import BLOCKS_PER_SECOND, PLAN_NAMES, PLANS, Dice, loud_spans, words_between

__all__ = ["PLAN_NAMES", "block_samples_at", "code_of", "position_of", "synthesize", "words_between"]

Samples = npt.NDArray[np.int16]
POSITION_BITS = 28
BLOCKS_MAX = 1 << POSITION_BITS
TONES = 32
TONE_BIN_FIRST = 4  # 200 Hz in bins of 50 Hz
AMPLITUDE_LOUD = 1000.0  # rms 4,000; 32 tones never clip
AMPLITUDE_QUIET = 8.0  # 42 dB lower: rms 32
PAGE_BLOCKS = 500
_CHECK = 0b10
_STIR_FIRST, _STIR_SECOND = 0x9E3779B1, 0x85EBCA77
_UNSTIR_FIRST, _UNSTIR_SECOND = pow(_STIR_FIRST, -1, 1 << 32), pow(_STIR_SECOND, -1, 1 << 32)


def block_samples_at(rate: int) -> int:
    """Return the samples of one block; the rate must be a multiple of 50 Hz."""
    if rate % BLOCKS_PER_SECOND:
        msg = f"cannot code audio at {rate} Hz: the rate must be a multiple of {BLOCKS_PER_SECOND} Hz"
        raise ValueError(msg)
    return rate // BLOCKS_PER_SECOND


def code_of(blocks: npt.NDArray[np.int64], plan: str) -> npt.NDArray[np.uint32]:
    """Return the 32-bit code of each block number."""
    plain = blocks.astype(np.uint32) | np.uint32(PLANS[plan].number << POSITION_BITS | _CHECK << POSITION_BITS + 2)
    code = plain * np.uint32(_STIR_FIRST)
    code ^= code >> np.uint32(16)
    code *= np.uint32(_STIR_SECOND)
    return code


def position_of(code: int) -> tuple[str, int] | None:
    """Return plan and block number of a code, or None when its check bits are wrong."""
    plain = code * _UNSTIR_SECOND & 0xFFFFFFFF
    plain ^= plain >> 16
    plain = plain * _UNSTIR_FIRST & 0xFFFFFFFF
    if plain >> POSITION_BITS + 2 != _CHECK:
        return None
    return PLAN_NAMES[plain >> POSITION_BITS & 0b11], plain & BLOCKS_MAX - 1


@lru_cache(maxsize=8)
def _waveforms(rate: int, amplitude: float) -> npt.NDArray[np.int16]:
    """Return the waveform of each value of each of the code's four bytes: shape (4, 256, samples of a block)."""
    size = block_samples_at(rate)
    dice = Dice(0x70E)
    phases = np.array([dice.between(0, 999) / 1000 for _ in range(2 * TONES)]) * 2 * np.pi
    bins = TONE_BIN_FIRST + np.arange(2 * TONES)
    time = np.arange(size) / size
    tones = amplitude * np.sin(2 * np.pi * bins[:, None] * time[None, :] + phases[:, None])
    table = np.zeros((4, 256, size), dtype=np.int16)
    bits = np.arange(256)[:, None] >> np.arange(8)[None, :] & 1
    for byte in range(4):
        chosen = 2 * (8 * byte + np.arange(8))[None, :] + bits
        table[byte] = np.rint(tones[chosen].sum(axis=1)).astype(np.int16)
    table.setflags(write=False)
    return table


@lru_cache(maxsize=32)
def _page(number: int, rate: int, plan: str) -> Samples:
    """Return ten seconds of the signal, read-only; both ends of a test share this cache."""
    first = number * PAGE_BLOCKS
    if first < 0 or first + PAGE_BLOCKS > BLOCKS_MAX:
        msg = f"cannot synthesize block {first}: positions run from 0 to {BLOCKS_MAX}"
        raise ValueError(msg)
    codes = code_of(np.arange(first, first + PAGE_BLOCKS), plan)
    loud = np.zeros(PAGE_BLOCKS, dtype=bool)
    for start, end in loud_spans(first, first + PAGE_BLOCKS, plan):
        loud[start - first : end - first] = True
    page = np.empty((PAGE_BLOCKS, block_samples_at(rate)), dtype=np.int16)
    for chosen, amplitude in ((loud, AMPLITUDE_LOUD), (~loud, AMPLITUDE_QUIET)):
        table = _waveforms(rate, amplitude)
        byte = codes[chosen]
        total = table[0][byte & 0xFF]
        for place in range(1, 4):
            total += table[place][byte >> np.uint32(8 * place) & 0xFF]
        page[chosen] = total
    page[page == 0] = 1
    flat = page.reshape(-1)
    flat.setflags(write=False)
    return flat


def synthesize(start_sample: int, count: int, *, rate: int = 16_000, plan: str = "dialogue") -> Samples:
    """Return `count` samples of the endless signal from `start_sample` on."""
    size = PAGE_BLOCKS * block_samples_at(rate)
    number, offset = divmod(start_sample, size)
    if offset + count <= size:
        return _page(number, rate, plan)[offset : offset + count].copy()
    pieces: list[np.ndarray[Any, np.dtype[np.int16]]] = []
    while count > 0:
        piece = _page(number, rate, plan)[offset : offset + count]
        pieces.append(piece)
        count -= len(piece)
        number, offset = number + 1, 0
    return np.concatenate(pieces)
