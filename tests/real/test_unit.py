"""The unit, as systemd reads it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "stenod.service"
pytestmark = pytest.mark.real


def complaints(unit: Path) -> list[str]:
    """Return what systemd has to say about a unit; its exit code says nothing of unknown keys."""
    result = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    return [line for line in result.stderr.splitlines() if unit.name in line]


def test_systemd_understands_the_unit(require: Callable[[str], None]) -> None:
    """Each key and each value."""
    require("systemd-analyze")
    assert [] == complaints(UNIT)


def test_a_key_that_there_is_not_is_found(require: Callable[[str], None], tmp_path: Path) -> None:
    """The check itself can fail."""
    require("systemd-analyze")
    wrong = tmp_path / UNIT.name
    wrong.write_text(UNIT.read_text().replace("WatchdogSec=", "WatchdogSeconds="))
    assert complaints(wrong)
