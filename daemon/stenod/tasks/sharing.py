"""A live source that several captures hear: opened once, read by one task, every block handed to all of them.

Each capture has a share, which is a source to it: it opens, reads, loses and opens it again as if it were alone. The
third opening of a share is the third opening of the source, whoever asks for it first; what came before the others ask
waits for them. Blocks keep their clocks, so what is missing is missing from all timelines alike.

Nobody waits for another where that would cost audio: what a capture leaves lying of a device is dropped from its share
alone, counted, and told with its next block. A pipe loses nothing by waiting, so there the slowest sets the pace.

It does not know channels: a block holds all of them, and each capture converts it to its own.
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import trio

from stenod.core.source import Block, Reader, Source, SourceBroken, SourceError, SourceLost

BLOCKS_MAX = 500
"""What waits for a capture at most: 10 s of a microphone. Captures come back to a lost source at most 2 s apart."""


class SharedSource:
    """`shares` are for as many captures as there are; `run` must run as long as they do."""

    def __init__(self, source: Source, captures: int) -> None:
        assert source.live, "a file is read by each by itself"
        self._source = source
        self._captures = captures
        self._openings: dict[int, _Opening] = {}
        """By number: those that not every share has left."""
        self._due: deque[_Opening] = deque()
        self._asked = trio.Event()
        self.shares = [Share(self, place, source) for place in range(captures)]

    async def run(self) -> None:
        """Read the source whenever captures ask for it. Runs for ever."""
        while True:
            while self._due:
                await self._play(self._due.popleft())
            self._asked = trio.Event()
            await self._asked.wait()

    def join(self, number: int) -> "_Opening":
        """Return the opening of this number, which is asked for if it is the first time."""
        if number not in self._openings:
            self._openings[number] = _Opening(self._captures)
            self._due.append(self._openings[number])
            self._asked.set()
        return self._openings[number]

    def leave(self, number: int) -> None:
        """Note that a share wants no more of this opening: one that nobody wants ends."""
        opening = self._openings[number]
        opening.listeners -= 1
        if opening.listeners == 0:
            opening.scope.cancel()
            del self._openings[number]

    async def _play(self, opening: "_Opening") -> None:
        """Open the source and hand on what it gives, until it ends or nobody listens."""
        try:
            with opening.scope:
                async with self._source.open(0.0) as reader:
                    while (block := await reader.read()) is not None:
                        for feed in opening.feeds:
                            await feed.hand(block, patient=not self._source.clocked)
        except (SourceBroken, SourceLost, SourceError) as failure:
            opening.failure = failure
        for feed in opening.feeds:
            feed.end()


class Share:
    """What one capture has of the source; see `core.source.Source`."""

    def __init__(self, shared: SharedSource, place: int, source: Source) -> None:
        self.description = source.description
        self.live = source.live
        self.ends = source.ends
        self.clocked = source.clocked
        self._shared = shared
        self._place = place
        self._number = 0

    def open(self, position_seconds: float) -> AbstractAsyncContextManager[Reader]:
        """Take part in the source's next opening; `position_seconds` means nothing to it."""
        del position_seconds
        return self._opened()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Reader]:
        number, self._number = self._number, self._number + 1
        opening = self._shared.join(number)
        feed = opening.feeds[self._place]
        try:
            yield _ShareReader(opening, feed)
        finally:
            feed.leave()
            self._shared.leave(number)


class _Feed:
    """The blocks of one opening on their way to one capture."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Block](BLOCKS_MAX)
        self._dropped = 0
        """Frames since the last block that found room."""
        self.receive = self._receive.receive
        self.leave = self._receive.close
        self.end = self._send.close

    async def hand(self, block: Block, *, patient: bool) -> None:
        """Hand a block over: wait for room, or drop and count it where there is none."""
        told = replace(block, dropped=block.dropped + self._dropped)
        try:
            if patient:
                await self._send.send(told)
            else:
                self._send.send_nowait(told)
            self._dropped = 0
        except trio.WouldBlock:
            self._dropped = told.dropped + block.frames
        except trio.BrokenResourceError:
            return  # It listens no more.


class _Opening:
    """One opening of the source."""

    def __init__(self, captures: int) -> None:
        self.feeds = [_Feed() for _ in range(captures)]
        self.listeners = captures
        self.scope = trio.CancelScope()
        self.failure: SourceBroken | SourceLost | SourceError | None = None
        """Why it ended, unless the source itself did."""


class _ShareReader:
    def __init__(self, opening: _Opening, feed: _Feed) -> None:
        self._opening = opening
        self._feed = feed

    async def read(self) -> Block | None:
        try:
            return await self._feed.receive()
        except trio.EndOfChannel:
            match self._opening.failure:
                case None:
                    return None
                case SourceError() as error:
                    raise SourceError(str(error), error.exit_code) from None
                case SourceBroken() as broken:
                    raise SourceBroken(str(broken)) from None
                case lost:
                    raise SourceLost(str(lost)) from None
