"""The timers of a session on virtual time."""

from itertools import pairwise

import pytest
import trio

from fakes.clock import FakeClock
from fakes.connection import FakeConnection
from fakes.dialect import ToyConversation, said
from stenod.core.liveness import Liveness, LivenessOptions
from stenod.core.pacing import RateRule
from stenod.core.sentmap import SentMap
from stenod.core.transport import ABNORMAL, ConnectionEnded
from stenod.providers.base import Event, Final, Limits
from stenod.tasks.keepalive import Keepalive
from stenod.tasks.link import Link
from stenod.tasks.warmth import Warmth


class Patient:
    """A session's timers beside a receiver, as in a session."""

    def __init__(
        self,
        *,
        keepalive_seconds: float | None = None,
        keepalive: str | None = "alive",
        warm_seconds: float | None = None,
    ) -> None:
        self.connection = FakeConnection()
        clock = FakeClock()
        options = LivenessOptions(keepalive_seconds=keepalive_seconds, warm_seconds=warm_seconds)
        self.link = Link(self.connection, Liveness(options, trio.current_time()), clock, 3.0)
        self.conversation = ToyConversation(greets=True, keepalive=keepalive)
        self.delivered: list[tuple[float, list[Event]]] = []
        self.wanted = True
        self.sent_map = SentMap(1000, 0)
        self.rate_rule = RateRule(1.25)
        warmth = Warmth(
            conversation=self.conversation,
            limits=Limits(chunk_seconds_min=0.05, chunk_seconds_max=1.0),
            sent_map=self.sent_map,
            rate_rule=self.rate_rule,
            clock=clock,
            wanted=lambda: self.wanted,
        )
        self.keepalive = Keepalive(self.link, self.conversation, clock, self._deliver, warmth)
        self.ended: tuple[float, ConnectionEnded] | None = None

    async def live(self, seconds: float) -> None:
        """Run for so long, or to the end that the timers find."""
        with trio.move_on_after(seconds) as scope:
            async with trio.open_nursery() as nursery:

                async def watch() -> None:
                    try:
                        await self.keepalive.run()
                    except ConnectionEnded as ended:
                        self.ended = (trio.current_time(), ended)
                        scope.cancel()

                nursery.start_soon(watch)
                nursery.start_soon(self.keepalive.ping)
                nursery.start_soon(self._receive)

    async def _receive(self) -> None:
        while True:
            await self.link.receive()

    def _deliver(self, events: list[Event]) -> None:
        self.delivered.append((trio.current_time(), events))


async def test_a_healthy_minute(autojump_clock: trio.abc.Clock) -> None:
    """A ping a second after each answer, and nothing else."""
    patient = Patient()
    await patient.live(60.0)
    assert patient.ended is None
    pauses = {round(later - earlier, 3) for earlier, later in pairwise(patient.connection.pings)}
    assert pauses == {1.05}
    assert patient.connection.sent == []


