"""systemd's service manager, asked and told by its own programs: `systemctl`, `systemd-creds`.

It does not know what a stenod service is. `ServiceManager` acts: what fails is one error, with what systemd said.
`units` looks, within seconds: no answer is no error there. A key goes through standard input, never through a command
line.

Facts: sd_booted(3) says how to tell that systemd runs. `systemctl show` prints `NAME=value` lines and ends well for
units that there are not (LoadState=not-found). A user's manager has its socket below XDG_RUNTIME_DIR. Encrypted
credentials are the system manager's only, from systemd 250 on; a user's manager learnt them with 256.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stenod.core.verdict import ExitCode

if TYPE_CHECKING:
    from stenod.core.diagnosis import Unit

BOOTED = Path("/run/systemd/system")
"""There where systemd is the init."""
UNITS = ("stenod.service", "stenod@*.service")
PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,StatusText"
ANSWER_SECONDS = 3.0
"""How long `units` waits for a manager."""
SECONDS_MAX = 900.0
"""Longer than any start or stop that a unit of ours allows."""


class ManagerError(Exception):
    """systemd is not there, or did not do what it was told; one sentence with the remedy."""

    exit_code = ExitCode.UNAVAILABLE


class ServiceManager:
    """The system's manager, or the user's own."""

    def __init__(self, *, user: bool, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._user = user
        if user:
            self._environment.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")

    def require(self, *, bus: bool = False) -> None:
        """Raise `ManagerError` where it does not run; `bus`: or where a user's has none, which `systemd-run` needs."""
        if not BOOTED.is_dir():
            raise ManagerError(
                "systemd does not run here (in a container, or with another init): start `stenod run` by what does"
            )
        if self._user and not (Path(self._environment["XDG_RUNTIME_DIR"]) / "systemd").is_dir():
            raise ManagerError(
                "this user has no service manager now: log in as the user (not by `su` or `sudo`), or run "
                "`sudo loginctl enable-linger USER`"
            )
        if self._user and bus and not (Path(self._environment["XDG_RUNTIME_DIR"]) / "bus").exists():
            raise ManagerError("this user's service manager has no message bus: install dbus-user-session, log in anew")

    def control(self, *words: str) -> None:
        """Run `systemctl WORDS`; raises `ManagerError` with what it said."""
        done = self._run(["systemctl", *(["--user"] if self._user else []), *words])
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().replace("\n", " ") or f"exit status {done.returncode}"
            raise ManagerError(f"systemctl {' '.join(words)} failed: {said}")

    def forget(self, unit: str) -> None:
        """Forget that a unit has failed, if it has."""
        self._run(["systemctl", *(["--user"] if self._user else []), "reset-failed", unit])

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Return properties of a unit; empty ones where there is no such unit."""
        words = ["systemctl", *(["--user"] if self._user else []), "show", unit, "--property", ",".join(names)]
        said = self._run(words).stdout.decode(errors="replace")
        found = _properties(said)
        return {name: found.get(name, "") for name in names}

    def encrypted(self, name: str, secret: str) -> bytes | None:
        """Return a secret as only this machine's manager can read it; None where that does not work."""
        if self._user:
            return None
        done = self._run(["systemd-creds", "encrypt", f"--name={name}", "-", "-"], secret.encode())
        if done.returncode != 0 or self.decrypted(name, done.stdout) != secret:
            return None
        return done.stdout

    def decrypted(self, name: str, credential: bytes) -> str | None:
        """Return the secret of a credential, None where it cannot be read."""
        done = self._run(["systemd-creds", "decrypt", f"--name={name}", "-", "-"], credential)
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None

    def attached(self, words: Sequence[str], variables: Mapping[str, str], *, unit: str) -> int:
        """Run a program of systemd's with our own standard streams and return its status; Ctrl-C goes to its unit."""
        with subprocess.Popen(words, env={**self._environment, **variables}) as process:  # noqa: S603 - of our making
            while True:
                try:
                    return process.wait()
                except KeyboardInterrupt:
                    self._run(["systemctl", *(["--user"] if self._user else []), "kill", "--signal=INT", unit])

    def _run(self, words: Sequence[str], given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        try:
            return subprocess.run(  # noqa: S603 - the words are ours
                words, input=given, env=self._environment, capture_output=True, check=False, timeout=SECONDS_MAX
            )
        except FileNotFoundError:
            return subprocess.CompletedProcess(list(words), 127, b"", f"there is no {words[0]}".encode())
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(list(words), 124, b"", f"it takes over {SECONDS_MAX:.0f} s".encode())


async def units(booted: Path = BOOTED, program: str = "systemctl") -> "list[Unit] | None":
    """Return our units that are installed or loaded, of the system and of the user; None where systemd does not run.

    Within 3 s a manager; one without a bus, or of a user without a session, has none. Raises `ManagerError` where none
    answers, as to a service whose user the bus does not know.
    """
    import trio  # whoever acts needs none of it

    path = _program(booted, program)
    if path is None:
        return None
    found, answered = [], False
    for user in (False, True):
        words = [path, *(["--user"] if user else []), "show", f"--property={PROPERTIES}", *UNITS]
        with trio.move_on_after(ANSWER_SECONDS):
            done = await trio.run_process(words, capture_stdout=True, stderr=subprocess.DEVNULL, check=False)
            shown = map(_properties, done.stdout.decode(errors="replace").split("\n\n"))
            found += [_unit(one, user=user) for one in shown if one.get("LoadState") == "loaded"]
            answered |= done.returncode == 0
    if not answered:
        raise ManagerError("systemd does not answer here; `stenod service status` says how the service is")
    return found


def _program(booted: Path, program: str) -> str | None:
    return shutil.which(program) if booted.is_dir() else None


def _unit(shown: Mapping[str, str], *, user: bool) -> "Unit":
    from stenod.core.diagnosis import Unit

    return Unit(
        name=shown.get("Id", "").removesuffix(".service"),
        active=shown.get("ActiveState", ""),
        sub=shown.get("SubState", ""),
        enabled=shown.get("UnitFileState", ""),
        result=shown.get("Result", ""),
        status=shown.get("ExecMainStatus", ""),
        text=shown.get("StatusText", ""),
        user=user,
    )


def _properties(said: str) -> dict[str, str]:
    """Return what `systemctl show` says of one unit."""
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
