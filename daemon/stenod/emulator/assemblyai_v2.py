"""The dialect of AssemblyAI's older streaming interface, /v2/realtime/ws, as its documentation and clients had it.

The provider has retired it, so by default its path is a 410 here as well; older servers of one's own still speak it,
and `--v2` serves it. Facts and where they come from:

- Messages are told apart by `message_type`. Audio comes as `{"audio_data": "<base64>"}` or as raw binary, in messages
  of 100 to 2000 ms.
- Finals are formatted: `punctuated` and `text_formatted`. A partial holds the whole utterance so far; partials without
  words are routine in silence (clients skip them; how often they come is not known: once a second here).
- An utterance ends after 700 ms of silence, or what `end_utterance_silence_threshold` says (0 to 20,000 ms), or by
  `force_end_utterance`.
- An error is `{"error": ...}`, then a close with a code of the provider's own table and the same text. Key and
  parameters are judged after the upgrade, as the table's codes are those of a close.
- Audio must come within a minute; who sends faster than real time for longer than a minute is ended.
- `SessionInformation` comes before `SessionTerminated` when it was asked for.
- How long a session may last is not known: three hours here, as in the interface that came after it. Nor is the code
  of an internal failure: 1013 here, which clients' tables have. 4100 is in older tables only.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from stenod.emulator.assemblyai import SESSION_SECONDS_MAX, formatted_words
from stenod.emulator.assemblyai_errors import rejection
from stenod.emulator.dialect import (
    Command,
    Contact,
    Demand,
    Failure,
    Limits,
    Message,
    Opening,
    Progress,
    Request,
    Saying,
    Tongue,
    Violation,
    Vitals,
)
from stenod.emulator.engine import Hypothesis, Word
from stenod.emulator.keyring import Keyring

PATH = "/v2/realtime/ws"
CHUNK_MS_MIN, CHUNK_MS_MAX = 100, 2_000
SILENCE_MS_DEFAULT, SILENCE_MS_MAX = 700, 20_000
IDLE_SECONDS_MAX, HASTY_SECONDS_MAX = 60.0, 60.0
EMPTY_PARTIAL_SECONDS = 1.0
GOODBYE = Violation(1000, "")
TEXTS: Mapping[int, str] = {
    1000: "",
    1001: "",
    1013: "Temporary server condition forced blocking client's request",
    4000: "Sample rate must be a positive integer",
    4001: "Not Authorized",
    4002: "Insufficient Funds",
    4003: "This feature is paid-only and requires you to add a credit card. "
    "Please visit https://app.assemblyai.com/ to add a credit card to your account",
    4004: "Session not found",
    4008: "Session Expired",
    4010: "Session previously closed",
    4029: "Client sent audio too fast",
    4030: "Session is handled by another WebSocket",
    4031: "Session idle for too long",
    4032: "Audio duration is too short",
    4033: "Audio duration is too long",
    4034: "Audio too small to transcode",
    4100: "Endpoint received invalid JSON",
    4101: "Endpoint received a message with an invalid schema",
    4102: "This account has exceeded the number of allowed streams",
    4103: "This session has been reconnected. This WebSocket is no longer valid",
    4104: "Could not parse word boost parameter",
}
CODES: Mapping[Failure, int] = {
    Failure.INACTIVE: 4031,
    Failure.UNANSWERED: 1013,
    Failure.EXPIRED: 4008,
    Failure.CANCELLED: 1013,
    Failure.CROWDED: 4102,
    Failure.TOO_FAST: 4029,
}


def violation(code: int) -> Violation:
    """Return an end with the text of its code."""
    return Violation(code, TEXTS[code])


def failure(kind: Failure, **numbers: float) -> Violation:  # noqa: ARG001 - the texts have no numbers
    """Return the code and text of an end that every dialect has."""
    return violation(CODES[kind])


def error_messages(violation: Violation) -> Sequence[Message]:
    """Return the message that precedes the close."""
    return [{"error": violation.text}]


def open_session(request: Request, keyring: Keyring) -> "AssemblyAIV2 | Violation":
    """Judge key and parameters of a request whose handshake is done."""
    query = request.query
    if not keyring.opens(request.headers.get("authorization", "") or query.get("token", "")):
        return violation(4001)
    rate = query.get("sample_rate", "")
    if not rate.isascii() or not rate.isdigit() or not 0 < int(rate[:7]) <= 96_000:
        return violation(4000)
    if "word_boost" in query and not _is_word_boost(query["word_boost"]):
        return violation(4104)
    if query.get("encoding", "pcm_s16le") != "pcm_s16le":
        return Violation(4101, f"{TEXTS[4101]}: the emulator speaks no encoding but pcm_s16le")
    return AssemblyAIV2(query, request.told("token"))


class AssemblyAIV2:
    """Implement `Dialect`."""

    def __init__(self, query: Mapping[str, str], parameters: Mapping[str, str]) -> None:
        self.parameters = parameters
        self.sample_rate = int(query["sample_rate"])
        self._partials = query.get("disable_partial_transcripts", "").lower() != "true"
        self._informs = query.get("enable_extra_session_information", "").lower() == "true"
        self._silence_ms = SILENCE_MS_DEFAULT
        self._opening = Opening(id="", opened_at=0.0, expires_at=None)
        self._open = False
        self._told_until = 0

    @property
    def limits(self) -> Limits:
        """See `Dialect`."""
        return Limits(
            pause_seconds=self._silence_ms / 1000,
            inactivity_seconds=IDLE_SECONDS_MAX,
            inactivity_contact=Contact.AUDIO,
            hasty_seconds=HASTY_SECONDS_MAX,
        )

    def begin(self, opening: Opening) -> Sequence[Message]:
        """See `Dialect`."""
        self._opening = opening
        expires_at = None if opening.expires_at is None else _iso(opening.expires_at)
        return [{"message_type": "SessionBegins", "session_id": opening.id, "expires_at": expires_at}]

    def text(self, message: str) -> Demand:
        """See `Dialect`."""
        try:
            said = json.loads(message)
        except (ValueError, RecursionError):
            return violation(4100)
        if not isinstance(said, dict):
            return violation(4101)
        if "audio_data" in said:
            return self._audio_data(said["audio_data"])
        if said.get("terminate_session") is True:
            return Command.TERMINATE
        if said.get("force_end_utterance") is True:
            return Command.END_TURN
        silence_ms = said.get("end_utterance_silence_threshold")
        if isinstance(silence_ms, bool) or not isinstance(silence_ms, int) or not 0 <= silence_ms <= SILENCE_MS_MAX:
            return violation(4101)
        self._silence_ms = silence_ms
        return Command.CONFIGURE

    def audio(self, message: bytes) -> Demand:
        """See `Dialect`."""
        milliseconds = len(message) / 2 / self.sample_rate * 1000
        if len(message) < 2:
            return violation(4034)
        if milliseconds < CHUNK_MS_MIN:
            return violation(4032)
        if milliseconds > CHUNK_MS_MAX:
            return violation(4033)
        return violation(4101) if len(message) % 2 else message

    def _audio_data(self, data: object) -> Demand:
        if not isinstance(data, str):
            return violation(4101)
        try:
            return self.audio(base64.b64decode(data, validate=True))
        except (binascii.Error, ValueError):
            return violation(4101)

    def heard(self, hypotheses: Sequence[Hypothesis], progress: Progress) -> Sequence[Saying]:
        """See `Dialect`."""
        sayings = []
        for hypothesis in hypotheses:
            self._open = not hypothesis.ended
            if hypothesis.ended:
                final = self._transcript("FinalTranscript", formatted_words(hypothesis.words), progress)
                final |= {"punctuated": True, "text_formatted": True}
                sayings.append(Saying([final], hypothesis.words, hypothesis.delay_seconds))
            elif self._partials:
                sayings.append(Saying([self._transcript("PartialTranscript", hypothesis.words, progress)]))
        silent = progress.quiet - self._told_until >= EMPTY_PARTIAL_SECONDS * self.sample_rate
        if silent and self._partials and not self._open and not hypotheses:
            sayings.append(Saying([self._transcript("PartialTranscript", (), progress)]))
        return sayings

    def heartbeat(self, vitals: Vitals) -> Sequence[Message]:  # noqa: ARG002
        """See `Dialect`; there is none."""
        return ()

    def farewell(self, vitals: Vitals) -> Sequence[Message]:
        """See `Dialect`."""
        seconds = round(vitals.audio_seconds, 3)
        information = {"message_type": "SessionInformation", "audio_duration_seconds": seconds}
        return [*([information] if self._informs else []), {"message_type": "SessionTerminated"}]

    def last_words(self, violation: Violation, vitals: Vitals) -> Sequence[Message]:  # noqa: ARG002
        """See `Dialect`."""
        return error_messages(violation)

    def _transcript(self, kind: str, words: Sequence[Word], progress: Progress) -> dict[str, Any]:
        start, end = (words[0].start, words[-1].end) if words else (self._told_until, progress.quiet)
        self._told_until = max(end, self._told_until)
        return {
            "message_type": kind,
            "created": _iso(self._opening.opened_at + progress.session_seconds),
            "audio_start": self._milliseconds(min(start, end)),
            "audio_end": self._milliseconds(end),
            "confidence": round(sum(word.confidence for word in words) / len(words), 3) if words else 0.0,
            "text": " ".join(word.text for word in words),
            "words": [
                {
                    "start": self._milliseconds(word.start),
                    "end": self._milliseconds(word.end),
                    "confidence": round(word.confidence, 3),
                    "text": word.text,
                }
                for word in words
            ],
        }

    def _milliseconds(self, sample: int) -> int:
        return round(sample * 1000 / self.sample_rate)


def _iso(seconds: float) -> str:
    """Return a time as this interface writes it: ISO, without a zone."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def _is_word_boost(text: str) -> bool:
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(words, list) and all(isinstance(word, str) for word in words)


TONGUE = Tongue(
    open_session=open_session,
    failure=failure,
    rejection=rejection,
    error_messages=error_messages,
    goodbye=GOODBYE,
    texts=TEXTS,
    session_seconds=SESSION_SECONDS_MAX,
)
