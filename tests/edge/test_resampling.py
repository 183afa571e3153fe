"""The converter against what arithmetic says: positions, lengths, levels and cuts."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.source import SourceError
from stenod.edge.resampling import Converter

RATES = [8000, 11025, 16000, 22050, 44100, 48000]


def converted(
    pcm: bytes, rate_in: int, channels: int, rate_out: int, cuts: tuple[int, ...] = (), channel: int = 0
) -> np.ndarray:
    """Convert, cut into blocks at these frames."""
    converter = Converter(rate_in, channels, rate_out, channel=channel)
    edges = [0, *sorted(2 * channels * cut for cut in cuts), len(pcm)]
    blocks = [converter.feed(pcm[a:b]) for a, b in itertools.pairwise(edges)]
    return np.frombuffer(b"".join([*blocks, converter.finish()]), "<i2").astype(int)


def noise(frames: int, channels: int = 1, seed: int = 1) -> bytes:
    samples = np.random.default_rng(seed).integers(-32768, 32768, frames * channels)
    return samples.astype("<i2").tobytes()


def tone(frames: int, rate: int, hertz: float = 440.0, amplitude: float = 10000.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(frames) / rate)


def test_mono_at_the_wanted_rate_passes_bit_for_bit() -> None:
    """The commonest microphone is not touched at all."""
    pcm = noise(1000)
    converter = Converter(16000, 1, 16000)

    assert converter.feed(pcm) == pcm
    assert converter.finish() == b""


def test_channels_are_averaged_without_overflow() -> None:
    """Two channels at full scale give full scale, opposite ones give silence, and halves are rounded."""
    frames = [(32767, 32767), (-32768, -32768), (32767, -32767), (100, 201), (3, 0), (-3, 0)]
    pcm = np.array(frames, "<i2").tobytes()

    assert converted(pcm, 16000, 2, 16000).tolist() == [32767, -32768, 0, 150, 2, -2]


@pytest.mark.parametrize("channel", [1, 2, 3])
def test_one_channel_passes_bit_for_bit(channel: int) -> None:
    """The others leave no trace in it."""
    pcm = noise(1000, 3)

    assert (
        np.frombuffer(pcm, "<i2")[channel - 1 :: 3].tolist() == converted(pcm, 16000, 3, 16000, (10,), channel).tolist()
    )


def test_one_channel_is_resampled_as_if_it_were_alone() -> None:
    """Choosing comes first."""
    pcm = noise(4800, 2)
    alone = np.frombuffer(pcm, "<i2")[1::2].tobytes()

    assert converted(alone, 48000, 1, 16000).tolist() == converted(pcm, 48000, 2, 16000, (777,), 2).tolist()


def test_the_only_channel_may_be_named() -> None:
    """It is the first one."""
    pcm = noise(100)

    assert Converter(16000, 1, 16000, channel=1).feed(pcm) == pcm


def test_a_channel_that_is_not_there() -> None:
    """A person chose it, and must choose again; the sentence has all that takes."""
    with pytest.raises(SourceError) as caught:
        Converter(16000, 2, 16000, channel=3)

    assert 78 == caught.value.exit_code
    assert str(caught.value) == (
        "there is no channel 3 in the input, it has 2 (capture.channel); choose 1 to 2, or 0 for all"
    )


def test_many_channels_are_averaged() -> None:
    """A microphone array of eight is one mean."""
    pcm = np.array([[8 * n for n in range(8)]] * 3, "<i2").tobytes()

    assert converted(pcm, 16000, 8, 16000).tolist() == [28, 28, 28]


@pytest.mark.parametrize("rate_in", RATES)
@pytest.mark.parametrize("rate_out", RATES)
def test_a_tone_comes_out_as_the_same_tone_at_the_same_time(rate_in: int, rate_out: int) -> None:
    """Neither level nor phase moves: a shift of 0.1 ms would show as an error of 28 % here."""
    pcm = np.rint(tone(rate_in, rate_in)).astype("<i2").tobytes()

    got = converted(pcm, rate_in, 1, rate_out)

    assert abs(len(got) - rate_out) <= 1
    inside = slice(rate_out // 20, rate_out - rate_out // 20)  # the edges ring: the tone starts and stops there
    assert np.abs(got - tone(len(got), rate_out))[inside].max() < 20


@pytest.mark.parametrize("rate_in", RATES)
@pytest.mark.parametrize("frames", [0, 1, 2, 7, 320, 1601, 48000])
def test_the_length_is_the_input_scaled(rate_in: int, frames: int) -> None:
    """Not one sample is lost or made, so positions and seconds stay together over months."""
    assert abs(len(converted(noise(frames), rate_in, 1, 16000)) - round(frames * 16000 / rate_in)) <= 1


@pytest.mark.parametrize("rate_in", [8000, 44100, 48000])
def test_a_click_comes_out_where_it_went_in(rate_in: int) -> None:
    """An event at 0.7 s is at 0.7 s, within 5 ms (it is within one sample)."""
    samples = np.zeros(rate_in, "<i2")
    samples[int(0.7 * rate_in)] = 30000

    got = converted(samples.tobytes(), rate_in, 1, 16000)

    assert abs(int(np.argmax(np.abs(got))) - 0.7 * 16000) <= 1


def test_overshoot_is_clipped_and_does_not_wrap() -> None:
    """A full-scale square rings past full scale when it is filtered; a wrapped sample would be a loud click."""
    square = np.where(np.arange(48000) // 40 % 2, 32767, -32768).astype("<i2")

    got = converted(square.tobytes(), 48000, 1, 16000)

    inside = got[1000:-1000]
    assert inside.max() == 32767
    assert inside.min() == -32768
    half = np.arange(len(got)) % (80 / 3)  # the square's period at the new rate, in samples
    sure_low = (half > 4) & (half < 9)
    assert got[sure_low][100:-100].max() < 0


@settings(deadline=None, max_examples=60)
@given(
    rate_in=st.sampled_from(RATES),
    channels=st.integers(1, 3),
    frames=st.integers(0, 9000),
    cuts=st.lists(st.floats(0, 1), max_size=12),
    seed=st.integers(0, 99),
)
def test_any_cut_gives_the_same_output(rate_in: int, channels: int, frames: int, cuts: list[float], seed: int) -> None:
    """Blocks of whatever size, empty ones too, leave no click at their borders."""
    pcm = noise(frames, channels, seed)

    whole = converted(pcm, rate_in, channels, 16000)
    parts = converted(pcm, rate_in, channels, 16000, tuple(int(cut * frames) for cut in cuts))

    assert len(whole) == len(parts)
    assert np.abs(whole - parts).max(initial=0) <= 1


def test_a_finished_converter_refuses_to_go_on() -> None:
    """Audio after a hole must not be glued to the audio before it."""
    converter = Converter(48000, 1, 16000)
    converter.finish()

    with pytest.raises(AssertionError, match="finished"):
        converter.feed(b"\0\0")


def test_half_a_frame_is_refused() -> None:
    """A source that loses alignment is a fault to be found, not noise to be transcribed."""
    with pytest.raises(AssertionError, match="whole frames"):
        Converter(48000, 2, 16000).feed(b"\0\0")
