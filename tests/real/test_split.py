"""Channels that are streams, with real processes: one recorder, one state directory, one output, two speakers."""

import json
import random
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import trio
from daemon import RATE, Spoken, alignment, parent_of, plain, running_with, speaks, stenod, together, words_of
from server import ANY_KEY, TIME_SECONDS_MAX, emulator
from soundserver import PARTS, SoundServer, listening, sound_of

from stenod.core.audit import audit
from stenod.edge.inspection import read
from stenod.emulator.oracle import synthesize, words_between

pytestmark = [pytest.mark.real, pytest.mark.slow]

PLANS = {"court-judge": "dialogue", "court-counsel": "continuous"}
COURT = {"STENOD_CAPTURE_CHANNEL_NAMES": "judge,counsel", "STENOD_STREAM": "court"}
SECONDS = 24.0
KILLS = 3
WRONG_WORDS_MAX = 0.25
SAMPLE = Path(str(resources.files("stenod") / "data" / "sample.flac"))
PACED = """
import os, sys, time
print(os.getpid(), file=open(sys.argv[2], "a"), flush=True)
pcm = open(sys.argv[1], "rb").read()
started = time.monotonic()
for number, start in enumerate(range(0, len(pcm), 6400), 1):
    sys.stdout.buffer.write(pcm[start:start + 6400])
    sys.stdout.buffer.flush()
    time.sleep(max(0.0, started + number * 0.1 - time.monotonic()))
time.sleep(60)
"""
"""A recorder with two channels, which notes each start; it does not end by itself."""


def both(seconds: float) -> np.ndarray[Any, Any]:
    """Return the oracle with a plan on each channel."""
    return np.stack([synthesize(0, round(seconds * RATE), plan=plan) for plan in PLANS.values()], axis=1)


def check(lines: list[dict[str, Any]], captured: dict[str, int]) -> None:
    """Over the outputs of several runs: each stream has its own words, each once, at its time, up to what it captured.

    A line that was being printed at a kill may come again with its id; a word that the end went through comes in part.
    """
    once = list({line["id"]: line for line in lines}.values())
    for stream, plan in PLANS.items():
        printed = words_of([line for line in once if line["stream"] == stream])
        known = {text: (start / RATE, end / RATE) for text, start, end in words_between(0, captured[stream], plan)}
        whole = [text for text, (_, end) in known.items() if end * RATE <= captured[stream]]
        told = Counter(word.text for word in printed if not word.text.startswith("frag-"))
        assert Counter(whole) == told, (stream, Counter(whole) - told, told - Counter(whole))
        for word in printed:
            if word.text in known:
                start, end = known[word.text]
                assert abs(word.start - start) <= TIME_SECONDS_MAX, (stream, word, start)
                assert abs(word.end - end) <= TIME_SECONDS_MAX, (stream, word, end)


def tails(journal: Path) -> dict[str, int]:
    """Return what a sound journal has captured of each stream; nothing of it is pending."""
    stocks = read(journal)
    for stock in stocks:
        found = audit(stock)
        assert ((), 0.0) == (found.faults, found.seconds["pending"]), (stock.stream, found)
    return {stock.stream: stock.tail for stock in stocks}


async def said(place: Path, *words: str) -> tuple[int, str]:
    """Run a command to its end; return its code and what it printed."""
    async with stenod(place, *words) as command:
        return await command.end(), bytes(command.stdout).decode()


@together
async def test_a_file_over_crashes(place: Path) -> None:
    """Killed in mid-speech, again and again, each stream goes on where it was; then the commands know both of them."""
    dice, lines = random.Random(5), list[dict[str, Any]]()
    soundfile.write(place / "court.wav", both(SECONDS), RATE, subtype="PCM_16")
    journal = place / "journal"
    async with emulator(place / "server") as server:
        words = ("run", "--input", str(place / "court.wav"), "--state-dir", str(journal), "--log-format", "json")
        words += ("--provider", "assemblyai", "--endpoint", server.url)
        for kill in range(KILLS + 1):
            async with stenod(place, *words, **ANY_KEY, **COURT) as daemon:
                if kill == KILLS:
                    assert 0 == await daemon.end()
                else:
                    await daemon.until(speaks("final"))
                    await trio.sleep(dice.uniform(0.0, 4.0))
                    daemon.process.kill()
                    await daemon.process.wait()
                    await trio.sleep(0.2)
                lines += daemon.lines
    assert set(PLANS) == {line["stream"] for line in lines}
    assert {stream: round(SECONDS * RATE) for stream in PLANS} == tails(journal)
    check(lines, tails(journal))
    for stream in PLANS:
        code, out = await said(place, "tail", "--state-dir", str(journal), "--stream", stream)
        own = [line for line in lines if line["stream"] == stream]
        assert (0, list({line["id"]: line for line in own}.values())) == (code, list(map(json.loads, out.splitlines())))
    code, out = await said(place, "status", "--json", "--state-dir", str(journal))
    assert (0, sorted(PLANS)) == (code, [json.loads(line)["stream"] for line in out.splitlines()])
    code, out = await said(place, "verify", "--state-dir", str(journal))
    assert (0, [f"{stream}: sound" for stream in sorted(PLANS)]) == (
        code,
        [line.split(";")[0] for line in out.splitlines()],
    )


