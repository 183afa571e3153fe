"""The journal on the real ledger in memory: positions, commits, restarts, what is forgotten, and UTC."""

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.clock import WALL_AT_START
from fakes.journal import RATE, STREAM, Disk, restarted, status
from fakes.source import speech
from stenod.core import records
from stenod.core.chronology import Anchor
from stenod.core.timeline import Cause, Settled, Span, State
from stenod.tasks.stored_audio import Keeping

HEARD = State.TRANSCRIBED


async def test_audio_in_and_out(autojump_clock: trio.abc.Clock) -> None:
    """What is appended is at the tail, pending, and can be read from anywhere until it is settled."""
    journal = Disk().journal()
    journal.append(speech(0, 300))
    journal.append(speech(300, 200))
    assert (journal.tail, journal.cursor, journal.lag_seconds) == (500, 0, 0.5)
    assert speech(100, 300) == journal.read(100, 300)
    assert speech(450, 50) == journal.read(450, 900)

    written, settled = await journal.commit([status("half")], [(0, 250, HEARD, None)])

    assert [record.id for record in written] == ["room-0000-0000000000"]
    assert (settled, journal.cursor, journal.pending_seconds()) == (250, 250, 0.25)
    assert [Span(250, 500)] == journal.pending(0, 500)


async def test_nothing_appended_is_nothing(autojump_clock: trio.abc.Clock) -> None:
    """An empty append moves no tail and wakes nobody."""
    journal = Disk().journal()
    pulse = journal.pulse()
    journal.append(b"")
    assert journal.tail == 0
    assert not pulse.is_set()


async def test_a_gap_is_settled_and_told(autojump_clock: trio.abc.Clock) -> None:
    """Lost time extends the timeline, is never pending, and is a record with its place and cause."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 100))
    await journal.gap(400, Cause.DEVICE)
    journal.append(speech(500, 100))
    await journal.flush()
    assert journal.tail == 600
    assert [Span(0, 100), Span(500, 600)] == journal.pending(0, 600)
    assert [(0.1, 0.5, "device")] == [(gap["start"], gap["end"], gap["cause"]) for gap in disk.lines("gap")]
    assert journal.read(50, 500) == speech(50, 50)
    assert journal.read(500, 100) == speech(500, 100)


async def test_a_gap_is_never_taken_for_audio(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """From its first moment on it is not pending, however long the disk takes to know of it."""
    disk = Disk()
    disk.seconds = 5.0
    journal = disk.journal()
    journal.append(speech(0, 100))
    nursery.start_soon(journal.commit, [status("a")])
    nursery.start_soon(journal.gap, 400, Cause.OVERFLOW)
    nursery.start_soon(journal.maintain, 1.0)
    for _ in range(12):
        await trio.sleep(1.0)
        assert [Span(0, 100)] == journal.pending(0, journal.tail)
    assert len(disk.lines("gap")) == 1
    assert journal.settled() == disk.journal().settled()


async def test_audio_that_nobody_could_hear_is_given_up(autojump_clock: trio.abc.Clock) -> None:
    """What is still pending of it becomes gaps `rejected`, each with its record."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 1000))
    await journal.commit([], [(300, 400, HEARD, None)])
    await journal.give_up(100, 600)
    assert [Span(0, 100), Span(600, 1000)] == journal.pending(0, 1000)
    assert [(0.1, 0.3, "rejected"), (0.4, 0.6, "rejected")] == [
        (gap["start"], gap["end"], gap["cause"]) for gap in disk.lines("gap")
    ]
    await journal.give_up(100, 600)
    assert len(disk.lines("gap")) == 2


@pytest.mark.parametrize("count", [0, -1, -100_000])
async def test_a_gap_is_never_negative(autojump_clock: trio.abc.Clock, count: int) -> None:
    """A clock that was set back loses no audio and makes no gap."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 100))
    await journal.gap(count, Cause.STOPPED)
    assert journal.tail == 100
    assert disk.lines() == []


async def test_a_restart_loses_nothing(autojump_clock: trio.abc.Clock) -> None:
    """Spans, tail, audio, record ids and session names go on where they were."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 100))
    await journal.gap(50, Cause.OVERFLOW)
    journal.append(speech(150, 100))
    first = journal.new_session()
    await journal.commit([status("a")], [(0, 80, HEARD, None)])
    journal.append(speech(250, 30))

    again = disk.journal()

    assert again.tail == 280
    assert journal.settled() == again.settled()
    assert [Span(80, 100), Span(150, 280)] == again.pending(0, 280)
    assert speech(150, 130) == again.read(150, 130)
    assert again.new_session() > first
    written, _ = await again.commit([status("b")])
    ids = [line["id"] for line in disk.lines()]
    assert ids == sorted(set(ids))
    assert written[0].id == ids[-1]
    assert len(ids) == 3


