"""The segments in memory: the interface and the behaviour of `edge.segments.Segments`, without files or threads.

`files` is the disk: hand the same one to the next instance for a restart, and `survivors()` of it for a power cut.
Held to the contract of the real ones in `edge/test_segments.py`.
"""

import errno
import os
from collections.abc import Callable

from stenod.core.beginning import Written
from stenod.core.timeline import Span

SAMPLE_BYTES = 2


class MemoryFiles:
    """What would be on the disk: bytes by the first sample, and how many of them a power cut would leave."""

    def __init__(self) -> None:
        self.contents: dict[int, bytearray] = {}
        self.synced: dict[int, int] = {}
        self.bytes_max: int | None = None
        """How much the disk takes."""
        self.broken = 0
        """The error of every read and sync, if there is one."""

    @property
    def free_bytes(self) -> int:
        """What there is room for."""
        if self.bytes_max is None:
            return 2**40
        return max(0, self.bytes_max - sum(map(len, self.contents.values())))

    def survivors(self) -> "MemoryFiles":
        """Return the disk after a power cut: what was never synced is gone."""
        left = MemoryFiles()
        for start, length in self.synced.items():
            left.contents[start] = self.contents[start][:length]
            left.synced[start] = length
        return left


class MemorySegments:
    """One stream's audio; `samples_max` is the length of one file."""

    def __init__(self, samples_max: int, files: MemoryFiles | None = None) -> None:
        self.files = MemoryFiles() if files is None else files
        self._samples_max = samples_max
        self._writing: int | None = None
        self._tail = max((start + self._count(start) for start in self.files.contents), default=0)

    @property
    def tail(self) -> int:
        """Where the last stored sample ends."""
        return self._tail if self.files.contents else 0

    @property
    def stored(self) -> int:
        """How many samples are stored."""
        return sum(map(len, self.files.contents.values())) // SAMPLE_BYTES

    @property
    def oldest(self) -> int:
        """The first stored sample; the tail where there is none."""
        return min(self.files.contents, default=self.tail)

    def spans(self) -> list[Span]:
        """What is stored, one span a file."""
        return [Span(start, start + self._count(start)) for start in sorted(self.files.contents) if self._count(start)]

    def written(self) -> list[Written]:
        """What is stored, with times: each file was written when it was full."""
        return [Written(span, 1_795_200_000.0 + span.end / 1000) for span in self.spans()]

    def append(self, position: int, pcm: bytes) -> None:
        """Store s16le samples from `position` on, which is at or after the tail."""
        assert len(pcm) % SAMPLE_BYTES == 0, len(pcm)
        assert position >= self.tail, (position, self.tail)
        if len(pcm) > self.files.free_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        while pcm:
            start = self._file_for(position)
            room = (self._samples_max - self._count(start)) * SAMPLE_BYTES
            piece = pcm[:room]
            self.files.contents[start] += piece
            position += len(piece) // SAMPLE_BYTES
            self._tail = position
            pcm = pcm[room:]

    def read(self, position: int, count: int) -> bytes:
        """Return up to `count` contiguous samples from `position`; fewer before a hole, none in one."""
        self._work()
        pieces = []
        for start in sorted(self.files.contents):
            end = start + self._count(start)
            if count <= 0 or start > position:
                break
            if position < end:
                take = min(count, end - position)
                first = (position - start) * SAMPLE_BYTES
                pieces.append(bytes(self.files.contents[start][first : first + take * SAMPLE_BYTES]))
                position += take
                count -= take
        return b"".join(pieces)

    def sync(self) -> None:
        """Make everything appended before this call durable."""
        self._work()
        self.files.synced = {start: len(content) for start, content in self.files.contents.items()}

    def forget(self, dispensable: Callable[[Span], bool]) -> int:
        """Delete the finished files whose whole span is dispensable; return the number of samples deleted."""
        deleted = 0
        for start in sorted(self.files.contents):
            count = self._count(start)
            if start != self._writing and (count == 0 or dispensable(Span(start, start + count))):
                del self.files.contents[start]
                self.files.synced.pop(start, None)
                deleted += count
        self._tail = max((start + self._count(start) for start in self.files.contents), default=0)
        return deleted

    def close(self) -> None:
        """Sync and close."""
        self._writing = None
        self.sync()

    def free_bytes(self) -> int:
        """Return what the disk has room for."""
        return self.files.free_bytes

    def finish_file(self) -> None:
        """End the file being written, so that `forget` may take it."""
        self._writing = None

    def _work(self) -> None:
        if self.files.broken:
            raise OSError(self.files.broken, os.strerror(self.files.broken))

    def _count(self, start: int) -> int:
        return len(self.files.contents[start]) // SAMPLE_BYTES

    def _file_for(self, position: int) -> int:
        """Return the first sample of the file that takes the sample at `position`."""
        start = self._writing
        if start is not None and position == start + self._count(start) and self._count(start) < self._samples_max:
            return start
        self._writing = position
        self.files.contents[position] = bytearray()
        return position
