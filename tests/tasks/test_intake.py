"""The intake, with capture and journal: UTC is true (law 10), whatever crystal, bursts, holes, sleep and NTP do."""

import random
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio

from fakes.clock import WALL_AT_START, FakeClock
from fakes.journal import Disk
from fakes.log import FakeLog
from fakes.source import ScriptedSource, Step, block
from stenod.core import records
from stenod.core.source import READ_AHEAD_SECONDS, Block, SourceLost
from stenod.core.timeline import Cause, Settled, State
from stenod.tasks.capture import Capture
from stenod.tasks.journal import Journal

RATE = 1000
DAY = 86_400.0
TOLERANCE_SECONDS = 0.05


class Same:
    """A conversion that has nothing to do."""

    def __init__(self, *_format: int) -> None:
        pass

    def feed(self, pcm: bytes) -> bytes:
        """Return it."""
        return pcm

    def finish(self) -> bytes:
        """Return nothing: nothing was kept."""
        return b""


@dataclass
class Device:
    """A microphone with a crystal of its own, whose audio tells nothing; `now` is the boot clock.

    `pace` is how long a second of its audio takes. Each event happens once, when its time has come: a `hole` (so much
    is lost), a `stall` (blocks come so late, all at once), a `sleep` of the machine, a `step` of its system clock, a
    `loss` of the device.
    """

    clock: FakeClock
    pace: float = 1.0
    block_seconds: float = 0.1
    jitter_seconds: float = 0.0
    clocked: bool = True
    events: list[tuple[float, str, float]] = field(default_factory=list)
    live = True
    ends = False
    description = "microphone 'toy'"
    stored: list[tuple[float, float]] = field(default_factory=list)
    """Delivered audio: seconds of it that came before, and the moment when the first of it was captured."""
    lost: list[tuple[float, float]] = field(default_factory=list)
    """Moment and length of each hole."""
    seed: int = 1

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._captured_at = 0.0
        self._delivered = 0.0
        self._stalled_until = 0.0
        self._slept = 0.0

    @property
    def slept(self) -> float:
        """How long the machine has slept; trio's clock is the monotonic one."""
        return self._slept

    @asynccontextmanager
    async def open(self, position_seconds: float) -> AsyncIterator["Device"]:
        """Begin to record now."""
        del position_seconds
        self._captured_at = trio.current_time() + self._slept
        yield self

    async def read(self) -> Block:
        """Return the next block when it comes."""
        self._happen()
        self.stored.append((self._delivered, self._captured_at))
        self._captured_at += self.block_seconds * self.pace
        self._delivered += self.block_seconds
        due = max(self._captured_at + self._rng.uniform(0.0, self.jitter_seconds), self._stalled_until)
        await trio.sleep_until(due - self._slept)
        now = trio.current_time()
        size = 2 * round(self.block_seconds * RATE)
        wall = self.clock.wall() + self._slept
        return Block(pcm=bytes(size), rate=RATE, channels=1, monotonic=now, boottime=now + self._slept, wall=wall)

    def _happen(self) -> None:
        while self.events and self._captured_at >= self.events[0][0]:
            _, kind, seconds = self.events.pop(0)
            match kind:
                case "hole":
                    self.lost.append((self._captured_at, seconds))
                    self._captured_at += seconds
                case "stall":
                    self._stalled_until = self._captured_at + seconds
                case "sleep":
                    self._slept += seconds
                    self._captured_at += seconds
                case "step":
                    self.clock.stepped += seconds
                case "loss":
                    raise SourceLost("unplugged")

    def captured_at(self, delivered: float) -> float:
        """Return the moment of a second of what was delivered."""
        before, began = self.stored[bisect_right(self.stored, delivered, key=lambda one: one[0]) - 1]
        return began + (delivered - before) * self.pace


class Recording:
    """A capture that a device fills."""

    def __init__(self, disk: Disk | None = None, clock: FakeClock | None = None, **device: object) -> None:
        self.clock = clock or FakeClock()
        self.device = Device(self.clock, **device)
        self.disk = disk or Disk()
        self.journal: Journal = self.disk.journal(self.clock)
        self.log = FakeLog()

    async def run(self, seconds: float, **options: object) -> None:
        """Record for so long."""
        capture = Capture(
            source=self.device, journal=self.journal, converter=Same, clock=self.clock, log=self.log, **options
        )
        with trio.move_on_after(seconds):
            await capture.run()
        await self.journal.flush()

    @property
    def gaps(self) -> list[Settled]:
        """The gaps of the timeline."""
        return [one for one in self.journal.settled() if one.state is State.GAP]

    def utc(self, position: int) -> float:
        """Seconds since the wall clock's start."""
        anchor = self.journal.chronology.at(position)
        assert anchor is not None
        return anchor.unix - WALL_AT_START


