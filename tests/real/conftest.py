"""What tests with real parts share: a part that is missing skips them, or, where all must run, fails them."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from daemon import Beside, run_together
from machine import PARTS as MACHINE_PARTS
from machine import Machine, NoMachine
from parts import lack, require_program
from soundserver import PARTS, SoundServer


@pytest.fixture(scope="module")
def beside(request: pytest.FixtureRequest, require: Callable[[str], None]) -> Iterator[Beside]:
    """What became of the module's tests that run beside each other; see `daemon.together`."""
    yield from run_together(request, require)


@pytest.fixture(scope="session")
def require() -> Callable[[str], None]:
    """`require("pulseaudio")`: the test needs this program."""
    return require_program


@pytest.fixture(scope="session")
def missing() -> Callable[[str], None]:
    """`missing("what and why")`: the test found that it cannot run here."""
    return lack


@pytest.fixture(scope="session")
def machine(missing: Callable[[str], None]) -> Iterator[Machine]:
    """A machine with systemd, and the host's sound server in it; see `machine.py`."""
    for program in (*PARTS, *MACHINE_PARTS):
        require_program(program)
    if os.geteuid() != 0:
        missing("only root can boot a machine")
    with SoundServer() as sound, ExitStack() as stack:
        try:
            booted = stack.enter_context(Machine(sound))
        except NoMachine as error:
            missing(f"a machine with systemd: {error}")
        yield booted


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    """A private sound server without devices, which this process and its children use."""
    for program in PARTS:
        require_program(program)
    with SoundServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server
