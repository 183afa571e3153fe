"""What a session needs to know of the configuration, and what that means within a provider's limits."""

from dataclasses import dataclass

from stenod.core.chunking import ChunkRule
from stenod.core.liveness import LivenessOptions
from stenod.providers.base import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """All in seconds."""

    opening_seconds: float = 10.0
    send_seconds: float = 3.0
    ping_seconds: float = 1.0
    pong_seconds: float = 3.0
    stall_seconds: float = 30.0
    turn_seconds_max: float = 20.0
    chunk_seconds: float = 0.0
    """0: what suits the provider best."""

    def liveness(self, limits: Limits, patience: int = 1) -> LivenessOptions:
        """Return when a session counts as dead, and after how many times the usual silence as stalled."""
        return LivenessOptions(
            ping_seconds=self.ping_seconds,
            pong_seconds=self.pong_seconds,
            stall_seconds=patience * min(self.stall_seconds, limits.stall_seconds or self.stall_seconds),
            keepalive_seconds=limits.keepalive_seconds,
            warm_seconds=limits.warm_seconds,
            warm_first_seconds=limits.warm_first_seconds,
        )

    def chunk_rule(self, rate: int, limits: Limits) -> ChunkRule:
        """Return how the audio is sliced."""
        return ChunkRule.of(
            rate=rate,
            seconds_min=limits.chunk_seconds_min,
            seconds_wanted=self.chunk_seconds or limits.chunk_seconds,
            seconds_max=limits.chunk_seconds_max,
        )
