"""How a running daemon is, for whoever asks: one line of JSON without a word of the transcript, a key, or a path.

*Alive* is what the watchdog goes by: audio grows. A restart mends what is not alive, and nothing else. *Ready* is that
words are on their way, too: each stream is alive and has its device, a disk that takes what comes, and a session that
takes its audio, or needs none just now (quiet, all done). What is alive and not ready is recorded and waits; who holds
it, and what a person can do, stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec


class Device(StrEnum):
    """Where the audio comes from."""

    OPENING = "opening"
    """Nothing has come yet."""
    UP = "up"
    LOST = "lost"
    """It came and does not any more; it is being opened again."""
    ENDED = "ended"
    NONE = "none"
    """Nothing new is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What goes on only when a person has acted: a provider that refuses for good, a disk that takes nothing."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHealth:
    """One stream; `up`: a session takes its audio, or none is needed."""

    name: str
    alive: bool
    up: bool
    state: str
    """What it is doing, in words."""
    device: Device
    provider: str | None
    """Whose session it is; None without one."""
    session: str | None
    lag_seconds: float
    """From the first sample that is still to be transcribed to the last one."""
    pending_seconds: float
    """What of it is still to be transcribed: less where some of it is lost."""
    held: Held | None
    disk: Held | None
    """A disk takes nothing: audio is being lost, or waits in its source, or lines wait."""
    last_final_at: str | None
    """When the last turn ended that was printed live or late, in UTC."""

    @property
    def ready(self) -> bool:
        """Whether it is alive, and its words are on their way."""
        waits = self.held is not None or self.disk is not None
        return self.alive and self.up and not waits and self.device not in (Device.OPENING, Device.LOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The process."""

    streams: Sequence[StreamHealth]
    stopping: bool
    uptime_seconds: float

    @property
    def alive(self) -> bool:
        """Whether a restart would mend nothing."""
        return all(one.alive for one in self.streams)

    @property
    def ready(self) -> bool:
        """Whether words of every stream are on their way, and will be."""
        return not self.stopping and all(one.ready for one in self.streams)


def line(health: Health, *, pid: int, version: str) -> bytes:
    """Return it as one line of JSON."""
    told: dict[str, Any] = {
        "alive": health.alive,
        "ready": health.ready,
        "stopping": health.stopping,
        "pid": pid,
        "version": version,
        "uptime_seconds": health.uptime_seconds,
        "streams": [msgspec.to_builtins(one) | {"ready": one.ready} for one in health.streams],
    }
    return msgspec.json.encode(told) + b"\n"
