"""AssemblyAI's real-time protocol, version 2, for servers that still speak it; the hosted one is retired.

**Messages.** All are JSON, ours too: a chunk is `{"audio_data": base64}`, 100 to 2000 ms of it. The server's are known
by their `message_type`. There is one utterance at a time: each `PartialTranscript` replaces the one before, and the
next `FinalTranscript` ends it.

**What is heard.** A final with words counts up to the end of its last word, or up to its own `audio_end` where no word
has a time. While an utterance is open nothing else counts. While none is, an empty transcript proves that the server
has worked up to its `audio_end`, and everything up to a margin before that is heard: a word shows only some time after
it was spoken. Where partials are suppressed an open utterance cannot be seen, so that an empty transcript proves
nothing. The rest is heard when the session has ended as asked (`SessionTerminated`) with nothing open.

**An empty final while words are open** takes a guess back: it is counted, and proves nothing by itself. After our
goodbye it may be the end of the audio that has cut them; then they stay open, and the session was not complete.

**Never faster than real time**, unless a person allows it: the protocol's rule is no more than a second of audio a
second over any minute, however late we are, so the default keeps it to the letter. What is late then stays late until
a session begins at the tail (the page of this provider says how to have that soon).

It does not know what failures mean (`assemblyai_v2_rules`), nor how much was sent.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from stenod.core.verdict import Rule
from stenod.providers import assemblyai_messages as messages
from stenod.providers import endpoint as address
from stenod.providers import reading
from stenod.providers.assemblyai_messages import Turn
from stenod.providers.assemblyai_v2_rules import RULES
from stenod.providers.base import (
    Dialect,
    Event,
    Final,
    Finished,
    Frame,
    Heard,
    Limits,
    Notice,
    Partial,
    Ready,
    Refused,
    Request,
    Warned,
)
from stenod.providers.billing import Billing, Measure
from stenod.providers.content import Content, TurnWord, content

NAME = "assemblyai-v2"
PATH = "/v2/realtime/ws"
HOSTED = "assemblyai.com"
IDLE_SECONDS = 60.0
"""The server ends a session that gets no audio for so long."""
WARM_SECONDS = 20.0
"""A third of that: one silence that is lost on the way does not end the session."""
ONSET_SECONDS = 2.0
"""Judgement, as for version 3: how long a word may take to show, and how early it may be said to begin."""
EXPIRES_AT_MAX = 1e11
"""Unix seconds; what is larger is no date of a session."""
RESERVED = ("sample_rate", "encoding", "word_boost", "token", "enable_extra_session_information")
"""Parameters that stenod sends itself."""

FORCE_END = '{"force_end_utterance":true}'
TERMINATE = '{"terminate_session":true}'


@dataclass(frozen=True, slots=True, kw_only=True)
class AssemblyAIV2Options:
    """What can be chosen; there is no default server."""

    endpoint: str = ""
    temporary_token: bool = False
    """The key is a temporary token: it goes into the URL, as the protocol wants it."""
    word_boost: tuple[str, ...] = ()
    parameters: Mapping[str, str | float | bool | Sequence[str]] = field(default_factory=dict)
    rate_ratio_max: float = 1.0
    price_per_hour: float = 0.0
    """Of an open session; 0: not known."""

    @property
    def shows_partials(self) -> bool:
        """Whether an open utterance shows."""
        return str(self.parameters.get("disable_partial_transcripts", False)).casefold() not in ("true", "1")

    def errors(self) -> list[Warned]:
        """Return what cannot work: without a server of one's own, nothing can."""
        instead = "give the endpoint of a server that still speaks v2, or use the provider assemblyai"
        if not self.endpoint:
            return [Warned("endpoint", f"AssemblyAI's own v2 service has been retired, so none is known; {instead}")]
        if text := address.endpoint_error(self.endpoint):
            return [Warned("endpoint", text)]
        host = urlsplit(address.normalized(self.endpoint, PATH)).hostname or ""
        if host == HOSTED or host.endswith(f".{HOSTED}"):
            return [Warned("endpoint", f"AssemblyAI's own v2 service has been retired; {instead}")]
        return []


