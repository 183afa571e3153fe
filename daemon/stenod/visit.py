"""`stenod doctor --service`: the examination where an installed service lives, in a unit that lasts as long as it does.

systemd runs it beside the service with what the installed unit and its drop-ins say of the surroundings: user, keys,
journal, sound server, all that is forbidden. So doctor sees what the service sees, whoever wrote the unit. What is
about a life (how it is started again, watched, stopped) is left out. It does not know what is examined.

Facts, tried with systemd 252: `systemd-run -p` takes a line as a unit has it, but for specifiers. A unit with
DynamicUser= is called by `systemctl show` with the user's name, and whoever runs under that name shares the user, so
that the journal keeps its owner. Variables go by their name alone: a value may be a key, and a command line is seen.
"""

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stenod.core.verdict import ExitCode
from stenod.edge.system_clock import boot_id
from stenod.edge.systemctl import ServiceManager
from stenod.unit import Place, place_of

ITS_LIFE = re.compile(
    r"Type|Exec\w+|Restart\w*|StartLimit\w+|Timeout\w+|Watchdog\w+|Runtime\w+|Kill\w+|\w+KillSignal|Send\w+|NotifyAccess"
    r"|PIDFile|BusName|RemainAfterExit|GuessMainPID|SuccessExitStatus|Standard\w+|TTY\w+|Syslog\w+|Log(?!s)\w+|Sockets|Slice"
    r"|FileDescriptorStore\w+|OOMPolicy|RemoveIPC|User|Group|Environment"
)
"""What is not passed on. RemoveIPC= would take from the running service what it has; the last three go another way."""
SEEN = ("ProcSubset",)
"""Without it the kernel says who has a sound card; the service itself has no use for it."""
SHOWN = ("LoadState", "FragmentPath", "DropInPaths", "User", "Group")
OF_THE_TERMINAL = ("NO_COLOR", "LANG", "LC_ALL", "LC_CTYPE")
SECONDS_MAX = 60
"""Whatever happens to who waits for it."""
NO_CREDENTIAL = 243
NOT_STARTED = range(200, 256)
"""systemd.exec(5): the exit statuses of what failed before the program was there."""
REFUSED = 1
"""Of systemd-run itself; doctor has no such code."""


