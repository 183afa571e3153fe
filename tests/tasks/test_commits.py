"""Commits on the real ledger in memory: whole or not at all, one at a time, each record once."""

import pytest
import trio

from fakes.journal import Disk, status
from fakes.source import speech
from stenod.core.outage import ROOM
from stenod.core.timeline import Cause, Settled, Span, State
from stenod.core.transaction import LedgerStalled, Transaction
from stenod.edge.ledger import LedgerUnusable
from stenod.tasks.commits import NOTES_MAX

HEARD = State.TRANSCRIBED


async def test_a_commit_is_not_half_done(autojump_clock: trio.abc.Clock) -> None:
    """Cancelled in the middle, it is still all written, and memory and ledger agree."""
    disk = Disk()
    disk.seconds = 5.0
    journal = disk.journal()
    journal.append(speech(0, 100))
    with trio.move_on_after(1.0) as scope:
        await journal.commit([status("a")], [(0, 100, HEARD, None)])
    assert trio.current_time() == 5.0
    assert not scope.cancelled_caught
    assert journal.settled() == disk.journal().settled() == [Settled(0, 100, HEARD)]
    assert len(disk.lines()) == 1


async def test_a_failed_commit_costs_no_audio(autojump_clock: trio.abc.Clock) -> None:
    """Where the ledger could not be written, the process ends; the next one has the audio and sends it again."""
    disk = Disk(samples_max=100)
    journal = disk.journal()
    journal.append(speech(0, 300))
    disk.ledger._commits.execute("PRAGMA query_only = ON")
    with pytest.raises(LedgerUnusable):
        await journal.commit([status("a")], [(0, 300, HEARD, None)])
    journal._audio.finish_file()
    journal.forget(0.0)
    disk.ledger._commits.execute("PRAGMA query_only = OFF")
    again = disk.journal()
    assert [Span(0, 300)] == again.pending(0, 300)
    assert speech(0, 300) == again.read(0, 300)


async def test_whoever_loses_something_waits_for_nothing(autojump_clock: trio.abc.Clock) -> None:
    """A gap and a status cost capture no time, however slow the disk is; upkeep writes them."""
    disk = Disk()
    disk.seconds = 5.0
    journal = disk.journal()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.maintain, 1.0)
        await journal.gap(100, Cause.DEVICE)
        journal.note(status("a"))
        assert trio.current_time() == 0.0
        await trio.sleep(20.0)
        nursery.cancel_scope.cancel()
    assert ["gap", "status"] == [line["type"] for line in disk.lines()]
    assert journal.settled() == disk.journal().settled() == [Settled(0, 100, State.GAP, Cause.DEVICE)]


async def test_a_loss_is_written_whatever_was_written_before(autojump_clock: trio.abc.Clock) -> None:
    """A commit of somebody else's in between does not make upkeep deaf."""
    disk = Disk()
    journal = disk.journal()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.maintain, 1.0)
        for number in range(3):
            await trio.sleep(1.0)
            await journal.commit([status("a")])
            await trio.sleep(1.0)
            await journal.gap(100, Cause.DEVICE)
            await trio.sleep(0.001)
            assert number + 1 == len(disk.lines("gap"))
        nursery.cancel_scope.cancel()


