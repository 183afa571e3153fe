"""The printer: one reader of the outbox, which prints each record once, in order, to one output.

Its place in the ledger moves after each line, so a crash repeats at most the line being printed, with the same id. A
line that a crash may cut in half is noted before it is written, so that the next run begins on a line of its own. A
slow output makes the outbox longer and stalls nobody. Partials are not in the outbox: the newest one is printed when
nothing else waits, and replaced when the reader is slow.
"""

from typing import Protocol

import trio

from stenod.tasks.journal import Journal
from stenod.tasks.waiting import first_of

ROWS_AT_ONCE = 100


class Output(Protocol):
    """See `edge.output.Output`."""

    async def begin(self, *, cut: bool) -> None:
        """Begin on a line of its own; `cut`: half a line may stand there."""

    def whole(self, line: bytes) -> bool:
        """Return whether the line gets there in one piece, or not at all."""

    async def write(self, line: bytes) -> None:
        """Write one line or raise `ReaderGone`."""


class Printer:
    """`reader` names its place in the ledger."""

    def __init__(self, journal: Journal, output: Output, reader: str = "stdout") -> None:
        self._journal = journal
        self._output = output
        self._reader = reader
        self._partial: bytes | None = None
        self._wake = trio.Event()
        self._last = False
        self._noted = False
        """The ledger says that a line may be cut."""

    def show(self, partial: bytes | None) -> None:
        """Take the line of a partial, or None; an older one that was not printed yet is dropped."""
        self._partial = partial
        self._wake.set()

    def finish(self) -> None:
        """Print what is in the outbox, then return from `run`."""
        self._last = True
        self._wake.set()

    async def run(self) -> None:
        """Print until `finish`; raises `ReaderGone` when nobody reads."""
        self._noted = await self._journal.cut(self._reader)
        await self._output.begin(cut=self._noted)
        while True:
            pulse, self._wake = self._journal.pulse(), trio.Event()
            last = self._last
            rows = await self._journal.unprinted(self._reader, ROWS_AT_ONCE)
            for epoch, sequence, line in rows:
                await self._print(line)
                await self._journal.printed(self._reader, epoch, sequence)
                self._noted = False
            if rows:
                continue
            partial, self._partial = self._partial, None
            if partial is not None:
                await self._print(partial)
            elif last:
                return
            else:
                await first_of(pulse, self._wake)

    async def _print(self, line: bytes) -> None:
        """Write a line; the note about one that may be cut stands until the next record is printed."""
        if not self._noted and not self._output.whole(line):
            await self._journal.printing(self._reader)
            self._noted = True
        await self._output.write(line)
