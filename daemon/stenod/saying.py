"""Sentences for a person, on standard error; where systemd's journal reads that, entries of its own.

So the journal has them with their level beside the log, and what it has of standard output is the transcript alone.
Who asked for a log of JSON has them as objects like the log's, once that is set up; what ends the program before (a
wrong option, a wrong configuration) is a plain line for whoever started it.

Where standard error is closed, full or read by nobody, nobody is told: how the program ends does not hang on that.
"""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass

from stenod.core.printable import lines

ERROR, NOTICE = 3, 5
"""Syslog's priorities: a person must act; a person should know."""
LEVELS = {ERROR: "error", NOTICE: "warning"}
"""What the log calls them."""


@dataclass(slots=True)
class Form:
    """How the process says its sentences."""

    as_json: bool = False


FORM = Form()
"""There is one standard error, and so one form; the program sets it when it sets up its log."""


def say(text: str, priority: int = ERROR) -> None:
    """Say it where it can be said."""
    if sys.stderr is None:  # it was closed before we came
        return
    text = _object(text, priority) if FORM.as_json else lines(text)
    if "JOURNAL_STREAM" in os.environ:
        from stenod.edge import journald

        if journald.reads(sys.stderr, os.environ):
            if journald.Journal().send(priority, text, {}):
                return
            text = "\n".join(f"<{priority}>{line}" for line in text.split("\n"))
    with suppress(OSError, ValueError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def _object(text: str, priority: int) -> str:
    """Return it as the log has its lines."""
    import json
    from datetime import UTC, datetime

    timestamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps(
        {"timestamp": timestamp, "level": LEVELS[priority], "event": "process.said", "message": text},
        ensure_ascii=False,
    )