class NotVisitable(Exception):
    """There is no such service, or doctor cannot be run as it; one sentence with the remedy."""

    def __init__(self, message: str, exit_code: int = ExitCode.UNAVAILABLE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What is run: words, and the variables that they name."""

    words: Sequence[str]
    variables: Mapping[str, str]


def visit(manager: ServiceManager, place: Place, more: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run doctor as the service, with our own standard streams, and return its exit code; raises `NotVisitable`."""
    manager.require(bus=True)
    if not place.user and os.geteuid() != 0:
        text = "the key of a service is for the system's manager alone: say `sudo stenod doctor --service`"
        raise NotVisitable(text, ExitCode.NO_PERMISSION)
    shown = manager.show(place.unit, *SHOWN)
    if shown["LoadState"] != "loaded":
        own = " --user" if place.user else ""
        named = f" --name {place.name}" if place.name else ""
        raise NotVisitable(f"{place.unit} is not installed; `stenod service install{own}{named}` does it")
    texts = [Path(path).read_text() for path in (shown["FragmentPath"], *shown["DropInPaths"].split())]
    name = f"stenod-doctor-{os.getpid()}"
    within = ["--within", place.unit.removesuffix(".service"), *(["--user"] if place.user else []), *more]
    found = visit_of(place, texts, shown, name=name, more=within, environment=environment)
    code = manager.attached(found.words, found.variables, unit=name)
    if code == REFUSED or code in NOT_STARTED:
        log = f"journalctl {'--user ' if place.user else ''}-u {name}"
        what = "give it the key of" if code == NO_CREDENTIAL else "start it as"
        raise NotVisitable(f"systemd cannot {what} {place.unit} (status {code}); `{log}` says why")
    return code


def remedy(owner: str, environment: Mapping[str, str], configuration: Path | None = None) -> str:
    """Return how the service is examined that has this provider's key, which is for nobody else; empty: there is none.

    Of several it is the one with the configuration that is examined, else one of the user's own.
    """
    found = []
    for user in (True, False):
        folder = place_of(user=user, name="", environment=environment).configurations
        paths = sorted((*folder.glob(f"*.{owner}.cred"), *folder.glob(f"*.{owner}.key")))
        found += [(path, path.name.split(".")[0], user) for path in paths]
    if not found:
        return ""
    path, name, user = min(found, key=lambda one: one[0].with_name(f"{one[1]}.toml") != configuration)
    words = ["stenod doctor --service --user" if user else "sudo stenod doctor --service"]
    words += [] if name == "stenod" else ["--name", name]
    return f"{path} is for a service, which `{' '.join(words)}` examines"


def visit_of(
    place: Place,
    texts: Sequence[str],
    shown: Mapping[str, str],
    *,
    name: str,
    more: Sequence[str],
    environment: Mapping[str, str],
) -> Visit:
    """Return the words that run doctor as a unit's `texts` (itself, then its drop-ins) would run stenod."""
    program: list[str] = []
    variables: dict[str, str] = {}
    properties = {"User": shown["User"], "Group": shown["Group"], "RuntimeMaxSec": str(SECONDS_MAX)}
    said = [f"{key}={value}" for key, value in properties.items() if value]
    of = specifiers(place, environment)
    for key, written in (pair for text in texts for pair in settings(text)):
        value = re.sub("%(.)", lambda found: of.get(found[1], found[0]), written)
        if key == "ExecStart":
            program = shlex.split(value)
        elif key == "Environment":
            given = {key: value for key, _, value in (one.partition("=") for one in shlex.split(value))}
            variables = variables | given if value else {}
        elif key == "SetCredential":
            text = (
                f"{place.unit} has a key in SetCredential=, for all to see: put it in a file, as systemd/README.md says"
            )
            raise NotVisitable(text, ExitCode.CONFIGURATION)
        elif not ITS_LIFE.fullmatch(key) and key not in SEEN:
            said.append(f"{key}={value}")
    if "run" not in program:
        raise NotVisitable(f"{place.unit} does not start `stenod run`, so doctor cannot stand in for it")
    at = program.index("run")
    variables |= {one: environment[one] for one in OF_THE_TERMINAL if one in environment}
    words = ["systemd-run", *(["--user"] if place.user else []), "--quiet", "--wait", "--collect", "--pipe", "--pty"]
    words += [f"--unit={name}", "--service-type=exec", f"--description=stenod doctor for {place.unit}"]
    words += [word for one in said for word in ("-p", one)]
    words += [f"--setenv={one}" for one in variables]
    return Visit(words=[*words, "--", *program[:at], "doctor", *program[at + 1 :], *more], variables=variables)


def settings(text: str) -> Iterator[tuple[str, str]]:
    """Return what a unit's text sets for its service, in its order (systemd.syntax(7))."""
    section = ""
    for line in map(str.strip, re.sub(r"\\\n", " ", text).splitlines()):
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and line[0] not in "#;":
            key, _, value = line.partition("=")
            yield key.strip(), value.strip()


def specifiers(place: Place, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the letters after a % stand for (systemd.unit(5)), those that a unit of stenod may have."""
    home = environment.get("HOME", "") if place.user else "/root"
    return {
        "%": "%",
        "i": place.name,
        "I": place.name,
        "n": place.unit,
        "N": place.unit.removesuffix(".service"),
        "p": "stenod",
        "h": home,
        "E": str(place.configurations.parent),
        "S": str(place.state.parent),
        "t": environment.get("XDG_RUNTIME_DIR", "/run") if place.user else "/run",
        "b": boot_id(environment),
    }
