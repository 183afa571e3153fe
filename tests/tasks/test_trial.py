"""A session for trial: ready, a second of audio at its own pace, the goodbye; and each way in which it may fail."""

import pytest
import trio

from fakes.connection import fetch_nothing
from fakes.dialect import Behaviour, ToyDialect, ToyServer
from fakes.log import FakeLog
from stenod.core.transport import ConnectionEnded
from stenod.core.verdict import Phase, judge
from stenod.tasks.trial import Outcome, Trial, silence

RATE = 1000


def trial(server: ToyServer, dialect: ToyDialect | None = None, pcm: bytes = silence(1.03, RATE)) -> Trial:
    """Return one against this server."""
    return Trial(
        dialect=dialect or ToyDialect(),
        key="k",
        rate=RATE,
        pcm=pcm,
        connect=server.connect,
        fetch=fetch_nothing,
        opening_seconds=5.0,
        drain_seconds=4.0,
        log=FakeLog(),
    )


async def tried(nursery: trio.Nursery, behaviour: Behaviour) -> tuple[Outcome, ToyServer]:
    """Return what a trial of this server shows."""
    server = ToyServer(nursery, behaviour, rate=RATE)
    with trio.fail_after(30.0):
        return await trial(server).run(), server


async def test_a_session_in_good_order(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The audio goes out in real time, by the rules of a chunk; the goodbye is said once, the end is waited for."""
    outcome, server = await tried(nursery, Behaviour(ready_seconds=0.5))
    (session,) = server.sessions
    assert (None, "p0", 0.5) == (outcome.failure, outcome.provider_session, outcome.opening_seconds)
    assert ["s0t0", "s0t1"] == outcome.words
    sizes = [len(audio) // 2 for _, audio in session.audio]
    assert [100] * 10 + [50] == sizes
    moments = [at - session.opened_at for at, _ in session.audio]
    assert pytest.approx([0.5 + 0.1 * n for n in range(11)], abs=0.01) == moments
    assert ["bye"] == session.texts
    assert session.bye_at is not None
    assert session.closed_at is not None
    assert session.closed_at - session.bye_at < 0.3


async def test_a_close_may_be_the_answer(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """As with a provider that answers a goodbye with nothing else."""
    server = ToyServer(nursery, Behaviour(finishes=False), rate=RATE)
    assert (await trial(server, ToyDialect(closes=True)).run()).failure is None


@pytest.mark.parametrize(
    ("behaviour", "phase", "rule", "seconds"),
    [
        (Behaviour(refuses=ConnectionEnded("bad key", http_status=401)), Phase.OPENING, "bad-key", 0.0),
        (Behaviour(error=(4001, "bad key"), end_code=1008), Phase.OPENING, "bad-key", 0.0),
        (Behaviour(ready_seconds=None), Phase.OPENING, "opening-deadline", 5.0),
        (Behaviour(dial_seconds=60.0), Phase.OPENING, "opening-deadline", 5.0),
        (Behaviour(ends_after=0.5, end_text="bad key"), Phase.READY, "bad-key", 0.5),
        (Behaviour(finish_seconds=None), Phase.DRAINING, "drain-deadline", 5.0),
    ],
    ids=["refused", "error", "never-ready", "dial", "ended", "no-end"],
)
async def test_failures(
    behaviour: Behaviour,
    phase: Phase,
    rule: str,
    seconds: float,
    autojump_clock: trio.abc.Clock,
    nursery: trio.Nursery,
) -> None:
    """What was observed is what the tables judge; each comes in time."""
    began = trio.current_time()
    outcome, server = await tried(nursery, behaviour)
    assert outcome.failure is not None
    assert phase is outcome.failure.phase
    assert rule == judge(outcome.failure, ToyDialect().rules).name
    assert trio.current_time() - began < seconds + 2.0
    assert all(session.closed_at is not None for session in server.sessions)


@pytest.mark.parametrize("after", [0.2, 1.0], ids=["opening", "sending"])
async def test_whoever_is_interrupted_says_goodbye(
    after: float, autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """Before it is ready too: an open session costs money."""
    server = ToyServer(nursery, Behaviour(ready_seconds=0.5), rate=RATE)
    with trio.move_on_after(after):
        await trial(server).run()
    (session,) = server.sessions
    assert ["bye"] == session.texts
    assert session.closed_at is not None


async def test_what_the_provider_asks_is_answered(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """As in any session."""
    server = ToyServer(nursery, Behaviour(), rate=RATE)

    async def ask() -> None:
        await trio.sleep(0.3)
        server.sessions[0].say('{"ask": "yes"}')

    nursery.start_soon(ask)
    assert (await trial(server).run()).failure is None
    assert ["yes", "bye"] == server.sessions[0].texts
