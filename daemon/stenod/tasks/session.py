"""One session: from the dial to the last word, and how it ended.

Opening, ready, draining, ended. While it lives, four tasks run in it: the receiver (decodes and hands on, nothing
else), the pacer, the timers and the pings. Whichever sees the end first ends all. A session never raises for an
expected end: `ended` says what was observed. An exception of ours ends only this session, as a defect with its
traceback logged, and capture goes on.

Whatever happens once we are connected, we say goodbye: an open session costs money (law 11).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import trio

from stenod.core import transport
from stenod.core.chunking import ChunkRule
from stenod.core.clock import Clock
from stenod.core.liveness import Liveness, LivenessOptions
from stenod.core.log import Log
from stenod.core.pacing import RateRule
from stenod.core.sentmap import SentMap
from stenod.core.transport import Connection, ConnectionEnded
from stenod.core.verdict import Failure, Phase
from stenod.providers.base import Dialect, Event, Finished, Heard, Notice, Ready, Refused
from stenod.tasks.journal import Journal
from stenod.tasks.keepalive import Keepalive
from stenod.tasks.link import Link
from stenod.tasks.pacer import FOREVER, Pacer

CLOSE_SECONDS = 1.0
GOODBYE_SECONDS = 1.0
NORMAL = 1000
NOTICE_KINDS_MAX = 20
OVERTAKEN = "overtaken"
"""A notice: a turn was left without an end. Only another session can hear it again, so this one is ended soon."""


class Connect(Protocol):
    """See `edge.websocket.connect`."""

    async def __call__(
        self, nursery: trio.Nursery, url: str, headers: tuple[tuple[str, str], ...], *, seconds: float
    ) -> Connection:
        """Open a connection or raise `ConnectionEnded`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """What a session needs to know of the configuration, in seconds."""

    opening_seconds: float = 10.0
    send_seconds: float = 3.0
    ping_seconds: float = 1.0
    pong_seconds: float = 3.0
    stall_seconds: float = 30.0
    turn_seconds_max: float = 20.0
    chunk_seconds: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a session ended. `complete`: we asked for the end, and all that was sent has been recognised."""

    failure: Failure
    ready_seconds: float
    complete: bool
    audio_seconds: float
    billed_seconds: float | None


class Session:
    """One conversation with one provider about [start, end) of the journal.

    `deliver` takes the session's events in order and never blocks. `begin` releases the audio: a successor is opened
    before it is known where it takes over.
    """

    def __init__(
        self,
        *,
        name: str,
        dialect: Dialect,
        key: str,
        journal: Journal,
        options: SessionOptions,
        rate_rule: RateRule,
        clock: Clock,
        connect: Connect,
        deliver: Callable[["Session", list[Event]], None],
        log: Log,
        late: bool = False,
    ) -> None:
        self.name = name
        self.dialect = dialect
        self.late = late
        self.sent_map = SentMap(journal.rate, 0)
        self.settled_samples = 0
        """Progress, counted by the transcript."""
        self.provider_session: str | None = None
        self.announced_seconds: float | None = None
        """From the dial to the end that the provider announced when it was ready, by our wall clock at that moment."""
        self.dialled_at = clock.now()
        self.ready = trio.Event()
        self.over = trio.Event()
        self.ended: Ended | None = None
        self.notices: dict[str, int] = {}
        self._key = key
        self._journal = journal
        self._options = options
        self._rate_rule = rate_rule
        self._clock = clock
        self._connect = connect
        self._deliver = deliver
        self._log = log
        self._conversation = dialect.conversation()
        self._begun = trio.Event()
        self._scope = trio.CancelScope()
        self._pacer: Pacer | None = None
        self._end = FOREVER
        self._phase = Phase.OPENING
        self._ready_at: float | None = None
        self._finished: Finished | None = None
        self._refused: Refused | None = None

    @property
    def start(self) -> int:
        """Where its audio begins."""
        return self.sent_map.origin

    @property
    def sent(self) -> int:
        """The first sample that was not sent."""
        return self._pacer.sent if self._pacer is not None else self.start

    @property
    def end(self) -> int:
        """Where its audio ends: a cut, or the far future."""
        return self._pacer.end if self._pacer is not None else self._end

    @property
    def quiet_seconds(self) -> float:
        """How long it has been quiet at the end of what was sent."""
        return self._pacer.meter.quiet_seconds if self._pacer is not None else 0.0

    @property
    def ready_seconds(self) -> float:
        """How long the provider has been ready for us."""
        return 0.0 if self._ready_at is None else self._clock.now() - self._ready_at

    def begin(self, start: int) -> None:
        """Send audio from `start` on, as soon as the provider is ready."""
        self.sent_map.origin = start
        self._begun.set()

    def cut(self, end: int) -> None:
        """Send nothing at or after `end`, then say goodbye."""
        self._end = end
        if self._pacer is not None:
            self._pacer.cut(end)

    def cut_when_quiet(self, seconds: float) -> trio.Event:
        """Cut at the next point where it has been quiet for so long; the event is set when that is done."""
        return trio.Event() if self._pacer is None else self._pacer.cut_when_quiet(seconds)

    def abandon(self) -> None:
        """End it now; goodbye is still said where we are connected."""
        self._scope.cancel()

    async def run(self) -> None:
        """Live until the end; then `ended` is set, and `over`."""
        failure = None
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    failure = await self._live(nursery)
        except Exception as error:  # a poison message must not end the recording
            self._log.error("session.failed", session=self.name, exc_info=error)
            failure = self._failure(ConnectionEnded(f"{transport.DEFECT}: {type(error).__name__}", local=True))
        finally:
            if failure is None:
                failure = self._failure(ConnectionEnded("cancelled", local=True))
            self._end_with(failure)

    async def _live(self, nursery: trio.Nursery) -> Failure:
        """Open, converse, leave; the nursery runs the connection's reader."""
        request = self.dialect.request(key=self._key, rate=self._journal.rate)
        try:
            connection = await self._connect(
                nursery, request.url, request.headers, seconds=self._options.opening_seconds
            )
        except ConnectionEnded as ended:
            return self._failure(ended)
        try:
            return self._failure(await self._converse(connection))
        finally:
            await self._leave(connection)

    async def _converse(self, connection: Connection) -> ConnectionEnded:
        """Run the session's tasks; the first to see its end says how."""
        link = Link(connection, self._liveness(), self._clock, self._options.send_seconds)
        keepalive = Keepalive(link, self._conversation, self._clock, self._take)
        ends: list[ConnectionEnded] = []
        async with trio.open_nursery() as nursery:

            async def first_end(task: Callable[[], Awaitable[None]]) -> None:
                try:
                    await task()
                except ConnectionEnded as ended:
                    ends.append(ended)
                    nursery.cancel_scope.cancel()

            self._take(self._conversation.opened())
            pings = partial(self._ping, keepalive)
            for task in (partial(self._receive, link), keepalive.run, pings, partial(self._stream, link)):
                nursery.start_soon(first_end, task)
        return ends[0]

    def _liveness(self) -> Liveness:
        options = LivenessOptions(
            ping_seconds=self._options.ping_seconds,
            pong_seconds=self._options.pong_seconds,
            stall_seconds=self._options.stall_seconds,
            keepalive_seconds=self.dialect.limits.keepalive_seconds,
        )
        return Liveness(options, self._clock.now())

    async def _receive(self, link: Link) -> None:
        """Decode and hand on, until the connection ends or the provider has finished."""
        while True:
            frame = await link.receive()
            self._take(self._conversation.receive(frame, self._clock.now()))
            if self._finished is not None and self._phase is Phase.DRAINING:
                raise ConnectionEnded("", close_code=NORMAL)

    async def _ping(self, keepalive: Keepalive) -> None:
        """Ping once the provider is ready: until then the opening has its own deadline, which is longer."""
        await self.ready.wait()
        await keepalive.ping()

    async def _stream(self, link: Link) -> None:
        """Send the span, say goodbye, wait for the last words."""
        with trio.move_on_after(self._options.opening_seconds):
            await self.ready.wait()
        if not self.ready.is_set():
            text = f"{transport.OPENING_DEADLINE}: connected, but the provider did not say that it is ready"
            raise ConnectionEnded(text, local=True)
        await self._begun.wait()
        self._pacer = self._new_pacer()
        await self._pacer.run(link)
        self._phase = Phase.DRAINING
        for frame in self._conversation.goodbye():
            await link.send(frame)
        await trio.sleep(self.dialect.limits.drain_seconds_max)
        raise ConnectionEnded("drain-deadline: the last words did not come in time", local=True)

    def _new_pacer(self) -> Pacer:
        limits, options = self.dialect.limits, self._options
        pacer = Pacer(
            journal=self._journal,
            conversation=self._conversation,
            chunk_rule=ChunkRule.of(
                rate=self._journal.rate,
                seconds_min=limits.chunk_seconds_min,
                seconds_wanted=options.chunk_seconds,
                seconds_max=limits.chunk_seconds_max,
            ),
            rate_rule=self._rate_rule,
            sent_map=self.sent_map,
            clock=self._clock,
            turn_seconds_max=options.turn_seconds_max,
        )
        if self._end < FOREVER:
            pacer.cut(max(self._end, pacer.sent))
        return pacer

    def _take(self, events: list[Event]) -> None:
        """Note what concerns the session itself; hand all on to the transcript."""
        handed = list(events)
        for event in events:
            match event:
                case Ready():
                    self.provider_session = event.provider_session
                    self._ready_at = self._clock.now()
                    if event.expires_at is not None:
                        age = self._ready_at - self.dialled_at
                        self.announced_seconds = event.expires_at - self._clock.wall() + age
                    self._phase = Phase.READY
                    self.ready.set()
                case Finished():
                    self._finished = event
                    if event.complete and self._phase is Phase.DRAINING:
                        handed.append(Heard(self.sent_map.seconds))
                case Refused():
                    self._refused = event
                case Notice():
                    self._note(event)
                    if event.kind == OVERTAKEN and self._pacer is not None and self._phase is Phase.READY:
                        self.cut(self.sent)
                case _:
                    pass
        if handed:
            self._deliver(self, handed)

    def _note(self, notice: Notice) -> None:
        """Count; the first of a kind is worth a line."""
        if notice.kind not in self.notices and len(self.notices) < NOTICE_KINDS_MAX:
            self.notices[notice.kind] = 0
            self._log.debug("message.unusual", session=self.name, kind=notice.kind)
        if notice.kind in self.notices:
            self.notices[notice.kind] += 1

    async def _leave(self, connection: Connection) -> None:
        """Say goodbye if that has not been done, and close; bounded, also when cancelled.

        Before it is ready too: a provider that is slow may still accept what we have given up.
        """
        with trio.CancelScope(shield=True):
            if self._phase is not Phase.DRAINING:
                with trio.move_on_after(GOODBYE_SECONDS):
                    try:
                        for frame in self._conversation.goodbye():
                            await connection.send(frame, GOODBYE_SECONDS)
                    except ConnectionEnded:
                        self._log.debug("goodbye.failed", session=self.name)
            await connection.close(CLOSE_SECONDS)

    def _failure(self, ended: ConnectionEnded) -> Failure:
        """Join the provider's error message with the close that followed it."""
        said = [] if self._refused is None else [self._refused.text]
        code = ended.close_code
        if self._refused is not None and self._refused.code is not None:
            code = self._refused.code
        return Failure(
            phase=self._phase,
            http_status=ended.http_status,
            close_code=code,
            text=" | ".join(text for text in [*said, ended.text] if text),
            asked=self._phase is Phase.DRAINING,
            local=ended.local,
        )

    def _end_with(self, failure: Failure) -> None:
        held = self._conversation.closed()
        if held:
            self._deliver(self, held)
        self.ended = Ended(
            failure=failure,
            ready_seconds=self.ready_seconds,
            complete=failure.asked and self._finished is not None and self._finished.complete,
            audio_seconds=self.sent_map.seconds,
            billed_seconds=self._finished.billed_seconds if self._finished is not None else None,
        )
        self.over.set()
