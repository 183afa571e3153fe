"""What is no raw audio, told by real files of each kind."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from stenod.core.containers import MARKS, bytes_needed, container

KINDS = {
    ("WAV", "PCM_16"): "WAV",
    ("RF64", "PCM_16"): "WAV",
    ("AIFF", "PCM_16"): "AIFF",
    ("CAF", "PCM_16"): "CAF",
    ("AU", "PCM_16"): "AU",
    ("FLAC", "PCM_16"): "FLAC",
    ("OGG", "VORBIS"): "Ogg",
    ("OGG", "OPUS"): "Ogg",
    ("MP3", "MPEG_LAYER_III"): "MP3",
}


def written(kind: str, subtype: str, rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(3).normal(0, 3000, rate).astype("<i2")
    soundfile.write(file, noise, rate, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_a_real_file_is_known(kind: str, subtype: str) -> None:
    """By as many bytes as it says it needs."""
    whole = written(kind, subtype)
    assert KINDS[kind, subtype] == container(whole[: bytes_needed(whole)])


@pytest.mark.parametrize("rate", [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_an_mp3_without_a_tag_is_known_at_every_rate(rate: int) -> None:
    """Whatever its version: two frames of it."""
    whole = written("MP3", "MPEG_LAYER_III", rate)
    frames = whole[whole.index(b"\xff") :]
    assert "MP3" == container(frames[: bytes_needed(frames[:4])])
    assert container(frames[: bytes_needed(frames[:4]) - 1]) is None


@pytest.mark.parametrize(
    ("start", "kind"), [(b"\0\0\0\x20ftypM4A ", "MP4"), (b"\x1aE\xdf\xa3\x9fB\x86\x81", "Matroska or WebM")]
)
def test_what_libsndfile_does_not_write(start: bytes, kind: str) -> None:
    """Their marks alone: the first box of a recording, and EBML's."""
    assert kind == container(start)


@given(st.binary(max_size=64))
def test_anything_may_be_raw_audio(start: bytes) -> None:
    """Nothing fails, and what has no mark is none of them."""
    marked = start[4:8] == b"ftyp" or any(start.startswith(mark) for mark in MARKS)
    assert marked == (container(start) is not None)
    assert 4 <= bytes_needed(start) <= 1445


def test_loud_audio_is_no_mp3() -> None:
    """A header alone is none, however often its first bytes come."""
    assert container(b"\xff\xfb\x90\x64" + bytes(1441)) is None
    assert container(np.full(2000, -1, "<i2").tobytes()) is None
