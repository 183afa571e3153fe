"""Which audio is quiet for so long that nobody needs to send it.

A gate listens to the stream in order. While something is louder than the room, and for `hold_seconds` after it, audio
is to be sent. Then the gate sleeps, and what it hears is quiet, but for the last `preroll_seconds`: they may be the
first syllable of what comes next. Speech 10 dB over the room's noise is never quiet (`core.level.RoomMeter`).
"""

from dataclasses import dataclass, field

from stenod.core.level import RoomMeter
from stenod.core.timeline import Span


@dataclass(slots=True)
class QuietGate:
    """`start` is where it begins to listen; positions are samples of the stream."""

    rate: int
    hold_seconds: float
    preroll_seconds: float
    start: int = 0
    heard_until: int = field(init=False)
    """Where it has listened to."""
    _loud_until: int = field(init=False)
    _told_until: int = field(init=False)
    _sure: list[Span] = field(default_factory=list)
    _meter: RoomMeter = field(init=False)

    def __post_init__(self) -> None:
        self._meter = RoomMeter(self.rate)
        self.begin(self.start)

    def begin(self, position: int) -> None:
        """Listen from `position` on, awake."""
        self.heard_until = self._loud_until = self._told_until = position

    @property
    def block(self) -> int:
        """It listens to so many samples at a time."""
        return self._meter.block

    @property
    def asleep(self) -> bool:
        """Whether it has been quiet for longer than the hold."""
        return self.heard_until > self._held_until

    @property
    def open_until(self) -> int:
        """Up to where audio is to be sent."""
        return min(self.heard_until, self._held_until)

    def hear(self, pcm: bytes) -> None:
        """Listen to what follows at `heard_until`."""
        end = self.heard_until + len(pcm) // 2
        answers = self._meter.loud(pcm)
        for loud in [*answers, False]:
            was_asleep = self.asleep
            begin, self.heard_until = self.heard_until, min(self.heard_until + self.block, end)
            if loud:
                if was_asleep:
                    self._tell(begin - self._preroll)
                self._loud_until = self.heard_until

    def quiet(self, *, ended: bool = False) -> list[Span]:
        """Return the stretches that have turned out to be quiet since the last call; at the stream's end, all."""
        if self.asleep:
            self._tell(self.heard_until - (0 if ended else self._preroll))
        sure, self._sure = self._sure, []
        return sure

    @property
    def _held_until(self) -> int:
        return self._loud_until + round(self.hold_seconds * self.rate)

    @property
    def _preroll(self) -> int:
        return round(self.preroll_seconds * self.rate)

    def _tell(self, until: int) -> None:
        start = max(self._told_until, self._held_until)
        if start < until:
            self._sure.append(Span(start, until))
            self._told_until = until
