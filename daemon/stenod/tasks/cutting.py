"""Ending a session before its limit: when, at which sample, and up to where it is believed then."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import trio

from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.rotation import RotationPlan, plan
from stenod.core.seams import CUT_TRUST_SECONDS, OVERLAP_SECONDS
from stenod.core.verdict import Rule
from stenod.tasks.course import Course
from stenod.tasks.journal import Journal
from stenod.tasks.roster import Roster
from stenod.tasks.session import Session

CUT_PAUSE_SECONDS = (0.2, 0.1)
"""Where a session is cut: in a pause between sentences, failing that between words, failing that within speech."""
CUT_SECONDS = 10.0
"""How long a quiet moment is looked for where no limit is near."""
AHEAD_SECONDS = OVERLAP_SECONDS + CUT_TRUST_SECONDS
"""How long a successor hears beside the old session before a cut within speech: so nobody has to catch up."""
DRAIN_SECONDS = 5.0
"""A successor's lines wait this long for the old session's last words."""
NEVER = RotationPlan(math.inf, math.inf, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """`session_seconds_max` and `margin_seconds` are the configured ones."""

    journal: Journal
    roster: Roster
    course: Course
    clock: Clock
    log: Log
    session_seconds_max: float | None
    margin_seconds: float

    def moments(self, session: Session) -> RotationPlan:
        """Return when a successor is due and when the session must have ended."""
        moments = plan(
            dialled_at=session.dialled_at,
            limit_seconds=session.dialect.limits.session_seconds_max,
            announced_seconds=session.announced_seconds,
            configured_seconds=self.session_seconds_max,
            margin_seconds=self.margin_seconds,
        )
        return moments or NEVER

    async def place(self, old: Session, until: float, near: Callable[[], None] | None = None) -> int:
        """Return where a session ends: in a quiet moment, the longer the better; anywhere, at `until`.

        `near` is called when no quiet has come and a cut within speech is near, where there is time for both.
        """
        async with trio.open_nursery() as nursery:
            if near is not None and until - self.clock.now() >= 2 * AHEAD_SECONDS:
                nursery.start_soon(self._call, until - AHEAD_SECONDS, near)
            found = await self._found_quiet(old, until)
            nursery.cancel_scope.cancel()
        # Only now: while the nursery ended, more may have been sent.
        return old.end if found else old.sent

    async def _call(self, at: float, near: Callable[[], None]) -> None:
        await trio.sleep(at - self.clock.now())
        near()

    async def _found_quiet(self, old: Session, until: float) -> bool:
        seconds = max(0.0, until - self.clock.now()) / len(CUT_PAUSE_SECONDS)
        for pause_seconds in CUT_PAUSE_SECONDS:
            found = old.cut_in_pause(pause_seconds)
            with trio.move_on_after(seconds):
                await self.course.wait(old, found)
                return found.is_set()
        return False

    def cut(self, old: Session, place: int) -> int:
        """Cut where no pause was found; returns where its successor's share begins.

        What it says of the last moments before a cut within speech may be half a word.
        """
        if old.end == place:
            return place
        until = place - round(CUT_TRUST_SECONDS * self.journal.rate)
        old.trusted_until = self.trusted(old, until)
        old.cut(place)
        return self.journal.first_pending(max(old.start, until))

    def trusted(self, old: Session, until: int) -> int:
        """Return up to where a session is believed whose words may be halves if they end behind `until`.

        Where that is before its share it is not believed at all: its successor hears the same overlap, and more.
        """
        if until < old.start:
            return old.sent_map.origin
        # A word ends where silence or a gap begins, though a provider lets it end later.
        trusted = self.journal.first_pending(until)
        return trusted if trusted <= old.sent else until

    async def drained(self, old: Session) -> Rule:
        """Take the last words of a session that was cut, and record its end."""
        with trio.move_on_after(DRAIN_SECONDS):
            await old.over.wait()
        old.abandon()
        return await self.roster.see_off(old)

    async def alone(self, old: Session, moments: RotationPlan) -> Rule:
        """End a session before its limit without a successor; what follows waits in the journal."""
        now = self.clock.now()
        until = now + CUT_SECONDS
        if math.isfinite(moments.limit_at):
            # What it has not said by its limit must all be heard again, so its last words are left their time.
            until = max(now, min((now + moments.limit_at) / 2, moments.limit_at - DRAIN_SECONDS))
        if now < moments.cut_by:
            until = min(until, moments.cut_by)
        self.cut(old, await self.place(old, until))
        rule = await self.drained(old)
        self.log.info("rotation.alone", session=old.name, rule=rule.name)
        return rule
