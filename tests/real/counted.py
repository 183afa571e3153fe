"""Audio whose samples tell their own position and time: an oracle for what a microphone lost, moved, or repeated.

Samples come in pairs: a negative one with the high bits of the pair's number, and one of 0 or more with the low bits.
So two neighbours say where they are, whatever is missing before. A `Speaker` writes them to a FIFO in real time: the
sample at `position` is what a microphone would hear then, and what nobody takes in time is gone, as in a room.

Facts: PulseAudio reads a pipe source as it is written, PipeWire 0.3.65 in quanta, and repeats old audio where a quantum
is not there yet: so the writer is ahead of it by a constant, which is no matter, since only differences are compared.
"""

import contextlib
import fcntl
import os
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from stenod.core.audit import Stock

RATE = 48000
"""The graph's own rate in PipeWire, and what the journal keeps in these tests: nothing converts it."""
STEP_SECONDS = 0.005
IDLE_SECONDS = 0.5
"""Nobody has read for so long: then what is in the FIFO is old."""
FIFO_BYTES = 1 << 16
ZEROS_MIN = 16
"""There are never two zeros beside each other in counted audio."""


def counted(start: int, count: int) -> np.ndarray:
    """Return the samples of these positions."""
    position = np.arange(start, start + count, dtype=np.int64)
    pair = position >> 1
    return np.where(position & 1, pair & 0x7FFF, -1 - (pair >> 15)).astype("<i2")


def zeros(_start: int, count: int) -> np.ndarray:
    """Say nothing."""
    return np.zeros(count, dtype="<i2")


def tone(start: int, count: int) -> np.ndarray:
    """Say 1 kHz at a quarter of full scale."""
    return np.round(8192 * np.sin(np.arange(start, start + count) * 2 * np.pi * 1000 / RATE)).astype("<i2")


def shout(start: int, count: int) -> np.ndarray:
    """Say the same far too loud."""
    return np.clip(tone(start, count).astype(int) * 8, -32768, 32767).astype("<i2")


def position_of(samples: np.ndarray) -> int:
    """Return the position of the first of some counted samples."""
    first = int(np.flatnonzero(samples[:2] < 0)[0])
    high, low = int(samples[first]), int(samples[first + 1])
    return 2 * ((-1 - high << 15) + low) - first


@dataclass(frozen=True, slots=True)
class Heard:
    """A stretch of counted audio as it was recorded, without a hole: where in the journal, and what it says."""

    start: int
    end: int
    position: int

    @property
    def shift(self) -> int:
        """How much later it stands in the journal than it was said; only differences mean anything."""
        return self.start - self.position

    @property
    def last(self) -> int:
        """The position behind its last sample."""
        return self.position + self.end - self.start


def heard(stock: Stock, directory: Path) -> list[Heard]:
    """Return what a journal holds: within a stretch each sample follows the one before, bit for bit."""
    audio = np.zeros(max([stock.tail, *(span.end for span in stock.stored)]), dtype="<i2")
    for span in stock.stored:
        path = directory / stock.stream / "audio"
        (file,) = [one for one in path.glob("*.s16le") if int(one.stem) == span.start]
        pcm = np.frombuffer(file.read_bytes()[: 2 * span.count], "<i2")
        audio[span.start : span.end] = pcm
    return list(_stretches(audio))


def _stretches(audio: np.ndarray) -> Iterator[Heard]:
    sound = np.flatnonzero(audio)
    if not len(sound):
        return
    for part in np.split(sound, np.flatnonzero(np.diff(sound) >= ZEROS_MIN) + 1):
        start, end = int(part[0]), int(part[-1]) + 1
        while end - start >= 2:
            position = position_of(audio[start:end])
            other = np.flatnonzero(counted(position, end - start) != audio[start:end])
            until = start + int(other[0]) if len(other) else end
            assert until - start > 2, f"at {start}: no two samples follow each other"
            yield Heard(start, until, position)
            start = until


class Speaker:
    """Says the numbers into a FIFO, in real time, whoever listens; it finds the FIFO again when it is another one."""

    def __init__(
        self, fifo: Path, *, ahead_seconds: float = 0.0, begin: int = 0, say: Callable[[int, int], np.ndarray] = counted
    ) -> None:
        self._fifo = fifo
        self._ahead = round(ahead_seconds * RATE)
        self._begin = begin
        self.say = say
        """What it says now; may be changed."""
        self._began = time.monotonic()
        self.late_seconds = 0.0
        """The longest that this machine has kept it waiting beyond its time; others waited as well."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def at(self, position: int) -> float:
        """Return when that position is said, on the clock of `time.monotonic`."""
        return self._began + (position - self._begin) / RATE

    def now(self) -> int:
        """Return the position that is being said."""
        return self._begin + int((time.monotonic() - self._began) * RATE)

    def _speak(self) -> None:
        pipe, inode = -1, -1
        taken = idle_since = written = 0.0
        said = self.now() + self._ahead
        waited_at = time.monotonic()
        while not self._stopped.wait(STEP_SECONDS):
            self.late_seconds = max(self.late_seconds, time.monotonic() - waited_at - STEP_SECONDS)
            waited_at = time.monotonic()
            try:
                found = self._fifo.stat().st_ino
            except FileNotFoundError:
                found = -1
            if found != inode:
                if pipe >= 0:
                    os.close(pipe)
                pipe, inode = (-1, -1) if found < 0 else (os.open(self._fifo, os.O_RDWR | os.O_NONBLOCK), found)
                taken = written = 0.0
                said = self.now()
                if pipe >= 0:
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, FIFO_BYTES)
            until = self.now() + self._ahead
            if pipe >= 0:
                fill = _fill(pipe)
                if written - fill != taken:
                    taken, idle_since = written - fill, time.monotonic()
                if time.monotonic() - idle_since > IDLE_SECONDS:
                    written -= _trim(pipe, fill - 2 * self._ahead)
                with contextlib.suppress(BlockingIOError):
                    written += os.write(pipe, self.say(said, until - said).tobytes())
            said = until
        if pipe >= 0:
            os.close(pipe)


def _fill(pipe: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0])


def _trim(pipe: int, count: int) -> int:
    """Take what is old out of a FIFO that nobody reads."""
    with contextlib.suppress(BlockingIOError):
        return len(os.read(pipe, count // 2 * 2)) if count >= 2 else 0
    return 0
