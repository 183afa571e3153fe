"""The normal course: two minutes of dialogue, and what must hold for every world."""

import pytest

from fakes.world import Conditions, simulate
from simulation.accounting import account, order, told, words
from stenod.emulator.faults import Fault
from stenod.options import Options
from stenod.providers.assemblyai import AssemblyAI, AssemblyAIOptions


def test_two_minutes_of_dialogue() -> None:
    """Every word comes out once, at its time, and every sample is transcribed at the end."""
    world = simulate(seconds=120.0)
    account(world)
    assert 0 == world.outcome.exit_code
    assert 180 == sum(len(final["words"]) for final in world.output.of("final"))
    assert ["ready", "ended"] == [line["event"] for line in world.output.of("session")]
    assert world.ended_at < 121.0
    assert world.seen.pending_seconds_max < 10.0


def test_a_seed_repeats_a_run_exactly() -> None:
    """The same conditions give the same log to the microsecond, another seed another order of things."""
    first, second, other = (simulate(seconds=30.0, limit_seconds=20.0, realism=True, seed=seed) for seed in (1, 1, 2))
    assert list(told(first)) == list(told(second))
    assert first.output.lines == second.output.lines
    assert list(told(first)) != list(told(other))


def test_a_world_without_wishes_is_a_daemon_without_a_configuration() -> None:
    """Chunks, pings, margins and the rest are those of the defaults."""
    world, options = Conditions(), Options()
    assert (options.pacer.chunk_ms, world.chunk_seconds) == (0, AssemblyAI(AssemblyAIOptions()).limits.chunk_seconds)
    assert world.ping_seconds == options.liveness.ping_seconds
    assert world.margin_seconds == options.rotation.margin_seconds
    assert world.sync_seconds == options.journal.sync_seconds
    assert world.partials == options.output.partials


@pytest.mark.slow
@pytest.mark.parametrize("realism", [False, True])
@pytest.mark.parametrize("limit_seconds", [10_800.0, 20.0])
def test_speech_without_any_pause(limit_seconds: float, realism: bool) -> None:
    """A connection that breaks and sessions that are cut within speech lose no word and repeat none."""
    faults = (Fault(kind="drop", audio=17.3, session=0),)
    world = simulate(seconds=60.0, plan="continuous", limit_seconds=limit_seconds, realism=realism, faults=faults)
    assert [] == [*words(world), *order(world)]
