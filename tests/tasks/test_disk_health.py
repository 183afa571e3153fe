"""What a person is told of the journal's disk: once that it fails, once that it is back."""

import pytest
import trio

from fakes.clock import FakeClock
from fakes.journal import troubled
from fakes.log import FakeLog
from stenod.core import records
from stenod.tasks.disk_health import DiskHealth, Part


async def test_a_person_is_told_once_of_each_change(autojump_clock: trio.abc.Clock) -> None:
    """However many parts fail however often: one `lost` with its remedy, one `back` when all is well."""
    told: list[records.Status] = []
    log = FakeLog()
    health = DiskHealth(stream="room", clock=FakeClock(), log=log, note=told.append)
    health.worked(Part.AUDIO)
    assert told == []
    for _ in range(5):
        health.failed(Part.AUDIO, "No space left on device", "make room")
        health.failed(Part.LEDGER, "database or disk is full", "make room")
        await trio.sleep(40.0)
    assert health.out(Part.AUDIO)
    health.worked(Part.AUDIO)
    assert ("audio cannot be stored and is being lost: No space left on device", "make room") == health.trouble
    assert ["lost"] == [status.state for status in told]
    health.worked(Part.LEDGER)
    health.worked(Part.LEDGER)
    assert ["lost", "back"] == [status.state for status in told]
    assert health.trouble == ("", "")
    assert {("room", "journal")} == {(status.stream, status.subject) for status in told}
    assert told[0].remedy == "make room"
    assert "No space left" in told[0].reason
    assert ["audio", "ledger"] == [fields["part"] for fields in log.of("journal.lost")]
    assert ["audio", "ledger"] == [fields["part"] for fields in log.of("journal.back")]


async def test_what_is_worse_is_told_too(autojump_clock: trio.abc.Clock) -> None:
    """Lines that wait are no reason to believe that audio is kept; the other way round nothing is added."""
    for parts, expected in (("ledger audio ledger", ["waits", "lost"]), ("audio ledger audio", ["lost"])):
        told: list[records.Status] = []
        health = DiskHealth(stream="room", clock=FakeClock(), log=FakeLog(), note=told.append)
        for part in parts.split():
            health.failed(Part(part), "no space", "make room")
        assert expected == [status.reason.partition(":")[0].rpartition(" ")[2] for status in told]
        assert health.trouble[0].startswith("audio cannot be stored")
        for part in Part:
            health.worked(part)
        assert (("", ""), "back") == (health.trouble, told[-1].state)


async def test_a_part_is_tried_again_after_its_wait(autojump_clock: trio.abc.Clock) -> None:
    """Each part has waits of its own."""
    health = DiskHealth(stream="room", clock=FakeClock(), log=FakeLog(), note=lambda _: None)
    health.failed(Part.AUDIO, "No space left on device", "make room")
    assert not health.due(Part.AUDIO)
    assert health.due(Part.LEDGER)
    await trio.sleep(health.wait_seconds(Part.AUDIO))
    assert health.due(Part.AUDIO)


class Room:
    """A reserve that can be had, or not."""

    def __init__(self) -> None:
        self.held, self.full = True, False

    def take(self) -> None:
        """See `edge.reserve`."""
        if not self.held and self.full:
            raise OSError(28, "No space left on device")
        self.held = True

    def give(self) -> bool:
        """See `edge.reserve`."""
        held, self.held = self.held, False
        return held


async def test_the_reserve_is_the_ledgers(autojump_clock: trio.abc.Clock) -> None:
    """It is given once; while it is not held again no audio is written, and nothing is said to be well."""
    told: list[records.Status] = []
    room = Room()
    health = DiskHealth(stream="room", clock=FakeClock(), log=FakeLog(), note=told.append, reserve=room)
    health.hold_room()
    health.failed(Part.LEDGER, "database or disk is full", "make room")
    room.full = True
    assert health.room_made()
    assert not health.room_made()
    health.worked(Part.LEDGER)
    assert ["lost"] == [status.state for status in told]
    with pytest.raises(OSError, match="No space"):
        health.hold_room()
    room.full = False
    health.hold_room()
    health.worked(Part.LEDGER)
    assert ["lost", "back"] == [status.state for status in told]


async def test_a_disk_that_is_well_after_a_restart(autojump_clock: trio.abc.Clock) -> None:
    """An earlier run ended with bad news: the first that works takes it back."""
    told: list[records.Status] = []
    health = DiskHealth(stream="room", clock=FakeClock(), log=FakeLog(), note=told.append, told=True)
    health.worked(Part.LEDGER)
    health.worked(Part.AUDIO)
    assert ["back"] == [status.state for status in told]
    journal = (await troubled("journal")).journal()
    await journal.commit([])
    await journal.flush()
    assert not journal.mended("journal")
