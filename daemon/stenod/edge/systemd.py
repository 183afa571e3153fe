"""The words that systemd listens for (sd_notify), over its own socket, without a library.

Without NOTIFY_SOCKET in the environment every call is a no-op; a socket that fails is ignored, because a service must
not die of telling how it is.
"""

import os
import socket
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
        """Capture and the first session are up."""
        self._send("READY=1")

    def stopping(self) -> None:
        """We are on the way down."""
        self._send("STOPPING=1")

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
