"""One AssemblyAI v3 session: messages in, events out.

**Turns.** A turn is known by its `turn_order`; each message about it replaces the one before, and only `end_of_turn`
ends it (`turn_is_formatted` is true on partials of some models). Where formatting was asked for and the end of a turn
comes unformatted, it is held for its formatted twin, a second at most. A turn number is made a `Final` once: what comes
later for it is counted and dropped. An end without text closes its turn; the words that the service had called final
are kept all the same, since it promised not to change them.

**What is heard.** A final counts up to the end of its last word as the provider timed it, but not past the beginning
of a turn that is still open or held. Where nobody speaks, what `Progress` has proven counts, less a margin, and only
while no turn is open or held and no beginning of speech is unexplained: a word comes up about 1.2 s after it was spoken
and may be said to begin a second early. Where partials are suppressed (`redact_pii`, `include_partial_turns=false`)
an open turn cannot be seen, so that silence proves nothing.

**A turn without an end.** When a later turn ends and an earlier one never did, the service has lost its thread (it
re-attaches workers). Its words are neither invented nor counted as heard: it stays open, holds `Heard` back, and is
reported once as a notice `overtaken`; the audio is transcribed again by the next session. So what came behind it is
held, too, and said only if the lost turn ends after all. The same holds for a turn whose words were taken back after
our goodbye: the end of the audio may have cut it.

It does not know what was sent, and never trusts a message: whatever a peer says is an event, never an exception.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from stenod.providers import assemblyai_messages as messages
from stenod.providers import reading
from stenod.providers.assemblyai_changes import update
from stenod.providers.assemblyai_messages import Turn
from stenod.providers.assemblyai_progress import HeardLine
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
    Revision,
)
from stenod.providers.content import Content, TurnWord, content

HOLD_SECONDS = 1.0
"""How long an unformatted final waits for its twin; it comes a few tenths later, where it comes."""
EXPIRES_AT_MAX = 1e11
"""Unix seconds; larger numbers are milliseconds, or nonsense."""
NOTICE_CHARACTERS_MAX = 200

KEEPALIVE = '{"type":"KeepAlive"}'
FORCE_ENDPOINT = '{"type":"ForceEndpoint"}'
TERMINATE = '{"type":"Terminate"}'


@dataclass(slots=True)
class OpenTurn:
    """A turn that has words and no end yet."""

    since: float
    """Where its first message said that it began; stays, so that one turn is told from the next."""
    start: float
    """The earliest beginning that any of its messages named."""
    words: tuple[TurnWord, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldTurn:
    """The unformatted end of a turn, waiting for its twin."""

    content: Content
    start: float
    """The earliest beginning that any of its messages named."""
    words: tuple[TurnWord, ...]
    language: str | None
    deadline: float


class AssemblyAIConversation:
    """The state of one session."""

    def __init__(self, *, formats: bool, partials: bool, opening: Mapping[str, object] = MappingProxyType({})) -> None:
        """`formats`: finals have formatted twins. `partials`: an open turn shows by its partials.

        `opening`: all that the session is opened with and could be opened otherwise.
        """
        self.formats = formats
        self.opening = opening
        self._partials = partials
        self._ready = self._asked = self._finished = False
        self._open: dict[int, OpenTurn] = {}
        self._held: dict[int, HeldTurn] = {}
        self._told: set[int] = set()
        """Turns of which it was said that they have no end."""
        self._done: dict[int, int] = {}
        """Words in the final, by turn; bounded by the length of a session."""
        self._newest = -1
        self._line = HeardLine()
        self._now = 0.0
        self._types: Mapping[str, Callable[[Mapping[str, Any]], list[Event]]] = {
            "Begin": self._begin,
            "Turn": self._turn,
            "Heartbeat": self._heartbeat,
            "Silence": self._silence,
            "SpeechStarted": self._speech_started,
            "SpeakerRevision": self._speaker_revision,
            "Warning": self._warning,
            "Termination": self._termination,
            "Error": self._error,
        }

    def opened(self, headers: Mapping[str, str]) -> list[Event]:  # noqa: ARG002
        """Return nothing: the key is judged after the upgrade, so that ready is when `Begin` came."""
        return []

    def audio(self, pcm: bytes) -> Frame:
        """Return the samples themselves: audio is sent raw."""
        return pcm

    def keepalive(self) -> Frame:
        """Return the message that resets the inactivity timer."""
        return KEEPALIVE

    def force_end(self) -> Frame:
        """Return the message that ends the open turn; its final comes about 0.3 s later."""
        return FORCE_ENDPOINT

    def goodbye(self, *, hurried: bool = False) -> Sequence[Frame]:  # noqa: ARG002
        """Return the message that is answered by the last turns and a `Termination`."""
        self._asked = True
        return (TERMINATE,)

    def receive(self, message: Frame, now: float) -> list[Event]:
        """Return what the message means."""
        if isinstance(message, bytes):
            return [Notice("malformed", "a binary message")]
        fields = reading.read_object(message)
        if fields is None:
            return [Notice("malformed", "not a JSON object")]
        self._now = now
        kind = fields.get("type")
        if kind is None and "error" in fields:
            return self._error(fields)
        if not isinstance(kind, str):
            return [Notice("malformed", "no type")]
        found = self._types.get(kind)
        return [Notice("unknown", reading.text(kind, NOTICE_CHARACTERS_MAX))] if found is None else found(fields)

    def due(self, now: float) -> list[Event]:
        """Return the held turns whose twin did not come."""
        return self._release([order for order, held in self._held.items() if held.deadline <= now])

    def deadline(self) -> float | None:
        """Return when the next held turn is due."""
        return min((held.deadline for order, held in self._held.items() if not self._lost(order)), default=None)

    def closed(self, *, clean: bool) -> list[Event]:  # noqa: ARG002
        """Return the held turns; an open one has no end, so its words are not final."""
        return self._release(self._held)

    def reconfigure(self, dialect: Dialect) -> Sequence[Frame] | None:
        """Return the message that changes what can be changed in an open session."""
        wanted = dialect.conversation()
        found = update(self.opening, wanted.opening) if isinstance(wanted, AssemblyAIConversation) else None
        if isinstance(wanted, AssemblyAIConversation) and found is not None:
            self.opening, self.formats = wanted.opening, wanted.formats
        return found

    def turn_open_since(self) -> float | None:
        """Return where the newest turn began, while it is open: that is the one that `force_end` ends."""
        turn = self._open.get(self._newest)
        return None if turn is None else turn.since

    def _begin(self, fields: Mapping[str, Any]) -> list[Event]:
        if self._ready:
            return [Notice("malformed", "a second Begin")]
        self._ready = True
        self._line.progress.begin(self._now)
        expires_at = reading.number(fields.get("expires_at"), EXPIRES_AT_MAX)
        events: list[Event] = [Ready(reading.text(fields.get("id")) or None, expires_at)]
        settings = fields.get("configuration")
        if isinstance(settings, dict):
            if settings.get("redact_pii") is True:
                self._partials = False
            if model := reading.text(settings.get("model"), NOTICE_CHARACTERS_MAX):
                events.append(Notice("model", model))
        return events

    def _turn(self, fields: Mapping[str, Any]) -> list[Event]:
        turn = messages.read_turn(fields)
        if turn is None:
            return [Notice("malformed", "a Turn without its number")]
        events: list[Event] = []
        if turn.words_skipped:
            events.append(Notice("malformed", f"a Turn with {turn.words_skipped} words that are none"))
        if turn.order in self._done:
            return [*events, Notice("late", f"turn {turn.order} has ended before")]
        if not turn.empty:
            self._newest = max(self._newest, turn.order)
            self._line.progress.proven(max((word.end for word in turn.words if word.end is not None), default=0.0))
        if not turn.empty or turn.ended:
            self._line.turn_came(turn.order)
        if turn.ended:
            return events + (self._ended_empty(turn) if turn.empty else self._ended(turn))
        return events + self._replaced(turn)

    def _replaced(self, turn: Turn) -> list[Event]:
        """Take a partial."""
        if turn.order in self._held or (turn.empty and turn.order not in self._open):
            return []
        start = min((word.start for word in turn.words if word.start is not None), default=self._line.heard)
        known = self._open.setdefault(turn.order, OpenTurn(since=start, start=start))
        known.start = min(known.start, start)
        found = content(turn.text, turn.words, known.words, self._line.heard)
        known.words = turn.words or known.words
        return [Partial(turn.order, found.text, found.words, turn.language)]

    def _ended(self, turn: Turn) -> list[Event]:
        """Take an end of turn that says something: hold it for its twin, or make it final."""
        held, known = self._held.get(turn.order), self._open.pop(turn.order, None)
        before = held.words if held else known.words if known else ()
        found = content(turn.text, turn.words, before, self._line.heard)
        earlier = [held.start] if held else [known.start] if known else []
        deadline = held.deadline if held else self._now + HOLD_SECONDS
        self._held[turn.order] = HeldTurn(
            found, min([found.words[0].start, *earlier]), turn.words or before, turn.language, deadline
        )
        if self.formats and not turn.formatted:
            return []
        return self._release([order for order in self._held if order <= turn.order])

    def _ended_empty(self, turn: Turn) -> list[Event]:
        """Take an end of turn that says nothing: what was settled before stays, a mere guess is gone."""
        if turn.order not in self._held:
            known = self._open.get(turn.order)
            settled = tuple(word for word in known.words if word.settled) if known is not None else ()
            if not settled:
                return self._vanished(turn.order, known)
            found = content("", settled, (), self._line.heard)
            self._open.pop(turn.order)
            self._held[turn.order] = HeldTurn(found, found.words[0].start, settled, turn.language, self._now)
        return self._release([order for order in self._held if order <= turn.order])

    def _vanished(self, order: int, known: OpenTurn | None) -> list[Event]:
        """Close a turn that has no words, or took them back."""
        if known is not None and self._asked:
            return [Notice("cut", f"turn {order} lost its words after the goodbye")]
        self._open.pop(order, None)
        self._done[order] = 0
        return self._quiet() if known is None else [Notice("withdrawn", f"turn {order} took its words back")]

    def _release(self, orders: Sequence[int] | Mapping[int, HeldTurn]) -> list[Event]:
        """Make held turns final, in order; none behind one without an end: they would be said again with it."""
        events: list[Event] = []
        for order in sorted(orders):
            if lost := self._lost(order):
                untold = sorted(lost - self._told)
                events += [Notice("overtaken", f"turn {one} has no end, turn {order} has") for one in untold]
                self._told |= lost
                continue
            turn = self._held.pop(order)
            self._done[order] = len(turn.content.words)
            events.append(Final(order, turn.content.text, turn.content.words, turn.language))
            if turn.content.end is not None and self._line.final_until(turn.content.end, self._pending_starts()):
                events.append(Heard(self._line.heard))
        return events

    def _lost(self, order: int) -> set[int]:
        """Return the turns before one that has ended, where they have not."""
        return {earlier for earlier in self._open if earlier < order}

    def _pending_starts(self) -> list[float]:
        """Return where the turns begin that are not final yet."""
        return [turn.start for turn in self._open.values()] + [turn.start for turn in self._held.values()]

    def _quiet(self) -> list[Event]:
        """Count what was certainly processed, where nothing is pending."""
        if not self._partials or self._open or self._held or not self._line.quiet():
            return []
        return [Heard(self._line.heard)]

    def _heartbeat(self, fields: Mapping[str, Any]) -> list[Event]:
        received = messages.milliseconds(fields.get("total_audio_received_ms"))
        if received is None:
            return [Notice("malformed", "a Heartbeat without what was received")]
        self._line.progress.beat(
            received=received,
            duration=messages.milliseconds(fields.get("total_duration_ms")),
            factor=reading.number(fields.get("realtime_factor"), messages.SECONDS_MAX),
            now=self._now,
        )
        return self._quiet()

    def _silence(self, fields: Mapping[str, Any]) -> list[Event]:
        start, end = messages.milliseconds(fields.get("start_ms")), messages.milliseconds(fields.get("end_ms"))
        if start is None or end is None or end < start:
            return [Notice("malformed", "a Silence without its times")]
        self._line.progress.proven(end)
        return self._quiet()

    def _speech_started(self, fields: Mapping[str, Any]) -> list[Event]:
        start = messages.milliseconds(fields.get("timestamp"))
        if start is None:
            return [Notice("malformed", "a SpeechStarted without its time")]
        if self._newest not in self._open:
            self._line.speech_started(start, self._newest)
        return []

    def _speaker_revision(self, fields: Mapping[str, Any]) -> list[Event]:
        revisions = fields.get("revisions")
        entries = revisions if isinstance(revisions, list) else [None]
        return [event for entry in entries for event in self._revised(entry)]

    def _revised(self, entry: object) -> list[Event]:
        order = messages.turn_order(entry.get("turn_order")) if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or order is None:
            return [Notice("malformed", "a SpeakerRevision without its turn")]
        events = self._release([order]) if order in self._held else []
        speakers = messages.revised_speakers(entry, self._done.get(order, 0))
        if speakers is None:
            return [*events, Notice("malformed", f"a SpeakerRevision that does not fit turn {order}")]
        return [*events, Revision(order, speakers)]

    def _warning(self, fields: Mapping[str, Any]) -> list[Event]:
        code = reading.number(fields.get("warning_code"), messages.SECONDS_MAX)
        return [Notice("warning", f"{'' if code is None else f'{code:g}: '}{reading.text(fields.get('warning'))}")]

    def _termination(self, fields: Mapping[str, Any]) -> list[Event]:
        if self._finished:
            return [Notice("malformed", "a second Termination")]
        self._finished = True
        events = self._release(self._held)
        audio = reading.number(fields.get("audio_duration_seconds"), messages.SECONDS_MAX)
        billed = reading.number(fields.get("session_duration_seconds"), messages.SECONDS_MAX)
        return [*events, Finished(complete=self._asked and not self._open, audio_seconds=audio, billed_seconds=billed)]

    def _error(self, fields: Mapping[str, Any]) -> list[Event]:
        code = fields.get("error_code")
        known = isinstance(code, int) and not isinstance(code, bool)
        return [Refused(code if known else None, reading.text(fields.get("error")))]
