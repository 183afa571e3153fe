"""The audio files against the timeline: what stays, what goes, and when."""

import errno

import trio

from fakes.journal import RATE, Disk
from fakes.source import speech
from stenod.core.retention import RetentionLimits
from stenod.core.timeline import Cause, Span, State
from stenod.tasks.journal import Journal
from stenod.tasks.stored_audio import Keeping

HEARD = State.TRANSCRIBED


async def test_audio_is_forgotten_after_it_is_settled(autojump_clock: trio.abc.Clock) -> None:
    """Files go once all in them is settled and nothing pending follows closely; the file being written stays."""
    disk = Disk(samples_max=1000)
    journal = disk.journal()
    journal.append(speech(0, 20_500))
    journal.forget(5.0)
    assert journal.read(0, 1) != b""
    await journal.commit([], [(0, 9000, HEARD, None)])
    journal.forget(5.0)
    assert [start for start in sorted(disk.files.contents) if start < 9000] == list(range(4000, 9000, 1000))
    await journal.commit([], [(9000, 20_500, HEARD, None)])
    journal.forget(0.0)
    assert list(disk.files.contents) == [20_000]
    journal.close()
    assert list(disk.files.contents) == []


async def test_audio_near_pending_audio_is_kept_on_both_sides(autojump_clock: trio.abc.Clock) -> None:
    """A replay begins before what is pending, and a late session hears a little beyond its end."""
    disk = Disk(samples_max=1000)
    journal = disk.journal()
    journal.append(speech(0, 40_000))
    await journal.commit([], [(0, 10_000, HEARD, None), (12_000, 40_000, HEARD, None)])
    journal._audio.finish_file()
    journal.forget(5.0)
    assert [*range(5000, 17_000, 1000), *range(35_000, 40_000, 1000)] == sorted(disk.files.contents)


async def test_quiet_audio_is_kept_for_a_while(autojump_clock: trio.abc.Clock) -> None:
    """A wrong judgement can be undone for so long; then it goes as everything else."""
    disk = Disk(samples_max=1000)
    journal = disk.journal(keeping=Keeping(quiet_seconds=20.0))
    journal.append(speech(0, 10_000))
    await journal.commit([], [(0, 4500, State.QUIET, None), (4500, 10_000, HEARD, None)])
    journal._audio.finish_file()
    journal.forget(0.0)
    assert [0, 1000, 2000, 3000, 4000] == sorted(disk.files.contents)
    journal.append(speech(10_000, 13_000))
    await journal.commit([], [(10_000, 23_000, HEARD, None)])
    journal.forget(0.0)
    assert [3000, 4000, 22_000] == sorted(disk.files.contents)


async def test_pending_audio_before_a_settled_file_holds_nothing_else_back(autojump_clock: trio.abc.Clock) -> None:
    """A late span keeps its own files and those just before it, not the hours after it."""
    disk = Disk(samples_max=1000)
    journal = disk.journal()
    journal.append(speech(0, 30_000))
    await journal.commit([], [(0, 10_000, HEARD, None), (12_000, 30_000, HEARD, None)])
    journal.finish()
    journal._audio.finish_file()
    journal.forget(0.0)
    assert [10_000, 11_000] == sorted(disk.files.contents)


async def test_kept_audio_is_kept(autojump_clock: trio.abc.Clock) -> None:
    """With `keep_audio` nothing is deleted, not even on the way down."""
    disk = Disk(samples_max=100)
    journal = disk.journal(keeping=Keeping(transcribed=True))
    journal.append(speech(0, 1000))
    await journal.commit([], [(0, 1000, HEARD, None)])
    journal.close()
    assert len(disk.files.contents) == 10


