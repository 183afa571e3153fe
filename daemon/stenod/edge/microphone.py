"""A microphone as a source. PortAudio lives in a child process; this module is both sides of the pipe between.

Why a child: PortAudio lists devices once per process, can hang in `close`, prints to descriptors 1 and 2, and its
callbacks need executable memory, which a hardened unit forbids. A child is killed and started again, whatever it does;
it reads blocks and needs no callback.

Invariants of the child:

* Nothing delays a read: what does not fit into the pipe at once is dropped, counted, and told with the next block.
  (A block that was begun is always finished.)
* It ends when its standard input does, so it cannot outlive its parent. Ctrl-C is the parent's to decide.

Invariants of the parent:

* A reader that is left, by cancellation too, leaves no process: SIGKILL, and two seconds for the reaping.
* A microphone that has worked and is not there any more is lost, not misspelled: no `SourceError` after a first block.

Facts, tried with PortAudio 19.6 on PulseAudio 16.1: a source that is unplugged and a server that dies make the blocking
read fail at once (-9999); a server that stalls makes it wait, without an error, and then hands over all at once; the
monitor of a null sink needs up to 1.8 s for its first block. Blocks of 20 ms come evenly, those of 100 ms in pairs.
"""

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import astuple
from functools import partial
from typing import Any, NoReturn

from stenod.core.clock import read_moment
from stenod.core.microphones import NO_PORTAUDIO, Device, child_environment, inputs, match
from stenod.core.source import Block, Reader, SourceError, SourceLost

EX_UNAVAILABLE, EX_CONFIG = 69, 78
BLOCKS_A_SECOND = 50
PIPE_BYTES = 1 << 20
"""Over 20 s at 16 kHz mono; the most that Linux lets a plain user ask for."""
START_SECONDS = 15.0
"""For Python and PortAudio to start, on a small machine that is busy starting everything else."""
FIRST_SECONDS = 5.0
STALL_SECONDS = 2.0
END_SECONDS = 2.0
COMPLAINT_BYTES_MAX = 4096
COMPLAINT_LINES = 3

MAGIC = b"mic\n"
VERSION = 2
STARTED, BLOCK, OVERFLOWED_BLOCK, FAILURE = range(4)
HEADER = struct.Struct("<4sBBHIIQddd")
"""Magic, version, kind, channels, rate, bytes that follow, frames dropped before, the clocks of a `Moment`."""
PAYLOAD_BYTES_MAX = 1 << 20
NO_CHANNEL = (
    "there is no channel {channel} in microphone '{name}', it has {channels} (capture.channel, capture.channel_names); "
    "choose 1 to {channels}, or 0 for all"
)
CLOCKS = [
    partial(time.clock_gettime, clock)
    for clock in (time.CLOCK_MONOTONIC, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC), time.CLOCK_REALTIME)
]
NO_MOMENT = (0.0, 0.0, 0.0)
CHILD = (sys.executable, "-P", "-m", "stenod.edge.microphone")
"""-P: a file of the user's that is called like a module of ours is not imported for it."""


class Microphone:
    """An input device of PortAudio; see `stenod.core.source.Source`."""

    live = True
    ends = False
    clocked = True

    def __init__(self, device: str | None, *, rate: int, channel: int = 0, child: Sequence[str] = CHILD) -> None:
        """Name the device (None: the default one) as `core.microphones.match` takes it; `rate` is a wish.

        `channel`: the one that is wanted of what comes, from 1; 0: all, and then one is enough.
        """
        self.device = device
        self.rate = rate
        self.description = "the default microphone" if device is None else f"microphone '{device}'"
        self.worked = False
        """Whether a block has come from it, ever."""
        self._child = [*child, str(rate), str(channel), *([] if device is None else [device])]

    def open(self, position_seconds: float) -> AbstractAsyncContextManager[Reader]:
        """Start to record; `position_seconds` means nothing to it."""
        del position_seconds
        return self._opened()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Reader]:
        import trio

        process = await trio.lowlevel.open_process(
            self._child,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(os.environ),
        )
        try:
            yield _MicrophoneReader(self, process)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
                    await pipe.aclose()
                with trio.move_on_after(END_SECONDS):
                    await process.wait()


