"""One session against a scripted server, from the dial to the last word."""

from collections.abc import Callable

import pytest
import trio

from fakes.clock import WALL_AT_START, FakeClock
from fakes.connection import fetch_nothing
from fakes.dialect import Behaviour, ToyDialect, ToyServer, ToySession, said
from fakes.journal import Disk
from fakes.log import FakeLog
from fakes.source import speech
from stenod.core.pacing import RateRule
from stenod.core.transport import ConnectionEnded
from stenod.core.verdict import Phase, judge
from stenod.providers.base import Event, Final, Heard, Limits, Notice, Ready, Say
from stenod.tasks.session import OVERTAKEN, Session
from stenod.tasks.session_end import Ended
from stenod.tasks.session_options import SessionOptions


class Stage:
    """A session, its journal and its server. `seconds` of audio are there from the beginning."""

    def __init__(
        self,
        nursery: trio.Nursery,
        *behaviours: Behaviour,
        dialect: ToyDialect | None = None,
        seconds: float = 10.0,
        options: SessionOptions | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.log = FakeLog()
        self.disk = Disk()
        self.journal = self.disk.journal(self.clock)
        self.journal.append(speech(0, round(seconds * 1000)))
        self.server = ToyServer(nursery, *behaviours)
        self.events: list[Event] = []
        self.deliver: Callable[[list[Event]], object] = self.events.extend
        self.session = Session(
            name="s",
            dialect=dialect or ToyDialect(),
            key="secret",
            journal=self.journal,
            options=options or SessionOptions(),
            rate_rule=RateRule(4.0),
            clock=self.clock,
            connect=self.server.connect,
            fetch=fetch_nothing,
            deliver=lambda _session, events: self.deliver(events),
            log=self.log,
        )

    @property
    def peer(self) -> ToySession:
        """The server's side of the connection."""
        return self.server.sessions[0]

    @property
    def finals(self) -> list[str]:
        """The words that came."""
        return [event.text for event in self.events if isinstance(event, Final)]

    async def run(self, begin: int | None = 0, end: int | None = None, seconds: float = 1000.0) -> Ended:
        """Run it to its end and return that."""
        if begin is not None:
            self.session.begin(begin)
        if end is not None:
            self.session.cut(end)
        with trio.fail_after(seconds):
            await self.session.run()
        assert self.session.over.is_set()
        assert self.session.ended is not None
        return self.session.ended

    def start(self, nursery: trio.Nursery, begin: int | None = 0) -> None:
        """Run it in the background."""
        if begin is not None:
            self.session.begin(begin)
        nursery.start_soon(self.session.run)


async def test_from_the_dial_to_the_last_word(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It opens, sends its span and nothing else, says goodbye, takes the last words, closes."""
    stage = Stage(nursery)
    ended = await stage.run(begin=1000, end=6500)
    assert speech(1000, 5500) == stage.peer.pcm
    assert ["bye"] == stage.peer.texts
    assert stage.finals == ["s0t0", "s0t1", "s0t2", "s0t3", "s0t4", "s0t5"]
    assert Heard(5.5) == stage.events[-1]
    assert ended.complete
    assert (ended.audio_seconds, ended.billed_seconds) == (5.5, 1.5)
    assert (ended.failure.phase, ended.failure.asked, ended.failure.close_code) == (Phase.DRAINING, True, 1000)
    assert stage.session.provider_session == "p0"
    assert stage.peer.closed_at is not None
    assert judge(ended.failure, stage.session.dialect.rules).name == "ended-as-asked"


async def test_audio_waits_for_ready_and_for_begin(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A successor is open before anyone knows where it takes over, and costs nothing but its pings until then."""
    stage = Stage(nursery, Behaviour(ready_seconds=5.0))
    stage.start(nursery, begin=None)
    await trio.sleep(4.0)
    assert not stage.session.ready.is_set()
    await trio.sleep(56.0)
    assert stage.session.ready.is_set()
    assert stage.session.ready_seconds == pytest.approx(55.0)
    assert stage.peer.sent == []
    stage.session.begin(4000)
    await trio.sleep(5.0)
    assert stage.session.start == 4000
    assert speech(4000, 6000) == stage.peer.pcm


async def test_a_provider_without_a_hello(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Where the upgrade itself is the acceptance, it is ready at once."""
    stage = Stage(nursery, Behaviour(ready_seconds=None), dialect=ToyDialect(greets=False))
    ended = await stage.run(end=1000)
    assert ended.complete
    assert [Ready(None)] == stage.events[:1]


async def test_the_dial_fails(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """What was observed is the end; there is nobody to say goodbye to."""
    stage = Stage(nursery, Behaviour(refuses=ConnectionEnded("Forbidden", http_status=403)))
    ended = await stage.run()
    assert (ended.failure.phase, ended.failure.http_status, ended.failure.text) == (Phase.OPENING, 403, "Forbidden")
    assert not ended.complete
    assert (ended.ready_seconds, ended.audio_seconds, ended.billed_seconds) == (0.0, 0.0, None)
    assert stage.server.sessions == []


async def test_refused_before_it_is_ready(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The provider's error message and the close that follows are one failure; the message's code counts."""
    stage = Stage(nursery, Behaviour(error=(4001, "bad key"), end_code=1008))
    ended = await stage.run()
    assert (ended.failure.phase, ended.failure.close_code, ended.failure.text) == (Phase.OPENING, 4001, "bad key")
    assert judge(ended.failure, stage.session.dialect.rules).name == "bad-key"
    assert not stage.session.ready.is_set()
    assert stage.peer.closed_at is not None


async def test_an_error_without_a_code(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Then the close says which."""
    stage = Stage(nursery, Behaviour(error=(None, "something"), end_code=1011, end_text="internal"))
    ended = await stage.run()
    assert ended.failure.close_code == 1011
    assert ended.failure.text.startswith("something")


async def test_closed_before_it_is_ready(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A close instead of an answer."""
    stage = Stage(nursery, Behaviour(ready_seconds=None))
    stage.start(nursery)
    await trio.sleep(2.0)
    stage.peer.end("try later", 1013)
    await stage.session.over.wait()
    assert stage.session.ended is not None
    assert stage.session.ended.failure.close_code == 1013
    assert stage.session.ended.failure.phase is Phase.OPENING


@pytest.mark.parametrize("pong_seconds", [0.05, None])
async def test_the_opening_has_a_deadline(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, pong_seconds: float | None
) -> None:
    """Connected but never ready, also when nothing answers at all: the opening's own deadline ends it."""
    stage = Stage(nursery, Behaviour(ready_seconds=None, pong_seconds=pong_seconds))
    ended = await stage.run()
    assert trio.current_time() <= 10.0 + 3.0
    assert ended.failure.local
    assert judge(ended.failure, stage.session.dialect.rules).name == "opening-deadline"
    assert stage.peer.closed_at is not None


async def test_a_refusal_that_is_not_followed_by_a_close(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """What the provider said counts, not that we gave up waiting."""
    stage = Stage(nursery, Behaviour(ready_seconds=None))
    stage.start(nursery)
    await trio.sleep(1.0)
    stage.peer.say(said(refused=[None, "bad key"]))
    await stage.session.over.wait()
    assert stage.session.ended is not None
    assert judge(stage.session.ended.failure, stage.session.dialect.rules).name == "bad-key"


async def test_the_drain_has_a_deadline(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Where the last words do not come, the session ends without having been completed."""
    stage = Stage(nursery, Behaviour(finish_seconds=None))
    ended = await stage.run(end=1000)
    assert trio.current_time() <= 6.0 + 2.0
    assert not ended.complete
    assert (ended.failure.phase, ended.failure.asked) == (Phase.DRAINING, True)
    assert ["bye"] == stage.peer.texts


async def test_incomplete_is_not_complete(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Where the provider itself says that it did not hear all, nothing is taken for heard."""
    stage = Stage(nursery, Behaviour(turn_seconds=None, finish_seconds=None))
    stage.start(nursery)
    stage.session.cut(1000)
    await trio.sleep(2.0)
    stage.peer.say(said(finished=False))
    await stage.session.over.wait()
    assert stage.session.ended is not None
    assert not stage.session.ended.complete
    assert not [event for event in stage.events if isinstance(event, Heard)]


async def test_finished_without_being_asked(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A provider that ends the session by itself hears nothing any more: it is over at once, and nothing is heard."""
    stage = Stage(nursery, Behaviour(turn_seconds=None), seconds=100.0)
    stage.start(nursery)
    await trio.sleep(5.0)
    stage.peer.say(said(finished=True))
    await trio.sleep(2.0)
    assert stage.session.ended is not None
    assert not stage.session.ended.complete
    assert not stage.session.ended.failure.asked
    assert judge(stage.session.ended.failure, stage.session.dialect.rules).name == "ended-unasked"
    assert not [event for event in stage.events if isinstance(event, Heard)]


@pytest.mark.slow
async def test_what_was_said_before_the_close_is_taken(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Words and the error message that came in one go with the close, while we were sending."""
    for _ in range(20):
        stage = Stage(nursery, Behaviour(turn_seconds=None), seconds=1000.0)
        stage.start(nursery)
        await trio.sleep(1.0)
        stage.peer.say(said(final=[0, [["last", 0.0, 0.5]]]), said(heard=0.5), said(refused=[None, "too fast"]))
        stage.peer.end("", 1008)
        await stage.session.over.wait()
        assert stage.finals == ["last"]
        assert stage.session.ended is not None
        assert stage.session.ended.failure.text == "too fast"


async def test_a_sender_that_sees_the_end_first(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """What is still to be read is read before the session is over."""
    stage = Stage(nursery, Behaviour(turn_seconds=None), seconds=1000.0)
    stage.start(nursery)
    await trio.sleep(1.0)
    peer = stage.peer
    peer.say(said(heard=0.1))
    peer.receive_seconds = 0.05
    peer.say(*(said(final=[turn, [[f"w{turn}", 0.0, 0.5]]]) for turn in range(5)), said(refused=[None, "too fast"]))
    peer.end("", 1008)
    await stage.session.over.wait()
    assert stage.finals == ["w0", "w1", "w2", "w3", "w4"]
    assert stage.session.ended is not None
    assert stage.session.ended.failure.text == "too fast"


async def test_abandoned(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Given up while it is ready, it still says goodbye and closes."""
    stage = Stage(nursery)
    stage.start(nursery)
    await trio.sleep(1.0)
    stage.session.abandon()
    with trio.fail_after(3.0):
        await stage.session.over.wait()
    assert ["bye"] == stage.peer.texts
    assert stage.peer.closed_at is not None
    assert stage.session.ended is not None
    assert not stage.session.ended.complete


@pytest.mark.parametrize("when", [0.0, 0.5, 1.5, 2.5, 4.0])
async def test_goodbye_also_when_cancelled(autojump_clock: trio.abc.Clock, nursery: trio.Nursery, when: float) -> None:
    """However far it had come, a connection that is open is ended in order, once, and soon."""
    stage = Stage(nursery, Behaviour(dial_seconds=1.0, ready_seconds=1.0, finish_seconds=5.0))
    stage.session.begin(0)
    stage.session.cut(1000)
    with trio.move_on_after(when):
        await stage.session.run()
    assert trio.current_time() <= when + 2.1
    assert stage.session.over.is_set()
    assert stage.session.ended is not None
    assert [["bye"]] * len(stage.server.sessions) == [peer.texts for peer in stage.server.sessions]
    assert all(peer.closed_at is not None for peer in stage.server.sessions)


async def test_goodbye_to_a_peer_that_takes_nothing(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The way down is bounded."""
    stage = Stage(nursery, seconds=0.0)
    stage.start(nursery)
    await trio.sleep(1.0)
    stage.peer.send_seconds = 1e6
    stage.session.abandon()
    with trio.fail_after(3.0):
        await stage.session.over.wait()
    assert stage.peer.closed_at is not None


async def test_a_goodbye_that_breaks(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The connection is closed all the same."""
    stage = Stage(nursery)
    stage.start(nursery)
    await trio.sleep(1.0)

    def broken() -> None:
        raise KeyError("goodbye")

    setattr(stage.session._conversation, "goodbye", broken)  # noqa: B010
    stage.session.abandon()
    await stage.session.over.wait()
    assert stage.peer.closed_at is not None


async def test_cancelled_while_the_goodbye_is_on_its_way(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A goodbye that was begun and not sent is said again."""
    stage = Stage(nursery, seconds=0.0)
    stage.start(nursery)
    await trio.sleep(1.0)
    stage.peer.send_seconds = 0.5
    stage.session.cut(0)
    await trio.sleep(0.2)
    stage.session.abandon()
    with trio.fail_after(3.0):
        await stage.session.over.wait()
    assert ["bye"] == stage.peer.texts


async def test_a_dead_connection(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """No pong, no message: replaced within five seconds."""
    stage = Stage(nursery, Behaviour(pong_seconds=None, turn_seconds=None))
    ended = await stage.run()
    assert trio.current_time() <= 6.0 + 1.0
    assert judge(ended.failure, stage.session.dialect.rules).name == "ping-deadline"


async def test_a_send_that_hangs(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A peer that takes no audio is given up in three seconds."""
    stage = Stage(nursery, seconds=0.0)
    stage.start(nursery)
    await trio.sleep(1.0)
    stage.peer.send_seconds = 1e6
    stage.journal.append(speech(0, 1000))
    with trio.fail_after(6.0):
        await stage.session.over.wait()
    assert stage.session.ended is not None
    assert judge(stage.session.ended.failure, stage.session.dialect.rules).name == "send-deadline"


async def test_a_message_that_breaks_us(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """An exception in the dialect ends this session as a defect, with its name and traceback, and nothing else."""
    stage = Stage(nursery)
    stage.start(nursery)
    await trio.sleep(1.0)
    stage.peer.say(said(boom="poison"))
    await stage.session.over.wait()
    assert stage.session.ended is not None
    assert judge(stage.session.ended.failure, stage.session.dialect.rules).name == "defect"
    assert "ValueError" in stage.session.ended.failure.text
    assert "poison" in str(stage.log.of("session.failed")[0]["exc_info"].exceptions)  # type: ignore[attr-defined]
    assert ["bye"] == stage.peer.texts
    assert stage.peer.closed_at is not None


@pytest.mark.parametrize("method", ["opened", "audio", "goodbye", "closed", "deadline"])
async def test_a_dialect_that_is_broken_anywhere(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, method: str
) -> None:
    """Whichever of its methods raises: a defect, the connection closed, and the session over."""
    stage = Stage(nursery)

    def broken(*_arguments: object, **_named: object) -> None:
        raise KeyError(method)

    setattr(stage.session._conversation, method, broken)
    ended = await stage.run(end=2000)
    assert judge(ended.failure, stage.session.dialect.rules).name == "defect"
    assert not ended.complete
    assert stage.peer.closed_at is not None


@pytest.mark.parametrize("when", ["ready", "final", "closed"])
async def test_a_transcript_that_is_full(autojump_clock: trio.abc.Clock, nursery: trio.Nursery, when: str) -> None:
    """What cannot be handed on ends the session, not the recording."""
    stage = Stage(nursery)

    def full(events: list[Event]) -> None:
        kinds = {"ready": Ready, "final": Final, "closed": object}
        if any(isinstance(event, kinds[when]) for event in events):
            raise RuntimeError("full")

    stage.deliver = full
    ended = await stage.run(end=2000)
    assert judge(ended.failure, stage.session.dialect.rules).name == "defect"


async def test_what_is_held_is_handed_out_at_the_end(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Whatever the reason of the end, before it is over."""
    stage = Stage(nursery, Behaviour(turn_seconds=None))
    stage.start(nursery)
    await trio.sleep(1.0)
    stage.peer.say(said(hold=30.0))
    await trio.sleep(0.1)
    stage.peer.end("", 1006)
    await stage.session.over.wait()
    assert stage.finals == ["held"]


async def test_an_announced_end(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The provider's expiry becomes seconds from the dial, by our wall clock at that moment."""
    stage = Stage(nursery, Behaviour(dial_seconds=2.0, ready_seconds=1.0, expires_at=WALL_AT_START + 3600.0))
    stage.start(nursery)
    await trio.sleep(5.0)
    stage.clock.stepped = 1e6
    assert stage.session.announced_seconds == pytest.approx(3600.0)


async def test_a_second_ready_changes_nothing(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Also while it drains: it was asked for its end, and stays so."""
    stage = Stage(nursery, Behaviour(finish_seconds=3.0))
    stage.start(nursery)
    stage.session.cut(1000)
    await trio.sleep(2.0)
    stage.peer.say(said(ready="again"))
    await stage.session.over.wait()
    assert stage.session.ended is not None
    assert stage.session.ended.complete
    assert stage.session.provider_session == "p0"
    assert ["bye"] == stage.peer.texts


async def test_unusual_messages_are_counted(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The first of a kind is logged, all are counted, and no flood of kinds fills the memory."""
    stage = Stage(nursery)
    stage.start(nursery)
    await trio.sleep(1.0)
    stage.peer.say(*[said(weird=1)] * 100)
    await trio.sleep(1.0)
    assert stage.session.notices.counts == {"unknown": 100}
    assert len(stage.log.of("message.unusual")) == 1


async def test_a_turn_without_an_end_ends_the_session(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Only another session can hear it again."""
    stage = Stage(nursery, seconds=100.0)
    stage.start(nursery)
    await trio.sleep(3.0)
    stage.session._take([Notice(OVERTAKEN)])
    await stage.session.over.wait()
    assert stage.session.ended is not None
    assert stage.session.ended.complete


async def test_cut_before_it_began(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A session that was cut at its start sends nothing and leaves in order."""
    stage = Stage(nursery)
    ended = await stage.run(begin=500, end=500)
    assert stage.peer.pcm == b""
    assert ["bye"] == stage.peer.texts
    assert ended.audio_seconds == 0.0


async def test_keepalive_in_an_idle_session(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """While a successor waits for its turn, the provider's own keepalive holds it open."""
    limits = Limits(chunk_seconds_min=0.05, chunk_seconds_max=1.0, keepalive_seconds=5.0)
    stage = Stage(nursery, dialect=ToyDialect(limits=limits, keepalive="alive"))
    stage.start(nursery, begin=None)
    await trio.sleep(60.0)
    assert 11 <= len(stage.peer.texts) <= 12
    assert {"alive"} == set(stage.peer.texts)


async def test_the_conversation_gets_the_headers(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Where the upgrade is the acceptance, its headers may name the session."""
    stage = Stage(
        nursery, Behaviour(ready_seconds=None, headers={"toy-session": "t7"}), dialect=ToyDialect(greets=False)
    )
    await stage.run(end=1000)
    assert "t7" == stage.session.provider_session


async def test_answers_are_sent_in_order(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Before it is ready, while audio goes out, and while it drains; the transcript hears nothing of them."""
    stage = Stage(nursery, Behaviour(ready_seconds=2.0, finish_seconds=3.0), seconds=5.0)
    stage.start(nursery)
    await trio.sleep(1.0)
    stage.peer.say(said(ask="one"), said(ask="two"))
    await trio.sleep(2.0)
    stage.peer.say(said(ask="three"))
    stage.session.cut(5000)
    await trio.sleep(2.0)
    assert stage.peer.bye_at is not None
    stage.peer.say(said(ask="four"))
    await stage.session.over.wait()
    assert ["one", "two", "three", "bye", "four"] == stage.peer.texts
    assert not [event for event in stage.events if isinstance(event, Say)]
    assert stage.session.ended is not None
    assert stage.session.ended.complete


async def test_an_answer_that_is_not_taken(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It has the deadline of every message."""
    stage = Stage(nursery, seconds=0.0)
    stage.start(nursery)
    await trio.sleep(1.0)
    stage.peer.send_seconds = 1e6
    stage.peer.say(said(ask="one"))
    with trio.fail_after(6.0):
        await stage.session.over.wait()
    assert stage.session.ended is not None
    assert "send-deadline" == judge(stage.session.ended.failure, stage.session.dialect.rules).name


@pytest.mark.parametrize(
    ("code", "clean"), [(1005, True), (1000, True), (1006, False), (1001, False), (1011, False), (None, False)]
)
async def test_a_close_as_the_answer_to_a_goodbye(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, code: int | None, clean: bool
) -> None:
    """`Finished` out of `closed` counts like one that was received: all that was sent is heard."""
    behaviour = Behaviour(turn_seconds=None, finishes=False, finish_code=code)
    stage = Stage(nursery, behaviour, dialect=ToyDialect(closes=True))
    ended = await stage.run(end=2000)
    assert clean == stage.session._conversation.clean  # type: ignore[attr-defined]
    assert clean == ended.complete
    assert ([Heard(2.0)] if clean else []) == [event for event in stage.events if isinstance(event, Heard)]


async def test_a_close_that_comes_before_the_last_words(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Whoever sends sees it at once; where what was said before it has not been read by then, it answers nothing."""
    behaviour = Behaviour(turn_seconds=None, finish_seconds=None)
    stage = Stage(nursery, behaviour, dialect=ToyDialect(closes=True))
    stage.start(nursery)
    stage.session.cut(2000)
    await trio.sleep(2.0)
    assert ["bye"] == stage.peer.texts
    stage.peer.receive_seconds = 3.0
    stage.peer.say(*(said(final=[turn, [[f"w{turn}", 0.0, 0.5]]]) for turn in range(5)))
    stage.peer.end("", 1005)
    await stage.session.over.wait()
    assert stage.session.ended is not None
    assert not stage.session.ended.complete
    assert stage.finals != ["w0", "w1", "w2", "w3", "w4"]
    assert [] == [event for event in stage.events if isinstance(event, Heard)]


async def test_a_close_that_nobody_asked_for(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It answers no goodbye, so that none is made up for it."""
    stage = Stage(nursery, Behaviour(turn_seconds=None), dialect=ToyDialect(closes=True), seconds=100.0)
    stage.start(nursery)
    await trio.sleep(3.0)
    stage.peer.end("", 1000)
    await stage.session.over.wait()
    assert stage.session.ended is not None
    assert not stage.session.ended.complete
    assert [] == [event for event in stage.events if isinstance(event, Heard)]
    assert stage.session._conversation.clean  # type: ignore[attr-defined]


async def test_silence_for_a_provider_that_needs_some(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Before the audio it is known as injected, so that what comes later keeps its place; after the goodbye there is
    none.
    """
    limits = Limits(chunk_seconds_min=0.05, chunk_seconds_max=1.0, warm_seconds=8.0, drain_seconds_max=60.0)
    behaviour = Behaviour(turn_seconds=None, finish_seconds=50.0)
    stage = Stage(nursery, behaviour, dialect=ToyDialect(limits=limits), seconds=2.0)
    stage.start(nursery, begin=None)
    await trio.sleep(8.9)
    assert bytes(2 * 300) == stage.peer.pcm
    stage.peer.say(said(heard=0.0))
    stage.session.begin(500)
    stage.session.cut(1500)
    await stage.session.over.wait()
    assert bytes(2 * 300) + speech(500, 1000) == stage.peer.pcm
    assert (1.3, 500, 1000) == (
        stage.session.sent_map.seconds,
        stage.session.sent_map.position(0.3),
        stage.session.sent_map.position(0.8),
    )


async def test_new_settings_for_an_open_session(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It is told what can be told; it takes another one where the key has changed too, or it is not ready."""
    stage = Stage(nursery, Behaviour(ready_seconds=2.0), seconds=100.0)
    wanted = ToyDialect(changes=("a", "b"))
    stage.start(nursery)
    await trio.sleep(1.0)
    assert not stage.session.reconfigure(wanted, "secret")
    await trio.sleep(2.0)
    assert not stage.session.reconfigure(wanted, "another")
    assert not stage.session.reconfigure(ToyDialect(), "secret")
    assert wanted is not stage.session.dialect
    assert stage.session.reconfigure(wanted, "secret")
    await trio.sleep(0.1)
    assert (["change a", "change b"], wanted) == (stage.peer.texts, stage.session.dialect)
    stage.session._answers.say("something that waits")
    assert not stage.session.reconfigure(wanted, "secret")
    await trio.sleep(0.1)
    stage.session.cut(stage.session.sent)
    await stage.session.over.wait()
    assert not stage.session.reconfigure(wanted, "secret")
