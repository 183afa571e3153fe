"""What waits: a recording behind an outage, a daemon that is stopped, a reader that is slow."""

import pytest

from fakes.world import DialFault, simulate
from simulation.accounting import account
from stenod.core.source import READ_AHEAD_SECONDS
from stenod.emulator.faults import Fault


@pytest.mark.slow
def test_a_recording_waits_for_its_provider() -> None:
    """Five minutes without a provider: the file waits; no gap, nothing late, no word missing."""
    faults = (Fault(kind="drop", wall=60.0, count=1), Fault(kind="refuse", wall=60.0, duration=300.0))
    world = simulate(live=False, seconds=400.0, faults=faults)
    account(world)
    assert [] == world.output.of("gap")
    assert [] == [final for final in world.output.of("final") if final["late"]]
    assert world.seen.lag_seconds_max < READ_AHEAD_SECONDS + 1.0
    assert world.ended_at < 400.0 + 300.0 + 40.0


@pytest.mark.slow
def test_a_live_source_catches_up_after_an_outage() -> None:
    """Five minutes are kept and sent at a quarter more than real time; every word comes out."""
    faults = (Fault(kind="drop", wall=60.0, count=1),)
    world = simulate(seconds=400.0, faults=faults, dial_faults=(DialFault(kind="route", start=60.0, end=360.0),))
    account(world)
    assert [] == world.output.of("gap")
    assert 300.0 < world.seen.lag_seconds_max < 340.0


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [0.05, 3.3, 31.7, 47.0])
@pytest.mark.parametrize("live", [True, False])
def test_stopped_by_a_person(live: bool, stop_at: float) -> None:
    """What was captured (live) or sent (a file) still gets its words; what remains waits for the next run."""
    world = simulate(seconds=120.0, live=live, stop_at=stop_at)
    assert world.outcome.stopped
    assert world.ended_at < stop_at + 1.0
    if live:
        account(world)
    assert len(world.output.of("final")) >= int(stop_at / 10)


@pytest.mark.slow
def test_a_slow_reader_of_the_output() -> None:
    """A reader that takes two seconds a line makes the outbox longer, and stalls nobody."""
    world = simulate(seconds=120.0, write_seconds=2.0)
    account(world)
    assert world.seen.pending_seconds_max < 10.0


@pytest.mark.slow
def test_partials_come_before_their_finals() -> None:
    """Unfinished turns are shown at once and do not disturb the account."""
    world = simulate(seconds=60.0, partials=True)
    account(world)
    partials = world.output.of("partial")
    assert len(partials) > 60
    assert {partial["session"] for partial in partials} == {final["session"] for final in world.output.of("final")}
