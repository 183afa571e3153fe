"""The printer: one reader of the outbox, which prints each record once, in order, to one output.

Its place in the ledger moves after each line, so a crash repeats at most the line being printed, with the same id. A
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
        while True:
            pulse, self._wake = self._journal.pulse(), trio.Event()
            last = self._last
            rows = await self._journal.unprinted(self._reader, ROWS_AT_ONCE)
            for epoch, sequence, line in rows:
                await self._output.write(line)
                await self._journal.printed(self._reader, epoch, sequence)
            if rows:
                continue
            partial, self._partial = self._partial, None
            if partial is not None:
                await self._output.write(partial)
            elif last:
                return
            else:
                await first_of(pulse, self._wake)
