"""A bounded queue whose items come out in order, and not before they are due.

One wake-up an item: a waiting reader's deadline is moved to the first item's time when it is put in. Days of audio are
streamed in virtual time, where each wake-up counts.
"""

import math
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class FullError(Exception):
    """The queue holds all that it may."""


class DueQueue(Generic[T]):
    """First in, first out, when due; for one reader."""

    def __init__(self, items_max: int) -> None:
        self._items: deque[tuple[float, T]] = deque()
        self._items_max = items_max
        self._alarm = trio.CancelScope()

    def put(self, due: float, item: T) -> None:
        """Put an item in. Raises `FullError`."""
        if len(self._items) >= self._items_max:
            raise FullError
        self._items.append((due, item))
        if len(self._items) == 1:
            self._alarm.deadline = due

    def overdue(self, now: float) -> Iterator[T]:
        """Yield the items that are due and have not been taken."""
        for due, item in self._items:
            if due > now:
                return
            yield item

    async def get(self) -> T:
        """Return the first item when it is due."""
        while True:
            due = self._items[0][0] if self._items else math.inf
            if due <= trio.current_time():
                await trio.lowlevel.checkpoint_if_cancelled()
                return self._items.popleft()[1]
            with trio.CancelScope(deadline=due) as self._alarm:
                await trio.sleep_forever()
