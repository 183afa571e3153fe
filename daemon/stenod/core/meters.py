"""A level meter of several microphones, for a person who looks for the right one: blocks in, lines out.

Pure: the clock is handed in, what is drawn is text. A bar has the level of the last tenth of a second, a mark in it the
highest of the last two seconds. What is only zeros says so, what gives no audio says why.
"""

from dataclasses import dataclass, field

from stenod.core.gauge import Level
from stenod.core.level import FLOOR_DB_MIN
from stenod.core.loudness import SILENCE, Loudness, loudest
from stenod.core.source import Block

WINDOW_SECONDS = 0.1
HOLD_SECONDS = 2.0
"""How long a peak stays to be seen."""
MUTED_SECONDS = 1.0
"""Of exact zeros, before they are called so: a sound server begins with some."""
STALE_SECONDS = 1.0
"""Older audio is not what is heard now."""
BAR_DB_MIN = -72.0
BAR_WIDTH = 30
NAME_WIDTH_MAX = 40
STARTING = "starting"
BUSY_SIGNS = ("-9985", "busy", "not found", "no input device")
"""PortAudio's `paDeviceUnavailable`, what ALSA says, and what we say: PortAudio leaves out a card that is in use."""
BUSY = "busy or gone: another program may have it, or another name of it in this list"
SAYINGS = {
    Level.MUTED: "muted?",
    Level.QUIET: "quiet",
    Level.CLIPPING: "clipping",
    Level.GOOD: "",
}


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What a bar is drawn with."""

    full: str
    peak: str
    empty: str


BLOCKS = Glyphs("█", "▏", "·")
ASCII = Glyphs("#", "|", ".")
"""For a terminal that shows no others."""


@dataclass(slots=True)
class Meter:
    """Of one microphone."""

    index: int
    name: str
    default: bool = False
    trouble: str = STARTING
    """Why there is no audio; empty while there is."""
    heard_at: float | None = None
    """When the last block came; None: none yet."""
    now_loud: Loudness = SILENCE
    _window: list[Loudness] = field(default_factory=list)
    _window_from: float = 0.0
    _peaks: list[tuple[float, float]] = field(default_factory=list)
    _zeros_from: float | None = None
    _all: Loudness = SILENCE

    def add(self, block: Block, now: float) -> None:
        """Take a block into account."""
        loudness = Loudness.of(block.pcm, block.rate, block.channels)
        if self.heard_at is None or now - self._window_from >= WINDOW_SECONDS:
            self._window, self._window_from = [], now
        self._window.append(loudness)
        self.now_loud = loudest(self._window)
        self._all = loudest([self._all, loudness])
        self._peaks = [(at, db) for at, db in self._peaks if now - at < HOLD_SECONDS and db > loudness.peak_db]
        self._peaks.append((now, loudness.peak_db))
        if loudness.sound is not Level.MUTED:
            self._zeros_from = None
        elif self._zeros_from is None:
            self._zeros_from = now
        self.heard_at, self.trouble = now, ""

    def lose(self, reason: str) -> None:
        """Note why there is no audio any more, or never was any."""
        reason = reason.removeprefix(f"microphone '{self.name}': ")
        if any(sign in reason for sign in BUSY_SIGNS):
            reason = BUSY
        self.trouble = f"cannot be opened: {reason}" if self.heard_at is None else reason
        self.heard_at = None
        self.now_loud = SILENCE
        self._peaks = []
        self._zeros_from = None

    @property
    def overall(self) -> Loudness:
        """Of all that was heard."""
        return self._all

    def peak_db(self, now: float) -> float:
        """Return the highest sample of the last two seconds."""
        return max((db for at, db in self._peaks if now - at < HOLD_SECONDS), default=FLOOR_DB_MIN)

    def said(self, now: float) -> str:
        """Return what a word can say about it."""
        if self.trouble or self.heard_at is None:
            return self.trouble
        if now - self.heard_at > STALE_SECONDS:
            return "no audio comes"
        if self.now_loud.sound is Level.MUTED:
            long = self._zeros_from is not None and now - self._zeros_from >= MUTED_SECONDS
            return SAYINGS[Level.MUTED] if long else ""
        return SAYINGS[self.now_loud.sound] if self.now_loud.sound is Level.CLIPPING else ""


def lines(meters: list[Meter], now: float, *, width: int, height: int, glyphs: Glyphs = BLOCKS) -> list[str]:
    """Return what to draw: one line a meter, none wider than the terminal, no more than it has room for."""
    name_width = min(NAME_WIDTH_MAX, max((len(one.name) for one in meters), default=0))
    shown = meters if len(meters) <= height else meters[: max(1, height - 1)]
    drawn = [_line(one, now, name_width, glyphs)[:width] for one in shown]
    if len(shown) < len(meters):
        drawn.append(f"and {len(meters) - len(shown)} more: make the window larger, or name one"[:width])
    return drawn


def measured(meters: list[Meter]) -> list[str]:
    """Return one line a meter for a file or a program: index, name, level, peak, and a word."""
    name_width = max([4, *(len(one.name) for one in meters)])
    drawn = [f"INDEX  {'NAME':{name_width}}  LEVEL_DB  PEAK_DB  STATE"]
    for one in meters:
        loud = one.overall
        figures = f"{'-':>8}  {'-':>7}" if one.trouble else f"{loud.level_db:8.0f}  {loud.peak_db:7.0f}"
        drawn.append(f"{one.index:5}  {one.name:{name_width}}  {figures}  {state(one)}")
    return drawn


def state(meter: Meter) -> str:
    """Return in a word, or a sentence, how a meter's second was."""
    return meter.trouble or (SAYINGS[meter.overall.sound] or "good")


def _line(meter: Meter, now: float, name_width: int, glyphs: Glyphs) -> str:
    head = f"{'*' if meter.default else ' '}{meter.index:4}  {meter.name[:name_width]:{name_width}}  "
    said = meter.said(now)
    if meter.trouble or meter.heard_at is None:
        return head + said
    peak = meter.peak_db(now)
    bar = _bar(meter.now_loud.level_db, peak, glyphs)
    return f"{head}{bar} {meter.now_loud.level_db:4.0f} dB, peak {peak:4.0f}  {said}".rstrip()


def _bar(level_db: float, peak_db: float, glyphs: Glyphs) -> str:
    level, peak = _cells(level_db), _cells(peak_db)
    cells = [glyphs.full] * level + [glyphs.empty] * (BAR_WIDTH - level)
    if peak > 0 and level < peak:
        cells[peak - 1] = glyphs.peak
    return "".join(cells)


def _cells(db: float) -> int:
    return round(max(0.0, min(1.0, 1.0 - db / BAR_DB_MIN)) * BAR_WIDTH)
