"""How loud a stretch of audio is, in the words of a person who sets up a microphone: muted, quiet, clipping or good.

Pure. The daemon's own ears (`level`) are relative to the room; a person who looks for the right microphone wants
absolute figures: decibels below full scale, where 0 is as loud as samples can say.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from stenod.core.gauge import CLIPPED_SHARE, Level
from stenod.core.level import FLOOR_DB_MIN, levels_db

FULL_SCALE = 32768.0
QUIET_DB = -60.0
"""The loudest 20 ms of speech at arm's length is 20 dB louder with any microphone that is turned up; a room in which
nobody speaks is about as quiet."""
SAMPLE_BYTES = 2
SAMPLE_MIN, SAMPLE_MAX = -32768, 32767


@dataclass(frozen=True, slots=True)
class Loudness:
    """Of one stretch of s16le, any number of channels."""

    level_db: float
    """The loudest 20 ms (RMS), or all of it where it is shorter; -96 for exact zeros."""
    peak_db: float
    """The largest sample; -96 for exact zeros."""
    clipped_share: float
    """Of the samples, those at full scale."""

    @classmethod
    def of(cls, pcm: bytes, rate: int, channels: int = 1) -> "Loudness":
        """Measure a stretch of whole frames."""
        samples = struct.unpack(f"<{len(pcm) // SAMPLE_BYTES}h", pcm)
        if not samples:
            return SILENCE
        highest, lowest = max(samples), min(samples)
        clipped = samples.count(SAMPLE_MAX) + samples.count(SAMPLE_MIN)
        levels = levels_db(pcm, rate * channels) or [_db(math.sqrt(sum(one * one for one in samples) / len(samples)))]
        return cls(max(levels), _db(max(highest, -lowest)), clipped / len(samples))

    @property
    def sound(self) -> Level:
        """What it says about the microphone."""
        if self.peak_db <= FLOOR_DB_MIN:
            return Level.MUTED
        if self.clipped_share > CLIPPED_SHARE:
            return Level.CLIPPING
        return Level.QUIET if self.level_db < QUIET_DB else Level.GOOD


SILENCE = Loudness(FLOOR_DB_MIN, FLOOR_DB_MIN, 0.0)


def loudest(many: Sequence[Loudness]) -> Loudness:
    """Return one for several stretches; of none it is silence."""
    return Loudness(
        max((one.level_db for one in many), default=FLOOR_DB_MIN),
        max((one.peak_db for one in many), default=FLOOR_DB_MIN),
        max((one.clipped_share for one in many), default=0.0),
    )


def _db(amplitude: float) -> float:
    return max(FLOOR_DB_MIN, 20.0 * math.log10(amplitude / FULL_SCALE)) if amplitude else FLOOR_DB_MIN
