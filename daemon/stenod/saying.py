"""Sentences for a person, on standard error; where systemd's journal reads that, entries of its own.

So the journal has them with their level beside the log, and what it has of standard output is the transcript alone.
"""

import os
import sys

ERROR, NOTICE = 3, 5
"""Syslog's priorities: a person must act; a person should know."""


def say(text: str, priority: int = ERROR) -> None:
    """Say it; raises what writing standard error raises."""
    if "JOURNAL_STREAM" in os.environ:
        from stenod.edge import journald

        if journald.reads(sys.stderr, os.environ):
            if journald.Journal().send(priority, text, {}):
                return
            text = "\n".join(f"<{priority}>{line}" for line in text.split("\n"))
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
