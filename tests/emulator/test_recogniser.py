"""The real recogniser, on a synthetic voice; and what happens when its process dies."""

import os
import re
import shutil
import signal
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
import soxr
import trio

from stenod.emulator.assemblyai_settings import MODEL_DEFAULT
from stenod.emulator.engine import EngineError
from stenod.emulator.recogniser import open_recogniser

from .raw_client import STREAMING, connected, emulator

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("flite") is None, reason="needs the voice of flite"),
]
RATE = 16_000
SENTENCES = (
    "The quick brown fox jumps over the lazy dog near the river bank.",
    "She sells fresh fish at the market every Saturday morning.",
    "Please open the window before the meeting starts.",
    "We will need three more chairs for the people in the back room.",
    "The weather today is cold and cloudy with a chance of rain.",
    "The train to the airport leaves every twenty minutes.",
)


@pytest.fixture(scope="module")
def speech(tmp_path_factory) -> tuple[np.ndarray, list[float]]:
    """Half a minute of clear speech with pauses, and where each sentence is first heard, in seconds."""
    path = tmp_path_factory.mktemp("speech") / "x.wav"
    parts, onsets, at = [np.zeros(RATE // 2, np.int16)], [], RATE // 2
    for sentence in SENTENCES:
        subprocess.run(["flite", "-voice", "slt", "-t", sentence, "-o", path], check=True)
        with wave.open(str(path)) as file:
            assert file.getframerate() == RATE
            audio = np.frombuffer(file.readframes(1 << 30), np.int16)
        onsets.append((at + int((np.abs(audio) > 500).argmax())) / RATE)
        parts += [audio, np.zeros(RATE, np.int16)]
        at += len(audio) + RATE
    return np.concatenate(parts), onsets


def environment_of(pid: int) -> bytes:
    """Return a process's environment, as anybody may see it who may see the process."""
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_a_signal_to_the_group_is_the_parents_business(speech: tuple[np.ndarray, list[float]]) -> None:
    """`timeout` and a terminal tell all of a group: the child recognises on, for the parent has last words to take."""
    async with open_recogniser(RATE, 0.7) as engine:
        await engine.hear(bytes(RATE))  # it has begun
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(engine._process.pid, number)
        heard = await engine.hear(speech[0][: 6 * RATE].tobytes())
        assert [*heard, *await engine.end_turn()]


async def test_the_child_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in our environment is not in its own, where others may look."""
    monkeypatch.setenv("ASSEMBLYAI_API_KEY", "a-key-for-tests-6f1d2c")
    async with open_recogniser(RATE, 0.5) as engine:
        environment = environment_of(engine._process.pid)
    assert b"PATH=" in environment
    assert b"API_KEY" not in environment


async def recognise(audio, rate=RATE, chunk=0.1):
    """Return all hypotheses of one session."""
    hypotheses = []
    size = round(rate * chunk)
    async with open_recogniser(rate, 0.5) as engine:
        for at in range(0, len(audio), size):
            hypotheses += await engine.hear(audio[at : at + size].tobytes())
        hypotheses += await engine.end_turn()
        assert [] == await engine.end_turn()
    return hypotheses


def errors(reference, heard) -> int:
    """Return the least number of words to insert, delete or change."""
    row = list(range(len(heard) + 1))
    for i, expected in enumerate(reference, 1):
        last, row[0] = row[0], i
        for j, word in enumerate(heard, 1):
            last, row[j] = row[j], min(last + (expected != word), row[j] + 1, row[j - 1] + 1)
    return row[-1]


@pytest.mark.parametrize("rate", [RATE, 48_000])
async def test_half_a_minute_of_speech(rate, speech):
    """At most one word in ten is wrong, one turn a sentence, partials on the way, times within 0.2 s."""
    audio, onsets = speech
    if rate != RATE:
        audio = soxr.resample(audio, RATE, rate)
    hypotheses = await recognise(audio, rate)
    finals = [one for one in hypotheses if one.ended]
    reference = [word for one in SENTENCES for word in re.sub(r"[^a-z ]", "", one.lower()).split()]
    heard = [word.text for final in finals for word in final.words]
    assert errors(reference, heard) / len(reference) <= 0.1
    assert len(SENTENCES) == len(finals)
    assert onsets == pytest.approx([final.words[0].start / rate for final in finals], abs=0.2)
    assert len([one for one in hypotheses if not one.ended and one.words]) > 3 * len(finals)
    assert not any(re.search(r"[^a-z'.-]", word) for word in heard)


async def test_end_turn_in_the_middle(speech):
    """A forced end returns what was heard so far, and the rest is another turn."""
    audio, onsets = speech
    async with open_recogniser(RATE, 0.5) as engine:
        await engine.hear(audio[: int((onsets[0] + 1.5) * RATE)].tobytes())
        (first,) = await engine.end_turn()
        engine.set_pause(0.8)
        rest = await engine.hear(audio[int((onsets[0] + 1.5) * RATE) : int(onsets[1] * RATE)].tobytes())
    assert first.ended
    assert first.words
    assert any(one.ended and one.words[0].start >= first.words[-1].end for one in rest)


async def test_what_is_quiet_stays_quiet(speech):
    """No word is told that begins before what was called quiet while no turn was open; silence is quiet soon."""
    audio, _ = speech
    quiet = 0
    async with open_recogniser(RATE, 0.5) as engine:
        for at in range(0, 16 * RATE, RATE // 10):
            hypotheses = await engine.hear(audio[at : at + RATE // 10].tobytes())
            assert all(word.start >= quiet for one in hypotheses for word in one.words)
            assert at + RATE // 10 >= engine.quiet >= quiet
            quiet = engine.quiet if not hypotheses or hypotheses[-1].ended else quiet
        for _ in range(30):
            await engine.hear(bytes(RATE // 5))
        assert 19 * RATE - engine.quiet < RATE


async def test_silence_says_nothing():
    """Digital silence and faint noise are no turns."""
    noise = np.random.default_rng(0).normal(0, 15, 5 * RATE).astype(np.int16)
    assert [] == await recognise(np.concatenate((np.zeros(5 * RATE, np.int16), noise)))


async def test_a_child_that_dies_is_an_engine_error():
    """A crash of the recogniser ends its session's engine, and no more."""
    async with open_recogniser(RATE, 0.5) as engine:
        await engine.hear(bytes(3200))
        os.kill(engine._process.pid, signal.SIGKILL)
        with pytest.raises(EngineError, match="died"):
            await engine.hear(bytes(3200))


async def test_the_child_ends_with_its_block():
    """No process is left."""
    async with open_recogniser(RATE, 0.5) as engine:
        process = engine._process
    assert process.returncode is not None


async def test_the_child_ends_with_its_stdin():
    """A child whose parent is gone goes by itself."""
    async with open_recogniser(RATE, 0.5) as engine:
        await engine.hear(bytes(3200))
        await engine._process.stdin.aclose()
        with trio.fail_after(5):
            assert 0 == await engine._process.wait()


async def test_a_crash_closes_the_session_with_3005():
    """Over the wire a crash is a cancelled session, and the next session is served."""
    server = emulator(engine="pocketsphinx")
    query = STREAMING | {"speech_model": MODEL_DEFAULT}
    async with connected(server, query) as client:
        await client.until("Begin")
        command = ["pgrep", "-P", str(os.getpid()), "-f", "recogniser_child"]
        children = await trio.run_process(command, capture_stdout=True)
        os.kill(int(children.stdout.split()[0]), signal.SIGKILL)
        await client.say(bytes(2 * RATE))
        assert 3005 == (await client.drain())[0]
    assert "Session Cancelled: An error occurred" == client.messages[-1]["error"]
    async with connected(server, query) as client:
        await client.until("Begin")
