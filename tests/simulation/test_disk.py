"""The disk, in one simulated world: power cuts at every moment that matters, a disk that is full, one that is small."""

import errno
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import trio

from fakes.segments import MemoryFiles
from fakes.world import RATE, DialFault, World, WorldDisk, simulate
from simulation.accounting import account, audited, order, told, words
from stenod.core.outage import ROOM
from stenod.core.timeline import State
from stenod.core.transaction import LedgerStalled
from stenod.edge.ledger import Ledger
from stenod.emulator.faults import Fault

SYNC_SECONDS = 1.0
BLOCK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class PowerCut:
    """What is left of a world that lost its power at one moment."""

    ledger: bytes
    """As of the last commit that had returned: later places of the reader were not forced to the disk."""
    files: MemoryFiles
    printed: list[dict[str, Any]]
    captured: int


def power_cuts(**conditions: Any) -> Iterator[PowerCut]:
    """Run a world, and yield what a power cut would leave: before and after each commit, sync and line."""
    cuts: list[PowerCut] = []

    def prepare(world: World) -> None:
        commit, sync, write = world.ledger.commit, world.segments.sync, world.output.write
        durable = [world.ledger._commits.serialize()]

        def cut() -> None:
            files = world.segments.files.survivors()
            cuts.append(PowerCut(durable[0], files, list(world.output.lines), world.journal.tail))

        def committed(*arguments: Any) -> None:
            cut()
            commit(*arguments)
            durable[0] = world.ledger._commits.serialize()
            cut()

        def synced() -> None:
            cut()
            sync()
            cut()

        async def written(line: bytes) -> None:
            await write(line)
            cut()

        world.ledger.commit, world.segments.sync, world.output.write = committed, synced, written

    simulate(prepare=prepare, sync_seconds=SYNC_SECONDS, **conditions)
    yield from cuts


def restarted(cut: PowerCut, plan: str) -> World:
    """Let the next process transcribe what is left; its lines come behind those that were printed."""
    ledger = Ledger(None)
    ledger._commits.deserialize(cut.ledger)
    world = simulate(WorldDisk(ledger, cut.files), records=False, seconds=1.0, plan=plan)
    known = {line["id"]: line for line in cut.printed}
    again = [line for line in world.output.lines if line["id"] in known]
    assert all(line == known[line["id"]] for line in again), "a printed line was printed otherwise"
    world.output.lines = [*cut.printed, *(line for line in world.output.lines if line["id"] not in known)]
    return world


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["dialogue", "continuous"])
def test_a_power_cut_at_any_moment(plan: str) -> None:
    """No word is lost but what was never synced, none is printed twice, and the journal is sound."""
    count = 0
    for cut in power_cuts(seconds=45.0, plan=plan):
        count += 1
        world = restarted(cut, plan)
        gaps = sum(one.end - one.start for one in world.journal.settled() if one.state is State.GAP)
        lost = cut.captured - world.journal.tail + gaps
        assert lost <= (SYNC_SECONDS + BLOCK_SECONDS) * RATE
        assert audited(world).faults == ()
        wrong = [*words(world), *order(world)]
        assert not wrong, "\n".join([*wrong, *told(world)])
    assert count > 100


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["dialogue", "continuous"])
def test_a_power_cut_while_a_backlog_is_heard(plan: str) -> None:
    """The next process finds two or three stretches with words around them, and sews them in."""
    cuts = list(
        power_cuts(
            seconds=70.0,
            plan=plan,
            faults=(Fault(kind="drop", wall=12.3, count=1), Fault(kind="drop", wall=41.7, count=2)),
            dial_faults=(DialFault(kind="route", start=12.3, end=31.0),),
        )
    )
    for cut in random.Random(1).sample(cuts, 30):
        world = restarted(cut, plan)
        wrong = [*words(world), *order(world), *audited(world).faults]
        assert not wrong, "\n".join([*wrong, *told(world)])


def full(world: World, start: float, end: float, *, audio: bool, ledger: bool) -> None:
    """Let the disk take nothing between two moments: no audio, no commit, or neither."""
    append, commit, printed = world.segments.append, world.ledger.commit, world.ledger.printed

    def is_full() -> bool:
        return start <= trio.current_time() < end

    def appended(*arguments: Any) -> None:
        if audio and is_full():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(*arguments)

    def refusing(write: Callable[..., None]) -> Callable[..., None]:
        def written(*arguments: Any) -> None:
            if ledger and is_full():
                raise LedgerStalled("database or disk is full", ROOM)
            write(*arguments)

        return written

    world.segments.append = appended
    world.ledger.commit, world.ledger.printed = refusing(commit), refusing(printed)


def states(world: World) -> list[str]:
    """Return what a person was told of the journal."""
    return [line["state"] for line in world.output.of("status") if line["subject"] == "journal"]


@pytest.mark.slow
@pytest.mark.parametrize(("audio", "ledger"), [(True, False), (False, True), (True, True)])
def test_a_full_disk_for_two_minutes(audio: bool, ledger: bool) -> None:
    """What could not be stored is a gap, all else is heard, at its time; nobody who records has waited."""
    world = simulate(seconds=300.0, prepare=lambda world: full(world, 60.0, 180.0, audio=audio, ledger=ledger))
    account(world)
    assert audited(world).faults == ()
    assert states(world) == ["lost", "back"]
    assert {"disk"} >= {gap["cause"] for gap in world.output.of("gap")}
    lost = sum(gap["end"] - gap["start"] for gap in world.output.of("gap"))
    assert 119.0 < lost < 151.0 if audio else lost == 0.0
    assert len(world.output.of("gap")) == int(audio)


@pytest.mark.slow
@pytest.mark.parametrize("start", [60.0, 99.0])
def test_a_recording_waits_for_its_disk(start: float) -> None:
    """A file is not read on while nothing can be stored, its last second included: no gap, nothing lost."""
    world = simulate(
        live=False, seconds=100.0, prepare=lambda world: full(world, start, 180.0, audio=True, ledger=False)
    )
    account(world)
    assert [] == world.output.of("gap")
    assert states(world) == ["lost", "back"]
    (lost, _) = [line for line in world.output.of("status") if line["subject"] == "journal"]
    assert lost["reason"].startswith("audio cannot be stored, and its source waits: ")
    assert 180.0 < world.ended_at < 240.0


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [70.0, 130.0])
def test_stopped_while_the_disk_is_full(stop_at: float) -> None:
    """It ends in its time; what could not be written is as if it had not been heard: the next run hears it again."""
    disk = WorldDisk()
    world = simulate(
        disk,
        seconds=300.0,
        stop_at=stop_at,
        prepare=lambda world: full(world, 60.0, 1e9, audio=False, ledger=True),
    )
    assert world.ended_at < stop_at + 25.0
    del disk.ledger.commit, disk.ledger.printed
    printed = list(world.output.lines)
    again = simulate(disk, records=False, seconds=1.0)
    known = {line["id"] for line in printed}
    again.output.lines = [*printed, *(line for line in again.output.lines if line["id"] not in known)]
    assert again.journal.tail >= stop_at * RATE - RATE
    assert not [*words(again), *order(again)]
    assert audited(again).faults == ()
