"""A journal in memory: the real one on the real ledger, with segments in memory and inline calls."""

from collections.abc import Callable
from typing import Any

import trio

from fakes.clock import FakeClock
from fakes.log import FakeLog
from fakes.segments import MemoryFiles, MemorySegments
from stenod.core import records
from stenod.edge.ledger import Ledger
from stenod.tasks.journal import Journal
from stenod.tasks.stored_audio import Keeping

RATE = 1000
"""Low, so that hours cost little; nothing in the tasks depends on it."""
STREAM = "room"


async def inline(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a blocking function where it stands: virtual time does not see threads."""
    await trio.lowlevel.checkpoint()
    return function(*arguments)


class Disk:
    """What survives a restart: the ledger and the audio files. `seconds` is how long a commit takes."""

    def __init__(self, rate: int = RATE, samples_max: int = 10_000) -> None:
        self.ledger = Ledger(None)
        self.files = MemoryFiles()
        self.rate = rate
        self.samples_max = samples_max
        self.seconds = 0.0
        self.keeping = Keeping()

    async def offload(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call inline, after the time that the disk takes."""
        await trio.sleep(self.seconds)
        return function(*arguments)

    def journal(
        self, clock: FakeClock | None = None, *, keeping: Keeping | None = None, log: FakeLog | None = None
    ) -> Journal:
        """Open the journal as a new process would."""
        return Journal(
            stream=STREAM,
            state=self.ledger.open_stream(STREAM, self.rate),
            segments=MemorySegments(self.samples_max, self.files),
            ledger=self.ledger,
            clock=clock or FakeClock(),
            offload=self.offload,
            keeping=keeping or self.keeping,
            log=log or FakeLog(),
        )

    def lines(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return all records of the outbox, of one type where wanted."""
        rows = [records.parsed(line) for _, _, line in self.ledger.unprinted(STREAM, "tests", 1_000_000)]
        return [row for row in rows if kind in (None, row["type"])]


def status(text: str) -> records.Status:
    """Return a record."""
    return records.Status(stream=STREAM, at="", subject="test", state="here", reason=text)


async def troubled(*subjects: str) -> Disk:
    """Return what a process leaves that ended with bad news of these subjects."""
    disk = Disk()
    journal = disk.journal()
    bad = [records.Status(stream=STREAM, at="", subject=subject, state="lost", reason="") for subject in subjects]
    await journal.commit(bad)
    await journal.flush()
    journal.close()
    return disk


async def restarted(disk: Disk, clock: FakeClock | None = None) -> Journal:
    """Return the journal of the next process, which has written something once."""
    journal = disk.journal(clock)
    await journal.commit([])
    return journal
