"""The audio on the disk against the timeline: what is appended, read, and dispensable.

It knows which samples are pending, and so which files must stay. It does not know records, commits or who reads.
"""

from collections.abc import Callable
from typing import Protocol

from stenod.core.seams import AFTER_SECONDS, OVERLAP_SECONDS, replay_start
from stenod.core.timeline import Span, Timeline


class Segments(Protocol):
    """See `edge.segments.Segments`."""

    @property
    def tail(self) -> int: ...
    def spans(self) -> list[Span]: ...
    def append(self, position: int, pcm: bytes) -> None: ...
    def read(self, position: int, count: int) -> bytes: ...
    def sync(self) -> None: ...
    def finish_file(self) -> None: ...
    def forget(self, dispensable: Callable[[Span], bool]) -> int: ...
    def close(self) -> None: ...


class StoredAudio:
    """One stream's audio files; `keep`: delete nothing."""

    def __init__(self, *, segments: Segments, timeline: Timeline, rate: int, keep: bool) -> None:
        self._segments = segments
        self._timeline = timeline
        self._rate = rate
        self._keep = keep

    def append(self, pcm: bytes) -> None:
        """Store s16le at the tail of the timeline."""
        self._segments.append(self._timeline.tail, pcm)
        self._timeline.extend(len(pcm) // 2)

    def read(self, position: int, count: int) -> bytes:
        """Return stored audio, as much of `count` as is contiguous."""
        return self._segments.read(position, count)

    def replay_start(self, settled: int) -> int:
        """Return where to begin a session whose first pending sample is `settled`; see `core.seams`."""
        wanted = max(0, settled - round(OVERLAP_SECONDS * self._rate))
        start = max(wanted, self._timeline.last_gap_end(settled))
        before = self.read(start, settled - start) if settled > start else b""
        if len(before) // 2 < settled - start:
            return settled
        after = self.read(settled, round(AFTER_SECONDS * self._rate))
        return replay_start(before, after, settled, self._rate)

    def sync(self) -> None:
        """Make what was appended durable; blocks."""
        self._segments.sync()

    def forget(self, kept_seconds: float) -> None:
        """Delete files whose samples are all settled, and no pending ones follow within `kept_seconds`."""
        if self._keep:
            return
        kept = round(kept_seconds * self._rate)
        self._segments.forget(lambda span: self._timeline.pending_run(span.start, span.end + kept) is None)

    def finish_file(self) -> None:
        """End the file being written, so that it may be deleted too."""
        self._segments.finish_file()

    def close(self) -> None:
        """Make durable and close."""
        self._segments.close()
