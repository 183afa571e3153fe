"""`stenod health`: ask a running daemon how it is; for probes, which run it often, so it imports next to nothing."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from stenod.cli import given_directory, named_directory, named_file
from stenod.core.printable import one_line
from stenod.core.verdict import ExitCode
from stenod.edge.status_socket import ask

NOT_WELL = 1
STILL = "audio has stood still; restart it, what is recorded is safe"
DEVICES = {
    "lost": "the device is lost and is opened again by itself; see that it is plugged in, `stenod devices` lists them",
    "opening": "no audio has come yet",
}
CONFIG = "The configuration it runs with. None: ~/.config/stenod/stenod.toml, where there is one."
PATIENCE = "audio is kept meanwhile, `stenod status` says more"


@click.command()
@click.option("--state-dir", type=named_directory, metavar="DIR", help="Where it runs.")
@click.option("--config", type=named_file, metavar="FILE", help=CONFIG)
@click.option("--live", "ready", flag_value=False, default=False, type=bool, help="Whether it is alive. The default.")
@click.option("--ready", "ready", flag_value=True, type=bool, help="Whether words are on their way, too.")
@click.option("--json", "as_json", is_flag=True, help="Print what it says of itself, as JSON.")
@click.pass_context
def health(
    context: click.Context, /, state_dir: Path | None, config: Path | None, *, ready: bool, as_json: bool
) -> None:
    """Ask a running stenod how it is, in one line.

    Alive is that audio grows: a restart mends what is not alive, and nothing else. Ready is that each stream also has
    its device, a disk that takes what comes, and a session that takes its audio, or needs none just now. Without a
    network it is alive and not ready.

    \b
    stenod health --state-dir /var/lib/stenod
    stenod health --config /etc/stenod/stenod.toml --ready
    stenod health --state-dir ~/stenod --json | jq .streams[0].lag_seconds

    Without --state-dir and --config it looks where `stenod run` would: STENOD_STATE_DIR, the user's own configuration;
    last at the journal of your own service (`stenod service install --user`).

    Exit code 0: it is (alive; with --ready, ready). 1: it is not, and the line says what to do. 69: nobody answers.
    """
    directory = _directory(state_dir, config)
    try:
        told = json.loads(ask(directory))
    except (OSError, ValueError) as error:
        reason = _silence(directory, error)
        click.echo(json.dumps({"alive": False, "ready": False, "reason": reason}) if as_json else reason)
        context.exit(ExitCode.UNAVAILABLE)
    click.echo(json.dumps(told) if as_json else one_line(sentence(told)))
    context.exit(ExitCode.OK if told["ready" if ready else "alive"] else NOT_WELL)


def sentence(told: Mapping[str, Any]) -> str:
    """Return what a person reads."""
    alive = "alive" if told["alive"] else "not alive"
    ready = "stopping" if told["stopping"] else "ready" if told["ready"] else "not ready"
    streams = "; ".join(part for stream in told["streams"] for part in _parts(stream))
    return f"{alive}, {ready}: {streams}; process {told['pid']} for {told['uptime_seconds']:.0f} s"


def _parts(stream: Mapping[str, Any]) -> Iterator[str]:
    session = f" ({stream['provider']}, {stream['session']})" if stream["session"] else ""
    state, pending = stream["state"].rstrip("."), stream["pending_seconds"]
    yield f"{stream['name']}: {state}{session}, {pending:.1f} s to be transcribed"
    if not stream["alive"]:
        yield STILL
    elif stream["disk"]:
        yield f"{stream['disk']['reason']}; {stream['disk']['remedy']}"
    elif stream["held"]:
        if stream["held"]["remedy"].rstrip(".") not in state:
            yield stream["held"]["remedy"].rstrip(".")
    elif not stream["ready"]:
        yield DEVICES.get(stream["device"], PATIENCE)


def _silence(directory: Path, error: OSError | ValueError) -> str:
    """Return why nobody answers, as far as that can be told, and what to do."""
    if isinstance(error, PermissionError):
        from stenod.edge.inspection import whose

        command = f"sudo -u {whose(directory)} stenod health --state-dir {directory}"
        return f"this user may not look into {directory}, and something may run there; ask as its user: `{command}`"
    from stenod.edge.state_directory import holder

    process = holder(directory)
    if process is None:
        return f"nothing runs in {directory}; start it there with `stenod run --state-dir {directory}`"
    who = f"process {process}" if process else "a process"
    return f"{who} runs in {directory} and does not answer; unless it has just been started, restart it"


def _directory(state_dir: Path | None, config: Path | None) -> Path:
    """Return where it runs; raises a usage error, and `ConfigErrors`. A configuration is read only where it must be."""
    given = state_dir or given_directory(os.environ)
    if given is not None:
        return given
    from stenod.config import load, state_directory
    from stenod.unit import journals_told, own_journal

    found = state_directory(load(config, os.environ).options, os.environ)
    if found is None and config is None:
        found = own_journal(os.environ)
    if found is None:
        message = f"the configuration names no state directory; name it with --state-dir{journals_told(os.environ)}"
        raise click.UsageError(message)
    return found
