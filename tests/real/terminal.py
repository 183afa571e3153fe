"""A real terminal for tests: a program on a pseudo-terminal of its own, and a screen that understands its escapes.

The program is the foreground of the terminal's session, so a Ctrl-C that is typed reaches it as a person's does. Only
the process that was started here is ended, by its number.
"""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte
import pytest

CTRL_C = b"\x03"
LOOK_SECONDS = 0.02


class Terminal:
    """A program that runs on a terminal of this size; `setsid --ctty` (util-linux) gives it the terminal."""

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], *, columns: int = 100, lines: int = 24
    ) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.raw = b""
        """All that came."""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        command = ["setsid", "--ctty", "--wait", *words]
        known = dict(environment) | {"TERM": "xterm"}
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=known)
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        os.close(self._master)

    @property
    def shown(self) -> list[str]:
        """The lines that are not empty."""
        with self._lock:
            return [line.rstrip() for line in self._screen.display if line.strip()]

    @property
    def cursor_hidden(self) -> bool:
        """Whether it is."""
        with self._lock:
            return bool(self._screen.cursor.hidden)

    def line(self, word: str) -> str:
        """Return the line that has a word; empty where none has."""
        return next((line for line in self.shown if word in line.split()), "")

    def type(self, keys: bytes) -> None:
        """Type."""
        os.write(self._master, keys)

    def until(self, condition: Callable[["Terminal"], object], seconds: float = 20.0) -> None:
        """Return when what is shown meets a condition."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {seconds} s; shown:\n" + "\n".join(self.shown))
            time.sleep(LOOK_SECONDS)

    def end(self, seconds: float = 10.0) -> int:
        """Return the exit code, with all that was written read."""
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def _read(self) -> None:
        while True:
            try:
                some = os.read(self._master, 65536)
            except OSError:  # the last one who had the terminal open is gone
                return
            with self._lock:
                self.raw += some
                self._stream.feed(some)


def descendants(pid: int) -> set[int]:
    """Return the processes below one."""
    found = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | descendants(child)
    return found


def alive(pids: set[int]) -> set[int]:
    """Return those that still run."""
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}
