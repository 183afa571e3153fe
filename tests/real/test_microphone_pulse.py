"""The microphone over a real PortAudio, ALSA and PulseAudio: bits, losses, and no process left behind.

The pulse source is a FIFO, so what was said is known to the bit; audio flows only while the test speaks.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trio
from soundserver import SoundServer

from stenod.core.source import Block, Reader, SourceError, SourceLost
from stenod.edge import microphone
from stenod.edge.devices import list_devices
from stenod.edge.microphone import Microphone

pytestmark = [pytest.mark.real, pytest.mark.slow]

RATE = 16000


def noise(seconds: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 32768, int(seconds * RATE)).astype("<i2")


def counted(seconds: float, rate: int) -> bytes:
    """Samples that say their own position, modulo 65536."""
    return np.arange(int(seconds * rate)).astype("<i2").tobytes()


def samples(blocks: list[Block]) -> np.ndarray:
    return np.frombuffer(b"".join(block.pcm for block in blocks), "<i2")


async def heard(reader: Reader, seconds: float) -> list[Block]:
    """Read this much."""
    blocks: list[Block] = []
    with trio.fail_after(seconds + 10):
        while sum(block.frames / block.rate for block in blocks) < seconds:
            blocks.append(await reader.read())
    return blocks


async def loss(reader: Reader) -> str:
    """Read to the loss, which must come soon; return what was said."""
    with trio.fail_after(10):
        while True:
            try:
                await reader.read()
            except SourceLost as lost:
                return str(lost)


def children() -> set[int]:
    """The processes that this one has started, zombies too."""
    return {int(pid) for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()} | {
        int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
    }


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cpu_seconds(pid: int) -> float:
    """What a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:13]) / os.sysconf("SC_CLK_TCK")


