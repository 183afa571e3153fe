"""Leaving a connection. What a whole session makes of it is in `test_session`."""

import pytest
import trio

from fakes.connection import FakeConnection
from fakes.dialect import ToyConversation
from fakes.log import FakeLog
from stenod.core.transport import ConnectionEnded
from stenod.tasks.parting import part


class Recorder(FakeConnection):
    """Notes what it is given to close."""

    seconds = 0.0

    async def close(self, seconds: float) -> None:
        """Note it."""
        self.seconds = seconds
        await super().close(seconds)


@pytest.mark.parametrize(
    ("end", "said", "texts", "seconds"),
    [
        (None, False, ["bye"], 1.0),
        (None, True, [], 1.0),
        (ConnectionEnded("", close_code=1000), True, [], 1.0),
        (ConnectionEnded("stalled: nothing came back", local=True), False, ["bye"], 1.0),
        (ConnectionEnded("ping-deadline: no answer", local=True), False, ["bye"], 0.1),
        (ConnectionEnded("send-deadline: over 3 s", local=True), True, [], 0.1),
        (ConnectionEnded("send-deadline, says the provider"), True, [], 1.0),
    ],
)
async def test_goodbye_and_close(
    autojump_clock: trio.abc.Clock, end: ConnectionEnded | None, said: bool, texts: list[str], seconds: float
) -> None:
    """A goodbye where none was said, and no waiting for the dead."""
    connection = Recorder()
    conversation = ToyConversation(greets=True, keepalive=None)
    await part(connection, conversation, end, said_goodbye=said, session="s", log=FakeLog())
    assert (texts, seconds) == (connection.texts, connection.seconds)


async def test_a_goodbye_that_nobody_takes(autojump_clock: trio.abc.Clock) -> None:
    """It is bounded, and the connection closed, also when the session is cancelled."""
    connection = Recorder()
    connection.send_seconds = 1e6
    with trio.CancelScope() as scope:
        scope.cancel()
        conversation = ToyConversation(greets=True, keepalive=None)
        await part(connection, conversation, None, said_goodbye=False, session="s", log=FakeLog())
    assert trio.current_time() <= 1.0
    assert connection.closed_at is not None


async def test_a_goodbye_to_a_line_that_is_broken(autojump_clock: trio.abc.Clock) -> None:
    """It is worth a line for whoever looks for it."""
    connection, log = Recorder(), FakeLog()
    connection.end("", 1006)
    conversation = ToyConversation(greets=True, keepalive=None)
    await part(connection, conversation, None, said_goodbye=False, session="s", log=log)
    assert [{"session": "s"}] == log.of("goodbye.failed")
