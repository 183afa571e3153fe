"""`stenod emulate`: the emulator on a port, until it is told to stop.

Everything heavy is imported inside functions, so that `--help` is instant.
"""

import math
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from stenod.emulator.faults import Fault
    from stenod.emulator.options import EmulatorOptions

EXIT_UNAVAILABLE = 69
EXIT_CONFIGURATION = 78


class Finite(click.FloatRange):
    """A number within limits, which "nan" and "inf" are not."""

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        """See `click.ParamType`."""
        number: float = super().convert(value, param, context)
        if not math.isfinite(number):
            self.fail(f"{value} is no number of seconds.", param, context)
        return number


def _host(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Return the name, where it can be one."""
    try:
        value.encode("idna")
    except UnicodeError:
        raise click.BadParameter(f"{value!a} is no name of a host.") from None
    return value


@click.command("emulate", short_help="Run a provider on this machine: rehearsal stage, test server, offline engine.")
@click.option("--host", default="127.0.0.1", show_default=True, callback=_host, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0 picks a free one.")
@click.option(
    "--engine",
    default="pocketsphinx",
    show_default=True,
    metavar="ENGINE",
    help="pocketsphinx recognises speech; oracle reads synthetic audio that names its own position "
    "(`stenod.emulator.oracle.synthesize` makes it); script:FILE says the words of FILE at their times.",
)
@click.option(
    "--faults",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What shall go wrong, and when: TOML with [[fault]] tables.",
)
@click.option("--v2", is_flag=True, help="Speak AssemblyAI's retired interface too, at /v2/realtime/ws.")
@click.option("--realism", is_flag=True, help="Padded times, late finals, replays cut and worded otherwise.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides everything that is left to chance.")
@click.option("--key", "keys", multiple=True, help="A key to accept; may be repeated. Without it any key will do.")
@click.option(
    "--session-seconds-max",
    type=Finite(min=0, min_open=True),
    help="How long a session may last. Without it as long as the provider's may: three hours with AssemblyAI.",
)
@click.option("--sessions-max", type=click.IntRange(0), help="How many sessions may be open at once.")
@click.option("--openings-per-minute", type=click.IntRange(0), help="How many sessions may be opened in a minute.")
@click.option(
    "--log", "log_path", type=click.Path(path_type=Path), metavar="FILE", help="Append what happens, as JSON."
)
def emulate(
    host: str,
    port: int,
    engine: str,
    faults: Path | None,
    v2: bool,
    realism: bool,
    seed: int,
    keys: Sequence[str],
    session_seconds_max: float | None,
    sessions_max: int | None,
    openings_per_minute: int | None,
    log_path: Path | None,
) -> None:
    """Run a strict streaming server on this machine that speaks as the providers do.

    It enforces the real limits with the real error texts, and breaks when and how it is told to.

    \b
    What is spoken where:
        /v3/ws            AssemblyAI v3; temporary tokens come from GET /v3/token
        /v2/realtime/ws   AssemblyAI's older interface, with --v2; otherwise retired (410)
        /v1/listen        Deepgram
        /v2/listen        Deepgram Flux

    \b
    Rehearse an outage: the line goes dead for 20 s, a minute after the start.
        $ cat outage.toml
        [[fault]]
        kind = "black-hole"
        wall = 60.0
        duration = 20.0
        $ stenod emulate --port 8080 --faults outage.toml --log truth.jsonl

    \b
    Kinds of fault:
        black-hole, refuse, status, slow, slow-begin, drop, close, error, error-untyped,
        expire, begin-then-die, deaf, mute, slow-messages, garbage, huge
    When: wall (seconds since the start) or audio (seconds of a session's audio), repeat, session, attempt, count.
        None of them: from the start on, every attempt, or each session at its beginning.
        What strikes a session at a wall time strikes those that are open then, and none that comes later.
    What: duration (how long; of slow and slow-begin how much later, each time or count times), code, text, status.

    \b
    With --engine script:FILE every session hears the words of FILE, one a line, in seconds of its audio:
        {"text": "hello", "start": 1.2, "end": 1.5}

    Stop it with Ctrl-C. Exit codes: 0 stopped, 69 the engine or the port cannot be had, 78 the configuration is wrong.
    """
    from stenod.emulator.options import EmulatorOptions

    options = EmulatorOptions(
        host=host,
        port=port,
        engine=engine,
        faults=_faults(faults),
        keys=frozenset(keys) or None,
        v2=v2,
        realism=realism,
        seed=seed,
        session_seconds_max=session_seconds_max,
        sessions_max=sessions_max,
        openings_per_minute_max=openings_per_minute,
        log_path=log_path,
    )
    _run(options)


def _faults(path: Path | None) -> "tuple[Fault, ...]":
    from stenod.emulator.faults import FaultsError, load_faults

    try:
        return () if path is None else load_faults(path)
    except FaultsError as error:
        _fail(EXIT_CONFIGURATION, *error.errors)


def _run(options: "EmulatorOptions") -> None:
    """Serve until a signal, or say why not."""
    import trio

    error = trio.run(_serve, options)
    if isinstance(error, OSError) and error.filename is None:
        _fail(EXIT_UNAVAILABLE, f"cannot listen on {options.host}:{options.port}: {error.strerror or error}")
    if isinstance(error, OSError):
        _fail(EXIT_CONFIGURATION, f"cannot write {error.filename}: {error.strerror or error}")
    if error is not None:
        _fail(EXIT_UNAVAILABLE if isinstance(error, LookupError) else EXIT_CONFIGURATION, str(error))


async def _serve(options: "EmulatorOptions") -> "OSError | LookupError | ValueError | None":
    """Serve until a signal; return why that cannot be."""
    import trio

    from stenod.emulator.server import EngineChoiceError, EngineUnavailableError, Server, serve

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            try:
                server: Server = await nursery.start(serve, options)
            except (OSError, EngineChoiceError, EngineUnavailableError) as error:
                return error
            click.echo(f"listening on {', '.join(server.urls[:-1])} and {server.url}", err=True)
            async for _ in signals:
                nursery.cancel_scope.cancel()
    return None


def _fail(code: int, *sentences: str) -> NoReturn:
    for sentence in sentences:
        click.echo(f"stenod emulate: {sentence}", err=True)
    sys.exit(code)
