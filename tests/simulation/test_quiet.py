"""Audio without words: a quiet night and a room full of music pile nothing up and alarm nobody."""

import pytest

from fakes.world import DialFault, World, simulate
from simulation.accounting import account
from stenod.emulator.faults import Fault

PENDING_SECONDS_MAX = 20.0
"""Heartbeats come every 5 s, and what they prove is two of them behind; and a turn is pending until it ends."""


def alarms(world: World) -> list[object]:
    """Return the ends that were no plain ones."""
    ends = [line for line in world.output.of("session") if line["event"] == "ended"]
    return [line for line in ends if line["verdict"] != "reopen"]


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["silence", "music"])
def test_nothing_piles_up(plan: str) -> None:
    """Heartbeats settle what has no words; half an hour is one session without an alarm."""
    world = simulate(seconds=1800.0, plan=plan, chunk_seconds=0.5, block_seconds=0.5)
    account(world)
    assert [] == alarms(world)
    assert 1 == len(world.seen.dials)
    assert world.seen.pending_seconds_max < PENDING_SECONDS_MAX
    assert world.seen.lag_seconds_max < PENDING_SECONDS_MAX


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["silence", "music"])
def test_a_quiet_room_loses_its_connection_too(plan: str) -> None:
    """What is sent again in a hurry stays unproven without words: a goodbye settles it before it grows for ever."""
    world = simulate(seconds=1200.0, plan=plan, chunk_seconds=0.5, faults=(Fault(kind="drop", audio=200.0),))
    account(world)
    assert world.seen.pending_seconds_max < 120.0
    assert world.ended_at < 1200.0 + 70.0


@pytest.mark.slow
def test_a_long_outage_in_a_room_with_music() -> None:
    """A backlog without words is settled by the goodbye of the session that heard it."""
    world = simulate(
        seconds=1500.0,
        plan="music",
        chunk_seconds=0.5,
        faults=(Fault(kind="drop", wall=60.0, count=1),),
        dial_faults=(DialFault(kind="route", start=60.0, end=360.0),),
    )
    account(world)
    assert 1 == len(world.log.of("span.late"))
    assert max(fields["settled_seconds"] for _, fields in world.log.of("session.ended")) > 290.0


@pytest.mark.slow
def test_music_hands_over_though_it_is_never_quiet() -> None:
    """Where there is no quiet point the hand-over happens at its deadline; without words nothing is lost."""
    world = simulate(seconds=300.0, plan="music", limit_seconds=60.0)
    account(world)
    assert [] == alarms(world)
