"""Stopping, and going on: signals, a reader that leaves, a crash, and inputs that are none."""

import os
import re
import shlex
import signal
import subprocess
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest
import trio
from daemon import PROGRAM, RATE, environment_in, speaks, stenod, together, words_of
from server import ANY_KEY, emulator, fault, speech, talk, truth

pytestmark = [pytest.mark.real, pytest.mark.slow]

SAMPLE = Path(str(resources.files("stenod") / "data" / "sample.flac"))
DRAIN_SECONDS_MAX = 10.0
LOST_SECONDS_MAX = 0.6
"""What a killed process may lose: what was being captured, and what was still in the pipe before it."""


def check_all_once(lines: list[dict], captured: float, start: float = 0.0) -> None:
    """Over the outputs of several runs: no word twice, none missing that was spoken before the end.

    A word that an end went through may have been heard in part (`frag-`); a line that was being printed at a kill may
    come again with its id.
    """
    printed = Counter(word.text for word in words_of(each_once(lines)))
    assert [] == [text for text, count in printed.items() if count > 1]
    missing = [word for word in truth(captured, start) if word.text not in printed]
    assert [] == missing


def each_once(lines: list[dict]) -> list[dict]:
    """Return the records without those that came again."""
    return list({line.get("id"): line for line in lines}.values())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
@together
async def test_a_signal_in_mid_speech_takes_the_last_words(place: Path, number: int) -> None:
    """Recording ends, the provider is told goodbye, its last words are printed, exit 0, nothing is left behind."""
    async with emulator(place / "server") as server, talk(place, server) as daemon, trio.open_nursery() as nursery:
        nursery.start_soon(daemon.feed, speech(60.0))
        await daemon.until(lambda one: one.fed >= 5 * RATE)
        daemon.interrupt(signal.SIGHUP)  # nothing is held, so nothing happens
        await daemon.until(lambda one: one.fed >= 9.2 * RATE)
        stopped, captured = trio.current_time(), daemon.fed / RATE
        daemon.interrupt(number)
        assert 0 == await daemon.end(DRAIN_SECONDS_MAX)
        assert trio.current_time() - stopped < DRAIN_SECONDS_MAX
        nursery.cancel_scope.cancel()
        await server.stop()
    assert 1 == len(server.of("terminate"))
    assert ["client"] == [record["by"] for record in server.of("ended")]
    check_all_once(daemon.lines, captured - LOST_SECONDS_MAX)
    assert [] == list(daemon.state_home.iterdir())


