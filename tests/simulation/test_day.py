"""A day and a night in one run: nine sessions of at most three hours, and no sample unaccounted for."""

import pytest

from fakes.world import simulate
from simulation.accounting import account
from stenod.emulator import log

DAY_SECONDS = 86_400.0
LIMIT_SECONDS = 10_800.0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_day() -> None:
    """Every session hands over before its limit, every word comes once, and memory holds a few seconds of audio."""
    world = simulate(
        seconds=DAY_SECONDS,
        plan="silence",
        limit_seconds=LIMIT_SECONDS,
        block_seconds=1.0,
        chunk_seconds=1.0,
        ping_seconds=5.0,
        sync_seconds=10.0,
    )
    account(world)
    assert 9 == len(world.emulator.log.of(log.Opened))
    assert 8 == len(world.log.of("session.rotated"))
    assert [] == [line for _, level, *line in world.log.lines if level in ("warning", "error")]
    assert world.seen.pending_seconds_max < 20.0
    assert world.seen.stored_seconds_max < 40.0
    assert 6 * 480 == sum(len(final["words"]) for final in world.output.of("final"))
