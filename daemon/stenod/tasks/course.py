"""The course of the live session: where its share begins, and whether we are leaving. Shared by all who move it."""

import trio

from stenod.core.clock import Clock
from stenod.core.timeline import FOREVER
from stenod.tasks.journal import Journal
from stenod.tasks.session import Session
from stenod.tasks.waiting import first_of


class Course:
    """`live`: audio that is not captured now is lost. `in_order`: lines are wanted in time order, not at once."""

    def __init__(self, journal: Journal, clock: Clock, *, live: bool, in_order: bool = False) -> None:
        self.live = live
        self._in_order = in_order
        self.floor = journal.transcribed_end
        """Where the live session's share begins; what is pending before it is late."""
        self.leaving = trio.Event()
        self.up = trio.Event()
        """A live session is transcribing: replaced when it is lost."""
        self.probed = trio.Event()
        """A person asks to try again what was refused: set once, then another event takes its place."""
        self.session: Session | None = None
        """The live session."""
        self.alone = trio.Event()
        """The provider takes one session at a time."""
        self.state = "starting"
        """In words for a person."""
        self.turned_at = clock.now()
        """When it last took a turn, for the watchdog."""
        self._journal = journal
        self._clock = clock

    @property
    def beside(self) -> bool:
        """Whether a session may work behind the live one: an old one that is drained, or one on the backlog."""
        return self.live and not self._in_order and not self.alone.is_set()

    @property
    def unsent_seconds(self) -> float:
        """How much is pending that the live session has not been sent."""
        journal, session = self._journal, self.session
        heard = [] if session is None else journal.pending(session.start, max(session.start, session.sent))
        return journal.pending_seconds() - sum(span.count for span in heard) / journal.rate

    def turn(self, state: str) -> None:
        """Note what is being done now."""
        self.state = state
        self.turned_at = self._clock.now()

    def probe(self) -> None:
        """Try again now whatever is held."""
        probed, self.probed = self.probed, trio.Event()
        probed.set()

    def begin(self, session: Session, start: int, replay: int | None = None) -> None:
        """Give a live session its share; where no quiet lies before it, with some overlap."""
        session.begin(start, self._journal.replay_start(start) if replay is None else replay)
        self.session = session
        self.turn(f"transcribing with {session.dialect.name}")
        self.up.set()

    def lost(self) -> None:
        """No live session is transcribing any more."""
        self.session = None
        if self.up.is_set():
            self.up = trio.Event()

    async def wait(self, session: Session, *events: trio.Event) -> None:
        """Wait for one of the events, the session's end or leave; when the audio ends, tell the session where."""
        if not self._journal.finished:
            await first_of(*events, session.over, self.leaving, self._journal.ended)
        if self._journal.finished and not any(event.is_set() for event in events):
            if session.end == FOREVER:
                session.cut(max(self._journal.tail, session.sent))
            await first_of(*events, session.over, self.leaving)

    def done(self) -> bool:
        """Whether nothing is left for a live session."""
        finished = self._journal.finished and self._journal.first_pending(self.floor) >= self._journal.tail
        return finished or self.leaving.is_set()
