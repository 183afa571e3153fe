"""The units, as systemd reads and judges them; that they work is shown by `test_service`."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stenod.unit import drop_in, packaged, place_of, sound_server

SYSTEM, USER = ("stenod.service", "stenod@.service"), ("user/stenod.service", "user/stenod@.service")
PROGRAM = ["/usr/bin/env", "stenod"]
KEYS = {"assemblyai": Path("/etc/stenod/stenod.assemblyai.cred"), "deepgram": Path("/etc/stenod/stenod.deepgram.key")}
ALSA_MAX, SOUND_SERVER_MAX = 1.3, 1.1
"""Exposures, as `systemd-analyze security` counts them: 0 is nothing, 10 is all."""
pytestmark = pytest.mark.real


def unit(place: Path, name: str, *drop_ins: str) -> Path:
    """Put a unit, or the instance of a template, in a folder, with drop-ins beside it."""
    path = place / name.rpartition("/")[2]
    path.write_text(packaged(name))
    folder = path.with_name(f"{path.name}.d")
    folder.mkdir()
    for number, text in enumerate(drop_ins):
        (folder / f"{number}.conf").write_text(text)
    return path


def analyzed(place: Path, *words: str | Path) -> str:
    """Return all that systemd has to say; its exit code says nothing of unknown keys."""
    environment = os.environ | {"XDG_RUNTIME_DIR": str(place), "SYSTEMD_LOG_LEVEL": "notice"}
    done = subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, check=False, env=environment, timeout=60
    )
    return done.stdout + done.stderr


def exposure(place: Path, path: Path) -> float:
    """Return what systemd reckons, by the file alone."""
    told = analyzed(place, "security", "--offline=true", "--no-pager", path)
    return float(re.findall(r"Overall exposure level for \S+: ([\d.]+)", told)[0])


@pytest.fixture(autouse=True)
def analyzer(require: Callable[[str], None]) -> None:
    """The program."""
    require("systemd-analyze")


@pytest.mark.parametrize("name", [*SYSTEM, *USER])
def test_systemd_has_nothing_to_say_about_a_unit(name: str, tmp_path: Path) -> None:
    """Each key and each value is known; not a word on either stream. With what an installation adds, too."""
    own = ["--user"] if name in USER else []
    assert "" == analyzed(tmp_path, *own, "verify", unit(tmp_path, name))
    place = place_of(user=name in USER, name="hall" if "@" in name else "", environment={"HOME": str(tmp_path)})
    added = (drop_in(place, PROGRAM, KEYS, home=True), sound_server(place, "unix:/run/pulse/native"))
    (tmp_path / "more").mkdir()
    assert "" == analyzed(tmp_path, *own, "verify", unit(tmp_path / "more", name, *added))


def test_a_key_that_there_is_not_is_found(tmp_path: Path) -> None:
    """The check itself can fail."""
    wrong = unit(tmp_path, "stenod.service")
    wrong.write_text(wrong.read_text().replace("WatchdogSec=", "WatchdogSeconds="))
    assert "Unknown key 'WatchdogSeconds'" in analyzed(tmp_path, "verify", wrong)
    right = unit(tmp_path, "stenod@.service", "[Service]\nPrivateDevice=yes\n")
    assert "Unknown key 'PrivateDevice'" in analyzed(tmp_path, "verify", right)


@pytest.mark.parametrize("name", SYSTEM)
def test_little_is_open(name: str, tmp_path: Path) -> None:
    """To the sound devices; and less where a sound server's socket is all that is heard."""
    place = place_of(user=False, name="hall" if "@" in name else "", environment={})
    assert exposure(tmp_path, unit(tmp_path, name, drop_in(place, PROGRAM, KEYS))) <= ALSA_MAX
    (tmp_path / "more").mkdir()
    added = (drop_in(place, PROGRAM, KEYS), sound_server(place, "unix:/run/pulse/native"))
    closed = unit(tmp_path / "more", name, *added)
    assert exposure(tmp_path, closed) <= SOUND_SERVER_MAX
    closed.write_text(closed.read_text().replace("SystemCallFilter=@system-service\n", ""))
    assert exposure(tmp_path, closed) > SOUND_SERVER_MAX, "a figure that nothing changes"
