"""The dialect of AssemblyAI's v3 streaming interface, as its documentation and live observations have it.

Facts and where they come from:

- The key is judged after the 101: an `Error` frame, then a close with the same code (observed live; a client that
  takes the handshake for readiness hangs). The raw key stands in `Authorization`; `Bearer` is refused (observed
  live).
- Audio messages hold 50 to 1000 ms inclusive (1000 accepted, 1200 refused at once; observed live).
- Universal-Streaming: words of a partial are final but the last; `transcript` holds the final ones only, so it may
  be empty beside words. With `format_turns` a second, formatted end-of-turn follows with the same `turn_order` and
  times.
- Pro models: no word of a partial is final, words may be rewritten, one formatted final; `SpeechStarted` in the same
  tick as the first partial; no word on whether `turn_is_formatted` is true on partials (false in the specification,
  true live: true here).
- `KeepAlive` and `UpdateConfiguration` are not acknowledged. A last turn may be final and empty (observed on
  Terminate).
- A temporary token comes in the query (or, as one client has it, in the header). An expired one is refused by message;
  its cap is the session's limit and shows in `expires_at` (observed). With `speaker_labels` turns and their words have
  a speaker, partials have none (observed); a `SpeakerRevision` comes before `Termination`. `language_detection` adds
  two fields to finals. `acknowledge_silence` brings a `Silence` about once a second while nobody speaks, on Pro models.
- Times are whole milliseconds of this session's audio.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from stenod.emulator.assemblyai_errors import (
    BAD_KEY,
    CLOSE_REASON,
    DEFAULT_TEXTS,
    GOODBYE,
    NO_KEY,
    OLD_TOKEN,
    error_messages,
    failure,
    rejection,
)
from stenod.emulator.assemblyai_settings import PREFIX, is_pro, settings_of_query, settings_of_update
from stenod.emulator.assemblyai_speakers import Speakers
from stenod.emulator.dialect import (
    Command,
    Demand,
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

PATH = "/v3/ws"
SESSION_SECONDS_MAX = 10_800.0
CHUNK_MS_MIN, CHUNK_MS_MAX = 50, 1000
HEARTBEAT_SECONDS = 5.0
PAUSE_SECONDS_DEFAULT, PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.5, 0.2, 5.0
QUOTE_MAX = 200
API_VERSION = "2025-05-12"
SILENCE_SECONDS = 1.0
LANGUAGE, LANGUAGE_CONFIDENCE = "en", 0.99

COMMANDS = {
    "KeepAlive": Command.KEEP_ALIVE,
    "ForceEndpoint": Command.END_TURN,
    "Terminate": Command.TERMINATE,
    "UpdateConfiguration": Command.CONFIGURE,
}


def open_session(request: Request, keyring: Keyring) -> "AssemblyAI | Violation":
    """Judge key and parameters of a request whose handshake is done."""
    key = request.headers.get("authorization", "") or request.query.get("token", "")
    if not key:
        return NO_KEY
    token = keyring.token(key)
    if token is not None and keyring.expired(token):
        return OLD_TOKEN
    if key.lower().startswith("bearer ") or not keyring.opens(key):
        return BAD_KEY
    settings = settings_of_query(request.query)
    if isinstance(settings, str):
        return Violation(3006, settings)
    return AssemblyAI(settings, request.told("token"), token.session_seconds_max if token else None)


class AssemblyAI:
    """Implement `Dialect`."""

    def __init__(
        self, settings: dict[str, Any], parameters: Mapping[str, str], session_seconds: float | None = None
    ) -> None:
        self._settings = settings
        self._session_seconds = session_seconds
        self._pro = is_pro(settings["speech_model"])
        self._turn_order = 0
        self._turn_shown = self._turn_open = False
        self._samples = self._samples_at_turn = self._silent_until = 0
        self._speakers: Speakers | None = None
        self.parameters = parameters
        self.sample_rate: int = settings["sample_rate"]

    @property
    def limits(self) -> Limits:
        """See `Dialect`."""
        setting = self._settings.get
        silence_ms = setting("min_turn_silence", setting("min_end_of_turn_silence_when_confident"))
        pause = PAUSE_SECONDS_DEFAULT if silence_ms is None else silence_ms / 1000
        return Limits(
            inactivity_seconds=setting("inactivity_timeout"),
            session_seconds=self._session_seconds,
            heartbeat_seconds=HEARTBEAT_SECONDS if setting("session_heartbeat") else None,
            pause_seconds=min(max(pause, PAUSE_SECONDS_MIN), PAUSE_SECONDS_MAX),
        )

    def begin(self, opening: Opening) -> Sequence[Message]:
        """See `Dialect`."""
        setting = self._settings.get
        if setting("speaker_labels"):
            self._speakers = Speakers(opening.id, setting("max_speakers"), self.sample_rate)
        configuration = {
            "model": self._settings["speech_model"],
            "mode": setting("mode", "balanced") if self._pro else None,
            "api_version": API_VERSION,
            "speaker_labels": setting("speaker_labels", False),
            "redact_pii": setting("redact_pii", False),
            "filter_profanity": setting("filter_profanity", False),
            "domain": setting("domain"),
            "voice_focus": setting("voice_focus"),
        }
        return [{"type": "Begin", "id": opening.id, "expires_at": opening.expires_at, "configuration": configuration}]

    def text(self, message: str) -> Demand:
        """See `Dialect`."""
        quoted = message if len(message) <= QUOTE_MAX else message[:QUOTE_MAX] + "..."
        try:
            said = json.loads(message)
        except (ValueError, RecursionError):
            return Violation(3006, f"{PREFIX}Invalid JSON: {quoted}")
        if not isinstance(said, dict):
            return Violation(3006, f"{PREFIX}Invalid Message: {quoted}")
        kind = said.get("type")
        command = COMMANDS.get(kind) if isinstance(kind, str) else None
        if command is None:
            named = quoted if kind is None else str(kind)[:QUOTE_MAX].encode(errors="replace").decode()
            return Violation(3006, f"{PREFIX}Invalid Message Type: {named}")
        if command is Command.CONFIGURE:
            update = settings_of_update(said, self._settings["speech_model"])
            if isinstance(update, str):
                return Violation(3006, update)
            self._settings |= update
        return command

    def audio(self, message: bytes) -> Demand:
        """See `Dialect`."""
        milliseconds = len(message) / 2 / self.sample_rate * 1000
        if not CHUNK_MS_MIN <= milliseconds <= CHUNK_MS_MAX:
            text = f"Input Duration Error: Input Duration Violation: {milliseconds:.1f} ms. "
            return Violation(3007, f"{text}Expected between {CHUNK_MS_MIN} and {CHUNK_MS_MAX} ms")
        if len(message) % 2:
            return Violation(3006, f"{PREFIX}Failed to decode audio: odd number of bytes")
        self._samples += len(message) // 2
        return message

    def heard(self, hypotheses: Sequence[Hypothesis], progress: Progress) -> Sequence[Saying]:
        """See `Dialect`."""
        return [*(self._turn(hypothesis) for hypothesis in hypotheses), *self._silence(progress)]

    def _silence(self, progress: Progress) -> list[Saying]:
        """Acknowledge silence about once a second; only Pro models do."""
        asked = self._pro and self._settings.get("acknowledge_silence")
        start, end = self._silent_until, progress.quiet
        if self._turn_open or not asked or end - start < SILENCE_SECONDS * self.sample_rate:
            return []
        self._silent_until = end
        span = {"start_ms": self._milliseconds(start), "end_ms": self._milliseconds(end)}
        return [Saying([{"type": "Silence", **span}])]

    def _turn(self, hypothesis: Hypothesis) -> Saying:
        messages = self._turn_messages(hypothesis)
        self._turn_open = not hypothesis.ended
        self._silent_until = max(self._silent_until, *(word.end for word in hypothesis.words), 0)
        if hypothesis.ended:
            self._samples_at_turn = self._samples
        return Saying(messages, hypothesis.words if hypothesis.ended else None, hypothesis.delay_seconds)

    def _turn_messages(self, hypothesis: Hypothesis) -> list[Message]:
        messages: list[Message] = []
        if not hypothesis.ended:
            if not self._settings.get("include_partial_turns", True):
                return messages
            if self._pro and not self._turn_shown:
                started = self._milliseconds(hypothesis.words[0].start)
                messages.append({"type": "SpeechStarted", "timestamp": started, "confidence": 0.97})
            self._turn_shown = True
            return [*messages, self._partial(hypothesis)]
        if self._pro:
            messages.append(self._final(hypothesis, formatted=True))
        else:
            messages.append(self._final(hypothesis, formatted=False))
            if self._settings.get("format_turns") and hypothesis.words:
                messages.append(self._final(hypothesis, formatted=True))
        self._turn_order += 1
        self._turn_shown = False
        return messages

    def heartbeat(self, vitals: Vitals) -> Sequence[Message]:
        """See `Dialect`."""
        return [
            {
                "type": "Heartbeat",
                "total_audio_received_ms": round(vitals.audio_seconds * 1000),
                "total_duration_ms": round(vitals.session_seconds * 1000),
                "realtime_factor": round(vitals.realtime_factor, 3),
                "max_speech_probability": vitals.speech_probability,
            }
        ]

    def last_words(self, violation: Violation, vitals: Vitals) -> Sequence[Message]:  # noqa: ARG002
        """See `Dialect`."""
        return error_messages(violation)

    def farewell(self, vitals: Vitals) -> Sequence[Message]:
        """See `Dialect`; Universal-Streaming closes the turn that nobody began with an empty final."""
        messages: list[Message] = []
        if self._samples > self._samples_at_turn and not self._pro:
            messages.extend(self._turn_messages(Hypothesis((), ended=True)))
        seconds = {
            "audio_duration_seconds": round(vitals.audio_seconds),
            "session_duration_seconds": billed_seconds(vitals.session_seconds),
        }
        revision = self._speakers.revision() if self._speakers else []
        return [*messages, *revision, {"type": "Termination", **seconds}]

    def _partial(self, hypothesis: Hypothesis) -> Message:
        settled = 0 if self._pro else hypothesis.settled
        words = hypothesis.words
        if self._pro and len(words) > 1:
            # A Pro model may rewrite what it showed: its latest word is a guess until the next one confirms it.
            words = (*words[:-1], _guess(words[-1]))
        shown = words if self._pro else words[:settled]
        return self._turn_message(
            words, " ".join(word.text for word in shown), settled=settled, ended=False, formatted=self._pro
        )

    def _final(self, hypothesis: Hypothesis, *, formatted: bool) -> Message:
        words = formatted_words(hypothesis.words) if formatted else hypothesis.words
        transcript = " ".join(word.text for word in words)
        return self._turn_message(words, transcript, settled=len(words), ended=True, formatted=formatted)

    def _turn_message(
        self, words: Sequence[Word], transcript: str, *, settled: int, ended: bool, formatted: bool
    ) -> Message:
        confidence = (1.0 if ended else 0.0) if self._pro else (0.71 if ended and words else 0.01)
        told: list[Message] = [
            {
                "text": word.text,
                "start": self._milliseconds(word.start),
                "end": self._milliseconds(word.end),
                "confidence": round(word.confidence, 3),
                "word_is_final": place < settled,
            }
            for place, word in enumerate(words)
        ]
        extra: Message = {}
        if ended and self._settings.get("language_detection"):
            extra |= {"language_code": LANGUAGE, "language_confidence": LANGUAGE_CONFIDENCE}
        if ended and self._speakers is not None:
            label = self._speakers.label(self._turn_order, words)
            told = self._speakers.tell(self._turn_order, label, told)
            extra |= {"speaker_label": label}
        return {
            "type": "Turn",
            "turn_order": self._turn_order,
            "turn_is_formatted": formatted,
            "end_of_turn": ended,
            "transcript": transcript,
            "utterance": transcript if ended and (self._pro or not formatted) else "",
            "end_of_turn_confidence": confidence,
            "words": told,
        } | extra

    def _milliseconds(self, sample: int) -> int:
        return round(sample * 1000 / self.sample_rate)


def billed_seconds(session_seconds: float) -> int:
    """Return what a session costs: every second begun that its socket was open (6 s idle was billed 7; observed)."""
    return int(session_seconds) + 1 if session_seconds > int(session_seconds) else int(session_seconds)


def formatted_words(words: Sequence[Word]) -> tuple[Word, ...]:
    """Return a turn's words with a first capital and a full stop; times stay."""
    texts = [word.text for word in words]
    if texts:
        texts[0] = texts[0][:1].upper() + texts[0][1:]
        texts[-1] += "."
    return tuple(
        Word(text, word.start, word.end, word.confidence, word.position)
        for text, word in zip(texts, words, strict=True)
    )


def _guess(word: Word) -> Word:
    return Word(word.text[:-1] + "?" if word.text else "?", word.start, word.end, 0.6, word.position)


TONGUE = Tongue(
    open_session=open_session,
    failure=failure,
    rejection=rejection,
    error_messages=error_messages,
    session_seconds=SESSION_SECONDS_MAX,
    close_reason=CLOSE_REASON,
    goodbye=GOODBYE,
    texts=DEFAULT_TEXTS,
)
