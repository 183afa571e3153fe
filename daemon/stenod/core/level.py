"""Loudness: levels, quiet stretches, exact zeros, full scale. The only module of `core` with numpy.

A room is never silent, so quiet is relative: below the noise floor that the meter has learnt, plus a margin. The
floor follows quickly downwards and slowly upwards, so that a long sentence does not become the new floor. Exact zeros
(a muted microphone, a noise gate) are quiet but no room: they only undo what was learnt of a loud one.
"""

import math
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from stenod.core.zeros import is_zeros

Samples = npt.NDArray[np.float64]

BLOCK_SECONDS = 0.02
QUIET_MARGIN_DB = 6.0
"""Speech 10 dB over the noise must never be taken for quiet."""
FLOOR_DB_MIN = -96.0
FLOOR_RISE_DB_PER_SECOND = 1.0
FLOOR_START_DB = -55.0
PEAK_FALL_DB_PER_SECOND = 0.2
PAUSE_BELOW_PEAK_DB = 12.0
QUIET_BELOW_LOUD_DB = 15.0
QUIET_RUN_SECONDS = 0.18
"""What is shorter may be the closure of a stop within a word."""
SILENT_DB = -50.0
ROOM_BLOCKS = 5
RUMBLE_HZ = 150.0
ROOM_RISE_DB_PER_SECOND = 0.1
"""A fan that is switched on takes minutes to become the room: until then it is sent, which is the safe side."""
TENTHS = 10
ROUNDING_SECONDS = 1e-6
"""Of a sum of blocks."""


def levels_db(pcm: bytes, rate: int) -> list[float]:
    """Return the level of each whole 20 ms block, in dB below full scale (RMS; -96 for exact zeros)."""
    size = round(rate * BLOCK_SECONDS)
    samples = np.frombuffer(pcm, dtype="<i2")
    count = len(samples) // size
    if count == 0:
        return []
    blocks = samples[: count * size].reshape(count, size).astype(np.float64) / 32768.0
    power = np.mean(blocks * blocks, axis=1)
    return [float(level) for level in 10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DB_MIN / 10.0)))]


@dataclass(frozen=True, slots=True)
class Reading:
    """How loud a second of raw audio is."""

    level_db: float
    """RMS below full scale, without what is constant; of the loudest channel; -96 at least."""
    swing_db: float
    """Between its softest and its loudest tenth, without rumble: syllables and pauses swing, a fan does not."""
    clipped_share: float
    """Of the samples at either end of the scale, in the channel that has most of them."""
    still: bool
    """No sample differs from the one before: zeros, or the one value that a dead converter gives."""


def reading(pcm: bytes, channels: int, channel: int = 0) -> Reading:
    """Read the level of a second of interleaved audio: of one channel, counted from 1, or of all."""
    if is_zeros(pcm):  # a mute of a day costs next to nothing
        return Reading(level_db=FLOOR_DB_MIN, swing_db=0.0, clipped_share=0.0, still=True)
    samples = np.frombuffer(pcm, dtype="<i2").reshape(-1, channels)
    heard = samples[:, channel - 1 : channel] if channel else samples
    powers = np.var(heard, axis=0, dtype=np.float64) / 32768.0**2
    loudest = int(powers.argmax())
    steps = np.diff(heard[:, loudest].astype(np.float64)) / 32768.0
    tenths = [_decibels(float(np.mean(part * part))) for part in np.array_split(steps, TENTHS) if len(part)]
    clipped = ((heard == 32767) | (heard == -32768)).mean(axis=0).max()
    return Reading(
        level_db=_decibels(float(powers[loudest])),
        swing_db=max(tenths, default=0.0) - min(tenths, default=0.0),
        clipped_share=float(clipped),
        still=not powers[loudest],
    )


def _decibels(power: float) -> float:
    return 10.0 * math.log10(max(power, 10.0 ** (FLOOR_DB_MIN / 10.0)))


