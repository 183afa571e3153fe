"""Both sides of the microphone's pipe without a sound server: the outlet over a real pipe, the source over children.

They are real processes whose program a test has written; with a sound server: tests/real/test_microphone_pulse.py.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import trio

from stenod.core import microphone_pipe
from stenod.core.microphone_pipe import HEADER
from stenod.core.microphones import Device
from stenod.core.source import Block, SourceError, SourceLost
from stenod.edge import microphone, microphone_child
from stenod.edge.microphone import Microphone
from stenod.edge.microphone_child import Outlet
from stenod.stream import STUCK_SECONDS
from stenod.tasks.capture import REOPEN_SECONDS

FRAMES = 320


def numbered(number: int) -> bytes:
    """A block's samples, told apart by their number."""
    return number.to_bytes(2, "little") * FRAMES


def child(program: str, device: str | None = None, *, patient: bool = False) -> Microphone:
    """A microphone whose child runs this, with the outlet at hand."""
    start = "import os, sys, time, signal\nfrom stenod.edge.microphone_child import *\noutlet = Outlet(os.dup(1))\n"
    speak = "def speak(n): outlet.offer(n.to_bytes(2, 'little') * 320, rate=16000, channels=1, overflowed=n == 7)\n"
    return Microphone(device, rate=16000, patient=patient, child=[sys.executable, "-c", start + speak + program])


async def until_lost(source: Microphone) -> tuple[list[Block], str]:
    blocks = []
    async with source.open(0.0) as reader:
        while True:
            try:
                blocks.append(await reader.read())
            except SourceLost as lost:
                return blocks, str(lost)


# --- The child's end of the pipe.


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def drained(fd: int) -> bytes:
    """Everything that is in the pipe now."""
    os.set_blocking(fd, False)
    try:
        return os.read(fd, 1 << 20)
    except BlockingIOError:
        return b""


def parsed(data: bytes) -> list[tuple[int, int, bytes]]:
    """Kind, dropped and payload of each frame; there must be nothing but whole frames."""
    frames = []
    while data:
        magic, _, kind, _, _, size, dropped, *_ = HEADER.unpack_from(data)
        assert magic == b"mic\n"
        assert len(data) >= HEADER.size + size
        frames.append((kind, dropped, data[HEADER.size : HEADER.size + size]))
        data = data[HEADER.size + size :]
    return frames


def offer(outlet: Outlet, number: int, *, overflowed: bool = False) -> None:
    outlet.offer(numbered(number), rate=16000, channels=1, overflowed=overflowed)


def test_blocks_go_through_with_their_times(pipe: tuple[int, int]) -> None:
    """A header holds the format, the moment on both clocks, and what the device said."""
    outlet = Outlet(pipe[1])
    before, wall = time.clock_gettime(time.CLOCK_MONOTONIC), time.time()
    outlet.offer(bytes(1280), rate=48000, channels=2, overflowed=True)

    header = HEADER.unpack(os.read(pipe[0], HEADER.size))

    assert header[:7] == (b"mic\n", 2, microphone_pipe.OVERFLOWED_BLOCK, 2, 48000, 1280, 0)
    assert before <= header[7] <= time.clock_gettime(time.CLOCK_MONOTONIC)
    assert header[8] >= header[7] - 0.001
    assert wall - 0.001 <= header[9] <= time.time() + 0.001


@pytest.mark.parametrize("first", [0, 100, HEADER.size, 500, 5000])
def test_a_full_pipe_drops_and_counts_and_never_waits(pipe: tuple[int, int], first: int) -> None:
    """What was begun comes whole and in order; the block after the hole says exactly how much is missing."""
    reading, writing = pipe
    os.write(writing, bytes(first))  # the border of the pipe may fall anywhere into a block
    outlet = Outlet(writing)
    for number in range(500):
        offer(outlet, number)
    data = drained(reading)[first:]
    offer(outlet, 500)
    offer(outlet, 501)

    blocks = parsed(data + drained(reading))

    before = len(blocks) - 2
    assert 70 < before < 500
    assert [*range(before), 500, 501] == [int.from_bytes(payload[:2], "little") for _, _, payload in blocks]
    assert {numbered(int.from_bytes(payload[:2], "little")) == payload for _, _, payload in blocks} == {True}
    assert [0] * before + [(500 - before) * FRAMES, 0] == [dropped for _, dropped, _ in blocks]