async def test_a_session_goes_live_with_this_run(autojump_clock: trio.abc.Clock) -> None:
    """It overlaps with what this run captured, never with what lies before the stop, told or not yet."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 10 * RATE))
    assert journal.live_start(journal.tail) == (10 * RATE, 8 * RATE)
    journal = disk.journal()
    assert journal.live_start(journal.tail) == (10 * RATE, 10 * RATE)
    await journal.gap(RATE, Cause.STOPPED)
    journal.append(speech(11 * RATE, RATE))
    assert journal.live_start(journal.tail) == (11 * RATE, 11 * RATE)
    journal.append(speech(12 * RATE, 2 * RATE))
    assert journal.live_start(journal.tail) == (14 * RATE, 12 * RATE)


async def test_lost_audio_is_a_gap_after_a_restart(autojump_clock: trio.abc.Clock) -> None:
    """A power cut that ate the last second leaves a `disk` gap: settled, durable, and told once."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 600))
    journal._audio.sync()
    journal.append(speech(600, 400))
    await journal.commit([], [(0, 500, HEARD, None), (700, 800, HEARD, None)])
    disk.files = disk.files.survivors()

    again = await restarted(disk)

    assert again.tail == 1000
    assert [Span(500, 600)] == again.pending(0, 1000)
    assert again.cursor == 500
    assert [Settled(600, 700, State.GAP, Cause.DISK), Settled(800, 1000, State.GAP, Cause.DISK)] == [
        one for one in again.settled() if one.state is State.GAP
    ]
    assert [(0.6, 0.7, "disk"), (0.8, 1.0, "disk")] == [
        (gap["start"], gap["end"], gap["cause"]) for gap in disk.lines("gap")
    ]
    third = await restarted(disk)
    assert again.settled() == third.settled()
    assert len(disk.lines("gap")) == 2
    again.append(speech(1000, 10))
    assert again.read(1000, 10) == speech(1000, 10)


async def test_a_lost_file_in_the_middle_is_a_gap(autojump_clock: trio.abc.Clock) -> None:
    """Pending audio that no file holds is never waited for, wherever it lies."""
    disk = Disk(samples_max=100)
    journal = disk.journal()
    journal.append(speech(0, 400))
    await journal.commit([], [(0, 50, HEARD, None)])
    del disk.files.contents[100]
    again = await restarted(disk)
    assert [Span(50, 100), Span(200, 400)] == again.pending(0, 400)
    assert [(0.1, 0.2, "disk")] == [(gap["start"], gap["end"], gap["cause"]) for gap in disk.lines("gap")]


async def test_a_new_ledger_beside_old_audio(autojump_clock: trio.abc.Clock) -> None:
    """After the ledger was moved away, what the files still hold is pending, and what they do not is a gap."""
    disk = Disk(samples_max=100)
    journal = disk.journal()
    journal.append(speech(0, 350))
    await journal.commit([], [(0, 250, HEARD, None)])
    journal.forget(0.0)
    fresh = Disk(samples_max=100)
    fresh.files = disk.files
    again = await restarted(fresh)
    assert [Span(200, 350)] == again.pending(0, again.tail)
    assert again.read(200, 150) == speech(200, 150)


async def test_a_pulse_misses_no_change(autojump_clock: trio.abc.Clock) -> None:
    """Taken before looking, it is set by whatever changes afterwards: audio, a commit, a gap, the end."""
    journal = Disk().journal()
    for change in ("append", "commit", "gap", "finish"):
        pulse, other = journal.pulse(), journal.pulse()
        assert not pulse.is_set()
        match change:
            case "append":
                journal.append(speech(0, 10))
            case "commit":
                await journal.commit([], [(0, 5, HEARD, None)])
            case "gap":
                await journal.gap(5, Cause.DEVICE)
            case "finish":
                journal.finish()
        assert pulse.is_set()
        assert other.is_set()
    assert journal.finished


