"""A file that lines are appended to, under a name that others may take away: logrotate moves it, a person removes it.

Whoever writes asks `follow` before each line. Where another file has the name now, lines go there from then on. Where
none has, the open one takes them a moment longer: whoever moved it is about to make the next (logrotate's `create`
moves one aside that is made in between), and only then, or when a reload asks for it, one is made. What cannot be
opened is told once, and the open file goes on: a line in yesterday's file is not lost.

One that was removed has no name at all, and a line in it would be: another is made before the next line. A file system
that does not count names, or hides what is removed while it is open (NFS), says that it was moved.

Whoever is patient begins without a file, where it cannot be opened: each line asks again.

It does not know what a line is.
"""

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from stenod.core.log import Log
from stenod.core.verdict import ExitCode

GONE_SECONDS = 1.0
"""How long a file that was moved away is still written to; logrotate makes its successor within a millisecond."""


class OutputUnusable(OSError):
    """Lines cannot be written there; one sentence with the remedy."""

    exit_code = ExitCode.CANNOT_CREATE


class OutputFile:
    """The file of that name now. `now`: monotonic seconds."""

    def __init__(
        self, path: Path, log: Log, now: Callable[[], float] = time.monotonic, *, patient: bool = False
    ) -> None:
        """Raise `OutputUnusable` where it cannot be opened and whoever writes is not `patient`."""
        self.path = path
        self.missing = ""
        """Why there is no file yet."""
        self.descriptor = self._opened(patient=patient)
        """-1 where there is none yet. Changed by `follow` only."""
        self._log = log
        self._now = now
        self._wanted = False
        self._gone_at: float | None = None
        self._told = False

    def renew(self) -> None:
        """Let the next `follow` make the file where there is none."""
        self._wanted = True

    def follow(self) -> bool:
        """Go over to the file of that name; return whether it is another one. Blocks.

        Raises `OutputUnusable` where lines would be lost: no file is open, or one that was removed, and no other can be
        opened.
        """
        wanted, self._wanted = self._wanted, False
        mine = None if self.missing else os.fstat(self.descriptor)
        lost = mine is None or mine.st_nlink == 0
        try:
            there = self._there()
            if there is None and not (wanted or lost or self._gone_long()):
                return False
            if mine is not None and there == (mine.st_dev, mine.st_ino):
                self._gone_at, self._told = None, False
                return False
            descriptor = opened(self.path)
        except OutputUnusable as unusable:
            if lost:
                raise
            self._refused(str(unusable))
            return False
        self.close()
        self.descriptor, self.missing, self._gone_at, self._told = descriptor, "", None, False
        self._log.info("output.reopened", file=str(self.path))
        return True

    def failed(self, error: OSError) -> OutputUnusable:
        """Return what to raise for a line that could not be written."""
        return OutputUnusable(f"cannot write {self.path}: {error.strerror}; make room, or name another file")

    def close(self) -> None:
        """Leave it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def _opened(self, *, patient: bool) -> int:
        try:
            return opened(self.path)
        except OutputUnusable as unusable:
            if not patient:
                raise
            self.missing = str(unusable)
            return -1

    def _there(self) -> tuple[int, int] | None:
        """Return which file has the name, by device and inode."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputUnusable(_sentence(self.path, error)) from error
        return found.st_dev, found.st_ino

    def _gone_long(self) -> bool:
        now = self._now()
        if self._gone_at is None:
            self._gone_at = now
        return now - self._gone_at >= GONE_SECONDS

    def _refused(self, reason: str) -> None:
        if not self._told:
            self._told = True
            self._log.error(
                "output.not_reopened", reason=reason, remedy="until then lines go to the file that was moved"
            )


def opened(path: Path) -> int:
    """Open a file for appending, made for its owner alone where there is none; raises `OutputUnusable`."""
    # A FIFO without a reader would hold up whoever opens it for writing; NONBLOCK changes nothing about files.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise OutputUnusable(_sentence(path, error)) from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OutputUnusable(f"cannot write lines to {path}: it is no file; leave output.file away for standard output")


def _sentence(path: Path, error: OSError) -> str:
    folder = path.parent
    if error.errno == errno.ENOENT:
        remedy = f"make its directory first: mkdir -p {folder}"
    elif error.errno == errno.ENOTDIR:
        remedy = f"{folder} is no directory"
    elif error.errno in (errno.EACCES, errno.EPERM):
        remedy = f"let this user write {path if path.exists() else folder}, or name another file"
    elif error.errno == errno.EROFS:
        remedy = "a unit of systemd may write below its LogsDirectory= only (/var/log/stenod): name a file there"
    elif error.errno in (errno.EISDIR, errno.ENXIO):
        remedy = "it is no file; name one"
    else:
        remedy = "name another file with --output"
    return f"cannot open the output file {path}: {error.strerror}; {remedy}"
