"""A microphone that has come to give nothing but zeros is opened a second time beside the first.

If the second opening hears something, it takes over from there: the first was connected to nothing any more. If it
gives zeros too, it ends, and the first goes on: the microphone is muted, and nothing of it may be lost. So a mute makes
no gap, and a sound server that lost its source and found it again no silence. When it is time is told by `core.zeros`.

It does not know what a microphone is: a source that can be open twice at a time.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import trio

from stenod.core.source import Block, Reader, Source, SourceError, SourceLost
from stenod.core.zeros import ZeroWatch, is_zeros

TRIAL_SECONDS = 10.0
"""For a process to start and a device to begin."""
HEARD_SECONDS = 1.0
"""A second opening that has given zeros for so long hears no more than the first."""


class Relief:
    """A source that relieves another one's openings; see `core.source.Source`."""

    def __init__(self, source: Source) -> None:
        self.description = source.description
        self.live: bool = source.live
        self.ends = source.ends
        self.clocked = source.clocked
        self.source = source
        self._watch = ZeroWatch()
        assert self.live, "zeros in a file are the file's"

    def open(self, position_seconds: float) -> AbstractAsyncContextManager[Reader]:
        """Open the source; `position_seconds` is its."""
        return self._opened(position_seconds)

    @asynccontextmanager
    async def _opened(self, position_seconds: float) -> AsyncIterator[Reader]:
        failure: SourceLost | SourceError | None = None
        async with AsyncExitStack() as first:
            reader = await first.enter_async_context(self.source.open(position_seconds))
            async with trio.open_nursery() as nursery:
                try:
                    yield _ReliefReader(self.source, self._watch, nursery, reader, first)
                except (SourceLost, SourceError) as error:
                    failure = error  # a nursery would wrap it
                nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure


class _Trial:
    """A second opening: on trial, then in its place."""

    def __init__(self) -> None:
        self.reader: Reader | None = None
        self.block: Block | None = None
        """The first one with anything in it, once there is one."""
        self.scope = trio.CancelScope()

    async def leave(self) -> None:
        """Close it, without a checkpoint: whoever leaves it has a block in hand."""
        self.scope.cancel()


class _ReliefReader:
    def __init__(
        self, source: Source, watch: ZeroWatch, nursery: trio.Nursery, reader: Reader, first: AsyncExitStack
    ) -> None:
        self._source = source
        self._watch = watch
        self._nursery = nursery
        self._reader = reader
        self._leave: Callable[[], Awaitable[None]] = first.aclose
        self._trial: _Trial | None = None

    async def read(self) -> Block | None:
        if self._trial is not None and self._trial.block is not None:
            return await self._relieved(self._trial, self._trial.block)
        block = await self._reader.read()
        if block is not None:
            await self._judge(block)
        return block

    async def _judge(self, block: Block) -> None:
        """Begin a trial when it is time, and end one that is not needed any more."""
        due = self._watch.add(block.pcm, block.frames / block.rate)
        if due and self._trial is None:
            self._trial = _Trial()
            self._nursery.start_soon(self._try, self._trial)
        elif self._trial is not None and not is_zeros(block.pcm):
            trial, self._trial = self._trial, None
            await trial.leave()

    async def _relieved(self, trial: _Trial, block: Block) -> Block:
        """Leave the old opening for the one that hears something."""
        assert trial.reader is not None
        leave, self._leave = self._leave, trial.leave
        self._trial, self._reader = None, trial.reader
        self._watch.relieved()
        await leave()
        return block

    async def _try(self, trial: _Trial) -> None:
        """Hold another opening: for as long as it may turn out to be better, and once it is."""
        try:
            with trial.scope:
                async with self._source.open(0.0) as reader:
                    with trio.move_on_after(TRIAL_SECONDS):
                        trial.reader, trial.block = reader, await _heard(reader)
                    if trial.block is not None:
                        await trio.sleep_forever()
        except (SourceLost, SourceError):
            pass  # It is not there, or cannot be open twice: the first one is all there is.
        finally:
            if self._trial is trial:
                self._trial = None


async def _heard(reader: Reader) -> Block | None:
    """Read to the first block that is not zeros; None where none comes in time."""
    zeros_seconds = 0.0
    while zeros_seconds < HEARD_SECONDS and (block := await reader.read()) is not None:
        if not is_zeros(block.pcm):
            return block
        zeros_seconds += block.frames / block.rate
    return None
