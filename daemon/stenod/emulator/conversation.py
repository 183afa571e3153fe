"""One connection's life: request, upgrade, judgement, session, end.

The order is the live service's, and there are two. A *late* tongue answers the upgrade first and judges key and
parameters after it, by message; only what no client can take for a session is refused by HTTP status (an unknown path,
a retired interface). An *early* one judges them before the upgrade, by HTTP status, and names the request in its
headers. A plain GET gets a page, if there is one at its path.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import trio

from stenod.emulator import log
from stenod.emulator.admission import Admission
from stenod.emulator.dialect import Dialect, Failure, Opening, Rejection, Request, Tongue, Violation
from stenod.emulator.ending import End, Manner, say
from stenod.emulator.engine import EngineError
from stenod.emulator.engines import Engines
from stenod.emulator.faults import Fault
from stenod.emulator.gate import GatedStream
from stenod.emulator.keyring import Keyring
from stenod.emulator.options import EmulatorOptions
from stenod.emulator.schedule import Schedule
from stenod.emulator.session import House, Session
from stenod.emulator.strikes import violation_of
from stenod.emulator.tongues import PAGES, rejection_of, tongue_of
from stenod.emulator.websocket import Connection, Visit

STATUS_BODIES: Mapping[int, str] = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
REQUEST_SECONDS_MAX = 300.0
"""A connection that asks for nothing; long enough to sleep through an outage."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A session that has its place."""

    number: int
    id: str
    dialect: Dialect


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
        keyring: Keyring,
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
        self._keyring = keyring
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
        if isinstance(request, Visit):
            await self._show(request, faults)
            return False
        tongue = tongue_of(request.path, self._options)
        if tongue is None:
            await self._reject(self._status_of(faults, None) or rejection_of(request.path))
            return False
        return await self._open(request, tongue, faults)

    async def _show(self, visit: Visit, faults: list[Fault]) -> None:
        """Answer a plain request with its page, or as a server that expects an upgrade."""
        page = PAGES.get(visit.request.path)
        if page is None:
            self._refuse("no upgrade was asked for")
            await self._connection.turn_down(visit.error)
            return
        answer = self._status_of(faults, None) or page(visit.request, self._keyring)
        self._refuse(answer.text, status=answer.status)
        await self._connection.answer(answer)

    async def _open(self, request: Request, tongue: Tongue, faults: list[Fault]) -> bool:
        """Answer an upgrade, serve the session, say its end; return whether the stream is to be reset."""
        rejection = self._status_of(faults, tongue)
        end = None if rejection else self._end_of(faults, tongue)
        admitted: Admitted | Violation | None = None
        if rejection is None and end is None and tongue.early:
            admitted = self._admit(request, tongue)
            if isinstance(admitted, Violation):
                rejection = tongue.rejection(admitted, self._admission.name())
        if rejection is not None:
            await self._reject(rejection)
            return False
        try:
            name = admitted.id if isinstance(admitted, Admitted) else self._admission.name()
            await self._connection.accept(tongue.accept(request, name))
            if end is None:
                await self._sleep(faults, "slow-begin")
                admitted = self._admit(request, tongue) if admitted is None else admitted
                if isinstance(admitted, Violation):
                    end = self._turn_away(admitted, tongue, "server")
                else:
                    end = await self._serve(admitted, tongue)
        finally:
            self._admission.living -= isinstance(admitted, Admitted)
        await self._stream.wait_open()
        await say(end, self._connection, tongue)
        await self._stream.outlast()
        return end.manner is Manner.RESET

    def _status_of(self, faults: list[Fault], tongue: Tongue | None) -> Rejection | None:
        """Return the rejection that a fault asks for, in the provider's words."""
        for fault in faults:
            if fault.kind == "status":
                status = fault.status or 503
                usual = Violation(status, STATUS_BODIES.get(status, ""))
                if tongue is not None:
                    usual = tongue.statuses.get(status, usual)
                told = usual if fault.text is None else replace(usual, text=fault.text)
                if tongue is not None:
                    return tongue.rejection(told, self._admission.name())
                return Rejection(status, told.text, {"error": told.text})
        return None

    def _end_of(self, faults: list[Fault], tongue: Tongue) -> End | None:
        """Return the end before a session that a fault asks for."""
        manners = {"error": Manner.ERROR, "error-untyped": Manner.UNTYPED, "close": Manner.CLOSE, "drop": Manner.RESET}
        for fault in faults:
            if fault.kind in manners:
                return self._turn_away(violation_of(fault, tongue), tongue, "fault", manners[fault.kind])
        return None

    def _admit(self, request: Request, tongue: Tongue) -> Admitted | Violation:
        """Accept a session, or say why not."""
        dialect = tongue.open_session(request, self._keyring)
        if isinstance(dialect, Violation):
            return dialect
        if self._admission.crowded(trio.current_time()):
            return tongue.failure(Failure.CROWDED)
        return Admitted(*self._admission.admit(trio.current_time()), dialect)

    async def _serve(self, admitted: Admitted, tongue: Tongue) -> End:
        """Serve an admitted session, and enter its life in the log."""
        number, dialect = admitted.number, admitted.dialect
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
            id=admitted.id,
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
                session.deliveries.post(dialect.begin(self._opening(admitted, session.limit_seconds)))
                try:
                    end = await session.run()
                finally:
                    samples, told_seconds = session.account.samples, session.told_seconds
        except EngineError as error:
            violation = replace(end.violation, text=f"{end.violation.text}: {error}")
            end = End(violation, "server", last_words=tongue.error_messages(violation))
        finally:
            seconds = trio.current_time() - opened_at if told_seconds is None else told_seconds
            billed = samples / dialect.sample_rate if tongue.bills_audio else seconds
            self._enter_end(number, end, samples, dialect.sample_rate, billed)
        return end

    def _opening(self, admitted: Admitted, limit_seconds: float) -> Opening:
        wall = self._wall()
        limit = limit_seconds * self._options.time_scale
        return Opening(id=admitted.id, opened_at=wall, expires_at=None if limit == math.inf else int(wall + limit))

    def _enter_end(self, number: int, end: End, samples: int, rate: int, billed: float) -> None:
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
                billed_seconds=math.ceil(billed),
                injected_samples=heard.get("silence", 0),
                unknown_samples=heard.get("unknown", 0),
            )
        )

    async def _sleep(self, faults: list[Fault], kind: str) -> None:
        for fault in faults:
            if fault.kind == kind:
                await trio.sleep(fault.seconds or 0.0)

    def _turn_away(self, violation: Violation, tongue: Tongue, by: str, manner: Manner = Manner.ERROR) -> End:
        self._refuse(violation.text, code=violation.code)
        return End(violation, by, manner, tongue.error_messages(violation))

    async def _reject(self, rejection: Rejection) -> None:
        self._refuse(rejection.text, status=rejection.status)
        await self._connection.reject(rejection)

    def _refuse(self, text: str, *, status: int | None = None, code: int | None = None) -> None:
        at = trio.current_time() - self._started_at
        self._log.add(log.Refused(at=at, attempt=self._attempt, text=text, status=status, code=code))
