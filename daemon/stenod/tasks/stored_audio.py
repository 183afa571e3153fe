"""The audio on the disk against the timeline: what is appended, read, dispensable, and what must go.

Capture waits for nothing and ends for nothing: audio that the disk does not take is a gap (`disk`), and the timeline
goes on; the disk is tried again after growing waits. Audio that should be there and cannot be read is such a gap too.

It knows which samples are pending, quiet or being sent, and so which files must stay. It does not know records,
transactions or who reads.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from stenod.core.clock import Clock
from stenod.core.outage import remedy
from stenod.core.retention import SAMPLE_BYTES, Need, RetentionLimits, surplus
from stenod.core.seams import AFTER_SECONDS, OVERLAP_SECONDS, live_start, replay_end, replay_start
from stenod.core.timeline import Cause, Span, State, Timeline
from stenod.tasks.commits import Commits
from stenod.tasks.disk_health import DiskHealth, Part

NEAR_SECONDS = 5.0
"""Audio this close to pending audio is kept: a replay begins before its cursor, a late session hears beyond its end."""
SENDING_SECONDS = 120.0
"""Audio that was read so lately is with a provider, and its words may come."""


class Segments(Protocol):
    """See `edge.segments.Segments`."""

    @property
    def tail(self) -> int: ...
    @property
    def stored(self) -> int: ...
    @property
    def oldest(self) -> int: ...
    def spans(self) -> list[Span]: ...
    def append(self, position: int, pcm: bytes) -> None: ...
    def read(self, position: int, count: int) -> bytes: ...
    def sync(self) -> None: ...
    def finish_file(self) -> None: ...
    def forget(self, dispensable: Callable[[Span], bool]) -> int: ...
    def free_bytes(self) -> int: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What stays on the disk, and how long; `transcribed`: also audio that is, as far as the limits allow."""

    transcribed: bool = False
    quiet_seconds: float = 86_400.0
    lines_seconds: float = 0.0
    """How old printed lines may become in the outbox; 0: they are kept for good."""
    limits: RetentionLimits = field(default_factory=RetentionLimits)


