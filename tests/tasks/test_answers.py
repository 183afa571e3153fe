"""What the conversation wants to say by itself."""

import pytest
import trio

from fakes.clock import FakeClock
from fakes.connection import FakeConnection
from stenod.core.liveness import Liveness, LivenessOptions
from stenod.core.transport import ConnectionEnded
from stenod.tasks.answers import WAITING_MAX, Answers
from stenod.tasks.link import Link


async def test_they_are_sent_one_after_the_other(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Also those that were said before anybody could send, and those that come while one is being sent."""
    connection, answers = FakeConnection(), Answers()
    connection.send_seconds = 0.5
    answers.say("one")
    answers.say("two")
    nursery.start_soon(answers.run, Link(connection, Liveness(LivenessOptions(), 0.0), FakeClock(), 3.0))
    await trio.sleep(0.7)
    answers.say("three")
    await trio.sleep(10.0)
    answers.say("four")
    await trio.sleep(10.0)
    assert [(0.0, "one"), (0.5, "two"), (1.0, "three"), (10.7, "four")] == [
        (pytest.approx(at), frame) for at, frame in connection.sent
    ]


def test_there_is_a_bound() -> None:
    """A peer that asks and takes no answers is given up, by the rule of messages that are not taken."""
    answers = Answers()
    assert answers.room
    for number in range(WAITING_MAX):
        answers.say(str(number))
    with pytest.raises(ConnectionEnded, match=r"^send-deadline: ") as caught:
        answers.say("one more")
    assert caught.value.local
    assert not answers.room
