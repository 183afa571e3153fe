"""Deepgram /v1/listen: the query parameters, what each accepts, and the words of its refusal.

One table, `RULES`, of readers; parameters that must agree with each other are judged after it. All refusals are a 400
before the 101. Unknown parameters are ignored (uncertain). That the causes are refused is documented or was seen in
clients' reports; the wording is that of a few published ones, carried over to the others.

Only raw linear16 on one channel is heard here: other encodings that the service knows are refused in words that say
so. Without `encoding` the service expects a container, so raw audio cannot be decoded: see `deepgram`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from stenod.emulator.deepgram_door import STATUSES, keyterms_excess, refusal
from stenod.emulator.dialect import Request, Violation

ENCODINGS = (
    "linear16",
    "linear32",
    "flac",
    "alaw",
    "mulaw",
    "amr-nb",
    "amr-wb",
    "opus",
    "ogg-opus",
    "speex",
    "g729",
)
MODEL_DEFAULT, LANGUAGE_DEFAULT = "base", "en"
ENDPOINTING_MS_DEFAULT = 10
RATE_MIN, RATE_MAX, RATE_DEFAULT = 8_000, 48_000, 16_000
MODEL = re.compile(r"(nova-3|nova-2|nova|enhanced|base)(-[a-z-]+)?|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*|multi")
TAG_LENGTH_MAX = 128
UTTERANCE_END_ALONE = "`utterance_end_ms` requires `interim_results=true`."
Reader = Callable[[str], Any]
"""Takes a parameter's text, returns its value. Raises `ValueError` with what is wrong with it."""


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("expected `true` or `false`")
    return text == "true"


def whole(low: int, high: int | None = None) -> Reader:
    """Return a reader of whole numbers."""

    def read(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,9}", text):
            raise ValueError("invalid digit found in string")
        value = int(text)
        if value < low or (high is not None and value > high):
            raise ValueError(f"expected at least {low}" if high is None else f"expected a value from {low} to {high}")
        return value

    return read


def _endpointing(text: str) -> int | bool:
    milliseconds: int = False if text == "false" else whole(0)(text)
    return milliseconds


def _encoding(text: str) -> str:
    if text not in ENCODINGS:
        raise ValueError(f"unknown variant `{text}`, expected one of {', '.join(f'`{one}`' for one in ENCODINGS)}")
    if text != "linear16":
        raise ValueError(f"`{text}` is not spoken by the emulator, only `linear16`")
    return text


def _channels(text: str) -> int:
    count: int = whole(1)(text)
    if count > 1:
        raise ValueError("the emulator hears one channel only")
    return count


def _language(text: str) -> str:
    if not LANGUAGE.fullmatch(text):
        raise ValueError("no such model/language/tier combination found")
    return text


def _diarize_model(text: str) -> str:
    if text not in ("latest", "v1"):
        raise ValueError("expected `latest` or `v1`")
    return text


def _tag(text: str) -> str:
    if len(text) > TAG_LENGTH_MAX:
        raise ValueError(f"expected at most {TAG_LENGTH_MAX} characters")
    return text


RULES: Mapping[str, Reader] = {
    "encoding": _encoding,
    "sample_rate": whole(RATE_MIN, RATE_MAX),
    "channels": _channels,
    "language": _language,
    "endpointing": _endpointing,
    "utterance_end_ms": whole(0),
    "diarize_model": _diarize_model,
    "tag": _tag,
} | dict.fromkeys(
    (
        "interim_results",
        "vad_events",
        "multichannel",
        "smart_format",
        "no_delay",
        "punctuate",
        "numerals",
        "profanity_filter",
        "filler_words",
        "dictation",
        "diarize",
        "detect_entities",
        "detect_language",
        "mip_opt_out",
    ),
    _boolean,
)


def settings_of(request: Request) -> dict[str, Any] | Violation:
    """Return the settings of a request, or the first refusal."""
    settings: dict[str, Any] = {"model": request.query.get("model", MODEL_DEFAULT), "language": LANGUAGE_DEFAULT}
    settings |= {"keyterms": request.every("keyterm"), "keywords": request.every("keywords")}
    for name, text in request.query.items():
        if name not in RULES:
            continue
        try:
            settings[name] = RULES[name](text)
        except ValueError as error:
            return refusal(f"Failed to deserialize query parameters: {name}: {error}.")
    return _model_refusal(settings) or _disagreement(settings) or settings


def _model_refusal(settings: Mapping[str, Any]) -> Violation | None:
    model = settings["model"]
    if model.startswith("flux"):
        return refusal(f"Model `{model}` is not supported on this endpoint. Use the /v2/listen endpoint instead.")
    if model.startswith("whisper"):
        return STATUSES[405]
    return None if MODEL.fullmatch(model) else refusal("No such model/language/tier combination found.")


def _disagreement(settings: Mapping[str, Any]) -> Violation | None:
    """Return what is wrong with parameters that are right one by one."""
    nova_3 = settings["model"].startswith("nova-3")
    wrong = (
        (
            settings.get("encoding") and not settings.get("sample_rate"),
            "`sample_rate` is required when `encoding` is given.",
        ),
        (nova_3 and settings["keywords"], "Keywords are not supported for Nova-3. Use keyterm prompting instead."),
        (not nova_3 and settings["keyterms"], "Keyterm prompting is only supported for Nova-3 models."),
        (keyterms_excess(settings["keyterms"]), "Keyterm limit exceeded. The maximum number of tokens is 500."),
        ("utterance_end_ms" in settings and not settings.get("interim_results"), UTTERANCE_END_ALONE),
        (settings.get("detect_language"), "Language detection is not supported for streaming."),
    )
    return next((refusal(text) for is_wrong, text in wrong if is_wrong), None)
