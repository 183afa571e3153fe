"""The dialect of Deepgram's /v1/listen, as its documentation and captures of the live service have it.

Facts and where they come from:

- Nothing is said on opening; a client that waits for a greeting waits for ever (seen on the wire).
- Times are seconds of the audio fed on this connection; a pause that only `KeepAlive` fills does not advance them.
- A long utterance comes in several pieces with `is_final` alone before the one with `speech_final`; an interim may
  reach further than the final after it. Results without words are routine, final ones too (5 of 17 in a capture).
- `Finalize` is answered by a result with `from_finalize`, unless little audio is waiting: then perhaps by nothing.
- `CloseStream`, or an empty binary message, brings the rest of the results, one `Metadata` with the hash of the audio,
  and a close with 1000 and no reason. A `Metadata` whose hash is `incomplete` precedes an abnormal end (captured).
- Two timers: nothing received for 10 s is NET-0001, nothing sent for 30 s is NET-0000. `KeepAlive` resets the first
  only, so a session of KeepAlives alone ends (documented until the server's first message, and observed; whether a
  longer pause of KeepAlives ends a session that has spoken is uncertain: it does here, the stricter reading). The
  reasons are prose with a link, not the documented tokens (five observers).
- Audio that cannot be decoded is 1008 DATA-0000; its prose is not published and follows the other two. Raw audio
  without `encoding` is such, for then a container is expected.
- A text message that cannot be parsed is answered by an `Error` and the session lives (uncertain).
- No longest session and no closure for audio that comes too fast are documented. Here a session ends only when told
  to expire, by a close alone (1001, as a server that goes away), and at 300 s of waiting audio, which bounds memory.

A result's span begins where the last final one ended. A final span covers only audio of which every word is final, so
a client may take its end for an acknowledgement: neither a word that has begun nor what might be one lies before it.
Words are cut to the span they stand in.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stenod.emulator import deepgram_door as door
from stenod.emulator.deepgram_results import Results, metadata
from stenod.emulator.deepgram_settings import ENDPOINTING_MS_DEFAULT, RATE_DEFAULT, settings_of
from stenod.emulator.dialect import (
    Command,
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

PATH = "/v1/listen"
NOTHING_SENT = "Deepgram did not provide a response message within the timeout window. See https://dpgr.am/net0000"
NOTHING_RECEIVED = (
    "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001"
)
NOT_AUDIO = Violation(1008, "Deepgram could not decode the payload as audio. See https://dpgr.am/data0000")
RECEIVE_SECONDS_MAX, SEND_SECONDS_MAX = 10.0, 30.0
PIECE_SECONDS = 3.0
PAUSE_SECONDS_WITHOUT_ENDPOINTING = 1.0
SILENCE_SECONDS = 1.0
SILENT_INTERIMS_A_FINAL = 3
FINALIZE_SECONDS_MIN = 0.5
GOODBYE = Violation(1000, "")
EXPIRED = Violation(1001, "")
FAILURES: Mapping[Failure, Violation] = {
    Failure.INACTIVE: Violation(1011, NOTHING_RECEIVED),
    Failure.UNANSWERED: Violation(1011, NOTHING_SENT),
    Failure.EXPIRED: EXPIRED,
    Failure.CANCELLED: Violation(1011, NOTHING_SENT),
    Failure.CROWDED: door.STATUSES[429],
    Failure.TOO_FAST: Violation(1011, NOTHING_SENT),
}
COMMANDS = {
    "KeepAlive": Command.KEEP_ALIVE,
    "Finalize": Command.END_TURN,
    "CloseStream": Command.TERMINATE,
    "Configure": Command.CONFIGURE,
}


def failure(kind: Failure, **numbers: float) -> Violation:  # noqa: ARG001 - the texts have no numbers
    """Return the code and text of an end that every dialect has."""
    return FAILURES[kind]


def error_messages(violation: Violation) -> Sequence[Message]:  # noqa: ARG001
    """Return what precedes the close of a connection that became no session: nothing."""
    return ()


def open_session(request: Request, keyring: Keyring) -> "Deepgram | Violation":
    """Judge key and parameters of a request whose handshake waits for it."""
    refused = door.judge_key(request, keyring)
    if refused is not None:
        return refused
    settings = settings_of(request)
    return settings if isinstance(settings, Violation) else Deepgram(settings, request.told("token"))


class Deepgram:
    """Implement `Dialect`."""

    def __init__(self, settings: dict[str, Any], parameters: Mapping[str, str]) -> None:
        self._settings = settings
        self.parameters = parameters
        self.sample_rate: int = settings.get("sample_rate", RATE_DEFAULT)
        self._endpointing = settings.get("endpointing", ENDPOINTING_MS_DEFAULT)
        self._hash = hashlib.sha256()
        self._opening = Opening(id="", opened_at=0.0, expires_at=None)
        self._results = Results(settings, self.sample_rate, "")
        self._cursor = self._silent_until = 0
        self._silent_interims = 0
        self._given = 0
        self._speaking = False
        self._last_word_end: int | None = None

    @property
    def limits(self) -> Limits:
        """See `Dialect`."""
        never = self._endpointing is False
        return Limits(
            pause_seconds=PAUSE_SECONDS_WITHOUT_ENDPOINTING if never else self._endpointing / 1000,
            inactivity_seconds=RECEIVE_SECONDS_MAX,
            silence_seconds=SEND_SECONDS_MAX,
            flushes=True,
        )

    def begin(self, opening: Opening) -> Sequence[Message]:
        """See `Dialect`; there is no greeting."""
        self._opening = opening
        self._results = Results(self._settings, self.sample_rate, opening.id)
        return ()

    def text(self, message: str) -> Demand:
        """See `Dialect`."""
        said = door.message_of(message, COMMANDS)
        if isinstance(said, str):
            return Reply([{"type": "Error", "variant": "SchemaError", "description": said, "message": message}])
        content, command = said
        return Reply([self._configured(content)]) if command is Command.CONFIGURE else command

    def audio(self, message: bytes) -> Demand:
        """See `Dialect`; an empty message is the old goodbye."""
        if not message:
            return Command.TERMINATE
        if len(message) % 2 or "encoding" not in self._settings:
            return NOT_AUDIO
        self._hash.update(message)
        return message

    def heard(self, hypotheses: Sequence[Hypothesis], progress: Progress) -> Sequence[Saying]:
        """See `Dialect`."""
        sayings: list[Saying] = []
        for place, hypothesis in enumerate(hypotheses):
            sayings += self._started(hypothesis)
            if hypothesis.ended:
                sayings.append(self._ended(hypothesis, reached(hypotheses[place + 1 :], progress), progress))
            else:
                sayings += self._open(hypothesis, progress)
        sayings += self._utterance_end(progress)
        return sayings + self._silence(progress, answered=any(one.ended for one in hypotheses))

    def heartbeat(self, vitals: Vitals) -> Sequence[Message]:  # noqa: ARG002
        """See `Dialect`; there is none."""
        return ()

    def farewell(self, vitals: Vitals) -> Sequence[Message]:
        """See `Dialect`."""
        return [metadata(self._settings, self._opening, vitals, self._hash.hexdigest())]

    def last_words(self, violation: Violation, vitals: Vitals) -> Sequence[Message]:
        """See `Dialect`."""
        return () if violation == EXPIRED else [metadata(self._settings, self._opening, vitals, "incomplete")]

    # Results

    def _started(self, hypothesis: Hypothesis) -> list[Saying]:
        if self._speaking or not hypothesis.words:
            return []
        self._speaking = True
        if not self._settings.get("vad_events"):
            return []
        at = self._results.seconds(hypothesis.words[0].start)
        return [Saying([{"type": "SpeechStarted", "channel": [0, 1], "timestamp": at}])]

    def _open(self, hypothesis: Hypothesis, progress: Progress) -> list[Saying]:
        """Say what of an open utterance is settled for long enough, and show the rest."""
        self._last_word_end = hypothesis.words[-1].end
        sayings = []
        settled = hypothesis.words[self._given : hypothesis.settled]
        if settled and settled[-1].end - settled[0].start >= PIECE_SECONDS * self.sample_rate:
            sayings.append(self._final(settled, settled[-1].end, first=not self._given))
            self._given = hypothesis.settled
        words = hypothesis.words[self._given :]
        if words and self._settings.get("interim_results"):
            shown = self._results.message((self._cursor, progress.samples), self._cut(words), first=not self._given)
            sayings.append(Saying([shown]))
        return sayings

    def _ended(self, hypothesis: Hypothesis, until: int, progress: Progress) -> Saying:
        words = hypothesis.words[self._given :]
        if words:
            self._last_word_end = words[-1].end
            until = max(until, words[-1].end)
        endpoint = self._endpointing is not False or progress.forced
        saying = self._final(words, until, first=not self._given, endpoint=endpoint, forced=progress.forced, last=True)
        self._given, self._speaking = 0, False
        self._results.speaker += 1
        return replace(saying, delay_seconds=hypothesis.delay_seconds)

    def _final(self, words: Sequence[Word], until: int, **marks: bool) -> Saying:
        words = self._cut(words)
        span = (self._cursor, max(until, self._cursor))
        self._cursor = self._silent_until = span[1]
        self._silent_interims = 0
        return Saying([self._results.message(span, words, final=True, **marks)], words or None)

    def _cut(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """Return the words as they stand in a span that begins at the cursor."""
        return tuple(
            replace(word, start=max(word.start, self._cursor), end=max(word.end, self._cursor)) for word in words
        )

    def _utterance_end(self, progress: Progress) -> list[Saying]:
        limit_ms = self._settings.get("utterance_end_ms")
        last = self._last_word_end
        if limit_ms is None or last is None or progress.quiet - last < limit_ms / 1000 * self.sample_rate:
            return []
        self._last_word_end = None
        return [Saying([{"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": self._results.seconds(last)}])]

    def _silence(self, progress: Progress, *, answered: bool) -> list[Saying]:
        """Say that nothing was said: about once a second, when told to finalise, and at the end."""
        if self._speaking:
            return []
        if progress.forced and not answered:
            little = progress.quiet - self._cursor < FINALIZE_SECONDS_MIN * self.sample_rate
            return [] if little else [self._final((), progress.quiet, forced=True)]
        if progress.closing:
            return [self._final((), progress.quiet)] if progress.quiet > self._cursor else []
        if progress.quiet - self._silent_until < SILENCE_SECONDS * self.sample_rate:
            return []
        if self._settings.get("interim_results") and self._silent_interims < SILENT_INTERIMS_A_FINAL - 1:
            self._silent_interims += 1
            self._silent_until = progress.quiet
            return [Saying([self._results.message((self._cursor, progress.quiet), ())])]
        return [self._final((), progress.quiet)]

    def _configured(self, content: Mapping[str, object]) -> Message:
        """Answer a `Configure`; only Nova-3 knows it. Terms that are left out, or null, stay as they are."""
        keyterms = content.get("keyterms")
        excess = keyterms is not None and not (
            isinstance(keyterms, list) and not door.keyterms_excess([str(one) for one in keyterms])
        )
        code = None
        if not self._settings["model"].startswith("nova-3"):
            code, text = "CONFIGURE_KEYTERMS_NOT_SUPPORTED", "Keyterms are not supported for this model."
        elif excess:
            code, text = "CONFIGURE_KEYTERM_LIMIT_EXCEEDED", "Keyterm limit exceeded."
        if code is not None:
            failed: Message = {"type": "ConfigureFailure", "request_id": self._opening.id}
            return failed | {"code": code, "description": text}
        told = {} if keyterms is None else {"keyterms": keyterms}
        return {"type": "ConfigureSuccess", "request_id": self._opening.id, **told}


def reached(later: Sequence[Hypothesis], progress: Progress) -> int:
    """Return up to where everything was heard when a hypothesis ended, if these came after it."""
    return min((word.start for hypothesis in later for word in hypothesis.words[:1]), default=progress.quiet)


TONGUE = Tongue(
    open_session=open_session,
    failure=failure,
    rejection=door.rejection,
    error_messages=error_messages,
    goodbye=GOODBYE,
    texts={1000: "", 1001: "", NOT_AUDIO.code: NOT_AUDIO.text, 1011: NOTHING_SENT},
    statuses=door.STATUSES,
    accept=door.accept,
    early=True,
    bills_audio=True,
)
