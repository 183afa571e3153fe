"""systemd's journal: log lines in its own protocol, with a priority and fields, where standard error leads there.

It does not know what is logged, and masks nothing: what comes here has been through `telemetry`. **Sending never waits
and never raises**; what does not get through is the caller's to write elsewhere.

Facts (systemd's "Native Journal Protocol", systemd.exec(5)): an entry is one datagram of `NAME=value` lines; a value
with newlines is sent as `NAME`, a newline, its length as 64 bits little-endian, the value. Names are A-Z, 0-9 and
underscores, at most 64, and begin with a letter; others are dropped silently. JOURNAL_STREAM has the device and
inode of the stream that systemd connected to the journal; a process whose streams lead elsewhere has inherited it.
"""

import os
import re
import socket
import struct
from collections.abc import Mapping
from typing import TextIO

SOCKET = "/run/systemd/journal/socket"
IDENTIFIER = "stenod"
PREFIX = "STENOD_"
NAME_CHARACTERS_MAX = 64
VALUE_BYTES_MAX = 16384
"""More of one value is cut off: a datagram has some 200 kB at most."""


def reads(stream: TextIO | None, environment: Mapping[str, str]) -> bool:
    """Return whether this stream is the one that systemd connected to its journal."""
    try:
        status = os.fstat(stream.fileno()) if stream is not None else None
    except (OSError, ValueError):  # ValueError: it was closed
        return False
    return status is not None and environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def field_name(name: str) -> str:
    """Return a field's name as the journal takes it: `delay_seconds` is STENOD_DELAY_SECONDS."""
    return (PREFIX + re.sub(r"[^A-Z0-9_]", "_", name.upper()))[:NAME_CHARACTERS_MAX]


class Journal:
    """Sends entries to the journal's socket."""

    def __init__(self, address: str = SOCKET) -> None:
        self._address = address

    def send(self, priority: int, message: str, fields: Mapping[str, str]) -> bool:
        """Send one entry; `priority` is syslog's (3 error, 4 warning, 6 info, 7 debug). Says whether it got through."""
        told = {field_name(name): value for name, value in fields.items()}
        own = {"PRIORITY": str(priority), "SYSLOG_IDENTIFIER": IDENTIFIER, "MESSAGE": message}
        entry = b"".join(_encoded(name, value) for name, value in {**told, **own}.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
                channel.sendto(entry, self._address)
        except OSError:
            return False
        return True


def _encoded(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "backslashreplace")[:VALUE_BYTES_MAX]
    if b"\n" in data:
        return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
    return name.encode() + b"=" + data + b"\n"
