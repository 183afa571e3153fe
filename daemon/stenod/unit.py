"""What a service consists of on a host: which files, where, and the text of the one that is this machine's own.

The units are files of `systemd/`, installed as they are (the wheel has them as data). What differs from machine to
machine (the program, the keys, the microphone's way) is a drop-in beside them. So a unit can be read, compared and
replaced. It touches nothing; `installation` does.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

HEAD = """\
# By `stenod service install`, which writes it anew each time. What else you want belongs in a file beside this one.
[Service]
"""
PACKAGED = ("stenod.service", "stenod@.service", "user/stenod.service", "user/stenod@.service", "stenod.toml")
"""What comes with stenod, and is written as it is."""
HIDDEN = ("tmp", "var/tmp")
"""PrivateTmp= hides them, and the machine empties them."""
HOMES = ("home", "root", "run/user")
"""ProtectHome= hides them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the files of one service are. `name` is that of an instance, empty for the one service."""

    user: bool
    name: str
    units: Path
    configurations: Path
    state: Path
    """The journal."""
    logs: Path | None
    """What files of lines may be in; a user's own service may write anywhere, and has none."""

    @property
    def unit(self) -> str:
        """What systemd calls it."""
        return f"stenod@{self.name}.service" if self.name else "stenod.service"

    @property
    def unit_file(self) -> Path:
        """The unit, or the template of all instances."""
        return self.units / ("stenod@.service" if self.name else "stenod.service")

    @property
    def drop_in(self) -> Path:
        """What is this machine's own."""
        return self.units / f"{self.unit}.d" / "installed.conf"

    @property
    def sound_server(self) -> Path:
        """The way to a sound server, where one was asked for."""
        return self.drop_in.with_name("sound-server.conf")

    @property
    def configuration(self) -> Path:
        """The configuration file."""
        return self.configurations / f"{self.name or 'stenod'}.toml"

    def credential(self, owner: str, *, encrypted: bool) -> Path:
        """The file of a provider's key."""
        return self.configurations / f"{self.name or 'stenod'}.{owner}.{'cred' if encrypted else 'key'}"

    @property
    def text(self) -> str:
        """What is in the unit."""
        return packaged(("user/" if self.user else "") + self.unit_file.name)


def place_of(*, user: bool, name: str, environment: Mapping[str, str], root: Path = Path("/")) -> Place:
    """Return the place of a service of the system, or of the user whose environment this is."""
    label = f"stenod-{name}" if name else "stenod"
    if not user:
        return Place(
            user=False,
            name=name,
            units=root / "etc/systemd/system",
            configurations=root / "etc/stenod",
            state=root / "var/lib" / label,
            logs=root / "var/log" / label,
        )
    home = Path(environment.get("HOME") or Path.home())
    own = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return Place(
        user=True,
        name=name,
        units=own / "systemd/user",
        configurations=own / "stenod",
        state=home / ".local/state" / label,
        logs=None,
    )


def installed(environment: Mapping[str, str], root: Path = Path("/")) -> list[Place]:
    """Return the places of the services that are installed, the user's own before the system's.

    What this user may not look at is none of his, as under `sudo -u` with the caller's HOME.
    """
    found: list[Place] = []
    for user in (True, False):
        one = place_of(user=user, name="", environment=environment, root=root)
        try:
            names = [""] if one.unit_file.exists() else []
            names += sorted(folder.name[7:-10] for folder in one.units.glob("stenod@?*.service.d"))
        except PermissionError:
            continue
        found += [place_of(user=user, name=name, environment=environment, root=root) for name in names]
    return found


def own_journal(environment: Mapping[str, str]) -> Path | None:
    """Return the journal of the user's own service, where that is installed."""
    return next((one.state for one in installed(environment) if one.user and not one.name), None)


def journals_told(environment: Mapping[str, str]) -> str:
    """Return where the installed services have their journals, as the end of a sentence; empty: there are none."""
    found = [f"{one.state} ({one.unit})" for one in installed(environment)]
    return f"; of the services that are installed: {', '.join(found)}" if found else ""


def packaged(name: str) -> str:
    """Return the text of a unit, a drop-in or the commented configuration (`stenod.toml`)."""
    folder, inside = ("config", "data") if name.endswith(".toml") else ("systemd", "data/systemd")
    package = Path(str(resources.files("stenod")))
    path = package / inside / name
    if not path.exists():  # installed as editable, from a clone
        path = package.parents[1] / folder / name
    return path.read_text()


def sound_server(place: Place, address: str) -> str:
    """Return the drop-in of a service that hears a sound server; one of the system sees no device then."""
    text = HEAD if place.user else packaged("sound-server.conf")
    return text + f"Environment={quoted(f'PULSE_SERVER={address}')}\n"


def drop_in(place: Place, program: Sequence[str], credentials: Mapping[str, Path], *, home: bool = False) -> str:
    """Return the drop-in's text. `credentials` is by their owner; `home`: the program lies in somebody's home."""
    lines = [
        "ExecStart=",
        "ExecStart=" + " ".join(map(quoted, [*program, "run", "--config", str(place.configuration)])),
    ]
    for owner, path in credentials.items():
        key = "LoadCredentialEncrypted" if path.suffix == ".cred" else "LoadCredential"
        lines.append(f"{key}={owner}:{str(path).replace('%', '%%')}")
    if home:
        lines.append("ProtectHome=read-only")
    return HEAD + "".join(line + "\n" for line in lines)


def quoted(word: str) -> str:
    """Return a word as a unit has it (systemd.syntax(7)): no specifier, no variable, no blank that parts it."""
    literal = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return literal if literal and not any(one in literal for one in " \t'\"\\;") else f'"{literal}"'


def own_program(arguments: Sequence[str] = tuple(sys.argv), executable: str = sys.executable) -> list[str]:
    """Return the words that start this very stenod from anywhere, the same whatever link it was found by."""
    script = Path(arguments[0]).absolute()
    if script.is_symlink() and script.exists():  # not `resolve`: a folder that is a link stays one, as for upgrades
        script = Path(os.path.normpath(script.parent / script.readlink()))
    if script.name == "stenod" and script.is_file():
        return [str(script)]
    return [executable, "-m", "stenod"]


def under(path: Path, folders: Sequence[str], root: Path = Path("/")) -> bool:
    """Return whether a path lies in one of the folders."""
    return any(path.is_relative_to(root / folder) for folder in folders)
