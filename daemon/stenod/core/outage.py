"""Something that fails now and then (a disk): when to try it again, and what a person is told of it.

The waits grow with each failure and are short again only after a healthy minute, so that a disk which is full every
other second is neither tried nor talked about all the time.
"""

import errno
from dataclasses import dataclass

WAIT_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""The last one repeats."""
HEALTHY_SECONDS = 60.0
ROOM = "make room on the journal's disk; it goes on by itself"
CHECK = "look after the journal's disk (see the kernel's log); it goes on by itself when it can be written again"
REMEDIES = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EIO: CHECK,
    errno.EROFS: CHECK,
}


def remedy(number: int | None) -> str:
    """Return what a person can do about an error of the file system."""
    return CHECK if number is None else REMEDIES.get(number, CHECK)


@dataclass(slots=True)
class Outage:
    """One thing that can be out. `now` is monotonic."""

    out: bool = False
    wait_seconds_max: float = WAIT_SECONDS[-1]
    """For what loses something while it waits."""
    _failures: int = 0
    _failed_at: float = 0.0

    def failed(self, now: float) -> None:
        """Note that it did not work."""
        if not self.out and now - self._failed_at > HEALTHY_SECONDS:
            self._failures = 0
        self.out = True
        self._failures += 1
        self._failed_at = now

    def worked(self) -> None:
        """Note that it worked."""
        self.out = False

    @property
    def wait_seconds(self) -> float:
        """How long to wait after the last failure."""
        return min(self.wait_seconds_max, WAIT_SECONDS[min(max(0, self._failures - 1), len(WAIT_SECONDS) - 1)])

    def due(self, now: float) -> bool:
        """Whether it may be tried: always while it works."""
        return not self.out or now >= self._failed_at + self.wait_seconds
