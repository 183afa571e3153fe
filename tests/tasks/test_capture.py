"""Capture on virtual time: every block at its place, whatever the source, the clocks and the disk do."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import trio

from fakes.clock import WALL_AT_START, FakeClock
from fakes.journal import Disk, troubled
from fakes.log import FakeLog
from fakes.source import ScriptedSource, Step, block, speech
from stenod.core.source import READ_AHEAD_SECONDS, WAITING_SECONDS_MAX, SourceBroken, SourceError, SourceLost
from stenod.core.timeline import Cause, Settled, Span, State
from stenod.tasks.capture import Capture
from stenod.tasks.journal import Journal

HELD = 7
LOST = SourceLost("it is unplugged")


class HoldingConverter:
    """Like a resampler: hands out later, drops every second sample of a double rate."""

    made: list[tuple[int, int, int]]

    def __init__(self, rate_in: int, channels_in: int, rate_out: int) -> None:
        self._step = rate_in // rate_out
        self._held = np.zeros(0, dtype="<i2")

    def feed(self, pcm: bytes) -> bytes:
        """Return all but the last samples."""
        self._held = np.concatenate([self._held, np.frombuffer(pcm, "<i2")])
        out, self._held = self._held[: -HELD * self._step], self._held[-HELD * self._step :]
        return out[:: self._step].tobytes()

    def finish(self) -> bytes:
        """Return the rest."""
        return self._held[:: self._step].tobytes()


class Studio:
    """A capture with its journal and everything it says."""

    def __init__(self, source: ScriptedSource, disk: Disk | None = None, origin: int = 0) -> None:
        self.clock = FakeClock()
        self.log = FakeLog()
        self.disk = disk or Disk()
        self.journal: Journal = self.disk.journal(self.clock)
        self.source = source
        self.capture = Capture(
            source=source,
            journal=self.journal,
            converter=HoldingConverter,
            clock=self.clock,
            log=self.log,
            origin=origin,
        )

    async def run(self, seconds: float) -> None:
        """Run for so long, then cancel."""
        with trio.move_on_after(seconds):
            await self.capture.run()
        await self.journal.flush()

    def utc(self, position: int) -> float:
        """What a record would say of the position."""
        anchor = self.journal.chronology.at(position)
        assert anchor is not None
        return anchor.unix

    @property
    def gaps(self) -> list[Settled]:
        """The gaps of the timeline."""
        return [one for one in self.journal.settled() if one.state is State.GAP]

    @property
    def statuses(self) -> list[str]:
        """What the records say of the device."""
        return [line["state"] for line in self.disk.lines("status") if line["subject"] == "device"]


def microphone(start: int, count: int, *, seconds: float = 0.1, drift: float = 0.0) -> Iterator[Step]:
    """Play so many blocks in real time, stamped as the real one does."""
    size = round(seconds * 1000)
    for index in range(count):
        yield seconds
        yield block(speech(start + size * index, size), monotonic=trio.current_time() + drift)


def at_once(start: int, count: int, seconds: float = 1.0) -> Iterator[Step]:
    """Deliver so many blocks as fast as they are read."""
    size = round(seconds * 1000)
    for index in range(count):
        yield block(speech(start + size * index, size))


def then(*parts: object) -> Iterator[Step]:
    """Play one after the other."""
    for part in parts:
        if isinstance(part, Exception | float):
            yield part
        else:
            yield from part


async def test_a_microphone_is_recorded(autojump_clock: trio.abc.Clock) -> None:
    """Each block is in the journal at most a fifth of a second later, bit for bit, and all of it at the end."""
    studio = Studio(ScriptedSource([microphone(0, 100)]))
    with trio.move_on_after(5.05) as scope:
        await studio.capture.run()
    assert scope.cancelled_caught
    assert studio.journal.tail == 5000
    assert speech(0, 5000) == studio.journal.read(0, 5000)
    assert studio.gaps == []
    assert studio.statuses == []
    assert studio.utc(0) == pytest.approx(studio.clock.wall() - 5.05)


async def test_at_most_a_fifth_of_a_second_is_not_in_the_journal(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """What a killed process loses is bounded at every moment."""
    studio = Studio(ScriptedSource([microphone(0, 500, seconds=0.02)]))
    nursery.start_soon(studio.capture.run)
    for _ in range(90):
        await trio.sleep(0.1)
        assert trio.current_time() - studio.journal.tail / 1000 <= 0.2 + 0.02 + HELD / 1000


@pytest.mark.parametrize("away", [0.0, 0.37, 12.0, 3600.0])
async def test_a_lost_microphone_is_a_gap_of_exactly_its_absence(autojump_clock: trio.abc.Clock, away: float) -> None:
    """From the end of its last block to the beginning of the next one, and it is said once that it went and came."""
    studio = Studio(ScriptedSource([then(microphone(0, 10), 0.05, LOST), then(away, microphone(0, 1000))]))
    await studio.run(1.05 + 0.25 + away + 1.0)
    gap = round((0.05 + 0.25 + away) * 1000)
    assert [Settled(1000, 1000 + gap, State.GAP, Cause.DEVICE)] == studio.gaps
    assert speech(0, 1000) == studio.journal.read(0, 1000)
    assert speech(0, 900) == studio.journal.read(1000 + gap, 900)
    assert ["lost", "back"] == studio.statuses


async def test_a_source_that_stays_away_is_tried_ever_more_slowly(autojump_clock: trio.abc.Clock) -> None:
    """The delays grow to a second and stay there, and a person is told once."""
    studio = Studio(ScriptedSource([then(microphone(0, 10), LOST), *([LOST] for _ in range(6)), microphone(0, 10**6)]))
    await studio.run(60.0)
    opened = [at for at, _ in studio.source.opened_at]
    pauses = [later - earlier for earlier, later in pairwise(opened[1:])]
    assert opened[1] == pytest.approx(1.25)
    assert [0.5, 1.0, 1.0, 1.0, 1.0, 1.0] == [pytest.approx(pause) for pause in pauses]
    assert ["lost", "back"] == studio.statuses
    assert [5750] == [gap.end - gap.start for gap in studio.gaps]


async def test_a_source_that_was_never_there_is_told_too(autojump_clock: trio.abc.Clock) -> None:
    """Lost before its first block, then back: both are said, and there is no gap before the beginning."""
    studio = Studio(ScriptedSource([[LOST], [LOST], [LOST], microphone(0, 10**6)]))
    await studio.run(10.0)
    assert ["lost", "back"] == studio.statuses
    assert studio.gaps == []


async def test_a_command_that_ends_is_started_again(autojump_clock: trio.abc.Clock) -> None:
    """The end of what should never end is a loss."""
    studio = Studio(ScriptedSource([microphone(0, 10), microphone(1250, 5), microphone(0, 0)], description="command"))
    await studio.run(3.0)
    assert [Span(1000, 1250)] == [Span(gap.start, gap.end) for gap in studio.gaps]
    assert speech(1250, 500) == studio.journal.read(1250, 500)
    assert studio.capture.live


async def test_a_command_that_ends_at_once_is_started_ever_more_slowly(autojump_clock: trio.abc.Clock) -> None:
    """A little audio each time does not count; only one that delivered for a while is lost anew."""
    steady = then(microphone(0, 300), LOST)
    openings = [*(microphone(0, 3) for _ in range(8)), steady, microphone(0, 3), microphone(0, 3)]
    studio = Studio(ScriptedSource(openings))
    await studio.run(120.0)
    opened = [at for at, _ in studio.source.opened_at]
    pauses = [round(later - earlier - 0.3, 3) for earlier, later in pairwise(opened)]
    assert [0.25, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 29.7 + 0.25, 0.5, 1.0] == pauses


async def test_a_command_that_is_faster_than_time_is_held_back(autojump_clock: trio.abc.Clock) -> None:
    """A minute ahead of the clock at most, over its restarts too, and what it delivers is whole; it stays live."""
    studio = Studio(ScriptedSource([at_once(0, 300), *(at_once(0, 40) for _ in range(20))]))
    async with trio.open_nursery() as nursery:
        began = trio.current_time()
        nursery.start_soon(studio.run, 500.0)
        while trio.current_time() - began < 499.0:
            await trio.sleep(1.0)
            ahead = studio.journal.tail / 1000 - (trio.current_time() - began)
            assert ahead <= READ_AHEAD_SECONDS + 3.0
            if studio.journal.tail:
                assert studio.utc(studio.journal.tail) <= studio.clock.wall() + 0.02
    assert speech(0, 300_000) == studio.journal.read(0, 300_000)
    assert studio.journal.tail > 500_000
    assert studio.capture.live


async def test_a_file_is_read_at_its_own_speed(autojump_clock: trio.abc.Clock) -> None:
    """A second of a file takes a second, and its end is the end of the run."""
    studio = Studio(ScriptedSource([at_once(0, 30)], live=False, ends=True))
    await studio.run(10.5)
    assert 9_000 <= studio.journal.tail <= 12_000
    studio = Studio(ScriptedSource([at_once(0, 30)], live=False, ends=True))
    began = trio.current_time()
    await studio.capture.run()
    assert trio.current_time() - began == pytest.approx(30.0, abs=1.1)
    assert studio.journal.finished
    assert speech(0, 30_000) == studio.journal.read(0, 30_000)
    assert studio.gaps == []


async def test_a_file_waits_for_the_transcript(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It is at most two minutes ahead of what is transcribed, goes on afterwards at its own speed, and has no gaps."""
    studio = Studio(ScriptedSource([at_once(0, 300)], live=False, ends=True))
    nursery.start_soon(studio.capture.run)
    await trio.sleep(1000.0)
    ahead = (WAITING_SECONDS_MAX + 1.0) * 1000
    assert WAITING_SECONDS_MAX * 1000 <= studio.journal.tail <= ahead
    await studio.journal.commit([], [(0, 45_000, State.TRANSCRIBED, None)])
    await trio.sleep(20.0)
    assert studio.journal.tail == pytest.approx(141_000, abs=1500)
    await trio.sleep(1000.0)
    assert studio.journal.tail <= 45_000 + ahead
    while not studio.journal.finished:
        await studio.journal.commit([], [(0, studio.journal.tail, State.TRANSCRIBED, None)])
        await trio.sleep(1.0)
    assert studio.journal.tail == 300_000
    assert studio.gaps == []


