"""A room in which the oracle speaks, whoever listens: for a stenod that is killed and started again.

What is spoken is a function of the monotonic clock, so what is said while nobody listens is gone, as it is with a
microphone. A program plays it; `stenod run --input command:…` listens. After each kill the room reads the audio that
the journal holds: the words that are whole in it are those that must be printed, each once.
"""

import fcntl
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import trio
from daemon import RATE, Spoken, sound, words_of
from server import TIME_SECONDS_MAX, Emulator, speech

from stenod.core.timeline import Span
from stenod.edge.inspection import NoJournal
from stenod.emulator.decoder import Decoder, Kind
from stenod.emulator.oracle import words_between

PIPE_BYTES_MIN = 4096
"""The smallest that a pipe can be made."""
SPEAKER = f"""
import sys, time
path, began = sys.argv[1], float(sys.argv[2])
with open(path, "rb") as audio:
    at = int((time.monotonic() - began) * {RATE})
    audio.seek(2 * at)
    while data := audio.read({RATE // 20 * 2}):
        at += len(data) // 2
        time.sleep(max(0.0, began + at / {RATE} - time.monotonic()))
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
while True:
    time.sleep(1)
"""


class Room:
    """Speaks for so many seconds from now on; `journal` is where a stenod writes what it hears."""

    def __init__(self, place: Path, seconds: float) -> None:
        self.journal = place / "journal"
        path = place / "spoken.s16le"
        path.write_bytes(speech(seconds))
        began = time.monotonic()
        self.input = "command:" + shlex.join([sys.executable, "-I", "-S", "-c", SPEAKER, str(path), str(began)])
        self._stored: dict[int, bytes] = {}
        """The journal's audio as it was when last seen, also what was deleted since: by first sample."""

    def remember(self) -> bool:
        """Take down what a run that has ended captured, before it is transcribed and deleted; say if there is any."""
        try:
            sound(self.journal)
        except NoJournal:
            assert not self._stored
            return False  # It was killed before it had made one.
        for start, pcm in kept(self.journal).items():
            assert pcm.startswith(self._stored.get(start, b"")), start
            self._stored[start] = pcm[: len(pcm) // 2 * 2]
        return bool(self._stored)

    def captured(self) -> list[Spoken]:
        """Return the words that are whole in what was captured, at their places on the stream's timeline."""
        return spoken_in(self._stored)


def kept(journal: Path, stream: str = "default") -> dict[int, bytes]:
    """Return the audio that a journal has, by first sample."""
    return {int(path.stem): path.read_bytes() for path in (journal / stream / "audio").glob("*.s16le")}


def spoken_in(stored: Mapping[int, bytes]) -> list[Spoken]:
    """Return the words that are whole in stored audio, at their places on the stream's timeline."""
    stretches: list[tuple[int, bytes]] = []
    for start, pcm in sorted(stored.items()):
        if stretches and stretches[-1][0] + len(stretches[-1][1]) // 2 == start:
            stretches[-1] = (stretches[-1][0], stretches[-1][1] + pcm)
        else:
            stretches.append((start, pcm))
    return [word for start, pcm in stretches for word in _words(start, pcm)]


def _words(start: int, pcm: bytes) -> list[Spoken]:
    """Return the words that are whole in contiguous audio which begins at a sample of the stream."""
    decoder = Decoder(RATE)
    runs: list[tuple[Span, int]] = []
    for piece in decoder.feed(np.frombuffer(pcm, "<i2").astype(np.int16)) + decoder.finish():
        if piece.kind is not Kind.ORACLE:
            assert piece.count < RATE // 10, piece
            continue
        assert piece.exact, piece
        shift = start + piece.start - piece.position
        span = Span(piece.position, piece.position + piece.count)
        if runs and runs[-1][1] == shift and runs[-1][0].end == span.start:
            span = Span(runs.pop()[0].start, span.end)
        runs.append((span, shift))
    return [
        Spoken(text, (begin + shift) / RATE, (end + shift) / RATE)
        for span, shift in runs
        for text, begin, end in words_between(span.start, span.end)
        if span.start <= begin and end <= span.end
    ]


class Pipe:
    """A pipe as small as can be, into which one run after the other prints; `lines` splits what came at newlines."""

    def __init__(self, bytes_a_second: float | None = None) -> None:
        self.reading, self.writing = os.pipe()
        fcntl.fcntl(self.reading, fcntl.F_SETPIPE_SZ, PIPE_BYTES_MIN)
        self.bytes_a_second = bytes_a_second
        """How fast it is read; None: at once."""
        self.got = bytearray()

    @property
    def lines(self) -> list[bytes]:
        """Return the lines that came, without newlines; empty ones are none."""
        return [line for line in bytes(self.got).split(b"\n") if line]

    async def read(self) -> None:
        """Read to the end."""
        async with trio.lowlevel.FdStream(os.dup(self.reading)) as stream:
            while True:
                slow = self.bytes_a_second is not None
                data = await stream.receive_some(max(1, int(self.bytes_a_second / 20)) if slow else PIPE_BYTES_MIN)
                if not data:
                    return
                self.got += data
                if slow:
                    await trio.sleep(0.05)

    async def take(self, count: int) -> None:
        """Read so many bytes."""
        async with trio.lowlevel.FdStream(os.dup(self.reading)) as stream:
            while count:
                data = await stream.receive_some(min(count, PIPE_BYTES_MIN))
                self.got += data
                count -= len(data)

    def finish(self) -> None:
        """Say that no other run will write."""
        os.close(self.writing)

    def close(self) -> None:
        """Go: who writes now has no reader."""
        os.close(self.reading)


@asynccontextmanager
async def reading(bytes_a_second: float | None = None) -> AsyncIterator[Pipe]:
    """Read a pipe; leaving waits for its end."""
    pipe = Pipe(bytes_a_second)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.read)
        try:
            yield pipe
        except BaseException:
            nursery.cancel_scope.cancel()
            raise
        finally:
            pipe.finish()
    pipe.close()


