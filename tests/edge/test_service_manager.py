"""What systemctl says, read: here by a program that speaks as systemd 252 does."""

from pathlib import Path

import pytest
import trio

from stenod.core.diagnosis import Unit
from stenod.edge import service_manager
from stenod.edge.service_manager import units

SAID = """Result=success
ExecMainStatus=0
Id=stenod.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
StatusText=live = 3 s

Result=success
ExecMainStatus=0
Id=stenod@hall.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
StatusText=
"""


def speaking(path: Path, body: str) -> str:
    """Make a program."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def running(pid: str) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()


async def test_units_are_read_from_both_managers(tmp_path: Path) -> None:
    """The one that is not installed is none."""
    body = f'[ "$1" = --user ] && exit 1\n[ "$1" = show ] || exit 2\ncat <<"END"\n{SAID}END'
    found = await units(tmp_path, speaking(tmp_path / "systemctl", body))
    told = {"name": "stenod", "active": "active", "sub": "running", "enabled": "enabled", "text": "live = 3 s"}
    assert [Unit(**told, result="success", status="0")] == found


async def test_a_manager_that_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command is ended."""
    monkeypatch.setattr(service_manager, "ANSWER_SECONDS", 0.2)
    program = speaking(tmp_path / "systemctl", f"echo $$ >>{tmp_path}/pids; exec sleep 60")
    with trio.fail_after(10):
        assert [] == await units(tmp_path, program)
    pids = (tmp_path / "pids").read_text().split()
    assert not [pid for pid in pids if running(pid)]


async def test_no_systemd_is_none(tmp_path: Path) -> None:
    """Neither where it is not the init, nor where its program is missing."""
    assert await units(tmp_path / "none", speaking(tmp_path / "systemctl", "exit 0")) is None
    assert await units(tmp_path, str(tmp_path / "missing")) is None
