"""Standard output, or a file in its place, one line at a time, written in a thread.

A slow reader blocks only that thread; a vanished one is `ReaderGone`. The descriptor is left as it was found: making a
shared terminal or pipe non-blocking would break whoever shares it. Whoever shares it may have done so, however; then
we wait for room ourselves.

A line is one write. A process that is killed in it may leave half a line all the same, and so may a full disk: a pipe
takes a write of more than PIPE_BUF in pieces, a socket any. Where the output can be read back (a file) its end says
so, and the line is completed; elsewhere whoever prints must have noted it, and the next line begins with a newline.

A file with a name is followed: before each line, and on `renew`, it is asked whether another one has that name now.
What was begun in the old one is written to the new one as a whole.
"""

import errno
import fcntl
import os
import select
import stat
from contextlib import suppress
from functools import partial
from typing import Protocol

import trio

from stenod.core.log import Log
from stenod.core.reader import ReaderGone

GONE = {errno.EPIPE, errno.EIO, errno.ECONNRESET, errno.EBADF}
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
FAILING = NO_ROOM | {errno.EIO, errno.EROFS, errno.ESTALE}
"""What of a file is waited for: its disk, which has no reader that could have gone."""
FULL_SECONDS = 2.0
"""How often a full disk is tried again."""
REMEDY = "make room, or see to its disk and directory; it goes on then"
REST_BYTES_MAX = 1 << 18
"""How far back the beginning of a half line is looked for; a turn of twenty minutes is shorter."""


class NamedFile(Protocol):
    """See `edge.output_file`."""

    descriptor: int
    missing: str

    def renew(self) -> None: ...
    def follow(self) -> bool: ...
    def failed(self, error: OSError) -> Exception: ...


