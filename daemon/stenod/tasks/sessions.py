"""Opening sessions and judging their ends, for one provider.

Every opening goes through the budget and every failure through the provider's table; the delays come from
`core.backoff`, the loop around an opening from the handed-in retry. What is told of it is `session_records`' part. What
the supervisor gets is a session that is ready, or `Fatal`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

import trio

from stenod.core.backoff import HEALTHY_SECONDS
from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.pacing import RateRule
from stenod.core.verdict import Effect, Failure, Rule, Severity, Verdict, judge
from stenod.providers.base import Event
from stenod.tasks.entrance import Fetch
from stenod.tasks.hush import Hush
from stenod.tasks.journal import Journal
from stenod.tasks.link import Connect
from stenod.tasks.offers import Offers
from stenod.tasks.provider import Provider
from stenod.tasks.session import Session
from stenod.tasks.session_options import SessionOptions
from stenod.tasks.session_records import SessionRecords
from stenod.tasks.transcript import Transcript
from stenod.tasks.waiting import first_of

SLOWER_RATE_RATIO = 1.02
"""After a rate verdict. At exactly 1.0 a session that is late once is late for good, and a device clock that is a
little fast makes it later every hour."""
HEALTHY_BUDGET_SECONDS = 60.0


class Fatal(Exception):
    """The provider refuses until a person acts."""

    def __init__(self, rule: Rule, text: str) -> None:
        super().__init__(rule.meaning)
        self.rule = rule
        self.text = text


class OpeningFailed(Exception):
    """One attempt to open a session failed."""

    def __init__(self, rule: Rule, text: str) -> None:
        super().__init__(text)
        self.rule = rule
        self.text = text


class Unavailable(Exception):
    """The provider has no session now; it may in so many seconds."""

    def __init__(self, rule: Rule, delay_seconds: float) -> None:
        super().__init__(rule.meaning)
        self.rule = rule
        self.delay_seconds = delay_seconds


class Alone(Exception):
    """The provider takes no second session beside the live one."""


class UntilOpen(Protocol):
    """See `edge.retry.until_open`."""

    async def __call__(
        self,
        attempt: Callable[[], Awaitable[Session]],
        *,
        failures: type[Exception],
        delay: Callable[[Exception], float | None],
    ) -> Session: ...


class Sessions:
    """Opens, judges and records the sessions of one provider. They run in the nursery that is handed to `open`."""

    def __init__(
        self,
        *,
        provider: Provider,
        journal: Journal,
        transcript: Transcript,
        options: SessionOptions,
        clock: Clock,
        connect: Connect,
        fetch: Fetch,
        until_open: UntilOpen,
        log: Log,
        hush: Hush | None = None,
    ) -> None:
        self.provider = provider
        self._journal = journal
        self._transcript = transcript
        self._options = options
        self._clock = clock
        self._connect = connect
        self._fetch = fetch
        self._until_open = until_open
        self._log = log
        self._hush = hush
        self.records = SessionRecords(provider=provider, journal=journal, clock=clock, log=log)
        """What is told of them."""
        self._offers = Offers(provider=provider, journal=journal, records=self.records, clock=clock, log=log)
        self._last_rule = ""
        """How the stream's last session ended: what may happen once may happen to each stream once."""

    async def open(
        self, nursery: trio.Nursery, *, late: bool = False, reserved: bool = False, once: bool = False
    ) -> Session:
        """Return a session that is ready, however long it takes; raises `Fatal`.

        `reserved`: a hand-over, which has a place of its own in the budget. `once`: try once, and raise `Unavailable`
        with the delay that is due before another try.
        """

        async def attempt() -> Session:
            budget, backoff = self.provider.budget, self.provider.backoff
            while True:
                if (wait := budget.wait_seconds(self._clock.now(), reserved=reserved)) > 0:
                    self._log.info("opening.delayed", delay_seconds=round(wait, 3), reason="budget")
                elif not (wait := backoff.wait_seconds(self._clock.now())):
                    break
                await trio.sleep(wait)
            budget.take(self._clock.now())
            backoff.attempted(self._clock.now())
            return await self._attempt(nursery, late)

        try:
            delay = (lambda _: None) if once else self._delay
            return await self._until_open(attempt, failures=OpeningFailed, delay=delay)
        except OpeningFailed as failed:
            after = self._delay(failed)
            if after is not None:
                raise Unavailable(failed.rule, after) from failed
            raise Fatal(failed.rule, failed.text) from failed

    async def see_off(self, session: Session) -> Rule:
        """Wait for the session's end and its last words; record it; return its verdict."""
        await session.over.wait()
        await self._transcript.close(session)
        assert session.ended is not None
        failure = session.ended.failure
        rule = self._judged(failure, session.ended.ready_seconds)
        await self._offers.ended(session, rule)
        self._refill(session)
        await self.records.ended(session, rule)
        return rule

    def delay_after(self, session: Session, rule: Rule) -> float:
        """Return how long to wait after an unplanned end; raises `Fatal`."""
        assert session.ended is not None
        if rule.verdict is Verdict.FATAL:
            raise Fatal(rule, self.records.masked(session.ended.failure.text))
        delay = self.provider.backoff.ended(
            self._clock.now(),
            rule.verdict,
            ready_seconds=self._healthy_seconds(session),
            progressed=session.settled_samples > 0,
        )
        self._log.info("retry.scheduled", delay_seconds=round(delay, 3), rule=rule.name)
        return delay

    def probe_seconds(self) -> float:
        """Return how long a holding service waits before it tries a fatal provider again."""
        return self.provider.backoff.probe()

    def reconfigure(self, session: Session) -> bool:
        """Let an open session go on with the provider's present settings; return whether that is possible."""
        if not session.reconfigure(self.provider.dialect, self.provider.key):
            return False
        self._log.info("session.reconfigured", session=session.name)
        return True

    def order(self, session: Session, *, after: Session) -> None:
        """Let the session's lines come out after those of its predecessor."""
        self._transcript.expect(session, after)

    async def _attempt(self, nursery: trio.Nursery, late: bool) -> Session:
        session = self._new_session(late)
        self._transcript.expect(session)
        nursery.start_soon(session.run)
        try:
            await first_of(session.ready, session.over)
        except BaseException:
            # Cancelled, perhaps within a group: nobody will ever want this session.
            session.abandon()
            raise
        if not session.ready.is_set():
            self.provider.budget.refund()
            rule = await self.see_off(session)
            assert session.ended is not None
            raise OpeningFailed(rule, self.records.masked(session.ended.failure.text))
        await self.records.ready(session)
        return session

    def _delay(self, error: Exception) -> float | None:
        """Decide about the next attempt: seconds, or None to give up."""
        assert isinstance(error, OpeningFailed)
        if error.rule.verdict is Verdict.FATAL:
            return None
        delay = self.provider.backoff.refused(self._clock.now())
        self._log.info("retry.scheduled", delay_seconds=round(delay, 3), rule=error.rule.name)
        return delay

    def _judged(self, failure: Failure, ready_seconds: float) -> Rule:
        """Look the failure up, and apply what it changes beyond the wait. Healthy time separates repetitions."""
        provider = self.provider
        rule = judge(failure, provider.dialect.rules)
        healthy = ready_seconds >= HEALTHY_SECONDS
        repeated = rule.name == self._last_rule and not healthy
        known = rule.name == provider.last_rule and not healthy
        self._last_rule = provider.last_rule = rule.name
        match rule.effect:
            case Effect.SLOWER:
                provider.rate_ratio_max = SLOWER_RATE_RATIO
            case Effect.FEWER_OPENINGS if not known:
                provider.budget.halve()
            case Effect.ONCE | Effect.NEW_TOKEN if repeated:
                return final(rule)
            case _:
                pass
        return rule

    def _refill(self, session: Session) -> None:
        """Healthy time clears the record, however the session ended."""
        assert session.ended is not None
        if self._healthy_seconds(session) >= HEALTHY_SECONDS:
            self.provider.backoff.clear()
        if session.ended.ready_seconds >= HEALTHY_BUDGET_SECONDS:
            self.provider.budget.restore()

    def _healthy_seconds(self, session: Session) -> float:
        """How long it was healthy: not at all where it, like the one before, got no further with the same audio."""
        assert session.ended is not None
        seconds = session.ended.ready_seconds
        return 0.0 if session.offer.stuck and seconds < HEALTHY_BUDGET_SECONDS else seconds

    def _new_session(self, late: bool) -> Session:
        session = Session(
            name=self._journal.new_session(),
            dialect=self.provider.dialect,
            key=self.provider.key,
            journal=self._journal,
            options=self._options,
            rate_rule=RateRule(min(self.provider.rate_ratio_max, self.provider.dialect.limits.rate_ratio_max)),
            clock=self._clock,
            connect=self._connect,
            fetch=self._fetch,
            deliver=self._deliver,
            log=self._log,
            late=late,
            hush=None if late else self._hush,
        )
        self._offers.begin(session)
        return session

    def _deliver(self, session: Session, events: list[Event]) -> None:
        self._offers.answered(session, events)
        self._transcript.deliver(session, events)


def final(rule: Rule) -> Rule:
    """Return the rule as a fatal one: what it allowed once has happened twice."""
    return replace(rule, verdict=Verdict.FATAL, severity=Severity.ERROR)
