"""What a dialect is: the contract between one provider's protocol file and the daemon.

A `Dialect` is made once from its options; it turns them into a `Request` and hands out one `Conversation` a session.
A conversation is a pure state machine: messages in, `Event`s out, frames for what we want to say. It never touches
a socket, a clock or a log: `now` is handed in. Times are **session seconds**: seconds of the audio that was sent in
this session, as the provider counts them; the session's sent map turns them into positions of the stream.

**What counts as transcribed is decided here and nowhere else**, by emitting `Heard`: everything before that time has
been recognised, its words stand in `Final`s that were emitted before it, and there are no others. Never generous.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stenod.core.verdict import Rule
from stenod.providers.billing import Billing


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the provider's wire rules allow; checked in the last function before the socket."""

    chunk_seconds_min: float
    chunk_seconds_max: float
    chunk_seconds: float = 0.1
    """What suits it best while live."""
    rate_ratio_max: float = 1.25
    """Audio seconds a second, over any 10 s."""
    session_seconds_max: float | None = None
    """None: no limit is known."""
    keepalive_seconds: float | None = None
    """Say something at least this often when no audio goes out; None: nothing is needed."""
    warm_seconds: float | None = None
    """A provider that has said nothing for so long, while no audio goes out, is sent some silence, so that it has
    something to answer; None: not needed."""
    warm_first_seconds: float | None = None
    """The same for one that has said nothing yet in this session; None: no other."""
    warm_chunk_seconds: float = 0.3
    """How much silence at a time, within the limits of a chunk."""
    stall_seconds: float | None = None
    """One that is sent speech never says nothing for so long, unless it has stalled; None: what is configured."""
    drain_seconds_max: float = 10.0
    """How long the last words may take after our goodbye."""
    reports_silence: bool = False
    """Whether the conversation emits `Heard` by itself while nobody speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How to open a session."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    """They carry the key: never logged."""
    public_url: str = ""
    """The URL without secrets, for logs and errors."""
    secret: str = ""
    """What the URL carries that must not be shown, should a peer repeat it."""


class Answered(Protocol):
    """What the answer to an errand leads to."""

    def __call__(self, status: int, body: str) -> Request:
        """Return how to open the session; raises `ConnectionEnded` for a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What must be fetched over HTTP, with a GET, before a session can be opened: a temporary token."""

    url: str
    request: Answered
    headers: tuple[tuple[str, str], ...] = ()
    """They carry the key: never logged."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word as the provider heard it, times in session seconds."""

    text: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The provider accepted the session: audio counts from now on."""

    provider_session: str | None
    expires_at: float | None = None
    """Unix seconds by the provider's clock; None where it does not say."""


@dataclass(frozen=True, slots=True)
class Partial:
    """The current state of an unfinished turn: it replaces what was said of that turn before."""

    turn: int
    text: str
    words: tuple[SpokenWord, ...]
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Final:
    """A finished turn or a finished piece of one: never revised. `text` and `words` are never empty."""

    turn: int
    text: str
    words: tuple[SpokenWord, ...]
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """Everything before `until` (session seconds) is transcribed; see the module."""

    until: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer to our goodbye: nothing more comes. `complete`: all audio sent was recognised."""

    complete: bool
    audio_seconds: float | None = None
    billed_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider's own error message; the close follows, or should."""

    code: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Revision:
    """The provider corrects who spoke in an earlier turn; text and times stay."""

    turn: int
    speakers: tuple[str | None, ...]
    """One a word, in order."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth a count and a debug line: an unknown type, a message that makes no sense, a warning."""

    kind: str
    """`unknown`, `malformed`, `warning`, or a known type that we do not use."""
    text: str = ""


Frame = str | bytes
"""One WebSocket message: text or binary."""


@dataclass(frozen=True, slots=True)
class Say:
    """The conversation wants this message sent now: an answer, a second goodbye. Several are sent in order."""

    frame: Frame


Event = Ready | Partial | Final | Heard | Finished | Refused | Revision | Notice | Say


class Conversation(Protocol):
    """One session's protocol state. All methods are synchronous and pure but for that state."""

    def opened(self, headers: Mapping[str, str]) -> list[Event]:
        """Return what the upgrade itself tells: `Ready` from a provider that sends no hello, else nothing.

        `headers`: those of the upgrade's response, names in lower case.
        """

    def audio(self, pcm: bytes) -> Frame:
        """Return the message that carries this chunk (s16le mono at the session's rate)."""

    def keepalive(self) -> Frame | None:
        """Return the message that holds an idle session open; None where pings do."""

    def force_end(self) -> Frame | None:
        """Return the message that ends the open turn now; None where there is none."""

    def goodbye(self, *, hurried: bool = False) -> Sequence[Frame]:
        """Return the messages that end the session in order; all audio was sent before them.

        `hurried`: the connection is about to be closed, so that nothing can be waited for and said later.
        """

    def receive(self, message: Frame, now: float) -> list[Event]:
        """Return what a message means, in order. Never raises for what a peer may send."""

    def due(self, now: float) -> list[Event]:
        """Return what has become true by waiting (a formatted twin that did not come)."""

    def deadline(self) -> float | None:
        """Return when `due` wants to be called next, on the same clock; None: not at all."""

    def closed(self, *, clean: bool) -> list[Event]:
        """Return what is still held when the session has ended, whatever the reason.

        `clean`: the peer itself ended it in good order, with a close frame that says 1000 or has no code. Where that
        is a provider's only answer to our goodbye, `Finished` is among what is returned. A `Say` comes too late here.
        """

    def reconfigure(self, dialect: "Dialect") -> Sequence[Frame] | None:
        """Return the messages that make this session one of `dialect`, whose options are newer, and count it as one.

        Empty: it is one already. None: only a new session can be, and nothing has changed here.
        """

    def turn_open_since(self) -> float | None:
        """Return the session time at which the open turn began, None where none is open."""


@dataclass(frozen=True, slots=True)
class Warned:
    """Something in the options that a person should see before it surprises them."""

    option: str
    text: str


class Dialect(Protocol):
    """One provider's protocol with its options."""

    @property
    def name(self) -> str:
        """The provider's name in records, logs and configuration."""

    @property
    def limits(self) -> Limits:
        """The wire rules."""

    @property
    def rules(self) -> Sequence[Rule]:
        """The verdict table."""

    @property
    def billing(self) -> Billing:
        """What is charged for."""

    def request(self, *, key: str, rate: int) -> Request | Errand:
        """Return how to open a session that is sent s16le mono at `rate` Hz, or what that takes first."""

    def conversation(self) -> Conversation:
        """Return the state machine of one new session."""

    def errors(self) -> Sequence[Warned]:
        """Return what cannot work about the options, for the configuration to refuse."""

    def warnings(self) -> Sequence[Warned]:
        """Return what is odd about the options but not an error."""
