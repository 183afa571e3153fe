"""The audio of the journal: raw s16le in files of a few seconds, each named by its first sample.

Append, `pread`, unlink; nothing else. The tail after a crash is the last file's length (half a sample at its end is cut
off). A hole between two files is a gap that the ledger explains. Any tool that reads raw PCM plays a file.

It knows samples and bytes, not seconds or spans' meaning. `sync` may run in a thread beside `append`; everything else
belongs to one task. Errors of the file system (a full disk) are raised as they are, after what was half written has
been taken back.
"""

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from stenod.core.timeline import Span

SUFFIX = ".s16le"
NAME = re.compile(r"([0-9]{16})\.s16le")
SAMPLE_BYTES = 2


class Segments:
    """One stream's audio in `directory` (made if missing, 0700); `samples_max` is the length of one file."""

    def __init__(self, directory: Path, samples_max: int) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._samples_max = samples_max
        self._files: dict[int, int] = {}
        self._writing: int | None = None
        self._descriptor: int | None = None
        self._unsynced: set[int] = set()
        self._retired: list[int] = []
        self._handover = threading.Lock()
        """Held while `append` and `sync` pass descriptors on, never while a disk is waited for."""
        self._named = True
        self._restore()

    @property
    def tail(self) -> int:
        """Where the last stored sample ends."""
        return max((start + count for start, count in self._files.items()), default=0)

    def spans(self) -> list[Span]:
        """What is stored, one span a file."""
        return [Span(start, start + count) for start, count in sorted(self._files.items()) if count]

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
        for start in sorted(self._files):
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
        """Make everything appended before this call durable. May block for long: call it in a thread."""
        with self._handover:
            unsynced, self._unsynced = self._unsynced, set()
            retired, self._retired = self._retired, []
        for descriptor in unsynced:
            os.fdatasync(descriptor)
        for descriptor in retired:
            os.close(descriptor)
        if not self._named:
            self._named = True
            self._sync_directory()

    def forget(self, dispensable: Callable[[Span], bool]) -> int:
        """Delete the finished files whose whole span is dispensable; return the number of samples deleted."""
        deleted = 0
        for start, count in sorted(self._files.items()):
            if start != self._writing and (count == 0 or dispensable(Span(start, start + count))):
                self._path(start).unlink(missing_ok=True)
                del self._files[start]
                deleted += count
        return deleted

    def close(self) -> None:
        """Sync and close."""
        self._retire()
        self.sync()

    def finish_file(self) -> None:
        """End the file being written, so that `forget` may take it."""
        self._retire()

    def _restore(self) -> None:
        for path in self._directory.iterdir():
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
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._path(position), flags, 0o600)
        self._writing = position
        self._files[position] = 0
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
        """Remove what an append that failed half way stored from `position` on."""
        self._retire()
        for start in list(self._files):
            if start >= position:
                self._path(start).unlink(missing_ok=True)
                del self._files[start]
            elif start + self._files[start] >= position:
                self._files[start] = position - start
                os.truncate(self._path(start), self._files[start] * SAMPLE_BYTES)

    def _pread(self, start: int, offset: int, count: int) -> bytes:
        descriptor = os.open(self._path(start), os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(descriptor, count * SAMPLE_BYTES, offset * SAMPLE_BYTES)
        finally:
            os.close(descriptor)
        assert len(data) == count * SAMPLE_BYTES, (start, offset, count, len(data))
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
