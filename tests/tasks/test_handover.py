"""Hand-over: who is live afterwards, and what falls to whom."""

import pytest
import trio

from fakes.dialect import Behaviour
from fakes.source import RATE
from fakes.theatre import Theatre
from stenod.core.seams import OVERLAP_SECONDS
from stenod.tasks.cutting import AHEAD_SECONDS

LIMIT = 60.0


@pytest.mark.slow
async def test_what_a_dying_session_leaves_falls_to_the_backlog(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """The old session never says its last words: another one hears that share again, however long it is."""
    mute = Behaviour(turn_seconds=9.0, finish_seconds=None)
    theatre = Theatre(nursery, mute, Behaviour(), limit_seconds=LIMIT)
    nursery.start_soon(theatre.supervise)
    await theatre.play(50.0)
    with trio.fail_after(60.0):
        await theatre.returned.wait()
    theatre.check_all_transcribed()
    assert [line for line in theatre.finals if line["late"]]


@pytest.mark.slow
async def test_the_successor_begins_where_the_old_one_ends(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """They meet at one sample, and the floor is there."""
    theatre = Theatre(nursery, limit_seconds=LIMIT)
    nursery.start_soon(theatre.supervise)
    await theatre.record(55.0)
    old, new = theatre.server.sessions
    assert theatre.supervisor._course.floor == len(old.pcm) // 2
    assert (len(old.pcm) + len(new.pcm)) // 2 == pytest.approx(55.0 * RATE, abs=RATE)
    nursery.cancel_scope.cancel()


@pytest.mark.slow
@pytest.mark.parametrize("speaks", [True, False])
async def test_within_speech_both_hear_side_by_side(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, speaks: bool
) -> None:
    """The successor has heard the overlap when the old session ends, cut or broken, and is not late then."""
    old = Behaviour(turn_seconds=3.0, ends_after=None if speaks else 49.5)
    theatre = Theatre(nursery, old, Behaviour(turn_seconds=3.0), limit_seconds=LIMIT)
    nursery.start_soon(theatre.supervise)
    await theatre.record(55.0, talk=1e6)
    first, second = theatre.server.sessions[:2]
    shared = len(first.pcm) + len(second.pcm) - 2 * 55 * RATE
    assert shared / 2 / RATE == pytest.approx(AHEAD_SECONDS if speaks else 1.8, abs=0.3)
    floor = theatre.supervisor._course.floor
    heard_from = 55.0 * RATE - len(second.pcm) / 2
    assert (floor - heard_from) / RATE == pytest.approx(OVERLAP_SECONDS, abs=0.3)
    theatre.journal.finish()
    with trio.fail_after(120.0):
        await theatre.returned.wait()
    theatre.check_all_transcribed()
