"""`stenod retranscribe`: audio that was judged quiet becomes pending again, because a person says so.

The one place where what is settled is settled otherwise. It changes the ledger in one transaction, under the state
directory's lock, and only where the audio is still stored.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stenod.cli import PROVIDERS, named_directory, named_file
from stenod.core.verdict import ExitCode
from stenod.status import duration
from stenod.verify import journal_directory

if TYPE_CHECKING:
    from stenod.config import Loaded
    from stenod.core.moments import Moments
    from stenod.edge.state_directory import StateDirectory

NOTHING_FOUND = 1


class NotNow(Exception):
    """It runs; one sentence with what to do."""

    exit_code = ExitCode.IN_USE


@dataclass(frozen=True, slots=True)
class Reopened:
    """What became pending again of one stream, and what was quiet but is stored no more; seconds."""

    stream: str
    seconds: float
    gone_seconds: float


@click.command()
@click.option("--quiet", is_flag=True, help="What was judged quiet; nothing else can be asked for.")
@click.option("--state-dir", type=named_directory, metavar="DIR", help="The journal's directory.")
@click.option("--stream", metavar="NAME", help="Only this stream.")
@click.option("--since", metavar="T", help="Only from this moment on.")
@click.option("--until", metavar="T", help="Only up to this moment.")
@click.option("--run", "run_now", is_flag=True, help="Transcribe it now, to standard output.")
@click.option(
    "--config",
    type=named_file,
    metavar="FILE",
    help="With --run: this configuration file.",
)
@click.option("--provider", multiple=True, type=click.Choice(PROVIDERS), help="With --run: who transcribes.")
@click.option("--endpoint", metavar="URL", help="With --run: another server for the provider.")
@click.pass_context
def retranscribe(
    context: click.Context,
    /,
    state_dir: Path | None,
    stream: str | None,
    since: str | None,
    until: str | None,
    config: Path | None,
    provider: tuple[str, ...],
    endpoint: str | None,
    *,
    quiet: bool,
    run_now: bool,
) -> None:
    """Offer audio that was judged quiet once more, where it is still stored.

    Quiet audio is not sent, and is deleted a day after (journal.quiet_hours). Where somebody whispered, this makes it
    pending again; the next run transcribes it, and its lines come out late, after those that came before. Nothing may
    run in the directory meanwhile.

    \b
    stenod retranscribe --quiet --state-dir ~/stenod
    stenod retranscribe --quiet --state-dir ~/stenod --since 2h
    stenod retranscribe --quiet --state-dir ~/stenod --since 2026-01-31T09:00 --until 2026-01-31T09:30:00Z
    stenod retranscribe --quiet --state-dir ~/stenod --run --provider assemblyai

    \b
    T is   2h, 90s, 15m, 1d             so long ago
           2026-01-31T09:00[:00][Z]     a date and time, the machine's own zone where it names none
           5400.5                       seconds on the timeline, as `start` and `end` in the records

    Exit code 0: it is pending again (with --run: that of the run). 1: nothing of it was quiet and is stored.
    66: no journal there. 75: stenod runs there.
    """
    from stenod.edge import inspection
    from stenod.leftovers import resume

    if not quiet:
        message = "say what to transcribe again: --quiet, what was judged quiet"
        raise click.UsageError(message)
    directory = journal_directory(state_dir)
    streams = [one.stream for one in inspection.survey(directory, stream)]
    given = {"providers": provider or None, "endpoint": endpoint}
    loaded = {one: _configured(directory, one, config, given) for one in streams} if run_now else {}
    with _locked(directory) as held:
        reopened = [_reopen(held, one, since, until) for one in streams]
    for one in reopened:
        for line in _told(one):
            click.echo(f"{one.stream}: {line}", err=run_now)
    found = [one.stream for one in reopened if one.seconds]
    if not found:
        context.exit(NOTHING_FOUND)
    if not run_now:
        click.echo("to transcribe: " + "; ".join(resume(directory, one) for one in found))
        return
    context.exit(max(_run(loaded[one]) for one in found))


@contextmanager
def _locked(directory: Path) -> Iterator["StateDirectory"]:
    """Hold the directory and return it; raises `NotNow` where another one does."""
    from stenod.edge import state_directory

    try:
        held = state_directory.named(directory)
    except state_directory.StateDirectoryError as error:
        if error.exit_code != ExitCode.IN_USE:
            raise
        process = state_directory.holder(directory)
        who = f"process {process}" if process else "a process"
        message = (
            f"stenod runs in {directory} ({who}), and only its journal's owner may change it; "
            "stop it first (Ctrl-C, or systemctl stop), then ask again"
        )
        raise NotNow(message) from error
    try:
        yield held
    finally:
        held.release()


def _reopen(directory: "StateDirectory", stream: str, since: str | None, until: str | None) -> Reopened:
    """Do it for one stream; raises a usage error for a moment that is none."""
    from stenod.core.moments import Moments
    from stenod.core.timeline import State, Timeline
    from stenod.core.transaction import Transaction
    from stenod.edge.ledger import Ledger
    from stenod.edge.segments import Segments

    with closing(Ledger(directory.ledger)) as ledger:
        rate = dict(ledger.streams())[stream]
        state = ledger.open_stream(stream, rate)
        stored = Segments(directory.audio(stream), 1).spans()
        timeline = Timeline.restored(state.spans, max([state.tail, *(span.end for span in stored)]))
        moments = Moments(rate, state.anchors)
        start = 0 if since is None else _position(moments, since, "--since")
        end = timeline.tail if until is None else _position(moments, until, "--until")
        quiet = sum(
            max(0, min(span.end, end) - max(span.start, start)) for span in timeline if span.state is State.QUIET
        )
        changes = [timeline.reopen(max(span.start, start), min(span.end, end)) for span in stored]
        ledger.commit(
            stream,
            state.epoch,
            Transaction(
                changes=[change for change in changes if change.fresh],
                sequence=state.sequence,
                session=state.session,
                tail=state.tail,
            ),
        )
    samples = sum(span.count for change in changes for span in change.fresh)
    return Reopened(stream, samples / rate, (quiet - samples) / rate)


def _position(moments: "Moments", text: str, option: str) -> int:
    position = moments.named(text, time.time())
    if position is None:
        message = f"{text!r} is no moment; write 2h, 2026-01-31T09:00, or seconds on the timeline"
        raise click.BadParameter(message, param_hint=option)
    return position


def _told(reopened: Reopened) -> Iterator[str]:
    if reopened.seconds:
        yield f"{duration(reopened.seconds)} that was judged quiet is pending again"
    if reopened.gone_seconds >= 0.05:
        yield f"{duration(reopened.gone_seconds)} was judged quiet, but is not stored any more"
    elif not reopened.seconds:
        yield "nothing there was judged quiet"


def _configured(directory: Path, stream: str, config: Path | None, given: Mapping[str, object]) -> "Loaded":
    """Return what a run of a stream would use, before anything is changed; raises where nobody could take it."""
    from stenod.config import load
    from stenod.engagement import NotPossible
    from stenod.leftovers import meant_for

    chosen = {"capture.input": "none", "state_dir": str(directory), "stream": stream, **given}
    loaded = load(config, os.environ, chosen)
    service = meant_for(directory, stream)
    if service is not None and not loaded.options.providers:
        message = (
            f"{stream} was transcribed by {service}, and no provider is named; add --provider {service}, or --config"
        )
        raise NotPossible(message, ExitCode.CONFIGURATION)
    return loaded


def _run(loaded: "Loaded") -> int:
    """Transcribe what is pending and return the exit code."""
    from stenod import assembly

    return assembly.main(loaded, os.environ)
