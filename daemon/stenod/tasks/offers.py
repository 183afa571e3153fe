"""What a provider makes of the audio that it is offered: words, nothing at all, or no headway.

Audio that nobody answers is kept and offered again; the provider counts as lost, and another one is asked where there
is one. Given up is only what a provider leaves unanswered that does answer other audio in between: that audio would
hold up its session for ever. So a provider that is silent costs no word, and a poisoned stretch does not pile up.
"""

from collections.abc import Sequence

from stenod.core import transport
from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.verdict import Rule
from stenod.providers.base import Event, Final, Heard, Partial
from stenod.tasks.journal import Journal
from stenod.tasks.provider import Provider
from stenod.tasks.session import Session
from stenod.tasks.session_records import SessionRecords

OFFERS_MAX = 2
"""So often audio is offered again to a provider that has answered other audio since it failed with this."""
UNHEARD = "the provider answers other audio, but never this, so it is given up"
UNHEARD_REMEDY = "listen to it where audio is kept (journal.keep_audio), and see the provider's status page"
HEADWAY_SECONDS = 5.0
"""Of audio that one session has settled: its provider is not silent."""
MUTE_SECONDS = 20.0
"""No service takes audio for so long without a word of anything. Deepgram ends such a session itself, after 30 s."""
STUCK_TIMES = 2
"""So many sessions that got no further than the one before are no accident: a person is told."""
STUCK_SUBJECT = "progress"
STUCK = "sessions end before anything of the same audio is final; it is kept, and heard again each time"
STUCK_REMEDY = "look at the network; where sessions end after a fixed time, set rotation.session_seconds_max below it"
PATIENCE_MAX = 4
"""So many times longer than usual is waited for, in the end: whoever is slow is not silent."""


class Offers:
    """One stream's offers to one provider."""

    def __init__(
        self, *, provider: Provider, journal: Journal, records: SessionRecords, clock: Clock, log: Log
    ) -> None:
        self._provider = provider
        self._journal = journal
        self._records = records
        self._clock = clock
        self._log = log
        self._unanswered_at = -1
        """Where audio begins that was offered without any answer."""
        self._again = 0
        """How often that was offered again with good reason to expect an answer."""
        self._failed_at = 0.0
        self._barren = 0
        """Sessions in a row that brought nothing."""
        self._stuck_times = 0
        self._stuck_at = -1
        """Where a session began that got nowhere: another one that gets no further was not healthy, however long."""

    def begin(self, session: Session) -> None:
        """Note what is known as a session is dialled; one after two that brought nothing is waited for longer."""
        session.offer.proven_at = self._provider.answered_at
        session.offer.patience = min(PATIENCE_MAX, 2 ** max(0, self._barren - 1))

    def answered(self, session: Session, events: Sequence[Event]) -> None:
        """Note an answer, where there is one among the events, and that there is headway.

        A word before it falls silent again is none: each session could begin so.
        """
        if any(isinstance(event, Partial | Final | Heard) for event in events):
            session.offer.answered = True
            self._provider.answered_at = self._clock.now()
            self._records.answered()
        if session.settled_samples >= HEADWAY_SECONDS * self._journal.rate:
            self._advanced()

    async def ended(self, session: Session, rule: Rule) -> None:
        """Draw the conclusions from a session that is over: what is told, and what is given up."""
        barren = session.sent > session.start and not session.settled_samples
        session.offer.stuck = barren and self._stuck_at == session.start
        self._stuck_at = session.start if barren else -1
        self._barren = self._barren + 1 if barren else 0
        if session.ended is not None and session.ended.complete:
            self._advanced()
        if _fell_silent(session, rule):
            self._provider.backoff.unanswered += 1
        await self._tell_progress(session)
        if barren and _left_unanswered(session, rule):
            await self._bound(session)

    def _advanced(self) -> None:
        self._provider.backoff.unanswered = 0
        self._records.advanced()

    async def _bound(self, session: Session) -> None:
        if session.start != self._unanswered_at:
            self._unanswered_at, self._again = session.start, 0
        elif session.offer.proven_at > self._failed_at:
            self._again += 1
        self._failed_at = self._clock.now()
        if self._again < OFFERS_MAX:
            return
        seconds = (session.sent - session.start) / self._journal.rate
        self._log.error("audio.unheard", dropped_seconds=round(seconds, 1), remedy=UNHEARD_REMEDY)
        await self._journal.give_up(session.start, session.sent)
        await self._records.tell("unheard", UNHEARD, UNHEARD_REMEDY)

    async def _tell_progress(self, session: Session) -> None:
        """Tell once that sessions get no further, and once that they do again; of silence, the provider's news tell."""
        if session.offer.stuck and not self._provider.backoff.silent:
            self._stuck_times += 1
            if self._stuck_times == STUCK_TIMES:
                await self._records.tell("stuck", STUCK, STUCK_REMEDY, subject=STUCK_SUBJECT)
        elif session.settled_samples:
            told, self._stuck_times = self._stuck_times >= STUCK_TIMES, 0
            if told:
                await self._records.tell("back", "words become final again", subject=STUCK_SUBJECT)


def _fell_silent(session: Session, rule: Rule) -> bool:
    """Whether it took audio and fell silent, or was silent to the end, whoever ended it."""
    mute = session.sent > session.start and not session.offer.answered and session.ready_seconds >= MUTE_SECONDS
    return mute or rule.name == transport.STALLED or _left_unanswered(session, rule)


def _left_unanswered(session: Session, rule: Rule) -> bool:
    """Whether nobody said anything of its audio. A connection that broke is no answer that failed to come."""
    assert session.ended is not None
    failure = session.ended.failure
    waited = rule.name in (transport.STALLED, transport.DRAIN_DEADLINE)
    closed = failure.asked and failure.close_code == transport.NORMAL and not session.ended.complete
    return session.sent > session.start and not session.offer.answered and (waited or closed)
