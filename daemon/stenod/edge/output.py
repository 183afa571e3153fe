"""Standard output, one line at a time, written in a thread.

A slow reader blocks only that thread; a vanished one is `ReaderGone`. The descriptor is left as it was found: making a
shared terminal or pipe non-blocking would break whoever shares it. Whoever shares it may have done so, however; then
we wait for room ourselves.
"""

import errno
import os
import select

import trio

from stenod.core.reader import ReaderGone

GONE = {errno.EPIPE, errno.EIO, errno.ECONNRESET, errno.EBADF}


class Output:
    """Writes whole lines to a file descriptor."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._limiter = trio.CapacityLimiter(1)

    async def write(self, line: bytes) -> None:
        """Write one line, however long the reader takes; raises `ReaderGone` when there is none."""
        await trio.to_thread.run_sync(self._write, line, abandon_on_cancel=True, limiter=self._limiter)

    def _write(self, line: bytes) -> None:
        written = 0
        try:
            while written < len(line):
                try:
                    written += os.write(self._descriptor, line[written:])
                except BlockingIOError:
                    room = select.poll()
                    room.register(self._descriptor, select.POLLOUT)
                    room.poll()
        except OSError as error:
            if error.errno in GONE:
                raise ReaderGone from error
            raise
