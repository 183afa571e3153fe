"""The slicing rule: how many samples the next message carries.

While live, a chunk is what was asked for (100 ms by default); behind, chunks grow towards the provider's maximum,
because fewer messages cost less and the rate rule sets the speed anyway. A remainder below the provider's minimum is
filled up with silence, never dropped and never sent short. Nothing is ever sent empty.
"""

from dataclasses import dataclass
from math import ceil, floor


@dataclass(frozen=True, slots=True)
class ChunkRule:
    """Sizes in samples, all inclusive: `least <= wanted <= most`."""

    least: int
    wanted: int
    most: int

    def __post_init__(self) -> None:
        assert 0 < self.least <= self.wanted <= self.most, self

    @classmethod
    def of(cls, *, rate: int, seconds_min: float, seconds_wanted: float, seconds_max: float) -> "ChunkRule":
        """Round inwards, so that no rounding leaves the provider's limits; the wish is clamped into them.

        A provider without a minimum (0) still gets one sample: nothing is sent empty.
        """
        least, most = max(1, ceil(rate * seconds_min - 1e-9)), floor(rate * seconds_max + 1e-9)
        return cls(least, min(max(round(rate * seconds_wanted), least), most), most)

    def shortened(self, samples_max: int) -> "ChunkRule":
        """Return the rule with chunks of at most so many samples, as far as the provider's minimum allows."""
        most = max(self.least, min(self.most, samples_max))
        return ChunkRule(self.least, min(self.wanted, most), most)


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next message: `samples` of the stream, then `padding` injected zeros."""

    samples: int
    padding: int = 0


def next_chunk(available: int, *, last: bool, rule: ChunkRule) -> Chunk | None:
    """Return what to send of `available` contiguous samples; None: wait for more.

    `last` says that nothing will follow these samples directly (the end of the span, a gap): then the remainder goes
    out, filled up to the minimum.
    """
    if available >= 2 * rule.wanted:
        return Chunk(min(available, rule.most))
    if available >= rule.wanted:
        return Chunk(rule.wanted)
    if last and available > 0:
        return Chunk(available, max(0, rule.least - available))
    return None
