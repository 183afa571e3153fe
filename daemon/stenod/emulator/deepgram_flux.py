"""The dialect of Deepgram's /v2/listen (Flux), as its documentation has it.

Facts and where they come from:

- `Connected` comes at once, with `sequence_id` 0; each further message of the server has the next one.
- A `TurnInfo` holds the whole turn so far. `StartOfTurn`, then `Update` for every quarter of a second of transcribed
  audio whether or not the text changed, between turns too (observed by clients), then `EndOfTurn` with what triggered
  it. With `eager_eot_threshold` an `EagerEndOfTurn` comes first, and `TurnResumed` when it was wrong; the text of the
  end equals that of the eager one just before it.
- `ForceEndTurn` ends an open turn, and is ignored without one. `CloseStream` brings an `Update` for what was received
  and a close frame without a code: no `EndOfTurn`, no `Metadata`. The last `Update` is all that a client gets of the
  open turn, so it counts as final in the log.
- There is no `KeepAlive`: a text message that is not known is fatal, with a code that is a string (the code is taken
  from a sister interface: uncertain). A WebSocket ping holds the session; 60 s without message or ping end it (stated
  by the provider; users measured less).
- A fatal `Error` is followed by a close frame without a code (uncertain; 1011 for an internal error).
- No longest session is documented, and none for audio that comes too fast; see `deepgram` for what stands in.

Theory. The service judges by meaning when a turn has ended; here a pause does it, and `eot_threshold` 0.7 is a pause
of 0.7 s. `eot_timeout_ms` bounds it, and alone ends turns when the threshold is 1. An `Update` between turns reaches
only as far as no word can have begun, and an `EndOfTurn` no further than its words are whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stenod.emulator import deepgram_door as door
from stenod.emulator.deepgram import reached
from stenod.emulator.deepgram_flux_settings import DEFAULTS, MULTILINGUAL, lists_fault, settings_of, thresholds_fault
from stenod.emulator.dialect import (
    Command,
    Contact,
    Demand,
    Failure,
    Limits,
    Message,
    Opening,
    Progress,
    Reply,
    Request,
    Saying,
    Tongue,
    Violation,
    Vitals,
)
from stenod.emulator.engine import Hypothesis, Word
from stenod.emulator.keyring import Keyring

PATH = "/v2/listen"
RATE_DEFAULT = 16_000
UPDATE_SECONDS = 0.25
INACTIVE_SECONDS = 60.0
THRESHOLD_NEVER = 1.0
LANGUAGE = "en"
WITHOUT_CODE = 1005
EXPIRED = Violation(1001, "")
INTERNAL = Violation(1011, "An internal server error occurred.", "INTERNAL_SERVER_ERROR")
FAILURES: Mapping[Failure, Violation] = {
    Failure.INACTIVE: Violation(WITHOUT_CODE, "The client has been inactive for too long.", "INACTIVE_CLIENT"),
    Failure.UNANSWERED: INTERNAL,
    Failure.EXPIRED: EXPIRED,
    Failure.CANCELLED: INTERNAL,
    Failure.CROWDED: door.STATUSES[429],
    Failure.TOO_FAST: INTERNAL,
}
COMMANDS = {
    "CloseStream": Command.TERMINATE,
    "Configure": Command.CONFIGURE,
    "ForceEndTurn": Command.END_TURN,
}


def failure(kind: Failure, **numbers: float) -> Violation:  # noqa: ARG001 - the texts have no numbers
    """Return the code and text of an end that every dialect has."""
    return FAILURES[kind]


def unparsable(text: str) -> Violation:
    """Return the end of a session whose client cannot be understood."""
    return Violation(WITHOUT_CODE, text, "UNPARSABLE_CLIENT_MESSAGE")


def error_message(violation: Violation, sequence_id: int) -> Message:
    """Return the fatal error, whose code is a string."""
    code = violation.name or INTERNAL.name
    return {"type": "Error", "sequence_id": sequence_id, "code": code, "description": violation.text}


def error_messages(violation: Violation) -> Sequence[Message]:
    """Return what precedes the close of a connection that became no session."""
    return [error_message(violation, 0)]


def open_session(request: Request, keyring: Keyring) -> "Flux | Violation":
    """Judge key and parameters of a request whose handshake waits for it."""
    refused = door.judge_key(request, keyring)
    if refused is not None:
        return refused
    settings = settings_of(request)
    return settings if isinstance(settings, Violation) else Flux(settings, request.told("token"))


class Flux:
    """Implement `Dialect`."""

    def __init__(self, settings: dict[str, Any], parameters: Mapping[str, str]) -> None:
        self._settings = settings
        self.parameters = parameters
        self.sample_rate: int = settings.get("sample_rate", RATE_DEFAULT)
        self._request_id = ""
        self._sequence_id = 0
        self._turn_index = 0
        self._words: tuple[Word, ...] = ()
        self._open = self._eager = False
        self._window_start = self._told_until = 0

    @property
    def limits(self) -> Limits:
        """See `Dialect`."""
        return Limits(
            pause_seconds=self._pause[0], inactivity_seconds=INACTIVE_SECONDS, inactivity_contact=Contact.PING
        )

    @property
    def _pause(self) -> tuple[float, str]:
        """The pause that ends a turn, and what it is called when it does."""
        thresholds = self._settings["thresholds"]
        timeout = thresholds["eot_timeout_ms"] / 1000
        judged = thresholds["eot_threshold"]
        return (timeout, "timeout") if judged >= THRESHOLD_NEVER or timeout < judged else (judged, "model")

    def begin(self, opening: Opening) -> Sequence[Message]:
        """See `Dialect`."""
        self._request_id = opening.id
        return [self._message("Connected")]

    def text(self, message: str) -> Demand:
        """See `Dialect`."""
        said = door.message_of(message, COMMANDS)
        if isinstance(said, str):
            return unparsable(said)
        content, command = said
        if command is Command.CONFIGURE:
            return Reply([self._configured(content)])
        return Command.NOTHING if command is Command.END_TURN and not self._open else command

    def audio(self, message: bytes) -> Demand:
        """See `Dialect`."""
        if len(message) % 2 or "sample_rate" not in self._settings:
            return unparsable("Could not decode the payload as audio.")
        return message

    def heard(self, hypotheses: Sequence[Hypothesis], progress: Progress) -> Sequence[Saying]:
        """See `Dialect`."""
        sayings: list[Saying] = []
        for place, hypothesis in enumerate(hypotheses):
            sayings += self._changed(hypothesis, progress)
            if hypothesis.ended and not progress.closing:
                until = max(reached(hypotheses[place + 1 :], progress), *(word.end for word in hypothesis.words), 0)
                sayings += self._ended(hypothesis, until, progress)
        if progress.closing:
            return [*sayings, *self._rest(progress)]
        return [*sayings, *self._updates(progress), *self._eagerly(progress)]

    def heartbeat(self, vitals: Vitals) -> Sequence[Message]:  # noqa: ARG002
        """See `Dialect`; there is none."""
        return ()

    def farewell(self, vitals: Vitals) -> Sequence[Message]:  # noqa: ARG002
        """See `Dialect`; there is none."""
        return ()

    def last_words(self, violation: Violation, vitals: Vitals) -> Sequence[Message]:  # noqa: ARG002
        """See `Dialect`."""
        return () if violation == EXPIRED else [error_message(violation, self._sequence_id)]

    # Turns

    def _changed(self, hypothesis: Hypothesis, progress: Progress) -> list[Saying]:
        """Take the turn's words; say that it begins, or goes on after all."""
        before, self._words = self._words, hypothesis.words
        if not self._open:
            self._open = bool(hypothesis.words)
            return [self._turn("StartOfTurn", progress.samples)] if self._open else []
        if not self._eager or _texts(before) == _texts(hypothesis.words):
            return []
        self._eager = False
        return [self._turn("TurnResumed", progress.samples)]

    def _ended(self, hypothesis: Hypothesis, until: int, progress: Progress) -> list[Saying]:
        sayings = []
        eager = self._settings["thresholds"].get("eager_eot_threshold")
        if eager is not None and not self._eager and hypothesis.words and not progress.forced:
            sayings.append(self._turn("EagerEndOfTurn", until, confidence=eager))
        trigger = "manual" if progress.forced else self._pause[1]
        threshold = self._settings["thresholds"]["eot_threshold"]
        confidence = min(1.0, threshold + 0.13) if trigger == "model" else threshold / 2
        ended = self._turn("EndOfTurn", until, confidence=confidence, trigger=trigger)
        sayings.append(replace(ended, words=hypothesis.words, delay_seconds=hypothesis.delay_seconds))
        self._turn_index += 1
        self._words, self._open, self._eager = (), False, False
        self._window_start = until
        return sayings

    def _updates(self, progress: Progress) -> list[Saying]:
        """Say how things stand, for each quarter of a second that has been transcribed."""
        step = round(UPDATE_SECONDS * self.sample_rate)
        until = progress.samples if self._open else progress.quiet
        sayings = []
        while self._told_until + step <= until:
            # The words of a long chunk are shown from where they begin; the last update has all of them.
            at = self._told_until + step
            sayings.append(self._turn("Update", at, heard_until=at if at + step <= until else None))
        return sayings

    def _eagerly(self, progress: Progress) -> list[Saying]:
        """Guess that the turn has ended, after a pause that is shorter than the one that ends it."""
        eager = self._settings["thresholds"].get("eager_eot_threshold")
        if eager is None or self._eager or not self._open or not self._words:
            return []
        if progress.quiet - self._words[-1].end < eager * self.sample_rate:
            return []
        self._eager = True
        return [self._turn("EagerEndOfTurn", progress.samples, confidence=eager)]

    def _rest(self, progress: Progress) -> list[Saying]:
        """Say what was received when the client has said goodbye; the open turn does not end."""
        if not self._words and progress.samples <= self._told_until:
            return []
        return [replace(self._turn("Update", progress.quiet), words=self._words or None)]

    def _turn(
        self,
        event: str,
        until: int,
        *,
        confidence: float = 0.1,
        trigger: str | None = None,
        heard_until: int | None = None,
    ) -> Saying:
        self._told_until = max(self._told_until, until)
        words = [word for word in self._words if heard_until is None or word.start < heard_until]
        message = self._message("TurnInfo", event=event, turn_index=self._turn_index)
        message |= {
            "audio_window_start": self._seconds(self._window_start),
            "audio_window_end": self._seconds(max(until, self._window_start)),
            "transcript": " ".join(word.text for word in words),
            "words": [
                {
                    "word": word.text,
                    "confidence": round(word.confidence, 6),
                    "start": self._seconds(word.start),
                    "end": self._seconds(word.end),
                }
                for word in words
            ],
            "end_of_turn_confidence": round(confidence, 3),
        }
        if self._settings["model"] == MULTILINGUAL:
            message |= {"languages": [LANGUAGE], "languages_hinted": self._settings["language_hints"]}
        return Saying([message if trigger is None else message | {"trigger": trigger}])

    def _configured(self, content: Mapping[str, object]) -> Message:
        """Answer a `Configure`; what it leaves out keeps its value, a threshold of null goes back to its default."""
        given = content.get("thresholds", {})
        keyterms = content.get("keyterms", self._settings["keyterms"])
        hints = content.get("language_hints", self._settings["language_hints"])
        wrong = "thresholds: expected an object" if not isinstance(given, dict) else None
        thresholds = self._settings["thresholds"] | given if isinstance(given, dict) else {}
        thresholds = {name: DEFAULTS.get(name) if value is None else value for name, value in thresholds.items()}
        thresholds = {name: value for name, value in thresholds.items() if value is not None}
        wrong = wrong or thresholds_fault(thresholds) or lists_fault(self._settings["model"], keyterms, hints)
        if wrong is not None:
            return self._message("ConfigureFailure", code="INVALID_CONFIGURATION", description=wrong)
        self._settings |= {"thresholds": thresholds, "keyterms": keyterms, "language_hints": hints}
        return self._message("ConfigureSuccess", thresholds=thresholds, keyterms=keyterms, language_hints=hints)

    def _message(self, kind: str, **content: object) -> Message:
        """Return a message with the next number; it is sent in this order."""
        sequence_id, self._sequence_id = self._sequence_id, self._sequence_id + 1
        return {"type": kind, "request_id": self._request_id, "sequence_id": sequence_id} | content

    def _seconds(self, sample: int) -> float:
        return round(sample / self.sample_rate, 6)


def _texts(words: Sequence[Word]) -> list[str]:
    return [word.text for word in words]


TONGUE = Tongue(
    open_session=open_session,
    failure=failure,
    rejection=door.rejection,
    error_messages=error_messages,
    goodbye=Violation(WITHOUT_CODE, ""),
    texts={1000: "", 1001: "", WITHOUT_CODE: "", 1011: INTERNAL.text},
    statuses=door.STATUSES,
    accept=door.accept,
    early=True,
    bills_audio=True,
)
