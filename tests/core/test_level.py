"""Levels and quiet with synthetic rooms; the dice are seeded."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.level import BLOCK_SECONDS, FLOOR_DB_MIN, LevelMeter, Reading, levels_db, reading

RATE = 16_000
BLOCK = 320
ROOMS_DB = [-80.0, -70.0, -60.0, -50.0, -40.0, -30.0]


def pcm(samples: np.ndarray) -> bytes:
    """Return samples of -1 to 1 as s16le."""
    return np.clip(np.round(samples * 32768.0), -32768, 32767).astype("<i2").tobytes()


def noise(level_db: float, seconds: float, seed: int = 0) -> np.ndarray:
    """Return white noise of this level."""
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * 10.0 ** (level_db / 20.0)


def speech(room_db: float, above_db: float, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Return bursts of 400 ms with 100 ms of room between, and which blocks are in a burst."""
    samples = noise(room_db, seconds, seed=2)
    voiced = (np.arange(len(samples)) % (RATE // 2)) < RATE * 2 // 5
    samples[voiced] *= 10.0 ** (above_db / 20.0)
    return samples, voiced[::BLOCK]


def quiets(meter: LevelMeter, samples: np.ndarray) -> list[bool]:
    """Add block by block and return whether each was quiet."""
    found = []
    for start in range(0, len(samples), BLOCK):
        meter.add(pcm(samples[start : start + BLOCK]))
        found.append(meter.quiet)
    return found


def settled(room_db: float, seconds: float = 40.0) -> LevelMeter:
    """Return a meter that has listened to an empty room."""
    meter = LevelMeter(RATE)
    meter.add(pcm(noise(room_db, seconds, seed=1)))
    return meter


@pytest.mark.parametrize("room_db", ROOMS_DB)
def test_a_room_and_a_voice(room_db: float) -> None:
    """The room's own noise is quiet, a voice 10 dB above it is not, and quiet is counted from its end."""
    meter = settled(room_db)
    assert all(quiets(meter, noise(room_db, 2.0, seed=3)))
    assert meter.quiet_seconds >= 2.0

    samples, voiced = speech(room_db, above_db=10.0, seconds=20.0)
    heard = quiets(meter, samples)
    assert not any(quiet for quiet, voice in zip(heard, voiced, strict=True) if voice)
    assert meter.quiet_seconds == pytest.approx(0.1)


@pytest.mark.parametrize("room_db", ROOMS_DB)
def test_loud_seconds_are_the_voice(room_db: float) -> None:
    """What is louder than the room is counted, in all, and an empty room adds nothing to it."""
    meter = settled(room_db)
    before = meter.loud_seconds
    samples, voiced = speech(room_db, above_db=10.0, seconds=20.0)
    meter.add(pcm(samples))
    assert meter.loud_seconds - before == pytest.approx(sum(voiced) * BLOCK_SECONDS)
    after = meter.loud_seconds
    meter.add(pcm(noise(room_db, 20.0, seed=6)))
    meter.add(bytes(2 * RATE))
    assert meter.loud_seconds == after


@pytest.mark.parametrize("room_db", [-80.0, -60.0, -50.0])
def test_a_voice_from_the_first_block_on(room_db: float) -> None:
    """A stream that begins with speech in an ordinary room is not taken for quiet once the room was heard once."""
    samples, voiced = speech(room_db, above_db=15.0, seconds=10.0)
    heard = quiets(LevelMeter(RATE), samples)
    first_pause = RATE * 2 // 5 // BLOCK
    late = zip(heard[first_pause + 5 :], voiced[first_pause + 5 :], strict=True)
    assert not any(quiet for quiet, voice in late if voice)


@pytest.mark.parametrize("room_db", [-40.0, -30.0, -20.0])
def test_a_loud_room_is_learnt(room_db: float) -> None:
    """Loud rooms are not quiet at first and become so by a decibel a second."""
    heard = quiets(LevelMeter(RATE), noise(room_db, 60.0))
    first = heard.index(True) * BLOCK_SECONDS
    expected = room_db - -55.0 - 6.0
    assert first == pytest.approx(expected, abs=1.5)
    assert all(heard[-500:])


def test_a_room_that_falls_silent_is_learnt_at_once() -> None:
    """When the fan stops, a voice 10 dB over the quieter room is heard as one without delay."""
    meter = settled(-30.0)
    meter.add(pcm(noise(-60.0, 0.1)))
    samples, voiced = speech(-60.0, above_db=10.0, seconds=2.0)
    assert not any(quiet for quiet, voice in zip(quiets(meter, samples), voiced, strict=True) if voice)


def test_exact_zeros_are_quiet() -> None:
    """A muted or dead microphone is quiet for as long as it lasts."""
    meter = LevelMeter(RATE)
    meter.add(bytes(2 * RATE))
    assert meter.quiet
    assert meter.quiet_seconds == pytest.approx(1.0)
    assert meter.level_db == FLOOR_DB_MIN


@pytest.mark.parametrize("room_db", ROOMS_DB)
def test_exact_zeros_are_no_room(room_db: float) -> None:
    """A moment of zeros (a muted microphone) costs a loud room no more than its first learning did."""
    meter = settled(room_db)
    meter.add(bytes(2 * BLOCK))
    heard = quiets(meter, noise(room_db, 60.0, seed=4))
    assert heard.index(True) * BLOCK_SECONDS <= max(0.0, room_db + 55.0)
    assert all(heard[-500:])


@pytest.mark.parametrize("voice_db", [-60.0, -50.0, -35.0, -20.0])
def test_a_gated_microphone(voice_db: float) -> None:
    """Zeros between words, 40 ms after a noise gate's voice has ended, neither hide the voice nor become the room."""
    meter = LevelMeter(RATE)
    samples, voiced = speech(voice_db - 25.0, above_db=25.0, seconds=90.0)
    samples[np.arange(len(samples)) % (RATE // 2) >= RATE * 2 // 5 + 2 * BLOCK] = 0.0
    zeros = ~samples.reshape(-1, BLOCK).any(axis=1)
    blocks = list(zip(quiets(meter, samples), voiced, zeros, strict=True))[RATE // 2 // BLOCK :]
    assert not any(quiet for quiet, voice, _ in blocks if voice)
    assert all(quiet for quiet, _, zero in blocks if zero)


def test_a_voice_between_zeros_does_not_become_the_room() -> None:
    """Where a file has nothing but zeros between its words, the voice stays loud, for minutes."""
    meter = LevelMeter(RATE)
    samples, voiced = speech(-45.0, above_db=25.0, seconds=180.0)
    samples[~np.repeat(voiced, BLOCK)] = 0.0
    assert [not voice for voice in voiced] == quiets(meter, samples)


def test_the_last_bit_is_no_voice() -> None:
    """Between a third of all samples at one step and all at two lie 10 dB, and nothing to hear."""
    meter = LevelMeter(RATE)
    meter.add(np.array([1] * 122 + [0] * (BLOCK - 122), "<i2").tobytes())
    assert meter.level_db == pytest.approx(-94.5, abs=0.1)
    meter.add(np.array([2] * BLOCK, "<i2").tobytes())
    assert meter.level_db == pytest.approx(-84.3, abs=0.1)
    assert meter.quiet


def test_a_long_sentence_does_not_become_the_room() -> None:
    """Three seconds without a pause, 10 dB over the room, are loud to their end."""
    meter = settled(-50.0)
    assert not any(quiets(meter, noise(-40.0, 3.0, seed=5)))


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("amplitude", [1.0, 0.5, 0.01])
def test_levels_of_a_sine(rate: int, amplitude: float) -> None:
    """A sine lies 3 dB below its amplitude, at any rate; each whole 20 ms has one level."""
    samples = amplitude * np.sin(np.arange(rate) * 2.0 * np.pi * 500.0 / rate)
    levels = levels_db(pcm(samples), rate)
    assert rate // round(rate * BLOCK_SECONDS) == len(levels)
    expected = 20.0 * math.log10(amplitude) - 10.0 * math.log10(2.0)
    assert [pytest.approx(expected, abs=0.1)] * len(levels) == levels


@pytest.mark.parametrize(
    ("samples", "levels"),
    [
        ([], []),
        ([1000] * (BLOCK - 1), []),
        ([0] * BLOCK, [-96.0]),
        ([-32768] * BLOCK, [0.0]),
        ([16384] * BLOCK * 2, [-6.0206] * 2),
        ([1] * BLOCK, [-90.309]),
        ([1] + [0] * (BLOCK - 1), [-96.0]),
    ],
)
def test_levels_of_constants(samples: list[int], levels: list[float]) -> None:
    """From full scale at 0 dB down to exact zeros at -96 dB; less than 20 ms has no level."""
    assert [pytest.approx(level, abs=1e-3) for level in levels] == levels_db(np.array(samples, "<i2").tobytes(), RATE)


@given(cuts=st.lists(st.integers(0, 50), max_size=6).map(sorted), seed=st.integers(0, 100))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_splits_on_block_borders_change_nothing(cuts: list[int], seed: int) -> None:
    """However whole blocks are handed over, levels, floor and quiet are the same."""
    audio = pcm(noise(-50.0, 50 * BLOCK_SECONDS, seed) * np.linspace(0.1, 3.0, 50 * BLOCK))
    pieces = [audio[2 * BLOCK * start : 2 * BLOCK * end] for start, end in zip([0, *cuts], [*cuts, 50], strict=True)]
    whole, split = LevelMeter(RATE), LevelMeter(RATE)
    whole.add(audio)
    for piece in pieces:
        split.add(piece)
    assert whole == split
    assert levels_db(audio, RATE) == [level for piece in pieces for level in levels_db(piece, RATE)]


# --- Readings of a second.


def pcm_of(*channels: np.ndarray) -> bytes:
    """Return channels of whole samples, interleaved."""
    return np.clip(np.round(np.stack(channels, axis=1)), -32768, 32767).astype("<i2").tobytes()


def test_a_reading_is_of_the_loudest_channel_without_what_is_constant() -> None:
    """An offset is no sound, and an empty channel beside a full one means nothing."""
    one = reading(pcm_of(np.zeros(16000), 32768.0 * noise(-40.0, 1.0) + 3000.0), 2)
    assert one.level_db == pytest.approx(-40.0, abs=0.2)
    assert (0.0, False) == (one.clipped_share, one.still)
    assert (
        one
        == reading(pcm_of(32768.0 * noise(-40.0, 1.0) + 3000.0), 1)
        == reading(pcm_of(np.zeros(16000), 32768.0 * noise(-40.0, 1.0)), 2, 2)
    )
    assert reading(pcm_of(np.zeros(16000), 32768.0 * noise(-40.0, 1.0)), 2, 1).still


@pytest.mark.parametrize("level", [-60.0, -75.0, -90.0])
def test_syllables_swing_and_a_room_does_not(level: float) -> None:
    """A fan, rumble 30 dB above it, and words 15 dB above it."""
    wave = np.cumsum(noise(0.0, 1.0, 2))
    rumble = (wave - wave.mean()) / wave.std() * 32768.0 * 10.0 ** ((level + 30.0) / 20.0)
    assert reading(pcm_of(32768.0 * noise(level, 1.0)), 1).swing_db < 2.0
    assert reading(pcm_of(32768.0 * noise(level, 1.0) + rumble), 1).swing_db < 4.0
    words = 32768.0 * noise(level + 15.0, 1.0) * np.repeat([1, 0, 1, 0], 4000)
    assert reading(pcm_of(32768.0 * noise(level, 1.0) + words), 1).swing_db > 10.0


def test_full_scale_is_counted_at_both_ends() -> None:
    """A sample below either is none."""
    assert 0.5 == reading(pcm_of(np.array([32767, -32768, 32766, -32767] * 100)), 1).clipped_share
    assert 0.5 == reading(pcm_of(np.zeros(4), np.array([32767, -32768, 32766, 0])), 2).clipped_share


def test_a_single_bit_is_not_still() -> None:
    """Exact is exact."""
    quiet = np.zeros(16000)
    assert reading(pcm_of(quiet), 1) == Reading(-96.0, 0.0, 0.0, still=True)
    quiet[7777] = 1
    assert not reading(pcm_of(quiet), 1).still