async def test_old_lines_leave_the_outbox(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Those that were printed, are old, and lie nowhere near what is pending; in batches, from the front."""
    disk = Disk()
    journal = disk.journal(keeping=Keeping(lines_seconds=3600.0))
    journal.append(bytes(2 * 4_000_000))
    for number in range(400):
        start = 10.0 * number
        final = records.Final(
            stream=STREAM,
            start=start,
            end=start + 5.0,
            started_at="",
            ended_at="",
            text="x",
            words=(),
            provider="p",
            session="s",
        )
        settled = [] if number == 25 else [(10_000 * number, 10_000 * number + 10_000, HEARD, None)]
        await journal.commit([final, status("x")], settled)
    await journal.prune()
    assert len(disk.lines()) == 800
    await journal.printed("stdout", 0, 599)
    await journal.prune()
    assert len(disk.lines()) == 800 - 2 * 25 + 1
    await journal.commit([], [(250_000, 260_000, HEARD, None)])
    nursery.start_soon(journal.maintain, 1.0)
    await trio.sleep(60.0)
    assert disk.lines()[0]["type"] == "status"
    assert [405.0, 415.0] == [line["end"] for line in disk.lines("final")][:2]
    journal.append(bytes(2 * 4_000_000))
    await journal.commit([], [(4_000_000, 8_000_000, HEARD, None)])
    await trio.sleep(60.0)
    assert len(disk.lines()) == 200 + 1
    assert (disk.lines()[0]["id"], disk.lines()[1]["end"]) == ("room-0000-0000000599", 3005.0)


async def test_upkeep(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Once a period audio becomes durable, and what is long settled goes."""
    disk = Disk(samples_max=1000)
    journal = disk.journal()
    nursery.start_soon(journal.maintain, 1.0)
    journal.append(speech(0, 20_000))
    await journal.commit([], [(0, 10_000, HEARD, None)])
    assert disk.files.survivors().contents == {}
    await trio.sleep(1.1)
    assert min(disk.files.contents) == 5000
    assert disk.files.survivors().contents == disk.files.contents


async def test_the_chronology_survives_a_restart(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A beginning is written at once, the rest within a period of the upkeep; before there is one, times are now."""
    disk = Disk()
    journal = disk.journal()
    assert journal.times(0, 0)["ended_at"] == records.rfc3339(WALL_AT_START)
    anchor = Anchor(position=0, unix=1_769_850_000.0)
    nursery.start_soon(journal.maintain, 1.0)
    journal.begin(anchor)
    await trio.sleep(0.001)
    again = disk.journal()
    assert anchor == again.chronology.at(0)
    journal.chronology.follow(Anchor(position=1000, unix=anchor.unix + 9.0, boottime=1.0), 900)
    await trio.sleep(1.1)
    assert disk.journal().chronology.at(1000) == journal.chronology.at(1000)
    assert again.times(1500, 2250) == {
        "start": 1.5,
        "end": 2.25,
        "started_at": "2026-01-31T09:00:01.500Z",
        "ended_at": "2026-01-31T09:00:02.250Z",
    }


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 400), st.just(0)),
        st.tuples(st.just("gap"), st.integers(-5, 300), st.just(0)),
        st.tuples(st.just("settle"), st.integers(0, 2000), st.integers(0, 800)),
        st.tuples(st.just("forget"), st.just(0), st.just(0)),
        st.tuples(st.just("restart"), st.booleans(), st.just(0)),
    ),
    max_size=25,
)


@pytest.mark.slow
@given(script=steps)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_whatever_happens_every_sample_is_accounted_for(script: list[tuple[str, int, int]]) -> None:
    """Over appends, gaps, commits, upkeep, restarts and power cuts: one tiling, and pending audio can be read."""

    async def main() -> None:
        disk = Disk(samples_max=150)
        journal = await restarted(disk)
        for what, first, second in script:
            match what:
                case "append":
                    journal.append(speech(journal.tail, first))
                case "gap":
                    await journal.gap(first, Cause.DEVICE)
                    await journal.flush()
                case "settle":
                    start = min(first, journal.tail)
                    await journal.commit([status("x")], [(start, min(start + second, journal.tail), HEARD, None)])
                case "forget":
                    journal._audio.sync()
                    journal.forget(0.1)
                case "restart":
                    tail, settled = journal.tail, journal.settled()
                    if first:
                        disk.files = disk.files.survivors()
                    journal = await restarted(disk)
                    assert first or (tail, settled) == (journal.tail, journal.settled())
                    assert all(any(_within(one, other) for other in journal.settled()) for one in settled)
            position = 0
            for one in journal.settled():
                assert position <= one.start < one.end <= journal.tail
                position = one.end
            for span in journal.pending(0, journal.tail):
                assert speech(span.start, span.count) == journal.read(span.start, span.count)
            gaps = [(round(gap["start"] * RATE), round(gap["end"] * RATE)) for gap in disk.lines("gap")]
            assert len(gaps) == len(set(gaps))
            assert set(gaps) == {(one.start, one.end) for one in journal.settled() if one.state is State.GAP}
        ids = [line["id"] for line in disk.lines()]
        assert ids == sorted(set(ids))

    trio.run(main)


def _within(one: Settled, other: Settled) -> bool:
    return other.start <= one.start and one.end <= other.end and one.state is other.state
