"""Waiting for the first of several events."""

import trio

from stenod.tasks.waiting import first_of


async def test_the_first_event_is_enough(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It returns when one is set and leaves the others alone."""
    early, late = trio.Event(), trio.Event()

    async def set_later(event: trio.Event, seconds: float) -> None:
        await trio.sleep(seconds)
        event.set()

    nursery.start_soon(set_later, early, 1.0)
    nursery.start_soon(set_later, late, 5.0)
    await first_of(late, early)
    assert trio.current_time() == 1.0
    assert not late.is_set()


async def test_an_event_that_is_set_already(autojump_clock: trio.abc.Clock) -> None:
    """It takes no time, but lets others run."""
    done = trio.Event()
    done.set()
    with trio.testing.assert_checkpoints():
        await first_of(trio.Event(), done)
    assert trio.current_time() == 0.0


async def test_it_can_be_cancelled(autojump_clock: trio.abc.Clock) -> None:
    """Nothing is left behind when the wait is given up."""
    before = trio.lowlevel.current_statistics().tasks_living
    with trio.move_on_after(2.0) as scope:
        await first_of(trio.Event(), trio.Event())
    assert scope.cancelled_caught
    assert before == trio.lowlevel.current_statistics().tasks_living
