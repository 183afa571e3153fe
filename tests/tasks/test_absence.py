"""When nothing has come for long, and when that is over; on virtual time."""

import pytest
import trio

from fakes.clock import FakeClock
from fakes.journal import Disk
from stenod.tasks.absence import ABSENT_SECONDS, Absence


async def test_audio_ends_it(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It begins long after the last audio, and is over with the next."""
    clock = FakeClock()
    journal = Disk().journal(clock)
    absence = Absence(journal, clock)
    for _ in range(30):
        journal.append(bytes(2000))
        await trio.sleep(60.0)
        assert not absence.lasts
    await trio.sleep(ABSENT_SECONDS)
    assert absence.lasts
    began = trio.current_time()

    async def speak() -> None:
        await trio.sleep(1000.0)
        journal.append(bytes(2000))

    nursery.start_soon(speak)
    await absence.over(trio.Event())
    assert 1000.0 == pytest.approx(trio.current_time() - began, abs=0.1)
    assert not absence.lasts


@pytest.mark.parametrize("how", ["leaving", "finished"])
async def test_leaving_ends_the_wait(autojump_clock: trio.abc.Clock, nursery: trio.Nursery, how: str) -> None:
    """So does the end of all audio."""
    clock = FakeClock()
    journal = Disk().journal(clock)
    absence, leaving = Absence(journal, clock), trio.Event()
    await trio.sleep(2 * ABSENT_SECONDS)

    async def end() -> None:
        await trio.sleep(10.0)
        leaving.set() if how == "leaving" else journal.finish()

    nursery.start_soon(end)
    with trio.fail_after(11.0):
        await absence.over(leaving)
    assert absence.lasts