@together
async def test_a_second_interrupt_leaves_at_once_and_keeps_the_rest(place: Path) -> None:
    """The server hangs, so the last words do not come: 130 at once, and another run transcribes what was kept."""
    journal = ("--state-dir", str(place / "journal"))
    async with (
        emulator(place / "server", faults=fault(kind="deaf", audio=8.0)) as server,
        talk(place, server, *journal, STENOD_SUPERVISOR_DRAIN_SECONDS="120") as daemon,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(daemon.feed, speech(60.0))
        await daemon.until(lambda one: one.fed >= 9 * RATE)
        captured = daemon.fed / RATE
        daemon.interrupt()
        await trio.sleep(0.7)
        daemon.interrupt()
        assert 130 == await daemon.end(20), "long before it would have given up by itself"
        nursery.cancel_scope.cancel()
    assert re.search(r"[\d.]+ s of audio .* kept in .*stenod run --input none --state-dir", daemon.told)
    lines = daemon.lines
    async with emulator(place / "again") as server:
        words = ("run", "--input", "none", *journal, "--provider", "assemblyai", "--endpoint", server.url)
        async with stenod(place, *words, **ANY_KEY) as daemon:
            assert 0 == await daemon.end()
    assert daemon.words
    check_all_once(lines + daemon.lines, captured - LOST_SECONDS_MAX)


@together
async def test_a_kill_costs_no_captured_word(place: Path) -> None:
    """Killed in mid-speech, twice: what was captured is transcribed by the next run, once."""
    journal = ("--state-dir", str(place / "journal"))
    lines: list[dict] = []
    captured = []
    async with emulator(place / "server") as server:
        for start in (0.0, 30.0):
            async with talk(place, server, *journal) as daemon, trio.open_nursery() as nursery:
                nursery.start_soon(daemon.feed, speech(30.0, start))
                await daemon.until(lambda one: one.fed >= 11 * RATE)
                captured.append(daemon.fed / RATE - LOST_SECONDS_MAX)
                daemon.process.kill()
                await daemon.end()
                nursery.cancel_scope.cancel()
            lines += daemon.lines
            await trio.sleep(3)
        words = ("run", "--input", "none", *journal, "--provider", "assemblyai", "--endpoint", server.url)
        async with stenod(place, *words, **ANY_KEY) as daemon:
            assert 0 == await daemon.end()
        lines += daemon.lines
    check_all_once(lines, captured[0])
    check_all_once(lines, captured[1], 30.0)
    assert ["stopped"] == [line["cause"] for line in each_once(lines) if line["type"] == "gap"]
    starts = [word.start for word in words_of(each_once(lines))]
    assert sorted(starts) == starts


@together
async def test_what_a_killed_run_left_is_told_at_the_next_start(place: Path) -> None:
    """The line says how much it is, how to go on, and how to discard it; the command in it works as it stands."""
    async with emulator(place / "server", faults=fault(kind="mute", audio=0.0, session=0)) as server:
        async with talk(place, server) as daemon, trio.open_nursery() as nursery:
            nursery.start_soon(daemon.feed, speech(30.0))
            await daemon.until(lambda one: one.fed >= 8 * RATE)
            captured = daemon.fed / RATE - LOST_SECONDS_MAX
            daemon.process.kill()
            await daemon.end()
            nursery.cancel_scope.cancel()
        async with stenod(place, "run", "--input", str(place / "missing.flac")) as daemon:
            assert 66 == await daemon.end()
        told = re.search(r"([\d.]+) s of audio .*; to transcribe: (stenod .*); to discard: (rm -r .*)", daemon.told)
        assert told is not None, daemon.told
        assert captured <= float(told[1]) <= captured + 2.0
        words = shlex.split(told[2])[1:]
        async with stenod(place, *words, "--provider", "assemblyai", "--endpoint", server.url, **ANY_KEY) as daemon:
            assert 0 == await daemon.end()
        check_all_once(daemon.lines, captured)
    async with stenod(place, "run", "--input", str(place / "missing.flac")) as daemon:
        assert 66 == await daemon.end()
    assert "not transcribed" not in daemon.told


@together
async def test_a_reader_that_has_seen_enough_ends_it(place: Path) -> None:
    """`stenod run --input sample | head -1`: one line, no traceback, no state directory, exit 0."""
    environment = environment_in(place)
    script = f"{shlex.quote(PROGRAM)} run --input sample | head -1; echo ${{PIPESTATUS[0]}}"
    done = await trio.run_process(
        ["bash", "-c", script], env=environment, capture_stdout=True, capture_stderr=True, check=False
    )
    line, code = done.stdout.splitlines()
    assert line.startswith(b'{"type":')
    assert b"0" == code
    assert b"Traceback" not in done.stderr
    assert [] == list((place / "state" / "stenod").iterdir())


@together
async def test_one_state_directory_is_for_one_instance(place: Path) -> None:
    """The second says who is there and what to do, and exits 75; the first does not notice."""
    words = ("run", "--state-dir", str(place / "journal"))
    async with stenod(place, *words, "--input", "sample") as first:
        await first.until(speaks("session"))
        async with stenod(place, *words, "--input", "none") as second:
            assert 75 == await second.end()
        assert re.search(rf"another stenod \(process {first.process.pid}\) runs in .*--state-dir", second.told)
        assert b"" == second.stdout
        assert first.process.returncode is None
        first.interrupt()
        assert 0 == await first.end(15)


INPUTS = {
    "directory": (66, "cannot"),
    "text": (65, "cannot"),
    "empty": (65, "cannot"),
    "missing": (66, "cannot"),
    "terminal": (64, "terminal"),
}


@pytest.mark.parametrize("kind", INPUTS)
@together
async def test_an_input_that_is_none_is_told_in_a_sentence(place: Path, kind: str) -> None:
    """The right exit code, one sentence that names it and says what to do, nothing on standard output."""
    code, said = INPUTS[kind]
    chosen = place / "input"
    if kind == "directory":
        os.mkdir(chosen)  # noqa: PTH102 - an async function
    if kind in ("text", "empty"):
        chosen.write_bytes(b"This is no audio.\n" * 100 if kind == "text" else b"")
    stdin, other = os.openpty() if kind == "terminal" else (subprocess.DEVNULL, None)
    words = ("run", "--input", "-" if kind == "terminal" else str(chosen))
    async with stenod(place, *words, stdin=other if other is not None else stdin) as daemon:
        assert code == await daemon.end()
    for descriptor in (stdin, other) if other is not None else ():
        os.close(descriptor)
    assert 1 == len(daemon.sentences), daemon.told
    assert re.search(rf"^stenod: .*{said}.*; .*", daemon.sentences[0]), daemon.told
    assert b"" == daemon.stdout
    assert not daemon.state_home.exists() or [] == list(daemon.state_home.iterdir())


STREAMS = {
    "input closed": ("run --input - <&-", 64, "standard input: it is closed"),
    "input a container": ("run --input - < {sample}", 65, "it is FLAC, not raw audio"),
    "output closed": ("run --input sample >&-", 0, None),
    "output full": ("run --input sample >/dev/full", 73, "No space left on device; make room"),
    "error closed": ("run --input /dev/nothing 2>&-", 66, None),
    "error full": ("run --input /dev/nothing 2>/dev/full", 66, None),
    "error full, wrong words": ("run --inputs sample 2>/dev/full", 64, None),
    "all closed": ("run --input sample <&- >&- 2>&-", 0, None),
}


@pytest.mark.parametrize("kind", STREAMS)
@together
async def test_a_standard_stream_that_is_none_is_told_in_a_sentence(place: Path, kind: str) -> None:
    """A closed one is neither our lock nor our database by accident; nobody to write to is the end, and no defect."""
    script, code, said = STREAMS[kind]
    words = script.format(sample=shlex.quote(str(SAMPLE)))
    done = await trio.run_process(
        ["bash", "-c", f"exec {shlex.quote(PROGRAM)} {words}"],
        env=environment_in(place),
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    told = [line for line in done.stderr.decode().splitlines() if line.startswith("stenod: ")]
    assert code == done.returncode, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert b"" == done.stdout
    assert said is None or said in told[-1]