class AssemblyAIV2:
    """The dialect with its options."""

    name = NAME
    rules: Sequence[Rule] = RULES

    def __init__(self, options: AssemblyAIV2Options) -> None:
        self.options = options
        self.billing = Billing(
            measure=Measure.SESSION, price_per_hour=options.price_per_hour, orphan_seconds=IDLE_SECONDS
        )
        self.limits = Limits(
            chunk_seconds_min=0.1,
            chunk_seconds_max=2.0,
            chunk_seconds=0.1,
            rate_ratio_max=options.rate_ratio_max,
            warm_seconds=WARM_SECONDS,
            drain_seconds_max=10.0,
        )

    def request(self, *, key: str, rate: int) -> Request:
        """Return URL and header; an empty key is not sent. Raises ValueError for options with `errors()`."""
        if errors := self.options.errors():
            raise ValueError(errors[0].text)
        url = address.normalized(self.options.endpoint, PATH)
        sent = {"sample_rate": str(rate), "encoding": "pcm_s16le", "enable_extra_session_information": "true"}
        more = {name: _text(value) for name, value in self.options.parameters.items() if name not in RESERVED}
        if self.options.word_boost:
            more["word_boost"] = _text(self.options.word_boost)
        secret = {"token": key} if key and self.options.temporary_token else {}
        return Request(
            url=f"{url}?{urlencode(sent | more | secret)}",
            headers=(("Authorization", key),) if key and not secret else (),
            public_url=f"{url}?{urlencode(sent | dict.fromkeys((*more, *secret), 'hidden'))}",
            secret=secret.get("token", ""),
        )

    def conversation(self) -> "AssemblyAIV2Conversation":
        """Return the state machine of one new session."""
        return AssemblyAIV2Conversation(
            partials=self.options.shows_partials,
            opening=(self.options.endpoint, self.options.word_boost, self.options.parameters),
        )

    def errors(self) -> Sequence[Warned]:
        """Return what cannot work."""
        return self.options.errors()

    def warnings(self) -> list[Warned]:
        """Return what would have no effect, or what others could read."""
        found = [
            Warned(f"parameters.{name}", "without effect: stenod sends it itself, or has an option for it")
            for name in self.options.parameters
            if name in RESERVED
        ]
        text = address.unencrypted_warning(address.normalized(self.options.endpoint, PATH))
        return found if text is None else [*found, Warned("endpoint", text)]


@dataclass(frozen=True, slots=True)
class OpenUtterance:
    """An utterance that has words and no end yet."""

    since: float
    """Where its first message said that it began; stays, so that one utterance is told from the next."""
    words: tuple[TurnWord, ...]


