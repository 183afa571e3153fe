"""AssemblyAI v3: the connect-time parameters, what each accepts, and the words of its refusal.

One table, `RULES`, for the query string and for `UpdateConfiguration`. Unknown and misspelt parameters are silently
ignored, as the live service does (four typos, no error, no warning). A refused value is a 3006 after the handshake and
before `Begin`. The wording of the sample rate, encoding and model rows was seen on the live service; the other rows
follow its pattern (pydantic's), and their exact words are not known.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "User Input Validation Error: "
MODELS = (
    "universal-streaming-english",
    "universal-streaming-multilingual",
    "whisper-rt",
    "u3-rt-pro",
    "u3-rt-pro-beta-1",
    "u3-rt-agent",
    "universal-3-5-pro",
    "universal-3-6-pro",
    "universal-3-6",
    "universal-3-7-preview",
    "_universal-3-5-notetaker",
)
"""The live service's own enumeration, as a refusal printed it."""
MODEL_DEFAULT = "universal-3-5-pro"
ENCODINGS = ("pcm_s16le", "pcm_mulaw", "opus", "ogg_opus", "aac")
Reader = Callable[[Any], str | None]
"""Takes a decoded value, returns what is wrong with it."""


def is_pro(model: str) -> bool:
    """Tell the Pro family (rewritten partials, one formatted final) from Universal-Streaming."""
    return model.removeprefix("_").startswith(("u3-", "universal-3"))


def _whole(low: int, high: int | None = None) -> Reader:
    def read(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return "Input should be a valid integer"
        if value < low:
            return f"Input should be greater than or equal to {low}"
        return f"Input should be less than or equal to {high}" if high is not None and value > high else None

    return read


def _number(low: float, high: float) -> Reader:
    def read(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "Input should be a valid number"
        return None if low <= value <= high else f"Input should be between {low} and {high}"

    return read


YES, NO = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")
TRUTH = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)
"""What a query may call it, in any case: the words that the refusals' own library takes."""


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "Input should be a valid boolean"


def _text(length_max: int) -> Reader:
    def read(value: Any) -> str | None:
        if not isinstance(value, str):
            return "Input should be a valid string"
        return f"Value exceeds maximum length of {length_max} characters" if len(value) > length_max else None

    return read


def _choice(name: str, *values: str) -> Reader:
    def read(value: Any) -> str | None:
        return None if value in values else f"{value!r} is not a valid {name}"

    return read


def _texts(count_max: int) -> Reader:
    def read(value: Any) -> str | None:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return "Input should be a valid list of strings"
        return f"Max {count_max} items" if len(value) > count_max else None

    return read


def _sample_rate(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return "Input should be a valid integer"
    if value < 8_000:
        return "Value error, sample_rate must be at least 8,000 Hz"
    return "Value error, sample_rate must be at most 96,000 Hz" if value > 96_000 else None


def _encoding(value: Any) -> str | None:
    if value not in ENCODINGS:
        return f"{value!r} is not a valid Encoding"
    return None if value == "pcm_s16le" else f"{value!r} is not spoken by the emulator, only 'pcm_s16le'"


@dataclass(frozen=True, slots=True)
class Rule:
    """How one parameter is read: what is wrong with a value, and what may be done with it later."""

    read: Reader
    text: bool = False
    updatable: bool = False
    pro: bool = False


RULES: Mapping[str, Rule] = {
    "sample_rate": Rule(_sample_rate),
    "encoding": Rule(_encoding, text=True),
    "speech_model": Rule(_choice("SpeechModel", *MODELS), text=True),
    "inactivity_timeout": Rule(_whole(5, 3600)),
    "format_turns": Rule(_boolean, updatable=True),
    "end_of_turn_confidence_threshold": Rule(_number(0, 1), updatable=True),
    "min_turn_silence": Rule(_whole(0), updatable=True),
    "min_end_of_turn_silence_when_confident": Rule(_whole(0), updatable=True),
    "max_turn_silence": Rule(_whole(0), updatable=True),
    "vad_threshold": Rule(_number(0, 1), updatable=True),
    "keyterms_prompt": Rule(_texts(100), updatable=True),
    "prompt": Rule(_text(1750), text=True, updatable=True),
    "agent_context": Rule(_text(1750), text=True, updatable=True),
    "previous_context_n_turns": Rule(_whole(0, 100)),
    "language_detection": Rule(_boolean),
    "language_codes": Rule(_texts(10), updatable=True),
    "speaker_labels": Rule(_boolean),
    "max_speakers": Rule(_whole(1, 10)),
    "speaker_labels_revision_interval_ms": Rule(_whole(0)),
    "mode": Rule(_choice("Mode", "min_latency", "balanced", "max_accuracy"), text=True, updatable=True, pro=True),
    "continuous_partials": Rule(_boolean, updatable=True),
    "interruption_delay": Rule(_whole(0, 1000), updatable=True),
    "turn_left_pad_ms": Rule(_whole(0), updatable=True),
    "include_partial_turns": Rule(_boolean),
    "session_heartbeat": Rule(_boolean, updatable=True),
    "acknowledge_silence": Rule(_boolean, updatable=True),
    "filter_profanity": Rule(_boolean, updatable=True),
    "redact_pii": Rule(_boolean),
    "domain": Rule(_choice("Domain", "medical-v1"), text=True),
    "voice_focus": Rule(_choice("VoiceFocus", "near-field", "far-field"), text=True),
    "voice_focus_threshold": Rule(_number(0, 1)),
}


def settings_of_query(query: Mapping[str, str]) -> dict[str, Any] | str:
    """Return the connect-time settings, or the text of the first refusal."""
    values = {name: _decode(name, text) for name, text in query.items() if name in RULES}
    if "sample_rate" not in values:
        return f"{PREFIX}Invalid 'sample_rate': Field required"
    values.setdefault("speech_model", MODEL_DEFAULT)
    values.setdefault("encoding", "pcm_s16le")
    return _refusal(values, values["speech_model"]) or values


def settings_of_update(update: Mapping[str, Any], model: str) -> dict[str, Any] | str:
    """Return the settings of an `UpdateConfiguration`, or the text of the first refusal.

    What is fixed at connect time is ignored like what is unknown: no source says what the service does with it.
    """
    values = {name: value for name, value in update.items() if name in RULES and RULES[name].updatable}
    return _refusal(values, model) or values


def _refusal(values: Mapping[str, Any], model: str) -> str | None:
    for name, value in values.items():
        wrong = RULES[name].read(value)
        if wrong is None and RULES[name].pro and not is_pro(model):
            wrong = f"not supported by the model {model!r}"
        if wrong is not None:
            return f"{PREFIX}Invalid '{name}': {wrong}"
    return None


def _decode(name: str, text: str) -> Any:
    """Read a query value: text stays text, all else is JSON; what is no JSON stays text and fails its rule.

    Truth has more words in a query than in JSON: the official client sends `True`.
    """
    if RULES[name].text:
        return text
    if RULES[name].read is _boolean:
        return TRUTH.get(text.casefold(), text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
