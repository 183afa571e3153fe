"""The course: where the live session's share begins, and when there is nothing left for it."""

import trio

from fakes.clock import FakeClock
from fakes.journal import RATE, Disk
from fakes.source import speech
from stenod.core.timeline import State
from stenod.tasks.course import Course


async def test_the_share_begins_behind_what_was_transcribed(autojump_clock: trio.abc.Clock) -> None:
    """What an earlier run left between transcribed spans is no live audio any more."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 10 * RATE))
    await journal.commit([], [(0, 2 * RATE, State.TRANSCRIBED, None), (4 * RATE, 7 * RATE, State.TRANSCRIBED, None)])
    course = Course(journal, FakeClock(), live=True)
    assert course.floor == 7 * RATE
    assert not course.done()
    journal.finish()
    assert not course.done()
    await journal.commit([], [(7 * RATE, 10 * RATE, State.TRANSCRIBED, None)])
    assert course.done()


async def test_who_waits_for_a_live_session_is_woken_by_the_next(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """A loss before there was any session changes nothing for those who wait."""
    course = Course(Disk().journal(), FakeClock(), live=True)
    waited = course.up
    course.lost()
    assert course.up is waited
    course.up.set()
    course.lost()
    assert not course.up.is_set()


async def test_a_probe_reaches_all_who_wait_and_is_not_saved_up(autojump_clock: trio.abc.Clock) -> None:
    """It is set once, for those who were there."""
    course = Course(Disk().journal(), FakeClock(), live=True)
    waited = course.probed
    course.probe()
    assert waited.is_set()
    assert not course.probed.is_set()
