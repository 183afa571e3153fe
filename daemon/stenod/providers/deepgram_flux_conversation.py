"""One Flux session (Deepgram's v2/listen): messages in, events out.

**Turns.** There is one at a time; `turn_index` goes up by one with each `EndOfTurn`. Every message about a turn holds
the whole turn so far and replaces the one before: `StartOfTurn`, `Update`, `EagerEndOfTurn` and `TurnResumed` are
partials, `EndOfTurn` is the final. A turn may begin with any of them: a first `Update` may come without a
`StartOfTurn`.

**What is heard.** A final counts up to the end of its last word, where the word has a time. An `Update` comes with
every quarter of a second of audio, so while no turn is open, silence counts too: up to what was transcribed
(`audio_window_end`) less a margin, since a word shows some time after it was spoken, and the window of one message
may reach into a word that only the next one knows. While a turn is open nothing counts.

**What is missing.** Messages are numbered. Where one is missing it may have been an `EndOfTurn`: when the next
message about a turn is about a later one, or a turn is left without its end, nothing is believed from there on: no
final, no silence. One notice `overtaken` has the session replaced, and the next one hears that audio again.

**Pauses.** Flux measures a turn by its audio, so a turn hangs when the audio stops in its midst. `ForceEndTurn` ends
it. The pacer asks for that where it has judged a pause; where audio stops for any other reason (a microphone that is
gone), it is said from here after some seconds without a chunk. Nothing is cut by it: no audio follows what was sent.

**Goodbye.** `CloseStream` drops the end of an open turn. So with a turn open `ForceEndTurn` goes first, and
`CloseStream` follows the `EndOfTurn`, or two seconds without one. The answer to it is the last messages and a close
without a code; a turn that is still open then ends with what was last said of it, as the provider has it.

It does not know what was sent, and never trusts a message: whatever a peer says is an event, never an exception.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from stenod.providers import reading
from stenod.providers.base import (
    Dialect,
    Event,
    Final,
    Finished,
    Frame,
    Heard,
    Notice,
    Partial,
    Ready,
    Refused,
    Say,
)
from stenod.providers.content import Content, TurnWord, content
from stenod.providers.deepgram_flux_changes import configure
from stenod.providers.deepgram_flux_messages import TurnInfo, read_turn_info, whole_number

ONSET_SECONDS = 2.0
"""Judgement: Flux shows a word within a few tenths; the rest is margin, and costs no more than a longer replay."""
STILL_SECONDS = 5.0
"""Without a chunk for so long, audio has stopped: longer than any send may take before its connection is given up."""
LOOK_SECONDS = 1.0
"""How often it is looked, while a turn is open."""
LAST_TURN_SECONDS = 2.0
"""How long the forced end of the last turn is waited for; a forced end takes some tenths."""
NOTICE_CHARACTERS_MAX = 200

FORCE_END_TURN = '{"type":"ForceEndTurn"}'
CLOSE_STREAM = '{"type":"CloseStream"}'
END_OF_TURN = "EndOfTurn"
START_OF_TURN = "StartOfTurn"
ANSWERS = ("ConfigureSuccess", "ConfigureFailure")
"""To a change of the session: after a failure it goes on as it was."""


class Stage(Enum):
    """How far we are with leaving."""

    TALKING = "talking"
    ENDING_TURN = "ending-turn"
    """Asked for the end of the last turn."""
    CLOSING = "closing"
    """Said `CloseStream`: the peer's close is its answer."""


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """A turn that has begun and has no end yet."""

    since: float
    """Where its first message said that it began; stays, so that one turn is told from the next."""
    earliest: float
    """Where its words can begin."""
    until: float = 0.0
    """How much was transcribed when it last grew by a word: where words without times end."""
    size: int = 0
    content: Content | None = None
    """What was last said of it."""
    words: tuple[TurnWord, ...] = ()
    language: str | None = None


