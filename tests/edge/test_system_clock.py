"""What the machine says of its clocks, where it says it, and where it must not say it."""

import sys
from pathlib import Path

import pytest

from stenod.edge.system_clock import TIME_ERROR, SystemClock, boot_id


@pytest.mark.parametrize("state", range(-1, 6))
def test_the_kernel_knows(state: int, tmp_path: Path) -> None:
    """Leap seconds are no error; a question that is forbidden is no answer."""
    assert SystemClock(lambda: state, tmp_path / "no").synchronised() is (state != TIME_ERROR)


def test_timesyncd_is_asked_where_the_kernel_must_not_answer(tmp_path: Path) -> None:
    """Its mark says that it has set the clock; where nobody answers it is believed, but not known."""
    clock = SystemClock(lambda: -1, tmp_path / "timesync")
    assert (True, None) == (clock.synchronised(), clock.known())
    (tmp_path / "timesync").mkdir()
    assert (False, False) == (clock.synchronised(), clock.known())
    (tmp_path / "timesync" / "synchronized").touch()
    assert (True, True) == (clock.synchronised(), clock.known())


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own answer")
def test_this_kernel_answers() -> None:
    """Whoever runs this may ask."""
    clock = SystemClock()
    assert clock.synchronised() in (True, False)


def test_a_boot_has_a_name(tmp_path: Path) -> None:
    """From /proc, or from the unit where that is hidden, both written the same; empty where nobody says it."""
    known = tmp_path / "boot_id"
    known.write_text("532aaa67-dfcd-4810-af4b-241d48b9f9ab\n")
    assert boot_id({}, known) == "532aaa67dfcd4810af4b241d48b9f9ab"
    assert boot_id({"BOOT_ID": "532aaa67dfcd4810af4b241d48b9f9ab"}, tmp_path / "no") == boot_id({}, known)
    assert boot_id({}, tmp_path / "no") == ""
