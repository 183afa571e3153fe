"""A service is put on a host, and taken off again: files written and removed, systemd told, each thing said in a line.

Everything is looked at before anything is written; what is as it should be already is not touched. What a person made
(the configuration) is never overwritten. It knows no command line (`hosting`), and no unit's text (`unit`).
"""

import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import stenod
from stenod.core.verdict import ExitCode
from stenod.edge.systemctl import ManagerError, ServiceManager
from stenod.options import LOCAL, Options, key_owner
from stenod.services import SERVICES
from stenod.unit import HIDDEN, HOMES, PACKAGED, Place, drop_in, packaged, sound_server, under
from stenod.values import notation

ELSEWHERE = (
    "install it where every user can read it: python3 -m venv /opt/stenod && /opt/stenod/bin/pip install "
    "'/path/to/the/clone{extra}'"
)
ADDRESS = re.compile(r"(?:\{[^}]*\})?(?:(?:unix:)?(?P<socket>/.+)|tcp[46]?:.+)")
"""One server of PulseAudio's server strings; in braces the machine for which it is meant."""
SHOWN_LINES_MAX = 40
"""Of a file, in a rehearsal."""
OPEN, PRIVATE = 0o644, 0o600
OTHERS = {True: stat.S_IXOTH, False: stat.S_IROTH}
"""What a user without rights of its own needs of a folder, and of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What must be open between the service and the rest of the machine."""

    sound_server: str | None = None
    """The address of the one whose microphone it hears; empty: an ALSA device; None: as it was."""
    home: bool = False
    """The program lies in somebody's home."""


