"""A microphone as a source. PortAudio lives in a child process (`edge/microphone_child`), started and heard here.

Why a child: PortAudio lists devices once per process, can hang in `close`, prints to descriptors 1 and 2, and its
callbacks need executable memory, which a hardened unit forbids. A child is killed and started again, whatever it does;
it reads blocks and needs no callback.

Invariants:

* A reader that is left, by cancellation too, leaves no process: SIGKILL, and two seconds for the reaping.
* A microphone that has worked and is not there any more is lost, not misspelled: no `SourceError` after a first block.
* What stops giving audio is lost within 1.5 s: a server that stalls tells nothing, and hands over all at once later.

One that is away is waited for in the child, which looks once a second; between two such children there is a second too.
So it is recorded again within two seconds of its return, and all of stenod takes 3 % of a core meanwhile.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NoReturn

from stenod.core.microphone_pipe import (
    EX_CONFIG,
    FAILURE,
    HEADER,
    MAGIC,
    OVERFLOWED_BLOCK,
    PAYLOAD_BYTES_MAX,
    STARTED,
    VERSION,
)
from stenod.core.microphones import child_environment
from stenod.core.source import Block, Reader, SourceError, SourceLost

PIPE_BYTES = 1 << 20
"""Over 20 s at 16 kHz mono; the most that Linux lets a plain user ask for."""
START_SECONDS = 15.0
"""For Python and PortAudio to start, on a small machine that is busy starting everything else."""
WAIT_SECONDS = 10.0
"""How long a child waits for a device that is away. With its start it is shorter than what a watchdog allows."""
FIRST_SECONDS = 5.0
STALL_SECONDS = 1.5
"""A loaded server makes pauses of half a second; a loss is to be told within two."""
END_SECONDS = 2.0
COMPLAINT_BYTES_MAX = 4096
COMPLAINT_LINES = 3

CHILD = (sys.executable, "-P", "-m", "stenod.edge.microphone_child")
"""-P: a file of the user's that is called like a module of ours is not imported for it."""


class Microphone:
    """An input device of PortAudio; see `stenod.core.source.Source`."""

    live = True
    ends = False
    clocked = True

    def __init__(
        self,
        device: str | None,
        *,
        rate: int,
        channel: int = 0,
        patient: bool = False,
        child: Sequence[str] = CHILD,
    ) -> None:
        """Name the device (None: the default one) as `core.microphones.match` takes it; `rate` is a wish.

        `channel`: the one that is wanted of what comes, from 1; 0: all, and then one is enough. `patient`: one that was
        never there is lost too, and waited for; else it is misspelled, and a person must act.
        """
        self.device = device
        self.rate = rate
        self.description = "the default microphone" if device is None else f"microphone '{device}'"
        self.worked = False
        """Whether a block has come from it, ever."""
        self.tried = False
        """Whether it was opened before, ever."""
        self._open_now = 0
        self.patient = patient
        self._child = tuple(child)
        self._channel = channel

    @property
    def words(self) -> list[str]:
        """The command of the child. The first one does not wait: what is wrong is to be told.

        Neither does one beside another that is open: looking on and on might disturb that.
        """
        about = [str(self.rate), str(self._channel), str(WAIT_SECONDS if self.tried and not self._open_now else 0.0)]
        return [*self._child, *about, *([] if self.device is None else [self.device])]

    def open(self, position_seconds: float) -> AbstractAsyncContextManager[Reader]:
        """Start to record; `position_seconds` means nothing to it."""
        del position_seconds
        return self._opened()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Reader]:
        import trio

        words, self.tried = self.words, True
        process = await trio.lowlevel.open_process(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(os.environ),
        )
        self._open_now += 1
        try:
            yield _MicrophoneReader(self, process)
        finally:
            self._open_now -= 1
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
        self._patience_seconds = START_SECONDS + WAIT_SECONDS
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
                raise SourceLost(f"{self._source.description} gives no audio for {self._patience_seconds:g} s")

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
        exit_code = failure["exit_code"]
        if exit_code is None or self._source.worked or (self._source.patient and exit_code != EX_CONFIG):
            raise SourceLost(failure["message"])
        raise SourceError(failure["message"], exit_code)

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
