"""A real stenod process for tests: started, fed in real time, signalled, and held to what it said.

Each process has a home, state, runtime and configuration directory of its own, and no key but the one it is given.
Only processes that were started here are ended, by their number.

`together` is for tests that mostly wait for the clock, since audio is paced in real time: all such tests of a module
run at once, a few at a time, when the first of them is asked for; each then tells its own outcome.
"""

import inspect
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio

from stenod.core.audit import Stock, audit
from stenod.edge.inspection import read

PROGRAM = str(Path(sys.executable).with_name("stenod"))
RATE = 16000
AT_ONCE_MAX = 24
"""Processes that run at a time; more of them starting together would be late by themselves on a small machine."""
START_APART_SECONDS = 0.4
WRITE_SECONDS = 0.05
LOOK_SECONDS = 0.05
END_SECONDS_MAX = 60.0

GIVEN = ("place", "require", "machine")
"""What a test that runs beside others gets without a fixture: a folder of its own, and the fixture of that name."""

Test = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word with its times in seconds."""

    text: str
    start: float
    end: float


@dataclass(slots=True)
class Stenod:
    """A running process, and what it has said so far."""

    process: trio.Process
    environment: dict[str, str]
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    arrivals: list[float] = field(default_factory=list)
    """When each line of standard output came, on trio's clock."""
    changed: trio.Event = field(default_factory=trio.Event)
    fed: int = 0
    """Samples that were written to its standard input."""

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The records so far; anything else on standard output is an error."""
        whole = bytes(self.stdout).rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    @property
    def told(self) -> str:
        """Standard error so far."""
        return self.stderr.decode()

    @property
    def sentences(self) -> list[str]:
        """Standard error without the log: what is for a person."""
        return [line for line in self.told.splitlines() if not line.startswith("{")]

    def log(self, event: str) -> list[dict[str, Any]]:
        """The log's lines about one kind of event."""
        logged = (json.loads(line) for line in self.told.splitlines() if line.startswith("{"))
        return [line for line in logged if line["event"] == event]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The records of one type."""
        return [line for line in self.lines if line["type"] == kind]

    @property
    def words(self) -> list[Spoken]:
        """The words of all finals, in the order in which they were printed."""
        return words_of(self.lines)

    @property
    def state_home(self) -> Path:
        """Where its temporary directories are."""
        return Path(self.environment["XDG_STATE_HOME"]) / "stenod"

    async def until(self, condition: Callable[["Stenod"], Any], seconds: float = END_SECONDS_MAX) -> None:
        """Return when what it said meets a condition."""
        with trio.move_on_after(seconds):
            while not condition(self):
                with trio.move_on_after(LOOK_SECONDS):  # what was fed changes without a word from it
                    await self.changed.wait()
            return
        pytest.fail(f"not within {seconds} s; standard error:\n{self.told}")

    async def feed(self, pcm: bytes, *, rate: int = RATE, finish: bool = True) -> None:
        """Write s16le mono to its standard input in real time; then close it, unless more is to come."""
        step = int(rate * WRITE_SECONDS) * 2
        started = trio.current_time()
        assert self.process.stdin is not None
        try:
            for number, start in enumerate(range(0, len(pcm), step), 1):
                await trio.sleep_until(started + number * WRITE_SECONDS)
                await self.process.stdin.send_all(pcm[start : start + step])
                self.fed += len(pcm[start : start + step]) // 2
        except trio.BrokenResourceError:
            return  # it stopped listening: the test knows why
        if finish:
            await self.process.stdin.aclose()

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    async def end(self, seconds: float = END_SECONDS_MAX) -> int:
        """Return the exit code once it has ended and all it said is here; no traceback was said."""
        with trio.move_on_after(seconds) as scope:
            while self.process.returncode is None:
                await self.process.wait()
        assert not scope.cancelled_caught, f"runs after {seconds} s; standard error:\n{self.told}"
        await trio.sleep(0.1)
        assert "Traceback" not in self.told, self.told
        assert self.process.returncode is not None
        return self.process.returncode


def words_of(lines: Sequence[dict[str, Any]]) -> list[Spoken]:
    """Return the words of the finals among some records."""
    finals = [line for line in lines if line["type"] == "final"]
    return [Spoken(plain(one["text"]), one["start"], one["end"]) for line in finals for one in line["words"]]


def plain(text: str) -> str:
    """Return a word without the capitals and stops of formatting."""
    return text.casefold().strip(".,?!")


def environment_in(place: Path, **more: str) -> dict[str, str]:
    """Return an environment with fresh directories, and nothing of ours but the path."""
    names = {"HOME": "home", "XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "config", "XDG_RUNTIME_DIR": "runtime"}
    for folder in names.values():
        (place / folder).mkdir(parents=True, exist_ok=True)
    own = {name: str(place / folder) for name, folder in names.items()}
    return {"PATH": os.environ["PATH"], **own, **more}


@asynccontextmanager
async def stenod(
    place: Path,
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    **environment: str,
) -> AsyncIterator[Stenod]:
    """Run `stenod ARGUMENTS` with directories in `place`; leaving ends it."""
    own = environment_in(place, **environment)
    async with trio.open_nursery() as nursery:
        start = partial(
            trio.run_process,
            [PROGRAM, *arguments],
            env=own,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
            deliver_cancel=_kill,
        )
        process = await nursery.start(start)
        daemon = Stenod(process, own)
        if process.stdout is not None:
            nursery.start_soon(_collect, daemon, process.stdout, daemon.stdout, daemon.arrivals)
        nursery.start_soon(_collect, daemon, process.stderr, daemon.stderr, None)
        try:
            yield daemon
        finally:
            nursery.cancel_scope.cancel()


async def _kill(process: trio.Process) -> None:
    process.kill()


async def _collect(
    daemon: Stenod, stream: trio.abc.ReceiveStream, into: bytearray, arrivals: list[float] | None
) -> None:
    async for data in stream:
        into += data
        if arrivals is not None:
            arrivals.extend([trio.current_time()] * data.count(b"\n"))
        changed, daemon.changed = daemon.changed, trio.Event()
        changed.set()


def sound(journal: Path) -> Stock:
    """Return what a journal of one stream holds; `stenod verify` finds no fault in it. Raises `NoJournal`."""
    (stock,) = read(journal)
    assert not audit(stock).faults, audit(stock).faults
    return stock


def pending_seconds(journal: Path) -> float:
    """Return how much of a sound journal is still to be transcribed."""
    return audit(sound(journal)).seconds["pending"]


def speaks(kind: str, count: int = 1) -> Callable[[Stenod], bool]:
    """Return the condition that so many records of a type have come."""
    return lambda daemon: len(daemon.of(kind)) >= count


def alignment(expected: Sequence[str], actual: Sequence[str]) -> tuple[int, list[tuple[int, int]]]:
    """Return the edit distance of two sequences of words, and which of them match."""
    costs = np.zeros((len(expected) + 1, len(actual) + 1), dtype=int)
    costs[:, 0], costs[0, :] = range(len(expected) + 1), range(len(actual) + 1)
    for i, wanted in enumerate(expected, 1):
        for j, got in enumerate(actual, 1):
            costs[i, j] = min(costs[i - 1, j] + 1, costs[i, j - 1] + 1, costs[i - 1, j - 1] + (wanted != got))
    pairs: list[tuple[int, int]] = []
    i, j = costs.shape[0] - 1, costs.shape[1] - 1
    while i and j:
        if costs[i, j] == costs[i - 1, j - 1] + (expected[i - 1] != actual[j - 1]):
            i, j = i - 1, j - 1
            if expected[i] == actual[j]:
                pairs.append((i, j))
        elif costs[i, j] == costs[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return int(costs[-1, -1]), pairs[::-1]


def running_with(word: str) -> list[int]:
    """Return the processes that have this word on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and word.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def parent_of(pid: int) -> int:
    """Return the process that started this one."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


# Tests that run beside each other


class Beside:
    """What became of the tests of one module that ran together."""

    def __init__(self) -> None:
        self.outcomes: dict[str, BaseException | None] = {}

    def tell(self, name: str) -> None:
        """Fail or skip as the test did."""
        outcome = self.outcomes[name]
        if outcome is not None:
            raise outcome


def together(test: Test) -> Callable[..., None]:
    """Make of `async def test(place, **parameters)` a test that runs beside the others of its module.

    It may also take `require`, which skips it where a program is missing, and what its module's `beside` hands on.
    """

    def tell(beside: Beside, request: pytest.FixtureRequest, **_parameters: Any) -> None:
        beside.tell(request.node.name)

    own = [one for name, one in inspect.signature(test).parameters.items() if name not in GIVEN]
    tell.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*list(inspect.signature(tell).parameters.values())[:2], *own]
    )
    tell.__name__, tell.__qualname__, tell.__doc__ = test.__name__, test.__qualname__, test.__doc__
    tell.__module__ = test.__module__
    tell.waits = test  # type: ignore[attr-defined]
    return tell


def run_together(request: pytest.FixtureRequest, require: Callable[[str], None], **more: object) -> Iterator[Beside]:
    """Run what was chosen of the module's tests; the body of the fixture `beside`.

    `more` is what they may take by its name, beside `require`. A module may have its own `AT_ONCE_MAX` and
    `START_APART_SECONDS`.
    """
    beside = Beside()
    chosen = [
        item
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item.function, "waits")
    ]
    with tempfile.TemporaryDirectory(prefix="stenod-real-") as folder:
        at_once = getattr(request.module, "AT_ONCE_MAX", AT_ONCE_MAX)
        apart = getattr(request.module, "START_APART_SECONDS", START_APART_SECONDS)
        given = {"require": require, **more}
        trio.run(_run_all, beside, chosen, Path(folder), given, at_once, apart)
        yield beside


async def _run_all(
    beside: Beside,
    items: Sequence[pytest.Function],
    folder: Path,
    given: dict[str, object],
    at_once: int,
    apart: float,
) -> None:
    limiter = trio.CapacityLimiter(at_once)

    async def run_one(number: int, item: pytest.Function) -> None:
        async with limiter:
            await trio.sleep(number % at_once * apart)
            place = folder / str(number)
            place.mkdir()
            test = item.function.waits
            parameters = dict(item.callspec.params) if hasattr(item, "callspec") else {}
            wanted = inspect.signature(test).parameters
            parameters |= {name: one for name, one in given.items() if name in wanted}
            beside.outcomes[item.name] = await _outcome(partial(test, place, **parameters))

    async with trio.open_nursery() as nursery:
        for number, item in enumerate(items):
            nursery.start_soon(run_one, number, item)


async def _outcome(test: Test) -> BaseException | None:
    """Run one test and return how it failed; nurseries bundle that, mostly a single one."""
    try:
        await test()
    except (Exception, pytest.skip.Exception, pytest.fail.Exception, BaseExceptionGroup) as error:
        found: BaseException = error
        while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
            found = found.exceptions[0]
        if isinstance(found, KeyboardInterrupt):
            raise
        return found
    return None
