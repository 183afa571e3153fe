"""The supervisor before a scripted provider: what ends, what follows, who is live, and that it always returns."""

from itertools import pairwise

import pytest
import trio

from fakes.dialect import Behaviour, ToyDialect
from fakes.journal import Disk
from fakes.source import RATE, quiet, speech
from fakes.theatre import Theatre
from stenod.core.seams import CUT_TRUST_SECONDS, EDGE_SECONDS, OVERLAP_SECONDS
from stenod.core.transport import ConnectionEnded

REFUSED = Behaviour(refuses=ConnectionEnded("connection-refused: nobody", local=True))
BAD_KEY = Behaviour(error=(None, "bad key"))
BUSY = Behaviour(refuses=ConnectionEnded("busy", http_status=503))
LIMIT = 100.0


async def finished(theatre: Theatre, seconds: float = 120.0) -> None:
    """Wait until the supervisor has returned; fail where it does not."""
    with trio.fail_after(seconds):
        await theatre.returned.wait()


async def run(theatre: Theatre, nursery: trio.Nursery, seconds: float, **rest: float) -> None:
    """Record so many seconds under a supervisor, end the source, and wait for the end."""
    nursery.start_soon(theatre.supervise)
    await theatre.play(seconds, **rest)
    await finished(theatre)


