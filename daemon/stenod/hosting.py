"""`stenod service`: install, uninstall, status; what the person said, and what is said back.

What is done is `installation`'s; here is asked for what it needs (a configuration that can be used, keys), before
anything is written. A key comes from a file or from the terminal, unseen; never from the command line.
"""

import getpass
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from stenod.cli import PROVIDERS, named_file
from stenod.config import load
from stenod.core.verdict import ExitCode
from stenod.edge.secrets import KEY_BYTES_MAX, bounded, read_file, usable
from stenod.edge.systemctl import ServiceManager
from stenod.installation import (
    Host,
    NotInstallable,
    Way,
    audible,
    configured,
    install,
    owners,
    present,
    reach,
    uninstall,
    write,
)
from stenod.options import LOCAL, Options, key_owner
from stenod.pathnames import is_key_itself
from stenod.services import SERVICES
from stenod.unit import Place, own_program, packaged, place_of

F = TypeVar("F", bound=Callable[..., Any])
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", re.ASCII)
OWNER = re.compile(r"[a-z][a-z0-9-]*", re.ASCII)
"""What a provider may be called; whose path looks like that means a file."""
SHOWN = ("LoadState", "UnitFileState", "ActiveState", "SubState", "Result", "ExecMainStatus", "StatusText", "NRestarts")
TELLING = ("start", "running", "reload", "stop-sigterm")
"""When a process is there whose status it is; systemd shows the last one of a dead process too."""
FOR_A_PERSON = ("held: ", "nothing is recorded: ", "lines wait: ", "is not taken over: ")
"""In the status of a stream that a restart does not mend."""


def placed(command: F) -> F:
    """Add the options that say which service is meant."""
    name = click.option("--name", default="", metavar="NAME", help="One of several: stenod@NAME, with NAME.toml.")
    user = click.option("--user", is_flag=True, help="A service of your own, for the microphone of a desktop.")
    return user(name(command))


@click.group()
def service() -> None:
    """Run stenod as a service of systemd.

    \b
    sudo stenod service install --provider assemblyai
    stenod service install --user
    stenod service status
    """


@service.command("install")
@placed
@click.option("--config", type=named_file, metavar="FILE", help="Take this configuration over.")
@click.option(
    "--provider", multiple=True, type=click.Choice(PROVIDERS), help="Who transcribes. None: the engine inside."
)
@click.option("--input", "source", default="", metavar="INPUT", help="What is heard, as `stenod run --input` has it.")
@click.option("--key-file", multiple=True, metavar="[PROVIDER=]FILE", help="Where the key is; -: standard input.")
@click.option("--sound-server", metavar="ADDRESS", help='Hear it, not ALSA devices: unix:/run/pulse/native. "": not.')
@click.option("--no-start", is_flag=True, help="Neither enable nor start it.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def install_command(
    *, user: bool, name: str, no_start: bool, dry_run: bool, key_file: Sequence[str], **given: Any
) -> None:
    """Install and start the service, or bring one that is installed up to date.

    \b
    sudo stenod service install --config court.toml --key-file assemblyai.key
    sudo stenod service install --name hall --input mic:USB
    sudo stenod service install --sound-server unix:/run/pulse/native

    Each thing that is done is said in a line. A configuration that is there is kept; a new key replaces the old one.
    What is as it should be is left alone, so it can be run again at any time.
    """
    host, place = _addressed(user=user, name=name, dry=dry_run, writes=True)
    program = own_program()
    heard = given["sound_server"]
    warning = audible(heard, user=user) if heard else ""
    text, options = _configuration(place, given["config"], given["provider"], given["source"])
    local = not options.providers or LOCAL in options.providers
    way = Way(sound_server=heard, home=not user and reach(Path(program[0]), local=local))
    keys = _keys(host, place, owners(options), key_file)
    if text is None:
        host.tell(f"kept {place.configuration}")
    else:
        write(host, place.configuration, text)
    install(host, place, program, keys, way=way, start=not no_start)
    if warning:
        host.tell(warning)
    if user and not Path("/var/lib/systemd/linger", getpass.getuser()).exists():
        host.tell(f"it runs while you are logged in; for always: sudo loginctl enable-linger {getpass.getuser()}")