async def test_a_file_goes_on_where_it_was(autojump_clock: trio.abc.Clock) -> None:
    """After a restart it is opened at the tail, however long ago that was, and nothing is a gap."""
    disk = Disk()
    first = Studio(ScriptedSource([at_once(0, 100)], live=False, ends=True), disk)
    await first.run(20.0)
    tail = first.journal.tail
    await first.journal.commit([])
    again = Studio(ScriptedSource([at_once(tail, 1, 0.5)], live=False, ends=True), disk)
    again.clock.stepped = 86_400.0
    await again.capture.run()
    assert [tail / 1000] == [position for _, position in again.source.opened_at]
    assert again.gaps == []
    assert speech(0, tail + 500) == again.journal.read(0, tail + 500)


async def test_another_file_begins_at_its_beginning(autojump_clock: trio.abc.Clock) -> None:
    """What the journal holds of one file is no place in the next."""
    disk = Disk()
    first = Studio(ScriptedSource([at_once(0, 3)], live=False, ends=True), disk)
    await first.run(20.0)
    tail = first.journal.tail
    await first.journal.commit([])
    other = Studio(ScriptedSource([at_once(0, 1, 0.5)], live=False, ends=True), disk, origin=tail)
    await other.capture.run()
    assert [0.0] == [position for _, position in other.source.opened_at]
    assert tail + 500 == other.journal.tail


