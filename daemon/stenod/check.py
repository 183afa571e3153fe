"""`stenod check`: what would be used, and from where; what is wrong with it, and what is odd.

It opens no source, no journal and no connection, it only reads (the configuration, keys, certificates): it is
`ExecStartPre=` of the unit and the first thing to run when something is not as expected. The output is the
configuration itself in TOML, so that it can be kept; keys are never in it.
"""

import importlib.util
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from stenod.cli import configured, load_configuration
from stenod.config import ConfigErrors, Loaded, holds_on_fatal, is_service, option_paths, state_directory, value_at
from stenod.core.printable import lines
from stenod.core.verdict import ExitCode
from stenod.edge.dialling import Dialler, UntrustedError
from stenod.edge.secrets import SecretError, SecretMissing
from stenod.inputs import streams_of
from stenod.options import InputKind, Options, table_of
from stenod.services import SERVICES, Service
from stenod.values import notation


@dataclass(frozen=True, slots=True)
class Finding:
    """What checking found."""

    facts: Mapping[str, str]
    """What follows from the options and the environment, in words."""
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@click.command()
@configured
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def check(context: click.Context, /, config: Path | None, *, as_json: bool, **given: Any) -> None:
    """Show what `stenod run` would use with the same options, from where, and what is wrong with it.

    \b
    stenod check
    stenod check --config /etc/stenod/stenod.toml
    stenod check --input mic:USB --provider assemblyai

    It reads files of configuration, keys and certificates, and opens nothing else.

    Exit code 0: the configuration can be used. 78: it cannot, and standard error says why: everything that is wrong
    with the options themselves; once they are right, everything that is wrong with what they name.
    """
    loaded = None
    try:
        loaded = load_configuration(config, given, os.environ)
        finding = examine(loaded, os.environ)
    except ConfigErrors as errors:
        finding = Finding({}, errors=tuple(map(str, errors.errors)))
    if as_json:
        click.echo(json.dumps(_as_json(loaded, finding), indent=2))
    else:
        _print(loaded, finding)
    context.exit(ExitCode.CONFIGURATION if finding.errors else ExitCode.OK)


def examine(loaded: Loaded, environment: Mapping[str, str]) -> Finding:
    """Return what follows from the configuration, without opening anything but the key's place.

    What is wrong with the key is a warning where fatal means hold: it must not keep the service from recording.
    """
    options = loaded.options
    holds = holds_on_fatal(options, environment)
    directory = state_directory(options, environment)
    facts = {
        "runs": "as a service" if is_service(environment) else "in the foreground",
        "on fatal": "hold: keep recording" if holds else "exit",
        "state": str(directory or "a temporary directory"),
        "providers": ", ".join(options.providers) or "the engine inside",
    }
    if options.capture.channel_names:
        told = [f"{one.stream} (channel {one.capture.channel})" for one in streams_of(options)]
        facts["streams"] = ", ".join(told)
    warnings = list(oddities(loaded))
    errors = []
    if directory is None and is_service(environment):
        warnings.append("without a state directory a restart loses the journal; give the unit a StateDirectory=")
    if directory is not None and directory.exists() and not directory.is_dir():
        errors.append(f"cannot use the state directory {directory}: it is a file; name a directory (state_dir)")
    try:
        Dialler(options.tls.ca_file)
    except UntrustedError as error:
        errors.append(str(error))
    remote = [SERVICES[name] for name in options.providers if name in SERVICES]
    for service in remote:
        found = _examine_service(service, options, environment, holds=holds)
        facts |= {name if len(remote) == 1 else f"{name} of {service.name}": fact for name, fact in found.facts.items()}
        warnings += found.warnings
        errors += found.errors
    if ("local" in options.providers or not options.providers) and not importlib.util.find_spec("pocketsphinx"):
        errors.append("cannot use the engine inside: pocketsphinx is not installed; `pip install 'stenod[local]'`")
    return Finding(facts, tuple(warnings), tuple(errors))


def _examine_service(service: Service, options: Options, environment: Mapping[str, str], *, holds: bool) -> Finding:
    """Return what follows for one of the services."""
    dialect = service.engaged(options)
    table = table_of(service.name)
    errors = [f"{table}.{one.option}: {one.text}" for one in dialect.errors()]
    warnings = [f"{table}.{one.option}: {one.text}" for one in dialect.warnings()]
    try:
        key = service.key(options, environment)
    except SecretMissing as missing:
        fact = "none"
        (errors if service.options(options).needs_key and not holds else warnings).append(str(missing))
    except SecretError as error:
        fact = "cannot be used"
        (warnings if holds else errors).append(str(error))
    else:
        fact = f"from {key.origin}, {len(key.secret)} characters"
        warnings += [key.warning] if key.warning else []
    return Finding({"key": fact}, tuple(warnings), tuple(errors))


def oddities(loaded: Loaded) -> Iterator[str]:
    """Return what is odd about the configured input and output, in sentences."""
    source = loaded.options.capture.source
    for path in ("capture.input_rate", "capture.input_channels"):
        if not source.raw and loaded.origins[path] != "default":
            yield f"{path} ({loaded.origins[path]}) has no effect: this input says itself what it is"
    if source.kind is InputKind.FILE and not Path(source.argument).exists():
        yield f"there is no file {source.argument!r} (capture.input, {loaded.origins['capture.input']})"
    file = loaded.options.output.file
    if file and _no_folder(Path(file).expanduser().parent):
        yield f"there is no directory for {file!r} (output.file, {loaded.origins['output.file']})"
    if source.kind is InputKind.COMMAND and not shutil.which(source.words[0]):
        yield f"there is no command {source.words[0]!r} (capture.input, {loaded.origins['capture.input']})"


def _no_folder(path: Path) -> bool:
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False  # The service may look there where we may not: /var/log/stenod is its user's alone.


def _as_json(loaded: Loaded | None, finding: Finding) -> dict[str, object]:
    options = {}
    if loaded is not None:
        for path in option_paths():
            options[path] = {"value": value_at(loaded.options, path), "origin": loaded.origins[path]}
    return {
        "ok": not finding.errors,
        "options": options,
        "facts": finding.facts,
        "warnings": finding.warnings,
        "errors": finding.errors,
    }


def _print(loaded: Loaded | None, finding: Finding) -> None:
    if loaded is not None:
        for line in _toml(loaded):
            click.echo(lines(line))
        click.echo()
    for name, text in finding.facts.items():
        click.echo(f"# {name}: {lines(text)}")
    for warning in finding.warnings:
        click.echo(f"# warning: {lines(warning)}")
    for error in finding.errors:
        click.echo(f"stenod: {lines(error)}", err=True)


def _toml(loaded: Loaded) -> Iterator[str]:
    """Return the configuration as a file could have it, each value with its origin."""
    written = {
        path: f"{path.rpartition('.')[2]} = {notation(value_at(loaded.options, path))}" for path in option_paths()
    }
    width = min(50, max(map(len, written.values())))
    table = ""
    for path, text in written.items():
        head = path.rpartition(".")[0]
        if head != table:
            yield f"\n[{head}]"
            table = head
        yield f"{text:{width}}  # {loaded.origins[path]}"