@service.command("uninstall")
@placed
@click.option("--purge", is_flag=True, help="Remove configuration, audio, journal and files of lines too.")
@click.option("--yes", is_flag=True, help="Do not ask before --purge.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def uninstall_command(*, user: bool, name: str, purge: bool, yes: bool, dry_run: bool) -> None:
    """Stop the service and take unit and keys away; configuration, journal and files of lines stay."""
    host, place = _addressed(user=user, name=name, dry=dry_run, writes=True)
    if purge and not yes and not dry_run:
        lines = f", the lines in {place.logs}" if place.logs is not None and place.logs.exists() else ""
        click.confirm(
            f"Remove {place.configuration}{lines} and the journal in {place.state} for good?", abort=True, err=True
        )
    uninstall(host, place, purge=purge)


@service.command("status")
@placed
@click.pass_context
def status_command(context: click.Context, *, user: bool, name: str) -> None:
    """Say whether the service is installed and runs, what it does, and where its things are.

    Exit code 0: it runs. 1: it does not, or waits for a person.
    """
    host, place = _addressed(user=user, name=name, dry=False, writes=False)
    shown = host.manager.show(place.unit, *SHOWN)
    for line in told(place, shown):
        click.echo(line)
    waits = any(words in shown["StatusText"] for words in FOR_A_PERSON)
    well = shown["ActiveState"] in ("active", "reloading") and not waits
    context.exit(ExitCode.OK if well else 1)


def told(place: Place, shown: Mapping[str, str]) -> list[str]:
    """Return the state of a service in words; `shown` is what systemd says of it."""
    if shown["LoadState"] == "not-found":
        install_words = "stenod service install" + (" --user" if place.user else "")
        return [f"{place.unit} is not installed: {install_words}{f' --name {place.name}' if place.name else ''}"]
    enabled = "starts by itself" if shown["UnitFileState"] == "enabled" else "does not start by itself"
    running = f"{shown['ActiveState']} ({shown['SubState']})"
    lines = [f"{place.unit} is installed, {enabled}, and is {running}"]
    if shown["Result"] not in ("", "success"):
        lines.append(f"ended with: {shown['Result']}, exit status {shown['ExecMainStatus']}")
    if shown["StatusText"] and shown["SubState"] in TELLING:
        lines.append(f"does: {shown['StatusText']}")
    lines.append(f"restarts: {shown['NRestarts'] or '0'}")
    lines.append(f"configuration: {place.configuration}")
    lines.append(f"journal: {place.state} (stenod status --state-dir {place.state})")
    lines.append(f"logs: journalctl {'--user ' if place.user else ''}-u {place.unit}")
    return lines


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Where a key is said to be; of a single provider the name may be left out."""

    owner: str
    path: str

    @classmethod
    def parse(cls, text: str, owners_known: Sequence[str]) -> "KeyFile":
        """Return what `[PROVIDER=]FILE` says; raises `NotInstallable`."""
        said, equals, path = text.partition("=")
        owner = key_owner(said)
        if is_key_itself(path if equals and owner in owners_known else text):
            raise NotInstallable(
                "what was given as --key-file looks like the key itself: name a file that holds it, or - for standard "
                "input; and have the key replaced if others can see this command",
                ExitCode.USAGE,
            )
        if equals and owner in owners_known:
            return cls(owner, path)
        if equals and OWNER.fullmatch(said) and not Path(text).exists():
            every = sorted(set(map(key_owner, SERVICES)))
            does = f"the configuration does not use {said}" if owner in every else f"there is no service {said}"
            uses = "those that it uses" if owner in every else "those that stenod knows"
            names = ", ".join(owners_known if owner in every else every) or "none"
            raise NotInstallable(f"cannot use the key in {text}: {does}; {uses}: {names}", ExitCode.USAGE)
        if len(owners_known) == 1:
            return cls(owners_known[0], text)
        if not owners_known:
            raise NotInstallable(f"cannot use the key in {text}: no provider is configured", ExitCode.USAGE)
        raise NotInstallable(
            f"whose key is in {text}? Say {' or '.join(f'{one}={text}' for one in owners_known)}", ExitCode.USAGE
        )


def _addressed(*, user: bool, name: str, dry: bool, writes: bool) -> tuple[Host, Place]:
    """Return who is acted with and where; raises where that cannot be."""
    if name and not NAME.fullmatch(name):
        raise NotInstallable("a name is 1 to 32 letters, digits, underscores, hyphens", ExitCode.USAGE)
    manager = ServiceManager(user=user, environment=os.environ)
    if not dry:
        manager.require()
    if writes and not dry and not user and os.geteuid() != 0:
        raise NotInstallable(
            "a service of the system is root's to change: say `sudo`, or --user for one of your own",
            ExitCode.NO_PERMISSION,
        )
    return Host(manager=manager, tell=click.echo, dry=dry), place_of(user=user, name=name, environment=os.environ)


def _configuration(
    place: Place, given: Path | None, providers: Sequence[str], source: str
) -> tuple[str | None, Options]:
    """Return the text of the configuration to write, and what it says; raises where it is wrong.

    The text is None where there is a configuration already, which nobody overwrites.
    """
    if given is not None and (providers or source):
        raise NotInstallable("--config has its own providers and input: change them there", ExitCode.USAGE)
    wanted = {"providers": list(providers) or None, "capture.input": source or None}
    options = load(given, {}, wanted).options
    text = configured(packaged("stenod.toml"), providers, source) if given is None else given.read_text()
    if not place.configuration.exists():
        return text, options
    if (given or providers or source) and place.configuration.read_text() != text:
        raise NotInstallable(
            f"{place.configuration} is there and says something else: change it there, or remove it first",
            ExitCode.CANNOT_CREATE,
        )
    return None, load(place.configuration, {}, {}).options


def _keys(host: Host, place: Place, needed: Mapping[str, bool], given: Sequence[str]) -> dict[str, str | None]:
    """Return the keys of the configured providers; None for one that is there already."""
    keys: dict[str, str | None] = {}
    for text in given:
        found = KeyFile.parse(text, list(needed))
        keys[found.owner] = _read_key(found)
    for owner, must in needed.items():
        if owner not in keys and present(host, place, owner) is not None:
            keys[owner] = None
        elif owner not in keys and must:
            keys[owner] = "" if host.dry else _ask(owner)
    return keys


def _read_key(given: KeyFile) -> str:
    if given.path == "-":
        return bounded(sys.stdin.buffer.readline(KEY_BYTES_MAX + 1), "standard input").reveal()
    return read_file(Path(given.path).expanduser()).reveal()


def at_terminal() -> bool:
    """Return whether a person can be asked."""
    return sys.stdin.isatty()


def _ask(owner: str) -> str:
    """Return the key that a person types, unseen."""
    if not at_terminal():
        raise NotInstallable(
            f"the key of {owner} is needed: say --key-file FILE, or - for standard input", ExitCode.USAGE
        )
    return usable(str(click.prompt(f"Key of {owner}", hide_input=True, err=True)).strip(), "what was typed").reveal()
