"""`stenod doctor`: the whole way as a person would walk it, one line a step, with what to do where it is blocked.

A line comes as soon as it is known; on a terminal the step that is waited for stands below. Marks are a sign and a
word's colour, where there is a terminal and nobody asked for none (NO_COLOR).
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stenod.cli import configured, load_configuration
from stenod.core import printable

if TYPE_CHECKING:
    from stenod.config import Loaded
    from stenod.examination import Examined, Step

SIGNS = {"good": "✓", "odd": "!", "wrong": "✗", "skipped": "-"}
PLAIN_SIGNS = {"good": "ok", "odd": "!!", "wrong": "NO", "skipped": "--"}
"""Where the encoding has no better ones."""
COLOURS = {"good": "green", "odd": "yellow", "wrong": "red", "skipped": "bright_black"}
CONFIGURED = ("key", "name", "connection", "session", "audio", "level", "state", "disk")
"""Steps that nothing can be said about without a configuration."""
ERASED = "\r\x1b[K"
INTERRUPTED = 130
OFFLINE, JSON = {True: ("--offline",), False: ()}, {True: ("--json",), False: ()}
"""How the options are passed on."""


@click.command()
@configured
@click.option("--offline", is_flag=True, help="Send nothing: leave out name, connection and session.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--service", is_flag=True, help="Examine the installed service, as systemd would start it.")
@click.option("--user", is_flag=True, help="With --service: your own one.")
@click.option("--name", default="", metavar="NAME", help="With --service: one of several, stenod@NAME.")
@click.option("--within", default="", hidden=True, help="Given by --service: in which unit it runs.")
@click.pass_context
def doctor(
    context: click.Context,
    /,
    config: Path | None,
    *,
    offline: bool,
    as_json: bool,
    service: bool,
    user: bool,
    name: str,
    within: str,
    **given: Any,
) -> None:
    """Try everything that `stenod run` needs, with the same options, and say what to do about what is wrong.

    \b
    stenod doctor
    stenod doctor --provider assemblyai --input mic:USB
    stenod doctor --config court.toml --state-dir ~/stenod
    sudo stenod doctor --service
    stenod doctor --service --user

    It ends within half a minute and changes nothing. It opens one session of a second or two with each configured
    provider, with silence, and the microphone for a second; --offline opens no session. A running stenod is not
    disturbed. No key is shown.

    A service has its own user, its key from systemd, and much that is forbidden to it. --service has systemd run doctor
    beside it just so, with the options of the unit that is installed.

    \b
    ok  ✓   fine
    !!  !   works, but you should know
    NO  ✗   must be mended
    --  -   was not tried

    Exit code 0: nothing must be mended. Otherwise the one that fits the first thing that must, as `stenod run` has it.
    130: ended by Ctrl-C.
    """
    from stenod.config import ConfigErrors

    if service:
        context.exit(_visited(config, given, user=user, name=name, more=[*OFFLINE[offline], *JSON[as_json]]))
    if (user or name) and not within:
        raise click.UsageError("--user and --name say which service is meant: they need --service")
    sheet = Sheet(sys.stdout, as_json=as_json, plain="NO_COLOR" in os.environ)
    loaded, errors = None, ""
    try:
        loaded = load_configuration(config, given, os.environ)
    except ConfigErrors as wrong:
        errors = str(wrong)
    code = examine(loaded, errors, os.environ, sheet, offline=offline, within=(within, user) if within else None)
    sheet.finish(code)
    context.exit(code)


def _visited(config: Path | None, given: Mapping[str, Any], *, user: bool, name: str, more: Sequence[str]) -> int:
    """Have systemd run doctor as the service, and return its exit code."""
    from stenod.edge.systemctl import ServiceManager
    from stenod.unit import place_of
    from stenod.visit import visit

    if config is not None or any(value not in (None, ()) for value in given.values()):
        raise click.UsageError("--service has the options of the installed unit; leave out the others")
    manager = ServiceManager(user=user, environment=os.environ)
    return visit(manager, place_of(user=user, name=name, environment=os.environ), more, os.environ)


def examine(
    loaded: "Loaded | None",
    errors: str,
    environment: Mapping[str, str],
    sheet: "Sheet",
    *,
    offline: bool,
    within: tuple[str, bool] | None = None,
) -> int:
    """Examine all of it, tell the sheet, and return the exit code.

    `within` is the one unit that is of interest, and whether it is the user's.
    """
    import trio

    from stenod.core.diagnosis import exit_code
    from stenod.examination import walk

    steps, secrets = table(loaded, errors, environment, offline=offline, within=within)
    sheet.expect(steps)
    examined: list[Examined] = []
    interrupted: list[int] = []

    async def run() -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:

                async def listen() -> None:
                    async for number in signals:
                        interrupted.append(number)
                        nursery.cancel_scope.cancel()

                nursery.start_soon(listen)
                examined.extend(await walk(steps, begin=sheet.begin, end=sheet.end, secrets=secrets))
                nursery.cancel_scope.cancel()

    trio.run(run)
    return INTERRUPTED if interrupted else exit_code(one.finding for one in examined)


def table(
    loaded: "Loaded | None",
    errors: str,
    environment: Mapping[str, str],
    *,
    offline: bool,
    within: tuple[str, bool] | None,
) -> "tuple[list[Step], Callable[[], list[str]]]":
    """Return the steps in their order, and what will know the keys."""
    from stenod import examination_machine as machine
    from stenod.core.diagnosis import Finding, wrong
    from stenod.core.verdict import ExitCode
    from stenod.edge import telemetry
    from stenod.examination import Case, Step
    from stenod.examination_provider import EngineExamination, ProviderExamination
    from stenod.examination_source import SourceExamination
    from stenod.options import LOCAL

    async def judged() -> Finding:
        return finding

    finding = wrong(errors, exit_code=ExitCode.CONFIGURATION) if loaded is None else machine.configuration(loaded)
    step = Step(name="configuration", waiting="reading it", examine=judged, lack="no configuration")
    steps = [step]
    if loaded is None or finding.mark == "wrong":
        steps += [replace(step, name=name, needs=(step.name,)) for name in CONFIGURED]
        return [*steps, *machine.surroundings(within)], list
    log = telemetry.configure(loaded.options.logging.level, loaded.options.logging.format, sys.stderr)
    case = Case(loaded, environment, offline, log.get_logger(stream=loaded.options.stream))
    for name in loaded.options.providers or (LOCAL,):
        steps += (EngineExamination(case) if name == LOCAL else ProviderExamination(case, name)).steps()
    steps += [
        *SourceExamination(case).steps(),
        *machine.MachineExamination(case).steps(),
        *machine.surroundings(within),
    ]
    return steps, lambda: list(case.keys.values())


class Sheet:
    """What a person sees, line by line; or one JSON object at the end."""

    def __init__(self, stream: Any, *, as_json: bool = False, plain: bool = False) -> None:
        self._stream = stream
        self._as_json = as_json
        self._encoding = stream.encoding or "ascii"
        self._live = not as_json and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._coloured = self._live and not plain
        self._signs = SIGNS if _encodable("".join(SIGNS.values()), self._encoding) else PLAIN_SIGNS
        self._rows: list[dict[str, Any]] = []
        self._title: Callable[[Step], str] = lambda step: step.name
        self._width = 0

    def expect(self, steps: "Sequence[Step]") -> None:
        """Learn what will come: a provider is named where there are several."""
        if len({step.of for step in steps if step.of}) > 1:
            self._title = lambda step: f"{step.name} of {step.of}" if step.of else step.name
        self._width = max(len(self._title(step)) for step in steps)

    def begin(self, step: "Step") -> None:
        """Show what is waited for, where somebody watches."""
        if self._live:
            text = f"{' ' * self._sign_width} {self._title(step):{self._width}}  {step.waiting}"
            self._write(ERASED + text[: shutil.get_terminal_size().columns - 1])

    def end(self, examined: "Examined") -> None:
        """Show what a step has found."""
        finding = examined.finding
        if self._as_json:
            self._rows.append({"step": examined.step.name, "of": examined.step.of, **asdict(finding)})
            return
        sign = f"{self._signs[finding.mark]:{self._sign_width}}"
        sign = click.style(sign, fg=COLOURS[finding.mark]) if self._coloured else sign
        first, *rest = printable.lines(str(finding)).splitlines() or [""]
        indent = " " * (self._sign_width + self._width + 3)
        lines = [f"{sign} {self._title(examined.step):{self._width}}  {first}", *(indent + line for line in rest)]
        self._write((ERASED if self._live else "") + "\n".join(lines) + "\n")

    def finish(self, code: int) -> None:
        """Say how it ended."""
        if self._as_json:
            self._write(json.dumps({"ok": code == 0, "exit_code": code, "findings": self._rows}, indent=2) + "\n")
        elif self._live:
            self._write(ERASED)

    @property
    def _sign_width(self) -> int:
        return max(map(len, self._signs.values()))

    def _write(self, text: str) -> None:
        self._stream.write(text.encode(self._encoding, "replace").decode(self._encoding))
        self._stream.flush()


def _encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