class _MicrophoneReader:
    def __init__(self, source: Microphone, process: Any) -> None:
        self._source = source
        self._process = process
        self._audio = process.stdout
        self._complaints = process.stderr
        self._complaint = b""
        self._received = bytearray()
        self._patience_seconds = START_SECONDS
        _enlarge(self._audio.fileno())

    async def read(self) -> Block:
        import trio

        while True:
            block = self._taken()
            if block is not None:
                return block
            with trio.move_on_after(self._patience_seconds) as scope:
                some = await self._audio.receive_some(PIPE_BYTES)
                self._hear()
                if not some:
                    raise SourceLost(await self._farewell())
                self._received += some
            if scope.cancelled_caught:
                raise SourceLost(f"{self._source.description} gives no audio for {self._patience_seconds:.0f} s")

    def _taken(self) -> Block | None:
        """Take the next block from what was received; None if there is none yet."""
        while len(self._received) >= HEADER.size:
            header = HEADER.unpack_from(self._received)
            magic, version, kind, channels, rate, size, dropped, monotonic, boottime, wall = header
            if (magic, version) != (MAGIC, VERSION) or size > PAYLOAD_BYTES_MAX:
                raise SourceLost(f"{self._source.description}: its process does not speak our protocol: {header}")
            if len(self._received) < HEADER.size + size:
                return None
            payload = bytes(self._received[HEADER.size : HEADER.size + size])
            del self._received[: HEADER.size + size]
            if kind == STARTED:
                self._patience_seconds = FIRST_SECONDS
            elif kind == FAILURE:
                self._fail(json.loads(payload))
            else:
                self._patience_seconds = STALL_SECONDS
                self._source.worked = True
                return Block(
                    pcm=payload,
                    rate=rate,
                    channels=channels,
                    monotonic=monotonic,
                    boottime=boottime,
                    wall=wall,
                    dropped=dropped,
                    overflowed=kind == OVERFLOWED_BLOCK,
                )
        return None

    def _fail(self, failure: dict[str, Any]) -> NoReturn:
        if failure["exit_code"] is None or self._source.worked:
            raise SourceLost(failure["message"])
        raise SourceError(failure["message"], failure["exit_code"])

    def _hear(self) -> None:
        """Take what PortAudio and the libraries under it print, and keep the end of it."""
        with contextlib.suppress(BlockingIOError):
            while some := os.read(self._complaints.fileno(), COMPLAINT_BYTES_MAX):
                self._complaint = (self._complaint + some)[-COMPLAINT_BYTES_MAX:]

    async def _farewell(self) -> str:
        """Say how the child ended that did not say so itself."""
        import trio

        with trio.move_on_after(END_SECONDS):
            await self._process.wait()
        self._hear()
        lines = [line.strip() for line in self._complaint.decode(errors="replace").splitlines() if line.strip()]
        told = " / ".join(lines[-COMPLAINT_LINES:])
        how = f"{self._source.description}: its process ended with status {self._process.returncode}"
        return how + (f": {told}" if told else "")


def _enlarge(fd: int) -> None:
    """Make a pipe hold more, where that is possible and allowed."""
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