@dataclass(slots=True)
class LevelMeter:
    """Follows one stream.

    *Quiet* is what is no louder than the room. A *pause* is quiet too, and clearly below what was loud lately: where
    one may cut. Music that never changes becomes the room after a while; a pause it is not.
    """

    rate: int
    floor_db: float = FLOOR_START_DB
    peak_db: float = FLOOR_DB_MIN
    level_db: float = FLOOR_DB_MIN
    quiet_seconds: float = 0.0
    """How long it has been quiet, up to the last block."""
    pause_seconds: float = 0.0
    """How long the pause has lasted, up to the last block."""
    loud_seconds: float = 0.0
    """In all, since the beginning."""

    def add(self, pcm: bytes) -> None:
        """Take contiguous audio into account; a remainder below 20 ms is not looked at."""
        for level in levels_db(pcm, self.rate):
            self.level_db = level
            if level <= FLOOR_DB_MIN:
                self.floor_db = min(self.floor_db, FLOOR_START_DB)
            elif level < self.floor_db:
                self.floor_db = max(level, FLOOR_DB_MIN + QUIET_MARGIN_DB)
            else:
                self.floor_db = min(level, self.floor_db + FLOOR_RISE_DB_PER_SECOND * BLOCK_SECONDS)
            if self.quiet:
                self.quiet_seconds += BLOCK_SECONDS
            else:
                self.quiet_seconds = 0.0
                self.loud_seconds += BLOCK_SECONDS
            self.peak_db = max(level, self.peak_db - PEAK_FALL_DB_PER_SECOND * BLOCK_SECONDS)
            self.pause_seconds = self.pause_seconds + BLOCK_SECONDS if self._pause else 0.0

    def pause_after(self, pcm: bytes, seconds: float) -> int | None:
        """Return after how many samples of what comes next a pause lasts `seconds`; None where none does."""
        ahead = replace(self)
        size = 2 * round(self.rate * BLOCK_SECONDS)
        for end in range(size, len(pcm) + 1, size):
            ahead.add(pcm[end - size : end])
            if ahead.pause_seconds >= seconds - ROUNDING_SECONDS:
                return end // 2
        return None

    @property
    def quiet(self) -> bool:
        """Whether the last block was no louder than the room."""
        return self.level_db <= self.floor_db + QUIET_MARGIN_DB

    @property
    def _pause(self) -> bool:
        return self.quiet and self.level_db <= max(SILENT_DB, self.peak_db - PAUSE_BELOW_PEAK_DB)


@dataclass(slots=True)
class RoomMeter:
    """Tells for each 20 ms whether there is more to hear than the room, over minutes and hours.

    A room's noise is mostly rumble, and 20 ms of it vary by 10 dB and more; without what lies below 150 Hz, in 100 ms,
    it varies by 2 to 4. The floor is what was quietest of late, and rises so slowly that no sentence becomes the room.
    """

    rate: int
    floor_db: float = FLOOR_START_DB
    _before: Samples = field(default_factory=lambda: np.zeros(0))
    _powers: deque[float] = field(default_factory=lambda: deque(maxlen=ROOM_BLOCKS))

    @property
    def block(self) -> int:
        """Samples in one block."""
        return round(self.rate * BLOCK_SECONDS)

    def loud(self, pcm: bytes) -> list[bool]:
        """Take contiguous audio into account; one answer a block, a remainder at the end has none."""
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64) / 32768.0
        count = len(samples) // self.block
        whole = self._without_rumble(samples)[: count * self.block].reshape(count, self.block)
        return [self._louder(power) for power in np.mean(whole * whole, axis=1)]

    def _louder(self, power: float) -> bool:
        self._powers.append(power)
        level = 10.0 * float(np.log10(max(sum(self._powers) / len(self._powers), 10.0 ** (FLOOR_DB_MIN / 10.0))))
        if level <= FLOOR_DB_MIN:
            self.floor_db = min(self.floor_db, FLOOR_START_DB)
        elif level < self.floor_db:
            self.floor_db = max(level, FLOOR_DB_MIN + QUIET_MARGIN_DB)
        else:
            self.floor_db = min(level, self.floor_db + ROOM_RISE_DB_PER_SECOND * BLOCK_SECONDS)
        return level > self.floor_db + QUIET_MARGIN_DB

    def _without_rumble(self, samples: Samples) -> Samples:
        """Subtract the mean of the last 1/150 s from each sample."""
        span = max(1, round(self.rate / RUMBLE_HZ))
        if len(self._before) < span:
            self._before = np.concatenate([np.zeros(span - len(self._before)), self._before])
        joined = np.concatenate([self._before, samples])
        self._before = joined[-span:]
        sums = np.cumsum(joined)
        return samples - (sums[span:] - sums[:-span]) / span if len(samples) else samples


def quiet_runs(pcm: bytes, rate: int) -> list[tuple[int, int]]:
    """Return the quiet stretches of 180 ms and more as (start, end) in samples.

    Quiet is relative to what is loud in the same audio, because nothing else is known of the room; audio that is
    nowhere louder than -50 dB is quiet as a whole.
    """
    levels = levels_db(pcm, rate)
    if not levels:
        return []
    loud = float(np.percentile(levels, 90))
    limit = loud - QUIET_BELOW_LOUD_DB if loud > SILENT_DB else SILENT_DB
    size = round(rate * BLOCK_SECONDS)
    runs: list[tuple[int, int]] = []
    for index, level in enumerate(levels):
        if level > limit:
            continue
        start, end = index * size, (index + 1) * size
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return [(start, end) for start, end in runs if end - start >= QUIET_RUN_SECONDS * rate]
