"""One Deepgram v1/listen session: messages in, events out.

**Spans.** Each `Results` is about one span of the audio. An interim may be revised by the next one, a final
(`is_final`) never is; spans follow each other, and a final may be shorter than the interim before it, whose rest is
then open still. So at any moment there are *pieces* (finals that wait for the end of their turn) and at most one *rest*
(what the newest interim says beyond the finals).

**Turns.** Deepgram has no turns. Pieces become one when a pause was found (`speech_final`), when `UtteranceEnd` says
that the last word is over (in noise no pause is ever found; it may come before the last words are final, and then waits
for them), when our `Finalize` was answered, and at the end. None of the first three is promised: a turn whose words are
all final and behind which nothing was said for some seconds, of audio or of the clock, ends all the same, and so does
one that runs very long, between two pieces.

**What is heard.** With a turn, everything up to the end of the last final, but not past the first word of the rest. In
silence an empty final counts to its end, while no piece waits and no rest is open; an empty interim counts for nothing.

**Words without an end.** Where a message is about audio behind the rest, with nothing final in between, the words of
the rest were forgotten. If a pause was said to follow them they are as good as final; otherwise they stay pending, hold
`Heard` back, and are reported as a notice `overtaken`, so that the next session hears them again.

It does not know what was sent, and never trusts a message: whatever a peer says is an event, never an exception.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stenod.providers import deepgram_messages as messages
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
    SpokenWord,
)
from stenod.providers.deepgram_messages import Results

HOLD_SECONDS = 5.0
"""Without any message for so long, pieces make a turn: while audio flows one comes about every second."""
QUIET_SECONDS = 3.0
"""Beyond the pause that `UtteranceEnd` reports: it comes with the interim after it, a second later, where it comes."""
TURN_SECONDS_MAX = 30.0
"""Pieces that run over this long are a turn, since they are final: nobody waits for a pause that may never come."""
ROUNDING_SECONDS = 0.005
"""Between the end of a span, which is start and duration added up, and the end of a word that was given as it is."""
HOLE_SECONDS = 0.2
"""Between two spans; less is rounding."""
NOTICE_CHARACTERS_MAX = 200

KEEPALIVE = '{"type":"KeepAlive"}'
FINALIZE = '{"type":"Finalize"}'
CLOSE_STREAM = '{"type":"CloseStream"}'

CUT_SHORT = "Metadata: sha256 incomplete"
NOT_UNDERSTOOD = "Metadata: duration 0 although audio was sent"
"""What a summary says without words, as texts for the verdict table; the close that follows may say less."""


@dataclass(frozen=True, slots=True)
class Said:
    """Text and words of one span."""

    text: str
    words: tuple[SpokenWord, ...]
    language: str | None
    endpoint: bool = False
    """A pause was found behind it."""

    @property
    def start(self) -> float:
        """Where its first word begins."""
        return min(word.start for word in self.words)

    @property
    def end(self) -> float:
        """Where its last word ends."""
        return max(word.end for word in self.words)

    def behind(self, until: float) -> "Said | None":
        """Return what of it reaches beyond a time; None where nothing does."""
        words = tuple(word for word in self.words if word.end > until + ROUNDING_SECONDS)
        if len(words) == len(self.words):
            return self
        return replace(self, text=" ".join(word.text for word in words), words=words) if words else None


@dataclass(slots=True)
class OpenTurn:
    """What has been said since the last turn."""

    pieces: list[Said] = field(default_factory=list)
    rest: Said | None = None
    ending_at: float | None = None
    """`UtteranceEnd` came: the turn ends when all that begins before this time is final."""
    since: float | None = None
    """Where it first showed; stays, so that one turn is told from the next."""

    @property
    def parts(self) -> list[Said]:
        """Pieces and rest, in order."""
        return [*self.pieces, *([] if self.rest is None else [self.rest])]


class DeepgramConversation:
    """The state of one session."""

    def __init__(self, *, utterance_end_seconds: float = 1.0, opening: object = None) -> None:
        """`utterance_end_seconds`: the pause after which `UtteranceEnd` was asked for. `opening`: all that the session
        was opened with and could be opened otherwise.
        """
        self.opening = opening
        self._quiet_seconds = utterance_end_seconds + QUIET_SECONDS
        self._open = OpenTurn()
        self._turn = 0
        self._final_until = self._heard = self._processed = 0.0
        self._lost: float | None = None
        """Where words begin that were overtaken."""
        self._fed = self._asked = self._finished = False
        self._now = 0.0
        self._types: Mapping[str, Callable[[Mapping[str, Any]], list[Event]]] = {
            "Results": self._results,
            "UtteranceEnd": self._utterance_end,
            "SpeechStarted": lambda _fields: [],
            "Metadata": self._metadata,
            "Error": self._error,
            "Warning": self._warning,
            "ConfigureSuccess": self._warning,
            "ConfigureFailure": self._warning,
        }

    def opened(self, headers: Mapping[str, str]) -> list[Event]:
        """Return that it is ready: key and options were judged with the upgrade, and no hello comes."""
        return [Ready(reading.text(headers.get("dg-request-id"), NOTICE_CHARACTERS_MAX) or None)]

    def audio(self, pcm: bytes) -> Frame:
        """Return the samples themselves. Never empty: an empty message would end the session."""
        assert pcm
        self._fed = True
        return pcm

    def keepalive(self) -> Frame:
        """Return the message that resets the idle timer; it must be text, and has no answer."""
        return KEEPALIVE

    def force_end(self) -> Frame:
        """Return the message that makes what is pending final; its answer is not guaranteed, and not waited for."""
        return FINALIZE

    def goodbye(self, *, hurried: bool = False) -> Sequence[Frame]:  # noqa: ARG002
        """Return the message that is answered by the last results and a `Metadata`."""
        self._asked = True
        return (CLOSE_STREAM,)

    def receive(self, message: Frame, now: float) -> list[Event]:
        """Return what the message means."""
        if isinstance(message, bytes):
            return [Notice("malformed", "a binary message")]
        fields = reading.read_object(message)
        if fields is None:
            return [Notice("malformed", "not a JSON object")]
        kind = fields.get("type")
        if not isinstance(kind, str):
            return [Notice("malformed", "no type")]
        self._now = now
        found = self._types.get(kind)
        return [Notice("unknown", reading.text(kind, NOTICE_CHARACTERS_MAX))] if found is None else found(fields)

    def due(self, now: float) -> list[Event]:
        """Return the turn whose end nobody told."""
        deadline = self.deadline()
        return self._turn_over() if deadline is not None and deadline <= now else []

    def deadline(self) -> float | None:
        """Return when the pieces have waited long enough; None where none wait, or more is to become final."""
        return self._now + HOLD_SECONDS if self._open.pieces and self._open.rest is None else None

    def closed(self, *, clean: bool) -> list[Event]:
        """Return the pieces, which are promised not to be revised, however it ended; a rest is a guess."""
        del clean
        return self._turn_over() if self._open.pieces else []

    def reconfigure(self, dialect: Dialect) -> Sequence[Frame] | None:
        """Return no message: it is as wanted already, or a new session is.

        There is a `Configure` for terms, with some models on some hosts, which may be refused later or do harm without
        a word; a hand-over costs nothing, since only audio is paid for.
        """
        wanted = dialect.conversation()
        same = isinstance(wanted, DeepgramConversation) and wanted.opening == self.opening
        return () if same else None

    def turn_open_since(self) -> float | None:
        """Return where the open turn began."""
        return self._open.since

    def _results(self, fields: Mapping[str, Any]) -> list[Event]:
        if channel := messages.channel_of(fields):
            return [Notice("channel", f"{channel}")]
        results = messages.read_results(fields)
        events: list[Event] = []
        if results.words_skipped:
            events.append(Notice("malformed", f"a Results with {results.words_skipped} words that are none"))
        start = self._final_until if results.start is None else results.start
        events += self._overtaken(start)
        self._processed = max(self._processed, results.end or 0.0)
        said = None
        if not results.empty:
            found = results.content(self._final_until)
            said = Said(found.text, found.words, results.language, results.endpoint)
        return events + (self._final(results, said) if results.final else self._interim(said))

    def _interim(self, said: Said | None) -> list[Event]:
        """Take the newest guess about what is not final."""
        self._open.rest = None if said is None else said.behind(self._final_until)
        return self._partial() if self._open.rest is not None else self._ended_by_quiet()

    def _final(self, results: Results, said: Said | None) -> list[Event]:
        """Take a piece, or the silence of a span."""
        if said is not None:
            self._open.pieces.append(said)
        if results.end is not None:
            self._final_until = max(self._final_until, results.end)
            if self._open.rest is not None:
                self._open.rest = self._open.rest.behind(results.end)
        if results.endpoint or results.finalized or self._ended_by_utterance() or self._is_long():
            return self._turn_over() if self._open.pieces else self._silence()
        if said is not None:
            return self._partial()
        return self._ended_by_quiet() if self._open.pieces else self._silence()

    def _partial(self) -> list[Event]:
        """Return the open turn as it stands."""
        parts = self._open.parts
        if self._open.since is None:
            self._open.since = parts[0].start
        return [Partial(self._turn, *_joined(parts))]

    def _turn_over(self) -> list[Event]:
        """Make the pieces a turn; the rest, if any, begins the next one."""
        pieces, rest = self._open.pieces, self._open.rest
        self._open = OpenTurn(rest=rest, since=None if rest is None else rest.start)
        events: list[Event] = []
        if pieces:
            events.append(Final(self._turn, *_joined(pieces)))
            self._turn += 1
        return events + self._heard_until(self._final_until)

    def _silence(self) -> list[Event]:
        """Count what is final, where nothing is pending."""
        if self._open.rest is not None:
            return []
        self._open = OpenTurn()
        return self._heard_until(self._final_until)

    def _heard_until(self, until: float) -> list[Event]:
        """Move the line, but not past what is pending, and never back."""
        pending = [] if self._open.rest is None else [self._open.rest.start]
        until = min([until, *pending, *([] if self._lost is None else [self._lost])])
        if until <= self._heard:
            return []
        self._heard = until
        return [Heard(until)]

    def _is_long(self) -> bool:
        """Whether too much is at stake: words between two pieces are whole."""
        pieces = self._open.pieces
        return bool(pieces) and pieces[-1].end - pieces[0].start >= TURN_SECONDS_MAX

    def _ended_by_utterance(self) -> bool:
        """Whether all that `UtteranceEnd` spoke of is final."""
        ending, rest = self._open.ending_at, self._open.rest
        return ending is not None and (rest is None or rest.start >= ending)

    def _ended_by_quiet(self) -> list[Event]:
        """End a turn behind which nothing was said for long, where no rest is open."""
        if not self._open.pieces:
            self._open = OpenTurn()
            return []
        quiet = self._processed - max(piece.end for piece in self._open.pieces)
        return self._turn_over() if quiet >= self._quiet_seconds else []

    def _overtaken(self, start: float) -> list[Event]:
        """Look after the words of the rest that lie before a message's span, where no final was about them."""
        rest = self._open.rest
        if rest is None or start <= self._final_until + HOLE_SECONDS:
            return []
        words = tuple(word for word in rest.words if word.end <= start + HOLE_SECONDS)
        if not words:
            return []
        if rest.endpoint and len(words) == len(rest.words):
            return self._taken_for_final(rest)
        earliest = min(word.start for word in words)
        self._lost = earliest if self._lost is None else min(self._lost, earliest)
        self._open.rest = rest.behind(max(word.end for word in words))
        return [Notice("overtaken", f"{len(words)} words have no end, and later ones came")]

    def _taken_for_final(self, rest: Said) -> list[Event]:
        """Take words at their last state: a pause was found behind them, and nothing revised them."""
        self._open.pieces.append(rest)
        self._open.rest = None
        self._final_until = max(self._final_until, rest.end)
        return self._turn_over()

    def _utterance_end(self, fields: Mapping[str, Any]) -> list[Event]:
        parts = self._open.parts
        named = messages.last_word_end(fields)
        # It may come late, for a turn that a pause has ended: then what is open was said after it.
        if not parts or (named is not None and named < parts[0].start):
            return []
        self._open.ending_at = max(part.end for part in parts) if named is None else named
        return self._turn_over() if self._open.pieces and self._ended_by_utterance() else []

    def _metadata(self, fields: Mapping[str, Any]) -> list[Event]:
        if self._finished:
            return [Notice("malformed", "a second Metadata")]
        self._finished = True
        summary = messages.read_metadata(fields)
        rest = self._open.rest
        events = self._taken_for_final(rest) if self._asked and rest is not None and rest.endpoint else []
        events += self._turn_over() if self._open.pieces else []
        understood = summary.understood or not self._fed
        if not understood:
            events.append(Refused(None, NOT_UNDERSTOOD))
        elif not summary.whole and (self._fed or not self._asked):
            events.append(Refused(None, CUT_SHORT))
        whole = summary.whole and understood and self._open.rest is None and self._lost is None
        return [*events, Finished(complete=self._asked and whole, audio_seconds=summary.seconds)]

    def _error(self, fields: Mapping[str, Any]) -> list[Event]:
        """Keep what it says for the close; whether one follows is not known, so that it ends nothing by itself."""
        said = messages.error_text(fields)
        return [Notice("error", said[:NOTICE_CHARACTERS_MAX]), Refused(None, said)]

    def _warning(self, fields: Mapping[str, Any]) -> list[Event]:
        """Take what is told for information: a warning, or the answer to a change of settings, which we never ask."""
        told = [reading.text(fields.get(name), NOTICE_CHARACTERS_MAX) for name in ("type", "code", "description")]
        return [Notice("warning", ": ".join(one for one in told if one))]


def _joined(parts: Sequence[Said]) -> tuple[str, tuple[SpokenWord, ...], str | None]:
    """Return text, words and language of parts as of one."""
    text = " ".join(part.text for part in parts)
    words = tuple(word for part in parts for word in part.words)
    return text, words, next((part.language for part in parts if part.language), None)
