"""UTC from the device's clock to the printed line: each final begins and ends when it was said (law 10)."""

from datetime import datetime

import pytest

from fakes.world import WALL_AT_START, simulate
from simulation.accounting import account
from stenod.emulator.faults import Fault

TOLERANCE_SECONDS = 0.05


@pytest.mark.slow
def test_every_final_has_the_time_at_which_it_was_said() -> None:
    """Over losses of the device, a broken line and hand-overs; the oracle's words are said at their virtual time."""
    world = simulate(
        seconds=150.0,
        device_outages=((30.0, 37.0), (80.0, 80.5)),
        limit_seconds=60.0,
        faults=(Fault(kind="drop", wall=50.0, count=1),),
    )
    account(world)
    finals = world.output.of("final")
    assert finals
    for final in finals:
        for field, seconds in (("started_at", final["start"]), ("ended_at", final["end"])):
            said_at = datetime.fromisoformat(final[field]).timestamp() - WALL_AT_START
            assert seconds == pytest.approx(said_at, abs=TOLERANCE_SECONDS)