@together
async def test_a_recorder_runs_once_for_all_channels(place: Path) -> None:
    """Recorded with nobody there to transcribe it; what waits is told, and transcribed later: one stream, then all."""
    (place / "court.raw").write_bytes(both(60.0).astype("<i2").tobytes())
    journal, started = str(place / "journal"), place / "started"
    recorder = shlex.join([sys.executable, "-c", PACED, str(place / "court.raw"), str(started)])
    words = ("run", "--input", f"command:{recorder}", "--channels", "2", "--state-dir", journal)
    words += ("--provider", "assemblyai", "--on-fatal", "hold")
    async with stenod(place, *words, "--endpoint", "ws://127.0.0.1:9", **ANY_KEY, **COURT) as daemon:
        await daemon.until(lambda one: one.log("session.ended"))
        await trio.sleep(6.0)
        daemon.interrupt(signal.SIGTERM)
        assert 0 == await daemon.end()
    assert 1 == len(started.read_text().split())
    assert sorted(PLANS) == sorted(sentence.split("--stream ")[1].split()[0] for sentence in daemon.sentences)
    (resume,) = [one.partition("to transcribe: ")[2].partition(";")[0] for one in daemon.sentences if "-judge" in one]
    lines = list[dict[str, Any]]()
    async with emulator(place / "server") as server:
        rest = ["run", "--input", "none", "--state-dir", journal, "--provider", "assemblyai"]
        for chosen in (shlex.split(resume)[1:], rest):
            async with stenod(place, *chosen, "--endpoint", server.url, **ANY_KEY, **COURT) as daemon:
                assert 0 == await daemon.end()
                lines += daemon.lines
            assert lines[0]["stream"] == "court-judge"
            assert {line["stream"] for line in daemon.lines} == {daemon.lines[0]["stream"]}
    captured = tails(Path(journal))
    assert list(captured) == sorted(PLANS)
    assert min(captured.values()) > 5 * RATE
    assert max(captured.values()) - min(captured.values()) == 0
    check(lines, captured)


@together
async def test_the_engine_inside_hears_each_channel(place: Path) -> None:
    """One engine for all: the sample on one channel, the same later on the other, each with its own times."""
    audio, rate = soundfile.read(SAMPLE, dtype="int16")
    assert rate == RATE
    late = 3 * RATE
    noise = np.random.default_rng(1).integers(-9, 9, (2, len(audio) + late)).astype(np.int16)
    noise[0, : len(audio)] += audio
    noise[1, late:] += audio
    soundfile.write(place / "court.wav", noise.T, RATE, subtype="PCM_16")
    async with stenod(place, "run", "--input", str(place / "court.wav"), **COURT) as daemon:
        assert 0 == await daemon.end(120.0)
    spoken = json.loads(SAMPLE.with_suffix(".json").read_text())["sentences"]
    expected = [Spoken(plain(one["text"]), one["start"], one["end"]) for said in spoken for one in said["words"]]
    for stream, seconds in (("court-judge", 0.0), ("court-counsel", 3.0)):
        actual = words_of([line for line in daemon.lines if line["stream"] == stream])
        distance, pairs = alignment([word.text for word in expected], [word.text for word in actual])
        assert distance <= WRONG_WORDS_MAX * len(expected), actual
        assert all(abs(expected[i].start + seconds - actual[j].start) <= 0.5 for i, j in pairs)
    assert [] == list(daemon.state_home.iterdir())


@together
async def test_a_microphone_is_opened_once_for_all_channels(place: Path, require: Callable[[str], None]) -> None:
    """One process reads the device, and each stream's session hears its own channel, exactly, at the same times."""
    for program in PARTS:
        require(program)
    sound = await trio.to_thread.run_sync(SoundServer)
    with sound:
        await trio.to_thread.run_sync(partial(sound.load_microphone, channels=2))
        async with emulator(place / "server") as server:
            words = ("run", "--input", "mic", "--provider", "assemblyai", "--endpoint", server.url)
            words += ("--state-dir", str(place / "journal"))
            async with stenod(place, *words, **(sound_of(sound) | ANY_KEY | COURT)) as daemon:
                await listening(sound)
                await trio.to_thread.run_sync(sound.play, both(60.0).astype("<i2").tobytes())
                await daemon.until(speaks("final", 2))
                found = running_with("stenod.edge.microphone")
                children = [pid for pid in found if parent_of(pid) == daemon.process.pid]
                daemon.interrupt(signal.SIGTERM)
                assert 0 == await daemon.end()
            await server.stop()
    assert 1 == len(children)
    ids = {one["id"]: one["session"] for one in server.of("opened")}
    offsets = dict[str, float]()
    for ready in (line for line in daemon.of("session") if line["event"] == "ready"):
        heard = [one for one in server.of("heard") if one["session"] == ids[ready["provider_session"]]]
        assert {PLANS[ready["stream"]]} == {one["plan"] for one in heard if one["kind"] == "oracle"}
        assert all(one["exact"] for one in heard if one["kind"] == "oracle")
    for stream, plan in PLANS.items():
        known = {text: start / RATE for text, start, _ in words_between(0, 60 * RATE, plan)}
        printed = words_of([line for line in daemon.of("final") if line["stream"] == stream])
        apart = [word.start - known[word.text] for word in printed if word.text in known]
        assert max(apart) - min(apart) <= TIME_SECONDS_MAX
        offsets[stream] = apart[-1]
    assert abs(offsets["court-judge"] - offsets["court-counsel"]) <= TIME_SECONDS_MAX
    assert set(PLANS) == set(tails(place / "journal"))
