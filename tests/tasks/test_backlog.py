"""The backlog: what is behind the live session is transcribed, stretch after stretch, and none is forgotten."""

from itertools import pairwise

import pytest
import trio

from fakes.dialect import Behaviour
from fakes.journal import Disk
from fakes.source import RATE, speech
from fakes.theatre import Theatre
from stenod.core.seams import OVERLAP_SECONDS
from stenod.core.timeline import Cause, Span, State
from stenod.core.transport import ConnectionEnded

REFUSED = Behaviour(refuses=ConnectionEnded("unreachable: no route", local=True))
BAD_KEY = Behaviour(error=(None, "bad key"))


def away(theatre: Theatre, *outages: tuple[float, float]) -> None:
    """Let sessions die at the start of each outage and none open within it."""
    starts = [start for start, _ in outages]

    def choose(_index: int) -> Behaviour:
        now = trio.current_time()
        if any(start <= now < end for start, end in outages):
            return REFUSED
        following = min((start - now for start in starts if start > now), default=None)
        return Behaviour(ends_after=following)

    theatre.server.choose = choose


def late_spans(theatre: Theatre) -> list[tuple[float, float]]:
    """Return the late lines' times."""
    return [(line["start"], line["end"]) for line in theatre.finals if line["late"]]


@pytest.mark.slow
async def test_live_first_and_the_rest_beside_it(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """After an outage the live session begins at the tail; the rest is late, in order, and complete."""
    theatre = Theatre(nursery)
    away(theatre, (30.0, 90.0))
    nursery.start_soon(theatre.supervise)
    await theatre.play(200.0)
    with trio.fail_after(100.0):
        await theatre.returned.wait()
    theatre.check_all_transcribed()
    late = late_spans(theatre)
    assert late == sorted(late)
    assert late[0][0] >= 28.0
    assert late[-1][1] == pytest.approx(90.0, abs=3.0)


@pytest.mark.slow
async def test_several_outages_queue(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """One late session at a time, whatever falls behind meanwhile."""
    theatre = Theatre(nursery)
    away(theatre, (30.0, 70.0), (80.0, 120.0), (130.0, 170.0))
    nursery.start_soon(theatre.supervise)
    await theatre.play(220.0)
    with trio.fail_after(300.0):
        await theatre.returned.wait()
    theatre.check_all_transcribed()
    late = list(dict.fromkeys(line["session"] for line in theatre.finals if line["late"]))
    ready = {line["session"]: line["at"] for line in theatre.disk.lines("session") if line["event"] == "ready"}
    ended = {line["session"]: line["at"] for line in theatre.disk.lines("session") if line["event"] == "ended"}
    assert len(late) >= 3
    assert all(ended[before] <= ready[after] for before, after in pairwise(late))


async def test_what_an_earlier_run_left_is_late(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A hole between transcribed spans is heard again by a session of its own, quiet and lost parts skipped."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 30 * RATE))
    await journal.commit(
        [],
        [
            (0, 10 * RATE, State.TRANSCRIBED, None),
            (12 * RATE, 13 * RATE, State.QUIET, None),
            (13 * RATE, 14 * RATE, State.GAP, Cause.DEVICE),
            (20 * RATE, 30 * RATE, State.TRANSCRIBED, None),
        ],
    )
    theatre = Theatre(nursery, disk=disk)
    assert theatre.supervisor._backlog.next() == Span(10 * RATE, 20 * RATE)
    nursery.start_soon(theatre.supervise)
    await theatre.play(20.0)
    await theatre.returned.wait()
    assert theatre.journal.pending(0, theatre.journal.tail) == []
    assert all(10.0 - OVERLAP_SECONDS <= start and end <= 20.0 + OVERLAP_SECONDS for start, end in late_spans(theatre))
    assert len({line["session"] for line in theatre.finals if line["late"]}) == 1


@pytest.mark.parametrize("between_seconds", [0.1, 1.0, 3.0])
async def test_stretches_that_nearly_touch(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, between_seconds: float
) -> None:
    """The first does not wait for words that only the second will say."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 30 * RATE))
    between = 20 * RATE, round((20 + between_seconds) * RATE)
    await journal.commit(
        [],
        [(start, end, State.TRANSCRIBED, None) for start, end in ((0, 10 * RATE), between, (24 * RATE, 30 * RATE))],
    )
    theatre = Theatre(nursery, disk=disk)
    nursery.start_soon(theatre.supervise)
    await theatre.play(5.0)
    with trio.fail_after(60.0):
        await theatre.returned.wait()
    assert theatre.journal.pending(0, theatre.journal.tail) == []
    assert len({line["session"] for line in theatre.finals if line["late"]}) == 2


@pytest.mark.slow
async def test_a_late_session_keeps_its_limit_too(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A backlog that is longer than a session may last takes several."""
    theatre = Theatre(nursery, limit_seconds=60.0)
    away(theatre, (30.0, 330.0))
    nursery.start_soon(theatre.supervise)
    await theatre.play(400.0)
    with trio.fail_after(600.0):
        await theatre.returned.wait()
    theatre.check_all_transcribed()
    theatre.check_server(60.0)
    assert len({line["session"] for line in theatre.finals if line["late"]}) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("hold", [True, False])
async def test_refused_for_good_beside_a_live_session(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, hold: bool
) -> None:
    """A holding service asks again, when a person says so at once; the foreground returns with the reason."""
    theatre = Theatre(nursery, hold=hold)
    accepted = [0.0]

    def choose(_index: int) -> Behaviour:
        now = trio.current_time()
        if len(accepted) == 1 and now < 20.0:
            return Behaviour(ends_after=20.0)
        if now < 60.0:
            return REFUSED
        accepted.append(now)
        return BAD_KEY if len(accepted) == 3 else Behaviour()

    theatre.server.choose = choose
    nursery.start_soon(theatre.supervise)
    await theatre.record(130.0)
    assert len(accepted) == 3
    theatre.supervisor.probe()
    theatre.journal.finish()
    with trio.fail_after(300.0):
        await theatre.returned.wait()
    if hold:
        theatre.check_all_transcribed()
    else:
        assert theatre.outcome is not None
        assert theatre.outcome.rule.name == "bad-key"


async def test_leaving_ends_a_late_session_within_its_drain(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """What it was not sent is left for the next run, and nothing hangs."""
    theatre = Theatre(nursery)
    away(theatre, (10.0, 60.0))
    nursery.start_soon(theatre.supervise)
    await theatre.record(75.0)
    theatre.supervisor.leave()
    with trio.fail_after(10.0):
        await theatre.returned.wait()
    assert theatre.journal.pending(0, theatre.journal.tail) != []
    assert all(session.closed_at is not None for session in theatre.server.sessions)
