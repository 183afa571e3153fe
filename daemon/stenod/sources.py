"""Where configured values are written: a TOML file and the environment, to entries with their origin.

Entries are as they were written: unknown names are among them, and no value is checked (`config` does both).
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stenod.values import from_text

PREFIX = "STENOD_"
VARIABLE = "variable "
"""How the origin of such a value begins."""
FOREIGN = ("STENOD_TEST_",)
"""Variables of ours that configure no daemon but its tests."""
MAY_NOT = "name one that this user may read, or give it the right to (`ls -l` shows who has it)"
FILE_BYTES_MAX = 1_000_000
TABLE_LINE = re.compile(r"\[\s*([^\[\]=]+?)\s*\]\s*(?:#.*)?$")
KEY_LINE = re.compile(r"([A-Za-z0-9_\-.\"' ]+?)\s*=")


@dataclass(frozen=True, slots=True)
class Entry:
    """One value as somebody wrote it."""

    path: str
    """`table.option`; of an unknown variable its name."""
    value: object
    origin: str

    @property
    def is_variable(self) -> bool:
        """Whether it was written as a text in the environment."""
        return self.origin.startswith(VARIABLE)

    def spelling(self, path: str) -> str:
        """Return what this entry's writer would call `path`."""
        return variable(path) if self.path.startswith(PREFIX) else path


class Broken(Exception):
    """A source that cannot be read at all."""

    def __init__(self, what: str, wrong: str, allowed: str, origin: str) -> None:
        super().__init__(f"{what}: {wrong}")
        self.what = what
        self.wrong = wrong
        self.allowed = allowed
        self.origin = origin


def variable(path: str) -> str:
    """Return the environment's name of `table.option`."""
    return PREFIX + path.replace(".", "_").upper()


def read_file(path: Path, paths: Iterable[str]) -> list[Entry]:
    """Return what the file says, in its order; raises `Broken`. `paths` are the known options."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        wrong = f"cannot be read ({error.strerror})"
        remedy = MAY_NOT if isinstance(error, PermissionError) else "name a file that can"
        raise Broken("configuration", wrong, remedy, str(path)) from error
    try:
        text = raw.decode("utf-8-sig")  # an editor of Windows puts a mark before the first letter
        data = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Broken("configuration", f"line {line} is not UTF-8", "save it as UTF-8", f"{path}:{line}") from error
    except tomllib.TOMLDecodeError as error:
        raise Broken("configuration", f"not TOML: {error}", "see https://toml.io", str(path)) from error
    lines = _lines(text)
    known = frozenset(paths)
    tables = {one.partition(".")[0] for one in known if "." in one}
    entries = []
    for name, value in data.items():
        table = isinstance(value, dict) and name not in known
        written = {f"{name}.{key}": one for key, one in value.items()} if table else {name: value}
        if table and not value and name not in tables:
            written = {name: value}
        for key, one in written.items():
            origin = f"{path}:{lines[key]}" if key in lines else str(path)
            entries.append(Entry(key, one, origin))
    return entries


def read_environment(environment: Mapping[str, str], kinds: Mapping[str, Any]) -> list[Entry]:
    """Return what the environment says. `kinds` are the known options with their types."""
    paths = {variable(path): path for path in kinds}
    entries = []
    for name, text in environment.items():
        if name.startswith(PREFIX) and not name.startswith(FOREIGN):
            path = paths.get(name)
            if path is None:
                entries.append(Entry(name, text, "environment"))
            else:
                entries.append(Entry(path, from_text(kinds[path], text), f"{VARIABLE}{name}"))
    return entries


def _lines(text: str) -> dict[str, int]:
    """Return the line of each `table.option`, as far as a look at the lines tells."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if match := TABLE_LINE.match(line.strip()):
            table = _path(match[1])
            lines.setdefault(table, number)
            table += "."
        elif match := KEY_LINE.match(line.strip()):
            lines.setdefault(table + _path(match[1]), number)
    return lines


def _path(written: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in written.split("."))
