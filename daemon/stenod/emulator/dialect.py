"""The words between a session, which every dialect shares, and a dialect, of which there is one file each.

A dialect is pure: it reads a request, messages and hypotheses, and writes messages; it has no clock, socket or task.
One object serves one session. What ends a session badly is a value, `Violation`, and never an exception.

What a message of the client asks for is one value, `Demand`: its samples, a command, an answer, or the session's end.
What a dialect has to say is a sequence of `Saying`: messages, the words that they make final, and how late they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Protocol

from stenod.emulator.engine import Hypothesis, Word
from stenod.emulator.keyring import Keyring

Message = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request: header names in lower case, query parameters in order, the WebSocket subprotocols that are offered."""

    path: str
    parameters: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    subprotocols: tuple[str, ...] = ()

    @property
    def query(self) -> Mapping[str, str]:
        """The first value of each parameter."""
        return dict(reversed(self.parameters))

    def every(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter that may be repeated."""
        return tuple(value for other, value in self.parameters if other == name)

    def told(self, *secrets: str) -> Mapping[str, str]:
        """Return the parameters for the log, without secrets; repeated ones are joined by commas."""
        names = dict.fromkeys(name for name, _ in self.parameters if name not in secrets)
        return {name: ",".join(self.every(name)) for name in names}


@dataclass(frozen=True, slots=True)
class Rejection:
    """An HTTP answer instead of the upgrade; `text` is its meaning, for the log."""

    status: int
    text: str
    body: Message
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the 101 says besides the handshake."""

    headers: tuple[tuple[str, str], ...] = ()
    subprotocol: str | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """Why the server ends a session or refuses it: a close code or HTTP status, the full text, its name if it has one.

    Code 1005 is a close frame without any code.
    """

    code: int
    text: str
    name: str = ""


class Command(Enum):
    """What a client's message asks for."""

    KEEP_ALIVE = "keep alive"
    END_TURN = "end turn"
    TERMINATE = "terminate"
    CONFIGURE = "configure"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Reply:
    """Messages that answer one of the client's at once; the limits may have changed too."""

    messages: Sequence[Message]


Demand = bytes | Command | Reply | Violation


@dataclass(frozen=True, slots=True)
class Saying:
    """Messages of one moment; `words` are those that they make final, for the log, None when nothing is final."""

    messages: Sequence[Message]
    words: Sequence[Word] | None = None
    delay_seconds: float = 0.0


class Failure(Enum):
    """Ends that every dialect has its own code and words for."""

    INACTIVE = "inactive"
    UNANSWERED = "unanswered"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    CROWDED = "crowded"
    TOO_FAST = "too fast"


class Contact(IntEnum):
    """What a client can do to be noticed; each counts for an inactivity limit that asks for it or for less."""

    PING = 0
    MESSAGE = 1
    AUDIO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the session enforces for the dialect; None means no such rule.

    `inactivity_contact` is the least that the client must do to count as active. `silence_seconds` is how long the
    server may be without a message to send before it gives up on itself. `hasty_seconds` is for how long audio may
    come faster than real time. `session_seconds` is a cap of this session alone. With `flushes` a session that ends by
    inactivity or silence first says what it has heard.
    """

    pause_seconds: float
    inactivity_seconds: float | None = None
    inactivity_contact: Contact = Contact.MESSAGE
    silence_seconds: float | None = None
    heartbeat_seconds: float | None = None
    session_seconds: float | None = None
    hasty_seconds: float | None = None
    flushes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a session is told of itself: its id, and when it began and will expire in Unix seconds, if it will."""

    id: str
    opened_at: float
    expires_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the engine has come, in session samples, and what made it speak.

    No word that begins before `quiet` is still to be said. `forced` is set when the client ordered the turn's end,
    `closing` when the session is about to end.
    """

    samples: int
    quiet: int
    session_seconds: float
    forced: bool = False
    closing: bool = False


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

    def begin(self, opening: Opening) -> Sequence[Message]:
        """Return what says that the session is ready."""
        ...

    def text(self, message: str) -> Demand:
        """Read a text message."""
        ...

    def audio(self, message: bytes) -> Demand:
        """Read a binary message."""
        ...

    def heard(self, hypotheses: Sequence[Hypothesis], progress: Progress) -> Sequence[Saying]:
        """Return what there is to say after the engine has heard more, or has ended a turn."""
        ...

    def heartbeat(self, vitals: Vitals) -> Sequence[Message]:
        """Return a sign of life."""
        ...

    def farewell(self, vitals: Vitals) -> Sequence[Message]:
        """Return what follows the last hypothesis after the client's goodbye."""
        ...

    def last_words(self, violation: Violation, vitals: Vitals) -> Sequence[Message]:
        """Return what precedes the close frame of a session that ends badly."""
        ...


class Failures(Protocol):
    """A dialect's words for the ends that all dialects share."""

    def __call__(self, kind: Failure, **numbers: float) -> Violation:
        """Return code and text."""
        ...


class Rejections(Protocol):
    """How a provider words an HTTP status."""

    def __call__(self, violation: Violation, request_id: str) -> Rejection:
        """Return the answer."""
        ...


def _no_headers(request: Request, request_id: str) -> Acceptance:  # noqa: ARG001 - others need both
    return Acceptance()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tongue:
    """One dialect as the server's table has it: what is needed before and after a session.

    With `early`, key, parameters and admission are judged before the 101, and a `Violation` of `open_session` holds an
    HTTP status; otherwise after it, by message. `error_messages` precede the close of a connection that became no
    session. `close_reason` is what every close after an error message says, None for the violation's own text.
    `session_seconds` is how long a session may last if nobody says otherwise.
    """

    open_session: Callable[[Request, Keyring], Dialect | Violation]
    failure: Failures
    rejection: Rejections
    error_messages: Callable[[Violation], Sequence[Message]]
    goodbye: Violation
    texts: Mapping[int, str]
    statuses: Mapping[int, Violation] = field(default_factory=dict)
    close_reason: str | None = None
    accept: Callable[[Request, str], Acceptance] = _no_headers
    early: bool = False
    bills_audio: bool = False
    session_seconds: float | None = None
