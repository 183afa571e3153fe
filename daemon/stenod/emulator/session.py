"""One session, from its acceptance to its end: what every dialect shares.

Theory. Four tasks and two bounded queues. *Receive* reads messages, judges them and enters audio into the account,
which says when a chunk would be processed; *hear* takes chunks at that time, not before, and gives them to the
engine; *deliver* sends what the dialect makes of the hypotheses, in order, when it is due; *watch* is the session's
clock (inactivity, session limit, heartbeat, faults by the clock), one sleep until whatever comes next. Whoever finds
that the session is over says so, in `_end`, which stops all of them; the first word counts.

Bounds: both queues are finite. Audio cannot fill its queue, for the rate rule strikes first; a client that sends a
flood of endpoints, or reads nothing while messages pile up, gets its session cancelled.
"""

import math
from dataclasses import dataclass

import trio

from stenod.emulator import log
from stenod.emulator.account import AudioAccount
from stenod.emulator.delivery import Deliveries, OverflowedError
from stenod.emulator.dialect import Command, Dialect, Failure, Tongue, Violation, Vitals
from stenod.emulator.duequeue import DueQueue, FullError
from stenod.emulator.ending import End, Manner
from stenod.emulator.engine import Engine, EngineError, Hypothesis
from stenod.emulator.faults import Fault
from stenod.emulator.gate import GatedStream
from stenod.emulator.options import EmulatorOptions
from stenod.emulator.schedule import Schedule
from stenod.emulator.strikes import STRIKES
from stenod.emulator.websocket import Connection, Left