def unix(text: str) -> float:
    """Seconds since the wall clock's start, of a record's time."""
    return records.datetime.fromisoformat(text).timestamp() - WALL_AT_START


@pytest.mark.slow
@pytest.mark.parametrize(("pace", "step"), [(1.0 - 100e-6, 2.0), (1.0 + 100e-6, -2.0)])
async def test_a_month_on_a_bad_crystal(autojump_clock: trio.abc.Clock, pace: float, step: float) -> None:
    """30 days, 100 ppm off, jitter and bursts, an NTP step of 2 s: no word is off by 50 ms, or goes backwards.

    The truth of a word is what the system clock showed when it was captured. The step is seen with the next block, so
    within one block around it either clock is true.
    """
    stepped_at = 12.3 * DAY
    stalls = [(day * DAY + 1000.0 * n, "stall", 35.0) for day in range(30) for n in range(20)]
    recording = Recording(
        pace=pace,
        block_seconds=20.0,
        jitter_seconds=0.03,
        events=sorted([*stalls, (stepped_at, "step", step)]),
    )
    journal, device = recording.journal, recording.device
    told: list[tuple[float, float]] = []

    async def words() -> None:
        """Tell of a word each ten minutes, and settle what is behind it."""
        while True:
            await trio.sleep(600.0)
            position = journal.tail - 10_000
            at = unix(journal.times(position, position + 500)["started_at"])
            captured = device.captured_at(position / RATE)
            truths = [captured, captured + step] if abs(captured - stepped_at) < 20.0 else []
            truths = truths or [captured + (step if captured > stepped_at else 0.0)]
            told.append((at, min((at - truth for truth in truths), key=abs)))
            await journal.commit([], [(0, position, State.TRANSCRIBED, None)])
            journal._audio.sync()
            journal.forget(5.0)
            del device.stored[:-100]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(words)
        await recording.run(30 * DAY)
        nursery.cancel_scope.cancel()
    assert recording.gaps == []
    assert len(told) > 4000
    assert max(abs(error) for _, error in told) < TOLERANCE_SECONDS
    moments = [at for at, _ in told]
    assert moments == sorted(moments)
    assert len(recording.disk.ledger.open_stream("room", RATE).anchors) < 2000


async def test_a_crystal_that_is_fast_is_no_file(autojump_clock: trio.abc.Clock) -> None:
    """A pipe that is more than a minute ahead of the clock, after days, is not made to wait."""
    recording = Recording(pace=1.0 - 900e-6, block_seconds=20.0, clocked=False)
    await recording.run(3 * DAY)
    assert recording.journal.tail / RATE > 3 * DAY * (1.0 + 900e-6) - 41.0
    assert recording.journal.tail / RATE > 3 * DAY + READ_AHEAD_SECONDS
    assert recording.gaps == []


@pytest.mark.parametrize("seconds", [0.1, 1.5, 60.0])
async def test_a_hole_is_a_gap_where_it_is(autojump_clock: trio.abc.Clock, seconds: float) -> None:
    """`overflow`, before the block that came after it, within 20 ms; UTC goes on as if nothing had been."""
    recording = Recording(block_seconds=0.02, jitter_seconds=0.01, pace=1.0001, events=[(30.0, "hole", seconds)])
    await recording.run(60.0 + seconds)
    [gap] = recording.gaps
    assert gap.cause is Cause.OVERFLOW
    assert gap.start == pytest.approx(30_000, abs=20)
    assert gap.end - gap.start == pytest.approx(1000 * seconds, abs=20)
    for delivered in (29.0, 31.0, 50.0):
        position = round(delivered * RATE) + (gap.end - gap.start if delivered > 30.0 else 0)
        assert recording.utc(position) == pytest.approx(recording.device.captured_at(delivered), abs=0.03)
    assert [pytest.approx(seconds, abs=0.02)] == [one["dropped_seconds"] for one in recording.log.of("audio.dropped")]


