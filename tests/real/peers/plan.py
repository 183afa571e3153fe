"""What every peer has in common: it is told plans, plays one after the other, and prints what came as JSON lines.

A plan is a JSON object, and standard input holds a list of them. Its `steps` are played in order: `["stream", 2.5]`
streams so many seconds of the recording in real time, `["wait", 5]` lets time pass, and anything else, as
`["force_endpoint", {}]`, is a method of the client with its arguments. A plan ends early when the client has told that
the session is over.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BYTES_PER_SAMPLE = 2


@dataclass(kw_only=True)
class Plan:
    """Where to connect, with what, and what to do then."""

    number: int
    url: str
    key: str
    parameters: dict[str, Any]
    steps: list[list[Any]]
    recording: str
    """A file of s16le, mono."""
    rate: int
    chunk_seconds: float
    options: dict[str, Any] = field(default_factory=dict)
    """What only one peer knows."""

    def __post_init__(self) -> None:
        self._pcm = Path(self.recording).read_bytes()
        self._place = 0

    def tell(self, event: str, message: Any = None, **more: Any) -> None:
        """Print one line: what came, of which type, and what it says, read through the library's own types."""
        line = {"plan": self.number, "event": event, "type": type(message).__name__, **more}
        if hasattr(message, "model_dump"):
            line["message"] = message.model_dump(mode="json", exclude_unset=True)
        elif message is not None:
            line["message"] = str(message)
        print(json.dumps(line, default=str), flush=True)

    def chunks(self, seconds: float) -> Iterator[tuple[bytes, float]]:
        """Yield the next so many seconds of the recording: each chunk, and how long until the next one is due."""
        begun, end = self._place, self._place + round(seconds * self.rate) * BYTES_PER_SAMPLE
        assert end <= len(self._pcm), "the recording is too short"
        size = round(self.chunk_seconds * self.rate) * BYTES_PER_SAMPLE
        origin = time.monotonic()
        while self._place < end:
            chunk = self._pcm[self._place : min(self._place + size, end)]
            self._place += len(chunk)
            yield chunk, max(origin + (self._place - begun) / BYTES_PER_SAMPLE / self.rate - time.monotonic(), 0.0)


def told() -> list[Plan]:
    """Return the plans that stand on standard input."""
    return [Plan(number=number, **plan) for number, plan in enumerate(json.load(sys.stdin))]


def play(
    plan: Plan, send: Callable[[bytes], Any], call: Callable[[str, dict[str, Any]], Any], over: threading.Event
) -> None:
    """Play the plan's steps with a client of threads."""
    for name, *given in plan.steps:
        if name == "stream":
            for chunk, rest in plan.chunks(*given):
                if over.is_set():
                    break
                send(chunk)
                over.wait(rest)
        elif name == "wait":
            over.wait(*given)
        elif not over.is_set():
            call(name, *given)


async def play_async(
    plan: Plan,
    send: Callable[[bytes], Awaitable[Any]],
    call: Callable[[str, dict[str, Any]], Awaitable[Any]],
    over: asyncio.Event,
) -> None:
    """Play the plan's steps with a client of asyncio."""
    for name, *given in plan.steps:
        if name == "stream":
            for chunk, rest in plan.chunks(*given):
                if over.is_set():
                    break
                await send(chunk)
                await _rest(over, rest)
        elif name == "wait":
            await _rest(over, *given)
        elif not over.is_set():
            await call(name, *given)


async def _rest(over: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(over.wait(), seconds)
    except TimeoutError:
        return
