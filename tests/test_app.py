"""The task tree: the order of going down, signals, the reader, exit codes. Everything outside is a fake."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from signal import SIGHUP, SIGINT, SIGTERM
from typing import Any

import pytest
import trio

from fakes.dialect import Behaviour
from fakes.journal import Disk
from fakes.source import ScriptedSource, Step, block, speech
from fakes.theatre import Theatre
from stenod.app import LEAVE_SECONDS, READY_SECONDS_MAX, Daemon, Outcome
from stenod.core import records
from stenod.core.health import Device, Health, StreamHealth
from stenod.core.reader import ReaderGone
from stenod.core.source import SourceError, SourceLost
from stenod.core.transport import ConnectionEnded
from stenod.stream import STUCK_SECONDS, Parts, Stream
from stenod.tasks.capture import Capture
from stenod.tasks.printer import Printer

BAD_KEY = Behaviour(error=(None, "bad key"))


class Plain:
    """A converter for audio that fits already."""

    def __init__(self, *_format: int) -> None:
        pass

    def feed(self, pcm: bytes) -> bytes:
        """Pass it on."""
        return pcm

    def finish(self) -> bytes:
        """Hold nothing."""
        return b""


class FakeOutput:
    """A reader who takes `seconds` for a line, and goes after `lines_max`."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.seconds = 0.0
        self.lines_max = 10**9

    async def begin(self, *, cut: bool) -> None:
        """It begins anew each time."""

    def whole(self, line: bytes) -> bool:
        """Nothing is cut here."""
        return True

    async def write(self, line: bytes) -> None:
        """Take a line."""
        await trio.sleep(self.seconds)
        if len(self.lines) >= self.lines_max:
            raise ReaderGone
        self.lines.append(records.parsed(line))


class FakeNotifier:
    """A service manager with a memory."""

    watchdog_seconds = 30.0

    def __init__(self) -> None:
        self.seconds_max: list[float] = []
        """How long it was told that stopping may take."""
        self.told: list[tuple[float, str]] = []

    def ready(self) -> None:
        """See `tasks.watchdog.Notifier`."""
        self.told.append((trio.current_time(), "ready"))

    def reloading(self) -> None:
        """See `tasks.watchdog.Notifier`."""
        self.told.append((trio.current_time(), "reloading"))

    def stopping(self, seconds_max: float) -> None:
        """See `tasks.watchdog.Notifier`."""
        self.seconds_max.append(seconds_max)
        self.told.append((trio.current_time(), "stopping"))

    def status(self, text: str) -> None:
        """See `tasks.watchdog.Notifier`."""
        self.told.append((trio.current_time(), f"STATUS {text}"))

    def alive(self) -> None:
        """See `tasks.watchdog.Notifier`."""
        self.told.append((trio.current_time(), "alive"))

    def at(self, what: str) -> list[float]:
        """Return when it was told this."""
        return [at for at, told in self.told if told == what]


class House:
    """A daemon with everything it consists of. `signals` are sent at their times."""

    def __init__(
        self,
        nursery: trio.Nursery,
        source: ScriptedSource | None,
        *behaviours: Behaviour,
        signals: Iterable[tuple[float, int]] = (),
        hold: bool = False,
        disk: Disk | None = None,
        refused: Callable[[], str] = str,
        output_trouble: Callable[[], tuple[str, str]] = lambda: ("", ""),
    ) -> None:
        live = source is not None and source.live
        self.theatre = theatre = Theatre(nursery, *behaviours, live=live, hold=hold, disk=disk, transcribes=False)
        self.output = FakeOutput()
        self.notifier = FakeNotifier()
        self.signals = list(signals)
        capture = None
        if source is not None:
            capture = Capture(
                source=source, journal=theatre.journal, converter=Plain, clock=theatre.clock, log=theatre.log
            )
        parts = Parts(
            journal=theatre.journal,
            capture=capture,
            transcript=theatre.transcript,
            printer=Printer(theatre.journal, self.output),
            supervisor=theatre.supervisor,
            clock=theatre.clock,
            log=theatre.log,
            drain_seconds=10.0,
            output_trouble=output_trouble,
        )
        self.stream = Stream(parts)
        self.daemon = Daemon(
            [self.stream], notifier=self.notifier, log=theatre.log, signals=self._open_signals, refused=refused
        )

    @contextmanager
    def _open_signals(self, *numbers: int) -> Iterator[AsyncIterator[int]]:
        async def receive() -> AsyncIterator[int]:
            for at, number in self.signals:
                assert number in numbers
                await trio.sleep_until(at)
                yield number
            await trio.sleep_forever()

        yield receive()

    async def run(self, seconds: float = 1000.0) -> Outcome:
        """Run to the end, which must come within so many seconds."""
        with trio.fail_after(seconds):
            return await self.daemon.run()

    @property
    def finals(self) -> list[str]:
        """The turns that were printed."""
        return [line["text"] for line in self.output.lines if line["type"] == "final"]


