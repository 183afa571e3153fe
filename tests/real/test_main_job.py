"""The main job with real processes: speech goes in by every door, and comes out as JSON lines."""

import fcntl
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import trio
from daemon import RATE, Stenod, alignment, parent_of, running_with, speaks, stenod, together
from sample import check_sample, sample_pcm, sample_truth
from server import ANY_KEY, check_finals, check_heard, check_words, emulator, quiet_end, speech
from soundserver import PARTS, SoundServer, listening, sound_of

pytestmark = [pytest.mark.real, pytest.mark.slow]

POSITION_SAMPLES_MAX = RATE * 5 // 1000
PACED = """
import sys, time
pcm = open(sys.argv[1], "rb").read()
started = time.monotonic()
for number, start in enumerate(range(0, len(pcm), 3200), 1):
    sys.stdout.buffer.write(pcm[start:start + 3200])
    sys.stdout.buffer.flush()
    time.sleep(max(0.0, started + number * 0.1 - time.monotonic()))
time.sleep(60)
"""
"""A recorder, to stenod: it writes audio as it comes, and does not end by itself."""


def stereo_flac(place: Path, pcm: bytes) -> Path:
    """Write mono s16le at 16 kHz as a FLAC at 44.1 kHz with two channels."""
    audio = soxr.resample(np.frombuffer(pcm, "<i2"), RATE, 44100, quality="VHQ")
    soundfile.write(place / "talk.flac", np.stack([audio, audio], axis=1), 44100)
    return place / "talk.flac"


def check_gone(daemon: Stenod) -> None:
    """Nothing is left of the run."""
    assert [] == list(daemon.state_home.iterdir())
    assert [] == daemon.sentences


@together
async def test_the_sample_is_transcribed_without_a_key_or_a_sound_card(place: Path) -> None:
    """One command on a fresh machine: words, times, nothing but JSON lines, and nothing left behind."""
    async with stenod(place, "run", "--input", "sample") as daemon:
        assert 0 == await daemon.end()
        check_sample(daemon)
        check_gone(daemon)
        final = daemon.of("final")[0]
        assert (
            "type stream id start end started_at ended_at text words language provider session late doubtful recovered"
            == " ".join(final)
        )


@together
async def test_standard_input_is_transcribed(place: Path) -> None:
    """A program that pipes raw audio in, as it is recorded."""
    async with stenod(place, "run", "--input", "-", stdin=subprocess.PIPE) as daemon:
        await daemon.feed(sample_pcm())
        assert 0 == await daemon.end()
        check_sample(daemon)
        check_gone(daemon)


@together
async def test_a_recogniser_that_stands_still_costs_no_word(place: Path) -> None:
    """A machine that is too slow for it: what it has not processed does not count as heard, and is heard again."""
    async with stenod(place, "run", "--input", "-", stdin=subprocess.PIPE) as daemon, trio.open_nursery() as nursery:
        nursery.start_soon(daemon.feed, sample_pcm())
        await daemon.until(lambda one: one.fed >= 6 * RATE)
        (recogniser,) = [pid for pid in running_with("recogniser_child") if parent_of(pid) == daemon.process.pid]
        os.kill(recogniser, signal.SIGSTOP)
        assert 0 == await daemon.end(120)
        check_sample(daemon)
        check_gone(daemon)


@together
async def test_standard_input_in_another_format_is_transcribed(place: Path) -> None:
    """Raw stereo at 48 kHz, as a sound server's monitor gives it."""
    audio = soxr.resample(np.frombuffer(sample_pcm(), "<i2"), RATE, 48000, quality="VHQ")
    pcm = np.repeat(audio, 2).astype("<i2").tobytes()
    words = ("run", "--input", "-", "--rate", "48000", "--channels", "2")
    async with stenod(place, *words, stdin=subprocess.PIPE) as daemon:
        await daemon.feed(pcm, rate=2 * 48000)
        assert 0 == await daemon.end()
        check_sample(daemon)
        check_gone(daemon)


@together
async def test_a_file_of_another_format_is_transcribed(place: Path) -> None:
    """A stereo FLAC at 44.1 kHz is made mono at the stream's rate."""
    path = await trio.to_thread.run_sync(stereo_flac, place, sample_pcm())
    async with stenod(place, "run", "--input", str(path)) as daemon:
        assert 0 == await daemon.end()
        check_sample(daemon)
        check_gone(daemon)


@together
async def test_a_command_is_transcribed(place: Path) -> None:
    """A program that records: it goes on until we stop, and its process ends with ours."""
    (place / "talk.raw").write_bytes(sample_pcm())
    (place / "recorder.py").write_text(PACED)
    words = shlex.join([sys.executable, str(place / "recorder.py"), str(place / "talk.raw")])
    async with stenod(place, "run", "--input", f"command:{words}") as daemon:
        await daemon.until(lambda one: len(one.words) >= 0.75 * len(sample_truth()))
        await trio.sleep(4)
        daemon.interrupt()
        assert 0 == await daemon.end(15)
        check_sample(daemon)
        check_gone(daemon)
    assert [] == running_with(str(place / "recorder.py"))


@together
async def test_a_microphone_is_transcribed(place: Path, require: Callable[[str], None]) -> None:
    """A microphone of a sound server, through the system's own libraries."""
    for program in PARTS:
        require(program)
    server = await trio.to_thread.run_sync(SoundServer)
    with server:
        await trio.to_thread.run_sync(server.load_microphone)
        async with stenod(place, "run", "--input", "mic", **sound_of(server)) as daemon:
            await listening(server)
            playing = await trio.to_thread.run_sync(server.play, bytes(2 * RATE) + sample_pcm() + bytes(2 * 30 * RATE))
            await daemon.until(lambda one: len(one.words) >= 0.75 * len(sample_truth()))
            await trio.sleep(4)
            daemon.interrupt()
            assert 0 == await daemon.end(15)
            await trio.to_thread.run_sync(playing.stop)
            expected, actual = sample_truth(), daemon.words
            _, pairs = alignment([word.text for word in expected], [word.text for word in actual])
            later = actual[pairs[0][1]].start - expected[pairs[0][0]].start
            assert -0.5 < later < 2.0, "from the first block on"
            check_sample(daemon, late_seconds=later)
            check_gone(daemon)


