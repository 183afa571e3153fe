"""`stenod health`: its sentence, its exit codes, where it looks, and how little it imports."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stenod import health as command
from stenod.edge.state_directory import named
from stenod.edge.status_socket import NAME

STREAM = {
    "name": "room",
    "alive": True,
    "up": True,
    "state": "transcribing",
    "device": "up",
    "provider": "deepgram",
    "session": "room-000002",
    "lag_seconds": 0.41,
    "pending_seconds": 0.4,
    "held": None,
    "disk": None,
    "last_final_at": None,
    "ready": True,
}
WELL = {
    "alive": True,
    "ready": True,
    "stopping": False,
    "pid": 12,
    "version": "1",
    "uptime_seconds": 90.0,
    "streams": [STREAM],
}
HELD = STREAM | {
    "ready": False,
    "up": False,
    "session": None,
    "state": "held: the key is refused. Check the key.",
    "held": {"reason": "the key is refused.", "remedy": "Check the key."},
}
STILL = STREAM | {"alive": False, "ready": False}
FULL = STREAM | {"ready": False, "disk": {"reason": "audio is lost: no space", "remedy": "make room"}}


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, object]], list[Path]]:
    """Let a daemon say this; returns where it was asked."""
    asked: list[Path] = []

    def say(told: dict[str, object]) -> list[Path]:
        monkeypatch.setattr(command, "ask", lambda directory: asked.append(directory) or json.dumps(told).encode())
        return asked

    return say


def run(*words: object, **environment: str) -> Result:
    """Run the command."""
    clean = dict.fromkeys(("STENOD_STATE_DIR", "STATE_DIRECTORY", "HOME", "XDG_CONFIG_HOME"))
    return CliRunner().invoke(command.health, [str(word) for word in words], env=clean | environment)


def test_a_sentence(tmp_path: Path, answering: Callable[..., list[Path]]) -> None:
    """What it does, with whom, and what waits."""
    answering(WELL)
    result = run("--state-dir", tmp_path)
    told = "alive, ready: room: transcribing (deepgram, room-000002), 0.4 s to be transcribed; process 12 for 90 s\n"
    assert (0, told) == (result.exit_code, result.output)


@pytest.mark.parametrize(
    ("changes", "live", "ready", "told"),
    [
        ({}, 0, 0, "alive, ready: "),
        (
            {"ready": False, "streams": [HELD]},
            0,
            1,
            "not ready: room: held: the key is refused. Check the key, ",
        ),
        ({"ready": False, "streams": [HELD]}, 0, 1, "key, 0.4 s to be transcribed; process"),
        ({"ready": False, "streams": [HELD | {"state": "held"}]}, 0, 1, "to be transcribed; Check the key; process"),
        ({"ready": False, "streams": [FULL]}, 0, 1, "transcribed; audio is lost: no space; make room; process"),
        ({"ready": False, "streams": [STREAM | {"ready": False, "device": "lost"}]}, 0, 1, "the device is lost"),
        ({"ready": False, "streams": [STREAM | {"ready": False, "device": "opening"}]}, 0, 1, "no audio has come yet"),
        ({"ready": False, "streams": [STREAM | {"ready": False}]}, 0, 1, "audio is kept meanwhile"),
        ({"ready": False, "stopping": True}, 0, 1, "alive, stopping: "),
        ({"alive": False, "ready": False, "streams": [STILL]}, 1, 1, "not alive, not ready: "),
        ({"alive": False, "ready": False, "streams": [STILL]}, 1, 1, "; audio has stood still; restart it"),
    ],
)
def test_exit_codes(
    tmp_path: Path,
    answering: Callable[..., list[Path]],
    changes: dict[str, object],
    live: int,
    ready: int,
    told: str,
) -> None:
    """By what was asked; the sentence is the same, and says what to do."""
    answering(WELL | changes)
    for words, code in ((("--live",), live), ((), live), (("--ready",), ready)):
        result = run("--state-dir", tmp_path, *words)
        assert code == result.exit_code
        assert told in result.output
    as_json = run("--state-dir", tmp_path, "--ready", "--json")
    assert (ready, WELL | changes) == (as_json.exit_code, json.loads(as_json.output))


def test_where_it_looks(tmp_path: Path, answering: Callable[..., list[Path]]) -> None:
    """As `stenod run` does: what was named, the variable, what systemd gave, the configuration."""
    asked = answering(WELL)
    folders = [tmp_path / name for name in ("named", "variable", "systemd", "file", "own")]
    file, own = tmp_path / "stenod.toml", tmp_path / "stenod" / "stenod.toml"
    own.parent.mkdir()
    for path, folder in ((file, folders[3]), (own, folders[4])):
        path.write_text(f'state_dir = "{folder}"')
    run("--state-dir", folders[0], STENOD_STATE_DIR=str(folders[1]))
    run(STENOD_STATE_DIR=str(folders[1]), STATE_DIRECTORY=str(folders[2]))
    run(STATE_DIRECTORY=f"{folders[2]}:elsewhere")
    run("--config", file)
    run(XDG_CONFIG_HOME=str(tmp_path))
    assert folders == asked
    result = run()
    assert 2 == result.exit_code
    assert "name it with --state-dir" in result.output


def test_the_users_own_service_is_found(tmp_path: Path, answering: Callable[..., list[Path]]) -> None:
    """Which has its journal from its unit, not from its configuration."""
    asked = answering(WELL)
    unit = tmp_path / ".config/systemd/user/stenod.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    run(HOME=str(tmp_path))
    assert [tmp_path / ".local/state/stenod"] == asked


def test_nobody_is_there(tmp_path: Path) -> None:
    """No such directory, and one whose process has ended: 69, and what to do."""
    held = named(tmp_path / "state")
    held.release()
    for folder in (tmp_path / "nowhere", tmp_path / "state"):
        result = run("--state-dir", folder)
        told = f"nothing runs in {folder}; start it there with `stenod run --state-dir {folder}`\n"
        assert (69, told) == (result.exit_code, result.output)
    as_json = json.loads(run("--state-dir", folder, "--json").output)
    assert (False, False) == (as_json["alive"], as_json["ready"])


def test_somebody_is_there_and_says_nothing(tmp_path: Path) -> None:
    """The lock tells who it is."""
    held = named(tmp_path / "state")
    result = run("--state-dir", tmp_path / "state")
    held.release()
    assert 69 == result.exit_code
    assert "runs in" in result.output
    assert "does not answer" in result.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_may_not_look_is_told_so() -> None:
    """That nothing runs there is not known: somebody does."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "state"
        held = named(path)
        Path(place).chmod(0o755)
        os.seteuid(65534)
        try:
            result = run("--state-dir", path)
        finally:
            os.seteuid(0)
            held.release()
    assert 69 == result.exit_code
    told = f"this user may not look into {path}, and something may run there; ask as its user: "
    assert f"{told}`sudo -u root stenod health --state-dir {path}`\n" == result.output


def test_it_imports_next_to_nothing(tmp_path: Path) -> None:
    """A probe runs every few seconds for years, on a small machine."""
    heavy = ("trio", "numpy", "structlog", "msgspec", "sqlite3", "sounddevice", "stenod.config", "stenod.core.health")
    code = f"""
import sys
from stenod.__main__ import main
code = main(["health", "--state-dir", {str(tmp_path)!r}])
print(code, [one for one in {heavy} if one in sys.modules])
"""
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / NAME))
        daemon.listen()
        probe = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        daemon.settimeout(60)
        with daemon.accept()[0] as client:
            client.sendall(json.dumps(WELL).encode())
    told, _ = probe.communicate(timeout=60)
    assert "0 []" == told.splitlines()[-1]
