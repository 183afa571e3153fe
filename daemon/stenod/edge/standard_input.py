"""Standard input as a source: raw s16le that somebody pipes or redirects into stenod.

It ends for good when the writer closes it. A pipe is live (it may be a microphone); a regular file is not.

Invariants:

* A block is what is there, up to a tenth of a second: nobody waits for a slow writer to fill one. It holds whole
  frames; half a frame waits for its other half, and is dropped if the end comes first. The first waits until it is
  known to be no file of another kind.
* The descriptor's flags are never touched. O_NONBLOCK belongs to the open file and not to the descriptor: set here, it
  would stay with the shell and the terminal that share it, for good after a SIGKILL. So we wait until it is readable
  and read once, which does not block while nobody else reads from it.
* A regular file is read with `pread`, from where its offset stood: opening it again is possible.

What cannot be waited for (regular files, /dev/null: epoll refuses them) is read by the function handed in.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import trio

from stenod.core.clock import Moment, read_moment
from stenod.core.containers import bytes_needed, container
from stenod.core.source import Block, Reader, SourceError, SourceLost

EX_USAGE, EX_DATAERR = 64, 65
BLOCKS_A_SECOND = 10
CLOCKS = [
    partial(time.clock_gettime, clock)
    for clock in (time.CLOCK_MONOTONIC, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC), time.CLOCK_REALTIME)
]
REMEDY = "pipe raw audio into it, e.g. `ffmpeg -i talk.mp4 -f s16le -ac 1 -ar 16000 - | stenod run --input -`"

Offload = Callable[..., Awaitable[Any]]
"""As in `stenod.edge.soundfile`: `trio.to_thread.run_sync`, or something that does the work at once."""


class StandardInput:
    """The process's standard input; see `stenod.core.source.Source`."""

    ends = True
    clocked = False

    def __init__(self, *, rate: int, channels: int, fd: int = 0, offload: Offload = trio.to_thread.run_sync) -> None:
        self.rate = rate
        self.channels = channels
        self.fd = fd
        self.description = "standard input"
        self.live = not _is_regular(fd)
        self._offload = offload

    def open(self, position_seconds: float) -> AbstractAsyncContextManager[Reader]:
        """Begin to read: a pipe where it is, a file at the position."""
        return self._opened(position_seconds)

    @asynccontextmanager
    async def _opened(self, position_seconds: float) -> AsyncIterator[Reader]:
        if not _is_readable(self.fd):
            raise SourceError(f"cannot read standard input: it is closed; {REMEDY}", EX_USAGE)
        if os.isatty(self.fd):
            raise SourceError(f"cannot read standard input: it is a terminal; {REMEDY}", EX_USAGE)
        yield _InputReader(self, position_seconds, self._offload)


class _InputReader:
    def __init__(self, source: StandardInput, position_seconds: float, offload: Offload) -> None:
        self._source = source
        self._offload = offload
        self._frame_bytes = 2 * source.channels
        self._bytes_max = max(1, source.rate // BLOCKS_A_SECOND) * self._frame_bytes
        self._rest = b""
        self._begun = False
        self._offset: int | None = None
        if not source.live:
            skipped = round(position_seconds * source.rate) * self._frame_bytes
            self._begun = skipped > 0
            self._offset = os.lseek(source.fd, 0, os.SEEK_CUR) + skipped

    async def read(self) -> Block | None:
        while True:
            try:
                data = await self._some(self._bytes_max - len(self._rest))
            except OSError as error:
                raise SourceLost(f"cannot read standard input: {(error.strerror or str(error)).lower()}") from error
            moment = read_moment(*CLOCKS)
            self._rest += data
            if not self._begun and (len(self._rest) >= min(bytes_needed(self._rest), self._bytes_max) or not data):
                self._check_raw()
            whole = len(self._rest) - len(self._rest) % self._frame_bytes
            if whole and self._begun:
                pcm, self._rest = self._rest[:whole], self._rest[whole:]
                return self._block(pcm, moment if self._source.live else None)
            if not data:
                return None

    async def _some(self, bytes_max: int) -> bytes:
        fd = self._source.fd
        if self._offset is not None:
            data: bytes = await self._offload(os.pread, fd, bytes_max, self._offset)
            self._offset += len(data)
            return data
        try:
            await trio.lowlevel.wait_readable(fd)
        except OSError as error:
            if error.errno != errno.EPERM:
                raise
            unpollable: bytes = await self._offload(os.read, fd, bytes_max)
            return unpollable
        return os.read(fd, bytes_max)

    def _check_raw(self) -> None:
        self._begun = True
        if kind := container(self._rest):
            remedy = "give the file by its name, or pipe raw audio (`-f s16le` with ffmpeg, `-t raw` with arecord, sox)"
            raise SourceError(f"cannot read standard input: it is {kind}, not raw audio; {remedy}", EX_DATAERR)

    def _block(self, pcm: bytes, moment: Moment | None) -> Block:
        return Block(
            pcm=pcm,
            rate=self._source.rate,
            channels=self._source.channels,
            monotonic=None if moment is None else moment.monotonic,
            boottime=None if moment is None else moment.boottime,
            wall=None if moment is None else moment.wall,
        )


def _is_readable(fd: int) -> bool:
    """Whether it is open for reading; a write-only one stands in for a closed one."""
    try:
        return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_WRONLY
    except OSError:
        return False


def _is_regular(fd: int) -> bool:
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return False
