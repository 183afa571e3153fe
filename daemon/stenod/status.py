"""`stenod status`: a journal at a glance, for a person or as JSON. It reads only."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stenod.cli import named_directory
from stenod.core.printable import one_line
from stenod.core.verdict import ExitCode
from stenod.verify import journal_directory

if TYPE_CHECKING:
    from stenod.core.accounts import Account, Sum
    from stenod.core.overview import Overview

LABEL_WIDTH = 11
SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
ATTENTION = 1


@click.command()
@click.option("--state-dir", type=named_directory, metavar="DIR", help="The journal's directory.")
@click.option("--stream", metavar="NAME", help="Only this stream.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a stream.")
@click.pass_context
def status(context: click.Context, /, state_dir: Path | None, stream: str | None, *, as_json: bool) -> None:
    """Show a journal at a glance: how far it is, what waits, who runs there, and what it has cost.

    It reads only, and may be used on a running journal or on a copy. Times are UTC. Without --state-dir it looks at
    STENOD_STATE_DIR, then at the journal of your own service (`stenod service install --user`).

    \b
    stenod status --state-dir ~/stenod
    watch -n 5 stenod status --state-dir ~/stenod
    stenod status --state-dir /var/lib/stenod --json | jq .lag_seconds

    \b
    cursor    the first sample that is not settled; all before it is transcribed, quiet or a gap
    quiet     knowingly not sent; `stenod retranscribe --quiet` offers it again
    pending   still to be transcribed
    outbox    the records, and how many of them a reader has not got
    spent     what the providers charge for, and at the configured price per hour what it costs

    Exit code 0: nothing to do. 1: something waits for a person, and the last lines say what. 66: no journal there.
    """
    import msgspec

    from stenod.core.overview import overview
    from stenod.edge import inspection
    from stenod.edge.state_directory import holder
    from stenod.leftovers import resume

    directory = journal_directory(state_dir)
    surveys = inspection.survey(directory, stream)
    process = holder(directory)
    ledger_bytes = inspection.ledger_bytes(directory)
    found = [
        overview(
            one,
            directory=str(directory),
            process=process,
            ledger_bytes=ledger_bytes,
            resume=resume(directory, one.stream),
        )
        for one in surveys
    ]
    for index, one in enumerate(found):
        if as_json:
            click.echo(msgspec.json.encode(one))
            continue
        for line in (*([""] if index else []), *lines(one)):
            click.echo(line, color=False if "NO_COLOR" in os.environ else None)
    context.exit(ATTENTION if any(one.attention for one in found) else ExitCode.OK)


def lines(found: "Overview") -> Iterator[str]:
    """Return what a person reads of one stream."""
    yield _headline(found)
    for label, rows in PARTS.items():
        for index, row in enumerate(rows(found)):
            yield f"  {'' if index else label:{LABEL_WIDTH}}{row}".rstrip()
    for sentence in found.attention:
        yield click.style(f"! {one_line(sentence)}", fg="red")


def duration(seconds: float) -> str:
    """Return a length of time with two units at most: `12.3 s`, `4 min 05 s`, `3 h 00 min`, `2 d 07 h`."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, part, part_unit in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part:02} {part_unit}"
    return f"{whole} s"


def size(count: int) -> str:
    """Return bytes as `1.5 MiB`."""
    return next((f"{count / unit:.1f} {name}" for unit, name in SIZES if count >= unit), f"{count} B")


def _headline(found: "Overview") -> str:
    runs = "nothing runs there"
    if found.process is not None:
        runs = f"process {found.process} runs" if found.process else "a process runs"
    behind = f"{duration(found.lag_seconds)} behind" if found.lag_seconds else "all is settled"
    colour = "red" if found.attention else "yellow" if found.troubles else "green"
    return f"{click.style(found.stream, bold=True)}: {click.style(f'{runs}, {behind}', fg=colour)}  ({found.directory})"


def _timeline(found: "Overview") -> Iterator[str]:
    yield f"{duration(found.tail)} long, up to {_moment(found.tail_at)}"
    if found.lag_seconds:
        yield f"cursor at {duration(found.cursor)}, {_moment(found.cursor_at)}"


