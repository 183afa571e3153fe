"""The backlog: what is pending behind the live session's share, transcribed late, one stretch after the other.

Its stretches are not kept anywhere: they are what the timeline says is pending before the floor, but for what an old
session is being drained of. So an outage, a session that died while it was drained, a restart and audio that a person
wants to have heard again are one thing. A late session hears one stretch, at the provider's rate; where it ends within
speech, it hears a little more and waits until those who went on there have said their words (`core.seams`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import trio

from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.seams import TOLERANCE_SECONDS
from stenod.core.timeline import FOREVER, Span
from stenod.tasks.course import Course
from stenod.tasks.cutting import Cutting
from stenod.tasks.journal import Journal
from stenod.tasks.opening import Opening
from stenod.tasks.roster import Roster
from stenod.tasks.session import Session
from stenod.tasks.sessions import Fatal
from stenod.tasks.waiting import first_of

STILL_SECONDS = 30.0
"""Who was sent nothing for so long has said its words: a turn is ended in the quiet."""


class Backlog:
    """`run` beside a live session, or `clear` before one where two at once are not wanted."""

    def __init__(
        self, *, journal: Journal, roster: Roster, course: Course, cutting: Cutting, clock: Clock, log: Log
    ) -> None:
        self._journal = journal
        self._roster = roster
        self._course = course
        self._cutting = cutting
        self._clock = clock
        self._log = log
        self._taken: list[Span] = []
        self._changed = trio.Event()
        self._busy = False
        self.refused: Fatal | None = None
        """Why it was given up, where nobody holds on."""

    @contextmanager
    def taken(self, start: int, end: int) -> Iterator[None]:
        """Leave [start, end) to a session that is being drained."""
        taken = [Span(start, end)] if start < end else []
        self._taken += taken
        try:
            yield
        finally:
            for span in taken:
                self._taken.remove(span)
            self.look()

    def look(self) -> None:
        """Look again: the floor has moved, or a share is free."""
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def next(self) -> Span | None:
        """Return the first stretch behind the floor that nobody is at."""
        position = 0
        while (run := self._journal.late_run(position, self._course.floor)) is not None:
            taken = [span for span in self._taken if span.start < run.end and run.start < span.end]
            if not taken:
                return run
            first = min(taken, key=lambda span: span.start)
            if run.start < first.start:
                return Span(run.start, first.start)
            position = first.end
        return None

    async def run(self, nursery: trio.Nursery, *, hold: bool) -> None:
        """Transcribe what falls behind, for ever; where nobody holds on, until the provider refuses."""
        while self.refused is None and not self._course.leaving.is_set() and not self._course.alone.is_set():
            changed = self._changed
            span = self.next()
            if span is None:
                await first_of(changed, self._course.leaving)
                continue
            self._busy = True
            try:
                await self._hear(nursery, span, beside=True)
            except Fatal as fatal:
                if not hold:
                    self.refused = fatal
                    continue
                self._log.error("span.held", late_seconds=span.count / self._journal.rate, reason=fatal.text)
                with trio.move_on_after(await self._roster.held(fatal)):
                    await first_of(self._course.probed, self._course.leaving)
            finally:
                self._busy = False
                self.look()

    async def clear(self, nursery: trio.Nursery) -> None:
        """Transcribe all that lies behind, and return; raises `Fatal`."""
        while (span := self.next()) is not None and not self._course.leaving.is_set():
            await self._hear(nursery, span, beside=False)

    async def cleared(self) -> None:
        """Return when nothing lies behind any more, or nobody will take it."""
        done = (self._course.leaving, self._course.alone)
        while self.next() is not None and self.refused is None and not any(event.is_set() for event in done):
            await first_of(self._changed, *done)
        while self._busy or self._taken:
            await self._changed.wait()

    async def _hear(self, nursery: trio.Nursery, span: Span, *, beside: bool) -> None:
        """Let one session take as much of a stretch as it can; raises `Fatal`."""
        if beside:
            await first_of(self._course.up, self._course.leaving)
            await self._followed(span)
            if self.next() != span:
                return
        if self._course.leaving.is_set():
            return
        self._log.info("span.late", late_seconds=round(span.count / self._journal.rate, 3))
        opening = Opening(self._course.leaving)
        await opening.run(partial(self._roster.open, nursery, late=True))
        if opening.fatal is not None:
            raise opening.fatal
        if opening.alone:
            self._log.warning("provider.takes_one_session", late_seconds=round(span.count / self._journal.rate, 3))
            self._course.alone.set()
        if opening.session is not None:
            await self._live(opening.session, span)

    async def _followed(self, span: Span) -> None:
        """Return when the words behind a stretch are out, or it is another one: they had to be left behind too.

        Nor is waited for a live session that gets no more audio for long, in the quiet or without a device: it has
        said what it heard, and nothing may come that would show that there was no more.
        """
        seen, since = -1, 0.0
        while not self._course.leaving.is_set() and self.next() == span and self._awaits(span.end):
            live, now = self._course.session, self._clock.now()
            if live is None or live.end < FOREVER or live.sent != seen:
                seen, since = -1 if live is None else live.sent, now
            if now >= since + STILL_SECONDS:
                return
            with trio.move_on_after(since + STILL_SECONDS - now):
                await first_of(self._journal.pulse(), self._changed, self._course.leaving)

    def _awaits(self, end: int) -> bool:
        """Whether somebody is at what follows closely: the live session, or one that is being drained.

        Nobody is at what is left behind as well: it waits for us.
        """
        until = end + round(TOLERANCE_SECONDS * self._journal.rate)
        if self._journal.finished:
            until = min(until, self._journal.tail)
        return any(
            span.end > self._course.floor
            or any(taken.start < span.end and span.start < taken.end for taken in self._taken)
            for span in self._journal.pending(end, until)
        )

    async def _live(self, session: Session, span: Span) -> None:
        start = self._journal.first_pending(span.start)
        if start >= span.end:
            session.abandon()
        else:
            session.begin(start, self._journal.replay_start(start), share_end=span.end)
            heard_end, session.trusted_until = self._journal.replay_end(span.end)
            session.cut(heard_end)
        moments = self._cutting.moments(session)
        with trio.move_on_after(max(0.0, moments.cut_by - self._clock.now())) as limit:
            await first_of(session.over, self._course.leaving)
        if limit.cancelled_caught:
            rule = await self._cutting.alone(session, moments)
        else:
            if not session.over.is_set():
                self._cutting.cut(session, session.sent)
            rule = await self._roster.see_off(session)
        with trio.move_on_after(await self._roster.delay_after(session, rule)):
            await self._course.leaving.wait()
