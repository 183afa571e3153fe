"""The clock fit of one run of a device: when was a second of audio captured, on the machine's own clock?

Each block says how much audio there was when it arrived. Blocks arrive late, in bursts, after a pause of the whole
machine, but never early: so the truth is the lower edge of what is seen. Of each ten seconds the most punctual block is
kept. Their lower hull over half an hour gives the device's pace (the hull's edge above the middle: the line below all
points that is nearest to them), and the most punctual of the last minute or two say where the line lies now: it follows
a crystal that warms up, and a delay that has come to stay.

It knows no positions, no UTC and no causes. Both clocks are seconds; the machine's must not be set nor stop.
"""

from collections import deque
from itertools import islice

BIN_SECONDS = 10.0
WINDOW_SECONDS = 1800.0
"""For the pace: a thousandth of a second of doubt over this is less than a millionth."""
LATEST_BINS = 8
"""For where the line lies: more than a minute, and enough where a block is longer than a bin."""
PACE_SECONDS_MIN = 300.0
"""Before, the pace is the expected one: 20 ms of doubt would be more than crystals are off."""
PACE_EVERY_SECONDS = 60.0
EXPECTED_DEVIATION_MAX = 500e-6
"""An earlier run's pace is expected again if a crystal can be off by so much; else it was something else."""
PACE_MIN, PACE_MAX = 0.1, 10.0
"""A pipe that somebody fills from a file has a pace too."""

Point = tuple[float, float]


class ClockFit:
    """The line from seconds of audio to seconds of the machine's clock; `expected` is the pace to begin with."""

    def __init__(self, expected: float = 1.0) -> None:
        self.pace = expected if abs(expected - 1.0) <= EXPECTED_DEVIATION_MAX else 1.0
        """Seconds of the machine's clock a second of audio."""
        self._points: deque[Point] = deque()
        """The most punctual block of each bin; the last bin is not full."""
        self._bin_start = 0.0
        self._paced_at = 0.0
        self._base: float | None = None

    def add(self, audio: float, arrived: float) -> None:
        """Note that there were `audio` seconds by then; `audio` grows."""
        if self._points and audio - self._bin_start < BIN_SECONDS:
            if self._rest((audio, arrived)) < self._rest(self._points[-1]):
                self._points[-1] = (audio, arrived)
        else:
            self._fit()
            self._points.append((audio, arrived))
            self._bin_start = audio
        rest = self._rest((audio, arrived))
        self._base = rest if self._base is None else min(rest, self._base)

    def at(self, audio: float) -> float:
        """Return when that second of the audio was captured; there must have been a block."""
        assert self._base is not None
        return self._base + self.pace * audio

    def late(self, audio: float, arrived: float) -> float:
        """Return how much later than expected that arrives; 0 before the first block."""
        return 0.0 if self._base is None else arrived - self.at(audio)

    def _fit(self) -> None:
        """Take the full bins into account."""
        points = self._points
        while points and points[-1][0] - points[0][0] > WINDOW_SECONDS:
            points.popleft()
        seen = points[-1][0] - points[0][0] if points else 0.0
        if seen >= PACE_SECONDS_MIN and points[-1][0] - self._paced_at >= PACE_EVERY_SECONDS:
            self._paced_at = points[-1][0]
            self.pace = min(max(PACE_MIN, _lower_pace(list(points))), PACE_MAX)
        latest = [self._rest(point) for point in islice(reversed(points), LATEST_BINS)]
        self._base = min(latest, default=None)

    def _rest(self, point: Point) -> float:
        return point[1] - self.pace * point[0]


def _lower_pace(points: list[Point]) -> float:
    """Return the slope of the lower hull's edge at the mean of the points; they are in order."""
    hull: list[Point] = []
    for point in points:
        while len(hull) > 1 and not _turns_left(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    middle = sum(audio for audio, _ in points) / len(points)
    index = next(index for index, (audio, _) in enumerate(hull) if audio >= middle)
    (first, before), (second, after) = hull[max(0, index - 1)], hull[max(1, index)]
    return (after - before) / (second - first)


def _turns_left(first: Point, second: Point, third: Point) -> bool:
    (x, y), (x2, y2), (x3, y3) = first, second, third
    return (x2 - x) * (y3 - y) > (y2 - y) * (x3 - x)
