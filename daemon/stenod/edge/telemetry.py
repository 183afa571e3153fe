"""Log lines to standard error (structlog): for people on a terminal, JSON otherwise, entries in systemd's journal.

**Logging never raises and never waits.** A reader of standard error that is gone, a full disk, a pipe that nobody
empties: each costs lines, which are counted and told as `log.lost` once lines get through again, never the daemon.

Warnings and errors that repeat within 10 s are held back and told once, with `repeated`, when the time is over. Secrets
that were registered are masked in the finished line, wherever in it they stand, tracebacks included. Where
systemd's journal reads standard error, entries with fields go to its own socket; where that takes none, lines with
priorities go to standard error.
"""

import json
import math
import os
import select
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TextIO

from stenod.core.log import Log
from stenod.core.printable import one_line

Level = Literal["debug", "info", "warning", "error"]
Rendering = Literal["auto", "console", "json"]

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3}
"""Syslog's. Before a line on standard error, as `<6>`, they tell the journal its level (sd-daemon(3))."""
REPEAT_SECONDS = 10.0
REPEAT_KEYS_MAX = 500
PIECE_BYTES = 4096
"""PIPE_BUF: a pipe that polls writable takes this much without blocking."""
PIECE_WAIT_MS = 20
"""How long the rest of a line may wait for a reader that took its beginning."""
SECRET_CHARACTERS_MIN = 6
"""Shorter ones are no secrets, and masking them would tear lines apart."""
MASK = "****"
VOLATILE = frozenset({"session", "provider_session", "id", "exc_info", "exception"})
"""Text fields that differ between lines which say the same."""
UNTOLD = frozenset({"timestamp", "level"})
"""What the journal has by itself."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event before it is written."""

    level: Level
    event: str
    fields: Mapping[str, object]

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two lines the same: the event and its words; numbers are measurements."""
        words = (f"{name}={one}" for name, one in self.fields.items() if isinstance(one, str) and name not in VOLATILE)
        return (self.level, self.event, *sorted(words))


class Repeats:
    """Holds back lines that say the same within `seconds`. Pure: `now` is handed in.

    At most `keys_max` different lines are remembered; beyond that everything passes.
    """

    def __init__(self, seconds: float = REPEAT_SECONDS, keys_max: int = REPEAT_KEYS_MAX) -> None:
        self._seconds = seconds
        self._keys_max = keys_max
        self._held: dict[tuple[str, ...], tuple[float, int, Line]] = {}

    def admit(self, line: Line, now: float) -> bool:
        """Return whether to write the line; call `due` first."""
        key = line.key
        if key not in self._held:
            if len(self._held) < self._keys_max:
                self._held[key] = (now, 0, line)
            return True
        since, count, _ = self._held[key]
        self._held[key] = (since, count + 1, line)
        return False

    def due(self, now: float) -> Iterator[Line]:
        """Return the last of each line that was held back, with their number, once its time is over."""
        for key, (since, count, line) in list(self._held.items()):
            if now - since < self._seconds:
                continue
            del self._held[key]
            if count:
                self._held[key] = (now, 0, line)
                yield Line(line.level, line.event, {**line.fields, "repeated": count})


class Journal(Protocol):
    """See `edge.journald.Journal`."""

    def send(self, priority: int, message: str, fields: Mapping[str, str]) -> bool: ...


Entry = tuple[int, str, Mapping[str, str]]
"""Priority, message and fields, as the journal takes them."""


class Sink:
    """Writes whole lines to a stream that may be stuck, full or gone; entries to the journal, where there is one."""

    def __init__(self, stream: TextIO | None, journal: Journal | None = None) -> None:
        self._stream = stream
        self._journal = journal
        self._torn = False
        self._lost = 0

    def write(self, text: str, entry: Entry | None = None) -> bool:
        """Write an entry, else its line, or count it as lost."""
        if entry is not None and self._journal is not None and self._journal.send(*entry):
            return True
        try:
            written = self._write(text)
        except (OSError, ValueError):  # ValueError: the stream was closed
            written = False
        self._lost += not written
        return written

    def take_lost(self) -> int:
        """Return how many lines were lost since the last call."""
        lost, self._lost = self._lost, 0
        return lost

    def _write(self, text: str) -> bool:
        if self._stream is None:
            return False
        try:
            descriptor = self._stream.fileno()
        except OSError:  # a stream in memory
            self._stream.write(text + "\n")
            return True
        rest = (("\n" if self._torn else "") + text + "\n").encode("utf-8", "backslashreplace")
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        wait_ms = 0
        while rest:
            if not poll.poll(wait_ms):
                return False
            written = os.write(descriptor, rest[:PIECE_BYTES])
            rest = rest[written:]
            self._torn = bool(rest)
            wait_ms = PIECE_WAIT_MS
        return True

    debug = info = warning = error = write


class Telemetry:
    """The log of a process: where lines go, what is masked, what repeats."""

    def __init__(self, logger: Any, sink: Sink, masks: set[str], level: Level, clock: Callable[[], float]) -> None:
        self._logger = logger
        self._sink = sink
        self._masks = masks
        self._level = LEVELS.index(level)
        self._clock = clock
        self._repeats = Repeats()

    def conceal(self, secret: str) -> None:
        """Mask this text from now on, also as JSON, `repr` and URLs write it."""
        if len(secret) < SECRET_CHARACTERS_MIN:
            return
        forms = {secret}
        for _ in range(2):  # JSON of a `repr` is written twice
            forms |= {json.dumps(form)[1:-1] for form in forms} | {repr(form)[1:-1] for form in forms}
        self._masks |= forms | {urllib.parse.quote(secret, safe="")}

    def get_logger(self, **bound: object) -> Log:
        """Return a log that adds these fields to each line."""
        return Logger(self, bound)

    def emit(self, line: Line) -> None:
        """Write the line unless it repeats one, and what has become due. Never raises."""
        if LEVELS.index(line.level) < self._level:
            return
        now = self._clock()
        for held in self._repeats.due(now):
            self._render(held)
        if line.level in ("debug", "info") or self._repeats.admit(line, now):
            written = self._render(line)
            if written and (lost := self._sink.take_lost()):
                self._render(Line("warning", "log.lost", {"lines": lost}))

    def flush(self) -> None:
        """Write what was held back, at the end."""
        for held in self._repeats.due(float("inf")):
            self._render(held)

    def _render(self, line: Line) -> bool:
        """Write the line; return whether it got through."""
        try:
            return bool(getattr(self._logger, line.level)(line.event, **line.fields))
        except Exception as error:  # a field that cannot be shown must not end what it was about
            name = type(error).__name__
            return self._sink.write(json.dumps({"level": line.level, "event": line.event, "log_error": name}))


class Logger:
    """A `Log` with fields bound to it."""

    def __init__(self, telemetry: Telemetry, bound: Mapping[str, object]) -> None:
        self._telemetry = telemetry
        self._bound = dict(bound)

    def bind(self, **bound: object) -> "Logger":
        """Return a log with more fields."""
        return Logger(self._telemetry, {**self._bound, **bound})

    def debug(self, event: str, /, **fields: object) -> None:
        """Say what helps to find a defect."""
        self._telemetry.emit(Line("debug", event, {**self._bound, **fields}))

    def info(self, event: str, /, **fields: object) -> None:
        """Say what happened in the normal course."""
        self._telemetry.emit(Line("info", event, {**self._bound, **fields}))

    def warning(self, event: str, /, **fields: object) -> None:
        """Say what is worse than it should be and heals by itself."""
        self._telemetry.emit(Line("warning", event, {**self._bound, **fields}))

    def error(self, event: str, /, **fields: object) -> None:
        """Say what a person must do something about."""
        self._telemetry.emit(Line("error", event, {**self._bound, **fields}))


def configure(
    level: Level,
    rendering: Rendering,
    stream: TextIO | None,
    clock: Callable[[], float] = time.monotonic,
    *,
    journal: Journal | None = None,
) -> Telemetry:
    """Return the log that writes to `stream` (standard error; None: it was closed).

    `journal` is systemd's, where that is who reads the stream.
    """
    import structlog

    terminal = stream is not None and not stream.closed and stream.isatty()
    console = rendering == "console" or (rendering == "auto" and terminal)
    masks: set[str] = set()

    def masked(text: str) -> str:
        for mask in sorted(masks, key=len, reverse=True):
            text = text.replace(mask, MASK)
        return text

    def finish(_logger: object, _name: str, event: MutableMapping[str, Any]) -> tuple[tuple[str, Entry | None], Any]:
        """Render and mask; for the journal, with the level before each line, and as an entry with fields."""
        if journal is None:
            return (masked(str(renderer(_logger, _name, event))), None), {}
        priority = PRIORITIES[event["level"]]
        fields = {
            name: masked(_as_text(value)) for name, value in event.items() if name not in UNTOLD and value is not None
        }
        text = masked(str(renderer(_logger, _name, event)))
        message = text if rendering == "json" else _sentence(fields)
        return ("\n".join(f"<{priority}>{line}" for line in text.split("\n")), (priority, message, fields)), {}

    renderer: Any = structlog.processors.JSONRenderer(default=repr, ensure_ascii=False)
    if console:
        formatter = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=terminal, exception_formatter=formatter)
    sink = Sink(stream, journal)
    logger = structlog.wrap_logger(
        sink,
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            *([] if console else [_ordered]),
            *([_printable] if console or (journal is not None and rendering == "auto") else []),
            finish,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    return Telemetry(logger, sink, masks, level, clock)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=repr, ensure_ascii=False)


def _sentence(fields: Mapping[str, str]) -> str:
    """Return a journal's message for people: the event, its fields, and a traceback on lines of its own."""
    words = [f"{name}={text}" for name, text in fields.items() if name not in ("event", "exception")]
    return "\n".join(filter(None, (" ".join([fields["event"], *words]), fields.get("exception", ""))))


def _ordered(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put first what every line has; JSON knows no infinity and no NaN."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "event")}
    rest = {name: None if isinstance(one, float) and not math.isfinite(one) else one for name, one in event.items()}
    return first | rest


def _printable(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape control characters: a provider's text must not steer the terminal."""
    for name, value in event.items():
        if isinstance(value, str) and name != "exception":
            event[name] = one_line(value)
    return event
