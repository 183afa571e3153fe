"""Hand-over: make before break, from one live session to its successor.

The successor is open before the old session's limit. Both meet at one sample, in a quiet moment where there is one
before the deadline, else with an overlap within speech, which both hear side by side. The old one is drained beside its
successor and its lines come first; what it leaves unfinished falls to the backlog. Where no successor can be had in
time, the old session is ended in a pause all the same and the journal covers what follows.
"""

from dataclasses import dataclass
from functools import partial

import trio

from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.rotation import RotationPlan
from stenod.core.seams import OVERLAP_SECONDS
from stenod.core.verdict import Rule
from stenod.tasks.backlog import Backlog
from stenod.tasks.course import Course
from stenod.tasks.cutting import CUT_SECONDS, Cutting
from stenod.tasks.journal import Journal
from stenod.tasks.opening import Opening
from stenod.tasks.roster import Roster
from stenod.tasks.session import Session
from stenod.tasks.waiting import first_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Hands over, as often as needed."""

    journal: Journal
    roster: Roster
    course: Course
    cutting: Cutting
    backlog: Backlog
    clock: Clock
    log: Log

    async def rotate(
        self, nursery: trio.Nursery, old: Session, moments: RotationPlan, opening: Opening
    ) -> Session | None:
        """Wait for the successor that is being opened, and hand over; returns who is live now, or None."""
        self.course.turn("handing over")
        with trio.move_on_after(max(0.0, moments.alone_by - self.clock.now())):
            await self.course.wait(old, opening.done)
        if old.over.is_set():
            rule = await self._seen_off(old)
            self.log.warning("rotation.overtaken", session=old.name, rule=rule.name)
            return await self._succeed(opening)
        if self.course.leaving.is_set():
            return old
        if opening.session is None:
            return await self._without_successor(old, moments, opening)
        now = self.clock.now()
        latest = min(now + CUT_SECONDS, (now + moments.alone_by) / 2)
        ahead = partial(self._hear_ahead, old, opening.session) if self.course.beside else None
        cut = await self.cutting.place(old, max(moments.cut_by, latest), ahead)
        return await self._hand_over(nursery, old, opening.session, cut)

    async def _without_successor(self, old: Session, moments: RotationPlan, opening: Opening) -> Session | None:
        """The provider takes no successor in time."""
        if opening.fatal is not None:
            self.log.error("rotation.refused", session=old.name, reason=opening.fatal.text)
            with trio.move_on_after(max(0.0, moments.alone_by - self.clock.now())):
                await self.course.wait(old)
        self.course.lost()
        await self.cutting.alone(old, moments)
        return None if opening.fatal is not None else await self._succeed(opening)

    async def _succeed(self, opening: Opening) -> Session | None:
        """The old session is gone: what it left is the successor's, once that is open."""
        if self.course.done() and not opening.done.is_set():
            opening.scope.cancel()
            return None
        await first_of(opening.done, self.course.leaving)
        if opening.fatal is not None:
            raise opening.fatal
        if opening.session is not None:
            self.course.begin(opening.session, self.journal.first_pending(self.course.floor))
        return opening.session

    async def _hand_over(self, nursery: trio.Nursery, old: Session, new: Session, cut: int) -> Session:
        """Both meet at one sample; the old one's last words come first."""
        share = self.course.floor
        if old.over.is_set() and new.ahead:
            await self._go_on(old, new)
        elif old.over.is_set():
            await self._seen_off(old)
            self.course.begin(new, self.journal.first_pending(share))
        elif self.course.beside or new.ahead:
            self.roster.order(new, after=old)
            self.course.floor = self._meet(old, new, cut)
            nursery.start_soon(self._drain, old, share, self.course.floor)
        else:
            self.cutting.cut(old, cut)
            await self.cutting.drained(old)
            self.course.begin(new, self.journal.first_pending(share))
        await self.roster.handed_over(old)
        self.log.info("session.rotated", session=new.name, predecessor=old.name, pause_seconds=old.pause_seconds)
        return new

    def _hear_ahead(self, old: Session, new: Session) -> None:
        """Let the successor hear beside the old session: its overlap is over by the cut, and it is not late then."""
        if not old.over.is_set() and not new.over.is_set():
            self.roster.order(new, after=old)
            new.hear_ahead(old.sent)

    async def _go_on(self, old: Session, new: Session) -> None:
        """The old session ended while both heard: what only it had heard whole falls to the backlog."""
        journal, share = self.journal, self.course.floor
        whole = new.sent_map.origin + round(OVERLAP_SECONDS * journal.rate)
        with trio.move_on_after(max(0, whole - journal.tail) / journal.rate):
            await self.course.wait(new)
        self.course.floor = max(journal.first_pending(share), min(whole, journal.tail))
        with self.backlog.taken(share, self.course.floor):
            self.course.begin(new, self.course.floor)
            await self.roster.see_off(old)

    def _meet(self, old: Session, new: Session, cut: int) -> int:
        """Cut the old session and begin the new one: at one sample in a pause, with an overlap within speech.

        Returns where the new one's share begins.
        """
        start = self.cutting.cut(old, cut)
        if new.ahead and start < new.sent_map.origin:
            # Hardly anything has come since it hears ahead (the device is away): before that nobody else heard.
            start = old.trusted_until = new.sent_map.origin
        self.course.begin(new, start, cut if start == cut else None)
        return start

    async def _seen_off(self, old: Session) -> Rule:
        """The old session ended before its successor began."""
        self.course.lost()
        return await self.roster.see_off(old)

    async def _drain(self, old: Session, start: int, end: int) -> None:
        """Take the old session's last words; what it left unfinished falls to the backlog."""
        with self.backlog.taken(start, end):
            await self.cutting.drained(old)
