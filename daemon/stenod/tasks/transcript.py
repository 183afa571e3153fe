"""The transcript: what the sessions said becomes records and settled spans, once, durably and in order.

One task takes the events of all sessions from one bounded queue. A batch of events that came in one message is one
transaction: a final and the audio that it accounts for are never apart (law 3). A successor's batches wait until its
predecessor has ended, so that lines come in time order; their audio stays pending meanwhile, so a crash loses nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from stenod.core import records
from stenod.core.records import Record
from stenod.core.timeline import FOREVER, Cause, State
from stenod.core.turns import LOST_SECONDS, PlacedWord, in_order, parted, place, scoped
from stenod.providers.base import Event, Final, Heard, Partial, Revision, SpokenWord
from stenod.tasks.journal import Journal
from stenod.tasks.session import Session
from stenod.tasks.sewing import Sewing

QUEUE_MAX = 10_000
REMEMBERED_TURNS = 30
REVISABLE_MAX = 1_000
"""Turns of one session whose record may still be corrected."""

Settlement = tuple[int, int, State, Cause | None]


class TranscriptBehind(Exception):
    """The queue is full: the disk has not taken a commit for a long time."""


@dataclass(slots=True)
class _Seat:
    """What the transcript keeps of one session."""

    session: Session
    sewing: Sewing
    predecessor: str | None
    closed: trio.Event = field(default_factory=trio.Event)
    closing: bool = False
    waiting: list[list[Event]] = field(default_factory=list)
    identities: dict[int, str] = field(default_factory=dict)
    """Turn to the id of its last record, for revisions."""
    earliest: int = 0
    """Starts are in order within a session."""
    accounts_from: int = FOREVER
    """Where its words begin that lie before its share, and that nobody else has said: they are accounted for too."""


class Transcript:
    """`partials` takes the line of a partial at once, and None when the last one is overtaken by its final."""

    def __init__(self, journal: Journal, partials: Callable[[bytes | None], None] | None = None) -> None:
        self._journal = journal
        self._partials = partials
        self._send, self._receive = trio.open_memory_channel[tuple[str, list[Event] | None]](QUEUE_MAX)
        self._seats: dict[str, _Seat] = {}
        self._latest = 0
        """The last start that was printed; live lines come in time order."""
        self.last_final_at: str | None = None
        """When the last turn ended, in UTC."""

    def expect(self, session: Session, predecessor: Session | None = None) -> None:
        """Announce a session; its lines come out when the predecessor's are all out."""
        name = predecessor.name if predecessor is not None and predecessor.name in self._seats else None
        seat = self._seats.get(session.name)
        if seat is None:
            self._seats[session.name] = _Seat(session, Sewing(session, self._journal), name)
        else:
            seat.predecessor = name

    def deliver(self, session: Session, events: list[Event]) -> None:
        """Take events, in order; never blocks."""
        try:
            self._send.send_nowait((session.name, events))
        except trio.WouldBlock:
            message = f"{QUEUE_MAX} batches wait for the disk"
            raise TranscriptBehind(message) from None

    async def close(self, session: Session) -> None:
        """Return when all that the session said is durable. Idempotent."""
        seat = self._seats.get(session.name)
        if seat is not None:
            await self._send.send((session.name, None))
            await seat.closed.wait()

    async def run(self) -> None:
        """Work for ever."""
        await self._remember()
        async for name, events in self._receive:
            seat = self._seats.get(name)
            if seat is None:
                continue
            if events is None:
                seat.closing = True
            else:
                self._show_partials(seat, events)
                seat.waiting.append(events)
            await self._release(seat)

    async def _release(self, seat: _Seat) -> None:
        """Commit what waits for nobody, and then whoever waited for this session."""
        if seat.predecessor is not None:
            return
        waiting, seat.waiting = seat.waiting, []
        for events in waiting:
            await self._commit(seat, events)
        if not seat.closing:
            return
        del self._seats[seat.session.name]
        seat.closed.set()
        for other in list(self._seats.values()):
            if other.predecessor == seat.session.name:
                other.predecessor = None
                await self._release(other)

    async def _commit(self, seat: _Seat, events: Sequence[Event]) -> None:
        """One message, one transaction."""
        session = seat.session
        new: list[Record] = []
        turns: list[int | None] = []
        settle: list[Settlement] = []
        for event in events:
            match event:
                case Final():
                    finals = await self._finals(seat, event)
                    new += finals
                    # No record of a turn in parts can be revised as a whole.
                    turns += [event.turn] if len(finals) == 1 else [None] * len(finals)
                case Heard():
                    settle += self._settlements(seat, event)
                case Revision() if event.turn in seat.identities:
                    identity = seat.identities[event.turn]
                    speakers = tuple(scoped(session.name, speaker) for speaker in event.speakers)
                    new.append(records.Revision(stream=self._journal.stream, revises=identity, speakers=speakers))
                    turns.append(event.turn)
                case _:
                    pass
        if not new and not settle:
            return
        written, settled = await self._journal.commit(new, settle)
        session.settled_samples += settled
        for turn, record in zip(turns, written, strict=True):
            if isinstance(record, records.Final):
                if turn is not None:
                    seat.identities[turn] = record.id
                self.last_final_at = record.ended_at
        while len(seat.identities) > REVISABLE_MAX:
            del seat.identities[next(iter(seat.identities))]

    def _settlements(self, seat: _Seat, event: Heard) -> list[Settlement]:
        """What is transcribed now: never what a cut may have halved, nor what others account for."""
        session = seat.session
        spans = session.sent_map.covered(event.until)
        first, limit = min(session.start, seat.accounts_from), min(session.trusted_until, session.share_end)
        trusted = [(max(span.start, first), min(span.end, limit)) for span in spans]
        return [(start, end, State.TRANSCRIBED, None) for start, end in trusted if start < end]

    async def _finals(self, seat: _Seat, event: Final) -> list[records.Final]:
        """Return the record of a turn, without what is printed already and what the successor says whole.

        Where audio was lost in its midst, there is one for each side: nobody has said both in one breath.
        """
        placed = self._placed(seat, event.words)
        seat.earliest = placed[-1].start
        words = tuple(word for word in placed if word.end <= seat.session.trusted_until)
        kept, doubtful = await seat.sewing.sew(words)
        if not kept:
            return []
        # Its first word may be padded: only from its end on is all that was heard printed.
        seat.accounts_from = min(seat.accounts_from, kept[0].end)
        least = round(LOST_SECONDS * self._journal.rate)
        lost = [gap for gap in self._journal.gaps(kept[0].start, kept[-1].end) if gap.count >= least]
        return [
            self._record(seat, part, event, event.text if part == placed else None, doubtful=doubtful)
            for part in parted(kept, lost)
        ]

    def _record(
        self, seat: _Seat, words: Sequence[PlacedWord], event: Final, text: str | None, *, doubtful: bool
    ) -> records.Final:
        """`text`: as the provider has put it, where these are all its words."""
        if text is None:
            text = " ".join(word.text for word in words)
        # A padded line ends after the one before it has begun. This one is of an earlier time, and keeps it.
        late = seat.session.late or words[-1].end < self._latest
        if not late:
            words = in_order(words, self._latest)
            self._latest = max(self._latest, words[-1].start)
        return records.Final(
            **self._turn(seat, words, event, text, late=late),
            doubtful=doubtful,
            recovered=self._journal.recovered(words[0].start),
        )

    async def _remember(self) -> None:
        """Take up the last start that an earlier run printed live."""
        for line in await self._journal.recent(REMEMBERED_TURNS):
            record = records.parsed(line)
            self.last_final_at = record["ended_at"]
            if not record["late"]:
                self._latest = max(self._latest, round(record["words"][-1]["start"] * self._journal.rate))

    def _show_partials(self, seat: _Seat, events: Sequence[Event]) -> None:
        if self._partials is None:
            return
        for event in events:
            if isinstance(event, Final):
                self._partials(None)
            elif isinstance(event, Partial) and event.words:
                words = self._placed(seat, event.words)
                self._partials(
                    records.line(records.Partial(**self._turn(seat, words, event, event.text, late=seat.session.late)))
                )

    def _placed(self, seat: _Seat, words: Sequence[SpokenWord]) -> tuple[PlacedWord, ...]:
        session = seat.session
        earliest = max(seat.earliest, session.sent_map.origin)
        return place(words, session.sent_map.position, earliest=earliest, session=session.name)

    def _turn(
        self, seat: _Seat, words: Sequence[PlacedWord], event: Final | Partial, text: str, *, late: bool
    ) -> dict[str, Any]:
        """Return the fields that finals and partials share."""
        rate = self._journal.rate
        return {
            "stream": self._journal.stream,
            **self._journal.times(words[0].start, max(word.end for word in words)),
            "text": text,
            "words": tuple(
                records.Word(
                    text=word.text,
                    start=round(word.start / rate, 3),
                    end=round(word.end / rate, 3),
                    confidence=word.confidence,
                    speaker=word.speaker,
                )
                for word in words
            ),
            "language": event.language,
            "provider": seat.session.dialect.name,
            "session": seat.session.name,
            "late": late,
        }
