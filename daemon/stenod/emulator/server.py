"""The emulator's face: a server for any trio stream, and the listener on a port.

`Emulator` has no task of its own: each stream is served where `serve_stream` is called, so it runs under virtual
time and in any nursery. With the engines `oracle` and `script` it uses no thread, no process, no clock but trio's
and the `wall` handed in (for `expires_at`), and no dice but seeded ones.

Errors: nothing that a client does raises out of `serve_stream`. A defect of the server itself ends that one
connection and enters the log as `Failed`.
"""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import trio

from stenod.emulator import log
from stenod.emulator.admission import Admission
from stenod.emulator.conversation import Conversation
from stenod.emulator.engines import EngineChoiceError, Engines, EngineUnavailableError
from stenod.emulator.gate import GatedStream, reset
from stenod.emulator.keyring import Keyring
from stenod.emulator.options import EmulatorOptions
from stenod.emulator.realism import Realism
from stenod.emulator.schedule import Schedule
from stenod.emulator.tongues import paths_of

__all__ = ["Emulator", "EmulatorOptions", "EngineChoiceError", "EngineUnavailableError", "Server", "serve"]
CLOSE_SECONDS_MAX = 2.0


class Emulator:
    """Serve connections; build it inside a trio run, for faults by the clock count from then."""

    def __init__(self, options: EmulatorOptions, *, wall: Callable[[], float] = time.time) -> None:
        self.options = options
        self.log = log.Log(options.log_path, options.log_records_max)
        self.started_at = trio.current_time()
        self._wall = wall
        self._schedule = Schedule(options.faults, self.started_at, self._note_strike)
        self._admission = Admission(options)
        self._keyring = Keyring(options.keys, options.seed, options.time_scale, trio.current_time)
        try:
            self._engines = Engines(options.engine, self.log, Realism(options.seed) if options.realism else None)
        except (EngineChoiceError, EngineUnavailableError):
            self.log.close()
            raise
        self._connections = 0

    async def serve_stream(self, stream: trio.abc.Stream) -> None:
        """Serve one connection to its end, and end its stream."""
        attempt = self._admission.attempts
        self._admission.attempts += 1
        self.log.add(log.Attempt(at=self._at(), attempt=attempt))
        self._connections += 1
        abrupt = True
        try:
            abrupt = await self._converse(attempt, stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.log.add(log.Refused(at=self._at(), attempt=attempt, text="the client left during the opening"))
        except Exception:
            # The boundary of the server: whatever a connection sets off ends with it.
            self.log.add(log.Failed(at=self._at(), attempt=attempt, traceback=traceback.format_exc()))
        finally:
            self._connections -= 1
            await _finish(stream, abrupt=abrupt)

    async def _converse(self, attempt: int, stream: trio.abc.Stream) -> bool:
        now = trio.current_time()
        if self._schedule.refusing(now) or self._connections > self.options.connections_max:
            self.log.add(log.Refused(at=self._at(), attempt=attempt, text="the connection was reset on arrival"))
            return True
        gated = GatedStream(stream, lambda: self._schedule.held_until(trio.current_time()))
        conversation = Conversation(
            attempt,
            gated,
            self.options,
            self._schedule,
            self.log,
            self._admission,
            self._keyring,
            self._engines,
            self.started_at,
            self._wall,
        )
        return await conversation.run()

    def close(self) -> None:
        """Close the log."""
        self.log.close()

    def _at(self) -> float:
        return trio.current_time() - self.started_at

    def _note_strike(self, kind: str, session: int | None) -> None:
        self.log.add(log.Struck(at=self._at(), kind=kind, session=session))


async def _finish(stream: trio.abc.Stream, *, abrupt: bool) -> None:
    """End a stream, also while being cancelled."""
    with trio.CancelScope(shield=True):
        if abrupt:
            await reset(stream)
            return
        with trio.move_on_after(CLOSE_SECONDS_MAX):
            await stream.aclose()


@dataclass(frozen=True, slots=True)
class Server:
    """A listening emulator; `urls` has every dialect's, `url` is that of AssemblyAI v3."""

    port: int
    url: str
    urls: tuple[str, ...]
    log: log.Log


async def serve(
    options: EmulatorOptions,
    *,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
    wall: Callable[[], float] = time.time,
) -> None:
    """Listen until cancelled.

    Errors: `OSError` when the port cannot be had, `EngineUnavailableError` and `EngineChoiceError` for the engine, all
    before `task_status.started`.
    """
    emulator = Emulator(options, wall=wall)
    try:
        listeners = await trio.open_tcp_listeners(options.port, host=options.host)
        port = listeners[0].socket.getsockname()[1]
        host = f"[{options.host}]" if ":" in options.host else options.host
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, emulator.serve_stream, listeners)
            urls = tuple(f"ws://{host}:{port}{path}" for path in paths_of(options))
            task_status.started(Server(port, urls[-1], urls, emulator.log))
    finally:
        emulator.close()
