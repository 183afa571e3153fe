"""How much audio AssemblyAI has certainly processed, and how much of it counts as heard.

A heartbeat says how much audio the service has *received*; what counts is how much it has *processed*, and it never
says that. What is known: it drains a backlog at no more than 1.25x, and a burst that was measured came back at 1.0x.
So the model is the pessimist's: when a heartbeat comes, all audio of the heartbeat before it was already there, and
since then the service has processed it at 1.0x, no more. Audio that came in between counts for nothing yet.

* Fed at real time, the bound is the previous heartbeat's total: about 5 s behind the truth.
* After a catch-up the bound stays behind by what was sent too fast, since nothing shows that the service drained faster
  than 1.0x, until the next word closes the gap: a word proves that everything before it was processed.
* A heartbeat that came late over a stalled network proves no more than the time between the two on the server's own
  clock, and no more than on ours.
* A `realtime_factor` well under 1 while we did feed at real time says that the service lags, and slows the model down.
  When we fed less, the factor falls by itself and says nothing.

What is processed may still be without its words: a first partial comes about 1.2 s after the word. So where nothing
is pending, heard is what was processed, less a margin; and where a beginning of speech was announced, no more than
that until its turn comes.

It does not know which turns are pending (the conversation), nor what was sent (the sent map).
"""

from collections.abc import Iterable

ONSET_SECONDS = 2.0
"""A first partial comes 1.2 s after the word (observed); the rest is margin for a word said to begin early."""
FALSE_START_SECONDS = 30.0
"""Speech that was announced and has no word after this much more audio was none."""

KEEPING_UP = 0.9
"""Judgement: the factor was 0.998 while fed at real time, and 0.69 after the audio had stopped."""


class Progress:
    """The bound and the last heartbeat."""

    def __init__(self) -> None:
        self.processed = 0.0
        """Session seconds that were certainly processed."""
        self._received = 0.0
        self._clock = 0.0
        """Age of the session, by the slower of the two clocks."""
        self._begun: float | None = None

    def begin(self, now: float) -> None:
        """Start our clock: nothing was received yet."""
        self._begun = now

    def proven(self, until: float) -> None:
        """Take the end of a word or of a silence, which can only be known by having processed it."""
        self.processed = max(self.processed, until)

    def beat(self, *, received: float, duration: float | None, factor: float | None, now: float) -> None:
        """Take a heartbeat: audio received and age of the session in seconds, and how it keeps up."""
        if self._begun is None:
            self._begun = now
        # Ages, not differences of neighbours: jitter would make the smaller of two differences fall behind for ever.
        age = now - self._begun if duration is None else min(now - self._begun, duration)
        elapsed = max(0.0, age - self._clock)
        fed = received - self._received
        lagging = factor is not None and factor < KEEPING_UP and fed >= KEEPING_UP * elapsed
        rate = max(0.0, factor) if factor is not None and lagging else 1.0
        drained = min(self._received, self.processed + rate * elapsed)
        # Nobody has processed more than there is, whatever the times of the words say.
        self.processed = min(max(self.processed, drained), received)
        self._received = received
        self._clock = max(self._clock, age)


class HeardLine:
    """The line before which everything is heard; it only moves forward."""

    def __init__(self) -> None:
        self.heard = 0.0
        self.progress = Progress()
        self._onset: float | None = None
        self._onset_turn = -1

    def speech_started(self, start: float, newest_turn: int) -> None:
        """Take the announcement that speech began, before any word of its turn."""
        if self._onset is None:
            self._onset, self._onset_turn = start, newest_turn

    def turn_came(self, order: int) -> None:
        """Take a message about a turn; one that is newer than the announcement explains it."""
        if order > self._onset_turn:
            self._onset = None

    def final_until(self, end: float, pending: Iterable[float]) -> bool:
        """Move to the end of a final, but not past the beginnings of pending turns; return whether it moved."""
        if self._onset is not None and self._onset < end:
            self._onset = None
        return self._move(end, pending)

    def quiet(self) -> bool:
        """Move to what was processed, where no turn is pending; return whether it moved."""
        if self._onset is not None and self._onset + FALSE_START_SECONDS < self.progress.processed:
            self._onset = None
        return self._move(self.progress.processed - ONSET_SECONDS, ())

    def _move(self, until: float, pending: Iterable[float]) -> bool:
        limits = [until, *pending] if self._onset is None else [until, *pending, self._onset]
        before = self.heard
        self.heard = max(before, min(limits))
        return self.heard > before
