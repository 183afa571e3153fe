"""A session being opened in the background, by whoever may come to need it, or not."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from stenod.tasks.session import Session
from stenod.tasks.sessions import Alone, Fatal


@dataclass(slots=True)
class Opening:
    """`done` is set with a session, with why there is none, or with neither: it was given up.

    Cancel `scope` to give it up; it gives up by itself when `leaving` is set.
    """

    leaving: trio.Event
    done: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    session: Session | None = None
    fatal: Fatal | None = None
    alone: bool = False
    """The provider takes no session beside the live one."""

    async def run(self, opener: Callable[[], Awaitable[Session | None]]) -> None:
        """Open with the opener; a session that nobody wants any more is ended at once."""
        with self.scope:
            async with trio.open_nursery() as race:
                race.start_soon(self._give_up)
                try:
                    self.session = await opener()
                except Fatal as fatal:
                    self.fatal = fatal
                except Alone:
                    self.alone = True
                if self.session is not None and self.scope.cancel_called:
                    self.session.abandon()
                    self.session = None
                self.done.set()
                race.cancel_scope.cancel()

    async def _give_up(self) -> None:
        await self.leaving.wait()
        self.scope.cancel()