def _audio(found: "Overview") -> Iterator[str]:
    for name, seconds in found.seconds.items():
        if seconds:
            share = f"{seconds / found.tail:6.1%}" if found.tail else ""
            yield f"{name:18}{duration(seconds):>12}  {share}"


def _last(found: "Overview") -> Iterator[str]:
    for span in found.last:
        yield f"{span.state:18}{duration(span.end - span.start):>12}  from {_moment(span.started_at)}"


def _sessions(found: "Overview") -> Iterator[str]:
    opened = [one for one in found.sessions if one.ended_at is None]
    for one in [*[one for one in found.sessions if one.ended_at is not None][-1:], *opened]:
        yield f"{one.name} with {one.provider}, {_course(one, running=found.process is not None)}"


def _course(account: "Account", *, running: bool) -> str:
    from stenod.core.records import rfc3339

    if account.ended_at is None:
        since = _moment(rfc3339(account.opened_at))
        return f"open since {since}" if running else f"opened {since}, cut off when its process ended"
    code = "" if account.code is None else f" ({account.code})"
    if account.ready_at is None:
        return f"never ready at {_moment(rfc3339(account.opened_at))}: {account.verdict}{code}"
    length = duration(account.ended_at - account.ready_at)
    return f"ended {_moment(rfc3339(account.ended_at))} after {length}: {account.verdict}{code}"


def _statuses(found: "Overview") -> Iterator[str]:
    for one in found.statuses:
        text = f"{_moment(one.get('at'))}  {one.get('subject')} {one.get('state')}: {one.get('reason')}"
        standing = one in found.troubles
        yield click.style(one_line(text), fg="yellow" if standing else None)
        if standing and one.get("remedy"):
            yield click.style(f"  {one_line(one['remedy'])}", fg="yellow")


def _outbox(found: "Overview") -> Iterator[str]:
    waiting = found.waiting or {"stdout": found.records}
    told = ", ".join(f"{reader}: {f'{count} waiting' if count else 'all printed'}" for reader, count in waiting.items())
    yield f"{_several(found.records, 'record')}; {told}"


def _disk(found: "Overview") -> Iterator[str]:
    yield f"{size(found.audio_bytes)} of audio ({duration(found.audio_seconds)}), ledger {size(found.ledger_bytes)}"


def _spent(found: "Overview") -> Iterator[str]:
    for one in found.spent:
        yield f"{one.provider}: {_counts(one)}; {_price(one)}"


def _counts(spent: "Sum") -> str:
    twice = f", {duration(spent.overlap_seconds)} of it as overlap" if spent.overlap_seconds else ""
    failed = spent.openings - spent.sessions
    also = f" and {_several(failed, 'failed opening')}" if failed else ""
    return f"{_several(spent.sessions, 'session')}{also}, {duration(spent.audio_seconds)} sent{twice}"


def _price(spent: "Sum") -> str:
    if not spent.billed_seconds:
        return "nothing billed"
    billed = f"{duration(spent.billed_seconds)} billed"
    if spent.cost is None:
        return f"{billed}, price not known"
    rest = f" and {duration(spent.unpriced_seconds)} at a price not known" if spent.unpriced_seconds else ""
    digits = 2 if spent.cost >= 1 else 4  # a short session costs less than a hundredth
    return f"{billed}, cost {spent.cost:.{digits}f}{rest}"


def _several(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _moment(told: Any) -> str:
    """Return a record's time to the second: `2026-01-31 09:00:00`."""
    return "a time that was not noted" if not told else str(told)[:19].replace("T", " ")


PARTS: Mapping[str, Callable[["Overview"], Iterator[str]]] = {
    "timeline": _timeline,
    "audio": _audio,
    "last spans": _last,
    "session": _sessions,
    "status": _statuses,
    "outbox": _outbox,
    "disk": _disk,
    "spent": _spent,
}
"""What is told, in this order; a part that has nothing to say is left out."""