async def test_standard_input_far_ahead_of_the_clock_is_a_file(autojump_clock: trio.abc.Clock) -> None:
    """`stenod - < file` is not thrown into the journal at once: past a minute it waits for the transcript."""
    studio = Studio(ScriptedSource([at_once(0, 500)], live=True, ends=True))
    await studio.run(100.0)
    assert not studio.capture.live
    assert studio.journal.tail <= (2 * READ_AHEAD_SECONDS + 2.0) * 1000
    assert speech(0, 60_000) == studio.journal.read(0, 60_000)
    assert studio.gaps == []


@pytest.mark.parametrize("live", [False, True])
async def test_what_waits_for_a_full_disk_is_not_lost(autojump_clock: trio.abc.Clock, live: bool) -> None:
    """A file is read again by the next run; what came from standard input is a gap when nobody waits any more."""
    disk = Disk()
    studio = Studio(ScriptedSource([at_once(0, 500)], live=live, ends=True), disk)
    disk.files.bytes_max = 2 * 65_000
    await studio.run(100.0)
    stored = 65_000 - HELD
    assert speech(0, stored) == studio.journal.read(0, 66_000)
    assert [Settled(stored, 66_000, State.GAP, Cause.DISK)][: int(live)] == studio.gaps
    disk.files.bytes_max = None
    if not live:
        again = Studio(
            ScriptedSource([then([block(speech(stored, HELD))], at_once(65_000, 5))], live=False, ends=True), disk
        )
        await again.capture.run()
        assert [stored / 1000] == [position for _, position in again.source.opened_at]
        assert speech(0, 70_000) == again.journal.read(0, 70_000)
        assert [] == again.gaps


