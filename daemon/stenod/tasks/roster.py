"""The roster: all providers in order of preference, and who opens the next session.

One provider is asked for as long as it takes. With several, one that refuses for good, or keeps dropping what it has
accepted, or cannot be reached for long, is out for a while and the next is asked; it serves only when it has accepted a
session, so an outage of the network itself moves nobody on. Whoever is preferred to the one that serves is asked
again when its time out is over (`better`), and taken back by a hand-over.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.verdict import Effect, Rule
from stenod.tasks.session import Session
from stenod.tasks.sessions import Alone, Fatal, Sessions, Unavailable

NEVER = math.inf
SUBJECT = "providers"
"""Of the status records about who serves."""
ALONE_SECONDS = 90.0
"""Services count openings by the minute: what is refused for longer is a second session as such."""
AWAY_FAILURES = 3
"""So many refusals in a row are no hiccup."""
SILENT_SECONDS = 300.0
"""To ask one again that accepts and says nothing costs captions half a minute each time."""


@dataclass(slots=True)
class _Place:
    """One provider's place."""

    sessions: Sessions
    out_until: float = 0.0
    silent_until: float = 0.0
    """The same as long as somebody else is to be had: it took audio and answered nobody."""
    fatal: Fatal | None = None

    @property
    def willing(self) -> bool:
        """Whether nothing speaks against it but a hiccup."""
        backoff = self.sessions.provider.backoff
        return self.fatal is None and not backoff.broken and backoff.failures < AWAY_FAILURES


