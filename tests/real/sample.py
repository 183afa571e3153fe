"""The sample that comes with stenod: real speech, and what is said in it."""

import json
from importlib import resources
from pathlib import Path

import soundfile
from daemon import RATE, Spoken, plain

SAMPLE = Path(str(resources.files("stenod") / "data" / "sample.flac"))
WRONG_WORDS_MAX = 0.25
"""The engine inside is modest; what it makes of the sample is at least this good."""


def sample_truth() -> list[Spoken]:
    """Return the words of the sample as its makers state them."""
    sentences = json.loads(SAMPLE.with_suffix(".json").read_text())["sentences"]
    return [Spoken(plain(one["text"]), one["start"], one["end"]) for said in sentences for one in said["words"]]


def sample_pcm() -> bytes:
    """Return it as s16le at 16 kHz."""
    audio, rate = soundfile.read(SAMPLE, dtype="int16")
    assert (rate, 1) == (RATE, audio.ndim)
    return bytes(audio.astype("<i2").tobytes())
