"""One session: from the dial to the last word, and how it ended.

Opening, ready, draining, ended. While it lives, five tasks run in it: the receiver (decodes and hands on, nothing
else), the pacer, the answers, the timers and the pings. Whichever sees the end first ends all. A session never raises
for an expected end: `ended` says what was observed. An exception of ours ends only this session, as a defect with its
traceback logged, and capture goes on.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from stenod.core import transport
from stenod.core.clock import Clock
from stenod.core.liveness import Liveness
from stenod.core.log import Log
from stenod.core.pacing import RateRule
from stenod.core.sentmap import SentMap
from stenod.core.timeline import FOREVER
from stenod.core.transport import Connection, ConnectionEnded
from stenod.core.verdict import Failure, Phase
from stenod.providers.base import Dialect, Event, Finished, Heard, Notice, Ready, Refused, Say
from stenod.tasks.answers import Answers
from stenod.tasks.entrance import Entrance, Fetch
from stenod.tasks.hush import Hush
from stenod.tasks.journal import Journal
from stenod.tasks.keepalive import Keepalive
from stenod.tasks.link import Connect, Link
from stenod.tasks.notices import Notices
from stenod.tasks.offer import Offer
from stenod.tasks.pacer import Pacer
from stenod.tasks.parting import CLOSE_SECONDS, part
from stenod.tasks.session_end import Ended, defect, joined
from stenod.tasks.session_options import SessionOptions
from stenod.tasks.warmth import Warmth

LAST_MESSAGES_SECONDS = 0.5
OVERTAKEN = "overtaken"
"""A notice: a turn was left without an end. Only another session can hear it again, so this one is ended soon."""


class Session:
    """One conversation with one provider about [start, end) of the journal.

    `deliver` takes the session's events in order and never blocks. `begin` releases the audio: a successor is opened
    before it is known where it takes over.
    """

    torn = False
    """Its first word may be half of one: it was sent audio from within speech on."""

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
        fetch: Fetch,
        deliver: Callable[["Session", list[Event]], None],
        log: Log,
        late: bool = False,
        hush: Hush | None = None,
    ) -> None:
        self.name = name
        self.dialect = dialect
        self.late = late
        self.sent_map = SentMap(journal.rate, 0)
        self.start = 0
        """Where its share begins; what it is sent before is overlap."""
        self.share_end = FOREVER
        """Where its share ends; what it is sent behind is overlap."""
        self.trusted_until = FOREVER
        """Words that end behind this may be halves, and are left to the successor."""
        self.offer = Offer()
        self.settled_samples = 0
        """Progress, counted by the transcript."""
        self.provider_session: str | None = None
        self.announced_seconds: float | None = None
        """From the dial to the end that the provider announced when it was ready, by our wall clock at that moment."""
        self.dialled_at = clock.now()
        self.ready, self.over = trio.Event(), trio.Event()
        self.ended: Ended | None = None
        self.notices = Notices(name, log)
        self._journal = journal
        self._options = options
        self._rate_rule = rate_rule
        self._clock = clock
        self._entrance = Entrance(dialect=dialect, key=key, rate=journal.rate, connect=connect, fetch=fetch)
        self._deliver = deliver
        self._log = log
        self._hush = hush
        self._conversation = dialect.conversation()
        self._answers = Answers()
        self._begun, self._scope = trio.Event(), trio.CancelScope()
        self._pacer: Pacer | None = None
        self._end = FOREVER
        self._phase = Phase.OPENING
        self._said_goodbye = self._clean = False
        self._ready_at: float | None = None
        self._finished: Finished | None = None
        self._refused: Refused | None = None

    @property
    def sent(self) -> int:
        """The first sample that was not sent."""
        if self._pacer is not None:
            return self._pacer.sent
        return self.sent_map.origin if self.ahead else self.start

    @property
    def end(self) -> int:
        """Where its audio ends: a cut, or the far future."""
        return self._pacer.end if self._pacer is not None else self._end

    @property
    def pause_seconds(self) -> float:
        """How long the pause has lasted at the end of what was sent."""
        return self._pacer.meter.pause_seconds if self._pacer is not None else 0.0

    @property
    def ready_seconds(self) -> float:
        """How long the provider has been ready for us."""
        return 0.0 if self._ready_at is None else self._clock.now() - self._ready_at

    @property
    def ahead(self) -> bool:
        """Whether it hears already, and has no share yet."""
        return self.start == FOREVER

    def hear_ahead(self, origin: int) -> None:
        """Send audio from `origin` on, within speech, before it is known where its share begins."""
        self.start = FOREVER
        self.torn = True
        self.sent_map.origin = origin
        self._begun.set()

    def begin(self, start: int, replay: int | None = None, *, share_end: int = FOREVER) -> None:
        """Send audio from `start` on, as soon as the provider is ready; before it, what lies behind `replay` again.

        What it is sent at and after `share_end` is for others to account for. One that hears already goes on hearing.
        """
        if not self.ahead:
            self.sent_map.origin = start if replay is None else replay
        elif self._pacer is not None:
            self._pacer.share(start)
        assert self.sent_map.origin <= start, (self.sent_map.origin, start)
        self.start = start
        self.share_end = share_end
        self._begun.set()

    def cut(self, end: int) -> None:
        """Send nothing at or after `end`, then say goodbye. Who heard only overlap by then is believed nothing."""
        if end <= self.start:
            self.trusted_until = self.sent_map.origin
        self._end = end
        if self._pacer is not None:
            self._pacer.cut(end)

    def cut_in_pause(self, seconds: float) -> trio.Event:
        """Cut at the next point where it has been quiet for so long; the event is set when that is done."""
        return trio.Event() if self._pacer is None else self._pacer.cut_in_pause(seconds)

    def reconfigure(self, dialect: Dialect, key: str) -> bool:
        """Make it a session of the newer `dialect` as it runs; return whether that is done. Not before it is ready."""
        known = self._phase is Phase.READY and key == self._entrance.key and self._answers.room
        frames = self._conversation.reconfigure(dialect) if known else None
        for frame in frames or ():
            self._answers.say(frame)
        self.dialect = self.dialect if frames is None else dialect
        return frames is not None

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
            failure = self._defect(error)
        finally:
            if failure is None:
                failure = self._failure(ConnectionEnded("cancelled", local=True))
            self._end_with(failure)

    async def _live(self, nursery: trio.Nursery) -> Failure:
        """Open, converse, leave; the nursery runs the connection's reader."""
        try:
            connection = await self._entrance.open(nursery, seconds=self._options.opening_seconds)
        except ConnectionEnded as ended:
            return self._failure(ended)
        end: ConnectionEnded | None = None
        try:
            end = await self._converse(connection)
            return self._failure(end)
        finally:
            # A peer that has closed hears no goodbye, and its close is no answer to one.
            said = self._said_goodbye or self._clean
            await part(connection, self._conversation, end, said_goodbye=said, session=self.name, log=self._log)

    async def _converse(self, connection: Connection) -> ConnectionEnded:
        """Run the session's tasks; the first to see its end says how."""
        liveness = Liveness(self._options.liveness(self.dialect.limits, self.offer.patience), self._clock.now())
        link = Link(connection, liveness, self._clock, self._options.send_seconds)
        keepalive = Keepalive(link, self._conversation, self._clock, self._take, self._warmth())
        receiver = partial(self._receive, link)
        ends: list[ConnectionEnded] = []
        async with trio.open_nursery() as nursery:

            async def first_end(task: Callable[[], Awaitable[None]]) -> None:
                try:
                    await task()
                except ConnectionEnded as ended:
                    ends.append(ended)
                    if task is receiver:  # whoever else sees a close may see it before the last words
                        self._clean = ended.clean and self._finished is None
                    # Where the peer ended it, what it said before is still to be read: the receiver comes to its end.
                    slack = 0.0 if ended.local or len(ends) > 1 or task is receiver else LAST_MESSAGES_SECONDS
                    nursery.cancel_scope.deadline = self._clock.now() + slack

            self._take(self._conversation.opened(connection.headers))
            outgoing = (partial(self._ping, keepalive), partial(self._stream, link), partial(self._answers.run, link))
            for task in (receiver, keepalive.run, *outgoing):
                nursery.start_soon(first_end, task)
        return ends[0]

    async def _receive(self, link: Link) -> None:
        """Decode and hand on, until the connection ends or the provider has finished."""
        while True:
            self._take(self._conversation.receive(await link.receive(), self._clock.now()))
            if self._finished is None:
                continue
            if self._phase is not Phase.DRAINING:
                # The provider ended it unasked and hears nothing any more: its close says why, where one comes.
                with trio.move_on_after(CLOSE_SECONDS):
                    while True:
                        self._take(self._conversation.receive(await link.receive(), self._clock.now()))
            raise ConnectionEnded("", close_code=transport.NORMAL)

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
        self._said_goodbye = True
        await trio.sleep(self.offer.patience * self.dialect.limits.drain_seconds_max)
        raise ConnectionEnded(f"{transport.DRAIN_DEADLINE}: the last words did not come in time", local=True)

    def _new_pacer(self) -> Pacer:
        pacer = Pacer(
            journal=self._journal,
            conversation=self._conversation,
            chunk_rule=self._options.chunk_rule(self._journal.rate, self.dialect.limits),
            rate_rule=self._rate_rule,
            sent_map=self.sent_map,
            clock=self._clock,
            turn_seconds_max=self._options.turn_seconds_max,
            start=self.start,
            share_end=self.share_end,
            hush=self._hush,
        )
        if self._end < FOREVER:
            pacer.cut(max(self._end, pacer.sent))
        return pacer

    def _warmth(self) -> Warmth:
        return Warmth(
            conversation=self._conversation,
            limits=self.dialect.limits,
            sent_map=self.sent_map,
            rate_rule=self._rate_rule,
            clock=self._clock,
            wanted=lambda: self._phase is Phase.READY and (self._pacer is None or self._pacer.idle),
        )

    def _take(self, events: list[Event]) -> None:
        """Note what concerns the session itself; hand all on to the transcript."""
        handed: list[Event] = [event for event in events if not isinstance(event, Say)]
        for event in events:
            match event:
                case Ready() if not self.ready.is_set():
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
                case Say():
                    self._answers.say(event.frame)
                case Notice():
                    self.notices.add(event)
                    if event.kind == OVERTAKEN and self._pacer is not None and self._phase is Phase.READY:
                        self.cut(self.sent)
        if handed:
            self._deliver(self, handed)

    def _defect(self, error: Exception) -> Failure:
        """Log an exception of ours with its traceback, and return what it means for the session."""
        self._log.error("session.failed", session=self.name, exc_info=error)
        return self._failure(defect(error))

    def _failure(self, ended: ConnectionEnded) -> Failure:
        return joined(ended, self._refused, self._phase, self._entrance.masked)

    def _end_with(self, failure: Failure) -> None:
        try:
            self._take(self._conversation.closed(clean=self._clean))
        except Exception as error:  # as in `run`
            failure = self._defect(error)
        self.ended = Ended.by(failure, self._finished, self.ready_seconds, self.sent_map.seconds)
        self.over.set()
