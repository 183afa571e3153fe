"""pocketsphinx in a child process (filled in next)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stenod.emulator.engine import Engine, EngineError


@asynccontextmanager
async def open_recogniser(rate: int, pause_seconds: float) -> AsyncIterator[Engine]:
    """Yield a session's recogniser."""
    raise EngineError(f"no recogniser yet for {rate} Hz, {pause_seconds} s")
    yield  # noqa: B901
