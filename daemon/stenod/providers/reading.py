"""Reading what a peer sent, with tolerance: a field that makes no sense is as good as missing.

It knows no provider's field names, and never raises for what a message may hold.
"""

import json
from typing import Any

import msgspec

TEXT_CHARACTERS_MAX = 2000
"""For names and sentences that go to logs; not for what was spoken."""


def read_object(message: str) -> dict[str, Any] | None:
    """Return a message's fields, None where it is no JSON object.

    Strict first, for speed. Python's own reader takes what servers written in Python send by mistake (`NaN`, which
    counts as missing, and half surrogates, which `text` replaces).
    """
    try:
        fields = msgspec.json.decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        try:
            fields = json.loads(message, parse_constant=lambda _constant: None)
        except (ValueError, RecursionError):
            return None
    return fields if isinstance(fields, dict) else None


def text(value: object, characters_max: int | None = TEXT_CHARACTERS_MAX) -> str:
    """Return a text that can be written as UTF-8, without surrounding space; empty where it is none."""
    if not isinstance(value, str):
        return ""
    return value.strip()[:characters_max].encode("utf-8", "replace").decode()


def number(value: object, largest: float) -> float | None:
    """Return a number from 0 to `largest`; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= largest:
        return None
    return float(value)
