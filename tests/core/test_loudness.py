"""How loud is loud: figures that can be reckoned, and the word for each."""

import math

import numpy as np
import pytest

from stenod.core.gauge import Level
from stenod.core.loudness import SILENCE, Loudness, loudest

RATE = 16000


def tone(amplitude: float, seconds: float = 1.0, channels: int = 1) -> bytes:
    """Return a tone of this amplitude in all channels."""
    wave = amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)
    return np.repeat(np.clip(np.rint(wave), -32768, 32767).astype("<i2"), channels).tobytes()


@pytest.mark.parametrize("channels", [1, 2])
def test_a_tone_has_its_level_and_its_peak(channels: int) -> None:
    """A tenth of full scale peaks at -20 dB, and its RMS is 3 dB below."""
    found = Loudness.of(tone(3276.8, channels=channels), RATE, channels)
    assert found.peak_db == pytest.approx(-20.0, abs=0.01)
    assert found.level_db == pytest.approx(-23.0, abs=0.1)
    assert (Level.GOOD, 0.0) == (found.sound, found.clipped_share)


def test_the_level_is_that_of_the_loudest_20_ms() -> None:
    """A word in a quiet second counts in full."""
    found = Loudness.of(tone(3.0, 0.5) + tone(3276.8, 0.1) + tone(3.0, 0.4), RATE)
    assert found.level_db == pytest.approx(-23.0, abs=0.2)


def test_less_than_a_block_is_measured_as_a_whole() -> None:
    """A block of a few samples has a level too."""
    assert Loudness.of(np.full(10, 3277, "<i2").tobytes(), RATE).level_db == pytest.approx(-20.0, abs=0.01)


@pytest.mark.parametrize(
    ("pcm", "sound"),
    [
        (bytes(2 * RATE), Level.MUTED),
        (bytes(2 * RATE - 2) + b"\x01\x00", Level.QUIET),
        (tone(20.0), Level.QUIET),
        (tone(200.0), Level.GOOD),
        (tone(32767.0 * 1.5), Level.CLIPPING),
        (tone(200.0) + b"\xff\x7f", Level.GOOD),
        (b"", Level.MUTED),
    ],
    ids=["zeros", "one-step", "quiet", "speech", "clipping", "click", "nothing"],
)
def test_each_has_its_word(pcm: bytes, sound: Level) -> None:
    """One step of one sample is no zero; one full sample is a click and no clipping."""
    assert sound is Loudness.of(pcm, RATE).sound


def test_the_lowest_sample_is_full_scale() -> None:
    """It has no positive twin."""
    found = Loudness.of(np.full(RATE, -32768, "<i2").tobytes(), RATE)
    assert (0.0, 1.0) == (found.peak_db, found.clipped_share)
    assert not math.isinf(found.level_db)


def test_several_are_as_loud_as_their_loudest() -> None:
    """And none is silence."""
    quiet, loud = Loudness(-60.0, -50.0, 0.0), Loudness(-30.0, -20.0, 0.1)
    assert loud == loudest([quiet, loud])
    assert SILENCE == loudest([])
