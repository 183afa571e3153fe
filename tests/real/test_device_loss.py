"""Microphones that go away and come back, under a real stenod on real PulseAudio and PipeWire.

What is said counts its own samples (`counted`), so the journal is held against the truth: every sample that the device
gave is there once, bit for bit, and the hole is a gap of exactly the time between. Each test has a server of its own.
"""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial, wraps
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
from counted import RATE, Heard, Speaker, heard, shout, tone, zeros
from daemon import Stenod, Test, sound, stenod, together
from parts import require_package
from pipewire import PARTS as PIPEWIRE_PARTS
from pipewire import PipeWire
from server import ANY_KEY, emulator
from soundserver import PARTS as PULSE_PARTS
from soundserver import SoundServer, sound_of

from stenod.core.audit import Stock
from stenod.core.microphone_pipe import BLOCK, HEADER
from stenod.core.timeline import Cause, State

pytestmark = [pytest.mark.real, pytest.mark.slow]

AT_ONCE_MAX = 4
SERVERS: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "pulseaudio": (SoundServer, PULSE_PARTS),
    "pipewire": (PipeWire, PIPEWIRE_PARTS),
    "pipewire-pulse": (partial(PipeWire, native=False), PIPEWIRE_PARTS),
}
"""And the plugin by which ALSA reaches it: its own, or that of PulseAudio."""
NOWHERE = ("--provider", "assemblyai", "--endpoint", "ws://127.0.0.1:9")
OPTIONS = {
    "STENOD_CAPTURE_RATE": str(RATE),
    "STENOD_SUPERVISOR_ON_FATAL": "hold",
    "STENOD_SUPERVISOR_DRAIN_SECONDS": "0",
}
TOLD_SECONDS_MAX = BACK_SECONDS_MAX = 2.0
GAP_DOUBT = round(0.1 * RATE)
LATENCY = round(0.3 * RATE)
"""What a server may still have in hand when it dies."""
SILENCE_MAX = round(0.2 * RATE)
"""Zeros that a server puts before the first audio of a source."""
SHORT = round(0.02 * RATE)
"""What PulseAudio may still give of one source before it begins with the other."""
CPU_SHARE_MAX = 0.3
OUTAGE_SECONDS = 6.0
SHORT_STOP_SECONDS = 0.3
"""In which the FIFO holds what is said."""
HELD_SECONDS = 13.0
SECOND = 1 << 28
"""Where another microphone begins to count."""


def twice(test: Test) -> Test:
    """Let a test that failed try once more.

    A machine out of breath makes a sound server lose a quarter of a second, and that is told, rightly, as what it is:
    another hole than the one that is looked for.
    """

    @wraps(test)
    async def attempts(place: Path, **parameters: Any) -> None:
        (place / "first").mkdir()
        try:
            return await test(place / "first", **parameters)
        except (AssertionError, pytest.fail.Exception, BaseExceptionGroup) as failure:
            if isinstance(failure, BaseExceptionGroup) and failure.subgroup((trio.Cancelled, pytest.skip.Exception)):
                raise
        (place / "second").mkdir()
        return await test(place / "second", **parameters)

    return attempts