class NotInstallable(Exception):
    """What was asked for cannot be done; one sentence with the remedy."""

    def __init__(self, message: str, exit_code: int = ExitCode.UNAVAILABLE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What is acted with: `tell` says a line to the person; `dry`: nothing is changed, all is said."""

    manager: ServiceManager
    tell: Callable[[str], None]
    dry: bool = False

    def did(self, what: str, done: str, act: Callable[[], object]) -> None:
        """Do something and say so: `what` is it in the infinitive, `done` in the past."""
        if self.dry:
            self.tell(f"would {what}")
            return
        act()
        self.tell(done)


def reach(program: Path, root: Path = Path("/"), *, local: bool) -> bool:
    """Return whether the program lies in a home, which the unit must then let it see; raises `NotInstallable`.

    Looked at are the script, its interpreter and the package, which may lie far from each other. `local`: the engine
    inside transcribes, and must be installed too.
    """
    home = False
    elsewhere = ELSEWHERE.format(extra="[local]" if local else "")
    for path in (program.resolve(), Path(sys.executable).resolve(), Path(stenod.__file__).resolve()):
        if under(path, HIDDEN, root):
            raise NotInstallable(f"a service cannot see {path}, temporary files are hidden from it; {elsewhere}")
        way = [one for one in (path, *path.parents) if one.is_relative_to(root)]
        closed = next((one for one in way if not one.stat().st_mode & OTHERS[one.is_dir()]), None)
        if closed is not None:
            raise NotInstallable(f"a service cannot see {path}, {closed} is closed to its user; {elsewhere}")
        home |= under(path, HOMES, root)
    return home


def audible(address: str, *, user: bool, root: Path = Path("/")) -> str:
    """Return what is odd about a sound server's address, in a sentence; raises `NotInstallable` where it can be none.

    An address is what PulseAudio's server strings are: sockets and hosts, one after the other. A bare host name would
    be one too, but is a slip more often; `tcp:` before it says that it is meant.
    """
    sockets = []
    for one in address.split():
        found = ADDRESS.fullmatch(one)
        if found is None:
            text = f"cannot use {one} as a sound server: say unix:/path/of/the/socket, or tcp:host:port"
            raise NotInstallable(text, ExitCode.USAGE)
        sockets += [root / found["socket"].lstrip("/")] if found["socket"] else []
    hidden = [] if user else [path for path in sockets if under(path, (*HOMES, *HIDDEN), root)]
    if hidden:
        text = f"a service of the system cannot see {hidden[0]}: use --user, or a sound server for the whole machine"
        raise NotInstallable(text, ExitCode.USAGE)
    for path in sockets:
        if path.exists() and not path.is_socket():
            raise NotInstallable(f"{path} is no socket: name the one that the sound server listens at", ExitCode.USAGE)
    if sockets and len(sockets) == len(address.split()) and not any(path.exists() for path in sockets):
        return f"there is no {sockets[0]} yet: nothing is heard before the sound server has made it"
    return ""


def configured(text: str, providers: Sequence[str], source: str) -> str:
    """Return the commented configuration with these options set; the others stay at their defaults."""
    for name, default, value in (("providers", "[]", providers), ("input", '"mic"', source)):
        line = f"#{name} = {default}\n"
        assert line in text
        if value:
            text = text.replace(line, f"{name} = {notation(value)}\n", 1)
    return text


def owners(options: Options) -> dict[str, bool]:
    """Return whose keys a service may take as credentials, and whether it needs them: not the engine inside's."""
    found: dict[str, bool] = {}
    for name in options.providers:
        if name != LOCAL:
            own = SERVICES[name].options(options)
            owner = key_owner(name)
            found[owner] = found.get(owner, False) or (own.needs_key and not own.key_file)
    return found


def present(host: Host, place: Place, owner: str) -> tuple[Path, str | None] | None:
    """Return the file of a key that is there, and the key where it can be read; None where there is none."""
    sealed, plain = place.credential(owner, encrypted=True), place.credential(owner, encrypted=False)
    if sealed.exists():
        return sealed, host.manager.decrypted(owner, sealed.read_bytes()) if os.access(sealed, os.R_OK) else None
    if plain.exists():
        return plain, plain.read_text().strip() if os.access(plain, os.R_OK) else None
    return None


def store_key(host: Host, place: Place, owner: str, key: str) -> tuple[Path, bool]:
    """Put a provider's key where systemd takes it from: encrypted where that works. Returns where, and if it is new."""
    there = present(host, place, owner)
    if there is not None and there[1] == key:
        host.tell(f"unchanged: {there[0]} has that key of {owner}")
        return there[0], False
    sealed = None if host.dry else host.manager.encrypted(owner, key)
    path = place.credential(owner, encrypted=sealed is not None or (host.dry and not place.user))
    content = key.encode() + b"\n" if sealed is None else sealed
    how = "for this machine only" if sealed is not None else "readable by nobody else, not encrypted"
    host.did(
        f"put the key of {owner} in {path}",
        f"put the key of {owner} in {path} ({how})",
        lambda: _write(path, content, PRIVATE),
    )
    if there is not None and there[0] != path and not host.dry:
        there[0].unlink()
    return path, True


def write(host: Host, path: Path, text: str) -> bool:
    """Write a file that is ours; returns whether it changed."""
    if path.exists() and path.read_text() == text:
        host.tell(f"unchanged: {path}")
        return False
    host.did(f"write {path}", f"wrote {path}", lambda: _write(path, text.encode(), OPEN))
    if host.dry:
        for line in excerpt(text):
            host.tell(f"  {line}")
    return True


def excerpt(text: str) -> list[str]:
    """Return the lines of a file that a person is shown: of a long one what is set, of one of ours that it is that."""
    lines = text.splitlines()
    if len(lines) <= SHOWN_LINES_MAX:
        return lines
    size = f"{len(lines)} lines, {len(text.encode())} bytes"
    if text in map(packaged, PACKAGED):
        return [f"{size}, as it comes with stenod"]
    shown: list[str] = []
    table = ""
    for line in lines:
        if line.startswith("["):
            table = line
        elif line and not line.startswith("#"):
            shown += [*([table] if table else []), line]
            table = ""
    return [f"{size}, in which is set:", *shown]


def install(
    host: Host, place: Place, program: Sequence[str], keys: Mapping[str, str | None], *, way: Way, start: bool
) -> None:
    """Put credentials, unit and drop-in in their places, and start or restart what has changed.

    `keys` is by their owner; None: the one that is there already.
    """
    changed = False
    credentials = {}
    for owner, key in keys.items():
        there = present(host, place, owner) if key is None else None
        if there is not None:
            host.tell(f"unchanged: {there[0]}, the key of {owner}")
        credentials[owner], new = (there[0], False) if there is not None else store_key(host, place, owner, key or "")
        changed |= new
    changed |= write(host, place.unit_file, place.text)
    text = drop_in(place, program, credentials, home=way.home)
    changed |= write(host, place.drop_in, text)
    if way.sound_server:
        changed |= write(host, place.sound_server, sound_server(place, way.sound_server))
    elif way.sound_server is not None and place.sound_server.exists():
        host.did(f"remove {place.sound_server}", f"removed {place.sound_server}", place.sound_server.unlink)
        changed = True
    if changed:
        host.did(
            "run systemctl daemon-reload", "ran systemctl daemon-reload", lambda: host.manager.control("daemon-reload")
        )
    state = host.manager.show(place.unit, "UnitFileState", "ActiveState")
    if start:
        _start(host, place, enabled=state["UnitFileState"] == "enabled", state=state["ActiveState"], changed=changed)
    elif not changed:
        host.tell(f"nothing to do: {place.unit} is installed")


def _start(host: Host, place: Place, *, enabled: bool, state: str, changed: bool) -> None:
    unit, manager = place.unit, host.manager
    if not enabled:
        host.did(
            f"enable {unit}",
            f"enabled {unit}: it starts with {'you' if place.user else 'the machine'}",
            lambda: manager.control("enable", unit),
        )
    running = state in ("active", "activating", "reloading")
    if running and not changed:
        host.tell(f"nothing to do: {unit} is installed and {state}" if enabled else f"{unit} is {state}")
        return
    word, past = ("restart", "restarted") if running else ("start", "started")
    try:
        host.did(f"{word} {unit}", f"{past} {unit}", lambda: manager.control(word, unit))
    except ManagerError as error:
        raise ManagerError(f"{error}; see journalctl {'--user ' if place.user else ''}-u {unit} -n 20") from error


def uninstall(host: Host, place: Place, *, purge: bool) -> None:
    """Stop the service, take unit, drop-in and keys away; with `purge` also what a person has made and recorded."""
    others = [one for one in place.units.glob("stenod@*.service.d") if one != place.drop_in.parent]
    shared = bool(place.name) and bool(others)
    files = [place.drop_in, place.sound_server, *([] if shared else [place.unit_file])]
    files += sorted(place.configurations.glob(f"{place.configuration.stem}.*.cred"))
    files += sorted(place.configurations.glob(f"{place.configuration.stem}.*.key"))
    there = [one for one in files if one.exists()]
    if there:
        control = host.manager.control
        host.did(
            f"stop and disable {place.unit}",
            f"stopped and disabled {place.unit}",
            lambda: control("disable", "--now", place.unit),
        )
    for path in there:
        host.did(f"remove {path}", f"removed {path}", path.unlink)
    if there and not host.dry:
        _remove_empty(place.drop_in.parent)
        host.manager.control("daemon-reload")
        host.manager.forget(place.unit)
    if not there:
        host.tell(f"nothing to do: {place.unit} is not installed")
    for own, what in (
        (place.configuration, "the configuration"),
        (place.state, "the journal"),
        (place.logs, "the files of lines"),
    ):
        if own is None or not (own.is_symlink() or own.exists()):
            continue
        if not purge and not _empty(own):
            host.tell(f"kept {own}, {what}; --purge removes it")
        else:
            host.did(f"remove {own}, {what}", f"removed {own}, {what}", partial(_remove, own))
    if not host.dry:
        _remove_empty(place.configurations)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file as a whole, with its mode from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    beside.replace(path)


def _empty(path: Path) -> bool:
    """Return whether it is a folder that systemd made and nobody used."""
    with suppress(OSError):
        return not any(path.iterdir())
    return False  # a file; or not ours to look into, which a dry run may find


def _remove(path: Path) -> None:
    """Remove a file or a folder; of a link (as DynamicUser= makes it) also what it leads to."""
    if path.is_symlink():
        target = path.resolve()
        path.unlink()
        path = target
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
