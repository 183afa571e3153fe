"""Listing microphones in a child: here on a machine without any (with a sound server: tests/real)."""

import subprocess
import sys

import pytest

from stenod.core.source import SourceError
from stenod.edge import devices

pytestmark = pytest.mark.slow


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