async def call(function: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    """Do something that blocks."""
    return await trio.to_thread.run_sync(partial(function, *arguments, **more))


@asynccontextmanager
async def serving(kind: str, require: Callable[[str], None]) -> AsyncIterator[Any]:
    """Run a sound server without a microphone."""
    make, parts = SERVERS[kind]
    for program in parts:
        require(program)
    server = make()
    try:
        await call(server.start)
        yield server
    finally:
        with trio.CancelScope(shield=True):
            await call(server.close)


@asynccontextmanager
async def recording(place: Path, server: Any, *words: str) -> AsyncIterator[Stenod]:
    """Run stenod as a service would, with nobody to transcribe."""
    given = ("run", "--state-dir", str(place / "journal"), *NOWHERE, *words)
    async with stenod(place, *given, **OPTIONS, **ANY_KEY, **sound_of(server)) as daemon:
        yield daemon


def recorded(place: Path) -> int:
    """Return how many samples are in the journal's files."""
    return sum(path.stat().st_size for path in (place / "journal").glob("*/audio/*.s16le")) // 2


async def hears(place: Path, daemon: Stenod, seconds: float = 1.5) -> None:
    """Return when so much more is recorded."""
    enough = recorded(place) + seconds * RATE
    await daemon.until(lambda _: recorded(place) >= enough, 15.0)


def cpu_seconds(pid: int) -> float:
    """Return what a process and its children have taken, dead ones too."""
    children = [int(child) for path in Path(f"/proc/{pid}/task").iterdir() for child in _children(path)]
    return sum(_own_cpu_seconds(one) for one in (pid, *children))


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except FileNotFoundError:
        return []


def _own_cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def listeners(server: Any) -> list[int]:
    """Return the microphones' processes that hear this server."""
    mark, found = f"{server.folder}/".encode(), []
    for entry in Path("/proc").iterdir():
        try:
            if b"microphone_child" in (entry / "cmdline").read_bytes() and mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def stopped(place: Path, daemon: Stenod, server: Any) -> tuple[Stock, list[Heard]]:
    """Stop it, and return what it has; no process is left, and the journal has no fault."""
    daemon.interrupt(signal.SIGTERM)
    assert 0 == await daemon.end()
    assert not listeners(server)
    stock = sound(place / "journal")
    return stock, heard(stock, place / "journal")


def states(daemon: Stenod, subject: str) -> list[str]:
    """Return what its records say of a subject."""
    return [one["state"] for one in daemon.of("status") if one["subject"] == subject]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _module(command: str) -> str:
    """Return which of our modules a process runs."""
    return command.partition("stenod.")[2].split("\0")[0].rpartition(".")[2]


def offspring(daemon: Stenod) -> dict[int, str]:
    """Return the processes that it has started, and those that they have, with their commands."""
    found, left = dict[int, str](), [daemon.process.pid]
    while left:
        for task in Path(f"/proc/{left.pop()}/task").glob("*"):
            for child in map(int, _children(task)):
                found[child] = _command(child)
                left.append(child)
    return found


async def gone(left: dict[int, str], within_seconds: float = 3.0) -> None:
    """Return when these processes are no more."""
    with trio.fail_after(within_seconds):
        while any(_command(pid) for pid in left):  # noqa: ASYNC110 - nothing tells of the end of somebody else's child
            await trio.sleep(0.02)


def seconds(samples: float) -> float:
    return round(samples / RATE, 3)


def check_hole(stretches: list[Heard], lost_at: int, back_at: int, speaker: Speaker) -> tuple[Heard, Heard]:
    """One hole, from the loss to the return, as long as the time between: nothing else is missing or repeated."""
    before, after = (one for one in stretches if one.end - one.start > SHORT)
    assert lost_at - LATENCY <= before.last <= lost_at + 2 * LATENCY, (lost_at, before)
    late = after.position - back_at
    assert -LATENCY <= late <= BACK_SECONDS_MAX * RATE, f"back after {seconds(late)} s"
    shift = after.shift - before.shift
    assert abs(shift) <= GAP_DOUBT, f"the gap is wrong by {seconds(shift)} s; {speaker.late_seconds=}"
    return before, after


def check_gap(stock: Stock, before: Heard, after: Heard) -> None:
    """It is in the ledger where it is in the audio, and the only one."""
    gaps = [one for one in stock.spans if one.state is State.GAP]
    assert [Cause.DEVICE] == [gap.cause for gap in gaps], gaps
    assert (before.end, after.start) == (
        pytest.approx(gaps[0].start, abs=SILENCE_MAX),
        pytest.approx(gaps[0].end, abs=SILENCE_MAX),
    )


class Outage:
    """How a microphone goes, and how it comes back."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._module = 0

    def begin(self) -> None:
        self._module = self._server.load_microphone(rate=RATE)

    def unplug(self) -> None:
        self._server.unload(self._module)

    plug = begin

    def kill(self) -> None:
        self._server.kill(signal.SIGKILL)

    def terminate(self) -> None:
        self._server.kill(signal.SIGTERM)

    def restart(self) -> None:
        self._server.start()
        self.begin()

    def stop(self) -> None:
        self._server.pause(on=True)

    def go_on(self) -> None:
        self._server.pause(on=False)


OUTAGES = {
    "unplugged": ("unplug", "plug"),
    "killed": ("kill", "restart"),
    "terminated": ("terminate", "restart"),
    "stopped": ("stop", "go_on"),
}


BOTH = ("pulseaudio", "pipewire")
ZEROS = {("pipewire", "unplugged")}
"""The outage in which the server goes on, with zeros: they are recorded, and told as what they are."""


@pytest.mark.parametrize(("kind", "how"), [*product(BOTH, OUTAGES), ("pipewire-pulse", "killed")])
@together
@twice
async def test_an_outage_is_a_gap_of_its_length(
    place: Path, require: Callable[[str], None], kind: str, how: str
) -> None:
    """Told within two seconds, heard again within two seconds, no core is burnt, nothing else is lost."""
    async with serving(kind, require) as server:
        outage = Outage(server)
        leave, come = (getattr(outage, name) for name in OUTAGES[how])
        await call(outage.begin)
        with Speaker(server.fifo(), ahead_seconds=server.ahead_seconds) as speaker:
            async with recording(place, server) as daemon:
                await hears(place, daemon)
                await call(leave)
                lost_at, since = speaker.now(), trio.current_time()
                spent = cpu_seconds(daemon.process.pid)
                if (kind, how) not in ZEROS:
                    await daemon.until(lambda one: one.log("source.lost"), TOLD_SECONDS_MAX)
                await trio.sleep_until(since + OUTAGE_SECONDS)
                spent = cpu_seconds(daemon.process.pid) - spent
                assert spent < CPU_SHARE_MAX * (trio.current_time() - since), f"{spent} s of CPU"
                back_at = speaker.now()
                await call(come)
                if how in ("killed", "terminated"):
                    back_at = speaker.now()
                await hears(place, daemon, 2.5)
                stock, stretches = await stopped(place, daemon, server)
        before, after = check_hole(stretches, lost_at, back_at, speaker)
        told = [(one["subject"], one["state"]) for one in daemon.of("status") if one["subject"] != "provider"]
        if (kind, how) in ZEROS:
            assert not stock.spans
            assert [("level", "muted"), ("level", "good")] == told
        else:
            check_gap(stock, before, after)
            assert [("device", "lost"), ("device", "back")] == told


@together
@twice
async def test_a_short_stop_is_no_loss(place: Path, require: Callable[[str], None]) -> None:
    """What the server hands over in one burst, when it goes on, is all there, and nothing is told."""
    async with serving("pulseaudio", require) as server:
        await call(server.load_microphone, rate=RATE)
        with Speaker(server.fifo()):
            async with recording(place, server) as daemon:
                for _ in range(3):
                    await hears(place, daemon, 1.0)
                    await call(server.pause, on=True)
                    await trio.sleep(SHORT_STOP_SECONDS)
                    await call(server.pause, on=False)
                await hears(place, daemon, 2.5)
                stock, stretches = await stopped(place, daemon, server)
    assert 1 == len(stretches)
    assert not stock.spans
    assert not states(daemon, "device")


@pytest.mark.parametrize("kind", BOTH)
@together
@twice
async def test_a_server_that_comes_later(place: Path, require: Callable[[str], None], kind: str) -> None:
    """As a service it waits, says so with the remedy, takes no core, and records within two seconds."""
    async with serving(kind, require) as server:
        await call(server.kill)
        async with recording(place, server) as daemon:
            await daemon.until(lambda one: "lost" in states(one, "device"), 10.0)
            spent, since = cpu_seconds(daemon.process.pid), trio.current_time()
            await trio.sleep(4.0)
            spent = cpu_seconds(daemon.process.pid) - spent
            assert spent < CPU_SHARE_MAX * (trio.current_time() - since), f"{spent} s of CPU"
            await call(server.start)
            await call(server.load_microphone, rate=RATE)
            with Speaker(server.fifo(), ahead_seconds=server.ahead_seconds) as speaker:
                back_at = speaker.now()
                await hears(place, daemon)
                stock, stretches = await stopped(place, daemon, server)
    (all_of_it,) = stretches
    assert all_of_it.position - back_at <= BACK_SECONDS_MAX * RATE, seconds(all_of_it.position - back_at)
    assert not stock.spans
    assert ["lost", "back"] == states(daemon, "device")
    assert "start the sound server" in next(one["reason"] for one in daemon.of("status") if one["state"] == "lost")


@pytest.mark.parametrize("kind", BOTH)
@together
@twice
async def test_another_default_is_followed(place: Path, require: Callable[[str], None], kind: str) -> None:
    """The server hands the stream over: the other one is heard by itself, and what was heard keeps its time."""
    async with serving(kind, require) as server:
        for name in ("second", "first"):
            await call(server.load_microphone, name, rate=RATE)
        ahead = server.ahead_seconds
        with (
            Speaker(server.fifo("first"), ahead_seconds=ahead) as first,
            Speaker(server.fifo("second"), ahead_seconds=ahead, begin=SECOND) as second,
        ):
            async with recording(place, server) as daemon:
                await hears(place, daemon)
                await call(server.choose, "second")
                changed_at = second.now()
                await hears(place, daemon, 2.5)
                _, stretches = await stopped(place, daemon, server)
    before, after = stretches[0], stretches[-1]
    assert before.position < SECOND <= after.position
    assert after.position - changed_at <= BACK_SECONDS_MAX * RATE
    said_apart = second.at(after.position) - first.at(before.position)
    kept_apart = (after.start - before.start) / RATE
    assert abs(said_apart - kept_apart) <= seconds(GAP_DOUBT), said_apart - kept_apart
    assert not [one for one in stretches[1:-1] if one.end - one.start > SHORT]


@together
@twice
async def test_a_stream_that_was_left_on_a_dead_source_is_taken_back(
    place: Path, require: Callable[[str], None]
) -> None:
    """Somebody moved it to a microphone that is muted: zeros. A second opening hears the microphone, and goes on."""
    async with serving("pulseaudio", require) as server:
        for name in ("void", "pmic"):
            await call(server.load_microphone, name, rate=RATE)
        with Speaker(server.fifo("void"), say=zeros), Speaker(server.fifo()) as speaker:
            async with recording(place, server) as daemon:
                await hears(place, daemon)
                (output,) = (await call(server.control, ["list", "short", "source-outputs"])).splitlines()
                lost_at = speaker.now()
                await call(server.control, ["move-source-output", output.split()[0], "void"])
                await hears(place, daemon, 6.0)
                assert 1 == len(listeners(server))
                _, stretches = await stopped(place, daemon, server)
    before, after = (one for one in stretches if one.end - one.start > SHORT)
    assert lost_at - LATENCY <= before.last <= lost_at + LATENCY
    assert after.position - lost_at <= (TOLD_SECONDS_MAX + BACK_SECONDS_MAX) * RATE, seconds(after.position - lost_at)
    assert abs(after.shift - before.shift) <= GAP_DOUBT, seconds(after.shift - before.shift)
    assert not states(daemon, "device")


@together
async def test_nothing_outlives_a_killed_stenod(place: Path, require: Callable[[str], None]) -> None:
    """SIGKILL: the microphone's process and the recogniser's end by themselves, and the journal is whole."""
    require_package("pocketsphinx", "local")
    async with serving("pulseaudio", require) as server:
        await call(server.load_microphone, rate=RATE)
        words = ("run", "--state-dir", str(place / "journal"), "--provider", "local")
        with Speaker(server.fifo()) as speaker:
            async with stenod(place, *words, **OPTIONS, **sound_of(server)) as daemon:
                await daemon.until(lambda one: any(line["event"] == "ready" for line in one.of("session")), 30.0)
                await daemon.until(lambda one: any("recogniser_child" in _command(pid) for pid in offspring(one)), 15.0)
                await hears(place, daemon)
                left, killed_at = offspring(daemon), speaker.now()
                daemon.process.kill()
                await gone(left)
    assert {"microphone_child", "recogniser_child"} == {_module(command) for command in left.values()}
    stretches = heard(sound(place / "journal"), place / "journal")
    assert 1 == len(stretches)
    assert killed_at - stretches[0].last <= 0.4 * RATE, seconds(killed_at - stretches[0].last)


@together
async def test_no_command_outlives_a_killed_stenod(place: Path) -> None:
    """Its next write fails, and so does that of a whole pipeline."""
    words = "sh -c 'cat /dev/urandom | head -c 100000000 | cat'"
    given = ("run", "--state-dir", str(place / "journal"), *NOWHERE, "--input", f"command:{words}")
    async with stenod(place, *given, **OPTIONS, **ANY_KEY) as daemon:
        await hears(place, daemon)
        left = offspring(daemon)
        daemon.process.kill()
        await gone(left)
    assert {"sh", "cat", "head"} <= {command.split("\0")[0] for command in left.values()}
    sound(place / "journal")


@together
@twice
async def test_a_mute_and_a_shout_are_told(place: Path, require: Callable[[str], None]) -> None:
    """Once each, with a remedy, in the records and by `stenod status`; recording goes on, and nothing is a gap."""
    async with serving("pulseaudio", require) as server:
        await call(server.load_microphone, rate=RATE)
        with Speaker(server.fifo(), say=tone) as speaker:
            async with recording(place, server) as daemon:
                await hears(place, daemon)
                speaker.say = zeros
                await daemon.until(lambda one: ["muted"] == states(one, "level"), 9.0)
                speaker.say = tone
                await daemon.until(lambda one: ["muted", "good"] == states(one, "level"), 4.0)
                speaker.say = shout
                await daemon.until(lambda one: ["muted", "good", "clipping"] == states(one, "level"), 8.0)
                async with stenod(place / "look", "status", "--state-dir", str(place / "journal")) as look:
                    await look.end()
                daemon.interrupt(signal.SIGTERM)
                assert 0 == await daemon.end()
    assert "level clipping: the default microphone is too loud" in look.stdout.decode()
    assert "Turn its gain down" in look.stdout.decode()
    assert not sound(place / "journal").spans
    assert not states(daemon, "device")


@together
async def test_a_session_is_held_while_the_device_is_away(place: Path, require: Callable[[str], None]) -> None:
    """A server that closes after ten seconds without a word is kept, and hears what is said when it is back."""
    options = OPTIONS | {"STENOD_CAPTURE_RATE": "16000", "STENOD_SUPERVISOR_DRAIN_SECONDS": "5"}
    async with serving("pulseaudio", require) as server, emulator(place / "server") as peer:
        outage = Outage(server)
        await call(outage.begin)
        endpoint = f"ws://127.0.0.1:{peer.port}"
        words = ("run", "--state-dir", str(place / "journal"), "--provider", "deepgram", "--endpoint", endpoint)
        with Speaker(server.fifo(), say=tone):
            async with stenod(place, *words, **options, **ANY_KEY, **sound_of(server)) as daemon:
                await daemon.until(lambda one: any(line["event"] == "ready" for line in one.of("session")), 20.0)
                await hears(place, daemon, 0.5)
                await call(outage.unplug)
                await trio.sleep(HELD_SECONDS)
                await call(outage.plug)
                await daemon.until(lambda one: ["lost", "back"] == states(one, "device"), 5.0)
                await hears(place, daemon, 0.5)
                daemon.interrupt(signal.SIGTERM)
                assert 0 == await daemon.end()
        await peer.stop()
    assert ["ready", "ended"] == [one["event"] for one in daemon.of("session")]
    assert 1 == len(peer.of("opened"))


async def format_of(environment: dict[str, str]) -> tuple[int, int]:
    """Return the rate and the channels that a microphone is opened with where 16 kHz mono is wanted."""
    words = [sys.executable, "-m", "stenod.edge.microphone_child", "16000", "0", "0", "pinned"]
    process = await trio.lowlevel.open_process(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | environment
    )
    data = b""
    async with process.stdin, process.stdout:
        while len(data) < 2 * HEADER.size:
            data += await process.stdout.receive_some()
    await process.wait()
    _, _, kind, channels, rate, *_ = HEADER.unpack_from(data, HEADER.size)
    assert BLOCK == kind
    return rate, channels


@together
async def test_a_device_of_another_rate_is_converted(place: Path, require: Callable[[str], None]) -> None:
    """It gives 44.1 kHz and nothing else: a tone stays the tone that it was, at its time."""
    options = OPTIONS | {"STENOD_CAPTURE_RATE": "16000"}
    async with serving("pipewire", require) as server:
        await call(server.load_microphone, rate=RATE)
        words = ("run", "--state-dir", str(place / "journal"), *NOWHERE, "--input", "mic:inned")
        with Speaker(server.fifo(), ahead_seconds=server.ahead_seconds, say=tone):
            async with stenod(place, *words, **options, **ANY_KEY, **sound_of(server)) as daemon:
                await daemon.until(lambda _: recorded(place) > 2.5 * 16000)
                assert (44100, 1) == await format_of(sound_of(server))
                daemon.interrupt(signal.SIGTERM)
                assert 0 == await daemon.end()
    stock = sound(place / "journal")
    (file,) = (place / "journal").glob("*/audio/*.s16le")
    got = np.frombuffer(file.read_bytes(), "<i2")[16000:32000].astype(float)
    spectrum = np.abs(np.fft.rfft(got)) / len(got) * 2
    assert 1000 == int(spectrum.argmax())
    assert 8192 == pytest.approx(spectrum[1000], rel=0.02)
    assert not stock.spans
