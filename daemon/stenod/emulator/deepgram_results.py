"""Deepgram /v1/listen: the long messages, `Results` and `Metadata`.

Shapes as captured from the live service. A model's id is made from its name here, so that it is the same everywhere.
With `punctuate` or `smart_format` the first word of an utterance has a capital and the last a full stop, in
`punctuated_word` and in the transcript; `word` stays bare.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from stenod.emulator.dialect import Message, Opening, Vitals
from stenod.emulator.engine import Word

MODEL_VERSIONS = {"nova-2": "2024-01-18.26916"}
MODEL_VERSION = "2025-01-01.1"
SECONDS_DIGITS = 6
SPEAKERS = 2


class Results:
    """Write one session's `Results`; `speaker` counts utterances, for who spoke changes with them."""

    def __init__(self, settings: Mapping[str, Any], rate: int, request_id: str) -> None:
        self._rate = rate
        self._punctuates = bool(settings.get("punctuate") or settings.get("smart_format"))
        self._diarizes = bool(settings.get("diarize") or settings.get("diarize_model"))
        self._dice = uuid.UUID(request_id).int if request_id else 0
        self._metadata = {
            "request_id": request_id,
            "model_info": model_info(settings["model"]),
            "model_uuid": model_id(settings["model"]),
        }
        self.speaker = 0

    def seconds(self, sample: int) -> float:
        """Return a time as the wire has it."""
        return round(sample / self._rate, SECONDS_DIGITS)

    def message(
        self,
        span: tuple[int, int],
        words: Sequence[Word],
        *,
        final: bool = False,
        endpoint: bool = False,
        forced: bool = False,
        first: bool = False,
        last: bool = False,
    ) -> Message:
        """Return a result: `first` and `last` say that the words begin or end an utterance."""
        shown = self._punctuated(words, first=first, last=last) if self._punctuates else [word.text for word in words]
        alternative = {
            "transcript": " ".join(shown),
            "confidence": round(sum(word.confidence for word in words) / len(words), 6) if words else 0.0,
            "words": [self._word(word, text) for word, text in zip(words, shown, strict=True)],
        }
        return {
            "type": "Results",
            "channel_index": [0, 1],
            "duration": self.seconds(span[1] - span[0]),
            "start": self.seconds(span[0]),
            "is_final": final,
            "speech_final": endpoint,
            "channel": {"alternatives": [alternative]},
            "metadata": self._metadata,
            "from_finalize": forced,
        }

    def _word(self, word: Word, text: str) -> Message:
        told: Message = {
            "word": word.text,
            "start": self.seconds(word.start),
            "end": self.seconds(word.end),
            "confidence": round(word.confidence, 6),
        }
        if self._punctuates:
            told["punctuated_word"] = text
        if self._diarizes:
            told["speaker"] = (self._dice >> self.speaker % 64) % SPEAKERS
        return told

    def _punctuated(self, words: Sequence[Word], *, first: bool, last: bool) -> list[str]:
        texts = [word.text for word in words]
        if texts and first:
            texts[0] = texts[0][:1].upper() + texts[0][1:]
        if texts and last:
            texts[-1] += "."
        return texts


def model_id(model: str) -> str:
    """Return the id of a model."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, model))


def model_info(model: str) -> Message:
    """Return what is told of a model; Nova-2 names itself otherwise than Nova-3 (both captured)."""
    family = next((one for one in ("nova-3", "nova-2") if model.startswith(one)), model.partition("-")[0])
    purpose = model.removeprefix(family).removeprefix("-") or "general"
    name = f"2-{purpose}-nova" if family == "nova-2" else f"{purpose}-{family}"
    return {"name": name, "version": MODEL_VERSIONS.get(family, MODEL_VERSION), "arch": family}


def metadata(settings: Mapping[str, Any], opening: Opening, vitals: Vitals, sha256: str) -> Message:
    """Return the one `Metadata`; without audio it has neither channels nor models."""
    created = datetime.fromtimestamp(opening.opened_at, UTC).isoformat(timespec="milliseconds")
    told: Message = {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": opening.id,
        "sha256": sha256,
        "created": created.replace("+00:00", "Z"),
        "duration": round(vitals.audio_seconds, SECONDS_DIGITS),
        "channels": 1 if vitals.audio_seconds else 0,
    }
    if vitals.audio_seconds:
        model = model_id(settings["model"])
        told |= {"models": [model], "model_info": {model: model_info(settings["model"])}}
    return told
