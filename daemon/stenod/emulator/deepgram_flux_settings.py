"""Deepgram /v2/listen (Flux): the query parameters, the thresholds that `Configure` may change, and their refusals.

Ranges are the wider ones of the later documentation. All refusals of a connection are a 400 before the 101; that their
causes are refused is documented, their exact words are not. What /v1/listen has and this interface has not is ignored
like any unknown parameter (uncertain).
"""

from collections.abc import Mapping
from typing import Any

from stenod.emulator.deepgram_door import keyterms_excess, refusal
from stenod.emulator.dialect import Request, Violation

MODELS = ("flux-general-en", "flux-general-multi")
MULTILINGUAL = "flux-general-multi"
ENCODINGS = ("linear16", "linear32", "mulaw", "alaw", "opus", "ogg-opus")
RATES = (8_000, 16_000, 24_000, 44_100, 48_000)
THRESHOLDS: Mapping[str, tuple[float, float]] = {
    "eot_threshold": (0.5, 1.0),
    "eager_eot_threshold": (0.3, 0.9),
    "eot_timeout_ms": (500, 60_000),
}
DEFAULTS: Mapping[str, float] = {"eot_threshold": 0.7, "eot_timeout_ms": 5_000}
BOOLEANS = ("profanity_filter", "numerals", "mip_opt_out")


def settings_of(request: Request) -> dict[str, Any] | Violation:
    """Return the settings of a request, or the first refusal."""
    query = request.query
    thresholds: dict[str, Any] = dict(DEFAULTS)
    for name in THRESHOLDS:
        if name in query:
            thresholds[name] = _number(query[name])
    keyterms, hints = request.every("keyterm"), request.every("language_hint")
    wrong = (
        _model_fault(query.get("model"))
        or _audio_fault(query.get("encoding"), query.get("sample_rate"))
        or thresholds_fault(thresholds)
        or lists_fault(query["model"], keyterms, hints)
        or next((f"{name}: expected `true` or `false`" for name in BOOLEANS if not _is_boolean(query.get(name))), None)
    )
    if wrong is not None:
        return refusal(f"Failed to deserialize query parameters: {wrong}.")
    settings: dict[str, Any] = {"model": query["model"], "keyterms": list(keyterms), "language_hints": list(hints)}
    if "encoding" in query:
        settings |= {"sample_rate": int(query["sample_rate"])}
    return settings | {"thresholds": thresholds}


def thresholds_fault(thresholds: Mapping[str, Any]) -> str | None:
    """Return what is wrong with thresholds, alone and together."""
    for name, value in thresholds.items():
        if name not in THRESHOLDS:
            continue
        low, high = THRESHOLDS[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            return f"{name}: expected a value from {low} to {high}"
    eager = thresholds.get("eager_eot_threshold")
    if eager is not None and eager > thresholds.get("eot_threshold", 1.0):
        return "eager_eot_threshold: expected at most eot_threshold"
    return None


def lists_fault(model: str, keyterms: object, hints: object) -> str | None:
    """Return what is wrong with keyterms and language hints."""
    for name, value in (("keyterms", keyterms), ("language_hints", hints)):
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            return f"{name}: expected a list of strings"
    assert isinstance(keyterms, list | tuple)
    if keyterms_excess(keyterms):
        return "keyterm limit exceeded, the maximum number of tokens is 500"
    return f"language_hint: only supported for {MULTILINGUAL}" if hints and model != MULTILINGUAL else None


def _model_fault(model: str | None) -> str | None:
    if model is None:
        return "missing field `model`"
    return None if model in MODELS else f"model: unknown variant `{model}`, expected `{MODELS[0]}` or `{MODELS[1]}`"


def _audio_fault(encoding: str | None, rate: str | None) -> str | None:
    if encoding is None:
        return None if rate is None else "missing field `encoding`"
    if encoding not in ENCODINGS:
        return f"encoding: unknown variant `{encoding}`"
    if encoding != "linear16":
        return f"encoding: `{encoding}` is not spoken by the emulator, only `linear16`"
    if rate is None or rate not in map(str, RATES):
        return f"sample_rate: expected one of {', '.join(map(str, RATES))}"
    return None


def _is_boolean(text: str | None) -> bool:
    return text in (None, "true", "false")


def _number(text: str) -> float | str:
    """Return a number, or the text that is none and fails its range."""
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text
