"""The machine's clocks, and what it says of them: was the system clock set by a reference, and which boot is this?

A machine without a battery (a Raspberry Pi) starts somewhere in the past and is right once the network is there.

The kernel knows: every daemon that sets a clock (timesyncd, chrony, ntpd) tells it, and it forgets after hours without
one. A sandbox may forbid the question (`ProtectClock=`, containers); then timesyncd's own mark is looked for. Where
nobody answers, the clock is believed.
"""

import ctypes
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import trio

TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""
TIMEX_BYTES = 512
"""More than struct timex has anywhere; all zeros is a question that changes nothing."""
TIMESYNC = Path("/run/systemd/timesync")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
BOOT_VARIABLE = "BOOT_ID"
"""Where a unit gives it (`%b`) that hides the rest of /proc."""


class RealClock:
    """The machine's clocks."""

    def now(self) -> float:
        """Monotonic seconds, trio's."""
        return trio.current_time()

    def wall(self) -> float:
        """Unix seconds."""
        return time.time()


class SystemClock:
    """The system clock's state; `kernel` asks it as adjtimex does, and returns -1 where that is forbidden."""

    def __init__(self, kernel: Callable[[], int] | None = None, timesync: Path = TIMESYNC) -> None:
        self._kernel = kernel or _kernel()
        self._timesync = timesync

    def synchronised(self) -> bool:
        """Return whether the clock is believed; cheap enough to be asked with each block of audio."""
        return self.known() is not False

    def known(self) -> bool | None:
        """Return whether the clock was set by a reference; None where nobody here can say."""
        state = self._kernel()
        if state >= 0:
            return state != TIME_ERROR
        return (self._timesync / "synchronized").exists() if self._timesync.is_dir() else None


def boot_id(environment: Mapping[str, str], path: Path = BOOT_ID) -> str:
    """Return what tells this start of the machine from all others; empty where that is not known."""
    try:
        return path.read_text(encoding="ascii").strip().replace("-", "")
    except (OSError, ValueError):
        return environment.get(BOOT_VARIABLE, "").replace("-", "")


def _kernel() -> Callable[[], int]:
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None or os.uname().sysname != "Linux":
        return lambda: -1
    return lambda: int(adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))
