"""One connection's life: request, upgrade, judgement, session, end.

The order is the live service's: the upgrade is answered first, key and parameters are judged after it, by message.
Only what no client can take for a session is refused by HTTP status (an unknown path, the retired interface).
"""

import math
import random
import uuid
from collections import deque
from collections.abc import Callable, Mapping

import trio

from stenod.emulator import assemblyai, log
from stenod.emulator.dialect import Dialect, Failure, Rejection, Request, Tongue, Violation
from stenod.emulator.ending import End, Manner, say
from stenod.emulator.engine import EngineError
from stenod.emulator.engines import Engines
from stenod.emulator.faults import Fault
from stenod.emulator.gate import GatedStream
from stenod.emulator.options import EmulatorOptions
from stenod.emulator.schedule import Schedule
from stenod.emulator.session import House, Session
from stenod.emulator.strikes import violation_of
from stenod.emulator.websocket import Connection

TONGUES: Mapping[str, Tongue] = {assemblyai.PATH: assemblyai.TONGUE}
REJECTIONS: Mapping[str, Rejection] = {**assemblyai.REJECTIONS}
NOT_FOUND = Rejection(404, "Not Found")
STATUS_BODIES: Mapping[int, str] = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
REQUEST_SECONDS_MAX = 300.0
"""A connection that asks for nothing; long enough to sleep through an outage."""
OPENINGS_WINDOW_SECONDS = 60.0


class Admission:
    """How many sessions live, how many were opened in the last minute, and who may come in."""

    def __init__(self, options: EmulatorOptions) -> None:
        self._options = options
        self._openings: deque[float] = deque()
        self._random = random.Random(f"{options.seed}/sessions")
        self.living = 0
        self.attempts = 0
        self.sessions = 0

    def crowded(self, now: float) -> bool:
        """Tell whether one more session is one too many."""
        while self._openings and now - self._openings[0] >= OPENINGS_WINDOW_SECONDS * self._options.time_scale:
            self._openings.popleft()
        living_max, openings_max = self._options.sessions_max, self._options.openings_per_minute_max
        return (living_max is not None and self.living >= living_max) or (
            openings_max is not None and len(self._openings) >= openings_max
        )

    def admit(self, now: float) -> tuple[int, str]:
        """Enter a session; return its number and id."""
        if self._options.openings_per_minute_max is not None:
            self._openings.append(now)
        self.living += 1
        self.sessions += 1
        return self.sessions - 1, str(uuid.UUID(int=self._random.getrandbits(128), version=4))


