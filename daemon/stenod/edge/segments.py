"""The audio of the journal: raw s16le in files of a few seconds, each named by its first sample.

Append, `pread`, unlink; nothing else. The tail after a crash is the last file's length (half a sample at its end is cut
off). A hole between two files is a gap that the ledger explains. Any tool that reads raw PCM plays a file.

It knows samples and bytes, not seconds or spans' meaning. `sync` may run in a thread beside `append`; everything else
belongs to one task. Errors of the file system (a full disk) are raised as they are, after what was half written has
been taken back.
"""

import errno
import os
import re
import threading
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from stenod.core.beginning import Written
from stenod.core.timeline import Span

SUFFIX = ".s16le"
NAME = re.compile(r"([0-9]{16})\.s16le")
SAMPLE_BYTES = 2


class Segments:
    """One stream's audio in `directory`, which need not be there yet; `samples_max` is the length of one file."""

    def __init__(self, directory: Path, samples_max: int) -> None:
        self._directory = directory
        self._samples_max = samples_max
        self._files: dict[int, int] = {}
        """Samples of each file by its first one, in order: none is ever begun before another."""
        self._starts: list[int] | None = None
        """The keys of `_files`, until they change."""
        self._writing: int | None = None
        self._descriptor: int | None = None
        self._unsynced: set[int] = set()
        self._retired: list[int] = []
        self._handover = threading.Lock()
        """Held while `append` and `sync` pass descriptors on, never while a disk is waited for."""
        self._named = True
        self._restore()

    def make(self) -> None:
        """Make the directory, for its owner alone, where there is none."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def tail(self) -> int:
        """Where the last stored sample ends."""
        last = next(reversed(self._files), None)
        return 0 if last is None else last + self._files[last]

    @property
    def stored(self) -> int:
        """How many samples are stored."""
        return sum(self._files.values())

    @property
    def oldest(self) -> int:
        """The first stored sample; the tail where there is none."""
        return next(iter(self._files), self.tail)

    def spans(self) -> list[Span]:
        """What is stored, one span a file."""
        return [Span(start, start + count) for start, count in self._files.items() if count]

    def written(self) -> list[Written]:
        """What is stored, one a file, with the time at which its last sample was written."""
        return [Written(span, self._path(span.start).stat().st_mtime) for span in self.spans()]

    def append(self, position: int, pcm: bytes) -> None:
        """Store s16le samples from `position` on, which is at or after the tail."""
        assert len(pcm) % SAMPLE_BYTES == 0, len(pcm)
        assert position >= self.tail, (position, self.tail)
        began = position
        try:
            while pcm:
                start = self._file_for(position)
                room = (self._samples_max - self._files[start]) * SAMPLE_BYTES
                piece = pcm[:room]
                self._write(start, piece)
                position += len(piece) // SAMPLE_BYTES
                pcm = pcm[room:]
        except OSError:
            self._take_back(began)
            raise

    def read(self, position: int, count: int) -> bytes:
        """Return up to `count` contiguous samples from `position`; fewer before a hole, none in one."""
        pieces = []
        if self._starts is None:
            self._starts = list(self._files)
        for start in self._starts[max(0, bisect_right(self._starts, position) - 1) :]:
            end = start + self._files[start]
            if count <= 0 or start > position:
                break
            if position < end:
                take = min(count, end - position)
                pieces.append(self._pread(start, position - start, take))
                position += take
                count -= take
        return b"".join(pieces)

    def sync(self) -> None:
        """Make everything appended before this call durable. May block for long: call it in a thread.

        After an error (raised as it is) the system may have dropped what it could not write: trying again is no use.
        """
        with self._handover:
            unsynced, self._unsynced = self._unsynced, set()
            retired, self._retired = self._retired, []
        failures = []
        for descriptor in unsynced:
            try:
                os.fdatasync(descriptor)
            except OSError as error:
                failures.append(error)
        for descriptor in retired:
            os.close(descriptor)
        if not self._named:
            self._named = True
            self._sync_directory()
        if failures:
            raise failures[0]

    def forget(self, dispensable: Callable[[Span], bool]) -> int:
        """Delete the finished files whose whole span is dispensable; return the number of samples deleted.

        It is asked for one file after the other, in their order.
        """
        deleted = 0
        for start, count in list(self._files.items()):
            if start != self._writing and (count == 0 or dispensable(Span(start, start + count))):
                try:
                    self._path(start).unlink(missing_ok=True)
                except OSError:
                    continue  # A disk that cannot be written: the next time.
                del self._files[start]
                self._starts = None
                deleted += count
        return deleted

    def free_bytes(self) -> int:
        """Return what the disk has room for, as far as it is ours."""
        found = os.statvfs(self._directory)
        return found.f_bavail * found.f_frsize

    def close(self) -> None:
        """Sync and close."""
        self._retire()
        self.sync()

    def finish_file(self) -> None:
        """End the file being written, so that `forget` may take it."""
        self._retire()

    def _restore(self) -> None:
        for path in sorted(self._directory.iterdir() if self._directory.exists() else ()):
            named = NAME.fullmatch(path.name)
            if named is None or not path.is_file():
                continue
            size = path.stat().st_size
            if size % SAMPLE_BYTES:
                os.truncate(path, size - 1)
            self._files[int(named[1])] = size // SAMPLE_BYTES

    def _file_for(self, position: int) -> int:
        """Return the first sample of the file that takes the sample at `position`, opened for writing."""
        start = self._writing
        if start is not None and position == start + self._files[start] and self._files[start] < self._samples_max:
            return start
        self._retire()
        self.make()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._path(position), flags, 0o600)
        self._writing = position
        self._files[position] = 0
        self._starts = None
        self._named = False
        return position

    def _write(self, start: int, piece: bytes) -> None:
        assert self._descriptor is not None
        written = 0
        while written < len(piece):
            written += os.write(self._descriptor, piece[written:])
        self._files[start] += len(piece) // SAMPLE_BYTES
        with self._handover:
            self._unsynced.add(self._descriptor)

    def _take_back(self, position: int) -> None:
        """Remove what an append that failed half way stored from `position` on, as far as the disk lets us."""
        self._retire()
        self._starts = None
        for start, count in list(self._files.items()):
            if start >= position:
                del self._files[start]
                with suppress(OSError):
                    self._path(start).unlink(missing_ok=True)
            elif start + count >= position:
                self._files[start] = position - start
                with suppress(OSError):
                    os.truncate(self._path(start), self._files[start] * SAMPLE_BYTES)

    def _pread(self, start: int, offset: int, count: int) -> bytes:
        descriptor = os.open(self._path(start), os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(descriptor, count * SAMPLE_BYTES, offset * SAMPLE_BYTES)
        finally:
            os.close(descriptor)
        if len(data) != count * SAMPLE_BYTES:
            raise OSError(errno.EIO, "an audio file is shorter than what was written into it", str(self._path(start)))
        return data

    def _retire(self) -> None:
        """Stop writing the current file; `sync` closes it, because it may be syncing it now."""
        if self._descriptor is not None:
            with self._handover:
                self._unsynced.add(self._descriptor)
                self._retired.append(self._descriptor)
        self._descriptor = self._writing = None

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _path(self, start: int) -> Path:
        return self._directory / f"{start:016d}{SUFFIX}"
