"""What runs without a state directory of their own left behind: how much it is, how to go on, how to discard it.

Nothing is deleted here that still holds audio or lines that nobody has; that is a person's decision.
"""

import shlex
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import click

from stenod.core.timeline import Timeline
from stenod.edge import state_directory as directories
from stenod.edge.ledger import Ledger, LedgerUnusable
from stenod.edge.segments import Segments

SAMPLES_MAX = 1
"""Nothing is written here."""


def left(path: Path, stream: str, pending_seconds: float) -> str:
    """Return the line about audio that stays."""
    quoted = shlex.quote(str(path))
    resume = f"stenod run --input none --state-dir {quoted} --stream {shlex.quote(stream)}"
    return (
        f"{pending_seconds:.1f} s of audio that was not transcribed are kept in {path}; "
        f"to transcribe: {resume}; to discard: rm -r {quoted}"
    )


def look_behind(environment: Mapping[str, str]) -> None:
    """Say what earlier runs left, one line each; remove what holds nothing."""
    for path in directories.left_behind(environment):
        try:
            held = pending(path)
        except (LedgerUnusable, sqlite3.DatabaseError, OSError, ValueError) as error:
            quoted = shlex.quote(str(path))
            click.echo(f"stenod: cannot read what an earlier run left in {path}: {error}; rm -r {quoted}", err=True)
            continue
        for stream, seconds in held.items():
            click.echo(f"stenod: {left(path, stream, seconds)}", err=True)
        if not held:
            shutil.rmtree(path, ignore_errors=True)


def pending(path: Path) -> dict[str, float]:
    """Return the seconds of audio that wait in a state directory, by stream; none that has none."""
    if not (path / directories.LEDGER_NAME).exists():
        return {}
    ledger = Ledger(path / directories.LEDGER_NAME)
    try:
        held = {}
        for stream, rate in ledger.streams():
            state = ledger.open_stream(stream, rate)
            stored = Segments(path / stream / "audio", SAMPLES_MAX).spans()
            timeline = Timeline.restored(state.spans, max([state.tail, *(span.end for span in stored)]))
            waiting = sum(part.count for span in stored for part in timeline.pending(span.start, span.end))
            if waiting:
                held[stream] = waiting / state.rate
        return held
    finally:
        ledger.close()
