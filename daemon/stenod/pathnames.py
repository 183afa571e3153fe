"""What may not stand where the path of a file is wanted: the key that the file should hold, the home of nobody."""

import os
from pathlib import Path

from stenod.core.pasting import resembles_key
from stenod.values import Unfit, notation


def is_key_itself(value: str) -> bool:
    """Return whether a key stands where the name of its file is wanted; what is a file is none."""
    return resembles_key(value) and not os.path.exists(value)  # noqa: PTH110 - it takes any text


def check_path(value: str) -> None:
    """Raise `Unfit` for the home directory of somebody whom nobody knows."""
    try:
        Path(value).expanduser()
    except RuntimeError as error:
        raise Unfit(f"nobody has the home directory of {notation(value)}", "allowed: a path; ~/ is your own") from error


def check_key_file(value: str) -> None:
    """Raise `Unfit` for a key, which is not repeated, and as `check_path` does."""
    if is_key_itself(value):
        raise Unfit("this looks like the key itself", "allowed: the path of a file that holds it")
    check_path(value)
