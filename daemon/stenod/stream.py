"""One stream's task tree: who runs beside whom, and the order of going down.

    base          journal's upkeep, transcript, printer
      capture     the source, until it ends or we stop
      supervisor  the sessions, until all is transcribed, a person must act, or the drain is over

Stopping: capture ends first, what it had is in the journal; the supervisor sends what is left and takes the last words
within `drain_seconds`; then the printer empties the outbox; then everything else ends.

It knows the tasks, gets everything that touches the world handed in (`assembly` builds the real parts), and knows no
other stream: what the process has once (signals, the service manager) is `app`'s.
"""

from collections.abc import Callable
from dataclasses import dataclass

import trio

from stenod.core.clock import Clock
from stenod.core.health import Device, Held, StreamHealth
from stenod.core.log import Log
from stenod.core.reader import ReaderGone
from stenod.tasks.capture import Capture
from stenod.tasks.journal import Journal
from stenod.tasks.printer import Printer
from stenod.tasks.sessions import Fatal
from stenod.tasks.supervisor import Supervisor
from stenod.tasks.transcript import Transcript

SYNC_SECONDS = 1.0
STUCK_SECONDS = 30.0
"""A live source whose audio has not grown for this long, or is not being reopened, is stuck."""
SECONDS_TOLD_MAX = 120.0
"""Longer is told in minutes, and sixty times as long in hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that the tree consists of."""

    journal: Journal
    capture: Capture | None
    """None: nothing is recorded, only what the journal holds is transcribed."""
    transcript: Transcript
    printer: Printer
    supervisor: Supervisor
    clock: Clock
    log: Log
    drain_seconds: float
    sync_seconds: float = SYNC_SECONDS
    output_trouble: Callable[[], tuple[str, str]] = lambda: ("", "")
    """Why lines wait, and what a person can do."""


class Stream:
    """One stream. `run` once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.fatal: Fatal | None = None
        """Why a person must act, where that ended it."""
        self.reader_gone = False
        self.ended = False
        """Its tree is down."""
        self._stopping = trio.Event()
        self._capture_scope = trio.CancelScope()
        self._supervisor_scope = trio.CancelScope()
        self._printer_scope = trio.CancelScope()
        self._printed = trio.Event()

    @property
    def name(self) -> str:
        """As in its records."""
        return self._parts.journal.stream

    @property
    def reached(self) -> trio.Event:
        """Set when a session takes its audio, or is held."""
        return self._parts.supervisor.reached

    @property
    def healthy(self) -> bool:
        """Whether capture is turning. Sessions may fail for days: that is not what a restart would mend."""
        capture = self._parts.capture
        if capture is None or not capture.live or self._stopping.is_set() or self._parts.journal.finished:
            return True
        return self._parts.clock.now() - capture.turned_at < STUCK_SECONDS

    @property
    def trouble(self) -> tuple[bool, float]:
        """How badly it does, to be compared: whether nobody transcribes it, and how much waits, in seconds."""
        return not (self._parts.supervisor.up or self.ended), self._parts.journal.lag_seconds

    @property
    def state(self) -> str:
        """In words for a person, the worst first."""
        capture = self._parts.capture
        words = [
            self._parts.supervisor.state.rstrip("."),
            f"{_length(self._parts.journal.pending_seconds())} to be transcribed",
        ]
        if capture is not None and capture.lost and not self._stopping.is_set():
            words.insert(0, f"nothing is recorded: {capture.lost}")
        trouble, _ = self._disk_trouble
        if trouble:
            words.insert(0, trouble)
        return ("stopping; " if self._stopping.is_set() else "") + "; ".join(words)

    @property
    def stop_seconds_max(self) -> float:
        """How long `stop` may take: for the last words, then for a reader of the output."""
        return 2 * self._parts.drain_seconds

    @property
    def health(self) -> StreamHealth:
        """How it is, for whoever asks."""
        capture, supervisor, journal = self._parts.capture, self._parts.supervisor, self._parts.journal
        reason, remedy = self._disk_trouble
        session, fatal = supervisor.session, supervisor.held or self.fatal
        return StreamHealth(
            name=self.name,
            alive=self.healthy,
            up=supervisor.up or self.ended,
            state="ended" if self.ended else supervisor.state,
            device=Device.NONE if capture is None else capture.device,
            provider=None if session is None else session.dialect.name,
            session=None if session is None else session.name,
            lag_seconds=round(journal.lag_seconds, 3),
            pending_seconds=round(journal.pending_seconds(), 3),
            held=None if fatal is None else Held(reason=fatal.rule.meaning, remedy=fatal.rule.remedy),
            disk=Held(reason=reason, remedy=remedy) if reason else None,
            last_final_at=self._parts.transcript.last_final_at,
        )

    @property
    def _disk_trouble(self) -> tuple[str, str]:
        """What is lost or waits because of a disk, and what a person can do; the worse where there are two."""
        found = self._parts.journal.trouble
        return found if found[0] else self._parts.output_trouble()

    async def run(self, leave: Callable[[str], None]) -> None:
        """Run to the end; raises `SourceError` where the source needs a person, and defects.

        `leave` is called with a reason where every stream of the process should stop, this one included.
        """
        parts = self._parts
        async with trio.open_nursery() as base:
            base.start_soon(parts.transcript.run)
            base.start_soon(self._print, leave)
            base.start_soon(parts.journal.maintain, parts.sync_seconds)
            await self._work()
            await parts.journal.flush()
            parts.printer.finish()
            with self._printer_scope:
                await self._printed.wait()
            base.cancel_scope.cancel()
        self.ended = True

    def stop(self) -> None:
        """Stop recording, take the last words, end. Idempotent."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._capture_scope.cancel()
        capture, supervisor = self._parts.capture, self._parts.supervisor
        # In vain, waiting would only keep the next run from recording, which transcribes the rest.
        if capture is None or not capture.live or supervisor.in_vain(self._parts.drain_seconds):
            supervisor.leave()
        now = trio.current_time()
        self._supervisor_scope.deadline = now + self._parts.drain_seconds
        # A reader that takes nothing must not hold up whoever stops us; what it did not take stays in the outbox.
        self._printer_scope.deadline = now + self.stop_seconds_max

    def renew(self) -> None:
        """The provider's settings have changed."""
        self._parts.supervisor.renew()

    def probe(self) -> None:
        """Try again now whatever was refused."""
        self._parts.supervisor.probe()

    async def _work(self) -> None:
        """Record and transcribe, until both are over."""
        async with trio.open_nursery() as work:
            work.start_soon(self._record)
            await self._first_audio()
            with self._supervisor_scope:
                self.fatal = await self._parts.supervisor.run()
            self._capture_scope.cancel()

    async def _record(self) -> None:
        with self._capture_scope:
            if self._parts.capture is not None:
                await self._parts.capture.run()
        self._parts.journal.finish()

    async def _first_audio(self) -> None:
        """No session is opened (and paid for) before there is something to transcribe."""
        journal = self._parts.journal
        while journal.cursor >= journal.tail and not journal.finished:
            await journal.pulse().wait()

    async def _print(self, leave: Callable[[str], None]) -> None:
        try:
            await self._parts.printer.run()
        except ReaderGone:
            self.reader_gone = True
            leave("the reader of the output has gone")
        finally:
            self._printed.set()


def _length(seconds: float) -> str:
    """Return a length of time as a person says it."""
    if seconds < SECONDS_TOLD_MAX:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 60 * SECONDS_TOLD_MAX else f"{seconds / 3600:.0f} h"
