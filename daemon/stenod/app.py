"""The process: its streams beside each other, and what there is once for all of them.

    base       watchdog, signals, services (the log's upkeep, a source that is shared), the engine inside
      stream*  see `stream`

It ends when every stream has. A signal stops them all; a second one cancels all at once: what is on the disk stays
there. What a person must act on in one stream (a key, a reader that has gone) concerns all, and stops all.
"""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import trio

from stenod.core.health import Health
from stenod.core.log import Log
from stenod.core.verdict import ExitCode
from stenod.stream import Stream
from stenod.tasks.sessions import Fatal
from stenod.tasks.watchdog import Notifier, Watchdog

Signals = Callable[..., AbstractContextManager[AsyncIterator[int]]]
Service = Callable[[], Awaitable[None]]
Publish = Callable[[Callable[[], Health]], Awaitable[None]]

READY_SECONDS_MAX = 15.0
"""Who waits for us to be ready (the machine's start) does not wait for a network or a microphone that are not there."""
LEAVE_SECONDS = 10.0
"""What stopping takes beside the drain: the journal's last commits."""
LEAVE_PERIOD_SECONDS = 1.0
"""How often we say how long it still takes: a manager that reads its units again forgets what it was told."""


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
    """All streams of one process. `run` once."""

    def __init__(
        self,
        streams: Sequence[Stream],
        *,
        notifier: Notifier,
        log: Log,
        signals: Signals = trio.open_signal_receiver,
        reload: Callable[[], bool] = bool,
        refused: Callable[[], str] = str,
        services: Sequence[Service] = (),
        publish: Publish | None = None,
    ) -> None:
        """`reload` reads key and configuration again, returns whether anything changed for the sessions to come, and
        never raises; `refused` says why the newest were not taken over; `services` is whatever else runs beside the
        streams, `publish` tells whoever asks how they are.
        """
        self._streams = streams
        self._notifier = notifier
        self._log = log
        self._signals = signals
        self._reload = reload
        self._refused = refused
        self._services = services
        self._publish = publish
        self._began_at = 0.0
        self._outcome = Outcome()
        self._left = trio.Event()
        """Set when we stop."""
        self._announced = False

    async def run(self) -> Outcome:
        """Run to the end; raises `SourceError` where a source needs a person, and defects."""
        self._began_at = trio.current_time()
        watchdog = Watchdog(notifier=self._notifier, healthy=self._healthy, state=self._state)
        async with trio.open_nursery() as base:
            for service in (*self._services, watchdog.run, self._announce, self._take_leave):
                base.start_soon(service)
            if self._publish is not None:
                base.start_soon(self._publish, self.health)
            base.start_soon(self._watch_signals, base.cancel_scope)
            async with trio.open_nursery() as streams:
                for stream in self._streams:
                    streams.start_soon(self._run_stream, stream)
            base.cancel_scope.cancel()
        self._outcome.fatal = next((one.fatal for one in self._streams if one.fatal is not None), None)
        self._outcome.reader_gone = any(one.reader_gone for one in self._streams)
        return self._outcome

    def health(self) -> Health:
        """Return how all of it is, for whoever asks."""
        return Health(
            streams=[stream.health for stream in self._streams],
            stopping=self._left.is_set(),
            uptime_seconds=round(trio.current_time() - self._began_at, 3),
        )

    def stop(self, reason: str) -> None:
        """Stop recording, take the last words, end. Idempotent."""
        self._outcome.stopped = True
        self._leave(reason)

    async def _run_stream(self, stream: Stream) -> None:
        await stream.run(self._leave)
        if stream.fatal is not None and not all(one.ended for one in self._streams):
            self._leave(stream.fatal.rule.meaning)

    def _leave(self, reason: str) -> None:
        if self._left.is_set():
            return
        self._left.set()
        self._log.info("daemon.stopping", reason=reason)
        for stream in self._streams:
            stream.stop()

    async def _announce(self) -> None:
        """Tell the service manager that audio comes and a session takes it, or is held: of every stream.

        Where that takes long, tell it all the same: what is missing stands in the status.
        """
        with trio.move_on_after(READY_SECONDS_MAX):
            for stream in self._streams:
                await stream.reached.wait()
        self._announced = True
        self._notifier.status(self._state())
        self._notifier.ready()

    async def _take_leave(self) -> None:
        """Tell the service manager that we are on the way down, and how long that may still take."""
        await self._left.wait()
        deadline = trio.current_time() + max(one.stop_seconds_max for one in self._streams) + LEAVE_SECONDS
        while (remaining := deadline - trio.current_time()) > 0:
            self._notifier.stopping(remaining)
            await trio.sleep(LEAVE_PERIOD_SECONDS)

    async def _watch_signals(self, everything: trio.CancelScope) -> None:
        with self._signals(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as received:
            async for number in received:
                if number == signal.SIGHUP:
                    self._renew()
                elif self._left.is_set():
                    self._outcome.interrupted = True
                    everything.cancel()
                else:
                    self.stop(signal.Signals(number).name)

    def _renew(self) -> None:
        """Take over what a person has changed, and try again what was refused; nothing stops for it."""
        if self._announced:
            self._notifier.reloading()
        changed = self._reload()
        for stream in self._streams:
            if changed:
                stream.renew()
            stream.probe()
        if self._announced:
            self._notifier.ready()

    def _healthy(self) -> bool:
        return all(stream.healthy for stream in self._streams)

    def _state(self) -> str:
        """Of the stream that does worst."""
        worst = max(self._streams, key=lambda stream: stream.trouble)
        words = worst.state if len(self._streams) == 1 else f"{worst.name}: {worst.state}"
        refused = self._refused()
        return f"{words}; the new configuration is not taken over: {refused}" if refused else words
