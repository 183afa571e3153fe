"""What systemd knows of our units, asked with systemctl. It changes nothing.

Both managers are asked, the machine's and the user's. No answer is no error: there may be no systemd, no bus, or
nobody's session.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import trio

from stenod.core.diagnosis import Unit

BOOTED = Path("/run/systemd/system")
"""sd_booted(3): there where systemd is the init."""
UNITS = ("stenod.service", "stenod@*.service")
PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,StatusText"
ANSWER_SECONDS = 3.0


async def units(booted: Path = BOOTED, program: str = "systemctl") -> list[Unit] | None:
    """Return the units that are installed or loaded, within 3 s a manager; None where systemd does not run."""
    path = _program(booted, program)
    if path is None:
        return None
    found = []
    for user in (False, True):
        words = [path, *(["--user"] if user else []), "show", f"--property={PROPERTIES}", *UNITS]
        with trio.move_on_after(ANSWER_SECONDS):
            done = await trio.run_process(words, capture_stdout=True, stderr=subprocess.DEVNULL, check=False)
            found += list(_read(done.stdout.decode(errors="replace"), user=user))
    return found


def _program(booted: Path, program: str) -> str | None:
    return shutil.which(program) if booted.is_dir() else None


def _read(said: str, *, user: bool) -> Iterator[Unit]:
    for block in said.split("\n\n"):
        told: Mapping[str, str] = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if told.get("LoadState") == "loaded":
            yield Unit(
                name=told.get("Id", "").removesuffix(".service"),
                active=told.get("ActiveState", ""),
                sub=told.get("SubState", ""),
                enabled=told.get("UnitFileState", ""),
                result=told.get("Result", ""),
                status=told.get("ExecMainStatus", ""),
                text=told.get("StatusText", ""),
                user=user,
            )
