"""The supervisor: keeps exactly one live session on the tail of the journal, whatever happens.

It gives sessions their spans. A lost session's rest is pending again, so the next one starts at the first pending
sample: live, catch-up and replay are one path. Where too much has piled up for that, the live session begins at the
tail at once and what lies behind is the backlog's, for a session of its own. Ahead of a session's limit it hands over.

Where nothing is in a hurry (a source that is not live, lines in the order of time), the backlog comes first, and an old
session is drained before the new one begins.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import trio

from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.rotation import RotationPlan
from stenod.tasks.absence import Absence
from stenod.tasks.backlog import Backlog
from stenod.tasks.course import Course
from stenod.tasks.cutting import CUT_SECONDS, Cutting
from stenod.tasks.handover import Handover
from stenod.tasks.hush import Hush
from stenod.tasks.journal import Journal
from stenod.tasks.opening import Opening
from stenod.tasks.roster import Roster
from stenod.tasks.session import Session
from stenod.tasks.sessions import Fatal
from stenod.tasks.waiting import first_of

CLOGGED_SECONDS = 60.0
"""A session this old with this much unsettled audio is replaced: its goodbye settles what it was sent."""
CLOGGED_PERIOD_SECONDS = 5.0
TAKE_BACK = RotationPlan(0.0, 0.0, 0.0)
"""A preferred provider may be asked again."""
TAKE_BACK_SECONDS = 15.0
"""How long it may take to accept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorOptions:
    """`hold`: keep recording when the provider refuses for good, and try again now and then."""

    hold: bool = False
    session_seconds_max: float | None = None
    margin_seconds: float = 300.0
    late_after_seconds: float = 15.0
    """More than this behind, the live session begins at the tail and the rest is late."""
    in_order: bool = False
    """Lines in time order rather than live ones at once."""
    one_session: bool = False
    """Never two sessions at once."""


