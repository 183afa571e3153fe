"""What runs without a state directory of their own left behind: how much it is, how to go on, how to discard it.

Nothing is deleted here that still holds audio or lines that nobody has; that is a person's decision.
"""

import shlex
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from stenod.core.timeline import Timeline
from stenod.edge import inspection
from stenod.edge import state_directory as directories
from stenod.edge.ledger import Ledger, LedgerUnusable
from stenod.edge.segments import Segments
from stenod.edge.state_directory import StateDirectory
from stenod.options import LOCAL
from stenod.saying import NOTICE, say

SAMPLES_MAX = 1
"""Nothing is written here."""
READER = "stdout"
"""The reader whose place says what was printed."""
UNREADABLE = (LedgerUnusable, sqlite3.DatabaseError, OSError, ValueError)
"""What reading a directory raises that is damaged, or for which there is no room."""


def left(path: Path, stream: str, pending_seconds: float, given: Sequence[str] | None = None) -> str:
    """Return the line about audio that stays; `given` as for `resume`."""
    return (
        f"{pending_seconds:.1f} s of audio that was not transcribed are kept in {path}; "
        f"to transcribe: {resume(path, stream, given)}; to discard: {_removal([path])}"
    )


def resume(path: Path, stream: str, given: Sequence[str] | None = None) -> str:
    """Return the command that transcribes and prints what waits in a directory, with who it was meant for.

    `given`: the words that said where its server is; None: those that the run itself has left there.
    """
    words = ["stenod", "run", "--input", "none", "--state-dir", str(path), "--stream", stream]
    provider = meant_for(path, stream)
    return shlex.join(
        [
            *words,
            *(["--provider", provider] if provider else []),
            *(directories.remembered(path) if given is None else given),
        ]
    )


def meant_for(path: Path, stream: str) -> str | None:
    """Return the service that transcribed last; None where it was the engine inside, or nobody yet."""
    try:
        accounts = [account for one in inspection.survey(path, stream) for account in one.accounts]
    except inspection.NoJournal:
        return None
    return accounts[-1].provider if accounts and accounts[-1].provider != LOCAL else None


def look_behind(environment: Mapping[str, str]) -> None:
    """Say what earlier runs left, in one line for all of them that can be read; remove what holds nothing."""
    kept, told = [], []
    for path in directories.left_behind(environment):
        try:
            directory = directories.named(path)
        except directories.StateDirectoryError:
            continue  # Somebody took it up meanwhile.
        try:
            held = Held.of(path)
        except UNREADABLE as error:
            told.append(_unreadable(path, error, "an earlier run"))
            directory.release()
            continue
        if held:
            kept.append(held)
            directory.release()
        else:
            directory.remove()
    if kept:
        told[:0] = [together(kept)] if len(kept) > 1 else kept[0].lines()
    for line in told:
        _mention(line)


@dataclass(frozen=True, slots=True)
class Held:
    """What a directory holds that somebody may still want; false where that is nothing."""

    path: Path
    pending: Mapping[str, float]
    """Seconds of audio, by stream."""
    unprinted: Sequence[str]
    """Streams with lines that were not printed, and no audio that waits."""

    @classmethod
    def of(cls, path: Path) -> Self:
        """Look into a directory; raises one of `UNREADABLE`."""
        held = pending(path)
        return cls(path, held, [stream for stream in unprinted(path) if stream not in held])

    def __bool__(self) -> bool:
        return bool(self.pending or self.unprinted)

    def lines(self, given: Sequence[str] | None = None) -> list[str]:
        """Return what to say about it, one line a stream; `given` as for `resume`."""
        return [left(self.path, stream, seconds, given) for stream, seconds in self.pending.items()] + [
            f"lines that were not printed are kept in {self.path}; "
            f"to print: {resume(self.path, stream, given)}; to discard: {_removal([self.path])}"
            for stream in self.unprinted
        ]

    def goes_on(self) -> list[str]:
        """Return what to say about it where it is transcribed by itself, one line."""
        seconds = sum(self.pending.values())
        what = f"{seconds:.1f} s of audio wait" if seconds else "lines wait"
        return [f"{what} in {self.path}; the next start goes on with them by itself"] if self else []


def together(kept: Sequence[Held]) -> str:
    """Return one line about the directories of several runs, oldest first."""
    oldest, folder = kept[0], shlex.quote(str(kept[0].path.parent))
    (stream, *_) = (*oldest.pending, *oldest.unprinted)
    seconds = sum(sum(one.pending.values()) for one in kept)
    what = [f"{seconds:.1f} s of audio that was not transcribed"] if seconds else []
    what += ["lines that were not printed"] if any(one.unprinted for one in kept) else []
    return (
        f"{' and '.join(what)} are kept of {len(kept)} earlier runs in {folder}; "
        f"to {'transcribe' if oldest.pending else 'print'} the oldest: {resume(oldest.path, stream)}; "
        f"to discard all: {_removal([one.path for one in kept])}"
    )


def _removal(paths: Sequence[Path]) -> str:
    return shlex.join(["rm", "-r", *map(str, paths)])


def leave(
    directory: StateDirectory,
    *,
    wanted: bool,
    repeatable: bool,
    given: Sequence[str] = (),
    failed: bool = False,
    service: bool = False,
) -> None:
    """Leave a directory at the end of a run: say what it holds, or remove a temporary one that holds nothing.

    `wanted`: somebody still wants the lines that were not printed. `repeatable`: the source has it all again. `given`
    as for `resume`. `failed`: what ended the run is told anyhow, and is why the directory cannot be read, if it cannot.
    `service`: its next start goes on by itself.
    """
    try:
        held = Held.of(directory.path)
        told = held.goes_on() if service and not directory.temporary else held.lines(given)
        dispensable = repeatable or not (held.pending or (wanted and held.unprinted))
    except UNREADABLE as error:
        told = [] if failed else [_unreadable(directory.path, error, "this run")]
        dispensable = False
    if directory.temporary and dispensable:
        directory.remove()
        return
    directory.release()
    for line in told:
        _mention(line)


def _mention(line: str) -> None:
    say(f"stenod: {line}", NOTICE)


def _unreadable(path: Path, error: Exception, whose: str) -> str:
    return f"cannot read what {whose} left in {path}: {error}; to discard it: {_removal([path])}"


def unprinted(path: Path) -> list[str]:
    """Return the streams of a state directory with lines that were not printed."""
    if not (path / directories.LEDGER_NAME).exists():
        return []
    with closing(Ledger(path / directories.LEDGER_NAME)) as ledger:
        return [stream for stream, _ in ledger.streams() if ledger.unprinted(stream, READER, 1)]


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
