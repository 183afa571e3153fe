"""Room that is held on the disk for the ledger: given up when the disk is full, taken again when it is not.

Without it a disk that audio has filled could never be emptied again: audio goes only after a commit that says so. For
the same reason audio is written only while the reserve is held: otherwise it would eat what was given to the ledger.
"""

import os
from contextlib import suppress
from pathlib import Path


class Reserve:
    """A file of zeros; `held` says whether it is there."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self.held = False
        with suppress(OSError):
            self.take()

    def take(self) -> None:
        """Hold the room; raises `OSError` where there is not so much."""
        if self.held:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size_bytes)
            self.held = True
        finally:
            os.close(descriptor)
            if not self.held:
                self._path.unlink()

    def give(self) -> bool:
        """Give the room up; return whether there was any."""
        held, self.held = self.held, False
        with suppress(OSError):
            self._path.unlink()
        return held
