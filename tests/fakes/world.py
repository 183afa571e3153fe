"""The whole daemon in one process on virtual time, with a server that knows every word it was sent.

A `World` is the real task tree with the real dialect, the real WebSocket code and SQLite on one side, and the
emulator with its oracle engine on the other; between them memory streams. Segments are in memory, SQLite is inline,
the clock is trio's mock clock: nothing waits for the machine, so hours take seconds and a seed repeats a run exactly.

Determinism: every random number is seeded, trio's own order of tasks included (`seeded_scheduling`).
"""

import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import trio
import trio.testing

from fakes.connection import fetch_nothing
from stenod.app import Daemon, Outcome
from stenod.core import records
from stenod.core.backoff import Backoff, OpeningBudget
from stenod.core.source import Block, SourceLost
from stenod.core.transport import Connection, Frame
from stenod.edge import retry, websocket
from stenod.edge.ledger import Ledger
from stenod.edge.resampling import Converter
from stenod.emulator.faults import Fault
from stenod.emulator.oracle import synthesize, words_between
from stenod.emulator.server import Emulator, EmulatorOptions
from stenod.options import Options, table_of
from stenod.services import SERVICES
from stenod.stream import Parts, Stream
from stenod.tasks.capture import Capture
from stenod.tasks.hush import Hush, QuietOptions
from stenod.tasks.journal import Journal
from stenod.tasks.printer import Printer
from stenod.tasks.provider import Provider
from stenod.tasks.roster import Roster
from stenod.tasks.session_options import SessionOptions
from stenod.tasks.sessions import Sessions
from stenod.tasks.stored_audio import NEAR_SECONDS, Keeping
from stenod.tasks.supervisor import Supervisor, SupervisorOptions
from stenod.tasks.transcript import Transcript

from .mumbling import MumblingDialect
from .segments import MemoryFiles, MemorySegments