class Roster:
    """What the supervisor knows of providers; the first is the preferred one."""

    def __init__(self, desks: Sequence[Sessions], *, clock: Clock, log: Log) -> None:
        assert desks
        self._places = [_Place(desk) for desk in desks]
        self._clock = clock
        self._log = log
        self._serving = 0
        self._away_since: float | None = None
        """Since when nobody has accepted a session."""
        self._probed = trio.Event()

    async def open(self, nursery: trio.Nursery, *, late: bool = False, reserved: bool = False) -> Session:
        """Return a session that is ready, of the first provider that has one, however long it takes.

        Raises `Fatal`; for one beside the live session (`late`) also `Alone`.
        """
        if late and len(self._places) == 1:
            return await self._beside(nursery, self._places[0].sessions)
        if len(self._places) == 1:
            return await self._places[0].sessions.open(nursery, reserved=reserved)
        while True:
            index = await self._next()
            session = await self._asked(nursery, index, late=late, reserved=reserved)
            if session is not None:
                await self._serve(index)
                return session
            if all(place.fatal is not None for place in self._places):
                raise self._refused_by_all()

    async def see_off(self, session: Session) -> Rule:
        """Wait for the session's end and its last words; record it; return its verdict."""
        return await self._of(session).sessions.see_off(session)

    async def delay_after(self, session: Session, rule: Rule) -> float:
        """Return how long to wait after an unplanned end; raises `Fatal` where nobody else could serve."""
        place = self._of(session)
        try:
            delay = place.sessions.delay_after(session, rule)
        except Fatal as fatal:
            if len(self._places) == 1:
                raise
            await self._refuse(place, fatal)
            if all(other.fatal is not None for other in self._places):
                raise self._refused_by_all() from fatal
            return 0.0
        backoff = place.sessions.provider.backoff
        if backoff.broken and len(self._places) > 1:
            self._out(place, delay)
            if backoff.silent:
                place.silent_until = self._clock.now() + SILENT_SECONDS
            return 0.0
        return delay

    @property
    def failing(self) -> bool:
        """Whether everybody's last attempt failed."""
        backoffs = [place.sessions.provider.backoff for place in self._places if place.fatal is None]
        return all(backoff.failures > 0 or backoff.silent for backoff in backoffs)

    def order(self, session: Session, *, after: Session) -> None:
        """Let the session's lines come out after those of its predecessor."""
        self._of(session).sessions.order(session, after=after)

    def reconfigure(self, session: Session) -> bool:
        """Let an open session go on with its provider's present settings; return whether that is possible."""
        return self._of(session).sessions.reconfigure(session)

    async def handed_over(self, session: Session) -> None:
        """Tell that a successor has taken over."""
        await self._of(session).sessions.records.handed_over(session)

    async def held(self, fatal: Fatal) -> float:
        """Tell that all wait for a person; return how long a holding service waits before it tries again."""
        if len(self._places) == 1:
            await self._refuse(self._places[0], fatal)
        return self._places[0].out_until - self._clock.now()

    def probe(self) -> None:
        """A person asks: try everybody again now."""
        for place in self._places:
            place.out_until = place.silent_until = 0.0
        probed, self._probed = self._probed, trio.Event()
        probed.set()

    def better_at(self) -> float:
        """When one that is preferred to the one that serves may be asked again."""
        return min((self._out_until(place) for place in self._places[: self._serving]), default=NEVER)

    async def better(self, nursery: trio.Nursery) -> Session | None:
        """Ask those who are preferred, once; return a session of the first that accepts."""
        for index, place in enumerate(self._places[: self._serving]):
            if self._out_until(place) <= self._clock.now():
                session = await self._asked(nursery, index, late=False, reserved=True)
                if session is not None:
                    await self._serve(index)
                    return session
        return None

    async def _beside(self, nursery: trio.Nursery, sessions: Sessions) -> Session:
        """Open a second session; where "too many" goes on for longer than openings are counted, there is none."""
        since: float | None = None
        while True:
            try:
                return await sessions.open(nursery, late=True, once=True)
            except Unavailable as unavailable:
                now = self._clock.now()
                since = now if since is None else since
                if unavailable.rule.effect is not Effect.FEWER_OPENINGS:
                    since = None
                elif now - since >= ALONE_SECONDS:
                    raise Alone from unavailable
                await trio.sleep(unavailable.delay_seconds)

    async def _next(self) -> int:
        """Wait for the first provider that may be asked; return its place."""
        while True:
            moments = [self._may_be_asked_at(index) for index in range(len(self._places))]
            now = self._clock.now()
            willing = [index for index, at in enumerate(moments) if at <= now]
            if willing:
                return willing[0]
            with trio.move_on_after(min(moments) - now):
                await self._probed.wait()

    def _may_be_asked_at(self, index: int) -> float:
        """When its time out is over, and those before it have been away for long enough, or are past hope."""
        place, before = self._places[index], self._places[:index]
        hopeless = all(other.fatal is not None or other.sessions.provider.backoff.broken for other in before)
        if index == 0 or (hopeless and not place.sessions.provider.last_resort):
            return self._out_until(place)
        if self._away_since is None:
            return NEVER
        return max(self._out_until(place), self._away_since + place.sessions.provider.steps_in_seconds)

    async def _asked(self, nursery: trio.Nursery, index: int, *, late: bool, reserved: bool) -> Session | None:
        """Ask one provider once; where it has none, it is out for as long as its verdict says."""
        place = self._places[index]
        if self._away_since is None:
            self._away_since = self._clock.now()
        try:
            return await place.sessions.open(nursery, late=late, reserved=reserved, once=True)
        except Fatal as fatal:
            await self._refuse(place, fatal)
        except Unavailable as unavailable:
            self._out(place, unavailable.delay_seconds)
        return None

    async def _serve(self, index: int) -> None:
        self._away_since = None
        self._places[index].fatal = None
        previous, self._serving = self._serving, index
        if index == previous:
            return
        before, now = (self._places[place].sessions.provider.dialect.name for place in (previous, index))
        self._log.warning("provider.changed", provider=now, before=before)
        told = self._places[index].sessions.records.tell
        await told("back" if index == 0 else "changed", f"{now} has taken over from {before}", subject=SUBJECT)

    async def _refuse(self, place: _Place, fatal: Fatal) -> None:
        place.fatal = fatal
        self._out(place, place.sessions.probe_seconds())
        rule, name = fatal.rule, place.sessions.provider.dialect.name
        self._log.error("provider.refused", provider=name, rule=rule.name, remedy=rule.remedy)
        await place.sessions.records.tell("fatal", rule.meaning, rule.remedy)

    def _out(self, place: _Place, seconds: float) -> None:
        place.out_until = self._clock.now() + seconds

    def _out_until(self, place: _Place) -> float:
        """When it may be asked again; a silent one sooner where nobody else is to be had."""
        if any(other is not place and other.willing for other in self._places):
            return max(place.out_until, place.silent_until)
        return place.out_until

    def _refused_by_all(self) -> Fatal:
        """Everybody has had their say: whoever waits for a person tries all of them again."""
        fatal = self._places[0].fatal
        assert fatal is not None
        for place in self._places[1:]:
            place.fatal, place.out_until = None, 0.0
        self._places[0].fatal = self._away_since = None
        return fatal

    def _of(self, session: Session) -> _Place:
        return next(place for place in self._places if place.sessions.provider.dialect.name == session.dialect.name)
