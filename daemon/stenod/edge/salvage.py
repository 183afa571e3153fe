"""A ledger that is damaged: set aside beside the new one, never deleted, and read as far as SQLite can."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from stenod.core.beginning import Salvage

COMPANIONS = ("-wal", "-shm")
MARK = ".damaged"
"""What `edge.ledger` leaves beside a database that it found damaged."""
ASIDE = ".damaged-"


def set_aside(path: Path, moment: str) -> Path:
    """Rename a database, and what belongs to it, so that its name is free; return its new name.

    The companions go last: a new database beside an old one's log would be damaged at once, so a start that finds one
    without its database moves it too.
    """
    aside, number = path.with_name(f"{path.name}{ASIDE}{moment}"), 1
    while aside.exists() or any(aside.with_name(aside.name + end).exists() for end in COMPANIONS):
        number += 1
        aside = path.with_name(f"{path.name}{ASIDE}{moment}-{number}")
    for end in ("", *COMPANIONS):
        with suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    path.with_name(path.name + MARK).unlink(missing_ok=True)
    return aside


def orphaned(path: Path) -> bool:
    """Return whether there are companions without their database."""
    return not path.exists() and any(path.with_name(path.name + end).exists() for end in COMPANIONS)


def all_aside(path: Path) -> list[Path]:
    """Return the databases that were set aside, oldest first."""
    found = path.parent.glob(f"{path.name}{ASIDE}*")
    return sorted(one for one in found if not one.name.endswith(COMPANIONS))


def salvaged(path: Path) -> Mapping[str, Salvage]:
    """Return what a database that is set aside says of its streams, as far as it can be read."""
    for mode in ("mode=ro", "immutable=1"):
        with (
            suppress(sqlite3.Error, UnicodeDecodeError),
            closing(sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True)) as database,
        ):
            rows = database.execute("SELECT stream, rate, epoch, session, tail FROM stream").fetchall()
            return {
                stream: Salvage(*numbers)
                for stream, *numbers in rows
                if isinstance(stream, str) and all(isinstance(number, int) for number in numbers)
            }
    return {}
