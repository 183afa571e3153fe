"""A scripted source, and audio that can be recognised again."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import trio

from stenod.core.source import Block

RATE = 1000
Step = Block | float | Exception
"""A block, a pause in seconds, or what `read` raises."""


def speech(start: int, count: int) -> bytes:
    """Return loud samples that tell their position."""
    index = np.arange(start, start + count, dtype=np.int64)
    return ((index * 2_654_435_761 % 2**32 >> 8) % 20_001 - 10_000).astype("<i2").tobytes()


def quiet(count: int) -> bytes:
    """Return what a quiet room sounds like."""
    return (np.arange(count, dtype=np.int64) % 5 - 2).astype("<i2").tobytes()


def block(pcm: bytes, *, rate: int = RATE, monotonic: float | None = None, dropped: int = 0) -> Block:
    """Return a block with what matters to a test."""
    return Block(pcm=pcm, rate=rate, channels=1, monotonic=monotonic, dropped=dropped)


@dataclass
class ScriptedSource:
    """Each opening plays the next script; after the last one it hangs."""

    openings: list[Iterable[Step]]
    live: bool = True
    ends: bool = False
    clocked: bool = False
    description: str = "microphone 'toy'"
    opened_at: list[tuple[float, float]] = field(default_factory=list)
    """When, and at which position in seconds."""
    _steps: Iterable[Step] = ()

    @asynccontextmanager
    async def open(self, position_seconds: float) -> AsyncIterator["ScriptedSource"]:
        """Begin the next script."""
        self.opened_at.append((trio.current_time(), position_seconds))
        if not self.openings:
            await trio.sleep_forever()
        self._steps = iter(self.openings.pop(0))
        yield self

    async def read(self) -> Block | None:
        """Play the next step."""
        return await played(self._steps)


async def played(steps: Iterable[Step]) -> Block | None:
    """Play to the next block; None at the end."""
    await trio.lowlevel.checkpoint()
    for step in steps:
        match step:
            case Block():
                return step
            case Exception():
                raise step
            case _:
                await trio.sleep(step)
    return None
