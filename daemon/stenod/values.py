"""One configured value: from text, against its type, and in words.

Types are strict (a bool is no int, a text is no number); limits stand in the type itself (`msgspec.Meta`). Nothing is
guessed: what does not fit is described, together with what would.
"""

import json
import tomllib
from collections.abc import Mapping
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    tuple: "a list",
    dict: "a table",
    NoneType: "nothing",
}
SYNTAX = {
    tuple: '; in a variable: `one, two` or `["one", "two"]`',
    Mapping: '; in a variable: `{ name = "value" }`, or JSON',
}
"""How a text stands for what is more than one value."""
TABLE = "a table of texts, numbers, true or false, and lists of texts"


class Unfit(Exception):
    """The value does not fit its option: what is wrong with it, and what is allowed."""

    def __init__(self, wrong: str, allowed: str) -> None:
        super().__init__(f"{wrong}; {allowed}")
        self.wrong = wrong
        self.allowed = allowed


def convert(kind: Any, value: object, *, variable: bool = False) -> Any:
    """Return `value` as the option's type holds it, or raise `Unfit`, with the syntax where it was a `variable`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        syntax = SYNTAX.get(get_origin(_bare(kind)[0]), "") if variable else ""
        raise Unfit(_wrong(kind, value), allowed(kind) + syntax) from None
    except UnicodeEncodeError:  # the environment carries bytes that are no text as lone surrogates
        raise Unfit(f"{value!a} is not UTF-8", "allowed: text in UTF-8") from None


def from_text(kind: Any, text: str) -> object:
    """Return the value that a text from the environment stands for; the text itself where it stands for none."""
    plain, _ = _bare(kind)
    try:
        if plain is bool:
            return BOOLEANS.get(text.casefold(), text)
        if plain in (int, float):
            return plain(text)
        if get_origin(plain) is tuple and not text.lstrip().startswith("["):
            return [part.strip() for part in text.split(",") if part.strip()]
        if get_origin(plain) in SYNTAX:
            return _read(text)
    except (ValueError, RecursionError):
        return text
    return text


def _read(text: str) -> object:
    """Return the value that is written as a file has it, or as JSON; raises `ValueError`."""
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return json.loads(text)
    if len(read) > 1:
        raise ValueError("more than one value stands there")
    return read["value"]


def notation(value: object) -> str:
    """Return the value as TOML writes it."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(str(key))} = {notation(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(notation, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False, default=str)


def allowed(kind: Any) -> str:
    """Return in words what the type takes: `allowed: a whole number from 8000 to 48000`."""
    plain, meta = _bare(kind)
    if meta is not None and meta.description:
        return f"allowed: {meta.description}"
    if get_origin(plain) is Literal:
        return f"allowed: {', '.join(map(notation, get_args(plain)))}"
    if get_origin(plain) is tuple:
        choices = get_args(get_args(plain)[0])
        return f"allowed: a list of {', '.join(map(notation, choices)) or 'texts'}"
    if get_origin(plain) is Mapping:
        return f"allowed: {TABLE}"
    limits = f" from {_figure(meta.ge)} to {_figure(meta.le)}" if meta is not None and meta.ge is not None else ""
    return f"allowed: {KINDS[plain]}{limits}"


def _figure(limit: Any) -> str:
    """Return a limit as it is, never rounded: it stands beside the value that just misses it."""
    return str(int(limit)) if limit == int(limit) else repr(limit)


def _bare(kind: Any) -> tuple[Any, msgspec.Meta | None]:
    """Return the type without its annotation, and the annotation."""
    if get_origin(kind) is not Annotated:
        return kind, None
    plain, *rest = get_args(kind)
    return plain, next((one for one in rest if isinstance(one, msgspec.Meta)), None)


def _wrong(kind: Any, value: object) -> str:
    plain, _ = _bare(kind)
    origin = get_origin(plain)
    if origin is Literal and isinstance(value, str):
        return f"{notation(value)} is unknown"
    if origin is tuple and isinstance(value, list | tuple):
        choices = get_args(get_args(plain)[0])
        if not choices:
            return f"{notation(value)} holds something else"
        return f"{', '.join(notation(one) for one in value if one not in choices)} is unknown"
    if origin is Mapping and isinstance(value, Mapping):
        return f"{notation(value)} holds something else"
    if origin is None and _fits(plain, value):
        return f"{notation(value)} is {'not fit' if plain is str else 'out of range'}"
    return f"{notation(value)} is {KINDS.get(type(value), 'a date or a time')}"


def _fits(kind: Any, value: object) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else notation(name)