class AssemblyAIV2Conversation:
    """The state of one session."""

    def __init__(self, *, partials: bool, opening: tuple[object, ...] = ()) -> None:
        """`partials`: an open utterance shows by its partials. `opening`: what the session was opened with."""
        self.opening = opening
        self._partials = partials
        self._ready = self._asked = self._finished = False
        self._open: OpenUtterance | None = None
        self._number = 0
        """Of the utterance that is open, or comes next."""
        self._heard = 0.0
        self._audio_seconds: float | None = None
        self._types: Mapping[str, Callable[[Mapping[str, Any]], list[Event]]] = {
            "SessionBegins": self._begins,
            "PartialTranscript": self._partial,
            "FinalTranscript": self._final,
            "SessionInformation": self._information,
            "SessionTerminated": self._terminated,
        }

    def opened(self, headers: Mapping[str, str]) -> list[Event]:  # noqa: ARG002
        """Return nothing: ready is when `SessionBegins` came."""
        return []

    def audio(self, pcm: bytes) -> Frame:
        """Return the message with the samples in base64."""
        return f'{{"audio_data":"{base64.b64encode(pcm).decode()}"}}'

    def keepalive(self) -> None:
        """Return None: only audio holds a session open (`Limits.warm_seconds`)."""

    def force_end(self) -> Frame:
        """Return the message that ends the open utterance."""
        return FORCE_END

    def goodbye(self, *, hurried: bool = False) -> Sequence[Frame]:  # noqa: ARG002
        """Return the message that is answered by the last final and `SessionTerminated`."""
        self._asked = True
        return (TERMINATE,)

    def receive(self, message: Frame, now: float) -> list[Event]:  # noqa: ARG002
        """Return what the message means."""
        if isinstance(message, bytes):
            return [Notice("malformed", "a binary message")]
        fields = reading.read_object(message)
        if fields is None:
            return [Notice("malformed", "not a JSON object")]
        kind = fields.get("message_type")
        if kind is None and "error" in fields:
            return [Refused(None, reading.text(fields["error"]))]
        if not isinstance(kind, str):
            return [Notice("malformed", "no message_type")]
        found = self._types.get(kind)
        return [Notice("unknown", reading.text(kind, 200))] if found is None else found(fields)

    def due(self, now: float) -> list[Event]:  # noqa: ARG002
        """Return nothing: nothing is waited for."""
        return []

    def deadline(self) -> None:
        """Return None: nothing is waited for."""

    def closed(self, *, clean: bool) -> list[Event]:  # noqa: ARG002
        """Return nothing: an open utterance has no end, so its words are not final."""
        return []

    def reconfigure(self, dialect: Dialect) -> Sequence[Frame] | None:
        """Return no message: there is none that changes a session, so it is as wanted already, or a new one is."""
        wanted = dialect.conversation()
        same = isinstance(wanted, AssemblyAIV2Conversation) and wanted.opening == self.opening
        return () if same else None

    def turn_open_since(self) -> float | None:
        """Return where the open utterance began."""
        return None if self._open is None else self._open.since

    def _begins(self, fields: Mapping[str, Any]) -> list[Event]:
        if self._ready:
            return [Notice("malformed", "a second SessionBegins")]
        self._ready = True
        return [Ready(reading.text(fields.get("session_id")) or None, _expiry(fields.get("expires_at")))]

    def _partial(self, fields: Mapping[str, Any]) -> list[Event]:
        turn, end = _transcript(fields), messages.milliseconds(fields.get("audio_end"))
        if turn is None:
            return self._quiet(end)
        found = self._content(turn, fields)
        since = found.words[0].start if self._open is None else self._open.since
        self._open = OpenUtterance(since, turn.words or (self._open.words if self._open is not None else ()))
        return [Partial(self._number, found.text, found.words)]

    def _final(self, fields: Mapping[str, Any]) -> list[Event]:
        turn, end = _transcript(fields), messages.milliseconds(fields.get("audio_end"))
        if turn is None:
            return self._ended_empty(end)
        found = self._content(turn, fields)
        final = Final(self._number, found.text, found.words)
        self._close()
        ends = [one for one in (found.end, end) if one is not None]
        return [final, *(self._move(min(ends)) if ends else [])]

    def _ended_empty(self, end: float | None) -> list[Event]:
        if self._open is None:
            return self._quiet(end)
        if self._asked:
            return [Notice("cut", "an utterance lost its words after the goodbye")]
        self._close()
        return [Notice("withdrawn", "an utterance took its words back")]

    def _close(self) -> None:
        self._open = None
        self._number += 1

    def _quiet(self, end: float | None) -> list[Event]:
        """Count what an empty transcript proves, where no word can be pending."""
        if end is None or self._open is not None or not self._partials:
            return []
        return self._move(end - ONSET_SECONDS)

    def _move(self, until: float) -> list[Event]:
        if until <= self._heard:
            return []
        self._heard = until
        return [Heard(until)]

    def _content(self, turn: Turn, fields: Mapping[str, Any]) -> Content:
        """Return text and words; where no word has a time, they share the space that the message names."""
        start, end = messages.milliseconds(fields.get("audio_start")), messages.milliseconds(fields.get("audio_end"))
        known = self._open.words if self._open is not None else ()
        return content(turn.text, turn.words, known, self._heard if start is None else start, end or 0.0)

    def _information(self, fields: Mapping[str, Any]) -> list[Event]:
        self._audio_seconds = reading.number(fields.get("audio_duration_seconds"), messages.SECONDS_MAX)
        return []

    def _terminated(self, _fields: Mapping[str, Any]) -> list[Event]:
        if self._finished:
            return [Notice("malformed", "a second SessionTerminated")]
        self._finished = True
        return [Finished(complete=self._asked and self._open is None, audio_seconds=self._audio_seconds)]


def _transcript(fields: Mapping[str, Any]) -> Turn | None:
    """Return what a transcript says, None where it is empty; its words are those of version 3."""
    turn = messages.read_turn({"turn_order": 0, "transcript": fields.get("text"), "words": fields.get("words")})
    return None if turn is None or turn.empty else turn


def _expiry(value: object) -> float | None:
    """Return Unix seconds; a date without a zone is UTC, and what is no date is None."""
    try:
        moment = datetime.fromisoformat(reading.text(value))
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0 < seconds <= EXPIRES_AT_MAX else None


def _text(value: str | float | bool | Sequence[str]) -> str:
    """Return a parameter as it stands in the URL: switches as words, lists as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else msgspec.json.encode(value).decode()
