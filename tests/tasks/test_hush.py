"""Hush: what is quiet is settled as such, and only what may be the beginning of something is left undecided."""

import pytest
import trio

from fakes.journal import RATE, Disk
from fakes.source import quiet, speech
from stenod.core.timeline import FOREVER, Cause, State
from stenod.tasks.hush import Hush, QuietOptions, QuietPolicy
from stenod.tasks.journal import Journal

PAUSE = QuietOptions(policy=QuietPolicy.PAUSE, hold_seconds=2.0, preroll_seconds=1.0)


def quiet_seconds(journal: Journal) -> list[tuple[float, float]]:
    """Return what is settled as quiet."""
    return [(span.start / RATE, span.end / RATE) for span in journal.settled() if span.state is State.QUIET]


async def test_quiet_is_settled_ten_seconds_at_a_time(autojump_clock: trio.abc.Clock) -> None:
    """The disk is not asked for a commit a second in a quiet night; a sound settles the rest at once."""
    journal = Disk().journal()
    hush = Hush(journal, PAUSE)
    journal.append(speech(0, 1000))
    assert not await hush.listen(0)
    assert hush.open_until == 1000
    for _ in range(95):
        journal.append(quiet(100))
        assert not await hush.listen(1000)
    assert hush.asleep
    assert hush.open_until == pytest.approx(3000, abs=100)
    assert [] == quiet_seconds(journal)
    for _ in range(100):
        journal.append(quiet(100))
        await hush.listen(3000)
    assert 1 == len(quiet_seconds(journal))
    journal.append(speech(0, 1000))
    await hush.listen(3000)
    assert not hush.asleep
    assert quiet_seconds(journal)[0][1] == pytest.approx(19.5, abs=0.1)


async def test_a_long_backlog_is_listened_to_in_portions(autojump_clock: trio.abc.Clock) -> None:
    """At most thirty seconds at once, so that nothing else waits; it says that there is more."""
    journal = Disk().journal()
    journal.append(quiet(100_000))
    hush = Hush(journal, PAUSE)
    portions = 0
    while await hush.listen(hush.open_until):
        portions += 1
    assert portions >= 3
    journal.finish()
    await hush.listen(hush.open_until)
    assert quiet_seconds(journal)[-1][1] == 100.0


@pytest.mark.parametrize("rest", [1, 7, 19])
async def test_the_rest_of_a_block_is_nothing_to_listen_to(autojump_clock: trio.abc.Clock, rest: int) -> None:
    """A pipe brings audio in pieces of any length: what is no whole block waits for more, and nobody spins."""
    journal = Disk().journal()
    hush = Hush(journal, PAUSE)
    journal.append(quiet(10_000 + rest))
    assert not await hush.listen(0)
    assert hush.asleep
    assert not await hush.listen(hush.open_until)
    journal.finish()
    assert not await hush.listen(hush.open_until)


async def test_a_part_of_a_block_is_waited_with(autojump_clock: trio.abc.Clock) -> None:
    """Audio comes in pieces of any size; coming back at once for what is left over would keep all else from running."""
    journal = Disk().journal()
    hush = Hush(journal, PAUSE)
    for _ in range(100):
        journal.append(quiet(107))
        assert not await hush.listen(hush.open_until)
    assert hush.asleep
    journal.finish()
    assert not await hush.listen(hush.open_until)
    assert quiet_seconds(journal)[-1][1] == 10.7


async def test_a_hole_is_no_sound_and_no_quiet(autojump_clock: trio.abc.Clock) -> None:
    """Behind lost audio it listens anew."""
    journal = Disk().journal()
    hush = Hush(journal, PAUSE)
    journal.append(quiet(5000))
    await hush.listen(0)
    await journal.gap(3000, Cause.DEVICE)
    journal.append(quiet(20_000))
    await hush.listen(0)
    journal.finish()
    await hush.listen(0)
    assert all(end <= 5.0 or start >= 8.0 for start, end in quiet_seconds(journal))


async def test_parked_until_there_is_a_sound(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Or until the audio ends, or somebody leaves."""
    for end in ("sound", "finish", "leave"):
        journal, leaving, back = Disk().journal(), trio.Event(), trio.Event()
        hush = Hush(journal, QuietOptions(policy=QuietPolicy.PARK, hold_seconds=2.0))
        journal.append(quiet(10_000))
        await hush.listen(0)
        assert (False, True) == (hush.parks(0), hush.parks(2000))

        async def park(hush: Hush = hush, leaving: trio.Event = leaving, back: trio.Event = back) -> None:
            await hush.sound(leaving)
            back.set()

        nursery.start_soon(park)
        for _ in range(50):
            await trio.sleep(0.1)
            journal.append(quiet(100))
        assert not back.is_set()
        match end:
            case "sound":
                journal.append(speech(0, 100))
            case "finish":
                journal.finish()
            case _:
                leaving.set()
                journal.append(quiet(100))
        with trio.fail_after(1.0):
            await back.wait()
        assert journal.pending(3000, journal.tail) == [] or end != "finish"


async def test_one_session_that_is_behind_skips_what_is_quiet(autojump_clock: trio.abc.Clock) -> None:
    """Everything is sent, but for long quiet stretches while there is something to make up for."""
    journal = Disk().journal()
    hush = Hush(journal, QuietOptions(behind_seconds=15.0))
    journal.append(quiet(10_000))
    await hush.listen(0)
    assert hush.open_until == FOREVER
    journal.append(quiet(20_000))
    await hush.listen(0)
    assert hush.asleep
    assert quiet_seconds(journal)
    await hush.listen(29_000)
    assert hush.open_until == FOREVER
    assert not hush.asleep