def microphone(seconds: float = 10_000.0) -> ScriptedSource:
    """Return a live source that speaks for so long and then falls silent."""

    def play() -> Iterator[Step]:
        for index in range(round(seconds * 10)):
            yield 0.1
            yield block(speech(100 * index, 100), monotonic=trio.current_time())
        yield 1e9

    return ScriptedSource([play()])


def file(seconds: int) -> ScriptedSource:
    """Return a file of so many seconds."""
    return ScriptedSource([[block(speech(1000 * index, 1000)) for index in range(seconds)]], live=False, ends=True)


async def test_a_file_from_beginning_to_end(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It is transcribed, printed and over, with code 0; every session is ended in order."""
    house = House(nursery, file(20))
    outcome = await house.run(40.0)
    assert outcome.exit_code == 0
    assert not outcome.stopped
    assert len(house.finals) == 20
    house.theatre.check_all_transcribed()
    house.theatre.check_server()
    assert house.theatre.journal.finished


async def test_nothing_is_opened_before_there_is_audio(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A session costs money; an empty file costs none, and no audio at all is fine."""
    for source in (ScriptedSource([[]], live=False, ends=True), None):
        house = House(nursery, source)
        assert (await house.run(5.0)).exit_code == 0
        assert house.theatre.server.dials == []
    house = House(nursery, ScriptedSource([[60.0, block(speech(0, 500))]], live=True, ends=True))
    began = trio.current_time()
    await house.run(100.0)
    assert house.theatre.server.dials[0] >= began + 60.0


async def test_stopping_takes_the_last_words(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """After the first signal: capture ends, what it had is sent, the last words come and are printed, then it ends."""
    house = House(nursery, microphone(), signals=[(10.05, SIGTERM)])
    outcome = await house.run(30.0)
    assert outcome.stopped
    assert outcome.exit_code == 0
    assert trio.current_time() < 12.0
    assert house.theatre.journal.tail == 10_000
    house.theatre.check_all_transcribed()
    house.theatre.check_server()
    assert house.output.lines[-1]["event"] == "ended"
    assert len(house.finals) == 10
    assert 10.05 == pytest.approx(house.notifier.at("stopping")[0])
    assert pytest.approx(20.0 + LEAVE_SECONDS) == house.notifier.seconds_max[0]


async def test_it_says_how_long_stopping_still_takes(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Again and again, for a manager that forgets; never past the time that it was given first."""
    house = House(nursery, microphone(), Behaviour(dial_seconds=1e6), signals=[(10.0, SIGTERM)])
    await house.run(60.0)
    told = [
        (at - 10.0, seconds)
        for at, seconds in zip(house.notifier.at("stopping"), house.notifier.seconds_max, strict=True)
    ]
    assert len(told) >= 10
    assert {20.0 + LEAVE_SECONDS} == {round(at + seconds, 6) for at, seconds in told}


async def test_a_file_is_left_where_it_is(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """What was read ahead of a file is not sent any more: it waits for the next run."""
    house = House(nursery, file(500), signals=[(30.0, SIGINT)])
    outcome = await house.run(45.0)
    assert outcome.exit_code == 0
    assert trio.current_time() < 33.0
    house.theatre.check_server()


async def test_the_drain_is_bounded(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Where the provider has nothing to say, it ends after `drain_seconds`; the audio stays in the journal."""
    for behaviour in (Behaviour(finish_seconds=None, turn_seconds=None), Behaviour(dial_seconds=1e6), BAD_KEY):
        began = trio.current_time()
        house = House(nursery, microphone(), behaviour, signals=[(began + 5.05, SIGTERM)], hold=True)
        outcome = await house.run(30.0)
        assert outcome.stopped
        assert trio.current_time() - began <= 5.05 + 10.0 + 2.5
        assert house.theatre.journal.cursor == 0
        assert speech(0, 4000) == house.theatre.journal.read(0, 4000)
        assert all(session.closed_at is not None for session in house.theatre.server.sessions)


@pytest.mark.parametrize("behaviour", [BAD_KEY, Behaviour(refuses=ConnectionEnded("[Errno 111] Connection refused"))])
async def test_a_stop_in_vain_is_short(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, behaviour: Behaviour
) -> None:
    """Where nobody accepts a session, the next run can record at once what this one would not."""
    began = trio.current_time()
    house = House(nursery, microphone(), behaviour, signals=[(began + 8.05, SIGTERM)], hold=True)
    outcome = await house.run(30.0)
    assert (True, 0) == (outcome.stopped, outcome.exit_code)
    assert trio.current_time() - began <= 8.05 + 1.0
    assert (0, 8000) == (house.theatre.journal.cursor, house.theatre.journal.tail)


async def test_a_stop_leaves_a_long_backlog(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """More than could be caught up meanwhile: the last words of what was sent, and the rest is the next run's."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 120_000))
    await journal.flush()
    journal.close()
    began = trio.current_time()
    house = House(nursery, microphone(), Behaviour(), signals=[(began + 5.05, SIGTERM)], disk=disk)
    outcome = await house.run(30.0)
    assert (True, 0) == (outcome.stopped, outcome.exit_code)
    assert trio.current_time() - began <= 5.05 + 2.5
    assert house.finals
    left = sum(span.count for span in house.theatre.journal.pending(0, house.theatre.journal.tail))
    assert 110_000 <= left <= 120_000
    house.theatre.check_server()


async def test_a_second_signal_ends_at_once(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """What is on the disk stays there; goodbye is said all the same; the exit code tells."""
    house = House(nursery, microphone(), Behaviour(finish_seconds=None), signals=[(10.05, SIGINT), (11.0, SIGINT)])
    outcome = await house.run(30.0)
    assert outcome.interrupted
    assert outcome.exit_code == 130
    assert trio.current_time() <= 11.0 + 2.5
    assert house.theatre.journal.tail == 10_000
    assert all(session.bye_at is not None for session in house.theatre.server.sessions)


async def test_a_reload_probes(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """SIGHUP tries a held provider again now, and stops nothing."""
    house = House(nursery, microphone(60.0), BAD_KEY, Behaviour(), signals=[(30.0, SIGHUP), (90.0, SIGTERM)], hold=True)
    outcome = await house.run(120.0)
    assert outcome.exit_code == 0
    refused, live = house.theatre.server.dials[:2]
    assert (0.1, 30.0) == (pytest.approx(refused, abs=0.5), pytest.approx(live, abs=0.5))
    house.theatre.check_all_transcribed()


async def test_a_fatal_refusal_ends_the_foreground(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """With the code of its rule; the recording up to then stays."""
    house = House(nursery, microphone(), BAD_KEY)
    outcome = await house.run(10.0)
    assert outcome.exit_code == 77
    assert outcome.fatal is not None
    assert not outcome.stopped
    assert [line["event"] for line in house.output.lines if line["type"] == "session"] == ["ended"]


async def test_a_reader_that_goes_stops_it(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """`| head -1` is the end of the job, not an error; nothing more is recorded."""
    house = House(nursery, microphone())
    house.output.lines_max = 3
    outcome = await house.run(30.0)
    assert outcome.reader_gone
    assert outcome.exit_code == 0
    assert trio.current_time() < 10.0
    house.theatre.check_server()


async def test_a_slow_reader_gets_everything(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It stalls nobody, and at the end of a file it is waited for."""
    house = House(nursery, file(30))
    house.output.seconds = 5.0
    await house.run(400.0)
    assert len(house.finals) == 30
    assert house.theatre.server.sessions[0].closed_at is not None
    assert house.theatre.server.sessions[0].closed_at < 35.0


async def test_a_reader_that_is_stuck_does_not_hold_a_stop_up(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """Whoever was asked to stop ends; what was not printed stays in the outbox."""
    house = House(nursery, microphone(), signals=[(10.05, SIGTERM)])
    house.output.seconds = 1e6
    await house.run(10.05 + 10.0 + 10.0 + 2.5)
    assert len(house.theatre.disk.lines("final")) == 10


async def test_a_source_that_needs_a_person(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It is raised through the tree; what was recorded stays, sessions are ended in order."""

    def play() -> Iterator[Step]:
        for index in range(30):
            yield 0.1
            yield block(speech(100 * index, 100))
        yield SourceError("no permission", 66)

    house = House(nursery, ScriptedSource([play()]))
    with pytest.raises(BaseExceptionGroup) as raised:
        await house.run(10.0)
    assert raised.value.split(SourceError)[1] is None
    assert house.theatre.journal.tail == 3000
    house.theatre.check_server()


async def test_told_when_it_is_ready(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """When a session takes the audio, or when it is held: not before, and once."""
    for behaviour, least in ((Behaviour(ready_seconds=3.0), 3.0), (BAD_KEY, 0.0)):
        began = trio.current_time()
        house = House(nursery, microphone(), behaviour, signals=[(began + 20.0, SIGTERM)], hold=True)
        await house.run(40.0)
        assert len(house.notifier.at("ready")) == 1
        assert least <= house.notifier.at("ready")[0] - began <= least + 1.0


async def test_ready_without_a_network(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Whoever waits for it (the machine's start) waits no longer; the status says what is missing."""
    house = House(nursery, microphone(), Behaviour(dial_seconds=1e6), signals=[(42.0, SIGTERM)])
    await house.run(60.0)
    assert [READY_SECONDS_MAX] == house.notifier.at("ready")
    assert READY_SECONDS_MAX in house.notifier.at("STATUS connecting to a provider; 15 s to be transcribed")


async def test_ready_without_a_microphone(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It records when one comes."""
    source = ScriptedSource([[SourceLost("no microphone")] for _ in range(100)])
    house = House(nursery, source, signals=[(42.0, SIGTERM)])
    await house.run(60.0)
    assert [READY_SECONDS_MAX] == house.notifier.at("ready")
    assert house.notifier.at("STATUS nothing is recorded: no microphone; starting; 0 s to be transcribed")


async def test_the_status_tells_the_lag(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """What it is doing, and how much waits."""
    house = House(nursery, microphone(), Behaviour(dial_seconds=1e6), signals=[(42.0, SIGTERM)])
    await house.run(60.0)
    assert [40.0] == house.notifier.at("STATUS connecting to a provider; 40 s to be transcribed")


async def test_the_watchdog_starves_with_the_microphone(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A live source that neither delivers nor is reopened is stuck; a provider that fails for days is not."""
    house = House(nursery, microphone(100.0), BAD_KEY, signals=[(300.0, SIGTERM), (301.0, SIGTERM)], hold=True)
    await house.run(320.0)
    fed = house.notifier.at("alive")
    assert len([at for at in fed if at <= 100.0]) == 21
    assert not [at for at in fed if 100.0 + STUCK_SECONDS < at < 300.0]


async def health_at(house: House, *moments: float) -> list[StreamHealth]:
    """Return how the stream was at each of these times."""
    found = []
    for moment in moments:
        await trio.sleep_until(moment)
        found.append(house.daemon.health().streams[0])
    return found


async def test_how_it_is_from_beginning_to_end(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Opening, connecting, transcribing, stopping, ended: ready only while words are on their way."""
    house = House(nursery, microphone(), Behaviour(ready_seconds=3.0), signals=[(20.05, SIGTERM)])
    begun = house.daemon.health()
    nursery.start_soon(house.run)
    opening, connecting, live = await health_at(house, 0.05, 2.0, 19.9)
    assert (False, Device.OPENING) == (begun.ready, begun.streams[0].device)
    assert (Device.OPENING, False, None) == (opening.device, opening.ready, opening.last_final_at)
    assert (Device.UP, "connecting to a provider", False, None) == (
        connecting.device,
        connecting.state,
        connecting.ready,
        connecting.session,
    )
    assert pytest.approx(2.0, abs=0.2) == connecting.lag_seconds
    assert live.state.startswith("transcribing")
    assert (True, "room-000001", "toy") == (live.ready, live.session, live.provider)
    assert live.last_final_at == [line for line in house.output.lines if line["type"] == "final"][-1]["ended_at"]
    await trio.sleep_until(20.1)
    stopping = house.daemon.health()
    assert (True, True, False) == (stopping.stopping, stopping.alive, stopping.ready)
    assert pytest.approx(20.1, abs=0.1) == stopping.uptime_seconds
    await trio.sleep_until(40.0)
    ended = house.daemon.health().streams[0]
    assert ("ended", None, 0.0) == (ended.state, ended.session, ended.lag_seconds)


async def test_how_it_is_when_the_provider_refuses(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Held, with the remedy, until it accepts; nothing of what the provider said."""
    house = House(nursery, microphone(), BAD_KEY, Behaviour(), signals=[(30.0, SIGHUP), (60.0, SIGTERM)], hold=True)
    nursery.start_soon(house.run)
    held, back = await health_at(house, 29.0, 40.0)
    assert held.held is not None
    assert (True, False, None) == (held.alive, held.ready, held.session)
    assert held.held.remedy
    assert held.state == f"held: {held.held.reason} {held.held.remedy}"
    assert (True, None, "toy") == (back.ready, back.held, back.provider)


async def test_how_it_is_when_lines_cannot_be_written(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Alive, for all of it is kept, and not ready; the service manager shows the same sentence first."""
    trouble = ("lines wait: no such directory", "make it")
    house = House(nursery, microphone(), Behaviour(), signals=[(20.0, SIGTERM)], output_trouble=lambda: trouble)
    nursery.start_soon(house.run)
    (waiting,) = await health_at(house, 10.0)
    assert (True, False) == (waiting.alive, waiting.ready)
    assert waiting.disk is not None
    assert trouble == (waiting.disk.reason, waiting.disk.remedy)
    assert any(told.startswith(f"STATUS {trouble[0]}; transcribing") for _, told in house.notifier.told)


async def test_a_configuration_that_is_not_taken_over(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The service manager's `reload` says that all is well: its status says that it is not."""
    house = House(nursery, microphone(), signals=[(20.0, SIGTERM)], refused=lambda: "line 3: no such option")
    await house.run()
    words = "; the new configuration is not taken over: line 3: no such option"
    assert any(told.endswith(words) for _, told in house.notifier.told)


async def test_how_it_is_when_the_microphone_goes(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Lost until it delivers again; alive as long as it is being opened, and not when all stands still."""

    def play(count: int) -> Iterator[Step]:
        for index in range(count):
            yield 0.1
            yield block(speech(100 * index, 100), monotonic=trio.current_time())

    def lose() -> Iterator[Step]:
        yield from play(50)
        yield SourceLost("unplugged")

    def wait() -> Iterator[Step]:
        yield 10.0
        yield from play(50)
        yield 1e9

    source = ScriptedSource([lose(), wait()])
    house = House(nursery, source, signals=[(100.0, SIGTERM), (101.0, SIGTERM)])
    nursery.start_soon(house.run)
    up, lost, back, still = await health_at(house, 4.0, 10.0, 17.0, 25.0 + STUCK_SECONDS)
    assert [
        (True, Device.UP, True),
        (True, Device.LOST, False),
        (True, Device.UP, True),
        (False, Device.UP, False),
    ] == [(one.alive, one.device, one.ready) for one in (up, lost, back, still)]
    assert not house.daemon.health().alive


async def test_whoever_asks_is_handed_how_it_is(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Beside the streams, and no longer than they run."""
    house = House(nursery, file(5))
    told: list[bool] = []

    async def publish(health: Callable[[], Health]) -> None:
        try:
            while True:
                await trio.sleep(1.0)
                told.append(health().alive)
        finally:
            told.append(False)

    house.daemon._publish = publish
    await house.run(20.0)
    assert (True, False) == (told[0], told[-1])


async def test_without_a_source_the_journal_is_transcribed(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """What a run before left is done, then it ends; it is never starved."""
    disk = Disk()
    first = Theatre(nursery, disk=disk)
    await first.record(20.0)
    await first.journal.commit([])
    house = House(nursery, None, disk=disk)
    outcome = await house.run(40.0)
    assert outcome.exit_code == 0
    assert len(house.finals) == 20
    house.theatre.check_all_transcribed()


async def test_a_defect_below_ends_the_process(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A journal that cannot be written is not hidden: it comes out, and goodbye is said on the way."""
    house = House(nursery, microphone())

    async def fail() -> None:
        await trio.sleep(5.0)
        house.theatre.disk.ledger._commits.execute("PRAGMA query_only = ON")

    nursery.start_soon(fail)
    with pytest.raises(BaseExceptionGroup):
        await house.run(20.0)
    house.theatre.check_server()


def together(*houses: House) -> Daemon:
    """Return one process with the stream of each; the first house has its service manager and its signals."""
    first = houses[0]
    return Daemon(
        [house.stream for house in houses],
        notifier=first.notifier,
        log=first.theatre.log,
        signals=first._open_signals,
        reload=lambda: True,
    )


async def test_a_signal_stops_every_stream(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Each takes its last words, and the service manager is told once."""
    houses = House(nursery, microphone(), signals=[(10.05, SIGTERM)]), House(nursery, microphone())
    with trio.fail_after(15.0):
        outcome = await together(*houses).run()
    assert (True, 0) == (outcome.stopped, outcome.exit_code)
    assert [10, 10] == [len(house.finals) for house in houses]
    assert houses[0].notifier.at("stopping")
    for house in houses:
        house.theatre.check_all_transcribed()


async def test_a_stream_that_is_over_stops_no_other(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The process ends with the last of them."""
    houses = House(nursery, file(5)), House(nursery, file(20))
    with trio.fail_after(30.0):
        outcome = await together(*houses).run()
    assert not outcome.stopped
    assert [5, 20] == [len(house.finals) for house in houses]


async def test_what_ends_one_stream_for_good_ends_all(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A key that is refused in the foreground, and a reader that has gone: they are the same for all of them."""
    houses = House(nursery, microphone()), House(nursery, microphone(), BAD_KEY)
    with trio.fail_after(15.0):
        outcome = await together(*houses).run()
    assert (77, False) == (outcome.exit_code, outcome.stopped)
    houses = House(nursery, microphone()), House(nursery, microphone())
    houses[1].output.lines_max = 3
    with trio.fail_after(30.0):
        outcome = await together(*houses).run()
    assert outcome.reader_gone
    for house in houses:
        house.theatre.check_server()


async def test_ready_and_healthy_when_all_are(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Told when the last one is reached, fed while every microphone is heard; the status is of the worst one."""
    slow = House(nursery, microphone(100.0), Behaviour(ready_seconds=7.0))
    house = House(nursery, microphone(), signals=[(200.0, SIGTERM)])
    with trio.fail_after(230.0):
        await together(house, slow).run()
    assert [pytest.approx(7.0, abs=0.5)] == house.notifier.at("ready")
    fed = house.notifier.at("alive")
    assert 125.0 in fed
    assert not [at for at in fed if 100.0 + STUCK_SECONDS < at < 200.0]
    assert ["STATUS room: connecting to a provider; 5 s to be transcribed"] == [
        told for at, told in house.notifier.told if at == 5.0 and told.startswith("STATUS")
    ]


async def test_a_reload_reaches_every_stream(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Those that are held are tried again, at once."""
    signals = [(30.0, SIGHUP), (60.0, SIGTERM)]
    houses = [House(nursery, microphone(), BAD_KEY, Behaviour(), hold=True, signals=signals) for _ in range(2)]
    with trio.fail_after(90.0):
        await together(*houses).run()
    for house in houses:
        assert pytest.approx(30.0, abs=0.5) == house.theatre.server.dials[1]
    told = [told for _, told in houses[0].notifier.told if told in ("ready", "reloading")]
    assert ["ready", "reloading", "ready"] == told
