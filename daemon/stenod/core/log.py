"""What a log is: the contract between whoever has something to say and `edge/telemetry`, which writes it.

Events are `noun.past_verb` (`session.opened`); everything else is a field with its unit in its name
(`delay_seconds`). Spoken words are fields at debug only. Logging never raises.
"""

from typing import Protocol


class Log(Protocol):
    """Where events go. `error`: a person must act; `warning`: degraded, heals by itself; `info`: life-cycle."""

    def debug(self, event: str, /, **fields: object) -> None:
        """Say what helps to find a defect."""

    def info(self, event: str, /, **fields: object) -> None:
        """Say what happened in the normal course, a handful of times an hour."""

    def warning(self, event: str, /, **fields: object) -> None:
        """Say what is worse than it should be and heals by itself."""

    def error(self, event: str, /, **fields: object) -> None:
        """Say what a person must do something about."""