def test_a_failure_is_told_after_what_was_begun(pipe: tuple[int, int]) -> None:
    """The parent gets the last audio, and then the reason."""
    outlet = Outlet(pipe[1])
    outlet.started()
    offer(outlet, 1)
    outlet.fail("gone", 66)

    started, block, failure = parsed(drained(pipe[0]))
    assert started == (microphone_pipe.STARTED, 0, b"")
    assert (microphone_pipe.BLOCK, 0, numbered(1)) == block
    assert failure[0] == microphone_pipe.FAILURE
    assert json.loads(failure[2]) == {"message": "gone", "exit_code": 66}


# --- The child's choice of a format, with a device that refuses what it cannot do, as a `hw:` device of ALSA does.


class Refusal(Exception):
    """PortAudio's error."""


class Choosy:
    """As much of sounddevice as opens a stream, for a device with one rate and one number of channels."""

    PortAudioError = Refusal

    def __init__(self, rate: int, channels: int) -> None:
        self._takes = (rate, channels)

    def RawInputStream(self, *, samplerate: int, channels: int, blocksize: int, **_: object) -> str:  # noqa: N802
        if (samplerate, channels) != self._takes:
            raise Refusal(f"no {samplerate} Hz with {channels}")
        return f"stream with blocks of {blocksize}"


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (48000, 1), (16000, 2), (48000, 2), (16000, 8), (48000, 8)])
def test_a_device_is_opened_as_near_to_the_wish_as_it_goes(rate: int, channels: int) -> None:
    """The wanted rate and its own one, with one channel, two, or all of them: what comes out is told in the blocks."""
    device = Device(index=3, name="x", host_api="ALSA", channels=8, rate=48000, default=True)

    opened = microphone_child._stream(Choosy(rate, channels), device, 16000)

    assert opened == (f"stream with blocks of {rate // 50}", rate, channels)


@pytest.mark.parametrize(
    ("channels", "channel", "tried"),
    [
        (1, 0, [1]),
        (2, 0, [1, 2]),
        (8, 0, [1, 2, 8]),
        (1, 1, [1]),
        (2, 1, [2]),
        (2, 2, [2]),
        (8, 2, [2, 8]),
        (8, 3, [8, 3]),
        (3, 3, [3]),
    ],
)
def test_how_many_channels_are_tried(channels: int, channel: int, tried: list[int]) -> None:
    """One is enough where all are mixed; where one is chosen, nobody else must mix it with another."""
    assert tried == microphone_child._channels(channels, channel)


def test_a_channel_that_the_device_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child says so before it opens anything."""
    device = Device(index=3, name="USB", host_api="ALSA", channels=1, rate=48000, default=True)
    tables = SimpleNamespace(query_devices=list, query_hostapis=list, default=SimpleNamespace(device=[0]))
    monkeypatch.setitem(sys.modules, "sounddevice", tables)
    monkeypatch.setattr(microphone_child, "inputs", lambda *_: [device])

    with pytest.raises(SourceError, match="no channel 2 in microphone 'USB', it has 1") as caught:
        microphone_child.record(SimpleNamespace(), None, 16000, 2)  # type: ignore[arg-type]

    assert 78 == caught.value.exit_code


def test_what_the_child_is_told() -> None:
    """Rate, channel, how long to wait, and device, in the order in which it reads them."""
    source = Microphone("USB", rate=16000, channel=2)

    assert ["16000", "2", "0.0", "USB"] == source.words[-4:]
    source.tried = True
    assert ["16000", "2", str(microphone.WAIT_SECONDS), "USB"] == source.words[-4:]
    assert ["16000", "0", "0.0"] == Microphone(None, rate=16000).words[-3:]


def test_a_microphone_that_is_waited_for_is_not_taken_for_stuck() -> None:
    """However badly a child starts, capture turns again before the watchdog is starved."""
    longest = microphone.START_SECONDS + microphone.WAIT_SECONDS + microphone.END_SECONDS + REOPEN_SECONDS[-1]
    assert longest < STUCK_SECONDS


async def test_only_the_first_opening_does_not_wait() -> None:
    """What is wrong is told at once, and waited for from then on."""
    source = child("outlet.fail(sys.argv[3], None)")

    assert ["0.0", *[str(microphone.WAIT_SECONDS)] * 2] == [(await until_lost(source))[1] for _ in range(3)]


class Away:
    """As much of sounddevice as is initialised anew, for a device that comes at some time."""

    def __init__(self) -> None:
        self.initialised = 0

    def _terminate(self) -> None:
        self.initialised -= 1

    def _initialize(self) -> None:
        self.initialised += 2


def waited(monkeypatch: pytest.MonkeyPatch, failures: list[Exception], wait_seconds: float) -> tuple[list[float], Away]:
    """Wait for a device that fails so often; return when it was looked for. Time passes only in sleeps."""
    clock, looks, device = [0.0], [], Away()
    fake = SimpleNamespace(monotonic=lambda: clock[0], sleep=lambda seconds: clock.append(clock.pop() + seconds))
    monkeypatch.setattr(microphone_child, "time", fake)

    def attempt() -> tuple[str, int, int]:
        looks.append(clock[0])
        if failures:
            raise failures.pop(0)
        return ("stream", 16000, 1)

    assert ("stream", 16000, 1) == microphone_child._awaited(device, attempt, wait_seconds)
    return looks, device


def test_a_device_that_is_away_is_looked_for_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """At first sooner; PortAudio lists devices once, so each look but the first is after a new beginning of it."""
    failures = [SourceError("none", 69), SourceLost("gone"), SourceLost("gone"), SourceError("none", 66)]
    looks, device = waited(monkeypatch, failures, 12.0)

    assert [0.0, 0.25, 0.75, 1.75, 2.75] == looks
    assert 4 == device.initialised


def test_a_device_that_stays_away_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the last look found; without waiting, with what the first one found."""
    with pytest.raises(SourceLost, match="look 12"):
        waited(monkeypatch, [SourceLost(f"look {number}") for number in range(20)], 11.0)
    with pytest.raises(SourceError, match="look 0"):
        waited(monkeypatch, [SourceError(f"look {number}", 66) for number in range(20)], 0.0)