class StoredAudio:
    """One stream's audio files."""

    def __init__(
        self,
        *,
        segments: Segments,
        timeline: Timeline,
        rate: int,
        keeping: Keeping,
        commits: Commits,
        health: DiskHealth,
        clock: Clock,
    ) -> None:
        self._segments = segments
        self._timeline = timeline
        self._rate = rate
        self._keeping = keeping
        self._commits = commits
        self._health = health
        self._clock = clock
        self._read_at: dict[int, float] = {}
        """When each stretch of `NEAR_SECONDS` was read last."""

    def append(self, pcm: bytes, *, patient: bool) -> bool:
        """Store s16le at the tail of the timeline, or extend it by a gap where the disk cannot take it.

        Of a source that can wait (`patient`) nothing is lost: the answer is False, and the timeline stays as it is.
        """
        if self._health.due(Part.AUDIO):
            try:
                self._health.hold_room()
                self._segments.append(self._timeline.tail, pcm)
            except OSError as error:
                self._health.failed(Part.AUDIO, str(error.strerror), remedy(error.errno), waits=patient)
            else:
                self._timeline.extend(len(pcm) // 2)
                self._health.worked(Part.AUDIO)
                self._commits.lose_no_more()
                return True
        if not patient:
            self._commits.lose_more(len(pcm) // 2, Cause.DISK)
        return not patient

    def read(self, position: int, count: int) -> bytes:
        """Return stored audio, as much of `count` as is contiguous; what is pending and not there is a gap from now."""
        try:
            pcm = self._segments.read(position, count)
        except OSError as error:
            self._health.failed(Part.READ, str(error.strerror), remedy(error.errno))
            self._commits.lose(position, self._unreadable_until(position), Cause.DISK)
            return b""
        here, end = position + len(pcm) // 2, min(position + count, self._timeline.tail)
        if pcm:
            self._health.worked(Part.READ)
            self._note_read(position, here)
        if here < end:
            self._commits.lose(here, self._missing_until(here), Cause.DISK)
        return pcm

    def replay_start(self, settled: int) -> int:
        """Return where to begin a session whose first pending sample is `settled`; see `core.seams`."""
        _, before = self._before(settled)
        if before is None:
            return settled
        after = self.read(settled, round(AFTER_SECONDS * self._rate))
        return replay_start(before, after, settled, self._rate)

    def live_start(self, tail: int) -> tuple[int, int]:
        """Return where a session's share begins that goes live at the tail, and from where on it hears.

        Both are within the last quiet point there, if any, or where audio was lost: what lies before that is another's.
        """
        origin, before = self._before(tail)
        if before is None:
            return tail, tail
        quiet = live_start(before, tail, self._rate)
        if quiet is not None:
            return quiet, quiet
        after_gap = origin > max(0, tail - round(OVERLAP_SECONDS * self._rate))
        return (origin, origin) if after_gap else (tail, origin)

    def replay_end(self, end: int) -> tuple[int, int]:
        """Return up to where a session hears whose share ends at `end`, and is believed; see `core.seams`."""
        reach = round(OVERLAP_SECONDS * self._rate)
        before = self.read(max(0, end - reach), min(end, reach))
        if len(before) // 2 < min(end, reach):
            return end, end
        return replay_end(before, self.read(end, min(reach, self._timeline.tail - end)), end, self._rate)

    def sync(self) -> None:
        """Make what was appended durable; blocks. Raises `OSError`."""
        self._segments.sync()

    def forget(self, near_seconds: float) -> None:
        """Delete files that nobody needs: all settled, nothing pending within `near_seconds`, no fresh quiet."""
        if self._keeping.transcribed:
            return
        held = self._held(round(near_seconds * self._rate))
        place = 0

        def dispensable(span: Span) -> bool:
            nonlocal place
            while place < len(held) and held[place].end <= span.start:
                place += 1
            clear = place == len(held) or span.end <= held[place].start
            return clear and not self._commits.unwritten(span)

        self._segments.forget(dispensable)

    def surplus(self) -> list[Span]:
        """Return the files that must go although they are needed; see `core.retention`."""
        limits, tail = self._keeping.limits, self._timeline.tail
        free_bytes = self._segments.free_bytes() if limits.free_bytes_min else 0
        young = not limits.seconds_max or self._segments.oldest > tail - limits.seconds_max * self._rate
        few = not limits.bytes_max or self._segments.stored * SAMPLE_BYTES <= limits.bytes_max
        if young and few and free_bytes >= limits.free_bytes_min:
            return []
        return surplus(
            self._segments.spans(),
            self._need_now,
            tail=tail,
            rate=self._rate,
            free_bytes=free_bytes,
            limits=limits,
        )

    def remove(self, files: list[Span]) -> None:
        """Delete these files; the ledger knows what becomes of their audio."""
        going = set(files)
        self._segments.forget(lambda span: span in going and not self._commits.unwritten(span))

    def finish_file(self) -> None:
        """End the file being written, so that it may be deleted too."""
        self._segments.finish_file()

    def close(self) -> None:
        """Make durable and close."""
        self._segments.close()

    def _before(self, place: int) -> tuple[int, bytes | None]:
        """Return where the audio begins that is looked at before a place, not beyond a gap, and all of it, or None."""
        origin = max(0, place - round(OVERLAP_SECONDS * self._rate), self._timeline.last_gap_end(place))
        pcm = self.read(origin, place - origin) if place > origin else b""
        return origin, pcm if len(pcm) // 2 >= place - origin else None

    def _held(self, near: int) -> list[Span]:
        """The stretches that must stay, in order: near what is pending or will be, and what was quiet lately."""
        tail = self._timeline.tail
        pending = [*self._timeline.pending(0, tail), Span(tail, tail + 1)] if tail else [Span(0, 1)]
        held = [Span(max(0, span.start - near), span.end + near) for span in pending]
        held += self._timeline.settled_as(State.QUIET, max(0, tail - round(self._keeping.quiet_seconds * self._rate)))
        joined: list[Span] = []
        for span in sorted(held):
            if joined and span.start <= joined[-1].end:
                joined[-1] = Span(joined[-1].start, max(span.end, joined[-1].end))
            else:
                joined.append(span)
        return joined

    def _need_now(self, span: Span) -> Need:
        since = self._clock.now() - SENDING_SECONDS
        cells = range(self._cell(span.start), self._cell(span.end - 1) + 1)
        if any(self._read_at.get(cell, since) > since for cell in cells):
            return Need.SENDING
        return self._need(span, round(NEAR_SECONDS * self._rate))

    def _note_read(self, start: int, end: int) -> None:
        now = self._clock.now()
        for cell in {self._cell(start), self._cell(end - 1)}:
            if cell not in self._read_at:
                self._read_at = {cell: at for cell, at in self._read_at.items() if at > now - SENDING_SECONDS}
            self._read_at[cell] = now

    def _missing_until(self, position: int) -> int:
        """Where the next stored sample is, behind one that is in no file."""
        return min([*(span.start for span in self._segments.spans() if span.start > position), self._timeline.tail])

    def _unreadable_until(self, position: int) -> int:
        """Where the file with this sample ends: one sector of it is no reason to try a hundred times."""
        ends = [span.end for span in self._segments.spans() if span.start <= position < span.end]
        return min([*ends, self._timeline.tail])

    def _need(self, span: Span, near: int) -> Need:
        if self._timeline.pending_run(max(0, span.start - near), span.end + near) is not None:
            return Need.PENDING
        fresh = self._timeline.tail - span.end < self._keeping.quiet_seconds * self._rate
        if fresh and self._timeline.holds(State.QUIET, span.start, span.end):
            return Need.QUIET
        return Need.HEARD

    def _cell(self, position: int) -> int:
        return position // round(NEAR_SECONDS * self._rate)
