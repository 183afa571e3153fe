"""How a session ended: what was observed, put together; nothing is judged yet."""

from collections.abc import Callable
from dataclasses import dataclass

from stenod.core import transport
from stenod.core.transport import ConnectionEnded
from stenod.core.verdict import Failure, Phase
from stenod.providers.base import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a session ended. `complete`: we asked for the end, and all that was sent has been recognised."""

    failure: Failure
    ready_seconds: float
    complete: bool
    audio_seconds: float
    billed_seconds: float | None


def joined(
    ended: ConnectionEnded, refused: Refused | None, phase: Phase, masked: Callable[[str], str] = str
) -> Failure:
    """Join the provider's error message with the close that followed it; `masked` hides what must not be shown."""
    said = [] if refused is None else [refused.text]
    code = ended.close_code
    if refused is not None and refused.code is not None:
        code = refused.code
    return Failure(
        phase=phase,
        http_status=ended.http_status,
        close_code=code,
        text=masked(" | ".join(text for text in [*said, ended.text] if text)),
        asked=phase is Phase.DRAINING,
        local=ended.local,
    )


def defect(error: Exception) -> ConnectionEnded:
    """Return the end that an exception of ours makes; of a group, its first one."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return ConnectionEnded(f"{transport.DEFECT}: {type(error).__name__}", local=True)