@pytest.mark.parametrize("kind", ["stdin", "file"])
@together
async def test_samples_arrive_bit_for_bit(place: Path, kind: str) -> None:
    """Where the rates match, the server hears the very samples, each word at its very place."""
    seconds = quiet_end(15.0)
    pcm = speech(seconds)
    async with emulator(place / "server") as server:
        chosen = "-"
        if kind == "file":
            soundfile.write(place / "talk.wav", _samples(pcm), RATE, subtype="PCM_16")
            chosen = str(place / "talk.wav")
        words = ("run", "--input", chosen, "--provider", "assemblyai", "--endpoint", server.url)
        stdin = subprocess.PIPE if kind == "stdin" else subprocess.DEVNULL
        async with stenod(place, *words, stdin=stdin, **ANY_KEY) as daemon:
            if kind == "stdin":
                await daemon.feed(pcm)
            assert 0 == await daemon.end()
            check_words(daemon.words, seconds)
            check_gone(daemon)
            await server.stop()
            check_heard(server, seconds)
            check_finals(daemon, server)
    heard = [(one["kind"], one.get("start", 0), one["end"]) for one in server.of("heard")]
    assert [("oracle", 0, round(seconds * RATE))] == heard


@together
async def test_another_rate_moves_no_sample_by_more_than_five_milliseconds(place: Path) -> None:
    """Through 44.1 kHz, two channels and back, each stretch stands where it stood."""
    seconds = quiet_end(15.0)
    path = await trio.to_thread.run_sync(stereo_flac, place, speech(seconds))
    async with emulator(place / "server") as server:
        words = ("run", "--input", str(path), "--provider", "assemblyai", "--endpoint", server.url)
        async with stenod(place, *words, **ANY_KEY) as daemon:
            assert 0 == await daemon.end()
            check_words(daemon.words, seconds)
            await server.stop()
    heard = [one for one in server.of("heard") if one["kind"] == "oracle"]
    assert sum(one["end"] - one.get("start", 0) for one in heard) > 0.97 * seconds * RATE
    for one in heard:
        assert abs(one["session_start"] - one.get("start", 0)) <= POSITION_SAMPLES_MAX
        assert abs(one["session_end"] - one["end"]) <= POSITION_SAMPLES_MAX


def _samples(pcm: bytes):
    return np.frombuffer(pcm, "<i2")


@together
async def test_partials_come_at_once_and_delay_no_final(place: Path) -> None:
    """With `--partials` the words show while they are spoken; finals come as soon as without."""
    seconds = quiet_end(20.0)
    delays = {}
    async with emulator(place / "server") as server:
        words = ("run", "--input", "-", "--provider", "assemblyai", "--endpoint", server.url)

        async def run(option: str) -> None:
            async with stenod(place / option, *words, option, stdin=subprocess.PIPE, **ANY_KEY) as daemon:
                pcm = speech(seconds)
                await daemon.feed(pcm[: 2 * RATE], finish=False)
                await daemon.until(speaks("session"))
                started = trio.current_time() - 1.0
                await daemon.feed(pcm[2 * RATE :])
                assert 0 == await daemon.end()
                check_words(daemon.words, seconds)
                assert (option == "--partials") == bool(daemon.of("partial"))
                check_partials(daemon)
                arrived = zip(daemon.lines, daemon.arrivals, strict=True)
                spans = [(one["end"], at - started) for one, at in arrived if one["type"] == "final"]
                delays[option] = sorted(at - end for end, at in spans)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, "--partials")
            nursery.start_soon(run, "--no-partials")
    medians = {option: one[len(one) // 2] for option, one in delays.items()}
    assert medians["--partials"] < medians["--no-partials"] + 0.5, delays
    assert delays["--partials"][-1] < 3.0, delays


def check_partials(daemon: Stenod) -> None:
    """Each partial has no id and is followed by a final that begins with it; none comes after its final."""
    pending: list[dict] = []
    for line in daemon.lines:
        if line["type"] == "partial":
            assert "id" not in line or line["id"] is None
            pending.append(line)
        elif line["type"] == "final":
            assert all(one["start"] <= line["end"] for one in pending), (pending, line)
            pending.clear()
    assert [] == pending


@together
async def test_a_slow_reader_loses_nothing(place: Path) -> None:
    """A reader that sleeps for 20 s gets every word afterwards, once."""
    seconds = quiet_end(24.0)
    async with emulator(place / "server") as server:
        words = ("run", "--input", "-", "--partials", "--provider", "assemblyai", "--endpoint", server.url)
        out, into = narrow_pipe()
        async with stenod(place, *words, stdin=subprocess.PIPE, stdout=into, **ANY_KEY) as daemon:
            os.close(into)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(daemon.feed, speech(seconds))
                await trio.sleep(20)
                while data := await trio.to_thread.run_sync(os.read, out, 65536):
                    daemon.stdout += data
            os.close(out)
            assert 0 == await daemon.end()
            check_words(daemon.words, seconds)


def narrow_pipe() -> tuple[int, int]:
    """Return a pipe that holds one page, so that a slow reader is soon felt."""
    out, into = os.pipe()
    fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, 4096)
    return out, into
