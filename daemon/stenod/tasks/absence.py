"""Notices that a live source has given nothing for long: a session that is held for it meanwhile is paid for.

For a short absence a session is held, since the first words after it are transcribed at once then. It does not know why
nothing comes: a device that is away, a pipe whose writer rests.
"""

import trio

from stenod.core.clock import Clock
from stenod.tasks.journal import Journal
from stenod.tasks.waiting import first_of

ABSENT_SECONDS = 300.0
"""Held for so long a session costs a cent or two; opening another one costs a second, and no word."""


class Absence:
    """One stream's; look often, for it knows only what it has seen."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._tail = journal.tail
        self._grew_at = clock.now()

    @property
    def lasts(self) -> bool:
        """Whether nothing has come for long."""
        now = self._clock.now()
        if self._journal.tail != self._tail:
            self._tail, self._grew_at = self._journal.tail, now
        return now - self._grew_at >= ABSENT_SECONDS

    async def over(self, leaving: trio.Event) -> None:
        """Return when something comes, when the audio has ended, or we are leaving."""
        while self.lasts and not (leaving.is_set() or self._journal.finished):
            await first_of(self._journal.pulse(), leaving)
