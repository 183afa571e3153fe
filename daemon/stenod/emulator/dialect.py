"""The words between a session, which every dialect shares, and a dialect, of which there is one file each.

A dialect is pure: it reads a request, text messages and hypotheses, and writes messages; it has no clock, socket or
task. One object serves one session. What ends a session badly is a value, `Violation`, and never an exception.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from stenod.emulator.engine import Hypothesis

Message = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An upgrade request: header names in lower case, the first value of each query parameter."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rejection:
    """An HTTP answer instead of the upgrade."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Violation:
    """Why the server ends a session: a close code and the full text."""

    code: int
    text: str


class Command(Enum):
    """What a client's text message asks for."""

    KEEP_ALIVE = "keep alive"
    END_TURN = "end turn"
    TERMINATE = "terminate"
    CONFIGURE = "configure"


class Failure(Enum):
    """Ends that every dialect has its own code and words for."""

    INACTIVE = "inactive"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    CROWDED = "crowded"
    TOO_FAST = "too fast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the session enforces for the dialect; None means no such rule."""

    inactivity_seconds: float | None
    heartbeat_seconds: float | None
    pause_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Numbers of a running or ended session."""

    audio_seconds: float
    session_seconds: float
    realtime_factor: float = 0.0
    speech_probability: float = 0.0


class Dialect(Protocol):
    """One session's side of a provider's protocol."""

    @property
    def sample_rate(self) -> int:
        """Samples per second of the session's audio."""
        ...

    @property
    def limits(self) -> Limits:
        """The limits in force; a configuration message may change them."""
        ...

    @property
    def parameters(self) -> Mapping[str, str]:
        """The connect-time parameters without secrets, for the log."""
        ...

    def begin(self, session_id: str, expires_at: int) -> Sequence[Message]:
        """Return what says that the session is ready."""
        ...

    def command(self, text: str) -> Command | Violation:
        """Read a text message."""
        ...

    def chunk(self, pcm_bytes: int) -> Violation | None:
        """Judge the size of an audio message."""
        ...

    def turn(self, hypothesis: Hypothesis) -> Sequence[Message]:
        """Return the messages for a hypothesis."""
        ...

    def heartbeat(self, vitals: Vitals) -> Sequence[Message]:
        """Return a sign of life."""
        ...

    def farewell(self, vitals: Vitals, *, turn_open: bool) -> Sequence[Message]:
        """Return what follows the last hypothesis after the client's goodbye."""
        ...


class Failures(Protocol):
    """A dialect's words for the ends that all dialects share."""

    def __call__(self, kind: Failure, **numbers: float) -> Violation:
        """Return code and text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tongue:
    """One dialect as the server's table has it: what is needed before and after a session."""

    open_session: Callable[[Request, frozenset[str] | None], Dialect | Violation]
    failure: Failures
    error_message: Callable[[Violation], Message]
    close_reason: str
    goodbye: Violation
    texts: Mapping[int, str]
