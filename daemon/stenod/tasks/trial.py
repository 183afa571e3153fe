"""A session for trial: opened as the daemon opens one, sent a little audio, and left by the provider's own goodbye.

It has no journal and keeps nothing: what it is sent is nobody's words, and what is heard is only told. Whatever happens
once it is connected, the goodbye is said (`parting`), also when it is cancelled: an open session costs money. The wire
rules hold as they do for the daemon: chunks by the same rule, never faster than the audio itself.

It does not know what its failure means; `core.verdict` does.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import ceil

import trio

from stenod.core import transport
from stenod.core.chunking import ChunkRule, next_chunk
from stenod.core.log import Log
from stenod.core.transport import Connection, ConnectionEnded
from stenod.core.verdict import Failure, Phase
from stenod.providers.base import Conversation, Dialect, Event, Final, Finished, Ready, Refused, Say
from stenod.tasks.entrance import Entrance, Fetch
from stenod.tasks.link import Connect
from stenod.tasks.parting import part
from stenod.tasks.session_end import joined

SAMPLE_BYTES = 2
SEND_SECONDS = 2.0
LAST_MESSAGES_SECONDS = 0.5
"""What the peer said before it closed is still to be read."""
NAME = "trial"


@dataclass(slots=True)
class Outcome:
    """What the trial showed."""

    provider_session: str | None = None
    """The provider's own name for it, for its support."""
    opening_seconds: float | None = None
    """From the dial to the provider's word that it is ready; None where that never came."""
    words: list[str] = field(default_factory=list)
    """What it heard."""
    failure: Failure | None = None
    """Why it did not come to its end in good order; None where it did."""


class Trial:
    """One short session that is sent `pcm` (s16le mono at `rate`).

    `opening_seconds` bounds the way to ready, `drain_seconds` the answer to our goodbye.
    """

    def __init__(
        self,
        *,
        dialect: Dialect,
        key: str,
        rate: int,
        pcm: bytes,
        connect: Connect,
        fetch: Fetch,
        opening_seconds: float,
        drain_seconds: float,
        log: Log,
    ) -> None:
        self.outcome = Outcome()
        self._entrance = Entrance(dialect=dialect, key=key, rate=rate, connect=connect, fetch=fetch)
        self._conversation: Conversation = dialect.conversation()
        self._limits = dialect.limits
        self._rate = rate
        self._pcm = pcm
        self._opening_seconds = opening_seconds
        self._drain_seconds = drain_seconds
        self._log = log
        self._phase = Phase.OPENING
        self._ready, self._done = trio.Event(), trio.Event()
        self._said_goodbye = False
        self._refused: Refused | None = None
        self._answers: list[str | bytes] = []
        self._dialled_at = 0.0

    async def run(self) -> Outcome:
        """Live it to its end."""
        self._dialled_at = trio.current_time()
        async with trio.open_nursery() as nursery:
            try:
                connection = await self._entrance.open(nursery, seconds=self._opening_seconds)
            except ConnectionEnded as ended:
                self._fail(ended)
                return self.outcome
            end: ConnectionEnded | None = None
            try:
                end = await self._converse(connection)
            finally:
                # A peer that has closed hears no goodbye.
                said = self._said_goodbye or (end is not None and end.clean)
                await part(connection, self._conversation, end, said_goodbye=said, session=NAME, log=self._log)
            self._take(self._conversation.closed(clean=end.clean))
            if not self._done.is_set():
                self._fail(end)
        return self.outcome

    async def _converse(self, connection: Connection) -> ConnectionEnded:
        """Speak and listen; return how it ended."""
        ends: list[ConnectionEnded] = []
        async with trio.open_nursery() as nursery:

            async def first_end(task: Callable[[Connection], Awaitable[None]]) -> None:
                try:
                    await task(connection)
                except ConnectionEnded as ended:
                    ends.append(ended)
                    slack = 0.0 if ended.local or len(ends) > 1 or task == self._listen else LAST_MESSAGES_SECONDS
                    nursery.cancel_scope.deadline = trio.current_time() + slack

            self._take(self._conversation.opened(connection.headers))
            nursery.start_soon(first_end, self._listen)
            nursery.start_soon(first_end, self._speak)
        return ends[0]

    async def _listen(self, connection: Connection) -> None:
        while not self._done.is_set():
            self._take(self._conversation.receive(await connection.receive(), trio.current_time()))
            while self._answers:
                await connection.send(self._answers.pop(0), SEND_SECONDS)
        raise ConnectionEnded("", close_code=transport.CLEAN_CODES[0])

    async def _speak(self, connection: Connection) -> None:
        left = self._dialled_at + self._opening_seconds - trio.current_time()
        with trio.move_on_after(left):
            await self._ready.wait()
        if not self._ready.is_set():
            text = f"{transport.OPENING_DEADLINE}: connected, but the provider did not say that it is ready"
            raise ConnectionEnded(text, local=True)
        await self._send_audio(connection)
        self._phase = Phase.DRAINING
        for frame in self._conversation.goodbye():
            await connection.send(frame, SEND_SECONDS)
        self._said_goodbye = True
        await trio.sleep(self._drain_seconds)
        raise ConnectionEnded(f"{transport.DRAIN_DEADLINE}: no answer to our goodbye", local=True)

    async def _send_audio(self, connection: Connection) -> None:
        limits = self._limits
        rule = ChunkRule.of(
            rate=self._rate,
            seconds_min=limits.chunk_seconds_min,
            seconds_wanted=limits.chunk_seconds,
            seconds_max=limits.chunk_seconds,
        )
        due, rest = trio.current_time(), self._pcm
        while chunk := next_chunk(len(rest) // SAMPLE_BYTES, last=True, rule=rule):
            audio = rest[: chunk.samples * SAMPLE_BYTES] + bytes(chunk.padding * SAMPLE_BYTES)
            rest = rest[chunk.samples * SAMPLE_BYTES :]
            due += (chunk.samples + chunk.padding) / self._rate
            await connection.send(self._conversation.audio(audio), SEND_SECONDS)
            await trio.sleep_until(due)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Ready() if not self._ready.is_set():
                    self.outcome.provider_session = event.provider_session
                    self.outcome.opening_seconds = trio.current_time() - self._dialled_at
                    self._phase = Phase.READY
                    self._ready.set()
                case Final():
                    self.outcome.words += [word.text for word in event.words]
                case Finished() if self._phase is Phase.DRAINING:
                    self._done.set()
                case Refused():
                    self._refused = event
                case Say():
                    self._answers.append(event.frame)
                case _:
                    pass

    def _fail(self, ended: ConnectionEnded) -> None:
        self.outcome.failure = joined(ended, self._refused, self._phase, self._entrance.masked)


def silence(seconds: float, rate: int) -> bytes:
    """Return so much of it, in whole samples."""
    return bytes(SAMPLE_BYTES * ceil(seconds * rate))