class Supervisor:
    """`run` returns when the source has ended and all is transcribed, when `leave` was called, or at a fatal end."""

    def __init__(
        self,
        *,
        journal: Journal,
        roster: Roster,
        options: SupervisorOptions,
        clock: Clock,
        log: Log,
        live: bool,
        hush: Hush | None = None,
        relieved: Callable[[], None] = lambda: None,
    ) -> None:
        """`relieved` is called when a provider that had refused for good accepts: others may be held for it too."""
        self._relieved = relieved
        self.held: Fatal | None = None
        """Why a person must act before anybody transcribes, where that is waited for."""
        self._journal = journal
        self._roster = roster
        self._options = options
        self._clock = clock
        self._log = log
        self._hush = hush
        self._absence = Absence(journal, clock)
        self._course = Course(journal, clock, live=live, in_order=options.in_order)
        self._cutting = Cutting(
            journal=journal,
            roster=roster,
            course=self._course,
            clock=clock,
            log=log,
            session_seconds_max=options.session_seconds_max,
            margin_seconds=options.margin_seconds,
        )
        self._backlog = Backlog(
            journal=journal, roster=roster, course=self._course, cutting=self._cutting, clock=clock, log=log
        )
        self._handover = Handover(
            journal=journal,
            roster=roster,
            course=self._course,
            cutting=self._cutting,
            backlog=self._backlog,
            clock=clock,
            log=log,
        )
        if options.one_session:
            self._course.alone.set()
        self._renewing = False
        self._began_at = clock.now()
        self.reached = trio.Event()
        """A session was ready, or the provider refused and is being held."""

    @property
    def state(self) -> str:
        """In words for a person."""
        return self._course.state

    @property
    def up(self) -> bool:
        """Whether a live session is transcribing, or none is needed."""
        return self._course.up.is_set()

    @property
    def session(self) -> Session | None:
        """The live session."""
        return self._course.session

    def in_vain(self, seconds: float) -> bool:
        """Whether waiting for so long would not bring the last words of all: nobody accepts, or too much waits."""
        refused = self._course.session is None and (self.held is not None or self._roster.failing)
        return refused or self._course.unsent_seconds > seconds

    @property
    def turned_at(self) -> float:
        """When it last did something, for the watchdog."""
        return self._course.turned_at

    def leave(self) -> None:
        """Send nothing more, take the last words of what was sent, and return."""
        self._course.leaving.set()

    def probe(self) -> None:
        """Try again now whatever was refused."""
        self._roster.probe()
        self._course.probe()

    def renew(self) -> None:
        """The provider's settings have changed: tell the session, or go over to a new one soon."""
        self._renewing = True

    async def run(self) -> Fatal | None:
        """Supervise; returns why a person must act, or None."""
        self._began_at = self._clock.now()
        behind = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            if self._course.beside:
                nursery.start_soon(self._work_behind, nursery, behind)
            while True:
                try:
                    await self._serve(nursery)
                    self._course.up.set()
                    await self._backlog.cleared()
                    if self._backlog.next() is None or self._backlog.refused or self._course.leaving.is_set():
                        break
                except Fatal as fatal:
                    self._course.lost()
                    if not self._options.hold:
                        nursery.cancel_scope.cancel()
                        return fatal
                    await self._hold(fatal)
            behind.cancel()
        return self._backlog.refused

    async def _work_behind(self, nursery: trio.Nursery, scope: trio.CancelScope) -> None:
        with scope:
            await self._backlog.run(nursery, hold=self._options.hold)

    async def _serve(self, nursery: trio.Nursery) -> None:
        """Keep a session on the stream until all is done; raises `Fatal`."""
        session: Session | None = None
        if not self._course.beside:
            await self._backlog.clear(nursery)
        while session is not None or not self._course.done():
            if session is None:
                await self._rest()
                session = await self._open(nursery)
                continue
            moments = await self._watch(session)
            if moments is TAKE_BACK:
                session = await self._take_back(nursery, session)
                continue
            if moments is not None and not self._course.alone.is_set():
                session = await self._rotate(nursery, session, moments)
                continue
            self._course.lost()
            if moments is not None:
                rule = await self._cutting.alone(session, moments)
            else:
                rule = await self._roster.see_off(session)
            assert session.ended is not None
            delay = 0.0 if session.ended.complete else await self._roster.delay_after(session, rule)
            session = None
            if delay > 0:
                await self._pause(delay)

    async def _rest(self) -> None:
        """Where nothing is to be sent, open no session."""
        if self._hush is not None and self._hush.parks(self._course.floor):
            self._course.turn("parked until there is something to hear")
            self._course.up.set()
            await self._hush.sound(self._course.leaving)
            self._course.lost()
        if self._is_absent(self._journal.first_pending(self._course.floor)):
            self._course.turn("parked until audio comes")
            self._course.up.set()
            await self._absence.over(self._course.leaving)
            self._course.lost()

    async def _open(self, nursery: trio.Nursery) -> Session | None:
        """Open a session at the first pending sample, or at the tail; None when we are leaving instead."""
        self._course.turn("connecting to a provider")
        if not self._course.beside:
            if self._hush is not None:
                self._hush.skip_behind(self._options.late_after_seconds)
            await self._backlog.clear(nursery)
        if self._course.done():
            return None
        self._renewing = False
        opening = Opening(self._course.leaving)
        nursery.start_soon(opening.run, partial(self._roster.open, nursery))
        await first_of(opening.done, self._course.leaving)
        if not opening.done.is_set():
            return None
        if opening.fatal is not None:
            raise opening.fatal
        session = opening.session
        if session is None:
            return None
        self._begin(session)
        self.reached.set()
        if self.held is not None:
            self.held = None
            self._relieved()
        return session

    def _begin(self, session: Session) -> None:
        """Begin at the first pending sample; where too much waits for that, at the tail, and leave the rest behind."""
        journal, course = self._journal, self._course
        waiting = sum(span.count for span in journal.pending(course.floor, journal.tail)) / journal.rate
        # A pipe may bring a minute at once: that is no outage, and its lines are wanted in order.
        ahead = journal.captured / journal.rate - (self._clock.now() - self._began_at)
        waiting -= max(0.0, ahead)
        if not self._course.beside or journal.finished or waiting <= self._options.late_after_seconds:
            course.begin(session, journal.first_pending(course.floor))
            return
        start, replay = journal.live_start(journal.tail)
        course.floor = start
        course.begin(session, start, replay)
        self._log.info("backlog.begun", late_seconds=round(waiting, 3))
        self._backlog.look()

    async def _watch(self, session: Session) -> RotationPlan | None:
        """Wait for what concerns a ready session: returns when a successor is due, or None when it is over."""
        moments = self._cutting.moments(session)
        while not session.over.is_set():
            now = self._clock.now()
            if self._course.leaving.is_set():
                # Somebody goes on with what is left one day, from the last pause.
                session.trusted_until = self._cutting.trusted(session, self._journal.replay_start(session.sent))
                session.cut(session.sent)
                await session.over.wait()
            elif self._is_absent(session.sent) or (self._hush is not None and self._hush.parks(session.sent)):
                self._log.info("session.parked", session=session.name)
                session.cut(session.sent)
                await session.over.wait()
            elif now >= moments.open_at:
                return moments
            elif self._course.alone.is_set() and self._backlog.next() is not None:
                return self._soon(moments)
            elif now >= self._roster.better_at():
                return TAKE_BACK
            elif self._renewing:
                self._renewing = False
                if not self._roster.reconfigure(session):
                    return self._soon(moments)
            elif self._is_clogged(session):
                self._log.info("session.clogged", session=session.name, lag_seconds=round(self._journal.lag_seconds, 3))
                return self._soon(moments)
            else:
                with trio.move_on_after(min(CLOGGED_PERIOD_SECONDS, moments.open_at - now)):
                    await self._course.wait(session)
        return None

    async def _rotate(self, nursery: trio.Nursery, old: Session, moments: RotationPlan) -> Session | None:
        opening = Opening(self._course.leaving)
        nursery.start_soon(opening.run, partial(self._roster.open, nursery, reserved=True))
        return await self._handover.rotate(nursery, old, moments, opening)

    async def _take_back(self, nursery: trio.Nursery, old: Session) -> Session | None:
        """Ask the preferred provider; hand over to it where it accepts. Returns who is live now."""
        renewing, self._renewing = self._renewing, False
        opening = Opening(self._course.leaving)
        nursery.start_soon(opening.run, partial(self._roster.better, nursery))
        with trio.move_on_after(TAKE_BACK_SECONDS):
            await self._course.wait(old, opening.done)
        if opening.session is None:
            opening.scope.cancel()
            self._renewing |= renewing
            return old
        return await self._handover.rotate(nursery, old, self._soon(self._cutting.moments(old)), opening)

    def _soon(self, moments: RotationPlan) -> RotationPlan:
        """Return the moments of a session that is handed over for another reason, before its limit all the same."""
        now = self._clock.now()
        return RotationPlan(now, min(now + CUT_SECONDS, moments.cut_by), moments.limit_at)

    def _is_absent(self, sent: int) -> bool:
        """Whether all is sent, and nothing has come for long; at the end of the audio a session ends by itself."""
        journal = self._journal
        return self._course.live and sent >= journal.tail and self._absence.lasts and not journal.finished

    def _is_clogged(self, session: Session) -> bool:
        """Whether much was sent that nothing settles: without words, what was sent in a hurry stays unproven."""
        unsettled = sum(span.count for span in self._journal.pending(session.start, session.sent))
        return session.ready_seconds >= CLOGGED_SECONDS and unsettled >= CLOGGED_SECONDS * self._journal.rate

    async def _hold(self, fatal: Fatal) -> None:
        """The provider refuses for good: keep recording, and ask again now and then."""
        probed = self._course.probed
        self._course.turn(f"held: {fatal.rule.meaning} {fatal.rule.remedy}".strip())
        self.reached.set()
        self.held = fatal
        with trio.move_on_after(await self._roster.held(fatal)):
            await first_of(probed, self._course.leaving)

    async def _pause(self, seconds: float) -> None:
        self._course.turn("waiting for the next attempt")
        with trio.move_on_after(seconds):
            await self._course.leaving.wait()