async def test_audio_is_not_forgotten_before_the_commit_is_durable(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """While the disk is still writing, the audio is there: a crash in between would need it."""
    disk = Disk(samples_max=100)
    disk.seconds = 5.0
    journal = disk.journal()
    journal.append(speech(0, 1000))
    journal._audio.finish_file()
    nursery.start_soon(journal.commit, [], [(0, 1000, HEARD, None)])
    await trio.sleep(1.0)
    journal.forget(0.0)
    assert speech(0, 1000) == journal.read(0, 1000)
    assert [Span(0, 1000)] == disk.journal().pending(0, 1000)
    await trio.sleep(5.0)
    journal.forget(0.0)
    assert journal.read(0, 1000) == b""


def gaps(disk: Disk) -> list[tuple[float, float, str]]:
    """Return what was lost, and why."""
    return [(gap["start"], gap["end"], gap["cause"]) for gap in disk.lines("gap")]


def states(disk: Disk) -> list[str]:
    """Return what a person was told of the journal."""
    return [line["state"] for line in disk.lines("status") if line["subject"] == "journal"]


async def record(journal: Journal, seconds: int) -> None:
    """Append in real time, ten times a second, as capture does."""
    for _ in range(10 * seconds):
        journal.append(speech(journal.tail, 100))
        await trio.sleep(0.1)


async def test_a_full_disk_is_a_gap_and_audio_comes_back(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Capture goes on; what could not be written is one gap, told with its remedy; the rest can be read."""
    disk = Disk(samples_max=1000)
    journal = disk.journal()
    nursery.start_soon(journal.maintain, 1.0)
    disk.files.bytes_max = 20_000
    await record(journal, 60)
    assert journal.tail == 60_000
    assert [Span(0, 10_000)] == journal.pending(0, 60_000)
    assert states(disk) == ["lost"]
    assert gaps(disk) == []
    assert journal.settled()[0].end == 60_000
    assert disk.journal().tail == 10_000

    disk.files.bytes_max = None
    await record(journal, 60)
    back = journal.settled()[0].end
    assert 60_000 <= back <= 91_000
    assert [Span(0, 10_000), Span(back, 120_000)] == journal.pending(0, 120_000)
    assert gaps(disk) == [(10.0, back / 1000, "disk")]
    assert states(disk) == ["lost", "back"]
    assert journal.read(back, 1000) == speech(back, 1000)
    assert "room" in next(line["remedy"] for line in disk.lines("status"))


async def test_a_day_of_full_disk_is_bounded(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It is told in pieces of ten minutes, and memory holds not one thing for each block."""
    disk = Disk(samples_max=1000)
    journal = disk.journal()
    nursery.start_soon(journal.maintain, 60.0)
    disk.files.bytes_max = 0
    for _ in range(24 * 60):
        journal.append(bytes(2 * 60_000))
        await trio.sleep(60.0)
    journal.append(bytes(2))
    disk.files.bytes_max = None
    await trio.sleep(60.0)
    journal.append(bytes(2))
    await trio.sleep(60.0)
    assert len(gaps(disk)) == 24 * 6 + 1
    assert round(sum(end - start for start, end, _ in gaps(disk)), 3) == 24 * 3600.0 + 0.001
    assert len(journal.settled()) == len(gaps(disk))
    assert states(disk) == ["lost", "back"]


async def test_a_device_lost_beside_a_full_disk_is_told_apart(autojump_clock: trio.abc.Clock) -> None:
    """Each gap keeps its cause."""
    disk = Disk(samples_max=1000)
    journal = disk.journal()
    disk.files.bytes_max = 0
    journal.append(bytes(200))
    journal.append(bytes(200))
    await journal.gap(50, Cause.DEVICE)
    journal.append(bytes(200))
    await journal.flush()
    assert [(0.0, 0.2, "disk"), (0.2, 0.25, "device"), (0.25, 0.35, "disk")] == sorted(gaps(disk))
    assert journal.settled() == disk.journal().settled()


async def test_audio_that_cannot_be_read_is_a_gap(autojump_clock: trio.abc.Clock) -> None:
    """A broken sector costs its file's rest, not a session after the other."""
    disk = Disk(samples_max=1000)
    journal = disk.journal()
    journal.append(speech(0, 3000))
    disk.files.broken = errno.EIO
    assert journal.read(1200, 100) == b""
    disk.files.broken = 0
    del disk.files.contents[0]
    assert journal.read(500, 100) == b""
    await journal.flush()
    assert [(0.5, 1.0, "disk"), (1.2, 2.0, "disk")] == sorted(gaps(disk))
    assert journal.read(1000, 100) == speech(1000, 100)


async def test_a_disk_that_cannot_sync_is_told(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Recording goes on without the promise, and a person knows."""
    disk = Disk(samples_max=1000)
    journal = disk.journal()
    nursery.start_soon(journal.maintain, 1.0)
    disk.files.broken = errno.EIO
    await record(journal, 3)
    assert states(disk) == ["lost"]
    disk.files.broken = 0
    await record(journal, 3)
    assert states(disk) == ["lost", "back"]
    assert [Span(0, 6000)] == journal.pending(0, 6000)


HOUR = 3_600_000
LIMITS = RetentionLimits(bytes_max=2 * HOUR)
"""An hour, at a thousand samples a second."""


async def filled(disk: Disk, keeping: Keeping, samples: int) -> Journal:
    """Return a journal with so much pending audio."""
    journal = disk.journal(keeping=keeping)
    for start in range(0, samples, 10_000):
        journal.append(bytes(2 * min(10_000, samples - start)))
    return journal


async def test_past_the_limit_the_oldest_pending_audio_is_a_gap(autojump_clock: trio.abc.Clock) -> None:
    """One record for a step, durable before the first file goes."""
    disk = Disk()
    journal = await filled(disk, Keeping(limits=LIMITS), HOUR)
    await journal.retain()
    assert gaps(disk) == []
    journal.append(bytes(2 * 10_000))
    await journal.retain()
    ((start, end, cause),) = gaps(disk)
    assert (start, cause) == (0.0, "retention")
    assert 225.0 <= end <= 245.0
    assert min(disk.files.contents) == round(end * RATE) == journal.cursor
    again = disk.journal()
    assert journal.settled() == again.settled()


async def test_a_ledger_that_cannot_say_so_keeps_the_audio(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """A crash before the gap is durable must find the audio."""
    disk = Disk()
    disk.seconds = 5.0
    journal = await filled(disk, Keeping(limits=LIMITS), HOUR + 10_000)
    nursery.start_soon(journal.retain)
    await trio.sleep(4.0)
    journal.forget(0.0)
    assert min(disk.files.contents) == 0
    assert disk.journal().cursor == 0
    await trio.sleep(2.0)
    assert min(disk.files.contents) == journal.cursor > 0


async def test_what_is_being_sent_stays(autojump_clock: trio.abc.Clock) -> None:
    """Its words are on their way: the audio behind it goes instead."""
    disk = Disk()
    journal = await filled(disk, Keeping(limits=LIMITS), HOUR + 10_000)
    journal.read(5000, 1000)
    await journal.retain()
    assert [start for start, _, _ in gaps(disk)] == [10.0]
    assert 0 in disk.files.contents
    await trio.sleep(130.0)
    journal.append(bytes(2 * 600_000))
    await journal.retain()
    assert [start for start, _, _ in gaps(disk)][1] == 0.0


async def test_kept_and_quiet_audio_goes_before_pending_audio(autojump_clock: trio.abc.Clock) -> None:
    """Nothing that is to be transcribed is dropped while there is anything else."""
    disk = Disk()
    journal = await filled(disk, Keeping(transcribed=True, limits=LIMITS), HOUR + 10_000)
    heard, quiet = (1_000_000, 1_200_000), (2_000_000, 2_200_000)
    await journal.commit([], [(*quiet, State.QUIET, None), (*heard, HEARD, None)])
    journal.forget(5.0)
    assert len(disk.files.contents) == 361
    await journal.retain()
    left = set(disk.files.contents)
    assert not left & set(range(1_010_000, 1_190_000, 10_000))
    assert 2_180_000 in left
    assert gaps(disk) == []
    journal.append(bytes(2 * 20_000))
    await journal.retain()
    assert gaps(disk) == []
    journal.append(bytes(2 * 300_000))
    await journal.retain()
    assert not set(disk.files.contents) & set(range(2_010_000, 2_190_000, 10_000))
    assert [cause for _, _, cause in gaps(disk)] == ["retention"]


async def test_the_disk_keeps_its_floor(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Upkeep acts before the disk is full: nothing is ever refused, and no `disk` gap comes."""
    disk = Disk()
    disk.files.bytes_max = 3 * HOUR
    limits = RetentionLimits(free_bytes_min=HOUR)
    journal = disk.journal(keeping=Keeping(limits=limits))
    nursery.start_soon(journal.maintain, 10.0)
    least = disk.files.free_bytes
    for _ in range(3 * 360):
        journal.append(bytes(20_000))
        await trio.sleep(10.0)
        least = min(least, disk.files.free_bytes)
    await trio.sleep(5.0)
    assert HOUR - 40_000 <= least <= HOUR
    assert {"retention"} == {cause for _, _, cause in gaps(disk)}
    assert journal.cursor == round(sum(end - start for start, end, _ in gaps(disk)) * RATE)
