"""The supervisor: keeps exactly one live session on the tail of the journal, whatever happens.

It gives sessions their spans. A lost session's rest is pending again, so the next one starts at the first pending
sample: live, catch-up and replay are one path. Ahead of a session's limit a successor is opened; both meet at one
sample, in a quiet moment where there is one, and the old one is drained beside it. What an old session leaves
unfinished is a late span for a session of its own.

A source that is not live has no hurry: there the old session is drained before the new one begins, so its transcript
has no late spans.
"""

import math
from dataclasses import dataclass
from functools import partial

import trio

from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.rotation import RotationPlan, plan
from stenod.core.seams import CUT_TRUST_SECONDS
from stenod.core.timeline import Span
from stenod.core.verdict import Rule
from stenod.tasks.journal import Journal
from stenod.tasks.opening import Opening
from stenod.tasks.session import Session
from stenod.tasks.sessions import Fatal, Sessions
from stenod.tasks.waiting import first_of

CUT_PAUSE_SECONDS = (0.2, 0.1)
"""Where a hand-over cuts: in a pause between sentences, failing that between words, failing that with an overlap."""
CUT_SECONDS = 10.0
"""How long a quiet moment is looked for where no limit is near."""
CLOGGED_SECONDS = 60.0
"""A session this old with this much unsettled audio is replaced: its goodbye settles what it was sent."""
CLOGGED_PERIOD_SECONDS = 5.0
NEVER = RotationPlan(math.inf, math.inf, math.inf)
HANDOVER_DRAIN_SECONDS = 5.0
"""The successor's lines wait this long for the old session's last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorOptions:
    """`hold`: keep recording when the provider refuses for good, and try again now and then."""

    hold: bool = False
    session_seconds_max: float | None = None
    margin_seconds: float = 300.0


class Supervisor:
    """`run` returns when the source has ended and all is transcribed, when `leave` was called, or at a fatal end."""

    def __init__(
        self,
        *,
        journal: Journal,
        sessions: Sessions,
        options: SupervisorOptions,
        clock: Clock,
        log: Log,
        live: bool,
    ) -> None:
        self._journal = journal
        self._sessions = sessions
        self._options = options
        self._clock = clock
        self._log = log
        self._live = live
        self._floor = 0
        """Where the live session's share begins; late spans lie before it."""
        self._leaving = trio.Event()
        self._probe = trio.Event()
        self.turned_at = clock.now()
        """When it last did something, for the watchdog."""
        self.state = "starting"
        """In words for a person."""
        self.reached = trio.Event()
        """A session was ready, or the provider refused and is being held."""

    def leave(self) -> None:
        """Send nothing more, take the last words of what was sent, and return."""
        self._leaving.set()

    def probe(self) -> None:
        """Try a held provider again now."""
        self._probe.set()

    async def run(self) -> Fatal | None:
        """Supervise; returns why a person must act, or None."""
        fatal = None
        async with trio.open_nursery() as nursery:
            while not self._done():
                try:
                    await self._serve(nursery)
                    break
                except Fatal as raised:
                    fatal = raised
                if not self._options.hold:
                    nursery.cancel_scope.cancel()
                    return fatal
                await self._hold(fatal)
                fatal = None
        return fatal

    async def _serve(self, nursery: trio.Nursery) -> None:
        """Keep a session on the stream until all is done."""
        session: Session | None = None
        while session is not None or not self._done():
            if session is None:
                session = await self._open(nursery)
                continue
            moments = await self._watch(session)
            if moments is not None:
                session = await self._rotate(nursery, session, moments)
                continue
            rule = await self._sessions.see_off(session)
            assert session.ended is not None
            planned = session.ended.complete
            ended, session = session, None
            if not planned:
                await self._pause(self._sessions.delay_after(ended, rule))

    def _done(self) -> bool:
        finished = self._journal.finished and self._journal.first_pending(self._floor) >= self._journal.tail
        return finished or self._leaving.is_set()

    async def _open(self, nursery: trio.Nursery) -> Session | None:
        """Open a session at the first pending sample; None when we are leaving instead."""
        self._turn("connecting")
        opening = Opening(self._leaving)
        nursery.start_soon(opening.run, self._sessions, nursery)
        await first_of(opening.done, self._leaving)
        if not opening.done.is_set():
            return None
        if opening.fatal is not None:
            raise opening.fatal
        session = opening.session
        if session is None:
            return None
        self._begin(session, self._journal.first_pending(self._floor))
        self._turn("transcribing")
        self.reached.set()
        return session

    async def _watch(self, session: Session) -> RotationPlan | None:
        """Wait for what concerns a ready session: returns when a successor is due, or None when it is over."""
        moments = self._plan(session) or NEVER
        while not session.over.is_set():
            now = self._clock.now()
            if self._leaving.is_set():
                if not self._live:  # it goes on with this source one day, from the last pause
                    session.trusted_until = self._journal.first_pending(self._journal.replay_start(session.sent))
                session.cut(session.sent)
                await session.over.wait()
            elif now >= moments.open_at:
                return moments
            elif self._is_clogged(session):
                self._log.info("session.clogged", session=session.name, lag_seconds=round(self._journal.lag_seconds, 3))
                return RotationPlan(now, now + CUT_SECONDS, moments.limit_at)
            else:
                with trio.move_on_after(min(CLOGGED_PERIOD_SECONDS, moments.open_at - now)):
                    await self._wait(session)
        return None

    def _is_clogged(self, session: Session) -> bool:
        """Whether much was sent that nothing settles: without words, what was sent in a hurry stays unproven."""
        unsettled = sum(span.count for span in self._journal.pending(session.start, session.sent))
        return session.ready_seconds >= CLOGGED_SECONDS and unsettled >= CLOGGED_SECONDS * self._journal.rate

    async def _wait(self, session: Session, *events: trio.Event) -> None:
        """Wait for one of the events, the session's end or leave; when the audio ends, tell the session where."""
        if not self._journal.finished:
            await first_of(*events, session.over, self._leaving, self._journal.ended)
        if self._journal.finished and not any(event.is_set() for event in events):
            session.cut(max(self._journal.tail, session.sent))
            await first_of(*events, session.over, self._leaving)

    def _plan(self, session: Session) -> RotationPlan | None:
        return plan(
            dialled_at=session.dialled_at,
            limit_seconds=session.dialect.limits.session_seconds_max,
            announced_seconds=session.announced_seconds,
            configured_seconds=self._options.session_seconds_max,
            margin_seconds=self._options.margin_seconds,
        )

    async def _rotate(self, nursery: trio.Nursery, old: Session, moments: RotationPlan) -> Session | None:
        """Open a successor and hand over; returns who is live now."""
        self._turn("handing over")
        opening = Opening(self._leaving)
        nursery.start_soon(partial(opening.run, self._sessions, nursery, reserved=True))
        with trio.move_on_after(max(0.0, moments.alone_by - self._clock.now())):
            await self._wait(old, opening.done)
        if old.over.is_set():
            rule = await self._sessions.see_off(old)
            self._log.warning("rotation.overtaken", session=old.name, rule=rule.name)
            return await self._succeed(opening)
        if self._leaving.is_set():
            return old
        if opening.session is None:
            return await self._without_successor(old, moments, opening)
        now = self._clock.now()
        latest = min(now + CUT_SECONDS, (now + moments.alone_by) / 2)
        cut = await self._find_cut(old, max(moments.cut_by, latest))
        return await self._hand_over(nursery, old, opening.session, cut)

    async def _without_successor(self, old: Session, moments: RotationPlan, opening: Opening) -> Session | None:
        """The provider takes no successor: end the old session before its limit; what follows waits in the journal."""
        if opening.fatal is not None:
            self._log.error("rotation.refused", session=old.name, reason=opening.fatal.text)
            with trio.move_on_after(max(0.0, moments.alone_by - self._clock.now())):
                await self._wait(old)
        self._cut(old, await self._find_cut(old, (self._clock.now() + moments.limit_at) / 2))
        rule = await self._drained(old)
        self._log.warning("rotation.late", session=old.name, rule=rule.name)
        return None if opening.fatal is not None else await self._succeed(opening)

    async def _succeed(self, opening: Opening) -> Session | None:
        """The old session is gone: what it left is the successor's, once that is open."""
        if self._done() and not opening.done.is_set():
            opening.scope.cancel()
            return None
        await first_of(opening.done, self._leaving)
        if opening.fatal is not None:
            raise opening.fatal
        if opening.session is not None:
            self._begin(opening.session, self._journal.first_pending(self._floor))
            self._turn("transcribing")
        return opening.session

    async def _find_cut(self, old: Session, until: float) -> int:
        """Return where the old session ends: in a quiet moment, the longer the better; anywhere, at `until`."""
        seconds = max(0.0, until - self._clock.now()) / len(CUT_PAUSE_SECONDS)
        for pause_seconds in CUT_PAUSE_SECONDS:
            found = old.cut_in_pause(pause_seconds)
            with trio.move_on_after(seconds):
                await self._wait(old, found)
                return old.end if found.is_set() else old.sent
        return old.sent

    async def _hand_over(self, nursery: trio.Nursery, old: Session, new: Session, cut: int) -> Session:
        """Both meet at one sample; the old one's last words come first."""
        share = self._floor
        if old.over.is_set():
            await self._sessions.see_off(old)
            self._begin(new, self._journal.first_pending(share))
        elif self._live:
            self._sessions.order(new, after=old)
            self._floor = self._meet(old, new, cut)
            nursery.start_soon(self._drain, nursery, old, share, self._floor)
        else:
            self._cut(old, cut)
            await self._drained(old)
            self._begin(new, self._journal.first_pending(share))
        await self._sessions.records.handed_over(old)
        self._log.info("session.rotated", session=new.name, predecessor=old.name, pause_seconds=old.pause_seconds)
        self._turn("transcribing")
        return new

    def _begin(self, session: Session, start: int) -> None:
        """Give a session its share; where no quiet lies before it, with some overlap."""
        session.begin(start, self._journal.replay_start(start))

    def _meet(self, old: Session, new: Session, cut: int) -> int:
        """Cut the old session and begin the new one: at one sample in a pause, with an overlap within speech.

        Returns where the new one's share begins.
        """
        start = self._cut(old, cut)
        new.begin(start, cut if start == cut else self._journal.replay_start(start))
        return start

    def _cut(self, old: Session, cut: int) -> int:
        """Cut where no pause was found; returns up to where the old session is believed.

        What it says of the last moments before a cut within speech may be half a word.
        """
        if old.end == cut:
            return cut
        trusted = self._journal.first_pending(max(old.start, cut - round(CUT_TRUST_SECONDS * self._journal.rate)))
        old.trusted_until = trusted
        old.cut(cut)
        return trusted

    async def _drained(self, old: Session) -> Rule:
        with trio.move_on_after(HANDOVER_DRAIN_SECONDS):
            await old.over.wait()
        old.abandon()
        return await self._sessions.see_off(old)

    async def _drain(self, nursery: trio.Nursery, old: Session, start: int, end: int) -> None:
        """Take the old session's last words; what it left unfinished is late."""
        await self._drained(old)
        for span in self._journal.pending(start, end):
            nursery.start_soon(self._late, nursery, span)

    async def _late(self, nursery: trio.Nursery, span: Span) -> None:
        """Transcribe a span behind the live session, however many sessions it takes."""
        self._log.info("span.late", late_seconds=round(span.count / self._journal.rate, 3))
        while (run := self._journal.pending_run(span.start, span.end)) is not None and not self._leaving.is_set():
            opening = Opening(self._leaving)
            await opening.run(self._sessions, nursery, late=True)
            try:
                if opening.fatal is not None:
                    raise opening.fatal
                if opening.session is not None:
                    await self._hear_late(opening.session, run.start, span.end)
            except Fatal as fatal:
                self._log.error("span.abandoned", late_seconds=run.count / self._journal.rate, reason=fatal.text)
                return

    async def _hear_late(self, session: Session, start: int, end: int) -> None:
        """Let a session take a late span, or as much of it as there is time for; raises `Fatal`."""
        self._begin(session, start)
        session.cut(end)
        await first_of(session.over, self._leaving)
        if not session.over.is_set():
            session.cut(session.sent)
        rule = await self._sessions.see_off(session)
        with trio.move_on_after(self._sessions.delay_after(session, rule)):
            await self._leaving.wait()

    async def _hold(self, fatal: Fatal) -> None:
        """The provider refuses for good: keep recording, and ask again now and then."""
        self._probe = trio.Event()
        self._turn(f"held: {fatal.rule.meaning}")
        self.reached.set()
        delay = self._sessions.probe_seconds()
        self._log.error("provider.refused", rule=fatal.rule.name, remedy=fatal.rule.remedy, probe_seconds=delay)
        await self._sessions.records.tell("fatal", fatal.rule.meaning, fatal.rule.remedy)
        with trio.move_on_after(delay):
            await first_of(self._probe, self._leaving)

    async def _pause(self, seconds: float) -> None:
        self._turn("waiting")
        with trio.move_on_after(seconds):
            await self._leaving.wait()

    def _turn(self, state: str) -> None:
        self.state = state
        self.turned_at = self._clock.now()