def sent_spans(theatre: Theatre) -> list[tuple[int, int]]:
    """Return what each connection was sent, by finding its audio in the journal."""
    whole = theatre.journal.read(0, theatre.journal.tail)
    found = []
    for session in theatre.server.sessions:
        pcm = session.pcm[: 2 * (len(session.pcm) // 2)].rstrip(b"\0")
        if pcm:
            at = whole.find(pcm)
            assert at >= 0, "the audio of a session is contiguous"
            found.append((at // 2, (at + len(pcm)) // 2))
    return found


def no_overlap(theatre: Theatre, seconds: float = 0.0) -> None:
    """Hold that no more than so much went to two sessions: nothing, where all are cut in pauses."""
    assert all(left[1] - right[0] <= seconds * RATE for left, right in pairwise(sorted(sent_spans(theatre))))


async def test_a_stream_from_beginning_to_end(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """One session takes all, and when the source has ended and all is transcribed, it returns."""
    theatre = Theatre(nursery)
    await run(theatre, nursery, 30.0)
    assert theatre.outcome is None
    assert len(theatre.server.dials) == 1
    assert len(theatre.finals) == 30
    theatre.check_all_transcribed()
    theatre.check_server()
    assert theatre.supervisor.reached.is_set()


@pytest.mark.parametrize("code", [1006, 1001, 1011, 1012])
async def test_a_lost_session_is_followed_by_the_next(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, code: int
) -> None:
    """It begins at the first sample that was not transcribed; no word is missing."""
    theatre = Theatre(nursery, *[Behaviour(ends_after=7.3, end_code=code)] * 3, Behaviour())
    await run(theatre, nursery, 40.0)
    theatre.check_all_transcribed()
    assert len(theatre.server.dials) == 4
    assert ["ended"] * 4 == [line["event"] for line in theatre.disk.lines("session") if line["event"] == "ended"]


async def test_an_outage_is_caught_up(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """While nobody answers, the audio waits; afterwards all of it is transcribed."""
    theatre = Theatre(nursery, Behaviour(ends_after=10.0), *[REFUSED] * 8, Behaviour())
    await run(theatre, nursery, 60.0)
    theatre.check_all_transcribed()
    assert ["lost", "back"] == theatre.states()


async def test_what_was_in_the_journal_before(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A restart begins at the cursor, also where no more audio comes."""
    disk = Disk()
    first = Theatre(nursery, REFUSED, disk=disk)
    await first.record(20.0)
    await first.journal.commit([])
    theatre = Theatre(nursery, disk=disk)
    theatre.journal.finish()
    nursery.start_soon(theatre.supervise)
    await finished(theatre)
    theatre.check_all_transcribed()


async def test_nothing_to_do(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Without any audio no session is opened."""
    theatre = Theatre(nursery)
    theatre.journal.finish()
    nursery.start_soon(theatre.supervise)
    await finished(theatre)
    assert theatre.server.dials == []


async def test_fatal_in_the_foreground(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It returns why, at once, with the exit code."""
    theatre = Theatre(nursery, BAD_KEY)
    nursery.start_soon(theatre.supervise)
    await theatre.record(5.0)
    await finished(theatre)
    assert theatre.outcome is not None
    assert theatre.outcome.rule.exit_code == 77
    assert theatre.returned_at is not None
    assert theatre.returned_at < 1.0
    assert theatre.journal.cursor == 0


@pytest.mark.slow
async def test_fatal_for_a_service(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It holds, says so, asks again after ten minutes, twenty and so on, and transcribes everything once it may."""
    theatre = Theatre(nursery, BAD_KEY, BAD_KEY, Behaviour(), hold=True)
    nursery.start_soon(theatre.supervise)
    await theatre.record(100.0)
    assert theatre.supervisor.reached.is_set()
    assert theatre.supervisor.state.startswith("held")
    await theatre.record(1900.0)
    theatre.journal.finish()
    await finished(theatre, 10_000.0)
    live, late = 1800.0, 1802.0
    assert [0.0, 600.0, live, late] == [pytest.approx(at, abs=2.5) for at in theatre.server.dials]
    assert [live] == [pytest.approx(at, abs=2.5) for at in theatre.relieved_at]
    theatre.check_all_transcribed()


async def test_a_person_asks_for_another_try(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A probe ends the hold at once; one that came before there was anything to probe is not saved up."""
    theatre = Theatre(nursery, BAD_KEY, Behaviour(), hold=True)
    theatre.supervisor.probe()
    nursery.start_soon(theatre.supervise)
    await theatre.record(50.0)
    theatre.supervisor.probe()
    await theatre.play(10.0)
    await finished(theatre)
    assert len(theatre.relieved_at) == 1
    assert [0.0, 50.0, 53.0] == [pytest.approx(at, abs=1.5) for at in theatre.server.dials]
    theatre.check_all_transcribed()


async def test_new_settings_that_an_open_session_can_be_told(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """It goes on: no second session, and the next ones are opened with them."""
    theatre = Theatre(nursery)
    nursery.start_soon(theatre.supervise)
    await theatre.record(10.0)
    theatre.provider.dialect = ToyDialect(limits=theatre.provider.dialect.limits, changes=("terms",))
    theatre.supervisor.renew()
    await theatre.play(30.0)
    await finished(theatre)
    assert [["change terms", "bye"]] == [session.texts for session in theatre.server.sessions]
    assert ["room-000001"] == [line["session"] for line in theatre.log.of("session.reconfigured")]
    theatre.check_all_transcribed()


async def test_what_opens_after_a_renewal_is_not_renewed_again(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """It has the new settings already: a second session would cost money for nothing."""
    theatre = Theatre(nursery, BAD_KEY, Behaviour(), hold=True)
    nursery.start_soon(theatre.supervise)
    await theatre.record(10.0)
    theatre.supervisor.renew()
    theatre.supervisor.probe()
    await theatre.play(30.0)
    await finished(theatre)
    assert "handed-over" not in [line["event"] for line in theatre.disk.lines("session")]
    theatre.check_all_transcribed()


@pytest.mark.slow
@pytest.mark.parametrize("live", [True, False])
async def test_no_session_meets_its_limit(autojump_clock: trio.abc.Clock, nursery: trio.Nursery, live: bool) -> None:
    """Before each limit a successor takes over: every word once, in order, every session ended by our goodbye."""
    theatre = Theatre(nursery, live=live, limit_seconds=LIMIT)
    await run(theatre, nursery, 350.0)
    theatre.check_all_transcribed()
    theatre.check_server(LIMIT)
    assert len(theatre.server.dials) >= 4
    no_overlap(theatre, EDGE_SECONDS)
    assert not any(line["late"] for line in theatre.finals)
    events = [line["event"] for line in theatre.disk.lines("session")]
    assert events.count("handed-over") == len(theatre.server.dials) - 1


@pytest.mark.slow
async def test_a_hand_over_cuts_in_a_pause(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Where there is quiet, both meet in it."""
    theatre = Theatre(nursery, limit_seconds=LIMIT)
    await run(theatre, nursery, 200.0, talk=5.0, pause=0.5)
    cuts = [end for _, end in sent_spans(theatre)][:-1]
    assert cuts
    assert all(5000 <= cut % 5500 for cut in cuts), [cut % 5500 for cut in cuts]


@pytest.mark.slow
async def test_a_hand_over_without_a_pause(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Where nobody draws breath, it is cut anyway, in time; both sessions hear what lies around the cut."""
    theatre = Theatre(nursery, limit_seconds=LIMIT)
    await run(theatre, nursery, 250.0, talk=1e6)
    theatre.check_all_transcribed()
    theatre.check_server(LIMIT)
    no_overlap(theatre, OVERLAP_SECONDS + CUT_TRUST_SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", [BUSY, BAD_KEY])
async def test_the_successor_is_refused(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, behaviour: Behaviour
) -> None:
    """The old session goes on, ends before its limit, and what follows waits for the next that is accepted."""
    theatre = Theatre(nursery, hold=True, limit_seconds=LIMIT)
    theatre.server.choose = lambda index: behaviour if 80.0 <= trio.current_time() < 130.0 else Behaviour()
    nursery.start_soon(theatre.supervise)
    await theatre.record(300.0)
    theatre.supervisor.probe()
    await theatre.play(50.0)
    await finished(theatre, 3000.0)
    theatre.check_all_transcribed()
    theatre.check_server(LIMIT)


@pytest.mark.slow
async def test_the_source_ends_while_the_successor_is_refused(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """The old session takes the rest; nobody waits for a successor that is not needed."""
    theatre = Theatre(nursery, limit_seconds=LIMIT)
    theatre.server.choose = lambda index: Behaviour() if index == 0 else BUSY
    nursery.start_soon(theatre.supervise)
    await theatre.play(85.0)
    await finished(theatre, 15.0)
    theatre.check_all_transcribed()
    theatre.check_server(LIMIT)


@pytest.mark.slow
@pytest.mark.parametrize("dies_at", [81.0, 84.0, 86.5, 93.0])
async def test_the_old_session_dies_in_a_hand_over(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, dies_at: float
) -> None:
    """Before, while and after its successor is opened: the successor takes what is left, and no word comes twice."""
    theatre = Theatre(nursery, Behaviour(ends_after=dies_at), Behaviour(ready_seconds=4.0), limit_seconds=LIMIT)
    await run(theatre, nursery, 150.0, talk=3.0)
    theatre.check_all_transcribed()
    assert len(theatre.finals) == len({(line["start"], line["end"]) for line in theatre.finals})
    ends = [line["end"] for line in theatre.finals]
    starts = [line["start"] for line in theatre.finals]
    assert all(start >= end for start, end in zip(starts[1:], ends, strict=False))
    ended = [line["session"] for line in theatre.disk.lines("session") if line["event"] == "ended"]
    assert len(ended) == len(set(ended)) == len(theatre.server.dials)


@pytest.mark.slow
async def test_what_a_drain_leaves_unfinished_is_late(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The live session goes on; the rest of the old one gets a session of its own, and its lines say so."""
    theatre = Theatre(nursery, Behaviour(finish_seconds=None, turn_seconds=7.0), Behaviour(), limit_seconds=LIMIT)
    await run(theatre, nursery, 150.0)
    theatre.check_all_transcribed()
    theatre.check_server(LIMIT + 2.0)
    assert any(line["late"] for line in theatre.finals)
    assert not theatre.finals[-1]["late"]


@pytest.mark.slow
async def test_a_late_span_survives_its_session(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """However many sessions it takes."""
    theatre = Theatre(
        nursery,
        Behaviour(finish_seconds=None, turn_seconds=None),
        Behaviour(),
        Behaviour(ends_after=3.0),
        Behaviour(ends_after=3.0),
        Behaviour(),
        limit_seconds=LIMIT,
    )
    nursery.start_soon(theatre.supervise)
    await theatre.play(150.0)
    await finished(theatre, 400.0)
    theatre.check_all_transcribed()
    theatre.check_server()


@pytest.mark.slow
async def test_a_backlog_longer_than_a_session(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """When no more audio comes, sessions still end before their limit, as many as it takes."""
    disk = Disk(samples_max=1_000_000)
    first = Theatre(nursery, disk=disk)
    await first.record(400.0)
    await first.journal.commit([])
    theatre = Theatre(nursery, disk=disk, live=False, limit_seconds=LIMIT)
    theatre.journal.finish()
    nursery.start_soon(theatre.supervise)
    await finished(theatre, 1000.0)
    theatre.check_all_transcribed()
    theatre.check_server(LIMIT)


@pytest.mark.slow
async def test_a_provider_that_always_ends_early(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Sessions that live ten seconds transcribe an hour all the same."""
    theatre = Theatre(nursery, Behaviour(ends_after=10.0, end_code=1001))
    nursery.start_soon(theatre.supervise)
    await theatre.play(600.0)
    await finished(theatre, 60.0)
    theatre.check_all_transcribed()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behaviours", "seconds"),
    [
        ([Behaviour(dial_seconds=1e6)], 3.0),
        ([Behaviour(ready_seconds=None)], 3.0),
        ([REFUSED], 30.0),
        ([Behaviour()], 10.0),
        ([Behaviour(finish_seconds=None)], 10.0),
        ([Behaviour(), Behaviour(dial_seconds=1e6)], 82.0),
        ([Behaviour(), Behaviour(ready_seconds=None)], 84.0),
        ([Behaviour(), BUSY], 84.0),
        ([Behaviour(), BAD_KEY], 84.0),
        ([Behaviour(), Behaviour()], 84.0),
        ([Behaviour(finish_seconds=None), Behaviour()], 92.0),
        ([Behaviour(finish_seconds=None, turn_seconds=7.0), Behaviour(), Behaviour(turn_seconds=None)], 100.0),
        ([Behaviour(finish_seconds=None, turn_seconds=7.0), Behaviour(), REFUSED], 100.0),
        ([Behaviour(ends_after=2.0, end_code=1011)], 40.0),
        ([BAD_KEY], 40.0),
    ],
    ids=lambda value: None if isinstance(value, list) else str(value),
)
@pytest.mark.parametrize("live", [True, False])
async def test_leaving_is_bounded(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, behaviours: list[Behaviour], seconds: float, live: bool
) -> None:
    """At every stage: nothing more is sent, the last words are taken, and everyone is gone within a drain."""
    theatre = Theatre(nursery, *behaviours, live=live, hold=True, limit_seconds=LIMIT)
    nursery.start_soon(theatre.supervise)
    await theatre.record(seconds, talk=1e6)
    theatre.supervisor.leave()
    sent = sum(len(session.pcm) for session in theatre.server.sessions)
    await finished(theatre, 10.0)
    assert theatre.outcome is None
    assert all(session.closed_at is not None for session in theatre.server.sessions)
    assert sum(len(session.pcm) for session in theatre.server.sessions) <= sent + 3 * 2000


@pytest.mark.parametrize("live", [True, False])
async def test_leaving_within_a_sentence(autojump_clock: trio.abc.Clock, nursery: trio.Nursery, live: bool) -> None:
    """The sentence that was being said is left for the next run, as a whole."""
    theatre = Theatre(nursery, Behaviour(turn_seconds=10.0), live=live)
    nursery.start_soon(theatre.supervise)
    await theatre.record(6.0, talk=1e6)
    theatre.journal.append(quiet(500))
    await trio.sleep(0.5)
    await theatre.record(1.2, talk=1e6)
    theatre.supervisor.leave()
    await finished(theatre, 10.0)
    left = theatre.journal.first_pending(0)
    assert 6000 <= left <= 6500


async def test_leaving_on_a_slow_disk(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A session that became ready while we left is not forgotten."""
    theatre = Theatre(nursery, Behaviour(ready_seconds=1.0))
    theatre.disk.seconds = 2.0
    nursery.start_soon(theatre.supervise)
    await theatre.record(1.5)
    theatre.supervisor.leave()
    await finished(theatre, 20.0)
    assert all(session.closed_at is not None for session in theatre.server.sessions)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.5, 5.0, 82.0, 92.0])
async def test_cancelled_at_once(autojump_clock: trio.abc.Clock, nursery: trio.Nursery, seconds: float) -> None:
    """However it ends, goodbye is said to everyone, in a moment."""
    theatre = Theatre(nursery, Behaviour(ready_seconds=1.0), limit_seconds=LIMIT)
    nursery.start_soon(theatre.record, 200.0)
    with trio.move_on_after(seconds):
        await theatre.supervisor.run()
    assert trio.current_time() <= seconds + 2.5
    assert theatre.server.sessions
    assert all(session.closed_at is not None and session.bye_at is not None for session in theatre.server.sessions)


@pytest.mark.slow
async def test_it_says_what_it_does(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """In words for a person, at every moment."""
    theatre = Theatre(nursery, Behaviour(dial_seconds=2.0), limit_seconds=LIMIT)
    states = [theatre.supervisor.state]
    nursery.start_soon(theatre.supervise)
    for _ in range(100):
        await theatre.record(1.0)
        if states[-1] != theatre.supervisor.state:
            states.append(theatre.supervisor.state)
    assert states == [
        "starting",
        "connecting to a provider",
        "transcribing with toy",
        "handing over",
        "transcribing with toy",
    ]


@pytest.mark.slow
async def test_a_pipe_that_brings_a_minute_at_once_is_no_outage(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """What comes faster than it can have been recorded is caught up with in one, in order."""
    theatre = Theatre(nursery)
    nursery.start_soon(theatre.supervise)
    theatre.journal.append(speech(0, 60 * RATE))
    await theatre.play(30.0)
    await finished(theatre)
    assert not [line for line in theatre.finals if line["late"]]
    assert len(theatre.server.dials) == 1
