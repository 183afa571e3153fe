"""The audio files against the timeline: what stays, what goes, and when."""

import trio

from fakes.journal import Disk
from fakes.source import speech
from stenod.core.timeline import Span, State

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
    journal = disk.journal(keep_audio=True)
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