RATE = 16_000
STREAM = "simulated"
KEY = "0123456789abcdef0123456789abcdef"
WALL_AT_START = 1_795_200_000.0
SEGMENT_SECONDS = 10
UNLIMITED_SECONDS = 10_800.0
"""No world lasts so long that it meets this."""
PATIENCE_SECONDS = 1_800.0
"""Virtual time after the end of the audio until a world counts as stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialFault:
    """The network itself, from `start` to `end` of virtual time: what every dial meets."""

    kind: str
    """`refuse` (nothing listens), `name` (no such host), `route` (no route), `hang` (no answer), `reset` (hung up)."""
    start: float
    end: float
    host: str = ""
    """Of one provider only (`simulated`, `second`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Everything that makes one run."""

    provider: str = "assemblyai"
    """Whose dialect is spoken."""
    seconds: float = 120.0
    """Of audio; prolonged to the next pause, so that no word is cut by the end."""
    plan: str = "dialogue"
    live: bool = True
    records: bool = True
    """Otherwise only what the disk has is transcribed."""
    begins_at: float = 0.0
    """When the process is started."""
    block_seconds: float = 0.1
    device_outages: tuple[tuple[float, float], ...] = ()
    muted: tuple[tuple[float, float], ...] = ()
    """When the device gives exact zeros, whatever is spoken."""
    faults: tuple[Fault, ...] = ()
    dial_faults: tuple[DialFault, ...] = ()
    limit_seconds: float = UNLIMITED_SECONDS
    """The server's own session limit; where the dialect knows of none, a person has configured it."""
    configured_seconds: float | None = None
    """Our configured one."""
    margin_seconds: float = 300.0
    sessions_max: int | None = None
    openings_per_minute_max: int | None = None
    quiet: QuietOptions | None = None
    in_order: bool = False
    one_session: bool = False
    late_after_seconds: float = 15.0
    realism: bool = False
    mumbles: bool = False
    """The speaker has five words, see `mumbling`."""
    speech_model: str = "universal-streaming-english"
    hold: bool = True
    second_faults: tuple[Fault, ...] | None = None
    """There is a second provider, behind the first, with these faults."""
    key_right_at: float | None = None
    """The key is wrong until then, when a person gives the right one and asks for another try."""
    partials: bool = False
    lockstep: bool = False
    """A transport without any buffer, instead of one without any bound."""
    latency_seconds: float = 0.0
    chunk_seconds: float = 0.1
    ping_seconds: float = 1.0
    sync_seconds: float = 1.0
    session: SessionOptions | None = None
    stop_at: float | None = None
    """When a person stops it."""
    write_seconds: float = 0.0
    """How long the reader takes for a line."""
    keeping: Keeping = field(default_factory=Keeping)
    seed: int = 0


class Stuck(AssertionError):
    """The daemon did not come to its end."""


@contextmanager
def seeded_scheduling(seed: int) -> Iterator[None]:
    """Let trio choose its order of tasks by the seed; two private names, so a trio without them is told at once."""
    run = trio._core._run
    assert hasattr(run, "_ALLOW_DETERMINISTIC_SCHEDULING"), "trio has changed: find the new way to seed its scheduler"
    state, allowed = run._r.getstate(), run._ALLOW_DETERMINISTIC_SCHEDULING
    run._r.seed(seed)
    run._ALLOW_DETERMINISTIC_SCHEDULING = True
    try:
        yield
    finally:
        run._r.setstate(state)
        run._ALLOW_DETERMINISTIC_SCHEDULING = allowed


def simulate(
    disk: "WorldDisk | None" = None, prepare: Callable[["World"], None] = lambda _: None, **conditions: Any
) -> "World":
    """Run one world to its end and return it; `prepare` sees it before it runs."""
    chosen = Conditions(**conditions)

    async def main() -> World:
        world = World(chosen, disk)
        prepare(world)
        await world.run()
        return world

    with seeded_scheduling(chosen.seed):
        clock = trio.testing.MockClock(autojump_threshold=0)
        clock.jump(chosen.begins_at)
        return trio.run(main, clock=clock)


class VirtualClock:
    """Both clocks, virtual."""

    def now(self) -> float:
        """Seconds since the world began."""
        return trio.current_time()

    def wall(self) -> float:
        """Unix seconds."""
        return WALL_AT_START + trio.current_time()


class CollectedLog:
    """Keeps every line with its time."""

    def __init__(self) -> None:
        self.lines: list[tuple[float, str, str, dict[str, object]]] = []

    def _add(self, level: str, event: str, fields: dict[str, object]) -> None:
        self.lines.append((trio.current_time(), level, event, fields))

    def debug(self, event: str, /, **fields: object) -> None:
        """See `core.log`."""
        self._add("debug", event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """See `core.log`."""
        self._add("info", event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """See `core.log`."""
        self._add("warning", event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """See `core.log`."""
        self._add("error", event, fields)

    def of(self, *events: str) -> list[tuple[float, dict[str, object]]]:
        """Return time and fields of the lines with one of these names."""
        return [(at, fields) for at, _, event, fields in self.lines if event in events]


class CollectedOutput:
    """Takes lines, as slowly as wanted."""

    def __init__(self, write_seconds: float) -> None:
        self.lines: list[dict[str, Any]] = []
        self.times: list[float] = []
        self._write_seconds = write_seconds

    async def begin(self, *, cut: bool) -> None:
        """It begins anew each time."""

    def whole(self, line: bytes) -> bool:
        """Nothing is cut here."""
        return True

    async def write(self, line: bytes) -> None:
        """Take one line."""
        if self._write_seconds:
            await trio.sleep(self._write_seconds)
        else:
            await trio.lowlevel.checkpoint()
        self.times.append(trio.current_time())
        self.lines.append(records.parsed(line))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the lines of one type."""
        return [line for line in self.lines if line["type"] == kind]


class SilentNotifier:
    """A service manager that nobody asked for; counts how often it was told that all is well."""

    watchdog_seconds = None

    def __init__(self) -> None:
        self.alive_at: list[float] = []
        self.ready_at: float | None = None

    def ready(self) -> None:
        """Note when."""
        self.ready_at = trio.current_time()

    def reloading(self) -> None:
        """Do nothing."""

    def stopping(self, seconds_max: float) -> None:
        """Do nothing."""

    def status(self, text: str) -> None:
        """Do nothing."""

    def alive(self) -> None:
        """Note when."""
        self.alive_at.append(trio.current_time())


class OracleSource:
    """The oracle's audio from 0 to `end`, at the pace of the clock (live) or as it is read (a file).

    `plans`: one a channel; the conditions' own is the only one otherwise.
    """

    description = "oracle"
    ends = True
    clocked = True

    def __init__(self, conditions: Conditions, end: int, plans: Sequence[str] = ()) -> None:
        self.live = conditions.live
        self._plans = plans or (conditions.plan,)
        self._conditions = conditions
        self._end = end
        self._block = round(conditions.block_seconds * RATE)
        self._position = 0

    @asynccontextmanager
    async def open(self, position_seconds: float) -> AsyncIterator["OracleSource"]:
        """Be read from now on; a live one has gone on in the meantime."""
        if self.live:
            if self._outage(trio.current_time()):
                raise SourceLost("there is no device")
            self._position = max(self._position, round(trio.current_time() * RATE))
        else:
            self._position = round(position_seconds * RATE)
        yield self

    async def read(self) -> Block | None:
        """Return the next block when its last sample has been spoken."""
        count = min(self._block, self._end - self._position)
        if count <= 0:
            return None
        ready_at = (self._position + count) / RATE
        if self.live:
            await trio.sleep_until(ready_at)
            if self._outage(ready_at):
                raise SourceLost("the device has gone")
        channels = [synthesize(self._position, count, rate=RATE, plan=plan) for plan in self._plans]
        audio = np.stack(channels, axis=1)
        for start, end in self._conditions.muted:
            audio[max(0, round(start * RATE) - self._position) : max(0, round(end * RATE) - self._position)] = 0
        pcm = audio.tobytes()
        self._position += count
        return Block(pcm=pcm, rate=RATE, channels=len(channels), monotonic=ready_at if self.live else None)

    def _outage(self, now: float) -> bool:
        return any(start < now <= end for start, end in self._conditions.device_outages)


class PromptStream:
    """Takes bytes without a pause, as a socket with room does: not cancelled between the decision and the deed."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.receive_some = stream.receive_some
        self.wait_send_all_might_not_block = stream.wait_send_all_might_not_block
        self.aclose = stream.aclose

    async def send_all(self, data: bytes) -> None:
        """Hand the bytes over."""
        with trio.CancelScope(shield=True):
            await self._stream.send_all(data)


class DelayedStream:
    """Hands on what it is given after a fixed time; one direction of a line with latency."""

    def __init__(self, stream: trio.abc.Stream, seconds: float, nursery: trio.Nursery) -> None:
        self._stream = stream
        self._seconds = seconds
        self._send, self._waiting = trio.open_memory_channel[tuple[float, bytes]](100_000)
        self._broken = False
        nursery.start_soon(self._pump)

    async def send_all(self, data: bytes) -> None:
        """Take bytes for the line."""
        if self._broken:
            raise trio.BrokenResourceError
        self._send.send_nowait((trio.current_time() + self._seconds, bytes(data)))
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        """Never blocks."""
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what the other end's line has delivered."""
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        """End this direction once all has been delivered, and the other one at once."""
        self._send.close()
        await trio.lowlevel.checkpoint()

    async def _pump(self) -> None:
        async for at, data in self._waiting:
            await trio.sleep_until(at)
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._broken = True
        await trio.sleep(self._seconds)
        await trio.aclose_forcefully(self._stream)


class WatchedConnection:
    """A connection whose audio is counted as it goes out."""

    def __init__(self, connection: Connection, sent: list[tuple[float, float]]) -> None:
        self._connection = connection
        self._sent = sent
        self.headers = connection.headers
        self.receive = connection.receive
        self.ping = connection.ping
        self.close = connection.close

    async def send(self, frame: Frame, seconds: float) -> None:
        """Send, and note when how much audio went."""
        if isinstance(frame, bytes):
            self._sent.append((trio.current_time(), len(frame) / 2 / RATE))
        await self._connection.send(frame, seconds)


@contextmanager
def no_signals(*_numbers: int) -> Iterator[AsyncIterator[int]]:
    """Stand in for `trio.open_signal_receiver`: nobody sends any."""

    async def never() -> AsyncIterator[int]:
        await trio.sleep_forever()
        yield 0

    yield never()


async def inline(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a blocking function where it stands: virtual time does not see threads."""
    await trio.lowlevel.checkpoint()
    return function(*arguments)


@dataclass(slots=True)
class Seen:
    """What was watched while it ran."""

    dials: list[float] = field(default_factory=list)
    second_dials: list[float] = field(default_factory=list)
    """Of the second provider."""
    audio: list[list[tuple[float, float]]] = field(default_factory=list)
    """For each connection: when how many seconds of audio went out."""
    pending_seconds_max: float = 0.0
    lag_seconds_max: float = 0.0
    stored_seconds_max: float = 0.0


@dataclass(slots=True)
class WorldDisk:
    """What survives a restart: hand it to the next world."""

    ledger: Ledger = field(default_factory=lambda: Ledger(None))
    files: MemoryFiles = field(default_factory=MemoryFiles)


class World:
    """One run: build it inside trio, `run` it, then ask what became of every sample."""

    def __init__(self, conditions: Conditions, disk: WorldDisk | None = None, stream: str = STREAM) -> None:
        self.disk = WorldDisk() if disk is None else disk
        self.conditions = conditions
        self.end = pause_after(round(conditions.seconds * RATE), conditions.plan)
        self.clock = VirtualClock()
        self.log = CollectedLog()
        self.output = CollectedOutput(conditions.write_seconds)
        self.notifier = SilentNotifier()
        self.seen = Seen()
        self.outcome: Outcome | None = None
        self.ended_at = 0.0
        self.emulator = Emulator(
            EmulatorOptions(
                engine="oracle",
                v2=True,
                faults=conditions.faults,
                keys=frozenset({KEY}),
                realism=conditions.realism,
                seed=conditions.seed,
                session_seconds_max=conditions.limit_seconds,
                sessions_max=conditions.sessions_max,
                openings_per_minute_max=conditions.openings_per_minute_max,
                log_records_max=5_000_000,
            ),
            wall=self.clock.wall,
        )
        self.second = Emulator(
            EmulatorOptions(
                engine="oracle",
                faults=conditions.second_faults or (),
                keys=frozenset({KEY}),
                realism=conditions.realism,
                seed=conditions.seed + 1,
                log_records_max=5_000_000,
            ),
            wall=self.clock.wall,
        )
        self.ledger = self.disk.ledger
        self.segments = MemorySegments(SEGMENT_SECONDS * RATE, self.disk.files)
        self.journal = Journal(
            stream=stream,
            state=self.ledger.open_stream(stream, RATE),
            segments=self.segments,
            ledger=self.ledger,
            clock=self.clock,
            offload=inline,
            log=self.log,
            keeping=conditions.keeping,
        )
        self.source: Any = OracleSource(conditions, self.end)
        self.converter: Callable[[int, int, int], Converter] = Converter
        providers = ["simulated"] if conditions.second_faults is None else ["simulated", "second"]
        self.providers = [self._provider(name) for name in providers]
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Run the daemon to its end."""
        latest = self.end / RATE + PATIENCE_SECONDS
        async with trio.open_nursery() as nursery:
            daemon = Daemon([self.stream(nursery)], notifier=self.notifier, log=self.log, signals=no_signals)
            nursery.start_soon(self._watch)
            if self.conditions.stop_at is not None:
                nursery.start_soon(self._stop, daemon, self.conditions.stop_at)
            if self.conditions.key_right_at is not None:
                nursery.start_soon(self._give_key, self.conditions.key_right_at)
            with trio.move_on_at(latest) as patience:
                self.outcome = await daemon.run()
            self.ended_at = trio.current_time()
            if patience.cancelled_caught:
                pending = [(span.start / RATE, span.end / RATE) for span in self.journal.pending(0, self.journal.tail)]
                told = "\n".join(map(str, self.log.lines[-40:]))
                nursery.cancel_scope.cancel()
                raise Stuck(f"not at its end after {latest:.0f} s; pending {pending}\n{told}")
            # The server sees the ends of its connections a moment later.
            await trio.sleep(PATIENCE_SECONDS / 2)
            nursery.cancel_scope.cancel()
        self.finish()

    def stream(self, nursery: trio.Nursery) -> Stream:
        """Build the stream's tree; its servers run in the nursery."""
        self._nursery = nursery
        return Stream(self._parts())

    def finish(self) -> None:
        """Come to rest, as a process does at its end."""
        self.segments.finish_file()
        self.journal.forget(NEAR_SECONDS if self.journal.cursor < self.journal.tail else 0.0)
        self.emulator.close()
        self.second.close()

    def pause_around(self, sample: int) -> float:
        """Return the seconds of the pause that this sample of the plan lies in; 0 within a word."""
        words = words_between(max(0, sample - 10 * RATE), sample + 10 * RATE, self.conditions.plan, rate=RATE)
        before = [end for _, _, end in words if end <= sample]
        after = [start for _, start, _ in words if start >= sample]
        return 0.0 if len(before) + len(after) < len(words) else (min(after) - max(before)) / RATE

    def _parts(self) -> Parts:
        conditions = self.conditions
        printer = Printer(self.journal, self.output)
        transcript = Transcript(self.journal, printer.show if conditions.partials else None)
        capture = Capture(
            source=self.source, journal=self.journal, converter=self.converter, clock=self.clock, log=self.log
        )
        hush = Hush(self.journal, conditions.quiet or QuietOptions()) if conditions.live else None
        desks = [
            Sessions(
                provider=provider,
                journal=self.journal,
                transcript=transcript,
                options=conditions.session
                or SessionOptions(chunk_seconds=conditions.chunk_seconds, ping_seconds=conditions.ping_seconds),
                clock=self.clock,
                connect=self._connect,
                fetch=fetch_nothing,
                until_open=retry.until_open,
                log=self.log,
                hush=hush,
            )
            for provider in self.providers
        ]
        self.supervisor = Supervisor(
            journal=self.journal,
            roster=Roster(desks, clock=self.clock, log=self.log),
            options=SupervisorOptions(
                hold=conditions.hold,
                session_seconds_max=self._configured_seconds(self.providers[0]),
                margin_seconds=conditions.margin_seconds,
                in_order=conditions.in_order,
                one_session=conditions.one_session,
                late_after_seconds=conditions.late_after_seconds,
            ),
            clock=self.clock,
            log=self.log,
            live=conditions.live,
            hush=hush,
        )
        return Parts(
            journal=self.journal,
            capture=capture if conditions.records else None,
            transcript=transcript,
            printer=printer,
            supervisor=self.supervisor,
            clock=self.clock,
            log=self.log,
            drain_seconds=10.0,
            sync_seconds=conditions.sync_seconds,
        )

    def _provider(self, name: str) -> Provider:
        kind = self.conditions.provider
        chosen = {"speech_model": self.conditions.speech_model} if kind == "assemblyai" else {}
        own = getattr(Options(), table_of(kind))
        dialect: Any = SERVICES[kind].dialect(replace(own, endpoint=f"ws://{name}", **chosen))
        if name != "simulated":
            dialect.name = name
        return Provider(
            dialect=MumblingDialect(dialect) if self.conditions.mumbles else dialect,
            steps_in_seconds=60.0,
            key=KEY if self.conditions.key_right_at is None else "wrong",
            backoff=Backoff(random.Random(self.conditions.seed)),
            budget=OpeningBudget(10.0),
            rate_ratio_max=1.25,
        )

    def _configured_seconds(self, provider: Provider) -> float | None:
        limit = self.conditions.limit_seconds
        known = provider.dialect.limits.session_seconds_max is not None or limit >= UNLIMITED_SECONDS
        return self.conditions.configured_seconds if known else limit

    async def _connect(
        self, nursery: trio.Nursery, url: str, headers: tuple[tuple[str, str], ...], *, seconds: float
    ) -> Connection:
        dials = self.seen.second_dials if "//second" in url else self.seen.dials
        dials.append(trio.current_time())
        connection = await websocket.connect(nursery, url, headers, seconds=seconds, dial=self._dial)
        sent: list[tuple[float, float]] = []
        self.seen.audio.append(sent)
        return WatchedConnection(connection, sent)

    async def _dial(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        for fault in self.conditions.dial_faults:
            if fault.start <= trio.current_time() < fault.end and fault.host in ("", host):
                await DIAL_FAULTS[fault.kind](fault)
        assert self._nursery is not None
        pair = trio.testing.lockstep_stream_pair if self.conditions.lockstep else trio.testing.memory_stream_pair
        near, far = pair()
        if any(
            fault.kind == "reset" and fault.start <= trio.current_time() < fault.end
            for fault in self.conditions.dial_faults
        ):
            await trio.aclose_forcefully(far)
            return near
        server = self.second if host == "second" else self.emulator
        self._nursery.start_soon(server.serve_stream, self._line(far))
        return self._line(near)

    def _line(self, stream: Any) -> Any:
        if not self.conditions.latency_seconds:
            return stream if self.conditions.lockstep else PromptStream(stream)
        assert self._nursery is not None
        return DelayedStream(stream, self.conditions.latency_seconds, self._nursery)

    async def _watch(self) -> None:
        """Look once a second at what waits."""
        while True:
            await trio.sleep(1.0)
            self.seen.pending_seconds_max = max(self.seen.pending_seconds_max, self.journal.pending_seconds())
            stored = sum(span.count for span in self.segments.spans()) / RATE
            self.seen.stored_seconds_max = max(self.seen.stored_seconds_max, stored)
            self.seen.lag_seconds_max = max(self.seen.lag_seconds_max, self.journal.lag_seconds)

    async def _stop(self, daemon: Daemon, at: float) -> None:
        await trio.sleep_until(at)
        daemon.stop("a person")

    async def _give_key(self, at: float) -> None:
        await trio.sleep_until(at)
        for provider in self.providers:
            provider.key = KEY
        self.supervisor.probe()


async def _refuse(_fault: DialFault) -> None:
    raise ConnectionRefusedError(111, "Connection refused")


async def _no_name(_fault: DialFault) -> None:
    raise socket.gaierror(-3, "Temporary failure in name resolution")


async def _no_route(_fault: DialFault) -> None:
    raise OSError(113, "No route to host")


async def _hang(fault: DialFault) -> None:
    await trio.sleep_until(fault.end)


async def _reset(_fault: DialFault) -> None:
    await trio.lowlevel.checkpoint()


DIAL_FAULTS: dict[str, Callable[[DialFault], Awaitable[None]]] = {
    "refuse": _refuse,
    "name": _no_name,
    "route": _no_route,
    "hang": _hang,
    "reset": _reset,
}


def pause_after(sample: int, plan: str) -> int:
    """Return the first sample from `sample` on that no word covers; where words never pause, the end of one."""
    step = RATE // 50
    for candidate in range(sample, sample + 10 * RATE, step):
        covering = words_between(candidate, candidate + 1, plan, rate=RATE)
        if not covering or covering[0][1] == candidate:
            return candidate
    raise AssertionError(f"a word of over ten seconds in {plan}")
