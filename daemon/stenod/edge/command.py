"""A command as a source: whatever writes raw s16le to its standard output (ffmpeg, arecord, pw-record, parec, sox).

It is live and does not end: a command that does is lost, and may be started again. So is one that writes nothing for
long, as a stream's reader does whose server has gone: what is said meanwhile is lost with nobody knowing.

Invariants:

* A block holds whole frames, however the bytes came; what is left over waits for its other half.
* The command is a session of its own, so Ctrl-C does not reach it and a whole pipeline is ended as one: SIGTERM to
  the group, SIGKILL after a second. Leaving takes two seconds at most, and leaves nothing behind. If this process is
  killed itself, the command's next write fails (SIGPIPE).
* It is not given our keys, and it has no standard input to take from us.
* Its complaints (stderr) are read as they come, so that it never waits for us; the last lines explain its end.

The pipe is enlarged (Linux), so that a pause of ours is not an overrun of the command's.
"""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import trio

from stenod.core.clock import read_moment
from stenod.core.source import Block, Reader, SourceError, SourceLost

EX_USAGE, EX_UNAVAILABLE = 64, 69
BLOCKS_A_SECOND = 10
PIPE_BYTES = 1 << 20
COMPLAINT_BYTES_MAX = 4096
COMPLAINT_LINES = 3
COMPLAINT_SECONDS = 0.25
"""How often the complaints of a command that writes no audio are read."""
STALL_SECONDS = 30.0
END_SECONDS = 1.0
STRAGGLER_SECONDS = 0.1
"""What the rest of a pipeline has when its first process, which got the same signal, is gone."""
CLOCKS = [
    partial(time.clock_gettime, clock)
    for clock in (time.CLOCK_MONOTONIC, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC), time.CLOCK_REALTIME)
]
PASSWORD = re.compile(r"://[^/\s@]+@")
"""A stream's address may carry one, and ffmpeg repeats the address."""


class Command:
    """A command that writes audio; see `stenod.core.source.Source`."""

    live = True
    ends = False
    clocked = False

    def __init__(self, words: Sequence[str], *, rate: int, channels: int) -> None:
        self.words = tuple(words)
        self.rate = rate
        self.channels = channels
        self.description = f"command '{self.words[0] if self.words else ''}'"

    def open(self, position_seconds: float) -> AbstractAsyncContextManager[Reader]:
        """Start the command; `position_seconds` means nothing to it."""
        del position_seconds
        return self._opened()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Reader]:
        process = await self._started()
        try:
            yield _CommandReader(self, process)
        finally:
            with trio.CancelScope(shield=True):
                await _end(process)

    async def _started(self) -> trio.Process:
        if not self.words:
            raise SourceError("cannot run a command: it has no words; give it as `command:WORDS`", EX_USAGE)
        try:
            process = await trio.lowlevel.open_process(
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=_without_keys(os.environ),
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            msg = f"cannot run {self.description}: {reason}; install it, or correct the words after `command:`"
            raise SourceError(msg, EX_UNAVAILABLE) from error
        assert isinstance(process.stdout, trio.lowlevel.FdStream)
        _enlarge(process.stdout.fileno())
        return process


class _CommandReader:
    def __init__(self, source: Command, process: trio.Process) -> None:
        assert isinstance(process.stdout, trio.lowlevel.FdStream)
        assert isinstance(process.stderr, trio.lowlevel.FdStream)
        self._source = source
        self._process = process
        self._audio = process.stdout
        self._complaints = process.stderr
        self._complaint = b""
        self._frame_bytes = 2 * source.channels
        self._bytes_max = max(1, source.rate // BLOCKS_A_SECOND) * self._frame_bytes
        self._rest = b""

    async def read(self) -> Block:
        # Looks are counted, not seconds: a process that was stopped meanwhile has not looked.
        for _ in range(round(STALL_SECONDS / COMPLAINT_SECONDS)):
            with trio.move_on_after(COMPLAINT_SECONDS):
                data = await self._audio.receive_some(self._bytes_max - len(self._rest))
                moment = read_moment(*CLOCKS)
                self._rest += data
                whole = len(self._rest) - len(self._rest) % self._frame_bytes
                if not data:
                    break
                if whole:
                    self._hear()
                    pcm, self._rest = self._rest[:whole], self._rest[whole:]
                    return Block(
                        pcm=pcm,
                        rate=self._source.rate,
                        channels=self._source.channels,
                        monotonic=moment.monotonic,
                        boottime=moment.boottime,
                        wall=moment.wall,
                    )
            self._hear()
        else:
            raise SourceLost(self._told(f"has written no audio for {STALL_SECONDS:g} s"))
        raise SourceLost(await self._farewell())

    def _hear(self) -> None:
        """Take what the command complained, and keep the end of it."""
        with contextlib.suppress(BlockingIOError):
            while some := os.read(self._complaints.fileno(), COMPLAINT_BYTES_MAX):
                self._complaint = (self._complaint + some)[-COMPLAINT_BYTES_MAX:]

    async def _farewell(self) -> str:
        """Say how the command ended, once its standard output has."""
        with trio.move_on_after(END_SECONDS):
            await self._process.wait()
        self._hear()
        status = self._process.returncode
        if status is None:
            how = "closed its output"
        elif status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
        else:
            how = f"ended with status {status}"
        return self._told(how)

    def _told(self, how: str) -> str:
        lines = [line.strip() for line in self._complaint.decode(errors="replace").splitlines() if line.strip()]
        told = PASSWORD.sub("://***@", " / ".join(lines[-COMPLAINT_LINES:]))
        return f"{self._source.description} {how}" + (f": {told}" if told else "")


async def _end(process: trio.Process) -> None:
    """End the command's whole group, reap the command, and close the pipes."""
    assert process.stdout is not None
    assert process.stderr is not None
    await process.stdout.aclose()
    _signal_group(process.pid, signal.SIGTERM)
    with trio.move_on_after(END_SECONDS):
        await process.wait()
        if _signal_group(process.pid, 0):  # its children are still there, or their zombies, which only init can reap
            await trio.sleep(STRAGGLER_SECONDS)
    _signal_group(process.pid, signal.SIGKILL)
    with trio.move_on_after(END_SECONDS):
        await process.wait()
    await process.stderr.aclose()


def _signal_group(group: int, number: int) -> bool:
    """Send a signal (0 sends none); the answer says whether anybody is in the group."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # PermissionError: somebody who changed its user; not ours to end
        return False
    return True


def _enlarge(fd: int) -> None:
    """Make a pipe hold more, where that is possible and allowed."""
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """Keep what is not ours: no provider's key, and nothing of stenod's configuration."""
    return {
        name: value
        for name, value in environment.items()
        if not name.upper().endswith("_API_KEY") and not name.startswith("STENOD_")
    }