async def test_standard_input_in_real_time_stays_live(autojump_clock: trio.abc.Clock) -> None:
    """A burst of half a minute and a pause of minutes change nothing."""
    studio = Studio(ScriptedSource([then(at_once(0, 30), 300.0, at_once(30_000, 50))], live=True, ends=True))
    await studio.capture.run()
    assert studio.capture.live
    assert studio.journal.tail == 80_000
    assert speech(0, 80_000) == studio.journal.read(0, 80_000)


async def test_what_the_child_dropped_is_a_gap_there(autojump_clock: trio.abc.Clock) -> None:
    """The gap lies exactly between the blocks, and what the conversion held back lies before it."""
    script = [block(speech(0, 330)), block(speech(830, 100), dropped=500), block(speech(930, 70))]
    studio = Studio(ScriptedSource([script], live=True, ends=True))
    await studio.capture.run()
    assert [Settled(330, 830, State.GAP, Cause.OVERFLOW)] == studio.gaps
    assert speech(0, 330) == studio.journal.read(0, 330)
    assert speech(830, 170) == studio.journal.read(830, 170)
    assert studio.log.of("audio.dropped")


async def test_dropped_frames_count_at_the_rate_of_the_source(autojump_clock: trio.abc.Clock) -> None:
    """A thousand frames at twice the rate are half a second."""
    script = [block(bytes(400), rate=2000), block(bytes(400), rate=2000, dropped=1000)]
    studio = Studio(ScriptedSource([script], live=True, ends=True))
    await studio.capture.run()
    assert [500] == [gap.end - gap.start for gap in studio.gaps]
    assert studio.journal.tail == 100 + 500 + 100


async def test_a_new_rate_in_mid_stream(autojump_clock: trio.abc.Clock) -> None:
    """The first conversion is finished before the second begins: nothing is lost, nothing moves."""
    doubled = np.repeat(np.frombuffer(speech(500, 300), "<i2"), 2).tobytes()
    studio = Studio(
        ScriptedSource(
            [[block(speech(0, 500)), block(doubled, rate=2000), block(speech(800, 200))]], live=True, ends=True
        )
    )
    await studio.capture.run()
    assert speech(0, 1000) == studio.journal.read(0, 1000)


async def test_cancelled_it_keeps_what_it_has(autojump_clock: trio.abc.Clock) -> None:
    """Stopped between two appends, the collected audio and what the conversion held back are in the journal."""
    studio = Studio(ScriptedSource([then(microphone(0, 13, seconds=0.01), 1000.0)]))
    await studio.run(1.0)
    assert studio.journal.tail == 130
    assert speech(0, 130) == studio.journal.read(0, 130)
    assert studio.journal.finished


async def test_what_a_person_must_mend_is_raised(autojump_clock: trio.abc.Clock) -> None:
    """A `SourceError` ends the run, with everything that was read in the journal."""
    studio = Studio(ScriptedSource([then(microphone(0, 3), SourceError("no such device", 66))]))
    with pytest.raises(SourceError, match="no such device"):
        await studio.capture.run()
    assert speech(0, 300) == studio.journal.read(0, 300)
    assert studio.journal.finished


async def restarted(away: float, *, stepped: float = 0.0) -> Studio:
    """Record five seconds, be away, record again."""
    disk = Disk()
    first = Studio(ScriptedSource([microphone(0, 1000)]), disk)
    await first.run(5.05)
    await first.journal.commit([])
    await trio.sleep(away - 0.05)
    again = Studio(ScriptedSource([microphone(0, 1000)]), disk)
    again.clock.stepped = stepped
    await again.run(1.05)
    return again


@pytest.mark.parametrize("away", [0.5, 3600.0, 30 * 86_400.0])
async def test_the_time_without_a_process_is_a_gap(autojump_clock: trio.abc.Clock, away: float) -> None:
    """A live stream that is resumed has a gap `stopped` as long as the wall clock says."""
    studio = await restarted(away)
    gap = round(away * 1000)
    assert [Settled(5000, 5000 + gap, State.GAP, Cause.STOPPED)] == studio.gaps
    assert speech(0, 1000) == studio.journal.read(5000 + gap, 1000)
    assert studio.utc(studio.journal.tail) == pytest.approx(studio.clock.wall() - 0.05, abs=0.01)


async def test_a_clock_that_was_set_back_makes_the_smallest_gap(autojump_clock: trio.abc.Clock) -> None:
    """Nobody knows how long it was before a time that has been: one sample says so, and nothing else moves."""
    studio = await restarted(10.0, stepped=-3600.0)
    assert [Settled(5000, 5001, State.GAP, Cause.STOPPED)] == studio.gaps
    assert [True] == [line["estimated"] for line in studio.disk.lines("gap")]
    assert studio.journal.tail == 6001


