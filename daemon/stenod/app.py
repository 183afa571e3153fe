"""The task tree: who runs beside whom, and the order of going down.

    base          journal's upkeep, transcript, printer, watchdog, signals, the engine inside
      capture     the source, until it ends or we stop
      supervisor  the sessions, until all is transcribed, a person must act, or the drain is over

Stopping: capture ends first, what it had is in the journal; the supervisor sends what is left and takes the last words
within `drain_seconds`; then the printer empties the outbox; then everything else ends. A second signal cancels all
at once: what is on the disk stays there.

It knows the tasks and gets everything that touches the world handed in (`assembly` builds the real parts).
"""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import trio

from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.reader import ReaderGone
from stenod.core.verdict import ExitCode
from stenod.tasks.capture import Capture
from stenod.tasks.journal import Journal
from stenod.tasks.printer import Printer
from stenod.tasks.sessions import Fatal
from stenod.tasks.supervisor import Supervisor
from stenod.tasks.transcript import Transcript
from stenod.tasks.watchdog import Notifier, Watchdog

SYNC_SECONDS = 1.0
STUCK_SECONDS = 30.0
"""A live source whose audio has not grown for this long, or is not being reopened, is stuck."""

Signals = Callable[..., AbstractContextManager[AsyncIterator[int]]]
Service = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that the tree consists of."""

    journal: Journal
    capture: Capture | None
    """None: nothing is recorded, only what the journal holds is transcribed."""
    transcript: Transcript
    printer: Printer
    supervisor: Supervisor
    notifier: Notifier
    clock: Clock
    log: Log
    drain_seconds: float
    sync_seconds: float = SYNC_SECONDS
    signals: Signals = trio.open_signal_receiver
    reload: Callable[[], bool] = bool
    """Read key and configuration again; returns whether anything changed for the sessions to come. Never raises."""
    services: Sequence[Service] = ()
    """Whatever else runs beside (the log's own upkeep)."""


@dataclass(slots=True)
class Outcome:
    """How a run ended."""

    fatal: Fatal | None = None
    interrupted: bool = False
    """By a second signal: at once."""
    reader_gone: bool = False
    stopped: bool = False
    """By a person or the service manager, not by the end of the source."""

    @property
    def exit_code(self) -> int:
        """What the process returns."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        return ExitCode.OK if self.fatal is None else self.fatal.rule.exit_code


class Daemon:
    """One stream's tree. `run` once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._outcome = Outcome()
        self._stopping = trio.Event()
        self._capture_scope = trio.CancelScope()
        self._supervisor_scope = trio.CancelScope()
        self._printer_scope = trio.CancelScope()
        self._printed = trio.Event()

    async def run(self) -> Outcome:
        """Run to the end; raises `SourceError` where the source needs a person, and defects."""
        parts = self._parts
        async with trio.open_nursery() as base:
            for service in (
                parts.transcript.run,
                self._print,
                *parts.services,
            ):
                base.start_soon(service)
            base.start_soon(parts.journal.maintain, parts.sync_seconds)
            base.start_soon(self._watch_signals, base.cancel_scope)
            base.start_soon(self._watchdog().run)
            base.start_soon(self._announce)
            await self._work()
            await parts.journal.flush()
            parts.printer.finish()
            with self._printer_scope:
                await self._printed.wait()
            base.cancel_scope.cancel()
        return self._outcome

    def stop(self, reason: str) -> None:
        """Stop recording, take the last words, end. Idempotent."""
        if self._stopping.is_set():
            return
        self._parts.log.info("daemon.stopping", reason=reason)
        self._outcome.stopped = True
        self._stopping.set()
        self._parts.notifier.stopping()
        self._capture_scope.cancel()
        if self._parts.capture is None or not self._parts.capture.live:
            self._parts.supervisor.leave()
        self._supervisor_scope.deadline = trio.current_time() + self._parts.drain_seconds
        # A reader that takes nothing must not hold up whoever stops us; what it did not take stays in the outbox.
        self._printer_scope.deadline = self._supervisor_scope.deadline + self._parts.drain_seconds

    async def _work(self) -> None:
        """Record and transcribe, until both are over."""
        async with trio.open_nursery() as work:
            work.start_soon(self._record)
            await self._first_audio()
            with self._supervisor_scope:
                self._outcome.fatal = await self._parts.supervisor.run()
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

    async def _announce(self) -> None:
        """Tell the service manager that audio comes and a session takes it, or is held."""
        await self._parts.supervisor.reached.wait()
        self._parts.notifier.ready()

    async def _print(self) -> None:
        try:
            await self._parts.printer.run()
        except ReaderGone:
            self._outcome.reader_gone = True
            self.stop("the reader of the output has gone")
        finally:
            self._printed.set()

    async def _watch_signals(self, everything: trio.CancelScope) -> None:
        with self._parts.signals(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as received:
            async for number in received:
                if number == signal.SIGHUP:
                    self._reload()
                elif self._stopping.is_set():
                    self._outcome.interrupted = True
                    everything.cancel()
                else:
                    self.stop(signal.Signals(number).name)

    def _reload(self) -> None:
        """Take over what a person has changed, and try again what was refused; nothing stops for it."""
        if self._parts.reload():
            self._parts.supervisor.renew()
        self._parts.supervisor.probe()

    def _watchdog(self) -> Watchdog:
        return Watchdog(
            notifier=self._parts.notifier,
            journal=self._parts.journal,
            clock=self._parts.clock,
            healthy=self._healthy,
            state=lambda: self._parts.supervisor.state,
        )

    def _healthy(self) -> bool:
        """Whether capture is turning. Sessions may fail for days: that is not what a restart would mend."""
        capture = self._parts.capture
        if capture is None or not capture.live or self._stopping.is_set():
            return True
        return self._parts.clock.now() - capture.turned_at < STUCK_SECONDS