async def test_what_is_said_is_recorded_bit_for_bit(sound: SoundServer) -> None:
    """From the first block to the last sample there is no hole, no repetition and no changed bit."""
    sound.load_microphone(rate=RATE)
    said = noise(3.0)
    async with Microphone(None, rate=RATE).open(0.0) as reader:
        sound.play(said.tobytes() + bytes(2 * RATE))
        blocks = await heard(reader, 0.5)
        while samples(blocks[-1:]).any():
            blocks.append(await reader.read())

    got = np.trim_zeros(samples(blocks))
    start = int(np.flatnonzero((said[:-3] == got[0]) & (said[1:-2] == got[1]) & (said[2:-1] == got[2]))[0])
    assert start < 2 * RATE
    assert np.array_equal(said[start:], got)
    assert {(RATE, 1, RATE // 50, 0, False)} == {
        (block.rate, block.channels, block.frames, block.dropped, block.overflowed) for block in blocks
    }
    times = [block.monotonic for block in blocks]
    assert sorted(times) == times
    assert len(blocks) * 0.02 - 0.3 < times[-1] - times[0] < len(blocks) * 0.02 + 0.3


@pytest.mark.parametrize("how", ["unplugged", "server killed"])
async def test_a_microphone_that_goes_away_is_lost_and_comes_back(
    sound: SoundServer, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is noticed at once; while it is away it is lost and not misspelled; then it records again."""
    monkeypatch.setattr(microphone, "WAIT_SECONDS", 0.5)
    module = sound.load_microphone()
    source = Microphone("default", rate=RATE)
    async with source.open(0.0) as reader:
        playing = sound.play(noise(20).tobytes())
        await heard(reader, 0.2)
        sound.unload(module) if how == "unplugged" else sound.kill()
        started = trio.current_time()
        assert "microphone 'default'" in await loss(reader)
    assert trio.current_time() - started < 3.0
    playing.stop()

    with pytest.raises(SourceLost):
        async with source.open(0.0) as reader:
            await reader.read()

    if how == "server killed":
        sound.start()
    sound.load_microphone()
    async with source.open(0.0) as reader:
        sound.play(noise(20).tobytes())
        await heard(reader, 0.2)


async def test_a_server_that_stalls_is_a_loss(sound: SoundServer) -> None:
    """Nothing fails then, nothing comes: only the clock tells."""
    sound.load_microphone()
    async with Microphone(None, rate=RATE).open(0.0) as reader:
        sound.play(noise(20).tobytes())
        await heard(reader, 0.2)
        sound.pause(on=True)
        started = trio.current_time()
        told = await loss(reader)

    assert told == "the default microphone gives no audio for 1.5 s"

    sound.pause(on=False)
    assert 1.4 < trio.current_time() - started < 2.5


async def test_a_microphone_that_never_begins_is_a_loss(sound: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens, and gives nothing (here: nobody speaks into the FIFO)."""
    monkeypatch.setattr(microphone, "FIRST_SECONDS", 1.0)
    sound.load_microphone()
    with pytest.raises(SourceLost, match="gives no audio for 1 s"):
        async with Microphone(None, rate=RATE).open(0.0) as reader:
            await reader.read()


async def test_the_monitor_of_a_null_sink_is_a_microphone(sound: SoundServer) -> None:
    """It takes its time to begin, which is no fault, and takes no core meanwhile."""
    sound.load_null_sink()
    async with Microphone(None, rate=RATE).open(0.0) as reader:
        while reader._source.worked is False and reader._patience_seconds != microphone.FIRST_SECONDS:
            with trio.move_on_after(0.02):
                await reader.read()
        began, before = trio.current_time(), cpu_seconds(reader._process.pid)
        blocks = await heard(reader, 0.3)
        waited = trio.current_time() - began
        assert cpu_seconds(reader._process.pid) - before < 0.1 + 0.2 * waited

    assert waited > 0.3
    assert not samples(blocks).any()


async def test_a_pause_of_ours_loses_nothing(sound: SoundServer) -> None:
    """The pipe holds half a minute; five seconds of it come at once, with the times at which they were read."""
    sound.load_microphone()
    async with Microphone(None, rate=RATE).open(0.0) as reader:
        sound.play(counted(8, RATE))
        blocks = await heard(reader, 0.1)
        await trio.sleep(5)
        resumed = trio.current_time()
        blocks += await heard(reader, 5)
        assert trio.current_time() - resumed < 1.0

    positions = samples(blocks).astype(int)
    assert {1} == set((np.diff(positions) % 65536).tolist())
    assert sum(block.dropped for block in blocks) == 0
    assert 4.5 < blocks[-1].monotonic - blocks[5].monotonic < 5.5


async def test_a_pause_past_the_pipe_drops_and_counts(sound: SoundServer) -> None:
    """At 192 kHz the pipe is full in 2.6 s: the block after the hole says exactly how long the hole is."""
    rate = 192_000
    sound.load_microphone(rate=rate)
    async with Microphone(None, rate=rate).open(0.0) as reader:
        sound.play(counted(8, rate))
        blocks = await heard(reader, 0.1)
        await trio.sleep(4)
        blocks += await heard(reader, 3)

    expected = int(samples(blocks[:1])[0])
    for block in blocks:
        positions = samples([block]).astype(int)
        assert (expected + block.dropped) % 65536 == positions[0] % 65536
        expected = int(positions[-1]) + 1
    dropped = sum(block.dropped for block in blocks) / rate
    assert 0.5 < dropped < 2.5
    assert sum(block.dropped > 0 for block in blocks) == 1


async def test_cancelling_leaves_no_process(sound: SoundServer) -> None:
    """Before the first block, in the midst of recording, with the server stopped: each time nothing is left."""
    sound.load_microphone()
    before = children()
    for speaking, stopped in [(False, False), (True, False), (True, True)]:
        with trio.move_on_after(5) as scope:
            async with Microphone(None, rate=RATE).open(0.0) as reader:
                assert len(children() - before) == 1
                if speaking:
                    sound.play(noise(1).tobytes())
                    await reader.read()
                if stopped:
                    sound.pause(on=True)
                with trio.move_on_after(0.3):
                    await heard(reader, 5)
                left = trio.current_time()
                scope.cancel()
                await trio.sleep_forever()
        assert trio.current_time() - left < 1.0
        assert before == children()
        if stopped:
            sound.pause(on=False)


async def test_a_killed_parent_leaves_no_child(sound: SoundServer) -> None:
    """SIGKILL gives the parent no chance to end the child: it ends itself."""
    sound.load_microphone()
    program = """
import trio
from stenod.edge.microphone import Microphone
async def main():
    async with Microphone(None, rate=16000).open(0.0) as reader:
        await reader.read()
        print(reader._process.pid, flush=True)
        await trio.sleep_forever()
trio.run(main)
"""
    sound.play(noise(20).tobytes())
    parent = await trio.lowlevel.open_process([sys.executable, "-c", program], stdout=subprocess.PIPE)
    async with parent.stdout:
        child = int(await parent.stdout.receive_some(100))
        assert running(child)
        parent.kill()
        await parent.wait()
    with trio.fail_after(3):
        while running(child):  # noqa: ASYNC110 -- nothing tells of the end of somebody else's child
            await trio.sleep(0.01)


async def test_ctrl_c_does_not_end_the_child(sound: SoundServer) -> None:
    """The signal goes to the whole foreground group: what is said while we shut down is still recorded."""
    sound.load_microphone()
    async with Microphone(None, rate=RATE).open(0.0) as reader:
        sound.play(noise(20).tobytes())
        await reader.read()
        os.kill(reader._process.pid, signal.SIGINT)
        await heard(reader, 0.5)


@pytest.mark.parametrize(
    ("wanted", "exit_code", "cause"),
    [
        ("no such thing", 66, "not found; there is 'pulse' or 'default'; run"),
        ("ul", 66, "it may be 0 'pulse' or 1 'def"),
    ],
)
async def test_a_name_that_fits_none_or_many_is_an_error(
    sound: SoundServer, wanted: str, exit_code: int, cause: str
) -> None:
    """A person must say which."""
    sound.load_microphone()
    with pytest.raises(SourceError, match=cause) as caught:
        async with Microphone(wanted, rate=RATE).open(0.0) as reader:
            await reader.read()
    assert exit_code == caught.value.exit_code


async def test_no_device_at_all_is_an_error(sound: SoundServer) -> None:
    """The sound server does not run, and there is no card."""
    sound.kill()
    with pytest.raises(SourceError, match=r"no microphone: .* start the sound server") as caught:
        async with Microphone(None, rate=RATE).open(0.0) as reader:
            await reader.read()
    assert caught.value.exit_code == 69
    assert list_devices() == []


def test_devices_are_listed(sound: SoundServer) -> None:
    """Through the ALSA plugin PulseAudio is two devices, of which one is the default."""
    sound.load_microphone()

    found = list_devices()

    assert {("pulse", "ALSA", False), ("default", "ALSA", True)} == {
        (device.name, device.host_api, device.default) for device in found
    }
    assert all(device.channels > 0 and device.rate > 0 for device in found)


def test_without_portaudio_there_is_a_remedy(require: Callable[[str], None], missing: Callable[[str], None]) -> None:
    """In a name space of its own, where the system's list of libraries is empty, the library is really not there."""
    require("unshare")
    program = """
import trio
from stenod.core.source import SourceError
from stenod.edge.devices import list_devices
from stenod.edge.microphone import Microphone
async def main():
    async with Microphone(None, rate=16000).open(0.0) as reader:
        await reader.read()
for attempt in (lambda: trio.run(main), list_devices):
    try:
        attempt()
    except SourceError as error:
        print(error.exit_code, error)
"""
    hide = 'mount --bind /dev/null /etc/ld.so.cache && exec "$@"'
    words = ["unshare", "--mount", "--map-root-user", "sh", "-c", hide, "sh", sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr:
        missing(f"name spaces are not allowed ({done.stderr.strip()})")

    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    for line in lines:
        assert line.startswith("69 cannot use microphones: no PortAudio library (")
        assert line.endswith("; run `apt-get install libportaudio2`")
