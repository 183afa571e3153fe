"""Positions and UTC as a person needs them, to the second: for looking at a journal and for naming a part of it.

What records tell is made by `chronology`, and stays; this looks at the same anchors and back again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from stenod.core.chronology import Anchor, Chronology

AGO = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
SECONDS = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Moments:
    """`anchors` in order of their positions."""

    rate: int
    anchors: Sequence[Anchor]

    def at(self, position: int) -> float | None:
        """Return Unix seconds of a position; None where no clock was ever noted."""
        found = Chronology(self.rate, self.anchors).at(position)
        return None if found is None else found.unix

    def position(self, unix: float) -> int:
        """Return the position of a moment: of one when nobody recorded, where the recording went on. Never negative."""
        found = 0
        for index, anchor in enumerate(self.anchors):
            if index and anchor.unix > unix:
                return min(found, anchor.position)
            found = max(0, anchor.position + round((unix - anchor.unix) / anchor.pace * self.rate))
        return found

    def named(self, text: str, now: float) -> int | None:
        """Return the position that a person means; None where it is none.

        `90.5`: seconds on the timeline, as records tell them. `2h`: so long ago (s, m, h, d). A date and time, of the
        machine's own zone where it names none: `2026-01-31T09:00`, `2026-01-31T09:00:00Z`.
        """
        if SECONDS.fullmatch(text):
            return round(float(text) * self.rate)
        if ago := AGO.fullmatch(text):
            return self.position(now - float(ago[1]) * UNIT_SECONDS[ago[2]])
        try:
            return self.position(datetime.fromisoformat(text).timestamp())
        except (ValueError, OverflowError, OSError):
            return None
