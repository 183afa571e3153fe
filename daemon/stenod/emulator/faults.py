"""Faults: the table of what may go wrong, and the file that says what shall.

A faults file is TOML with one `[[fault]]` table each:

    [[fault]]
    kind = "drop"       # what
    audio = 30.0        # when: at this many seconds of a session's audio ...
    session = 1         # ... only in the second session; without it, in each

    [[fault]]
    kind = "black-hole"
    wall = 60.0         # when: this many seconds after the server started ...
    duration = 20.0     # how long
    repeat = 300.0      # ... and again every so many seconds

`audio` and `wall` are two clocks; a fault has at most one of them. `repeat` is on the same clock. `count` bounds how
often it strikes in all. `code`, `text` and `status` say what the client is told. Kinds come in four scopes (`KINDS`):

- *line*, of the whole server: `wall` is when it begins, or `audio` of a session is; neither means from the start on.
- *opening*, of a connection attempt: strikes every attempt, only number `attempt` (from 0), at most `count` of them;
  with `wall`, only from then on and for `duration` (for `slow` kinds, which need `duration` for their delay, without
  end).
- *session*: at `audio` or `wall`; without them right after it was accepted, the one that `session` names or each.
- *end*: like session; with no `audio`, `wall` or `session` it is an opening's end, before the session is accepted.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any


class Scope(Enum):
    """What a kind of fault strikes; see the module."""

    LINE = "line"
    OPENING = "opening"
    SESSION = "session"
    END = "end"


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: the scope, one sentence, and the duration if none is given (None: for good)."""

    scope: Scope
    meaning: str
    duration: float | None = None
    needs: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "black-hole": Kind(Scope.LINE, "no connection is read or written; afterwards life goes on", needs=("duration",)),
    "refuse": Kind(Scope.LINE, "connections are reset as they arrive", needs=("duration",)),
    "status": Kind(Scope.OPENING, "the upgrade is answered with an HTTP status and a body", needs=("status",)),
    "slow": Kind(Scope.OPENING, "the upgrade is answered late", needs=("duration",)),
    "slow-begin": Kind(Scope.OPENING, "the session is accepted late, after the upgrade", needs=("duration",)),
    "drop": Kind(Scope.END, "the connection is reset, without a goodbye"),
    "close": Kind(Scope.END, "a close frame and no error message"),
    "error": Kind(Scope.END, "an error message, then a close with its code"),
    "error-untyped": Kind(Scope.END, "the error message of older servers, then a close"),
    "expire": Kind(Scope.SESSION, "the session's time limit is reached"),
    "begin-then-die": Kind(Scope.SESSION, "the session is cancelled some seconds after it was accepted", duration=5.0),
    "deaf": Kind(Scope.SESSION, "this connection is not read or answered any more"),
    "mute": Kind(Scope.SESSION, "audio is taken and pings are answered, but no message comes"),
    "slow-messages": Kind(Scope.SESSION, "each message from now on is late by the duration", needs=("duration",)),
    "garbage": Kind(Scope.SESSION, "messages that no client should choke on; the session goes on"),
    "huge": Kind(Scope.SESSION, "a text message of four megabytes; the session goes on"),
}


