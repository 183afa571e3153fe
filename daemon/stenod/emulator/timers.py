"""A session's own timers: which strikes next, and when.

A pure account: what happened and when is told, never asked. All of the server's own times are multiplied by a scale,
so that a limit of minutes can be met in a second.
"""

import math
from collections.abc import Iterator
from enum import Enum

from stenod.emulator.dialect import Contact, Limits


class Timer(Enum):
    """What can be due."""

    LIMIT = "the session may last no longer"
    DEATH = "a fault said that it dies now"
    FLUSH = "it was given up, and has had its time for last words"
    BEAT = "a sign of life"
    INACTIVE = "the client did nothing for too long"
    UNANSWERED = "the server had nothing to say for too long"


class Timers:
    """Tell the next one; `opened_at` is the origin of all that has not happened yet."""

    def __init__(self, opened_at: float, scale: float, limit_seconds: float) -> None:
        self._scale = scale
        self._contacts = dict.fromkeys(Contact, opened_at)
        self._limit_at = opened_at + limit_seconds * scale
        self.beaten_at = self.sent_at = opened_at
        self.death_at = self.flush_until = math.inf
        self.closing = False

    def meet(self, contact: Contact, now: float) -> None:
        """Enter what the client did."""
        self._contacts[contact] = max(now, self._contacts[contact])

    def next(self, limits: Limits) -> tuple[float, Timer]:
        """Return the timer that strikes first, and when; one that has struck is in the past."""
        return min(self._deadlines(limits), key=lambda deadline: deadline[0])

    def _deadlines(self, limits: Limits) -> Iterator[tuple[float, Timer]]:
        yield self._limit_at, Timer.LIMIT
        yield self.death_at, Timer.DEATH
        yield self.flush_until, Timer.FLUSH
        if limits.heartbeat_seconds is not None:
            yield self.beaten_at + limits.heartbeat_seconds * self._scale, Timer.BEAT
        if self.closing:
            return
        if limits.inactivity_seconds is not None:
            met_at = max(at for contact, at in self._contacts.items() if contact >= limits.inactivity_contact)
            yield met_at + limits.inactivity_seconds * self._scale, Timer.INACTIVE
        if limits.silence_seconds is not None:
            yield self.sent_at + limits.silence_seconds * self._scale, Timer.UNANSWERED
