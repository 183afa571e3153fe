"""A link: every message passes the fault detector."""

import pytest
import trio

from fakes.clock import FakeClock
from fakes.connection import FakeConnection
from stenod.core.liveness import Health, Liveness, LivenessOptions
from stenod.core.transport import ConnectionEnded
from stenod.tasks.link import Link

OPTIONS = LivenessOptions(keepalive_seconds=5.0)


def linked() -> tuple[Link, FakeConnection]:
    """Return a link whose sends may take three seconds, and its connection."""
    connection = FakeConnection()
    return Link(connection, Liveness(OPTIONS, trio.current_time()), FakeClock(), 3.0), connection


async def test_what_is_said_and_heard_is_noted(autojump_clock: trio.abc.Clock) -> None:
    """Sending puts off the keepalive, speech waits for an answer, a message is one."""
    link, connection = linked()
    await trio.sleep(2.0)
    await link.send(b"audio", speech_seconds=1.0)
    assert link.liveness.keepalive_at() == 7.0
    assert [(2.0, b"audio")] == connection.sent
    assert link.liveness.health(32.0) is Health.STALLED
    connection.say("hello")
    assert await link.receive() == "hello"
    assert link.liveness.health(32.0) is Health.ALIVE


async def test_a_send_has_its_deadline(autojump_clock: trio.abc.Clock) -> None:
    """A peer that takes nothing ends the connection in three seconds."""
    link, connection = linked()
    connection.send_seconds = 100.0
    with pytest.raises(ConnectionEnded, match="send-deadline"):
        await link.send(b"audio")
    assert trio.current_time() == 3.0
    assert link.liveness.keepalive_at() == 5.0


async def test_a_ping_and_its_pong(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Between question and answer the session waits."""
    link, connection = linked()
    connection.pong_seconds = 2.0
    nursery.start_soon(link.ping)
    await trio.sleep(1.0)
    assert link.liveness.health(1.0) is Health.WAITING
    await trio.sleep(1.5)
    assert link.liveness.health(2.5) is Health.ALIVE
    assert link.liveness.ping_at() == 3.0


async def test_the_end_is_handed_up_after_the_last_message(autojump_clock: trio.abc.Clock) -> None:
    """What came before the end is still received."""
    link, connection = linked()
    connection.say("last")
    connection.end("over", 1011)
    assert await link.receive() == "last"
    with pytest.raises(ConnectionEnded, match="over"):
        await link.receive()


async def test_a_ping_on_a_connection_that_ends(autojump_clock: trio.abc.Clock) -> None:
    """What is raised is the end as it was observed, bare."""
    link, connection = linked()
    connection.end("over", 1001)
    with pytest.raises(ConnectionEnded, match="over"):
        await link.ping()


async def test_a_message_answers_an_open_ping(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The ping is over with it, although its pong never comes."""
    link, connection = linked()
    connection.pong_seconds = None
    nursery.start_soon(link.receive)

    async def talk() -> None:
        await trio.sleep(2.0)
        connection.say("a word")

    nursery.start_soon(talk)
    await link.ping()
    assert trio.current_time() == 2.0
    assert link.liveness.health(100.0) is Health.ALIVE