class FaultsError(Exception):
    """A faults file or table is wrong; `errors` holds every mistake."""

    def __init__(self, errors: list[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(errors))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that shall go wrong; the module says what the fields mean. Raises `FaultsError` when they disagree."""

    kind: str
    audio: float | None = None
    wall: float | None = None
    session: int | None = None
    attempt: int | None = None
    count: int | None = None
    duration: float | None = None
    repeat: float | None = None
    code: int | None = None
    text: str | None = None
    status: int | None = None

    def __post_init__(self) -> None:
        errors = list(_errors_of({field.name: getattr(self, field.name) for field in fields(self)}))
        if errors:
            raise FaultsError(errors)

    @property
    def scope(self) -> Scope:
        """Return what it strikes; an end with no time is an opening's."""
        scope = KINDS[self.kind].scope
        if scope is Scope.END:
            timed = self.audio is not None or self.wall is not None or self.session is not None
            return Scope.SESSION if timed else Scope.OPENING
        return scope

    @property
    def seconds(self) -> float | None:
        """Return its duration, its kind's if it has none of its own, None for good."""
        return KINDS[self.kind].duration if self.duration is None else self.duration


_NUMBERS = ("audio", "wall", "duration", "repeat")
_WHOLE = ("session", "attempt", "count", "code", "status")


_CODES = range(1000, 5000)
_CODES_UNSENDABLE = (1004, 1006, 1015)
"""Not for a close frame, RFC 6455, section 7.4.1; nor is 1005, which here is a frame without a code."""
_STATUSES = range(200, 600)
"""What answers an upgrade for good; 101 accepts it, others below 200 announce an answer, RFC 9110, section 15."""


def _errors_of(values: Mapping[str, Any]) -> list[str]:
    """Return everything that is wrong with one fault's fields."""
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return [f"unknown kind {kind!r}{_nearest(str(kind), KINDS)}"]
    errors = []
    for name in _NUMBERS:
        value = values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0):
            errors.append(f"{name} must be a number of seconds from 0 on, not {value!r}")
    for name in _WHOLE:
        value = values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            errors.append(f"{name} must be a whole number from 0 on, not {value!r}")
    if not errors:
        errors += _unsendable(values.get("code"), values.get("status"))
    if values.get("text") is not None and not isinstance(values["text"], str):
        errors.append(f"text must be text, not {values['text']!r}")
    errors += [f"{kind} needs {name}" for name in KINDS[kind].needs if values.get(name) is None]
    if values.get("audio") is not None and values.get("wall") is not None:
        errors.append("audio and wall are two clocks: give one of them")
    if values.get("repeat") is not None and values.get("audio") is None and values.get("wall") is None:
        errors.append("repeat needs audio or wall, to know from when")
    if values.get("repeat") == 0:
        errors.append("repeat must be over 0")
    if KINDS[kind].scope is Scope.OPENING and values.get("audio") is not None:
        errors.append(f"{kind} strikes an opening, where there is no audio yet: use wall, attempt or count")
    return errors


def _unsendable(code: int | None, status: int | None) -> Iterator[str]:
    """Return which of them no server can send."""
    if code is not None and (code not in _CODES or code in _CODES_UNSENDABLE):
        but = ", ".join(map(str, _CODES_UNSENDABLE))
        yield f"code must be one that a close frame may have, from 1000 to 4999 without {but}, not {code}"
    if status is not None and status not in _STATUSES:
        yield f"status must be one that refuses an upgrade, from 200 to 599, not {status}"


def _nearest(name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, tuple(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Read a faults file's text. Raises `FaultsError` with all mistakes."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FaultsError([f"not TOML: {error}"]) from error
    names = tuple(field.name for field in fields(Fault))
    errors = [f"unknown name {name!r}{_nearest(name, ('fault',))}" for name in document if name != "fault"]
    tables = document.get("fault", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise FaultsError([*errors, "fault must be a list of tables: write [[fault]]"])
    faults = []
    for number, table in enumerate(tables, 1):
        wrong = [f"unknown name {name!r}{_nearest(name, names)}" for name in table if name not in names]
        wrong += _errors_of(table)
        errors += [f"fault {number}: {mistake}" for mistake in wrong]
        if not wrong:
            faults.append(Fault(**table))
    if errors:
        raise FaultsError(errors)
    return tuple(faults)


def load_faults(path: Path) -> tuple[Fault, ...]:
    """Read a faults file. Raises `FaultsError` with all mistakes, each naming the file."""
    try:
        return parse_faults(path.read_text(encoding="utf-8"))
    except FaultsError as error:
        raise FaultsError([f"{path}: {mistake}" for mistake in error.errors]) from error
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise FaultsError([f"cannot read {path}: {cause}"]) from error