def once(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records without those that came again; their ids have no hole."""
    unique = list({line["id"]: line for line in lines}.values())
    for first, second in pairwise(unique):
        assert int(first["id"][-10:]) + 1 == int(second["id"][-10:]), (first["id"], second["id"])
    return unique


def check_room(room: Room, lines: Sequence[dict[str, Any]], server: Emulator) -> None:
    """Hold all that was printed to what was captured: each whole word once, at its time, and none besides."""
    check_captured(room.captured(), lines, server)


def check_captured(captured: Sequence[Spoken], lines: Sequence[dict[str, Any]], server: Emulator) -> None:
    """Hold all that was printed to the words that were captured."""
    finals = [line for line in lines if line["type"] == "final"]
    words = words_of(finals)
    whole = sorted((word for word in words if not word.text.startswith("frag-")), key=lambda word: word.text)
    told, there = {word.text for word in whole}, {word.text for word in captured}
    assert not there - told, f"missing: {sorted(there - told)}"
    assert not told - there, f"never captured: {sorted(told - there)}"
    twice = {first.text for first, second in pairwise(whole) if first.text == second.text}
    assert not twice, f"twice: {[line for line in finals if twice & {word.text for word in words_of([line])}]}"
    torn = [word.text for word in words if word.text.startswith("frag-") and "w" + word.text[5:] in there]
    assert not torn, f"whole and torn: {torn}"
    for expected, printed in zip(captured, whole, strict=True):
        off = max(abs(expected.start - printed.start), abs(expected.end - printed.end))
        assert off <= TIME_SECONDS_MAX, (expected, printed)
    causes = Counter(line["cause"] for line in lines if line["type"] == "gap")
    assert {"stopped", "disk"} >= set(causes)
    assert causes["disk"] <= 1 + causes["stopped"] // 10, "a kill seldom meets the moment before a gap is written"
    assert [] == server.of("failed")
