"""`stenod verify`: whether a journal accounts for every sample and every line; `stenod tail`: its lines again."""

import os
import time
from pathlib import Path

import click

from stenod.cli import given_directory, named_directory
from stenod.core.reader import ReaderGone
from stenod.core.verdict import ExitCode

FOLLOW_SECONDS = 0.2


def journal_directory(chosen: Path | None) -> Path:
    """Return the state directory that was named, that systemd gave, or of the user's own service.

    Raises a usage error.
    """
    given = chosen or given_directory(os.environ)
    if given is not None:
        return given
    from stenod.unit import journals_told, own_journal

    own = own_journal(os.environ)
    if own is None:
        message = f"name the journal's directory with --state-dir{journals_told(os.environ)}"
        raise click.UsageError(message)
    return own


@click.command()
@click.option("--state-dir", type=named_directory, metavar="DIR", help="The journal's directory.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a stream.")
@click.pass_context
def verify(context: click.Context, /, state_dir: Path | None, *, as_json: bool) -> None:
    """Check that a journal accounts for every sample of its timeline and every line of its transcript.

    It reads only, and may be used on a running journal or on a copy. Exit code 0: all is as it should be. 1: it is not,
    and the first fault is named.

    \b
    stenod verify --state-dir ~/stenod
    """
    import msgspec

    from stenod.core.audit import audit
    from stenod.edge.inspection import read

    failed = False
    for found in [audit(stock) for stock in read(journal_directory(state_dir))]:
        failed = failed or bool(found.faults)
        if as_json:
            click.echo(msgspec.json.encode(found))
            continue
        totals = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found.seconds.items())
        counts = ", ".join(f"{count} {name}" for name, count in found.records.items()) or "no records"
        click.echo(f"{found.stream}: {'not sound' if found.faults else 'sound'}; {totals}; {counts}")
        for fault in found.faults[:1]:
            more = f" (and {len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
            click.echo(f"stenod: {found.stream}: {fault}{more}", err=True)
    context.exit(1 if failed else ExitCode.OK)


@click.command()
@click.option("--state-dir", type=named_directory, metavar="DIR", help="The journal's directory.")
@click.option("--stream", default="default", show_default=True, metavar="NAME", help="Which stream.")
@click.option("--since", metavar="ID", help="Only what came after the record with this id.")
@click.option("--follow", is_flag=True, help="Go on as lines come, until Ctrl-C.")
def tail(state_dir: Path | None, stream: str, since: str | None, *, follow: bool) -> None:
    """Print a stream's lines again, whoever has read them before: for a reader that died.

    Lines that were printed are kept for some days (output.outbox_days).

    \b
    stenod tail --state-dir ~/stenod --since default-0000-0000000041 --follow
    """
    from stenod.edge.inspection import lines_after
    from stenod.edge.output import Output

    directory = journal_directory(state_dir)
    last = (-1, -1) if since is None else _place(since, stream)
    output = Output()
    output.look(cut=False)
    while True:
        for epoch, sequence, line in lines_after(directory, stream, last):
            try:
                output.put(line)
            except ReaderGone:
                return
            last = (epoch, sequence)
        if not follow:
            return
        time.sleep(FOLLOW_SECONDS)


def _place(identity: str, stream: str) -> tuple[int, int]:
    """Return where a record stands; raises a usage error for what is no id of the stream."""
    name, _, rest = identity.rpartition("-")
    name, _, epoch = name.rpartition("-")
    if name != stream or not epoch.isdigit() or not rest.isdigit():
        message = f"{identity!r} is no id of the stream {stream!r}; ids look like {stream}-0000-0000000041"
        raise click.UsageError(message)
    return int(epoch), int(rest)
