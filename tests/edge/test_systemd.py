"""What is said to systemd, on real datagram sockets."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stenod.edge.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's socket, and how the environment names it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@stenod-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        listening.settimeout(5)
        yield listening, name


def test_what_is_said(manager: tuple[socket.socket, str]) -> None:
    """One datagram each, as sd_notify(3) has it; a status is one line."""
    listening, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    assert notifier.active
    notifier.ready()
    notifier.status("held: no key\nREADY=1")
    notifier.alive()
    notifier.stopping(25.5)

    said = [listening.recv(4096).decode() for _ in range(4)]
    stopping = "STOPPING=1\nEXTEND_TIMEOUT_USEC=25500000"
    assert ["READY=1", "STATUS=held: no key READY=1", "WATCHDOG=1", stopping] == said


def test_a_reload_says_when(manager: tuple[socket.socket, str]) -> None:
    """On the clock that systemd compares it with."""
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    Notifier({"NOTIFY_SOCKET": manager[1]}).reloading()
    state, _, at = manager[0].recv(4096).decode().partition("\n")
    assert "RELOADING=1" == state
    name, _, microseconds = at.partition("=")
    assert "MONOTONIC_USEC" == name
    assert before - 1e-6 <= int(microseconds) / 1e6 <= time.clock_gettime(time.CLOCK_MONOTONIC)


def test_text_that_is_none(manager: tuple[socket.socket, str]) -> None:
    """Half a character from a file's name or a provider must not end a service."""
    Notifier({"NOTIFY_SOCKET": manager[1]}).status("caf\udce9 \N{SNOWMAN}")
    assert "STATUS=caf? \N{SNOWMAN}" == manager[0].recv(4096).decode()


def test_nobody_listens() -> None:
    """Outside systemd every call does nothing."""
    notifier = Notifier({})
    assert not notifier.active
    notifier.ready()
    notifier.alive()
    assert notifier.watchdog_seconds is None


@pytest.mark.parametrize("name", ["missing", "x" * 200, "@nobody-listens-here", "vsock:2:1234"])
def test_a_socket_that_fails_is_ignored(tmp_path: Path, name: str) -> None:
    """Missing, with too long a path, of an unknown kind: nothing is raised, and no descriptor stays open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    notifier = Notifier({"NOTIFY_SOCKET": name if name.startswith(("@", "v")) else str(tmp_path / name)})
    notifier.ready()
    notifier.status("fine")
    assert before == len(list(Path("/proc/self/fd").iterdir()))


def test_a_manager_that_does_not_read(manager: tuple[socket.socket, str]) -> None:
    """A full queue blocks nobody, and neither does a status that is too long for a datagram."""
    notifier = Notifier({"NOTIFY_SOCKET": manager[1]})
    for _ in range(5000):
        notifier.alive()
    notifier.status("x" * 10_000_000)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "x"}, None),
        ({"WATCHDOG_USEC": "500000"}, 0.5),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "\N{SUPERSCRIPT TWO}"}, None),
    ],
)
def test_the_watchdog(environment: dict[str, str], seconds: float | None) -> None:
    """Its time counts when it is meant for us; what is no time is none (sd_watchdog_enabled(3))."""
    assert seconds == Notifier(environment).watchdog_seconds
