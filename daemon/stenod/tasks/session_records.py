"""What is told of sessions and their provider: records in the outbox, and one log line each.

A session is told when it is ready, has handed over, and has ended; its provider when it is lost or refuses, and when it
is back. Nothing is decided here but whether a person has been told already. No text that leaves here carries the key.
With the first record of a session its account is opened, and with its last one closed.
"""

from functools import partial

from stenod.core import records, transport
from stenod.core.accounts import Account
from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.troubles import GOOD_NEWS
from stenod.core.verdict import Failure, Rule, Severity
from stenod.tasks.journal import Journal
from stenod.tasks.provider import Provider
from stenod.tasks.session import Session

LOST_AFTER_FAILURES = 2
"""One refusal is a hiccup, and only for the log."""
MASK = "****"
SUBJECT = "provider"
UNANSWERED = (
    transport.PING_DEADLINE,
    transport.SEND_DEADLINE,
    transport.STALLED,
    transport.DRAIN_DEADLINE,
    transport.OVERSIZED,
)
"""Ends of ours that a provider may not have heard of."""
COST_DIGITS = 6
"""A second of a cheap service costs some hundred thousandths."""


class SessionRecords:
    """Tells of one provider's sessions."""

    def __init__(self, *, provider: Provider, journal: Journal, clock: Clock, log: Log) -> None:
        self._provider = provider
        self._journal = journal
        self._clock = clock
        self._log = log
        self._lost = False
        """The reader of this stream was told that the provider is away."""

    async def ready(self, session: Session) -> None:
        """Tell that the session is ready, and that its provider is back where it was lost."""
        self._log.info(
            "session.opened",
            session=session.name,
            provider_session=session.provider_session,
            opening_seconds=round(self._clock.now() - session.dialled_at, 3),
            late=session.late,
        )
        await self._write(session, "ready", None)
        if self._provider.backoff.silent:
            return  # It had accepted before, and said nothing: only an answer is news.
        if self._lost:
            await self.tell("back", f"{self._provider.dialect.name} is back")

    def answered(self) -> None:
        """The provider says something: tell that it is back where an earlier run had lost it."""
        if self._journal.mended(SUBJECT):
            self._note_back()

    def advanced(self) -> None:
        """The provider's words settle audio: tell that it is back where it was silent."""
        if self._lost:
            self._note_back()

    def _note_back(self) -> None:
        self._lost = False
        self._journal.note(self._status("back", f"{self._provider.dialect.name} answers again"))

    async def handed_over(self, session: Session) -> None:
        """Tell that a successor has taken over."""
        await self._write(session, "handed-over", None)

    async def ended(self, session: Session, rule: Rule) -> None:
        """Tell how the session ended, and that its provider is lost where it has failed repeatedly."""
        account = await self._write(session, "ended", rule)
        as_asked = session.ended is not None and session.ended.complete
        backoff = self._provider.backoff
        away = backoff.failures >= LOST_AFTER_FAILURES or backoff.silent
        if away and not self._lost and not as_asked:
            await self.tell("lost", f"{self._provider.dialect.name}: {rule.meaning}", rule.remedy)
        self._log_end(session, rule, account)

    async def tell(self, state: str, reason: str, remedy: str = "", *, subject: str = SUBJECT) -> None:
        """Write a status record about the provider, or about another subject."""
        if subject == SUBJECT:
            self._lost = state not in GOOD_NEWS
        await self._journal.commit([self._status(state, reason, remedy, subject)])

    def masked(self, text: str) -> str:
        """Return the text without the key, whatever the peer echoes."""
        return text.replace(self._provider.key, MASK) if self._provider.key else text

    def _status(self, state: str, reason: str, remedy: str = "", subject: str = SUBJECT) -> records.Status:
        at = records.rfc3339(self._clock.wall())
        return records.Status(
            stream=self._journal.stream, at=at, subject=subject, state=state, reason=reason, remedy=remedy
        )

    async def _write(self, session: Session, event: str, rule: Rule | None) -> Account:
        ended = session.ended
        failure = ended.failure if ended is not None else None
        account = self._account(session, rule)
        billed = None if ended is None else account
        record = records.Session(
            stream=self._journal.stream,
            session=session.name,
            provider=self._provider.dialect.name,
            provider_session=session.provider_session,
            event=event,
            at=records.rfc3339(self._clock.wall()),
            code=account.code,
            reason=None if failure is None else self.masked(failure.text) or None,
            verdict=account.verdict,
            audio_seconds=None if ended is None else round(ended.audio_seconds, 3),
            billed_seconds=None if billed is None else round(billed.billed_seconds, 3),
            cost=None if billed is None or billed.cost is None else round(billed.cost, COST_DIGITS),
        )
        self._journal.account(session.name, partial(self._account, session, rule))
        await self._journal.commit([record])
        return account

    def _account(self, session: Session, rule: Rule | None) -> Account:
        """Return the session's account as it stands; of one that is open, as if it were lost now."""
        now, wall, ended = self._clock.now(), self._clock.wall(), session.ended
        open_seconds = session.ready_seconds if ended is None else ended.ready_seconds
        billing = session.dialect.billing
        billed_seconds = billing.billed_seconds(
            open_seconds=open_seconds,
            audio_seconds=session.sent_map.seconds,
            said_seconds=None if ended is None else ended.billed_seconds,
            orphaned=session.ready.is_set() and (ended is None or _orphaned(ended.failure)),
        )
        ready_at = wall - session.ready_seconds if session.ready.is_set() else None
        failure = None if ended is None else ended.failure
        return Account(
            name=session.name,
            provider=session.dialect.name,
            opened_at=wall - (now - session.dialled_at),
            ready_at=ready_at,
            alive_at=wall,
            ended_at=None if ended is None else wall if ready_at is None else ready_at + open_seconds,
            audio=session.sent_map.sent,
            overlap=session.sent_map.before(session.start),
            billed_seconds=billed_seconds,
            cost=billing.cost(billed_seconds),
            verdict=None if rule is None else rule.verdict.value,
            code=None if failure is None else failure.http_status or failure.close_code,
        )

    def _log_end(self, session: Session, rule: Rule, account: Account) -> None:
        assert session.ended is not None
        failure = session.ended.failure
        level = self._log.info if rule.severity is Severity.NORMAL else self._log.warning
        level(
            "session.ended",
            session=session.name,
            phase=failure.phase.value,
            code=failure.close_code,
            http_status=failure.http_status,
            reason=self.masked(failure.text),
            rule=rule.name,
            verdict=rule.verdict.value,
            ready_seconds=round(session.ended.ready_seconds, 3),
            audio_seconds=round(session.ended.audio_seconds, 3),
            billed_seconds=round(account.billed_seconds, 3),
            cost=None if account.cost is None else round(account.cost, COST_DIGITS),
            settled_seconds=round(session.settled_samples / self._journal.rate, 3),
            lag_seconds=round(self._journal.lag_seconds, 3),
            notices=session.notices.counts or None,
        )


def _orphaned(failure: Failure) -> bool:
    """Whether the provider may not know that it is over: nothing came through any more, a goodbye neither."""
    if failure.local:
        return failure.text.startswith(UNANSWERED)
    return failure.close_code == transport.ABNORMAL
