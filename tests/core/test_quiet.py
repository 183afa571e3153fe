"""The gate: what is quiet for long is told, what is said never is, nor the first syllable of it."""

import itertools
from importlib import resources
from itertools import pairwise

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.level import levels_db
from stenod.core.quiet import QuietGate
from stenod.core.timeline import Span

RATE = 16_000


def noise(seconds: float, level_db: float, seed: int = 1) -> np.ndarray:
    """A room: white noise of this level."""
    return np.random.default_rng(seed).normal(0.0, 32768 * 10 ** (level_db / 20), round(seconds * RATE))


def tone(seconds: float, level_db: float) -> np.ndarray:
    """A sound."""
    return np.sin(np.arange(round(seconds * RATE)) * 0.3) * 32768 * 10 ** (level_db / 20) * np.sqrt(2)


def pcm(*parts: np.ndarray) -> bytes:
    """Samples one after the other."""
    return np.clip(np.concatenate(parts), -32768, 32767).astype("<i2").tobytes()


def listened(audio: bytes, *, hold: float = 2.0, preroll: float = 0.5, at_once: int = 1600) -> list[Span]:
    """Return all that turned out to be quiet."""
    gate = QuietGate(RATE, hold, preroll)
    found = []
    for at in range(0, len(audio), 2 * at_once):
        gate.hear(audio[at : at + 2 * at_once])
        found += gate.quiet()
    return [*found, *gate.quiet(ended=True)]


def covered(spans: list[Span]) -> list[tuple[float, float]]:
    """Merge and return seconds."""
    merged: list[list[int]] = []
    for span in spans:
        if merged and merged[-1][1] == span.start:
            merged[-1][1] = span.end
        else:
            merged.append([span.start, span.end])
    return [(start / RATE, end / RATE) for start, end in merged]


def test_a_sound_is_sent_with_what_leads_to_it_and_follows_it() -> None:
    """The hold behind it, the pre-roll before it; what lies between is quiet."""
    audio = pcm(noise(10.0, -60), tone(1.0, -30), noise(10.0, -60, 2))
    assert [(pytest.approx(2.0, abs=0.1), 9.5), (pytest.approx(13.0, abs=0.1), 21.0)] == covered(listened(audio))


def test_undecided_is_only_the_pre_roll() -> None:
    """As long as it lasts, all but the last half second is known to be quiet."""
    gate = QuietGate(RATE, 2.0, 0.5)
    gate.hear(pcm(noise(10.0, -60)))
    assert gate.asleep
    assert gate.open_until == 2 * RATE
    assert 9.5 * RATE == gate.quiet()[-1].end
    gate.hear(pcm(tone(0.02, -30)))
    assert not gate.asleep
    assert gate.open_until == gate.heard_until
    assert [] == gate.quiet()


def test_a_pause_within_the_hold_is_no_quiet() -> None:
    """Somebody thinks."""
    audio = pcm(tone(1.0, -30), noise(1.9, -60), tone(1.0, -30), noise(1.9, -60), tone(1.0, -30))
    assert [] == listened(audio)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(1, 5000), st.lists(st.tuples(st.booleans(), st.floats(0.02, 6.0)), min_size=1, max_size=6))
def test_the_portions_do_not_matter(at_once: int, parts: list[tuple[bool, float]]) -> None:
    """However the audio comes, in whole blocks: the same stretches, in order, disjoint."""
    blocks = [round(seconds * 50) / 50 for _, seconds in parts]
    audio = pcm(*(tone(s, -25) if loud else noise(s, -65) for (loud, _), s in zip(parts, blocks, strict=True)))
    one, many = listened(audio, at_once=320 * 10**6), listened(audio, at_once=320 * (1 + at_once // 320))
    assert covered(one) == covered(many)
    assert all(left.end <= right.start for left, right in itertools.pairwise(many))


@pytest.mark.parametrize("room_db", [-70.0, -55.0, -40.0])
@pytest.mark.parametrize("seed", range(3))
def test_speech_ten_decibels_over_the_room_is_never_quiet(room_db: float, seed: int) -> None:
    """Real sentences between minutes of noise, as faint as that: no word falls into the quiet, nor a part of one."""
    with resources.files("stenod.data").joinpath("sample.flac").open("rb") as file:
        speech, rate = soundfile.read(file, dtype="float64")
    assert rate == RATE
    speech *= 32768.0
    truth = msgspec.json.decode(resources.files("stenod.data").joinpath("sample.json").read_bytes())
    words = [word for sentence in truth["sentences"] for word in sentence["words"]]
    loud = [level for level in levels_db(speech.astype("<i2").tobytes(), RATE) if level > -45]
    speech *= 10 ** ((room_db + 10.0 - float(np.mean(loud))) / 20)
    room = noise(240.0 + len(speech) / RATE, room_db, seed)
    begin = 120 * RATE
    room[begin : begin + len(speech)] += speech
    quiet = covered(listened(pcm(room), hold=5.0, preroll=1.0))
    said = [(120.0 + word["start"], 120.0 + word["end"]) for word in words]
    assert len(said) > 50
    assert [] == [(s, e) for s, e in said if any(start < e and s < end for start, end in quiet)]
    assert sum(end - start for start, end in quiet) > 60.0


def coloured(seconds: float, level_db: float, power: float, seed: int = 3) -> np.ndarray:
    """Noise whose spectrum falls with frequency: 1 is pink, 2 is brown, as rooms are."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
    spectrum /= np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20.0) ** (power / 2)
    samples = np.fft.irfft(spectrum, count)
    return samples / np.sqrt(np.mean(samples**2)) * 32768 * 10 ** (level_db / 20)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("level_db", [-60.0, -45.0])
def test_a_real_room_becomes_quiet(power: float, level_db: float) -> None:
    """Rumble and hiss: after some minutes at most, all but a little of ten minutes without a word is quiet."""
    quiet = listened(pcm(coloured(600.0, level_db, power)), hold=5.0, preroll=1.0)
    assert sum(span.count for span in quiet) > 400 * RATE


def test_the_room_of_the_sample_is_quiet() -> None:
    """Its own pauses, one after the other."""
    with resources.files("stenod.data").joinpath("sample.flac").open("rb") as file:
        samples, _ = soundfile.read(file, dtype="int16")
    truth = msgspec.json.decode(resources.files("stenod.data").joinpath("sample.json").read_bytes())["sentences"]
    gaps = [(one["end"] + 0.2, two["start"] - 0.2) for one, two in pairwise(truth)]
    room = np.concatenate([samples[round(start * RATE) : round(end * RATE)] for start, end in gaps])
    quiet = listened(np.tile(room, 60)[: 300 * RATE].astype("<i2").tobytes(), hold=5.0, preroll=1.0)
    assert sum(span.count for span in quiet) > 200 * RATE
