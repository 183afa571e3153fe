"""The sent map: a session's own time to samples of the stream (law 10).

A provider counts the audio that it was sent in this session. Padding, keep-warm zeros and skipped gaps stand between
that count and the stream, so one offset is not enough: the map keeps runs of (session sample, stream sample or
injected, count), contiguous runs merged. A session without gaps is one run.
"""

from dataclasses import dataclass, field

from stenod.core.timeline import Span


@dataclass(slots=True)
class _Run:
    session: int
    stream: int | None
    count: int


@dataclass(slots=True)
class SentMap:
    """Positions of one session; `rate` in Hz turns its seconds into samples."""

    rate: int
    origin: int
    """Where the session's first sample lies (or would lie) on the stream."""
    _runs: list[_Run] = field(default_factory=list)
    sent: int = 0
    """Session samples so far, injected ones included."""
    injected: int = 0

    def add(self, stream: int | None, count: int) -> None:
        """Append `count` samples that were sent: from `stream` on, or injected (None)."""
        assert count > 0, count
        last = self._runs[-1] if self._runs else None
        extends_injected = last is not None and last.stream is None and stream is None
        extends_stream = last is not None and last.stream is not None and stream == last.stream + last.count
        if last is not None and (extends_injected or extends_stream):
            last.count += count
        else:
            self._runs.append(_Run(self.sent, stream, count))
        self.sent += count
        if stream is None:
            self.injected += count

    @property
    def seconds(self) -> float:
        """Seconds of audio sent."""
        return self.sent / self.rate

    def before(self, position: int) -> int:
        """Return how many of the stream's samples before `position` were sent."""
        return sum(min(run.count, max(0, position - run.stream)) for run in self._runs if run.stream is not None)

    def position(self, seconds: float, *, end: bool = False) -> int:
        """Map a session time to the stream.

        Times before the first sample or after the last one are those samples' own (providers pad a turn's edges).
        Where skipped audio lies at that very time, a start belongs behind it, an `end` before it; so do a start and an
        end within injected audio.
        """
        sample = min(max(round(seconds * self.rate), 0), self.sent)
        position, injected = self.origin, False
        for run in self._runs:
            if run.session > sample or (end and run.session == sample and run.session > 0):
                return run.stream if injected and run.stream is not None and not end else position
            injected = run.stream is None
            if run.stream is not None:
                position = run.stream + min(sample - run.session, run.count)
        return position

    def covered(self, seconds: float) -> list[Span]:
        """The stream's spans that were sent before the session time `seconds`."""
        sample = min(max(round(seconds * self.rate), 0), self.sent)
        return [
            Span(run.stream, run.stream + min(run.count, sample - run.session))
            for run in self._runs
            if run.stream is not None and run.session < sample
        ]
