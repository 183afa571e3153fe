"""The process is killed while it catches up; the next one records on, and hears what is left beside."""

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio

from fakes.segments import MemoryFiles
from fakes.world import DialFault, World, WorldDisk, simulate
from simulation.accounting import apart, audited, order, tiles, told, words
from stenod.emulator.faults import Fault

OUTAGE = DialFault(kind="route", start=12.3, end=33.3)
"""Long enough that its backlog has a session of its own."""
CUT = Fault(kind="drop", wall=12.3, count=1)
STOPS_SECONDS = (0.3, 1.0, 3.0, 8.0, 20.0)
"""How long nobody records: less than a word, a turn, the replay of a session, the backlog of an outage."""


@dataclass(frozen=True, slots=True)
class Kill:
    """What a process leaves that is killed at one moment."""

    at: float = 0.0
    ledger: bytes = b""
    files: MemoryFiles = field(default_factory=MemoryFiles)
    printed: tuple[dict[str, Any], ...] = ()


NEVER = Kill()


def started(kill: Kill, *found: list[Kill], stop_seconds: float = 0.0, seconds: float, **conditions: Any) -> World:
    """Run the process that comes after the kill, to its end; its lines come behind those that were printed before.

    `found` takes what a kill of this one would leave, before and after each of its commits and lines.
    """
    disk = WorldDisk(files=copy.deepcopy(kill.files))
    if kill.ledger:
        disk.ledger._commits.deserialize(kill.ledger)

    def prepare(world: World) -> None:
        commit, write = world.ledger.commit, world.output.write

        def note() -> None:
            ledger, files = world.ledger._commits.serialize(), copy.deepcopy(world.segments.files)
            for kills in found:
                kills.append(Kill(trio.current_time(), ledger, files, joined(kill, world)))

        def committed(*arguments: Any) -> None:
            note()
            commit(*arguments)
            note()

        async def written(line: bytes) -> None:
            await write(line)
            note()

        world.ledger.commit, world.output.write = committed, written

    begins_at = kill.at + stop_seconds
    # Where nobody pauses, words end at whole seconds.
    end = float(round(begins_at + seconds))
    world = simulate(disk, prepare, begins_at=begins_at, seconds=end, **conditions)
    world.output.lines = list(joined(kill, world))
    return world


def joined(kill: Kill, world: World) -> tuple[dict[str, Any], ...]:
    """Return what both have printed; the one line that was being printed comes twice, with the same identity."""
    known = {line["id"]: line for line in kill.printed}
    again = [line for line in world.output.lines if line["id"] in known]
    assert len(again) <= 1
    assert all(line == known[line["id"]] for line in again), "a printed line was printed otherwise"
    return (*kill.printed, *(line for line in world.output.lines if line["id"] not in known))


def faults_of(world: World) -> Iterator[str]:
    """Yield what is wrong with what all processes have printed, and with the journal that they leave."""
    for check in (words, order, apart, tiles):
        yield from check(world)
    yield from audited(world).faults


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["dialogue", "continuous"])
@pytest.mark.parametrize("provider", ["assemblyai", "assemblyai-v2", "deepgram", "deepgram-flux"])
def test_killed_while_a_backlog_is_heard(provider: str, plan: str) -> None:
    """Twice in a row: no word is lost, none is printed twice, and each stands where it was said."""
    chance = random.Random(f"{provider} {plan}")
    conditions = {"provider": provider, "plan": plan, "late_after_seconds": 3.0}
    first: list[Kill] = []
    started(NEVER, first, seconds=60.0, faults=(CUT,), dial_faults=(OUTAGE,), **conditions)
    for kill in chance.sample([kill for kill in first if kill.at > OUTAGE.end], 6):
        second: list[Kill] = []
        started(kill, second, stop_seconds=chance.choice(STOPS_SECONDS), seconds=25.0, **conditions)
        world = started(chance.choice(second), stop_seconds=chance.choice(STOPS_SECONDS), seconds=20.0, **conditions)
        wrong = list(faults_of(world))
        assert not wrong, "\n".join([*wrong, *told(world)])
        assert "stopped" in {gap["cause"] for gap in world.output.of("gap")}