HEARING_MAX = 8_192
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
        self.deliveries = Deliveries(connection, house.log, house.started_at)
        self._connection = connection
        self._dialect = dialect
        self._engine = engine
        self._opened_at = self._heard_at = trio.current_time()
        self.account = AudioAccount(dialect.sample_rate, house.options.drain_ratio, self._opened_at)
        self._faults = house.schedule.session(number, self._opened_at)
        self._queue: DueQueue[bytes | Command] = DueQueue(HEARING_MAX)
        self._in_hand = b""
        self._cancel = trio.CancelScope()
        self._ended: End | None = None
        self._terminating = False
        self._turns = 0
        self._heard_at_turn = 0
        self._speech = False
        self._limit_at = self._opened_at + house.options.session_seconds_max * house.options.time_scale
        self.death_at = math.inf
        self._goodbye_seconds: float | None = None
        self._beaten_at = self._opened_at
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
            self._ended = End(violation, by, manner)
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
            self._heard_at = trio.current_time()
            if self._terminating:
                continue
            if isinstance(message, bytes):
                self._take_audio(message)
            else:
                self._take_text(message)

    def _take_audio(self, pcm: bytes) -> None:
        violation = self._dialect.chunk(len(pcm))
        if violation is not None:
            self.end(violation, "server")
            return
        now = trio.current_time()
        due = self.account.receive(len(pcm) // 2, now)
        if self.account.ahead_seconds(now) > self.house.options.ahead_seconds_max:
            self.fail(Failure.TOO_FAST, audio=self.account.seconds, elapsed=self.seconds)
            return
        self._enqueue(due, pcm)
        self._strike(self._faults.due_by_audio(self.account.seconds))

    def _take_text(self, text: str) -> None:
        command = self._dialect.command(text)
        if isinstance(command, Violation):
            self.end(command, "server")
        elif command is Command.KEEP_ALIVE:
            self.house.log.add(log.KeepAlive(at=self.house.at(), session=self.number))
        elif command is Command.CONFIGURE:
            self._engine.set_pause(self._dialect.limits.pause_seconds)
        else:
            if command is Command.TERMINATE:
                self._terminating = True
                self.house.log.add(log.Terminate(at=self.house.at(), session=self.number))
            self._enqueue(0.0, command)

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
                else:
                    hypotheses = await self._engine.end_turn()
                for hypothesis in hypotheses:
                    self._announce(hypothesis)
                if work is Command.TERMINATE:
                    self._say_goodbye()
        except (EngineError, OverflowedError):
            self.fail(Failure.CANCELLED)

    def _announce(self, hypothesis: Hypothesis) -> None:
        self._speech = True
        messages = self._dialect.turn(hypothesis)
        final = None
        if hypothesis.ended:
            final = _final_of(hypothesis, self.number, self._turns)
            self._turns += 1
            self._heard_at_turn = self.account.samples
        self.deliveries.post(messages, hypothesis.delay_seconds, final)

    def _say_goodbye(self) -> None:
        self._goodbye_seconds = self.seconds
        vitals = Vitals(audio_seconds=self.account.seconds, session_seconds=self._goodbye_seconds)
        self.deliveries.post(self._dialect.farewell(vitals, turn_open=self.account.samples > self._heard_at_turn))
        self.deliveries.post_raw(None)

    # Deliver

    async def _deliver(self) -> None:
        """Send what is due, until the goodbye or the line's end."""
        try:
            await self.deliveries.run()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.end(Violation(1006, ""), "network", Manner.NOTHING)
            return
        self.end(self.house.tongue.goodbye, "client", Manner.CLOSE)

    # Watch

    async def _watch(self) -> None:
        """Do what the clock asks for."""
        while True:
            now = trio.current_time()
            idle_at, beat_at = self._idle_at(), self._beat_at()
            if now >= self._limit_at:
                self.fail(Failure.EXPIRED)
            elif now >= self.death_at:
                self.fail(Failure.CANCELLED, "fault")
            elif now >= idle_at:
                self.fail(Failure.INACTIVE, limit=self._dialect.limits.inactivity_seconds or 0.0)
            elif now >= beat_at:
                self._beat(now)
            else:
                self._strike(self._faults.due_by_wall(now))
                nearest = min(self._limit_at, self.death_at, idle_at, beat_at, self._faults.wall_next())
                await trio.sleep_until(min(nearest, now + self._longest_sleep()))
                continue
            await trio.lowlevel.checkpoint()

    def _longest_sleep(self) -> float:
        """Return how soon the watch looks again: a configuration message or a fault may bring a deadline nearer."""
        return max(1.0 * self.house.options.time_scale, 0.01)

    def _idle_at(self) -> float:
        limit = self._dialect.limits.inactivity_seconds
        if limit is None or self._terminating:
            return math.inf
        return self._heard_at + limit * self.house.options.time_scale

    def _beat_at(self) -> float:
        period = self._dialect.limits.heartbeat_seconds
        return math.inf if period is None else self._beaten_at + period * self.house.options.time_scale

    def _late_seconds(self, now: float) -> float:
        """Return how much audio the engine should have processed and has not.

        What a machine is too slow for does not count as received: a client may take audio that was received in time
        for processed. The oracle is never late.
        """
        waiting = [self._in_hand, *(work for work in self._queue.overdue(now) if isinstance(work, bytes))]
        return sum(map(len, waiting)) / 2 / self._dialect.sample_rate

    def _beat(self, now: float) -> None:
        audio = self.account.seconds - self._late_seconds(now)
        vitals = Vitals(
            audio_seconds=audio,
            session_seconds=self.seconds,
            realtime_factor=(audio - self._beaten_audio) / (now - self._beaten_at),
            speech_probability=SPEECH_PROBABILITY if self._speech else QUIET_PROBABILITY,
        )
        self._beaten_at, self._beaten_audio, self._speech = now, audio, False
        try:
            self.deliveries.post(self._dialect.heartbeat(vitals))
        except OverflowedError:
            self.fail(Failure.CANCELLED)

    def _strike(self, faults: list[Fault]) -> None:
        for fault in faults:
            self.house.log.add(log.Struck(at=self.house.at(), kind=fault.kind, session=self.number))
            STRIKES[fault.kind](self, fault)


def _final_of(hypothesis: Hypothesis, session: int, turn: int) -> log.Final:
    words = tuple(
        log.FinalWord(text=word.text, start=word.start, end=word.end, position=word.position)
        for word in hypothesis.words
    )
    return log.Final(at=0.0, session=session, turn=turn, text=" ".join(word.text for word in words), words=words)