async def test_positions_are_those_of_the_journal(autojump_clock: trio.abc.Clock) -> None:
    """A third of a sample is lost before each block, which is no sample: it adds up in time, and not in positions."""
    clock, disk = FakeClock(), Disk()
    journal = disk.journal(clock)

    def script() -> Iterator[Step]:
        for _ in range(3000):
            yield 0.1 + 1 / 3000
            yield block(bytes(600), rate=3000, monotonic=trio.current_time(), dropped=1)

    class Third(Same):
        def feed(self, pcm: bytes) -> bytes:
            return pcm[: len(pcm) // 3]

    capture = Capture(source=ScriptedSource([script()]), journal=journal, converter=Third, clock=clock, log=FakeLog())
    with trio.move_on_after(300.0):
        await capture.run()
    anchor = journal.chronology.at(journal.tail)
    assert anchor is not None
    assert anchor.unix == pytest.approx(clock.wall(), abs=0.15)


@pytest.mark.parametrize("clocked", [True, False])
@pytest.mark.parametrize("seconds", [0.3, 1.9, 30.0])
async def test_a_stall_is_none(autojump_clock: trio.abc.Clock, seconds: float, clocked: bool) -> None:
    """All of it comes at once: no gap, not a sample is missing, and UTC is true before, within and after."""
    events = [(30.0, "stall", seconds)]
    recording = Recording(block_seconds=0.1, jitter_seconds=0.01, events=events, clocked=clocked)
    await recording.run(61.0 + seconds)
    assert recording.gaps == []
    for delivered in (29.0, 30.0 + seconds / 2, 31.0 + seconds, 50.0):
        assert recording.utc(round(delivered * RATE)) == pytest.approx(delivered, abs=TOLERANCE_SECONDS)


async def test_a_pipe_that_rests_has_no_gap(autojump_clock: trio.abc.Clock) -> None:
    """Nothing was said in the meantime; minutes later UTC is when it is said."""
    recording = Recording(clocked=False, jitter_seconds=0.01, events=[(30.0, "hole", 20.0)])
    await recording.run(400.0)
    assert recording.gaps == []
    assert recording.utc(29_000) == pytest.approx(29.0, abs=TOLERANCE_SECONDS)
    assert recording.utc(60_000) == pytest.approx(80.0, abs=TOLERANCE_SECONDS)
    assert recording.utc(300_000) == pytest.approx(320.0, abs=TOLERANCE_SECONDS)


async def test_a_pipe_with_a_backlog_begins_before_now(autojump_clock: trio.abc.Clock) -> None:
    """Ten seconds that lay in the pipe were said in the last ten seconds."""
    recording = Recording(clocked=False, events=[(0.0, "stall", 10.0)])
    await recording.run(15.0)
    assert recording.utc(0) == pytest.approx(0.0, abs=TOLERANCE_SECONDS)
    assert recording.utc(12_000) == pytest.approx(12.0, abs=TOLERANCE_SECONDS)


@pytest.mark.parametrize("seconds", [2.0, 8 * 3600.0])
async def test_a_sleep_is_a_gap(autojump_clock: trio.abc.Clock, seconds: float) -> None:
    """`suspend`, as long as it was; UTC behind it is right."""
    recording = Recording(block_seconds=0.02, jitter_seconds=0.01, events=[(30.0, "sleep", seconds)])
    await recording.run(60.0)
    [gap] = recording.gaps
    assert gap.cause is Cause.SUSPEND
    assert gap.start == pytest.approx(30_000, abs=20)
    assert gap.end - gap.start == pytest.approx(1000 * seconds, abs=TOLERANCE_SECONDS * 1000)
    assert recording.utc(gap.end + 10_000) == pytest.approx(40.0 + seconds, abs=TOLERANCE_SECONDS)


@pytest.mark.parametrize("ends", [True, False])
async def test_a_pipe_goes_on_after_a_sleep(autojump_clock: trio.abc.Clock, ends: bool) -> None:
    """Hours of sleep are a gap, and no hours that it is ahead of the clock: it is neither a file nor held back."""
    recording = Recording(clocked=False, events=[(30.0, "sleep", 8 * 3600.0)])
    recording.device.ends = ends
    await recording.run(60.05)
    [gap] = recording.gaps
    assert gap.cause is Cause.SUSPEND
    assert recording.journal.tail == pytest.approx((60.0 + 8 * 3600.0) * RATE, abs=200)
    assert recording.log.of("input.taken_for_file") == []


async def test_a_device_that_is_lost_in_a_sleep(autojump_clock: trio.abc.Clock) -> None:
    """Asleep for an hour, and then without a device for a moment: two gaps, which touch."""
    recording = Recording(events=[(30.0, "sleep", 3600.0), (30.0, "loss", 0.0)])
    await recording.run(60.0)
    asleep, away = recording.gaps
    assert (Cause.SUSPEND, 30_000, 3_630_000) == (asleep.cause, asleep.start, asleep.end)
    assert (Cause.DEVICE, asleep.end) == (away.cause, away.start)
    assert away.end - away.start == pytest.approx(250, abs=120)


@pytest.mark.parametrize("seconds", [2.0, -2.0, 0.2])
async def test_a_step_of_the_clock_is_followed_with_the_next_block(
    autojump_clock: trio.abc.Clock, seconds: float
) -> None:
    """No gap; what was captured before has the time of then."""
    recording = Recording(jitter_seconds=0.01, events=[(30.0, "step", seconds)])
    await recording.run(60.0)
    assert recording.gaps == []
    assert recording.utc(29_900) == pytest.approx(29.9, abs=0.02)
    assert recording.utc(30_100) == pytest.approx(30.1 + seconds, abs=0.02)


async def test_what_is_held_when_it_stops_is_kept(autojump_clock: trio.abc.Clock) -> None:
    """Stopped in doubt: the audio is in the journal, behind its gap, and both are durable."""
    recording = Recording(events=[(30.0, "hole", 5.0)])
    await recording.run(36.05)
    [gap] = recording.gaps
    assert (30_000, 35_000) == (gap.start, gap.end)
    assert recording.journal.tail == 36_000
    assert len(recording.disk.lines("gap")) == 1


async def test_a_clock_that_is_set_for_the_first_time(autojump_clock: trio.abc.Clock) -> None:
    """What was recorded since 1970 and waits for the network gets the time that it had."""
    recording = Recording(events=[(30.0, "step", WALL_AT_START)])
    recording.clock.stepped = -WALL_AT_START
    await recording.run(60.0, boot="b", synchronised=lambda: recording.clock.stepped == 0.0)
    assert [0.0, 10.0, 50.0] == [pytest.approx(recording.utc(1000 * at), abs=0.05) for at in (0, 10, 50)]


async def after_a_stop(
    *, boots: tuple[str, str], synchronised: tuple[bool, bool], step: float, began: float = 0.0
) -> Recording:
    """Record ten seconds, be away for a hundred while the clock is set, and record again."""
    first = Recording()
    first.clock.stepped = began
    await first.run(10.05, boot=boots[0], synchronised=lambda: synchronised[0])
    await first.journal.commit([])
    await trio.sleep(100.0)
    first.clock.stepped += step
    again = Recording(first.disk, first.clock)
    await again.run(10.05, boot=boots[1], synchronised=lambda: synchronised[1])
    return again


@pytest.mark.parametrize(
    ("boots", "synchronised", "step", "began", "seconds", "estimated"),
    [
        (("a", "a"), (True, True), 0.0, 0.0, 100.0, False),
        (("a", "a"), (False, True), WALL_AT_START, -WALL_AT_START, 100.0, False),
        (("a", "a"), (True, True), -3600.0, 0.0, 100.0, False),
        (("a", "b"), (True, True), 0.0, 0.0, 100.0, False),
        (("a", "b"), (True, False), 0.0, 0.0, 100.0, True),
        (("a", "b"), (False, True), 0.0, 0.0, 100.0, True),
        (("a", "b"), (False, True), WALL_AT_START, -WALL_AT_START, 0.001, True),
        (("a", "b"), (True, False), -WALL_AT_START, 0.0, 0.001, True),
        (("a", "b"), (True, False), -3600.0, 0.0, 0.001, True),
        (("", ""), (True, True), 0.0, 0.0, 100.0, False),
    ],
)
async def test_the_gap_after_a_stop(
    autojump_clock: trio.abc.Clock,
    boots: tuple[str, str],
    synchronised: tuple[bool, bool],
    step: float,
    began: float,
    seconds: float,
    estimated: bool,
) -> None:
    """By the boot clock where the machine went on, by the system clock where that can be right, else nearly nothing."""
    recording = await after_a_stop(boots=boots, synchronised=synchronised, step=step, began=began)
    [gap] = recording.gaps
    assert (Cause.STOPPED, 10_000) == (gap.cause, gap.start)
    assert gap.end - gap.start == pytest.approx(1000 * seconds, abs=60 if seconds > 1.0 else 0)
    assert [estimated] == [line["estimated"] for line in recording.disk.lines("gap")]
    now = recording.clock.wall() - WALL_AT_START
    assert recording.utc(recording.journal.tail) == pytest.approx(now, abs=0.2)
