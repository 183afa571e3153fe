"""Opening sessions and judging their ends: verdicts, budgets, records."""

from functools import partial
from itertools import pairwise

import pytest
import trio

from fakes.dialect import Behaviour
from fakes.journal import troubled
from fakes.theatre import KEY, Theatre
from stenod.core.transport import ConnectionEnded
from stenod.core.verdict import Verdict
from stenod.tasks.session import Session
from stenod.tasks.sessions import SLOWER_RATE_RATIO, Fatal

REFUSED = Behaviour(refuses=ConnectionEnded("connection-refused: nobody", local=True))
BAD_KEY = Behaviour(error=(None, f"bad key {KEY}"))


def status(code: int) -> Behaviour:
    """Return a server that refuses with this HTTP status."""
    return Behaviour(refuses=ConnectionEnded(f"HTTP {code}", http_status=code))


async def ended(theatre: Theatre, nursery: trio.Nursery) -> Session:
    """Open a session, let it end by itself, and see it off."""
    session = await theatre.sessions.open(nursery)
    session.begin(0)
    rule = await theatre.sessions.see_off(session)
    theatre.sessions.delay_after(session, rule)
    return session


async def test_a_session_from_ready_to_ended(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Its record says when it was ready and how it ended; the log has one line each."""
    theatre = Theatre(nursery)
    await theatre.record(3.0)
    session = await theatre.sessions.open(nursery)
    session.begin(0)
    session.cut(2500)
    rule = await theatre.sessions.see_off(session)
    assert rule.verdict is Verdict.REOPEN
    lines = theatre.disk.lines("session")
    assert ["ready", "ended"] == [line["event"] for line in lines]
    assert {("room-000001", "toy", "p0")} == {
        (line["session"], line["provider"], line["provider_session"]) for line in lines
    }
    assert (lines[1]["audio_seconds"], lines[1]["billed_seconds"], lines[1]["verdict"]) == (2.5, 1.5, "reopen")
    assert len(theatre.log.of("session.opened")) == len(theatre.log.of("session.ended")) == 1
    assert theatre.log.of("session.ended")[0]["settled_seconds"] == 2.5


async def test_refusals_are_paced(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """An outage is waited out by backoff, is told once, and costs no budget; coming back is told once."""
    theatre = Theatre(nursery, *[REFUSED] * 40, Behaviour())
    await theatre.sessions.open(nursery)
    assert len([at for at in theatre.server.dials if at <= 10.0]) <= 8
    assert max(later - earlier for earlier, later in pairwise(theatre.server.dials)) <= 30.0
    assert ["lost", "back"] == theatre.states()
    assert theatre.log.of("opening.delayed") == []


async def test_refusals_are_paced_for_all_who_open(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A live and a late session that look for the provider at once are one client to it."""
    theatre = Theatre(nursery, *[REFUSED] * 40, Behaviour())
    async with trio.open_nursery() as openings:
        for late in (False, True):
            openings.start_soon(partial(theatre.sessions.open, nursery, late=late))
    dials = theatre.server.dials
    assert max(len([at for at in dials if first <= at <= first + 10.0]) for first in dials) <= 8


async def test_one_refusal_is_not_told(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A hiccup is for the log."""
    theatre = Theatre(nursery, REFUSED, Behaviour())
    await theatre.sessions.open(nursery)
    assert theatre.states() == []


async def test_fatal_at_once(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A wrong key is not tried twice, and does not appear in what is written."""
    theatre = Theatre(nursery, BAD_KEY)
    with pytest.raises(Fatal) as raised:
        await theatre.sessions.open(nursery)
    assert len(theatre.server.dials) == 1
    assert raised.value.rule.name == "bad-key"
    assert raised.value.rule.exit_code == 77
    assert KEY not in raised.value.text
    assert KEY not in str(theatre.disk.lines()) + str(theatre.log.lines)


@pytest.mark.parametrize("behaviour", [status(403), Behaviour(error=(None, "old token"))])
async def test_once_more_and_then_fatal(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, behaviour: Behaviour
) -> None:
    """What may pass by itself is tried again once; twice in a row needs a person."""
    theatre = Theatre(nursery, behaviour, behaviour, Behaviour())
    with pytest.raises(Fatal):
        await theatre.sessions.open(nursery)
    assert len(theatre.server.dials) == 2


async def test_once_between_others_is_not_twice(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Only the same failure in a row is fatal."""
    theatre = Theatre(nursery, status(403), status(500), status(403), status(500), Behaviour())
    await theatre.sessions.open(nursery)
    assert len(theatre.server.dials) == 5


@pytest.mark.slow
async def test_healthy_time_separates_failures(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A proxy that breaks the protocol every ten minutes is a nuisance, not the end."""
    theatre = Theatre(nursery, Behaviour(ends_after=600.0, end_code=1002))
    for _ in range(4):
        await ended(theatre, nursery)
    assert len(theatre.server.dials) == 4


async def test_the_same_failure_at_once_again(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Without healthy time between, the second one is fatal."""
    theatre = Theatre(nursery, Behaviour(ends_after=1.0, end_code=1002))
    await ended(theatre, nursery)
    with pytest.raises(Fatal):
        await ended(theatre, nursery)


async def test_too_fast_is_slower_from_then_on(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The next session's rate rule is just above real time."""
    theatre = Theatre(nursery, Behaviour(ends_after=6.0, end_text="too fast", end_code=1008), Behaviour())
    await ended(theatre, nursery)
    session = await theatre.sessions.open(nursery)
    assert session._rate_rule.ratio == SLOWER_RATE_RATIO


async def test_too_many_sessions(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The budget of openings is halved by the first of a row, and given back by long healthy sessions."""
    theatre = Theatre(nursery, status(429), status(429), status(429), Behaviour(ends_after=100.0))
    await ended(theatre, nursery)
    assert theatre.provider.budget.per_minute == 10.0
    theatre = Theatre(nursery, status(429), status(429), Behaviour(ends_after=10.0))
    await ended(theatre, nursery)
    assert theatre.provider.budget.per_minute == 5.0


async def test_streams_of_one_account_are_one_client(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Refusals are paced for all of them together, "too many" halves the budget once, and each reader is told."""
    one = Theatre(nursery, *[status(429)] * 20, Behaviour())
    other = Theatre(nursery, beside=one)
    async with trio.open_nursery() as openings:
        for theatre in (one, other):
            openings.start_soon(theatre.sessions.open, nursery)
    dials = one.server.dials
    assert max(len([at for at in dials if first <= at <= first + 10.0]) for first in dials) <= 8
    assert one.provider.budget.per_minute == 5.0
    assert [["lost", "back"]] * 2 == [one.states(), other.states()]


async def test_what_may_happen_once_may_happen_to_each_stream_once(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """Two streams that meet the same hiccup have not met it twice."""
    one = Theatre(nursery, status(403), status(403), Behaviour())
    other = Theatre(nursery, beside=one)
    async with trio.open_nursery() as openings:
        for theatre in (one, other):
            openings.start_soon(theatre.sessions.open, nursery)
    assert len(one.server.dials) == 4


async def test_the_budget_bounds_accepted_openings(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A provider that accepts and hangs up with a friendly code is not hammered."""
    theatre = Theatre(nursery, Behaviour(ends_after=5.1, end_code=1000), per_minute=2.0)
    with trio.move_on_after(600.0):
        while True:
            await ended(theatre, nursery)
    assert len(theatre.server.dials) <= 10 + 2 * 10 + 1
    assert theatre.log.of("opening.delayed")


async def test_parallel_openings_share_the_budget(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Ten at once take ten places, the next one waits; a hand-over has a place of its own."""
    theatre = Theatre(nursery, Behaviour(dial_seconds=1.0))
    async with trio.open_nursery() as openings:
        for _ in range(11):
            openings.start_soon(theatre.sessions.open, nursery)
    assert [0.0] * 10 + [6.0] == [round(at, 3) for at in theatre.server.dials]
    await theatre.sessions.open(nursery, reserved=True)
    assert theatre.server.dials[-1] == pytest.approx(7.0)


async def test_sessions_that_die_at_once_open_the_breaker(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """The third without progress waits half a minute."""
    theatre = Theatre(nursery, Behaviour(ends_after=0.5, end_code=1012))
    delays = []
    for _ in range(4):
        session = await theatre.sessions.open(nursery)
        session.begin(0)
        delays.append(theatre.sessions.delay_after(session, await theatre.sessions.see_off(session)))
    assert max(delays[:2]) < 2.0
    assert 24.0 <= delays[2] <= 30.0
    assert 48.0 <= delays[3] <= 60.0


async def test_sessions_that_get_no_further_open_the_breaker_too(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """The same audio again and again, however long each session lives: not for ever at full speed."""
    theatre = Theatre(nursery, Behaviour(turn_seconds=None, ends_after=8.0, end_code=1012))
    nursery.start_soon(theatre.record, 500.0)
    delays = []
    for _ in range(5):
        session = await theatre.sessions.open(nursery)
        session.begin(0)
        delays.append(theatre.sessions.delay_after(session, await theatre.sessions.see_off(session)))
    assert max(delays[:3]) < 2.0
    assert 24.0 <= delays[3] <= 30.0
    assert 48.0 <= delays[4] <= 60.0


async def test_sessions_that_get_no_further_are_told(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Once, when it is no accident any more, and once when they do again."""
    short = Behaviour(turn_seconds=None, ends_after=8.0, end_code=1012)
    theatre = Theatre(nursery, short, short, short, short, Behaviour(turn_seconds=0.5))
    await theatre.record(20.0)
    told = []
    for _ in range(5):
        session = await theatre.sessions.open(nursery)
        session.begin(0)
        session.cut(20_000)
        await theatre.sessions.see_off(session)
        told.append(theatre.states("progress"))
    assert told == [[], [], ["stuck"], ["stuck"], ["stuck", "back"]]


async def test_cancelled_while_it_opens(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Nobody is left connected."""
    for when in (0.5, 1.5):
        theatre = Theatre(nursery, Behaviour(dial_seconds=1.0, ready_seconds=1.0))
        with trio.move_on_after(when):
            await theatre.sessions.open(nursery)
        await trio.sleep(5.0)
        assert all(session.closed_at is not None for session in theatre.server.sessions)


async def test_a_network_that_dies_in_the_drain_costs_no_audio(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """Nobody had the chance to answer: that is no offer, however often it happens."""
    theatre = Theatre(nursery, Behaviour(turn_seconds=None, finish_seconds=None))
    await theatre.record(2.0)
    for index in range(4):
        session = await theatre.sessions.open(nursery)
        session.begin(0)
        session.cut(2000)
        await trio.sleep(3.0)
        if index % 2:
            theatre.server.sessions[-1].end("", 1006)
        else:
            theatre.server.sessions[-1].pong_seconds = None
        await theatre.sessions.see_off(session)
    assert theatre.disk.lines("gap") == []
    assert theatre.journal.cursor == 0


@pytest.mark.slow
async def test_a_fatal_that_was_mended_is_told(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Whoever read that the provider refuses, reads that it is back."""
    theatre = Theatre(nursery, BAD_KEY, Behaviour(), hold=True)
    nursery.start_soon(theatre.supervise)
    await theatre.record(1000.0)
    assert ["fatal", "back"] == theatre.states()


async def test_what_an_earlier_run_told_is_taken_back(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The key was replaced by a restart: whoever read that the provider refuses, reads that it is back, once."""
    disk = await troubled("provider", "device")
    theatre = Theatre(nursery, Behaviour(), disk=disk)
    nursery.start_soon(theatre.supervise)
    await theatre.play(10.0)
    await theatre.returned.wait()
    assert ["lost", "back"] == theatre.states()
    assert ["lost"] == theatre.states("device")
    assert not Theatre(nursery, Behaviour(), disk=disk).journal.mended("provider")


async def test_what_is_told_anew_is_not_taken_back(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The key is still wrong, and nobody else may say that all is well."""
    theatre = Theatre(nursery, BAD_KEY, hold=True, disk=await troubled("provider"))
    nursery.start_soon(theatre.supervise)
    await theatre.record(10.0)
    assert ["lost", "fatal"] == theatre.states()
    assert not theatre.journal.mended("provider")


async def test_a_stop_is_no_loss(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The provider was away, came back, and was said goodbye to a second later: it was lost once."""
    theatre = Theatre(nursery, REFUSED, REFUSED, REFUSED, Behaviour(turn_seconds=None))
    nursery.start_soon(theatre.supervise)
    while not theatre.server.sessions:
        await theatre.record(0.1)
    await theatre.play(0.5)
    await theatre.returned.wait()
    assert ["lost", "back"] == theatre.states()
