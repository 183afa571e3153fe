"""A Flux session in the session task: what is said when, and how it ends."""

import json
from typing import Any

import pytest
import trio

from fakes.clock import FakeClock
from fakes.connection import FakeConnection, fetch_nothing
from fakes.journal import Disk
from fakes.log import FakeLog
from fakes.source import speech
from stenod.core.pacing import RateRule
from stenod.core.transport import Connection
from stenod.core.verdict import Phase, judge
from stenod.providers.base import Event, Final, Heard
from stenod.providers.deepgram_flux import DeepgramFlux, DeepgramFluxOptions
from stenod.tasks.session import Session
from stenod.tasks.session_end import Ended
from stenod.tasks.session_options import SessionOptions

RATE = 8000
SECONDS = 4.0
SPEECH = speech(0, round(SECONDS * RATE))


class FluxPeer(FakeConnection):
    """Hears a word in each half second after the first one; a turn ends when it is forced, and then with the stream."""

    def __init__(self, *, forces: bool = True, closes: bool = True) -> None:
        super().__init__()
        self._forces, self._closes = forces, closes
        self._number = 0
        self._samples = 0
        self._turn = 0
        self._words: list[dict[str, Any]] = []
        self._tells({"type": "Connected", "request_id": "r0"})

    def heard(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self._hears(len(frame) // 2)
        elif json.loads(frame) == {"type": "ForceEndTurn"} and self._words and self._forces:
            self._turns("EndOfTurn")
            self._turn, self._words = self._turn + 1, []
        elif json.loads(frame) == {"type": "CloseStream"} and self._closes:
            self.end(close_code=1005)

    def _hears(self, samples: int) -> None:
        before, self._samples = self._samples, self._samples + samples
        half = RATE // 2
        for place in range(before // half, self._samples // half):
            if place:
                at = place / 2
                self._words.append({"word": f"w{place}", "start": at, "end": at + 0.4, "confidence": 0.9})
            self._turns("StartOfTurn" if len(self._words) == 1 else "Update")

    def _turns(self, event: str) -> None:
        self._tells(
            {
                "type": "TurnInfo",
                "event": event,
                "turn_index": self._turn,
                "audio_window_start": 0.0,
                "audio_window_end": self._samples / RATE,
                "transcript": " ".join(word["word"] for word in self._words),
                "words": self._words,
            }
        )

    def _tells(self, message: dict[str, Any]) -> None:
        self.say(json.dumps(message | {"sequence_id": self._number}))
        self._number += 1


class Stage:
    """A session of four seconds of speech with this peer."""

    def __init__(self, peer: FluxPeer) -> None:
        clock = FakeClock()
        journal = Disk(RATE).journal(clock)
        journal.append(SPEECH)
        self.peer = peer
        self.events: list[Event] = []
        self.session = Session(
            name="s",
            dialect=DeepgramFlux(DeepgramFluxOptions()),
            key="secret",
            journal=journal,
            options=SessionOptions(),
            rate_rule=RateRule(1.25),
            clock=clock,
            connect=self._connect,
            fetch=fetch_nothing,
            deliver=lambda _session, events: self.events.extend(events),
            log=FakeLog(),
        )
        self.session.begin(0)

    async def _connect(self, *_arguments: object, seconds: float) -> Connection:
        return self.peer

    async def run(self, end: int | None) -> Ended:
        """Run it to its end."""
        if end is not None:
            self.session.cut(end)
        with trio.fail_after(1000.0):
            await self.session.run()
        assert self.session.ended is not None
        return self.session.ended

    @property
    def said(self) -> list[str]:
        """The types of what we said besides audio."""
        return [json.loads(text)["type"] for text in self.peer.texts]

    @property
    def words(self) -> list[str]:
        """What is final."""
        return [word.text for event in self.events if isinstance(event, Final) for word in event.words]


ALL = [f"w{place}" for place in range(1, 8)]


async def test_the_last_turn_is_ended_before_the_stream(autojump_clock: trio.abc.Clock) -> None:
    """Each word comes once, all is heard, and a close without a code is the good end."""
    stage = Stage(FluxPeer())
    ended = await stage.run(end=len(SPEECH) // 2)
    assert stage.said == ["ForceEndTurn", "CloseStream"]
    assert stage.words == ALL
    assert stage.events[-1] == Heard(SECONDS)
    assert ended.complete
    assert (ended.failure.phase, ended.failure.asked, ended.failure.close_code) == (Phase.DRAINING, True, 1005)
    assert judge(ended.failure, stage.session.dialect.rules).name == "ended-as-asked"
    assert stage.session.provider_session == "r0"


async def test_a_server_that_cannot_end_turns(autojump_clock: trio.abc.Clock) -> None:
    """Two seconds later the stream is closed, and what was last said is final."""
    stage = Stage(FluxPeer(forces=False))
    ended = await stage.run(end=len(SPEECH) // 2)
    assert stage.said == ["ForceEndTurn", "CloseStream"]
    forced, closed = (at for at, frame in stage.peer.sent if isinstance(frame, str))
    assert 2.0 <= closed - forced <= 3.0
    assert stage.words == ALL
    assert stage.events[-1] == Heard(SECONDS)
    assert ended.complete


async def test_a_server_that_does_not_close(autojump_clock: trio.abc.Clock) -> None:
    """The last turn that has ended stands; what it did not account for is not heard."""
    stage = Stage(FluxPeer(closes=False))
    ended = await stage.run(end=len(SPEECH) // 2)
    assert not ended.complete
    assert stage.words == ALL
    assert [event.until for event in stage.events if isinstance(event, Heard)] == [pytest.approx(3.9)]
    assert judge(ended.failure, stage.session.dialect.rules).name == "drain-deadline"


async def test_audio_that_stops_in_mid_turn(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The turn is ended some seconds later, and its words are final though the session goes on."""
    stage = Stage(FluxPeer())
    nursery.start_soon(stage.run, None)
    await trio.sleep(8.0)
    assert stage.words == []
    await trio.sleep(3.0)
    assert stage.said == ["ForceEndTurn"]
    assert stage.words == ALL
    assert not stage.session.over.is_set()


async def test_a_session_that_is_given_up(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Nobody waits for its last turn, so the stream itself is closed: no session is left open."""
    stage = Stage(FluxPeer())
    nursery.start_soon(stage.run, None)
    await trio.sleep(3.0)
    stage.session.abandon()
    await stage.session.over.wait()
    assert (stage.said, stage.words) == (["CloseStream"], [])


async def test_a_connection_that_breaks(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The open turn is nobody's final: the next session hears that audio again."""
    stage = Stage(FluxPeer())
    nursery.start_soon(stage.run, None)
    await trio.sleep(3.5)
    stage.peer.end("gone", close_code=1006)
    await stage.session.over.wait()
    assert (stage.words, [event for event in stage.events if isinstance(event, Heard)]) == ([], [])
