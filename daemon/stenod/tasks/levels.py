"""Tells a person when what the microphone gives is too loud, far too quiet, or nothing: once, and when it is over.

It looks at audio as it comes from the source, before any conversion, in the channel that its stream hears, a second at
a time; it changes nothing. What counts as what: `core.gauge`.
"""

from collections.abc import Mapping

from stenod.core import records
from stenod.core.clock import Clock
from stenod.core.gauge import QUIET_OF_SECONDS, Gauge, Level
from stenod.core.level import reading
from stenod.core.log import Log
from stenod.core.source import Block
from stenod.tasks.journal import Journal

SUBJECT = "level"
SAYINGS: Mapping[Level, tuple[str, str]] = {
    Level.MUTED: (
        "{source} gives nothing but zeros",
        "Is it muted, unplugged, or the wrong one? Look at its switch, at `alsamixer`, at `stenod devices`.",
    ),
    Level.CLIPPING: (
        "{source} is too loud: {clipped_percent:.1f} % of the last ten seconds is cut off at full scale",
        "Turn its gain down (`alsamixer`, or the sound server's control), or move it away.",
    ),
    Level.QUIET: (
        "{source} is far too quiet: what was loudest in three minutes is {loudest_db:.0f} dB below full scale",
        "Turn its gain up (`alsamixer`, or the sound server's control), or move it nearer to whoever speaks.",
    ),
    Level.GOOD: ("{source} is neither muted, too loud nor too quiet any more", ""),
}


class Levels:
    """One stream's ear for levels; `channel` as in the configuration, from 1, 0: all."""

    def __init__(self, *, source: str, channel: int, journal: Journal, clock: Clock, log: Log) -> None:
        self._source = source
        self._channel = channel
        self._journal = journal
        self._clock = clock
        self._log = log
        self._gauge = Gauge()
        self._heard_seconds = 0
        self._second = bytearray()
        self._format = (0, 0)

    def hear(self, block: Block) -> None:
        """Take a block into account; holds a second of audio at most, and what is more in the block."""
        if self._format != (block.rate, block.channels):
            self._second.clear()
            self._format = (block.rate, block.channels)
        self._second += block.pcm
        size = 2 * block.rate * block.channels
        while len(self._second) >= size:
            second = bytes(self._second[:size])
            del self._second[:size]
            level = self._gauge.add(reading(second, block.channels, min(self._channel, block.channels)))
            self._heard_seconds += 1
            known = self._heard_seconds >= QUIET_OF_SECONDS and self._gauge.level is Level.GOOD
            if level is not None or (known and self._journal.mended(SUBJECT)):
                self._tell(self._gauge.level)

    def _tell(self, level: Level) -> None:
        clipped, loudest = 100.0 * self._gauge.clipped_share, -self._gauge.loudest_db
        reason, remedy = SAYINGS[level]
        told = reason.format(source=self._source, clipped_percent=clipped, loudest_db=loudest)
        log = self._log.info if level is Level.GOOD else self._log.warning
        log("level.changed", state=level.value, source=self._source, clipped_percent=clipped, loudest_db=-loudest)
        at = records.rfc3339(self._clock.wall())
        self._journal.note(
            records.Status(
                stream=self._journal.stream, at=at, subject=SUBJECT, state=level.value, reason=told, remedy=remedy
            )
        )