class Conversation:
    """Serve one connection; the stream stays its owner's."""

    def __init__(
        self,
        attempt: int,
        stream: GatedStream,
        options: EmulatorOptions,
        schedule: Schedule,
        journal: log.Log,
        admission: Admission,
        engines: Engines,
        started_at: float,
        wall: Callable[[], float],
    ) -> None:
        self._attempt = attempt
        self._stream = stream
        self._connection = Connection(stream)
        self._options = options
        self._schedule = schedule
        self._log = journal
        self._admission = admission
        self._engines = engines
        self._started_at = started_at
        self._wall = wall

    async def run(self) -> bool:
        """Serve to the end; return whether the stream is to be reset rather than closed."""
        with trio.move_on_after(REQUEST_SECONDS_MAX):
            request = await self._connection.request()
        if request is None:
            self._refuse("no upgrade was asked for")
            return False
        faults = self._schedule.opening(self._attempt, trio.current_time())
        await self._sleep(faults, "slow")
        rejection = self._rejection(request, faults)
        if rejection is not None:
            self._refuse(rejection.body, status=rejection.status)
            await self._connection.reject(rejection.status, rejection.body)
            return False
        await self._connection.accept()
        tongue = TONGUES[request.path]
        end = await self._judge(request, tongue, faults)
        await self._stream.wait_open()
        await say(end, self._connection, tongue)
        await self._stream.outlast()
        return end.manner is Manner.RESET

    def _rejection(self, request: Request, faults: list[Fault]) -> Rejection | None:
        for fault in faults:
            if fault.kind == "status":
                status = fault.status or 503
                return Rejection(status, STATUS_BODIES.get(status, "") if fault.text is None else fault.text)
        if request.path in TONGUES:
            return None
        return REJECTIONS.get(request.path, NOT_FOUND)

    async def _judge(self, request: Request, tongue: Tongue, faults: list[Fault]) -> End:
        """Accept a session and serve it, or say why not."""
        manners = {"error": Manner.ERROR, "error-untyped": Manner.UNTYPED, "close": Manner.CLOSE, "drop": Manner.RESET}
        for fault in faults:
            if fault.kind in manners:
                violation = violation_of(fault, tongue.texts)
                return self._turn_away(End(violation, "fault", manners[fault.kind]))
        await self._sleep(faults, "slow-begin")
        dialect = tongue.open_session(request, self._options.keys)
        if isinstance(dialect, Violation):
            return self._turn_away(End(dialect, "server"))
        if self._admission.crowded(trio.current_time()):
            return self._turn_away(End(tongue.failure(Failure.CROWDED), "server"))
        number, session_id = self._admission.admit(trio.current_time())
        try:
            return await self._serve(number, session_id, dialect, tongue)
        finally:
            self._admission.living -= 1

    async def _serve(self, number: int, session_id: str, dialect: Dialect, tongue: Tongue) -> End:
        """Serve an admitted session, and enter its life in the log."""
        house = House(
            options=self._options,
            schedule=self._schedule,
            log=self._log,
            started_at=self._started_at,
            tongue=tongue,
        )
        opened = log.Opened(
            at=house.at(),
            attempt=self._attempt,
            session=number,
            id=session_id,
            sample_rate=dialect.sample_rate,
            parameters=dialect.parameters,
        )
        self._log.add(opened)
        opened_at = trio.current_time()
        samples, told_seconds = 0, None
        end = End(tongue.failure(Failure.CANCELLED), "server")
        try:
            async with self._engines.open(number, dialect.sample_rate, dialect.limits.pause_seconds) as engine:
                session = Session(number, self._connection, self._stream, dialect, engine, house)
                expires_at = int(self._wall() + self._options.session_seconds_max * self._options.time_scale)
                session.deliveries.post(dialect.begin(session_id, expires_at))
                try:
                    end = await session.run()
                finally:
                    samples, told_seconds = session.account.samples, session.told_seconds
        except EngineError as error:
            end = End(Violation(end.violation.code, f"{end.violation.text}: {error}"), "server")
        finally:
            seconds = trio.current_time() - opened_at if told_seconds is None else told_seconds
            self._enter_end(number, end, samples, dialect.sample_rate, seconds)
        return end

    def _enter_end(self, number: int, end: End, samples: int, rate: int, seconds: float) -> None:
        heard = self._log.end_heard(number)
        self._log.add(
            log.Ended(
                at=trio.current_time() - self._started_at,
                session=number,
                code=end.violation.code,
                text=end.violation.text,
                by=end.by,
                audio_samples=samples,
                audio_seconds=samples / rate,
                billed_seconds=math.ceil(seconds),
                injected_samples=heard.get("silence", 0),
                unknown_samples=heard.get("unknown", 0),
            )
        )

    async def _sleep(self, faults: list[Fault], kind: str) -> None:
        for fault in faults:
            if fault.kind == kind:
                await trio.sleep(fault.seconds or 0.0)

    def _turn_away(self, end: End) -> End:
        self._refuse(end.violation.text, code=end.violation.code)
        return end

    def _refuse(self, text: str, *, status: int | None = None, code: int | None = None) -> None:
        at = trio.current_time() - self._started_at
        self._log.add(log.Refused(at=at, attempt=self._attempt, text=text, status=status, code=code))