async def test_messages_put_off_the_pings(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """While the provider talks, nobody needs to ask."""
    patient = Patient()
    nursery.start_soon(patient.live, 30.0)
    for _ in range(60):
        await trio.sleep(0.5)
        patient.connection.say("talk")
    assert patient.connection.pings == []


@pytest.mark.parametrize("pong_seconds", [0.5, 1.5, 2.9])
async def test_a_slow_pong_is_a_pong(autojump_clock: trio.abc.Clock, pong_seconds: float) -> None:
    """Below its deadline, the answer may take longer than the pause between pings."""
    patient = Patient()
    patient.connection.pong_seconds = pong_seconds
    await patient.live(60.0)
    assert patient.ended is None


async def test_a_dead_connection_is_noticed(autojump_clock: trio.abc.Clock) -> None:
    """Three seconds after the ping that got no answer, with the token of the verdict table."""
    patient = Patient()
    patient.connection.pong_seconds = None
    await patient.live(60.0)
    assert patient.ended is not None
    at, ended = patient.ended
    assert 4.0 <= at <= 4.6
    assert ended.text.startswith("ping-deadline:")
    assert (ended.close_code, ended.local) == (ABNORMAL, True)


@pytest.mark.parametrize("message_after", [0.01, 0.5, 2.9])
async def test_dead_after_a_message_overtook_the_pong(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, message_after: float
) -> None:
    """A message answers the open ping; when the network dies right then, the next ping still finds out."""
    patient = Patient()
    patient.connection.pong_seconds = None
    nursery.start_soon(patient.live, 60.0)
    await trio.sleep(1.0 + message_after)
    patient.connection.say("a word")
    await trio.sleep(20.0)
    assert patient.ended is not None
    assert patient.ended[1].text.startswith("ping-deadline:")
    assert patient.ended[0] <= 1.0 + message_after + 1.0 + 3.0 + 0.6


async def test_a_provider_that_only_talks_is_alive(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Pongs that never come are no matter while messages do."""
    patient = Patient()
    patient.connection.pong_seconds = None
    nursery.start_soon(patient.live, 60.0)
    for _ in range(30):
        await trio.sleep(1.7)
        patient.connection.say("a word")
        assert patient.ended is None
    assert len(patient.connection.pings) <= 60


async def test_speech_without_an_answer_is_a_stall(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Pongs keep coming, words do not."""
    patient = Patient()
    nursery.start_soon(patient.live, 100.0)
    await trio.sleep(10.0)
    await patient.link.send(b"hello", speech_seconds=1.0)
    await trio.sleep(60.0)
    assert patient.ended is not None
    assert 40.0 <= patient.ended[0] <= 40.6
    assert patient.ended[1].text.startswith("stalled:")


async def test_keepalive_only_when_nothing_was_sent(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Audio holds the session open; without any, a keepalive goes out in time."""
    patient = Patient(keepalive_seconds=5.0)
    nursery.start_soon(patient.live, 100.0)
    for _ in range(20):
        await trio.sleep(1.0)
        await patient.link.send(b"audio", speech_seconds=0.0)
    assert patient.connection.texts == []
    await trio.sleep(16.0)
    alive = [at for at, frame in patient.connection.sent if frame == "alive"]
    assert [25.0, 30.0, 35.0] == [pytest.approx(at, abs=0.5) for at in alive]
    assert alive[0] - 20.0 <= 5.1


async def test_a_dialect_without_keepalive(autojump_clock: trio.abc.Clock) -> None:
    """Where the dialect has no such message, none is sent and nobody spins."""
    patient = Patient(keepalive_seconds=5.0, keepalive=None)
    await patient.live(100.0)
    assert patient.connection.sent == []


async def test_a_held_turn_is_released_in_time(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """What the conversation holds for its twin is delivered at its deadline, once."""
    patient = Patient()
    nursery.start_soon(patient.live, 60.0)
    await trio.sleep(10.0)
    patient.conversation.receive(said(hold=1.3), trio.current_time())
    await trio.sleep(20.0)
    assert len(patient.delivered) == 1
    at, events = patient.delivered[0]
    assert 11.3 <= at <= 11.9
    assert [Final] == [type(event) for event in events]


async def test_silence_for_a_provider_that_is_cold(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Not while audio goes out nor where none may; then until the provider says something, and again."""
    patient = Patient(warm_seconds=8.0)
    nursery.start_soon(patient.live, 100.0)
    for _ in range(20):
        await trio.sleep(0.5)
        await patient.link.send(b"audio", speech_seconds=0.0)
    patient.wanted = False
    await trio.sleep(5.0)
    assert 20 == len(patient.connection.sent)
    patient.wanted = True
    await trio.sleep(1.8)
    patient.connection.say("warm")
    await trio.sleep(9.5)
    silences = [at for at, frame in patient.connection.audio if frame == bytes(2 * 300)]
    assert [15.25, 16.25, 24.8, 25.8] == [pytest.approx(at, abs=0.3) for at in silences]
    assert 4 * 300 == patient.sent_map.injected
