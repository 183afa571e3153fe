"""The printer: each record once, in order, whatever the reader and the process do."""

import pytest
import trio

from fakes.journal import STREAM, Disk
from stenod.core import records
from stenod.core.reader import ReaderGone
from stenod.tasks.journal import Journal
from stenod.tasks.printer import ROWS_AT_ONCE, Printer


class FakeOutput:
    """Takes lines, `seconds` each; has gone after `lines_max`. What is longer than `whole_max` may be cut."""

    def __init__(self, seconds: float = 0.0, lines_max: int | None = None, whole_max: int = 10**9) -> None:
        self.lines: list[bytes] = []
        self.seconds = seconds
        self.lines_max = lines_max
        self.whole_max = whole_max
        self.cut: bool | None = None

    async def begin(self, *, cut: bool) -> None:
        """Remember whether half a line may stand there."""
        self.cut = cut

    def whole(self, line: bytes) -> bool:
        """Short lines are."""
        return len(line) <= self.whole_max

    async def write(self, line: bytes) -> None:
        """Take a line."""
        await trio.sleep(self.seconds)
        if self.lines_max is not None and len(self.lines) >= self.lines_max:
            raise ReaderGone
        self.lines.append(line)

    @property
    def reasons(self) -> list[str]:
        """What was printed, partials as they are."""
        return [records.parsed(line)["reason"] if line.startswith(b"{") else line.decode() for line in self.lines]


async def write(journal: Journal, *reasons: str) -> None:
    """Put records into the outbox."""
    await journal.commit(
        [records.Status(stream=STREAM, at="", subject="test", state="", reason=reason) for reason in reasons]
    )


async def test_prints_what_is_committed(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """In order and at once, each with its id."""
    journal, output = Disk().journal(), FakeOutput()
    nursery.start_soon(Printer(journal, output).run)
    await trio.sleep(1.0)
    await write(journal, "a", "b")
    await write(journal, "c")
    await trio.sleep(0.001)
    assert output.reasons == ["a", "b", "c"]
    assert trio.current_time() < 1.01
    ids = [records.parsed(line)["id"] for line in output.lines]
    assert ids == sorted(ids)


async def test_more_than_one_page(autojump_clock: trio.abc.Clock) -> None:
    """A long outbox is printed whole before it finishes."""
    journal, output = Disk().journal(), FakeOutput()
    expected = [str(number) for number in range(3 * ROWS_AT_ONCE)]
    await write(journal, *expected)
    printer = Printer(journal, output)
    printer.finish()
    await printer.run()
    assert output.reasons == expected


async def test_a_restart_goes_on_behind_the_last_line(autojump_clock: trio.abc.Clock) -> None:
    """The place moves after each line: killed in the middle of one, only that one comes again."""
    disk = Disk()
    journal = disk.journal()
    await write(journal, *"abcdef")
    first = FakeOutput(seconds=1.0)
    with trio.move_on_after(3.5):
        await Printer(journal, first).run()
    second = FakeOutput()
    printer = Printer(disk.journal(), second)
    printer.finish()
    await printer.run()
    assert first.reasons + second.reasons == list("abcdef")


async def print_all(disk: Disk, output: FakeOutput) -> None:
    """Run a printer to its end, as a new process would."""
    printer = Printer(disk.journal(), output)
    printer.finish()
    await printer.run()


@pytest.mark.parametrize("whole_max", [0, 10**9], ids=["in-pieces", "whole"])
async def test_a_restart_knows_of_half_a_line(autojump_clock: trio.abc.Clock, whole_max: int) -> None:
    """Killed in a line that goes out in pieces, the next run begins a new one, and only the next; else none does."""
    disk = Disk()
    await write(disk.journal(), *"abcdef")
    first = FakeOutput(seconds=1.0, whole_max=whole_max)
    with trio.move_on_after(3.5):
        await Printer(disk.journal(), first).run()
    second, third = FakeOutput(whole_max=whole_max), FakeOutput(whole_max=whole_max)
    await print_all(disk, second)
    await print_all(disk, third)
    assert [False, whole_max == 0, False] == [first.cut, second.cut, third.cut]
    assert first.reasons + second.reasons == list("abcdef")


async def test_a_restart_knows_of_half_a_first_line(autojump_clock: trio.abc.Clock) -> None:
    """Also where the reader had no place yet, and where it was a partial that was cut."""
    for partial in (None, b"partial"):
        disk = Disk()
        if partial is None:
            await write(disk.journal(), "a")
        first, second = FakeOutput(seconds=1.0, whole_max=0), FakeOutput()
        with trio.move_on_after(0.5):
            printer = Printer(disk.journal(), first)
            printer.show(partial)
            await printer.run()
        await print_all(disk, second)
        assert second.cut
        assert second.reasons == ["a"] * (partial is None)


async def test_each_reader_has_its_place(autojump_clock: trio.abc.Clock) -> None:
    """Two readers see all of it."""
    journal = Disk().journal()
    await write(journal, "a", "b")
    for reader in ("one", "two"):
        output = FakeOutput()
        printer = Printer(journal, output, reader)
        printer.finish()
        await printer.run()
        assert output.reasons == ["a", "b"]


async def test_a_partial_is_printed_when_nothing_waits(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Records come first; of the partials that came meanwhile only the newest is left."""
    journal, output = Disk().journal(), FakeOutput(seconds=1.0)
    printer = Printer(journal, output)
    nursery.start_soon(printer.run)
    printer.show(b"p0")
    await trio.sleep(0.5)
    await write(journal, "a")
    for number in range(1, 10):
        printer.show(b"p%d" % number)
    await trio.sleep(10.0)
    assert output.reasons == ["p0", "a", "p9"]


async def test_a_partial_is_taken_back_by_its_final(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A slow reader does not see a turn's partial after the turn."""
    journal, output = Disk().journal(), FakeOutput(seconds=1.0)
    printer = Printer(journal, output)
    nursery.start_soon(printer.run)
    await write(journal, "before")
    await trio.sleep(0.5)
    printer.show(b"partial")
    printer.show(None)
    await write(journal, "final")
    await trio.sleep(10.0)
    assert output.reasons == ["before", "final"]


async def test_finish_drains(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It ends when the outbox is empty, not before, however slow the reader is, whenever it is told."""
    for delay in (0.0, 0.5, 5.0):
        journal, output = Disk().journal(), FakeOutput(seconds=0.25)
        printer = Printer(journal, output)
        done = trio.Event()

        async def run(printer: Printer = printer, done: trio.Event = done) -> None:
            await printer.run()
            done.set()

        nursery.start_soon(run)
        await write(journal, *"abcdefgh")
        await trio.sleep(delay)
        printer.finish()
        with trio.fail_after(3.0):
            await done.wait()
        assert output.reasons == list("abcdefgh")


async def test_nobody_reads_any_more(autojump_clock: trio.abc.Clock) -> None:
    """It is raised, and the line that nobody took is still to be printed."""
    disk = Disk()
    journal = disk.journal()
    await write(journal, "a", "b", "c")
    with pytest.raises(ReaderGone):
        await Printer(journal, FakeOutput(lines_max=1)).run()
    output = FakeOutput()
    printer = Printer(disk.journal(), output)
    printer.finish()
    await printer.run()
    assert output.reasons == ["b", "c"]


async def test_idle_it_waits(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Without anything to print it does not turn: a day passes in no time, and audio wakes it for nothing."""
    journal, output = Disk().journal(), FakeOutput()
    nursery.start_soon(Printer(journal, output).run)
    await trio.sleep(86_400.0)
    journal.append(bytes(200))
    await trio.sleep(1.0)
    assert output.lines == []
