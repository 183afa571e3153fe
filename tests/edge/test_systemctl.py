"""What is said to systemd, and what becomes of its answers: by programs of these names that are ours.

The real ones are tried in `tests/real/test_service.py`.
"""

import os
from pathlib import Path

import pytest
import trio

from stenod.core.diagnosis import Unit
from stenod.edge import systemctl
from stenod.edge.systemctl import ManagerError, ServiceManager, units

SYSTEMCTL = """#!/bin/sh
echo "$@" >> $CALLS
case "$*" in
  *show*) printf 'LoadState=loaded\\nStatusText=held: a=b\\nNRestarts=\\n' ;;
  *start*) echo 'Job failed.' >&2; echo 'See more.' >&2; exit 1 ;;
  *silent*) exit 5 ;;
esac
"""
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
CREDS = """#!/bin/sh
echo "$@" >> $CALLS
case "$1" in
  encrypt) printf 'sealed:'; cat ;;
  decrypt) sed 's/^sealed://' ;;
esac
"""


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """An environment in which these programs are found."""
    for name, text in (("systemctl", SYSTEMCTL), ("systemd-creds", CREDS)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls")}


@pytest.fixture(autouse=True)
def on_path(programs: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A program is looked for where our own environment says."""
    monkeypatch.setenv("PATH", programs["PATH"])


def calls(programs: dict[str, str]) -> list[str]:
    """Return the command lines so far."""
    return Path(programs["CALLS"]).read_text().splitlines()


def test_whose_manager_it_is(programs: dict[str, str]) -> None:
    """The user's own is asked with --user."""
    ServiceManager(user=False, environment=programs).control("daemon-reload")
    ServiceManager(user=True, environment=programs).control("daemon-reload")
    assert ["daemon-reload", "--user daemon-reload"] == calls(programs)


def test_what_it_says_of_a_unit(programs: dict[str, str]) -> None:
    """Values with an equals sign are whole; what it does not say is empty."""
    shown = ServiceManager(user=False, environment=programs).show("x.service", "LoadState", "StatusText", "Result")
    assert {"LoadState": "loaded", "StatusText": "held: a=b", "Result": ""} == shown


def test_what_fails_is_told_in_its_words(programs: dict[str, str]) -> None:
    """On one line; by its exit status where it says nothing."""
    manager = ServiceManager(user=False, environment=programs)
    with pytest.raises(ManagerError, match=r"^systemctl start x failed: Job failed\. See more\.$"):
        manager.control("start", "x")
    with pytest.raises(ManagerError, match=r"^systemctl silent failed: exit status 5$"):
        manager.control("silent")


def test_a_key_is_on_no_command_line(programs: dict[str, str]) -> None:
    """It goes through standard input, there and back."""
    manager = ServiceManager(user=False, environment=programs)
    sealed = manager.encrypted("assemblyai", "a-secret-key")
    assert sealed == b"sealed:a-secret-key"
    assert "a-secret-key" == manager.decrypted("assemblyai", sealed)
    assert not [line for line in calls(programs) if "secret" in line]


def test_where_nothing_can_be_encrypted(programs: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's manager; a systemd without the program; one that cannot read again what it wrote."""
    assert ServiceManager(user=True, environment=programs).encrypted("assemblyai", "a-key") is None
    folder = Path(programs["CALLS"]).parent
    (folder / "systemd-creds").write_text('#!/bin/sh\n[ "$1" = encrypt ] && cat\n')
    assert ServiceManager(user=False, environment=programs).encrypted("assemblyai", "a-key") is None
    monkeypatch.setenv("PATH", str(folder / "nowhere"))
    manager = ServiceManager(user=False, environment=programs | {"PATH": str(folder / "nowhere")})
    assert manager.encrypted("assemblyai", "a-key") is None
    with pytest.raises(ManagerError, match="there is no systemctl"):
        manager.control("daemon-reload")


def test_no_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container; and a user whose manager does not run."""
    booted = Path("/run/systemd/system")
    here = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path: False if path == booted else here(path))
    with pytest.raises(ManagerError, match="systemd does not run here"):
        ServiceManager(user=False, environment={}).require()
    monkeypatch.setattr(Path, "is_dir", lambda path: True if path == booted else here(path))
    ServiceManager(user=False, environment={}).require()
    with pytest.raises(ManagerError, match="enable-linger"):
        ServiceManager(user=True, environment={"XDG_RUNTIME_DIR": str(tmp_path)}).require()
    (tmp_path / "systemd").mkdir()
    own = ServiceManager(user=True, environment={"XDG_RUNTIME_DIR": str(tmp_path)})
    own.require()
    with pytest.raises(ManagerError, match="install dbus-user-session"):
        own.require(bus=True)
    (tmp_path / "bus").touch()
    own.require(bus=True)


def test_a_program_has_our_streams_and_its_variables(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """And its status is told."""
    program = speaking(tmp_path / "program", "echo $SAID; exit 77")
    manager = ServiceManager(user=False, environment={"PATH": os.environ["PATH"]})
    assert 77 == manager.attached([program], {"SAID": "here"}, unit="x")
    assert "here\n" == capfd.readouterr().out


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
    monkeypatch.setattr(systemctl, "ANSWER_SECONDS", 0.2)
    program = speaking(tmp_path / "systemctl", f"echo $$ >>{tmp_path}/pids; exec sleep 60")
    with trio.fail_after(10):
        with pytest.raises(ManagerError, match="does not answer here; `stenod service status`"):
            await units(tmp_path, program)
    pids = (tmp_path / "pids").read_text().split()
    assert not [pid for pid in pids if running(pid)]


async def test_no_systemd_is_none(tmp_path: Path) -> None:
    """Neither where it is not the init, nor where its program is missing."""
    assert await units(tmp_path / "none", speaking(tmp_path / "systemctl", "exit 0")) is None
    assert await units(tmp_path, str(tmp_path / "missing")) is None
