"""The engine that recognises speech: pocketsphinx in a child process, one a session.

A session's `Begin` does not wait for the child: it loads its model (about half a second) while the first words are
spoken, and audio waits in the session's queue. The child ends with the session, and by itself when this process is
gone.

Errors: a child that dies, or does not answer within `ANSWER_SECONDS_MAX`, is an `EngineError` for its session alone.
"""

import json
import os
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from stenod.emulator.engine import Engine, EngineError, Hypothesis, Word

HEADER = struct.Struct("<cI")
PAUSE_SECONDS_MIN = 0.7
"""The recogniser needs longer utterances than a turn's shortest pause would give it."""
ANSWER_SECONDS_MAX = 60.0
ANSWER_BYTES_MAX = 1 << 20
CHILD = "stenod.emulator.recogniser_child"


class ChildEngine:
    """Implement `Engine` by asking a child."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._received = bytearray()
        self._pause: float | None = None
        self._owed = 0
        self.quiet = 0

    async def configure(self, rate: int, pause_seconds: float) -> None:
        """Tell the child what it will hear; its answer is taken with the next one."""
        settings = {"rate": rate, "pause_seconds": max(pause_seconds, PAUSE_SECONDS_MIN)}
        await self._send(b"C", json.dumps(settings).encode())

    async def hear(self, pcm: bytes) -> list[Hypothesis]:
        """See `Engine`."""
        if self._pause is not None:
            pause, self._pause = self._pause, None
            await self._send(b"P", json.dumps(pause).encode())
        return await self._ask(b"A", pcm)

    async def end_turn(self) -> list[Hypothesis]:
        """See `Engine`."""
        return await self._ask(b"E", b"")

    def set_pause(self, seconds: float) -> None:
        """See `Engine`; the child is told before it hears more."""
        self._pause = max(seconds, PAUSE_SECONDS_MIN)

    async def _ask(self, kind: bytes, payload: bytes) -> list[Hypothesis]:
        await self._send(kind, payload)
        with trio.move_on_after(ANSWER_SECONDS_MAX) as scope:
            while self._owed:
                answer = await self._line()
                self._owed -= 1
        if scope.cancelled_caught:
            raise EngineError("the recogniser does not answer")
        told = json.loads(answer)
        self.quiet = told["quiet"]
        return [
            Hypothesis(tuple(Word(*word) for word in one["words"]), ended=one["ended"]) for one in told["hypotheses"]
        ]

    async def _send(self, kind: bytes, payload: bytes) -> None:
        assert self._process.stdin is not None
        self._owed += 1
        try:
            await self._process.stdin.send_all(HEADER.pack(kind, len(payload)) + payload)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise EngineError("the recogniser has died") from error

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        while (end := self._received.find(b"\n")) < 0:
            try:
                data = await self._process.stdout.receive_some()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data or len(self._received) > ANSWER_BYTES_MAX:
                raise EngineError("the recogniser has died")
            self._received += data
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line


@asynccontextmanager
async def open_recogniser(rate: int, pause_seconds: float, child: str = CHILD) -> AsyncIterator[Engine]:
    """Yield a session's recogniser; its process ends with the block."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", child],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")},
    )
    try:
        engine = ChildEngine(process)
        await engine.configure(rate, pause_seconds)
        yield engine
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    await pipe.aclose()