def test_a_channel_that_is_not_there_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is there."""
    with pytest.raises(SourceError, match="no channel"):
        waited(monkeypatch, [SourceError("no channel", 78)], 12.0)


def test_a_device_that_refuses_everything_says_why_it_refused_the_wish() -> None:
    """The first refusal is about what was wanted."""
    device = Device(index=3, name="x", host_api="ALSA", channels=1, rate=48000, default=True)

    with pytest.raises(Refusal, match="no 16000 Hz with 1"):
        microphone_child._stream(Choosy(1, 1), device, 16000)


# --- The parent's end.


async def test_blocks_come_in_order_and_the_reason_of_the_end_last() -> None:
    """A block says what the child knows of it; a failure that may pass is a loss."""
    source = child("outlet.started(); speak(1); speak(7); outlet.fail('the cable is out', None)")
    blocks, reason = await until_lost(source)

    assert (source.live, source.ends, source.description) == (True, False, "the default microphone")
    assert [numbered(1), numbered(7)] == [block.pcm for block in blocks]
    assert [(block.rate, block.channels, block.dropped, block.overflowed) for block in blocks] == [
        (16000, 1, 0, False),
        (16000, 1, 0, True),
    ]
    assert 0 < blocks[0].monotonic <= blocks[1].monotonic
    assert reason == "the cable is out"


async def test_a_child_that_writes_byte_by_byte_is_understood() -> None:
    """Where the pipe is cut means nothing."""
    program = "outlet.started(); speak(1)\ninside, out = os.pipe(); o = Outlet(out); o.offer(bytes(640), rate=16000, "
    program += "channels=1, overflowed=False)\nfor b in os.read(inside, 999): os.write(1, bytes([b])); time.sleep(1e-4)"
    blocks, _ = await until_lost(child(program))

    assert [numbered(1), bytes(640)] == [block.pcm for block in blocks]


async def test_a_child_that_dies_is_a_loss_with_its_last_words() -> None:
    """A crash in PortAudio has no failure to tell; what the libraries printed is all there is."""
    program = "speak(1); os.write(2, b'one\\ntwo\\nALSA lib: three\\nfour\\n'); os.kill(os.getpid(), signal.SIGSEGV)"
    blocks, reason = await until_lost(child(program, "USB"))

    assert len(blocks) == 1
    assert reason == "microphone 'USB': its process ended with status -11: two / ALSA lib: three / four"


async def test_a_child_that_cannot_even_start_is_a_loss(tmp_path) -> None:
    """Whatever is wrong with the interpreter, the sentence says it."""
    _, reason = await until_lost(child("import no_such_module"))

    assert "ModuleNotFoundError: No module named 'no_such_module'" in reason


async def test_an_opening_beside_another_does_not_wait() -> None:
    """It is there or it is not, and the one that is open is not to be disturbed."""
    source = child(
        "outlet.started(); speak(1); outlet.fail(sys.argv[3], None) if sys.argv[3] == '0.0' else time.sleep(9)"
    )
    await until_lost(source)
    async with source.open(0.0) as reader:
        await reader.read()
        assert "0.0" == (await until_lost(source))[1]


async def test_a_person_is_called_before_the_first_block_and_not_after() -> None:
    """A name that is not found is misspelled at first; once it has worked, it is unplugged."""
    source = child("outlet.fail('not found', 66)", "USB")
    with pytest.raises(SourceError, match=r"^not found$") as caught:
        await until_lost(source)
    assert caught.value.exit_code == 66

    source = child("speak(1); outlet.fail('not found', 66)", "USB")
    assert (await until_lost(source))[1] == "not found"


async def test_a_service_waits_for_what_was_never_there() -> None:
    """It may be plugged in later; a channel that the device does not have is no matter of time."""
    source = child("outlet.fail('not found', 66)", "USB", patient=True)
    assert (await until_lost(source))[1] == "not found"

    source = child("outlet.fail('there is no channel 3', 78)", "USB", patient=True)
    with pytest.raises(SourceError, match=r"^there is no channel 3$"):
        await until_lost(source)


async def test_nonsense_is_a_loss() -> None:
    """A stray print on the pipe must not become audio."""
    _, reason = await until_lost(child("os.write(1, b'x' * 100); time.sleep(60)"))

    assert "does not speak our protocol" in reason


@pytest.mark.parametrize(
    ("program", "constant", "reason"),
    [
        ("time.sleep(60)", "START_SECONDS", "gives no audio for 0.6 s"),
        ("outlet.started(); time.sleep(60)", "FIRST_SECONDS", "gives no audio for 0.6 s"),
        ("outlet.started(); speak(1); time.sleep(60)", "STALL_SECONDS", "gives no audio for 0.6 s"),
    ],
)
@pytest.mark.slow
async def test_silence_of_the_child_is_a_loss(
    monkeypatch: pytest.MonkeyPatch, program: str, constant: str, reason: str
) -> None:
    """A hung start, a device that never begins, one that stalls: each has its own patience."""
    monkeypatch.setattr(microphone, constant, 0.6)
    monkeypatch.setattr(microphone, "WAIT_SECONDS", 0.0)
    _, said = await until_lost(child(program))

    assert reason in said


@pytest.mark.parametrize("program", ["time.sleep(60)", "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"])
async def test_leaving_ends_the_child_at_once(program: str) -> None:
    """Cancelled in the midst of a read, nothing is left of it: no process and no zombie."""
    with trio.CancelScope() as scope:
        async with child("speak(1); " + program).open(0.0) as reader:
            await reader.read()
            process = reader._process
            started = trio.current_time()
            with trio.move_on_after(0.01):
                await reader.read()
            scope.cancel()
            await trio.sleep_forever()

    assert trio.current_time() - started < 1.0
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


async def test_the_child_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has not got it cannot leak."""
    monkeypatch.setenv("ASSEMBLYAI_API_KEY", "secret")
    _, said = await until_lost(child("outlet.fail(str('secret' in str(os.environ)) + os.environ['PATH'], None)"))

    assert f"False{os.environ['PATH']}" == said


@pytest.mark.slow
async def test_ctrl_c_is_the_parents_to_decide() -> None:
    """The whole foreground group gets the signal; the child records on until it is told."""
    program = "record = lambda *_: (speak(1), os.kill(os.getpid(), signal.SIGINT), speak(2), time.sleep(60))\n"
    async with child(program + "import stenod.edge.microphone_child as m; m.record = record; m.main('16000')").open(
        0.0
    ) as reader:
        assert numbered(1) == (await reader.read()).pcm
        assert numbered(2) == (await reader.read()).pcm


@pytest.mark.slow
def test_the_real_child_ends_when_its_parent_is_gone() -> None:
    """Its standard input ends with the parent, and it with that, whatever it is doing."""
    program = "import stenod.edge.microphone_child as m, time; m.record = lambda *_: time.sleep(60); m.main('16000')"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    process.stdin.close()

    assert process.wait(10) == 0
