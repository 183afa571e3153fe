"""Cutting: where a session ends before its limit, and up to where it is believed."""

import math
from functools import partial

import pytest
import trio

from fakes.dialect import Behaviour
from fakes.source import RATE
from fakes.theatre import Theatre
from stenod.core.rotation import RotationPlan
from stenod.core.seams import CUT_TRUST_SECONDS
from stenod.core.timeline import State
from stenod.tasks.cutting import AHEAD_SECONDS, NEVER, Cutting
from stenod.tasks.session import Session


async def begun(theatre: Theatre, nursery: trio.Nursery, seconds: float, talk: float) -> tuple[Cutting, Session]:
    """Return a session that has been sent so much."""
    session = await theatre.sessions.open(nursery)
    theatre.supervisor._course.begin(session, 0)
    await theatre.record(seconds, talk=talk)
    return theatre.supervisor._cutting, session


async def test_no_limit_no_moments(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A provider without a limit is never left for its limit's sake."""
    cutting, session = await begun(Theatre(nursery), nursery, 1.0, talk=1e6)
    assert cutting.moments(session) is NEVER
    assert math.isinf(NEVER.alone_by)
    session.abandon()


async def test_in_a_pause_all_is_believed(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Found at once where the last thing sent is a pause."""
    theatre = Theatre(nursery)
    cutting, session = await begun(theatre, nursery, 2.5, talk=2.0)
    place = await cutting.place(session, trio.current_time() + 5.0)
    assert place == session.end
    assert cutting.cut(session, place) == place
    assert session.trusted_until > theatre.journal.tail
    await cutting.drained(session)


async def test_within_speech_the_last_moments_are_not(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """At the deadline it is cut anywhere, and what ends there may be half a word."""
    theatre = Theatre(nursery, Behaviour(turn_seconds=30.0))
    cutting, session = await begun(theatre, nursery, 3.0, talk=1e6)
    nursery.start_soon(partial(theatre.record, 5.0, talk=1e6))
    place = await cutting.place(session, trio.current_time() + 2.0)
    assert place == session.sent
    trusted = cutting.cut(session, place)
    assert trusted == pytest.approx(place - CUT_TRUST_SECONDS * RATE, abs=1)
    assert session.trusted_until == trusted
    await cutting.drained(session)


async def test_what_others_have_settled_behind_a_cut_makes_no_half_whole(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """A late session hears on where a live one has settled all from before the cut to far behind it."""
    theatre = Theatre(nursery, Behaviour(turn_seconds=30.0))
    cutting, session = await begun(theatre, nursery, 5.0, talk=1e6)
    nursery.start_soon(partial(theatre.record, 5.0, talk=1e6))
    until = session.sent - round(CUT_TRUST_SECONDS * RATE)
    assert until == cutting.trusted(session, until)
    await theatre.journal.commit([], [(until - RATE, theatre.journal.tail, State.TRANSCRIBED, None)])
    assert theatre.journal.first_pending(until) > session.sent
    assert until == cutting.trusted(session, until)
    assert session.sent_map.origin == cutting.trusted(session, session.start - 1)
    session.abandon()


async def test_alone_it_is_cut_by_its_moment(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """However far the limit is: one that is ended because nothing settles does not look for a pause for an hour."""
    theatre = Theatre(nursery, Behaviour(turn_seconds=30.0))
    cutting, session = await begun(theatre, nursery, 3.0, talk=1e6)
    now = trio.current_time()
    await cutting.alone(session, RotationPlan(now, now + 2.0, now + 10_000.0))
    assert trio.current_time() - now < 3.0


async def test_alone_it_is_left_time_for_its_last_words(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """However short the limit is: what it has not said by then is all heard again."""
    theatre = Theatre(nursery, Behaviour(turn_seconds=30.0, finish_seconds=4.5))
    cutting, session = await begun(theatre, nursery, 3.0, talk=1e6)
    nursery.start_soon(partial(theatre.record, 10.0, talk=1e6))
    now = trio.current_time()
    await cutting.alone(session, RotationPlan(now - 4.0, now - 2.0, now + 6.0))
    assert 5.0 <= trio.current_time() - now < 6.0
    assert session.ended is not None
    assert session.ended.complete


async def test_a_cut_within_speech_is_told_before(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """In time for a successor to hear the overlap beside the old session; where time is short, not at all."""
    theatre = Theatre(nursery, Behaviour(turn_seconds=30.0))
    cutting, session = await begun(theatre, nursery, 3.0, talk=1e6)
    nursery.start_soon(partial(theatre.record, 15.0, talk=1e6))
    told: list[float] = []
    for seconds in (2 * AHEAD_SECONDS - 0.5, 6.0):
        until = trio.current_time() + seconds
        await cutting.place(session, until, lambda: told.append(trio.current_time()))
    assert told == pytest.approx([until - AHEAD_SECONDS])
    session.abandon()


async def test_a_cut_in_a_pause_is_not_told_before(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Nobody needs to overlap there."""
    cutting, session = await begun(Theatre(nursery), nursery, 2.5, talk=2.0)
    await cutting.place(session, trio.current_time() + 6.0, lambda: pytest.fail("told"))
    session.abandon()
