"""What a provider charges for: one rule a dialect, as data.

Prices are plain numbers without a currency: whatever the person's contract is in. A price of 0 means that it is not
known, and then no cost is told, rather than a cost of nothing. What is charged without the provider having said so is
our own measure by its rule; what it says itself wins.
"""

from dataclasses import dataclass
from enum import StrEnum


class Measure(StrEnum):
    """What is charged for."""

    SESSION = "session"
    """The open session, from ready to its end, whatever is sent in it."""
    AUDIO = "audio"
    """The audio that it is sent, silence included."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Billing:
    """`orphan_seconds`: how long a session that we could not end may go on being charged."""

    measure: Measure
    price_per_hour: float = 0.0
    """0: not known."""
    orphan_seconds: float = 0.0

    def billed_seconds(
        self, *, open_seconds: float, audio_seconds: float, said_seconds: float | None, orphaned: bool
    ) -> float:
        """Return what is charged: what the provider said, else by its rule; of an orphan, what it may come to."""
        if self.measure is Measure.NOTHING:
            return 0.0
        if said_seconds is not None:
            return said_seconds
        if self.measure is Measure.AUDIO:
            return audio_seconds
        return open_seconds + (self.orphan_seconds if orphaned else 0.0)

    def cost(self, billed_seconds: float) -> float | None:
        """Return the price of it; None where the price is not known."""
        if self.measure is Measure.NOTHING:
            return 0.0
        return billed_seconds / 3600.0 * self.price_per_hour if self.price_per_hour > 0 else None


FREE = Billing(measure=Measure.NOTHING)
