"""A session opened in the background: wanted, refused, or not wanted any more."""

from functools import partial

import trio

from fakes.dialect import Behaviour
from fakes.theatre import Theatre
from stenod.tasks.opening import Opening


async def test_a_session_that_is_wanted(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """`done` comes with the session, ready."""
    theatre = Theatre(nursery)
    opening = Opening(trio.Event())
    await opening.run(partial(theatre.sessions.open, nursery))
    assert opening.done.is_set()
    assert opening.session is not None
    assert opening.session.ready.is_set()
    opening.session.abandon()
    await opening.session.over.wait()


async def test_leaving_gives_it_up(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Nobody waits for a provider that is slow when all are leaving; nothing is left open."""
    theatre = Theatre(nursery, Behaviour(ready_seconds=8.0))
    leaving = trio.Event()
    opening = Opening(leaving)
    nursery.start_soon(opening.run, partial(theatre.sessions.open, nursery))
    await trio.sleep(1.0)
    leaving.set()
    await trio.sleep(5.0)
    assert opening.session is None
    assert [True] == [session.closed_at is not None for session in theatre.server.sessions]
