"""What may not stand where the path of a file is wanted: the key that it should hold, the home of nobody, no name.

What a path means is told in one place for all commands and options: `~` is expanded everywhere alike. `stenod health`
uses it, so it imports next to nothing until something is wrong.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from stenod.core.pasting import resembles_key


def is_key_itself(value: str) -> bool:
    """Return whether a key stands where the name of its file is wanted; what is a file is none."""
    return resembles_key(value) and not os.path.exists(value)  # noqa: PTH110 - it takes any text


def expanded(value: str) -> Path:
    """Return the path that a text means, `~` as the home; raises `ValueError`, a clause that says what is wrong."""
    if "\0" in value:  # in no name of a file (path_resolution(7))
        message = f"{json.dumps(value)} holds a NUL byte"
        raise ValueError(message)
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        message = f"nobody has the home directory of {json.dumps(value, ensure_ascii=False)}"
        raise ValueError(message) from error


def directory(value: str) -> Path:
    """Return the path of a state directory, as `expanded`; it stands in records and logs, so it must be text."""
    path = expanded(value)
    try:
        str(path).encode()
    except UnicodeEncodeError:  # bytes that are no text come as lone surrogates
        message = f"{str(path)!a} is not UTF-8"
        raise ValueError(message) from None
    return path


def check_path(value: str) -> None:
    """Raise `Unfit` for the home directory of somebody whom nobody knows, and for what no file can be called."""
    _check(expanded, value)


def check_directory(value: str) -> None:
    """Raise `Unfit` as `check_path` does, and for what is not UTF-8."""
    _check(directory, value)


def check_key_file(value: str) -> None:
    """Raise `Unfit` for a key, which is not repeated, and as `check_path` does."""
    from stenod.values import Unfit

    if is_key_itself(value):
        raise Unfit("this looks like the key itself", "allowed: the path of a file that holds it")
    check_path(value)


def _check(meaning: Callable[[str], Path], value: str) -> None:
    from stenod.values import Unfit

    try:
        meaning(value)
    except ValueError as error:
        raise Unfit(str(error), "allowed: a path; ~/ is your own") from error
