"""The command line: its words, and nothing behind them.

A command's module is imported when the command is invoked or its own help is shown; the group's help comes from the
table here. So `stenod --help` costs an interpreter and click. What goes wrong becomes an exit code in `__main__`.
"""

import importlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stenod import pathnames

if TYPE_CHECKING:
    from stenod.config import Loaded

F = TypeVar("F", bound=Callable[..., Any])

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("stenod.cli:run", "Transcribe a microphone, a file or a program's output to JSON lines."),
    "check": ("stenod.check:check", "Show the configuration, where it comes from, and what is wrong with it."),
    "doctor": ("stenod.doctor:doctor", "Try everything that a run needs, and say what to do about what is wrong."),
    "status": ("stenod.status:status", "Show what a journal holds, what waits, who runs, and what it has cost."),
    "health": ("stenod.health:health", "Ask a running stenod how it is, for probes of a container or a monitor."),
    "verify": ("stenod.verify:verify", "Check that a journal accounts for every sample and every line."),
    "tail": ("stenod.verify:tail", "Print a journal's lines again, for a reader that missed some."),
    "retranscribe": ("stenod.retranscribe:retranscribe", "Offer audio that was judged quiet once more."),
    "service": ("stenod.hosting:service", "Install stenod as a service of systemd, remove it, or show how it is."),
    "devices": ("stenod.cli:devices", "List the microphones."),
    "codes": ("stenod.codes:codes", "Explain what a provider's codes mean and what stenod does about them."),
    "emulate": ("stenod.emulator.command:emulate", "Serve the providers' protocols locally, faults included."),
}
"""Where each command is, and its line in the group's help, in the order of the help."""

PROVIDERS = ("assemblyai", "assemblyai-v2", "deepgram", "deepgram-flux", "local")
LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("auto", "console", "json")
ON_FATAL = ("auto", "exit", "hold")
"""As `options` has them; a test compares, since importing them would cost every `--help`."""


class LazyGroup(click.Group):
    """A group that imports a command when it is needed."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Import and return the command; None where there is none of that name."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table, importing nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def named_directory(value: str, variable: str | None = None) -> Path:
    """Return the state directory that a person names, as `run` understands it; raises a usage error."""
    try:
        return pathnames.directory(value)
    except ValueError as error:
        message = f"{error}; name another directory"
        raise click.BadParameter(message, param_hint=variable) from error


def named_file(value: str) -> Path:
    """Return the path of a file that a person names, `~` as the home; raises a usage error."""
    try:
        return pathnames.expanded(value)
    except ValueError as error:
        message = f"{error}; name another file"
        raise click.BadParameter(message) from error


def given_directory(environment: Mapping[str, str]) -> Path | None:
    """Return the state directory of our variable, or of systemd's; raises a usage error."""
    for variable in ("STENOD_STATE_DIR", "STATE_DIRECTORY"):
        given = environment.get(variable, "")
        if given:
            return named_directory(given.partition(":")[0] if variable == "STATE_DIRECTORY" else given, variable)
    return None