class Outlet:
    """The child's end of the pipe: takes blocks and never waits."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""
        self._dropped = 0
        os.set_blocking(fd, False)

    def started(self) -> None:
        """Say that the device is open."""
        self._rest += HEADER.pack(MAGIC, VERSION, STARTED, 0, 0, 0, 0, *NO_MOMENT)
        self._flush()

    def offer(self, pcm: bytes, *, rate: int, channels: int, overflowed: bool) -> None:
        """Hand a block over, or drop and count it if the one before it is not written yet."""
        moment = read_moment(*CLOCKS)
        self._flush()
        if self._rest:
            self._dropped += len(pcm) // (2 * channels)
            return
        kind = OVERFLOWED_BLOCK if overflowed else BLOCK
        about = (channels, rate, len(pcm), self._dropped, *astuple(moment))
        self._rest = HEADER.pack(MAGIC, VERSION, kind, *about) + pcm
        self._dropped = 0
        self._flush()

    def fail(self, message: str, exit_code: int | None) -> None:
        """Say why there will be no more, after what was begun; the one thing that may wait."""
        payload = json.dumps({"message": message, "exit_code": exit_code}).encode()
        self._rest += HEADER.pack(MAGIC, VERSION, FAILURE, 0, 0, len(payload), 0, *NO_MOMENT) + payload
        os.set_blocking(self._fd, True)
        while self._rest:
            self._flush()

    def _flush(self) -> None:
        """Write what can be written now."""
        with contextlib.suppress(BlockingIOError):
            if self._rest:
                self._rest = self._rest[os.write(self._fd, self._rest) :]


def record(outlet: Outlet, wanted: str | None, rate: int, channel: int = 0) -> NoReturn:
    """Read the device for ever; raises `SourceError` and `SourceLost`."""
    try:
        import sounddevice
    except OSError as error:
        raise SourceError(NO_PORTAUDIO.format(reason=error), EX_UNAVAILABLE) from error
    tables = (sounddevice.query_devices(), sounddevice.query_hostapis(), sounddevice.default.device[0])
    device = match(inputs(*tables), wanted)
    if channel > device.channels:
        raise SourceError(NO_CHANNEL.format(channel=channel, name=device.name, channels=device.channels), EX_CONFIG)
    try:
        stream, rate, channels = _stream(sounddevice, device, rate, channel)
        stream.start()
        outlet.started()
        while True:
            pcm, overflowed = stream.read(rate // BLOCKS_A_SECOND)
            outlet.offer(bytes(pcm), rate=rate, channels=channels, overflowed=overflowed)
    except sounddevice.PortAudioError as error:
        raise SourceLost(f"microphone '{device.name}': {error}") from error


def _stream(sounddevice: Any, device: Device, rate: int, channel: int = 0) -> tuple[Any, int, int]:
    """Open the device as it is wanted (mono, at this rate), or as near to it as it goes."""
    refusals = []
    for channels in _channels(device.channels, channel):
        for attempt in dict.fromkeys((rate, device.rate)):
            try:
                stream = sounddevice.RawInputStream(
                    device=device.index,
                    samplerate=attempt,
                    channels=channels,
                    dtype="int16",
                    blocksize=attempt // BLOCKS_A_SECOND,
                )
            except sounddevice.PortAudioError as error:
                refusals.append(error)
            else:
                return stream, attempt, channels
    raise refusals[0]


def _channels(channels: int, channel: int) -> list[int]:
    """Return with how many channels to try a device that has so many, the best first.

    A sound server that gives fewer than there are mixes them, which is fine where all are wanted. For the first and the
    second one stereo comes first all the same: servers claim channels by the dozen, and have two.
    """
    if channel == 0:
        return sorted({1, min(2, channels), channels})
    wanted = [min(2, channels), channels] if channel <= 2 else [channels, channel]
    return list(dict.fromkeys(wanted))


def _end_with_parent() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1):
            pass
    os._exit(0)


def main(rate: str, channel: str = "0", device: str | None = None) -> NoReturn:
    """Be the child: record to descriptor 1."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    outlet = Outlet(os.dup(1))
    os.dup2(2, 1)  # PortAudio's back ends print to both
    os.set_blocking(2, False)  # and must not wait for whoever reads that
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        record(outlet, device, int(rate), int(channel))
    except SourceError as error:
        outlet.fail(str(error), error.exit_code)
        os._exit(error.exit_code)
    except SourceLost as lost:
        outlet.fail(str(lost), None)
        os._exit(0)  # not through PortAudio's own end, which can hang


if __name__ == "__main__":
    main(*sys.argv[1:])
