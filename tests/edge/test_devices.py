"""Listing microphones in a child: here on a machine without any (with a sound server: tests/real)."""

import subprocess
import sys
from pathlib import Path

import pytest
import trio

from stenod.core.source import SourceError
from stenod.edge import devices

pytestmark = pytest.mark.slow


def running(pid: str) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def without_sound(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Point every sound library at nothing."""
    (tmp_path / "asound.conf").write_text("</usr/share/alsa/alsa.conf>\n")  # ALSA aborts on an empty one
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/none")


@pytest.mark.usefixtures("without_sound")
def test_no_device_is_an_empty_list() -> None:
    """Having no microphone is an answer, not a fault."""
    assert devices.list_devices() == []


@pytest.mark.usefixtures("without_sound")
def test_nothing_but_the_answer_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """What ALSA prints stays in the child."""
    devices.list_devices()

    assert tuple(capfd.readouterr()) == ("", "")


def test_a_lister_that_fails_or_hangs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash inside PortAudio, or a sound server that does not answer, ends in a sentence."""
    real = subprocess.run

    def fail(program: str):
        return lambda _words, **how: real([sys.executable, "-c", program], **how)

    monkeypatch.setattr(subprocess, "run", fail("import os; os.write(2, b'ALSA lib: oh'); os.abort()"))
    with pytest.raises(SourceError, match="ended with status -6 ALSA lib: oh; look at the sound server") as caught:
        devices.list_devices()
    assert caught.value.exit_code == 69

    monkeypatch.setattr(subprocess, "run", fail("import time; time.sleep(60)"))
    monkeypatch.setattr(devices, "LIST_SECONDS", 0.3)
    with pytest.raises(SourceError, match="does the sound server hang"):
        devices.list_devices()


@pytest.mark.usefixtures("without_sound")
async def test_listing_without_blocking() -> None:
    """The same answer."""
    assert await devices.listed() == []


async def test_a_lister_that_hangs_is_left_without_blocking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is killed, whether it is too late or nobody wants it any more."""
    program = f"import os, time; open({str(tmp_path / 'pids')!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(60)"
    monkeypatch.setattr(devices, "LISTER", (sys.executable, "-c", program))
    with pytest.raises(SourceError, match="no answer in 1 s; does the sound server hang"):
        await devices.listed(1.0)
    with trio.move_on_after(1.0):
        await devices.listed()
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == 2
    assert not any(map(running, pids))
