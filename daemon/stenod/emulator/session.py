"""One session, from its acceptance to its end: what every dialect shares.

Theory. Four tasks and two bounded queues. *Receive* reads messages, judges them and enters audio into the account,
which says when a chunk would be processed; *hear* takes chunks at that time, not before, and gives them to the
engine; *deliver* sends what the dialect makes of the hypotheses, in order, when it is due; *watch* is the session's
clock (contact, session limit, heartbeat, faults by the clock), one sleep until whatever comes next. Whoever finds that
the session is over says so, in `end`, which stops all of them; the first word counts. Where the dialect wants it, a
session that ends for want of contact first says what it has heard: its end takes the way of a goodbye, with a deadline.

Bounds: both queues are finite. Audio cannot fill its queue, for the rate rule strikes first; a client that sends a
flood of endpoints, or reads nothing while messages pile up, gets its session cancelled.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from stenod.emulator import log
from stenod.emulator.account import AudioAccount, Haste
from stenod.emulator.delivery import Deliveries, OverflowedError
from stenod.emulator.dialect import (
    Command,
    Contact,
    Demand,
    Dialect,
    Failure,
    Message,
    Progress,
    Reply,
    Tongue,
    Violation,
    Vitals,
)
from stenod.emulator.duequeue import DueQueue, FullError
from stenod.emulator.ending import End, Manner
from stenod.emulator.engine import Engine, EngineError
from stenod.emulator.faults import Fault
from stenod.emulator.gate import GatedStream
from stenod.emulator.options import EmulatorOptions
from stenod.emulator.schedule import Schedule
from stenod.emulator.strikes import STRIKES
from stenod.emulator.timers import Timer, Timers
from stenod.emulator.websocket import Connection, Left

HEARING_MAX = 8_192
FLUSH_SECONDS_MAX = 1.0
"""How long a session that is given up may take to say what it has heard."""
SPEECH_PROBABILITY, QUIET_PROBABILITY = 0.98, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a session is handed by the server."""

    options: EmulatorOptions
    schedule: Schedule
    log: log.Log
    started_at: float
    tongue: Tongue

    def at(self) -> float:
        """Return the time on the log's clock."""
        return trio.current_time() - self.started_at

    def limit_seconds(self, dialect: Dialect) -> float:
        """Return how long a session may last: what the server was told or its tongue's limit, or a cap of its own."""
        told = self.options.session_seconds_max
        bounds = (self.tongue.session_seconds if told is None else told, dialect.limits.session_seconds)
        return min((bound for bound in bounds if bound is not None), default=math.inf)


