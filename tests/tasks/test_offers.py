"""Audio that nobody answers: kept, told, waited for, and given up only where the provider answers other audio."""

import trio

from fakes.dialect import Behaviour
from fakes.theatre import Theatre
from stenod.tasks.session import Session

MUTE = Behaviour(turn_seconds=None, finish_seconds=None)


async def offered(theatre: Theatre, nursery: trio.Nursery, start: int, end: int) -> Session:
    """Let a session hear [start, end) to its end."""
    session = await theatre.sessions.open(nursery)
    session.begin(start)
    session.cut(end)
    await theatre.sessions.see_off(session)
    return session


def gaps(theatre: Theatre) -> list[tuple[float, float, str]]:
    """Return what is told to be lost."""
    return [(gap["start"], gap["end"], gap["cause"]) for gap in theatre.disk.lines("gap")]


async def test_a_silent_provider_costs_no_audio(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """However often it is offered; a person is told once, and again when words come, which is not when it accepts."""
    theatre = Theatre(nursery, *[MUTE] * 6, Behaviour())
    await theatre.record(2.0)
    told = []
    for _ in range(7):
        await offered(theatre, nursery, 0, 2000)
        told.append(theatre.states())
    assert told == [[], *[["lost"]] * 5, ["lost", "back"]]
    assert gaps(theatre) == []
    theatre.check_all_transcribed()


async def test_a_silent_provider_waits_like_one_that_is_away(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """From the second session in a row on, which is told to others as an open breaker; an answer forgets it all."""
    theatre = Theatre(nursery, MUTE, MUTE, MUTE, MUTE, Behaviour())
    await theatre.record(2.0)
    delays = []
    for _ in range(4):
        session = await theatre.sessions.open(nursery)
        session.begin(0)
        session.cut(2000)
        delays.append(theatre.sessions.delay_after(session, await theatre.sessions.see_off(session)))
    assert delays[0] < 2.0
    assert 24.0 <= delays[1] <= 30.0
    assert 48.0 <= delays[2] <= 60.0
    assert 48.0 <= delays[3] <= 60.0
    assert theatre.provider.backoff.broken
    await offered(theatre, nursery, 0, 2000)
    assert not theatre.provider.backoff.broken


async def test_what_stalls_while_other_audio_is_answered_is_given_up(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """Failed, and twice again after answers to other audio: it is a gap `rejected`, and a person is told."""
    theatre = Theatre(nursery, MUTE, Behaviour(), MUTE, MUTE, Behaviour(), MUTE)
    await theatre.record(6.0)
    for start, lost in ((0, 0), (2000, 0), (0, 0), (0, 0), (4000, 0), (0, 1)):
        await offered(theatre, nursery, start, start + 2000)
        assert len(gaps(theatre)) == lost, start
    assert [(0.0, 2.0, "rejected")] == gaps(theatre)
    assert "unheard" == theatre.states()[-1]
    assert "listen to it" in theatre.disk.lines("status")[-1]["remedy"]
    (logged,) = theatre.log.of("audio.unheard")
    assert 2.0 == logged["dropped_seconds"]


async def test_a_provider_that_is_slow_is_waited_for(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Its last words come later than its dialect says: each try waits longer, and the fourth has them."""
    theatre = Theatre(nursery, Behaviour(turn_seconds=2.5, finish_seconds=20.0))
    await theatre.record(2.0)
    for wait_seconds in (6.0, 6.0, 12.0):
        session = await offered(theatre, nursery, 0, 2000)
        assert session.ended is not None
        assert wait_seconds <= session.ended.ready_seconds <= wait_seconds + 3.0
        assert not session.settled_samples
    await offered(theatre, nursery, 0, 2000)
    theatre.check_all_transcribed()
