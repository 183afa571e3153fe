"""The process that reads a microphone: finds the device, opens it, and writes its blocks to a pipe (`edge/microphone`).

Invariants:

* Nothing delays a read: what does not fit into the pipe at once is dropped, counted, and told with the next block.
  (A block that was begun is always finished.)
* It ends when its standard input does, so it cannot outlive its parent. Ctrl-C is the parent's to decide.
* It takes no core while it waits: for a device that is away it looks once a second, for a first block it sleeps.

Facts, tried with PortAudio 19.6 on PulseAudio 16.1 and PipeWire 0.3.65: a source that is unplugged and a server that
dies make the blocking read fail at once (-9999). A look costs 20 ms, a new process ten times that. After a look that
found no server nothing is found any more, until PortAudio is initialised anew. The monitor of a null sink needs up to
1.9 s for its first block, and a blocking read takes half a core until then. Blocks of 20 ms come evenly, those of
100 ms in pairs.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import chain, repeat
from typing import Any, NoReturn

from stenod.core.clock import read_moment
from stenod.core.microphone_pipe import BLOCK, EX_CONFIG, FAILURE, OVERFLOWED_BLOCK, STARTED, packed
from stenod.core.microphones import NO_PORTAUDIO, Device, inputs, match
from stenod.core.source import SourceError, SourceLost

EX_UNAVAILABLE = 69
BLOCKS_A_SECOND = 50
LOOK_SECONDS = (0.25, 0.5, 1.0)
"""Between two looks for a device that is away; the last one repeats."""
FIRST_LOOK_SECONDS = 0.005
CLOCKS = [
    partial(time.clock_gettime, clock)
    for clock in (time.CLOCK_MONOTONIC, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC), time.CLOCK_REALTIME)
]
NO_CHANNEL = (
    "there is no channel {channel} in microphone '{name}', it has {channels} (capture.channel, capture.channel_names); "
    "choose 1 to {channels}, or 0 for all"
)
LOST = "microphone '{name}': {error}"

_Opened = tuple[Any, int, int]
"""A stream of sounddevice, its rate and its channels."""


class Outlet:
    """The child's end of the pipe: takes blocks and never waits."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""
        self._dropped = 0
        os.set_blocking(fd, False)

    def started(self) -> None:
        """Say that the device is open."""
        self._rest += packed(STARTED)
        self._flush()

    def offer(self, pcm: bytes, *, rate: int, channels: int, overflowed: bool) -> None:
        """Hand a block over, or drop and count it if the one before it is not written yet."""
        moment = read_moment(*CLOCKS)
        self._flush()
        if self._rest:
            self._dropped += len(pcm) // (2 * channels)
            return
        kind = OVERFLOWED_BLOCK if overflowed else BLOCK
        clocks = (moment.monotonic, moment.boottime, moment.wall)
        self._rest = packed(kind, pcm, channels=channels, rate=rate, dropped=self._dropped, clocks=clocks)
        self._dropped = 0
        self._flush()

    def fail(self, message: str, exit_code: int | None) -> None:
        """Say why there will be no more, after what was begun; the one thing that may wait."""
        payload = json.dumps({"message": message, "exit_code": exit_code}).encode()
        self._rest += packed(FAILURE, payload)
        os.set_blocking(self._fd, True)
        while self._rest:
            self._flush()

    def _flush(self) -> None:
        """Write what can be written now."""
        with contextlib.suppress(BlockingIOError):
            if self._rest:
                self._rest = self._rest[os.write(self._fd, self._rest) :]


def record(outlet: Outlet, wanted: str | None, rate: int, channel: int = 0, wait_seconds: float = 0.0) -> NoReturn:
    """Read the device for ever; raises `SourceError` and `SourceLost`, once it has been waited for."""
    try:
        import sounddevice
    except OSError as error:
        raise SourceError(NO_PORTAUDIO.format(reason=error), EX_UNAVAILABLE) from error
    stream, rate, channels = _awaited(sounddevice, partial(_opened, sounddevice, wanted, rate, channel), wait_seconds)
    outlet.started()
    frames = rate // BLOCKS_A_SECOND
    try:
        while stream.read_available < frames:  # the first time, a blocking read may wait with all its might
            time.sleep(FIRST_LOOK_SECONDS)
        while True:
            pcm, overflowed = stream.read(frames)
            outlet.offer(bytes(pcm), rate=rate, channels=channels, overflowed=overflowed)
    except sounddevice.PortAudioError as error:
        raise SourceLost(LOST.format(name=wanted or "default", error=error)) from error


def _awaited(sounddevice: Any, attempt: Callable[[], _Opened], wait_seconds: float) -> _Opened:
    """Return what an attempt gives, once there is something to give; raise what the last one said."""
    deadline = time.monotonic() + wait_seconds
    for delay in chain(LOOK_SECONDS, repeat(LOOK_SECONDS[-1])):
        try:
            return attempt()
        except (SourceError, SourceLost) as failure:
            if time.monotonic() + delay > deadline or getattr(failure, "exit_code", None) == EX_CONFIG:
                raise
        time.sleep(delay)
        sounddevice._terminate()  # noqa: SLF001 -- it lists devices once; nothing public makes it list them again
        sounddevice._initialize()  # noqa: SLF001
    raise AssertionError("the delays do not end")


def _opened(sounddevice: Any, wanted: str | None, rate: int, channel: int) -> _Opened:
    """Find the device, and start a stream of it; raises `SourceError` and `SourceLost`."""
    tables = (sounddevice.query_devices(), sounddevice.query_hostapis(), sounddevice.default.device[0])
    device = match(inputs(*tables), wanted)
    if channel > device.channels:
        raise SourceError(NO_CHANNEL.format(channel=channel, name=device.name, channels=device.channels), EX_CONFIG)
    try:
        opened = _stream(sounddevice, device, rate, channel)
        opened[0].start()
    except sounddevice.PortAudioError as error:
        raise SourceLost(LOST.format(name=device.name, error=error)) from error
    return opened


def _stream(sounddevice: Any, device: Device, rate: int, channel: int = 0) -> _Opened:
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


def main(rate: str, channel: str = "0", wait_seconds: str = "0", device: str | None = None) -> NoReturn:
    """Be the child: record to descriptor 1."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they are meant for all of a group; the parent ends us
        signal.signal(number, signal.SIG_IGN)
    outlet = Outlet(os.dup(1))
    os.dup2(2, 1)  # PortAudio's back ends print to both
    os.set_blocking(2, False)  # and must not wait for whoever reads that
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        record(outlet, device, int(rate), int(channel), float(wait_seconds))
    except SourceError as error:
        outlet.fail(str(error), error.exit_code)
        os._exit(error.exit_code)
    except SourceLost as lost:
        outlet.fail(str(lost), None)
        os._exit(0)  # not through PortAudio's own end, which can hang


if __name__ == "__main__":
    main(*sys.argv[1:])
