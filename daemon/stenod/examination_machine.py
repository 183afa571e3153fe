"""Examining what is under a run: configuration, state directory, disk, clock, service. It changes nothing.

A state directory in which somebody runs is only looked at. Where none is named, the place is looked at where temporary
ones are made.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import trio

from stenod.check import oddities
from stenod.config import Loaded, state_directory
from stenod.core.diagnosis import (
    Directory,
    Finding,
    good,
    joined,
    odd,
    of_clock,
    of_directory,
    of_disk,
    of_units,
    skipped,
    wrong,
)
from stenod.core.verdict import ExitCode
from stenod.edge import systemctl
from stenod.edge.dialling import Dialler, UntrustedError
from stenod.edge.state_directory import condition, home
from stenod.edge.system_clock import SystemClock
from stenod.examination import Case, Step
from stenod.inputs import streams_of
from stenod.options import table_of
from stenod.services import SERVICES

SAMPLE_BYTES = 2
DIRECTORY_SECONDS = 5.0
"""For a disk that sleeps; one that hangs is told."""
UNCONFIGURED = (
    "nothing is configured: the default microphone, and the engine inside, which is modest English; "
    "`--provider` names a service, and `stenod run --input sample` needs nothing at all"
)


def configuration(loaded: Loaded) -> Finding:
    """Say where the configuration comes from, and what is odd or cannot work about it."""
    options = loaded.options
    found = [odd(text, "see `stenod check`") for text in oddities(loaded)]
    for name in options.providers:
        if name in SERVICES:
            dialect, table = SERVICES[name].engaged(options), table_of(name)
            errors = [f"{table}.{one.option}: {one.text}" for one in dialect.errors()]
            found += [wrong(text, exit_code=ExitCode.CONFIGURATION) for text in errors]
            found += [odd(f"{table}.{one.option}", one.text) for one in dialect.warnings()]
    try:
        Dialler(options.tls.ca_file)
    except UntrustedError as error:
        found.append(wrong(str(error), exit_code=error.exit_code))
    return joined(found) if found else good(_origin(loaded))


def _origin(loaded: Loaded) -> str:
    counts = Counter(origin.partition(" ")[0] for origin in loaded.origins.values() if origin != "default")
    if not counts:
        return UNCONFIGURED if loaded.path is None else f"{loaded.path}, which sets nothing"
    places = [
        f"{counts[word]} {told}{'' if counts[word] == 1 else 's'}"
        for word, told in (("variable", "variable"), ("option", "command line option"))
        if counts[word]
    ]
    file = [] if loaded.path is None else [str(loaded.path)]
    who = ", ".join(loaded.options.providers) or "the engine inside"
    return f"from {', '.join([*file, *places])}: input {loaded.options.capture.input}, transcribed by {who}"


class MachineExamination:
    """The machine under a configured run."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._options = case.loaded.options
        chosen = state_directory(self._options, case.environment)
        self._temporary = chosen is None
        self._path = chosen or home(case.environment)
        self._streams = [one.stream for one in streams_of(self._options)]
        self._found: Directory | None = None

    def steps(self) -> Iterator[Step]:
        """Return the steps in their order."""
        yield Step(
            name="state",
            waiting=f"trying to write in {self._path}",
            examine=self.state,
            seconds=DIRECTORY_SECONDS,
            late="the disk hangs: look at it, or choose another directory with --state-dir",
        )
        yield Step(name="disk", waiting="measuring the disk", examine=self.disk)

    async def state(self) -> Finding:
        """Look at the state directory."""
        return of_directory(await self._condition(), temporary=self._temporary)

    async def disk(self) -> Finding:
        """Say for how long audio can wait there."""
        journal = self._options.journal
        return of_disk(
            (await self._condition()).free_bytes,
            bytes_a_second=SAMPLE_BYTES * self._options.capture.rate * len(self._streams),
            floor_bytes=journal.free_bytes_min,
            audio_bytes_max=journal.audio_bytes_max,
            hours_max=journal.audio_hours_max,
        )

    async def _condition(self) -> Directory:
        if self._found is None:
            self._found = await trio.to_thread.run_sync(
                condition, self._path, () if self._temporary else self._streams, abandon_on_cancel=True
            )
        return self._found


def surroundings(within: tuple[str, bool] | None = None) -> Iterator[Step]:
    """Return the steps that need no configuration; `within` is the one unit that is of interest, if it is one."""
    yield Step(name="clock", waiting="asking the kernel", examine=_clock)
    yield Step(
        name="service",
        waiting="asking systemd",
        examine=partial(_service, within),
        seconds=7.0,
        late="`systemctl status`",
    )


async def _clock() -> Finding:
    return of_clock(synchronised=SystemClock().known())


async def _service(within: tuple[str, bool] | None) -> Finding:
    try:
        units = await systemctl.units()
    except systemctl.ManagerError as silent:
        return skipped(str(silent))
    return of_units(units and [one for one in units if within in (None, (one.name, one.user))])
