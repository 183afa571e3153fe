"""The sample that is shipped with stenod: its audio, and its words as its makers state them."""

import json
from importlib import resources
from pathlib import Path

import soundfile
from daemon import RATE, Spoken, Stenod, alignment, plain

SAMPLE = Path(str(resources.files("stenod") / "data" / "sample.flac"))
WRONG_WORDS_MAX = 0.25
TIME_SECONDS_MAX = 0.5
RECORDS = {"session", "final", "status", "gap"}
"""All that may come without being asked for."""


def sample_truth() -> list[Spoken]:
    """Return the words of the sample as its makers state them."""
    sentences = json.loads(SAMPLE.with_suffix(".json").read_text())["sentences"]
    return [Spoken(plain(one["text"]), one["start"], one["end"]) for said in sentences for one in said["words"]]


def sample_pcm() -> bytes:
    """Return its audio as s16le."""
    audio, rate = soundfile.read(SAMPLE, dtype="int16")
    assert (rate, 1) == (RATE, audio.ndim)
    return bytes(audio.astype("<i2").tobytes())


def check_sample(daemon: Stenod, *, late_seconds: float = 0.0) -> None:
    """At most one word in four is wrong, and those that match are where they were said, so much later."""
    expected, actual = sample_truth(), daemon.words
    distance, pairs = alignment([word.text for word in expected], [word.text for word in actual])
    assert distance <= WRONG_WORDS_MAX * len(expected), (" ".join(word.text for word in actual), daemon.told)
    assert pairs
    for i, j in pairs:
        assert abs(expected[i].start + late_seconds - actual[j].start) <= TIME_SECONDS_MAX, (expected[i], actual[j])
        assert abs(expected[i].end + late_seconds - actual[j].end) <= TIME_SECONDS_MAX, (expected[i], actual[j])
    assert {line["type"] for line in daemon.lines} <= RECORDS
    assert daemon.stdout.endswith(b"\n")
