"""A session's outgoing messages: in order, each when it is due, and the log of what was really sent.

A stalled model (`mute`) holds the queue, a slow one delays each message. The queue is bounded; what does not fit is not
dropped but reported, for a session whose messages are lost must not go on.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import trio

from stenod.emulator import log
from stenod.emulator.dialect import Message, Saying
from stenod.emulator.engine import Word
from stenod.emulator.websocket import Connection

DELIVERIES_MAX = 8_192
HURRY_SECONDS_MAX = 0.1


class OverflowedError(Exception):
    """Messages pile up because the client does not read."""


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A message, when it may go, and the final that it completes; no message is the end of the queue."""

    message: str | bytes | None
    at: float
    final: log.Final | None = None


class Deliveries:
    """Queue messages and send them."""

    def __init__(self, session: int, connection: Connection, journal: log.Log, started_at: float) -> None:
        self._session = session
        self._connection = connection
        self._finals = 0
        self._log = journal
        self._started_at = started_at
        self._queue, self._waiting = trio.open_memory_channel[_Delivery](DELIVERIES_MAX)
        self._mute_until = -math.inf
        self._late_seconds = 0.0
        self._sending = trio.CancelScope()
        self.sent_at = trio.current_time()

    @property
    def muted(self) -> bool:
        """Whether the model is stalled now."""
        return self._mute_until > trio.current_time()

    def mute(self, seconds: float) -> None:
        """Send nothing for a while, or for ever."""
        self._mute_until = trio.current_time() + seconds

    def slow(self, seconds: float) -> None:
        """Send each message from now on that much later."""
        self._late_seconds = seconds

    def hurry(self) -> None:
        """Let a message that is being sent now have a moment, though the session is about to be cancelled.

        One cut in half would tear the connection, and nobody would hear why the session has ended.
        """
        self._sending.deadline = trio.current_time() + HURRY_SECONDS_MAX
        self._sending.shield = True

    def say(self, saying: Saying) -> None:
        """Queue what a dialect has to say; what it makes final is logged when it is sent. Raises `OverflowedError`."""
        final = None
        if saying.words is not None:
            final = _final_of(saying.words, self._session, self._finals)
            self._finals += 1
        for message in saying.messages:
            self.post_raw(_encode(message), saying.delay_seconds, final)
            final = None

    def post(self, messages: Iterable[Message]) -> None:
        """Queue messages. Raises `OverflowedError`."""
        for message in messages:
            self.post_raw(_encode(message))

    def post_raw(self, message: str | bytes | None, delay_seconds: float = 0.0, final: log.Final | None = None) -> None:
        """Queue one message as it is, or None for the end of the queue. Raises `OverflowedError`."""
        at = trio.current_time() + delay_seconds + self._late_seconds
        try:
            self._queue.send_nowait(_Delivery(message, at, final))
        except trio.WouldBlock:
            raise OverflowedError from None

    async def run(self) -> None:
        """Send until the end of the queue. Raises what the connection raises."""
        async for delivery in self._waiting:
            while (until := max(delivery.at, self._mute_until)) > trio.current_time():  # noqa: ASYNC110 - not a poll
                await trio.sleep_until(until)
            if delivery.message is None:
                return
            with trio.CancelScope() as self._sending:
                await self._connection.send(delivery.message)
            if self._sending.cancelled_caught:
                continue  # Its moment is over: it was not sent, and the session is being cancelled.
            self.sent_at = trio.current_time()
            if delivery.final is not None:
                at = trio.current_time() - self._started_at
                self._log.add(msgspec.structs.replace(delivery.final, at=at))


def _encode(message: Message) -> str:
    return json.dumps(message, separators=(",", ":"))


def _final_of(words: Sequence[Word], session: int, turn: int) -> log.Final:
    told = tuple(
        log.FinalWord(text=word.text, start=word.start, end=word.end, position=word.position) for word in words
    )
    return log.Final(at=0.0, session=session, turn=turn, text=" ".join(word.text for word in words), words=told)