async def test_a_clock_that_jumps_while_the_device_is_away(autojump_clock: trio.abc.Clock) -> None:
    """Within one run only the monotonic clock counts."""
    studio = Studio(ScriptedSource([then(microphone(0, 10), LOST), microphone(0, 1000)]))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(studio.run, 3.0)
        await trio.sleep(1.1)
        studio.clock.stepped = 1e6
    assert [250] == [gap.end - gap.start for gap in studio.gaps]


async def test_a_device_clock_of_its_own(autojump_clock: trio.abc.Clock) -> None:
    """Blocks are stamped on a clock that is not ours; only its differences count."""
    script = [then(microphone(0, 10, drift=5e5), LOST), microphone(0, 10**5, drift=5e5)]
    studio = Studio(ScriptedSource(script))
    await studio.run(3.0)
    assert [250] == [gap.end - gap.start for gap in studio.gaps]


async def test_a_slow_disk_loses_no_block(autojump_clock: trio.abc.Clock) -> None:
    """While a gap waits for its commit, no audio passes it, and a cancelled wait keeps the block that was read."""
    disk = Disk()
    studio = Studio(ScriptedSource([then(microphone(0, 10), LOST), microphone(0, 100)]), disk)
    disk.seconds = 2.0
    await studio.run(1.0 + 2.0 + 0.25 + 0.1 + 1.0)
    assert speech(0, 1000) == studio.journal.read(0, 1000)
    assert [gap.start for gap in studio.gaps] == [1000]
    assert speech(0, 100) == studio.journal.read(studio.gaps[0].end, 100)


@pytest.mark.parametrize("away", [0.0, 100.0])
async def test_a_slow_disk_moves_no_word_in_utc(autojump_clock: trio.abc.Clock, away: float) -> None:
    """A block's time is when it was captured, not when the commit before it was done."""
    disk = Disk()
    studio = Studio(ScriptedSource([then(microphone(0, 10), LOST), then(away, microphone(0, 100))]), disk)
    disk.seconds = 2.0
    await studio.run(away + 10.0)
    first = studio.source.opened_at[1][0] + away
    assert studio.utc(studio.gaps[0].end) == pytest.approx(WALL_AT_START + first, abs=0.05)


async def test_it_shows_that_it_turns(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Audio and attempts to get it move `turned_at`; a source that hangs does not."""
    script = [then(microphone(0, 10), LOST), [LOST], [LOST], then(microphone(0, 10), 1000.0)]
    studio = Studio(ScriptedSource(script))
    nursery.start_soon(studio.capture.run)
    for _ in range(40):
        await trio.sleep(0.1)
        assert trio.current_time() - studio.capture.turned_at < 2.2
    await trio.sleep(100.0)
    assert trio.current_time() - studio.capture.turned_at > 90.0


@pytest.mark.parametrize("live", [True, False])
async def test_audio_that_cannot_be_converted(autojump_clock: trio.abc.Clock, live: bool) -> None:
    """A channel that is not there is told as it is, once, whatever else is still to be settled."""

    def refuse(*_format: int) -> HoldingConverter:
        raise SourceError("there is no channel 3", 78)

    studio = Studio(ScriptedSource([microphone(0, 10)], live=live, ends=True, clocked=live))
    studio.capture._intake._new_converter = refuse
    with pytest.raises(SourceError, match="no channel 3"):
        await studio.capture.run()
    assert 0 == studio.journal.tail


async def test_a_device_that_is_back_after_a_restart(autojump_clock: trio.abc.Clock) -> None:
    """An earlier run ended while it was lost."""
    studio = Studio(ScriptedSource([microphone(0, 100)]), await troubled("device", "provider"))
    await studio.run(5.0)
    assert ["lost", "back"] == studio.statuses
    assert studio.journal.mended("provider")


async def test_a_file_that_breaks_off_is_told(autojump_clock: trio.abc.Clock) -> None:
    """What came is all there is: it ends as any other, and a person reads why."""
    source = ScriptedSource([then(at_once(0, 3), SourceBroken("file talk.wav breaks off"))], live=False, ends=True)
    studio = Studio(source)
    await studio.capture.run()
    assert (3000, True) == (studio.journal.tail, studio.journal.finished)
    assert ["file talk.wav breaks off"] == [fields["reason"] for fields in studio.log.of("input.broken")]
