"""The words that systemd listens for (sd_notify), over its own socket, without a library.

Without NOTIFY_SOCKET in the environment every call is a no-op; a socket that fails is ignored, because a service must
not die of telling how it is.

What RELOADING, MONOTONIC_USEC and EXTEND_TIMEOUT_USEC mean, and that they count from when they are said: sd_notify(3).
"""

import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Sends states to the service manager; `watchdog_seconds` is how often it wants to hear that we live."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        pid = environment.get("WATCHDOG_PID", "")
        watched = not pid or pid == str(os.getpid())
        microseconds = environment.get("WATCHDOG_USEC", "") if watched else ""
        usable = microseconds.isascii() and microseconds.isdigit() and int(microseconds) > 0
        self.watchdog_seconds = int(microseconds) / 1e6 if usable else None

    @property
    def active(self) -> bool:
        """Whether a service manager listens."""
        return bool(self._address)

    def ready(self) -> None:
        """We are up, or as far up as we get now; also: what `reloading` announced is done."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Key and configuration are being read again; `ready` follows."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, seconds_max: float) -> None:
        """We are on the way down, and done after so many seconds; where the unit allows more, that holds."""
        self._send(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={round(seconds_max * 1e6)}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + text.replace("\n", " "))

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto(state.encode(errors="replace"), address)
        except OSError:
            return