async def test_commits_are_one_at_a_time(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Ten at once come out with rising ids, each written before it returns."""
    disk = Disk()
    disk.seconds = 1.0
    journal = disk.journal()
    done = []

    async def commit(number: int) -> None:
        written, _ = await journal.commit([status(str(number))])
        assert [line["id"] for line in disk.lines()][-1] == written[0].id
        done.append(number)

    async with trio.open_nursery() as commits:
        for number in range(10):
            commits.start_soon(commit, number)
    assert trio.current_time() == 10.0
    ids = [line["id"] for line in disk.lines()]
    assert ids == sorted(ids)
    assert [str(number) for number in done] == [line["reason"] for line in disk.lines()]


async def test_whoever_comes_second_settles_the_rest(autojump_clock: trio.abc.Clock) -> None:
    """No sample is settled twice, and only what was new is counted."""
    journal = Disk().journal()
    journal.append(speech(0, 100))
    assert (await journal.commit([], [(0, 60, HEARD, None)]))[1] == 60
    assert (await journal.commit([], [(40, 100, HEARD, None), (0, 100, HEARD, None)]))[1] == 40


async def test_an_epoch_is_part_of_the_ids(autojump_clock: trio.abc.Clock) -> None:
    """Records of an epoch come after those of the one before it, whatever their sequence."""
    disk = Disk()
    await disk.journal().commit([status("old")])
    disk.ledger._commits.execute("UPDATE stream SET epoch = 1, sequence = 0")
    written, _ = await disk.journal().commit([status("new")])
    assert written[0].id == "room-0001-0000000000"
    assert ["old", "new"] == [line["reason"] for line in disk.lines()]


def stalling(disk: Disk, seconds: float) -> None:
    """Let the ledger refuse every write until that moment, as a full disk does."""
    write, until = disk.ledger.commit, trio.current_time() + seconds

    def commit(stream: str, epoch: int, transaction: Transaction) -> None:
        if trio.current_time() < until:
            raise LedgerStalled("database or disk is full", ROOM)
        write(stream, epoch, transaction)

    disk.ledger.commit = commit


async def test_a_full_disk_delays_and_loses_nothing(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Callers wait, memory goes on, and all of it comes in order when there is room; a person is told."""
    disk = Disk(samples_max=1000)
    journal = disk.journal()
    nursery.start_soon(journal.maintain, 1.0)
    journal.append(speech(0, 9000))
    stalling(disk, 100.0)
    nursery.start_soon(journal.commit, [status("a")], [(0, 3000, HEARD, None)])
    await trio.sleep(1.0)
    nursery.start_soon(journal.commit, [status("b")], [(3000, 6000, HEARD, None)])
    await journal.gap(500, Cause.DEVICE)
    await trio.sleep(89.0)
    assert disk.lines() == []
    assert [Span(0, 9000)] == disk.journal().pending(0, 9000)
    assert journal.read(0, 6000) == speech(0, 6000)

    await trio.sleep(60.0)
    assert ["a", "b"] == [line["reason"] for line in disk.lines("status") if line["subject"] == "test"]
    assert ["lost", "back"] == [line["state"] for line in disk.lines("status") if line["subject"] == "journal"]
    assert ["device"] == [line["cause"] for line in disk.lines("gap")]
    assert journal.settled() == disk.journal().settled()
    ids = [line["id"] for line in disk.lines()]
    assert ids == sorted(set(ids))
    await trio.sleep(2.0)
    journal.forget(0.0)
    assert [6000, 7000, 8000] == sorted(disk.files.contents)


async def test_what_waits_for_a_full_disk_can_be_ended(autojump_clock: trio.abc.Clock) -> None:
    """Whoever stops us is not kept waiting; what was settled is written by whoever comes next."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 100))
    stalling(disk, 60.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.commit, [status("first")], [(0, 40, HEARD, None)])
        await trio.sleep(0.1)
        nursery.start_soon(journal.commit, [status("second")], [(40, 80, HEARD, None)])
        await trio.sleep(10.0)
        nursery.cancel_scope.cancel()
    assert trio.current_time() == 10.1
    with trio.move_on_after(1.0):
        await journal.commit([status("third")])
    assert disk.lines() == []
    await trio.sleep(60.0)
    await journal.commit([], [(80, 100, HEARD, None)])
    assert ["first"] == [line["reason"] for line in disk.lines("status") if line["subject"] == "test"]
    assert [Span(40, 80)] == journal.pending(0, 100)
    assert journal.settled() == disk.journal().settled()


async def test_the_last_things_are_written_on_the_way_down(autojump_clock: trio.abc.Clock) -> None:
    """A gap that nobody waited for is in the ledger of the next run; with a full disk that is found by its holes."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 100))
    await journal.gap(50, Cause.OVERFLOW)
    journal.append(speech(150, 50))
    journal.close()
    assert ["overflow"] == [line["cause"] for line in disk.lines("gap")]
    stalling(disk, 60.0)
    journal = disk.journal()
    await journal.gap(50, Cause.OVERFLOW)
    journal.append(speech(250, 50))
    journal.close()
    await trio.sleep(60.0)
    again = disk.journal()
    await again.commit([])
    assert [(100, 150), (200, 250)] == [(one.start, one.end) for one in again.settled() if one.state is State.GAP]


async def test_a_ledger_that_failed_takes_nothing_more(autojump_clock: trio.abc.Clock) -> None:
    """Memory never runs ahead of it: every further commit fails, and upkeep ends the process."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 300))
    disk.ledger._commits.execute("PRAGMA query_only = ON")
    with pytest.raises(LedgerUnusable):
        await journal.commit([status("a")], [(0, 100, HEARD, None)])
    disk.ledger._commits.execute("PRAGMA query_only = OFF")
    with pytest.raises(LedgerUnusable):
        await journal.commit([status("b")], [(100, 200, HEARD, None)])
    with pytest.RaisesGroup(LedgerUnusable, flatten_subgroups=True):
        await journal.maintain(1.0)
    assert disk.lines() == []
    assert [Span(0, 300)] == disk.journal().pending(0, 300)


async def test_what_waits_to_be_told_is_bounded(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A device that comes and goes for a week beside a full disk costs no memory; the newest are told."""
    disk = Disk()
    journal = disk.journal()
    stalling(disk, 50.0)
    nursery.start_soon(journal.maintain, 1.0)
    await trio.sleep(1.0)
    for number in range(3 * NOTES_MAX):
        journal.note(status(str(number)))
    await trio.sleep(100.0)
    told = [line["reason"] for line in disk.lines("status") if line["subject"] == "test"]
    assert len(told) <= NOTES_MAX + 1
    assert told[-1] == str(3 * NOTES_MAX - 1)
