"""Commits on the real ledger in memory: whole or not at all, one at a time, each record once."""

import pytest
import trio

from fakes.journal import Disk, status
from fakes.source import speech
from stenod.core.timeline import Cause, Settled, Span, State
from stenod.edge.ledger import LedgerUnusable

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


async def test_a_cancelled_gap_is_whole(autojump_clock: trio.abc.Clock) -> None:
    """The timeline is not extended by samples that nobody explains."""
    disk = Disk()
    disk.seconds = 5.0
    journal = disk.journal()
    with trio.move_on_after(1.0):
        await journal.gap(100, Cause.DEVICE)
    assert journal.settled() == disk.journal().settled() == [Settled(0, 100, State.GAP, Cause.DEVICE)]


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