class Output:
    """Writes whole lines to a file descriptor. `printers`: how many share it, and wait for each other to begin.

    `log`: wait for room on a full disk, and tell it there; None: a full disk is an error. `file`: write there instead.
    """

    def __init__(
        self, descriptor: int = 1, *, printers: int = 0, log: Log | None = None, file: NamedFile | None = None
    ) -> None:
        self._standard = descriptor
        self._file = file
        self._on_disk = file is not None
        self._renewing = trio.Event()
        self._log = log
        self._awaited = printers
        """How many have not begun: each knows of its own last line alone whether it was cut."""
        self._begun = trio.Event()
        self._turn = trio.Lock()
        self._limiter = trio.CapacityLimiter(1)
        self._bytes_whole_max: int | None = 0
        """The longest line that gets there in one piece; None where half a line is found again, or does no harm."""
        self._rest = b""
        """What stands behind the last newline of a file."""
        self._cut = False
        self._reason = ""
        """Why lines wait, or waited last."""
        self._waiting = False

    async def begin(self, *, cut: bool) -> None:
        """Look at where it goes, once, before the first line of all. `cut`: half a line may stand there."""
        await trio.to_thread.run_sync(lambda: self.look(cut=cut), limiter=self._limiter)
        self._awaited -= 1
        if self._awaited == 0:
            self._begun.set()

    async def write(self, line: bytes) -> None:
        """Write one line, however long the reader takes; raises `ReaderGone` when there is none."""
        if self._awaited > 0:
            await self._begun.wait()
        async with self._turn:  # Half a line may wait for room: nobody else's goes in between.
            rest = await self._put(line)
            if not rest or self._log is None:
                return
            self._log.error("output.lost", reason=f"{self._reason}; lines wait", remedy=REMEDY)
            self._waiting = True
            while rest:
                await trio.sleep(FULL_SECONDS)
                rest = await self._put(line, rest)
            self._waiting = False
            self._log.info("output.back")

    @property
    def trouble(self) -> tuple[str, str]:
        """Why lines wait or would have to, and what a person can do; empty where they do not."""
        reason = self._reason if self._waiting else self._file.missing if self._file is not None else ""
        return (f"lines wait: {reason}", REMEDY) if reason else ("", "")

    def renew(self) -> None:
        """Look at once whether another file has the name, and make it where none has."""
        if self._file is not None:
            self._file.renew()
            self._renewing.set()

    async def follow(self) -> None:
        """Do what `renew` asks for. Runs for ever."""
        while True:
            await self._renewing.wait()
            self._renewing = trio.Event()
            async with self._turn:
                with suppress(OSError):  # The next line meets it too, and knows who waits and who ends.
                    await trio.to_thread.run_sync(self._follow, abandon_on_cancel=True, limiter=self._limiter)

    async def _put(self, line: bytes, rest: bytes | None = None) -> bytes:
        """Write in a thread, a line or the rest of one that was begun; return what found no room."""
        push = partial(self._push, rest=rest)
        return await trio.to_thread.run_sync(push, line, abandon_on_cancel=True, limiter=self._limiter)

    @property
    def _descriptor(self) -> int:
        return self._standard if self._file is None else self._file.descriptor

    def _follow(self) -> bool:
        """Return whether another file has the name; blocks."""
        if self._file is None or not self._file.follow():
            return False
        self.look(cut=False)
        return True

    def whole(self, line: bytes) -> bool:
        """Return whether nobody needs to note that the line may be cut."""
        return self._bytes_whole_max is None or len(line) <= self._bytes_whole_max

    def look(self, *, cut: bool) -> None:
        """Do as `begin`; blocks."""
        self._cut = self._cut or cut
        try:
            mode = os.fstat(self._descriptor).st_mode
            if stat.S_ISREG(mode):
                self._on_disk = True
                self._rest = _rest(self._descriptor)
                self._cut = False
                self._bytes_whole_max = None
            elif stat.S_ISCHR(mode):
                self._bytes_whole_max = None  # A person sees where a line ends.
            elif stat.S_ISFIFO(mode):
                self._bytes_whole_max = select.PIPE_BUF
        except OSError:
            return  # What cannot be read back is like a socket, and whether it can be written will show.

    def put(self, line: bytes) -> None:
        """Do as `write`; blocks, and raises `OSError` where there is no room."""
        if self._push(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _push(self, line: bytes, rest: bytes | None = None) -> bytes:
        """Write a line, or the rest of one that was begun; return what found no room, where that is waited for."""
        try:
            another = self._follow()
        except OSError as error:  # There is no file, and none can be opened.
            if self._log is None:
                raise
            self._reason = str(error)
            return line if rest is None else rest
        if another or rest is None:
            rest = self._continued(line)
        written = 0
        try:
            while written < len(rest):
                try:
                    written += os.write(self._descriptor, rest[written:])
                except BlockingIOError:
                    room = select.poll()
                    room.register(self._descriptor, select.POLLOUT)
                    room.poll()
        except OSError as error:
            self._judge(error)
        return rest[written:]

    def _judge(self, error: OSError) -> None:
        """Return where whoever writes waits and tries again; otherwise raise what it means."""
        if not self._on_disk and error.errno in GONE:
            raise ReaderGone from error
        if error.errno not in (FAILING if self._on_disk else NO_ROOM):
            raise error
        if self._log is None:
            raise error if self._file is None else self._file.failed(error)
        self._reason = "its disk is full" if error.errno in NO_ROOM else os.strerror(error.errno)

    def _continued(self, line: bytes) -> bytes:
        """Return the line as it is written first: the rest of its own half, or after a newline."""
        rest, cut = self._rest, self._cut
        self._rest, self._cut = b"", False
        if rest and line.startswith(rest):
            return line[len(rest) :]
        return b"\n" + line if rest or cut else line


def _rest(descriptor: int) -> bytes:
    """Return what stands behind the last newline before the place where a file is written next."""
    appends = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND
    end = os.fstat(descriptor).st_size if appends else os.lseek(descriptor, 0, os.SEEK_CUR)
    start = max(0, end - REST_BYTES_MAX)
    reading = os.open(f"/dev/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(reading, end - start, start).rpartition(b"\n")[2]
    finally:
        os.close(reading)