def configured(command: F) -> F:
    """Add the options that override the configuration; `load_configuration` takes them."""
    options = (
        click.option(
            "--config",
            type=named_file,
            metavar="FILE",
            help="Read this configuration file. None: ~/.config/stenod/stenod.toml, where there is one.",
        ),
        click.option(
            "--input", metavar="INPUT", help="mic, mic:NAME, mic:INDEX, sample, -, command:WORDS, none, or a file."
        ),
        click.option("--rate", type=int, metavar="HZ", help="Samples a second of raw input (- and command:)."),
        click.option("--channels", type=int, metavar="N", help="Channels of raw input (- and command:)."),
        click.option(
            "--provider",
            multiple=True,
            type=click.Choice(PROVIDERS),
            help="Who transcribes; repeat it for a second choice. None: the engine inside.",
        ),
        click.option("--endpoint", metavar="URL", help="Another server for the provider: ws://host:port."),
        click.option("--state-dir", metavar="DIR", help="Where the journal lives. None: a temporary directory."),
        click.option("--stream", metavar="NAME", help="Name of the stream in records and logs."),
        click.option("--output", metavar="FILE", help="Append the lines to a file instead of standard output."),
        click.option("--partials/--no-partials", default=None, help="Print unfinished turns too."),
        click.option(
            "--keep-audio/--no-keep-audio", default=None, help="Keep audio that has been transcribed, within limits."
        ),
        click.option("--on-fatal", type=click.Choice(ON_FATAL), help="What to do when only a person can help."),
        click.option("--log-level", type=click.Choice(LEVELS), help="The least that is logged."),
        click.option("--log-format", type=click.Choice(FORMATS), help="How it is logged, on standard error."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def load_configuration(config: Path | None, given: Mapping[str, Any], environment: Mapping[str, str]) -> "Loaded":
    """Return the configuration with what the command line said; raises `ConfigErrors`."""
    from stenod.config import ENDPOINT, FLAGS, load

    overrides = {path: given[flag.removeprefix("--").replace("-", "_")] for path, flag in FLAGS.items()}
    overrides["providers"] = overrides["providers"] or None
    overrides[ENDPOINT] = given[ENDPOINT]
    return load(config, environment, {path: value for path, value in overrides.items() if value is not None})


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="stenod", message="%(prog)s %(version)s")
def stenod() -> None:
    """Live transcription that can be left running: audio in, JSON lines out, no word lost.

    \b
    stenod run                    transcribe the default microphone
    stenod run --input sample     try it without one
    stenod check                  see what would be used, and from where

    Without a configured provider the engine inside transcribes, and nothing leaves the machine.
    """


@click.command()
@configured
@click.pass_context
def run(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Transcribe until the input ends or Ctrl-C: JSON lines on standard output, logs on standard error.

    \b
    stenod run --input sample
    stenod run --input talk.flac > talk.jsonl
    stenod run --input mic:USB --provider assemblyai --state-dir ~/stenod
    stenod run --input command:'arecord -q -f S16_LE -r 16000 -t raw'
    ffmpeg -v error -i talk.mp4 -f s16le -ac 1 -ar 16000 - | stenod run --input -

    The first Ctrl-C stops recording and waits for the last words, the second ends at once. With --state-dir, what was
    not transcribed is transcribed by the next run; --input none transcribes it and records nothing new. SIGHUP makes it
    read the key file and the provider's options again; for other changes the log asks for a restart.

    A provider's key comes from a systemd credential, a file, or the environment (ASSEMBLYAI_API_KEY, DEEPGRAM_API_KEY),
    never from here. Each option of the configuration file can also be set as a variable: STENOD_PACER_CHUNK_MS=200.

    \b
    Exit codes: 0 done, 64 wrong usage, 65 input is not audio, 66 no input, 69 something needed is missing,
    73 state directory or output cannot be written, 75 already running there, 76 provider does not understand,
    77 provider refuses the key, 78 wrong configuration, 70 a defect of stenod, 130 second Ctrl-C.
    """
    loaded = load_configuration(config, given, os.environ)
    application = importlib.import_module("stenod.assembly")
    context.exit(application.main(loaded, os.environ))


@click.command()
@click.argument("name", required=False)
@click.option("--watch", is_flag=True, help="Show how loud each is, until Ctrl-C. In a pipe: for a second.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@click.pass_context
def devices(context: click.Context, /, name: str | None, *, watch: bool, as_json: bool) -> None:
    """List the microphones: what `--input mic:NAME` and `--input mic:INDEX` can name.

    \b
    stenod devices
    stenod devices --watch          speak, and see which one hears you
    stenod devices --watch USB      only this one

    A part of a name is enough where it fits only one. The index may change when devices come and go, the name seldom.
    Several names may be one microphone (ALSA's default, sysdefault, plughw); on plain ALSA only one of them can be
    open at a time, and the others say so. With --watch in a pipe or with --json there is one line or object for each
    after about a second.

    Of a sound server only the ways to it are listed (pulse, pipewire, default), which lead to its default source.
    systemd/README.md says how another one gets a name here; for all of one stenod PULSE_SOURCE or PIPEWIRE_NODE does.
    """
    if watch:
        context.exit(importlib.import_module("stenod.watch").watch(name, as_json=as_json))
    if name is not None:
        raise click.UsageError("a NAME is for --watch")
    from dataclasses import asdict

    from stenod.core.microphones import NO_DEVICE
    from stenod.core.source import SourceError
    from stenod.core.verdict import ExitCode
    from stenod.edge.devices import list_devices

    found = list_devices()
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
    if not found:
        raise SourceError(NO_DEVICE, ExitCode.UNAVAILABLE)
    if not as_json:
        width = max(len("NAME"), *(len(one.name) for one in found))
        click.echo(f"  INDEX  {'NAME':{width}}  CHANNELS  RATE_HZ  HOST")
        for one in found:
            mark = "*" if one.default else " "
            click.echo(f"{mark} {one.index:5}  {one.name:{width}}  {one.channels:8}  {one.rate:7}  {one.host_api}")
        click.echo("* the default: --input mic")