class DeepgramFluxConversation:
    """The state of one session."""

    def __init__(self, *, opening: Mapping[str, object] = MappingProxyType({})) -> None:
        """`opening`: what the session was opened with, but for the audio."""
        self.opening = opening
        self._ready = self._finished = self._forced = False
        self._stage = Stage.TALKING
        self._sequence: int | None = None
        self._missing = False
        """A message is missing, and no later one has shown that it did no harm."""
        self._lost = False
        """A turn is without its end: nothing is believed any more."""
        self._index = 0
        """Of the turn that is open, or comes next."""
        self._open: OpenTurn | None = None
        self._heard = 0.0
        self._now = 0.0
        self._chunks = self._chunks_before = 0
        self._since: float | None = None
        """Since when there was no chunk, or the end of the last turn is waited for."""
        self._looked_at = 0.0
        self._types: Mapping[str, Callable[[Mapping[str, Any]], list[Event]]] = {
            "Connected": self._connected,
            "TurnInfo": self._turn_info,
            "Warning": self._warning,
            "Error": self._error,
            **dict.fromkeys(ANSWERS, self._answer),
        }

    def opened(self, headers: Mapping[str, str]) -> list[Event]:  # noqa: ARG002
        """Return nothing: ready is when `Connected` came, which has the session's name too."""
        return []

    def audio(self, pcm: bytes) -> Frame:
        """Return the samples themselves: audio is sent raw."""
        self._chunks += 1
        return pcm

    def keepalive(self) -> None:
        """Return None: Flux knows no such message, the pings of the connection hold it open."""

    def force_end(self) -> Frame:
        """Return the message that ends the open turn; Flux ignores it where none is."""
        self._forced = True
        return FORCE_END_TURN

    def goodbye(self, *, hurried: bool = False) -> Sequence[Frame]:
        """Return the message that ends the open turn, or the one that ends the session where no turn is waited for."""
        self._since = None
        self._stage = Stage.CLOSING if self._open is None or hurried else Stage.ENDING_TURN
        return (CLOSE_STREAM if self._stage is Stage.CLOSING else FORCE_END_TURN,)

    def receive(self, message: Frame, now: float) -> list[Event]:
        """Return what the message means."""
        if isinstance(message, bytes):
            return [Notice("malformed", "a binary message")]
        fields = reading.read_object(message)
        if fields is None:
            return [Notice("malformed", "not a JSON object")]
        self._now = now
        kind = fields.get("type")
        if not isinstance(kind, str):
            return [Notice("malformed", "no type")]
        events = self._numbered(fields.get("sequence_id"))
        found = self._types.get(kind)
        if found is None:
            return [*events, Notice("unknown", reading.text(kind, NOTICE_CHARACTERS_MAX))]
        return events + found(fields)

    def due(self, now: float) -> list[Event]:
        """Return what follows from waiting; a wait begins with the first call that finds something changed."""
        if self.deadline() is None:
            return []
        self._looked_at = now
        if self._since is None or self._chunks != self._chunks_before:
            self._since, self._chunks_before = now, self._chunks
        leaving = self._stage is Stage.ENDING_TURN
        if now - self._since < (LAST_TURN_SECONDS if leaving else STILL_SECONDS):
            return []
        return self._close() if leaving else [Say(self.force_end())]

    def deadline(self) -> float | None:
        """Return when to look whether audio has stopped in the midst of a turn, or the last turn has no end."""
        talking = self._stage is Stage.TALKING and self._open is not None and not self._forced
        if not talking and self._stage is not Stage.ENDING_TURN:
            return None
        if self._since is None:
            return self._now
        return (
            min(self._looked_at + LOOK_SECONDS, self._since + STILL_SECONDS)
            if talking
            else self._since + LAST_TURN_SECONDS
        )

    def closed(self, *, clean: bool) -> list[Event]:
        """Return the end of the session, where the close answers our `CloseStream`, and the turn that it has ended."""
        if not clean or self._stage is not Stage.CLOSING or self._finished:
            return []
        self._finished = True
        if self._lost or self._missing:
            return [Finished(complete=False)]
        turn, self._open = self._open, None
        if turn is None:
            return [Finished(complete=True)]
        if turn.content is None:
            return [Finished(complete=False)]
        said = turn.content
        return [Final(self._index, said.text, said.words, turn.language), Finished(complete=True)]

    def reconfigure(self, dialect: Dialect) -> Sequence[Frame] | None:
        """Return the message that changes what can be changed in an open session."""
        wanted = dialect.conversation()
        found = configure(self.opening, wanted.opening) if isinstance(wanted, DeepgramFluxConversation) else None
        if isinstance(wanted, DeepgramFluxConversation) and found is not None:
            self.opening = wanted.opening
        return found

    def turn_open_since(self) -> float | None:
        """Return where the open turn began."""
        return None if self._open is None else self._open.since

    def _numbered(self, value: object) -> list[Event]:
        """Take a message's number."""
        number, before = whole_number(value), self._sequence
        if number is None:
            return []
        self._sequence = number if before is None else max(before, number)
        if before is not None and number <= before:
            return [Notice("malformed", "a message that was numbered before")]
        missing = number - (0 if before is None else before + 1)
        if missing == 0:
            return []
        self._missing = True
        return [Notice("missing", f"{missing} messages")]

    def _connected(self, fields: Mapping[str, Any]) -> list[Event]:
        if self._ready:
            return [Notice("malformed", "a second Connected")]
        self._ready = True
        return [Ready(reading.text(fields.get("request_id")) or None)]

    def _turn_info(self, fields: Mapping[str, Any]) -> list[Event]:
        if self._lost:
            return [Notice("disbelieved", "a TurnInfo after one was lost")]
        turn = read_turn_info(fields)
        if turn is None:
            self._missing = True
            return [Notice("malformed", "a TurnInfo without its turn")]
        if turn.index < self._index:
            return [Notice("late", f"turn {turn.index} has ended before")]
        if turn.index > self._index:
            # Without numbers nobody knows whether a message is missing.
            if self._open is not None or self._missing or self._sequence is None:
                return self._lose(f"turn {self._index} has no end, turn {turn.index} has begun")
            self._index = turn.index
        self._missing = False
        return self._ended(turn) if turn.event == END_OF_TURN else self._replaced(turn)

    def _replaced(self, turn: TurnInfo) -> list[Event]:
        """Take a partial."""
        if not turn.empty:
            self._open = self._known(turn)
            said = self._open.content
            assert said is not None
            return [Partial(turn.index, said.text, said.words, turn.language)]
        if self._open is None and turn.event == START_OF_TURN:
            self._open = OpenTurn(since=self._heard, earliest=self._heard)
        return self._move(_proven(turn)) if self._open is None else []

    def _ended(self, turn: TurnInfo) -> list[Event]:
        """Take the end of a turn."""
        if not turn.empty:
            said = self._known(turn).content
            assert said is not None
            return self._next(turn, Final(turn.index, said.text, said.words, turn.language), said.end)
        if self._open is None:
            return self._next(turn)
        if self._stage is not Stage.TALKING:
            return self._lose(f"turn {turn.index} lost its words after the goodbye")
        # A mere guess is gone. That proves nothing by itself, the next message does.
        self._open, self._index, self._forced = None, turn.index + 1, False
        return [Notice("withdrawn", f"turn {turn.index} took its words back")]

    def _next(self, turn: TurnInfo, final: Final | None = None, last: float | None = None) -> list[Event]:
        """Be done with a turn, whose last word ended at `last`, where the provider has said so."""
        self._open, self._index, self._forced = None, turn.index + 1, False
        until = _proven(turn) if last is None else max(_proven(turn), min(last, turn.window_end or last))
        events: list[Event] = [] if final is None else [final]
        return events + self._move(until) + (self._close() if self._stage is Stage.ENDING_TURN else [])

    def _known(self, turn: TurnInfo) -> OpenTurn:
        """Return the turn as this message has it."""
        before = self._open
        if before is None:
            earliest = max(self._heard, turn.window_start or 0.0)
            before = OpenTurn(since=earliest, earliest=earliest)
        until = before.until if turn.size == before.size else turn.window_end or before.until
        said = content(turn.text, turn.words, before.words, before.earliest, until)
        return OpenTurn(
            since=said.words[0].start if self._open is None else before.since,
            earliest=before.earliest,
            until=until,
            size=turn.size,
            content=said,
            words=turn.words or before.words,
            language=turn.language,
        )

    def _lose(self, text: str) -> list[Event]:
        """Believe nothing from here on; the session is to be replaced."""
        self._lost, self._open = True, None
        return [Notice("overtaken", text), *(self._close() if self._stage is Stage.ENDING_TURN else [])]

    def _close(self) -> list[Event]:
        self._stage = Stage.CLOSING
        return [Say(CLOSE_STREAM)]

    def _move(self, until: float) -> list[Event]:
        if until <= self._heard:
            return []
        self._heard = until
        return [Heard(until)]

    def _warning(self, fields: Mapping[str, Any]) -> list[Event]:
        return [Notice("warning", _sentence(fields))]

    def _error(self, fields: Mapping[str, Any]) -> list[Event]:
        return [Refused(None, _sentence(fields))]

    def _answer(self, fields: Mapping[str, Any]) -> list[Event]:
        return [Notice(reading.text(fields.get("type"), NOTICE_CHARACTERS_MAX), _sentence(fields))]


def _proven(turn: TurnInfo) -> float:
    """Return how much is certainly transcribed with its words, where no turn is open."""
    return 0.0 if turn.window_end is None else turn.window_end - ONSET_SECONDS


def _sentence(fields: Mapping[str, Any]) -> str:
    """Return code and description: both are words."""
    parts = [reading.text(fields.get(name)) for name in ("code", "description")]
    return ": ".join(part for part in parts if part)