class Session:
    """Serve one accepted session; see the module."""

    def __init__(
        self,
        number: int,
        connection: Connection,
        stream: GatedStream,
        dialect: Dialect,
        engine: Engine,
        house: House,
    ) -> None:
        self.number = number
        self.stream = stream
        self.house = house
        self.deliveries = Deliveries(number, connection, house.log, house.started_at)
        self._connection = connection
        self._dialect = dialect
        self._engine = engine
        self._opened_at = trio.current_time()
        self.account = AudioAccount(dialect.sample_rate, house.options.drain_ratio, self._opened_at)
        hasty_seconds = dialect.limits.hasty_seconds
        self._haste = None if hasty_seconds is None else Haste(hasty_seconds, self._opened_at)
        self._faults = house.schedule.session(number, self._opened_at)
        self._queue: DueQueue[bytes | Command] = DueQueue(HEARING_MAX)
        self._in_hand = b""
        self._cancel = trio.CancelScope()
        self._ended: End | None = None
        self._terminating = False
        self._reason: Violation | None = None
        self._heard_samples = 0
        self._speech = False
        self.limit_seconds = house.limit_seconds(dialect)
        self.timers = Timers(self._opened_at, house.options.time_scale, self.limit_seconds)
        self._goodbye_seconds: float | None = None
        self._beaten_audio = 0.0

    @property
    def seconds(self) -> float:
        """How long the session has been open."""
        return trio.current_time() - self._opened_at

    @property
    def told_seconds(self) -> float | None:
        """How long it was open when it took our goodbye: that is what it says and bills, however late that arrives."""
        return None if self.deliveries.muted else self._goodbye_seconds

    async def run(self) -> End:
        """Serve until the session is over; return why. The end itself has not been said yet."""
        with self._cancel:
            async with trio.open_nursery() as nursery:
                self._strike(self._faults.due_by_audio(0.0))
                nursery.start_soon(self._receive)
                nursery.start_soon(self._hear)
                nursery.start_soon(self._deliver)
                nursery.start_soon(self._watch)
        assert self._ended is not None
        return self._ended

    def end(self, violation: Violation, by: str, manner: Manner = Manner.ERROR) -> None:
        """End the session, unless it has ended already."""
        if self._ended is None:
            last_words = self._dialect.last_words(violation, self._vitals()) if manner is Manner.ERROR else ()
            self._ended = End(violation, by, manner, last_words)
            self.deliveries.hurry()
        self._cancel.cancel()

    def fail(self, kind: Failure, by: str = "server", **numbers: float) -> None:
        """End the session in a way that every dialect has words for."""
        self.end(self.house.tongue.failure(kind, **numbers), by)

    # Receive

    async def _receive(self) -> None:
        """Read what the client sends until it leaves."""
        while True:
            try:
                message = await self._connection.receive()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                message = Left(1006, "", "network")
            if isinstance(message, Left):
                manner = Manner.CLOSE if message.by == "server" else Manner.NOTHING
                self.end(Violation(message.code, message.reason), message.by, manner)
                return
            self.timers.meet(Contact.MESSAGE, trio.current_time())
            if self._terminating:
                continue
            self._take(self._dialect.audio(message) if isinstance(message, bytes) else self._dialect.text(message))

    def _take(self, demand: Demand) -> None:
        """Do what a message asks for, or put it in the queue behind the audio that came before."""
        if isinstance(demand, bytes):
            self._take_audio(demand)
        elif isinstance(demand, Violation):
            self.end(demand, "server")
        elif isinstance(demand, Reply):
            self._post(demand.messages)
            self._engine.set_pause(self._dialect.limits.pause_seconds)
        elif demand is Command.KEEP_ALIVE:
            self.house.log.add(log.KeepAlive(at=self.house.at(), session=self.number))
        elif demand is Command.CONFIGURE:
            self._engine.set_pause(self._dialect.limits.pause_seconds)
        elif demand is not Command.NOTHING:
            if demand is Command.TERMINATE:
                self._terminating = self.timers.closing = True
                self.house.log.add(log.Terminate(at=self.house.at(), session=self.number))
            self._enqueue(0.0, demand)

    def _take_audio(self, pcm: bytes) -> None:
        now = trio.current_time()
        self.timers.meet(Contact.AUDIO, now)
        due = self.account.receive(len(pcm) // 2, now)
        hasty = self._haste is not None and self._haste.receive(len(pcm) / 2 / self._dialect.sample_rate, now)
        if hasty or self.account.ahead_seconds(now) > self.house.options.ahead_seconds_max:
            self.fail(Failure.TOO_FAST, audio=self.account.seconds, elapsed=self.seconds)
            return
        self._enqueue(due, pcm)
        self._strike(self._faults.due_by_audio(self.account.seconds))

    def _enqueue(self, due: float, work: bytes | Command) -> None:
        try:
            self._queue.put(due, work)
        except FullError:
            self.fail(Failure.CANCELLED)

    # Hear

    async def _hear(self) -> None:
        """Give the engine each chunk when its processing would be done, and carry out commands in their place."""
        try:
            while True:
                self._in_hand = b""
                work = await self._queue.get()
                if isinstance(work, bytes):
                    self._in_hand = work
                    hypotheses = await self._engine.hear(work)
                    self._heard_samples += len(work) // 2
                else:
                    hypotheses = await self._engine.end_turn()
                self._speech = self._speech or bool(hypotheses)
                progress = Progress(
                    samples=self._heard_samples,
                    quiet=min(self._engine.quiet, self._heard_samples),
                    session_seconds=self.seconds,
                    forced=work is Command.END_TURN,
                    closing=work is Command.TERMINATE,
                )
                for saying in self._dialect.heard(hypotheses, progress):
                    self.deliveries.say(saying)
                if work is Command.TERMINATE:
                    self._say_goodbye()
        except (EngineError, OverflowedError):
            self.fail(Failure.CANCELLED)

    def _say_goodbye(self) -> None:
        self._goodbye_seconds = self.seconds
        if self._reason is None:
            self.deliveries.post(self._dialect.farewell(self._vitals()))
        self.deliveries.post_raw(None)

    def _vitals(self) -> Vitals:
        return Vitals(audio_seconds=self.account.seconds, session_seconds=self.seconds)

    def _post(self, messages: Sequence[Message]) -> None:
        try:
            self.deliveries.post(messages)
        except OverflowedError:
            self.fail(Failure.CANCELLED)

    # Deliver

    async def _deliver(self) -> None:
        """Send what is due, until the goodbye or the line's end."""
        try:
            await self.deliveries.run()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.end(Violation(1006, ""), "network", Manner.NOTHING)
            return
        if self._reason is None:
            self.end(self.house.tongue.goodbye, "client", Manner.CLOSE)
        else:
            self.end(self._reason, "server")

    # Watch

    async def _watch(self) -> None:
        """Do what the clock asks for."""
        while True:
            now = trio.current_time()
            self.timers.meet(Contact.PING, self._connection.pinged_at)
            self.timers.sent_at = self.deliveries.sent_at
            at, timer = self.timers.next(self._dialect.limits)
            if now >= at:
                self._ring(timer)
                await trio.lowlevel.checkpoint()
            else:
                self._strike(self._faults.due_by_wall(now))
                nearest = min(at, self.timers.death_at, self._faults.wall_next())
                await trio.sleep_until(min(nearest, now + self._longest_sleep()))

    def _ring(self, timer: Timer) -> None:
        if timer is Timer.LIMIT:
            self.fail(Failure.EXPIRED)
        elif timer is Timer.DEATH:
            self.fail(Failure.CANCELLED, "fault")
        elif timer is Timer.BEAT:
            self._beat()
        elif timer is Timer.FLUSH:
            assert self._reason is not None
            self.end(self._reason, "server")
        else:
            self._give_up(timer)

    def _longest_sleep(self) -> float:
        """Return how soon the watch looks again: a configuration message or a fault may bring a deadline nearer."""
        return max(1.0 * self.house.options.time_scale, 0.01)

    def _give_up(self, timer: Timer) -> None:
        """End the session for want of contact."""
        limits = self._dialect.limits
        inactive = timer is Timer.INACTIVE
        limit = limits.inactivity_seconds if inactive else limits.silence_seconds
        kind = Failure.INACTIVE if inactive else Failure.UNANSWERED
        violation = self.house.tongue.failure(kind, limit=limit or 0.0)
        if not limits.flushes:
            self.end(violation, "server")
            return
        self._reason = violation
        self._terminating = self.timers.closing = True
        self.timers.flush_until = trio.current_time() + FLUSH_SECONDS_MAX * self.house.options.time_scale
        self._enqueue(0.0, Command.TERMINATE)

    def _late_seconds(self, now: float) -> float:
        """Return how much audio the engine should have processed and has not.

        What a machine is too slow for does not count as received: a client may take audio that was received in time
        for processed. The oracle is never late.
        """
        waiting = [self._in_hand, *(work for work in self._queue.overdue(now) if isinstance(work, bytes))]
        return sum(map(len, waiting)) / 2 / self._dialect.sample_rate

    def _beat(self) -> None:
        now = trio.current_time()
        audio = self.account.seconds - self._late_seconds(now)
        vitals = Vitals(
            audio_seconds=audio,
            session_seconds=self.seconds,
            realtime_factor=(audio - self._beaten_audio) / (now - self.timers.beaten_at),
            speech_probability=SPEECH_PROBABILITY if self._speech else QUIET_PROBABILITY,
        )
        self.timers.beaten_at, self._beaten_audio, self._speech = now, audio, False
        self._post(self._dialect.heartbeat(vitals))

    def _strike(self, faults: list[Fault]) -> None:
        for fault in faults:
            self.house.log.add(log.Struck(at=self.house.at(), kind=fault.kind, session=self.number))
            STRIKES[fault.kind](self, fault)
