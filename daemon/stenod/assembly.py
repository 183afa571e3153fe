"""The real parts: from a configuration to a running daemon, and what is said when it has ended.

With `streams`, which builds each stream's, the only module that knows all of `edge`. What a person must be told (a key
that is missing, a directory in use, audio that was left) is an exception with an exit code, or a line on standard
error.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import trio

from stenod import engagement
from stenod.app import Daemon, Outcome, Service
from stenod.config import ENDPOINT, Loaded, holds_on_fatal, is_service, load, state_directory
from stenod.core.diagnosis import by_hand
from stenod.core.health import Health, line
from stenod.core.log import Log
from stenod.core.printable import one_line
from stenod.core.source import Source
from stenod.core.verdict import ExitCode
from stenod.edge import journald, status_socket, telemetry
from stenod.edge import state_directory as directories
from stenod.edge.output import Output
from stenod.edge.output_file import OutputFile
from stenod.edge.state_directory import StateDirectory
from stenod.edge.systemd import Notifier
from stenod.edge.telemetry import Telemetry
from stenod.engagement import NotPossible
from stenod.inputs import source_of, streams_of
from stenod.leftovers import leave, look_behind, meant_for
from stenod.options import InputKind, Options
from stenod.reload import Reload
from stenod.saying import FORM, say
from stenod.stream import Stream
from stenod.streams import Common, journals, stream_of
from stenod.tasks.journal import Journal
from stenod.tasks.provider import Provider
from stenod.tasks.sessions import Fatal
from stenod.tasks.sharing import SharedSource

LOG_FLUSH_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """What a run is made of before the task tree stands."""

    loaded: Loaded
    environment: Mapping[str, str]
    telemetry: Telemetry
    directory: StateDirectory

    @property
    def options(self) -> Options:
        """The configuration."""
        return self.loaded.options


async def run(assembly: Assembly) -> Outcome:
    """Run the daemon to its end."""
    options, environment = assembly.options, assembly.environment

    def log_of(stream: str) -> Log:
        return assembly.telemetry.get_logger(stream=stream)

    log, streams = log_of(options.stream), _streams(assembly)
    output = _output(assembly, len(streams), log)
    async with trio.open_nursery() as nursery:
        providers = await engagement.engaged(options, environment, nursery, log)
        for provider in providers:
            assembly.telemetry.conceal(provider.key)
        with journals(streams, assembly.directory, log_of) as opened:
            for journal in opened:
                _ask_who(assembly, journal)
            sources, services = _sources(options, streams, patient=holds_on_fatal(options, environment))
            built: list[Stream] = []

            def probe() -> None:
                for one in built:
                    one.probe()

            common = Common(
                providers=providers,
                output=output,
                environment=environment,
                relieved=probe,
            )
            built += [
                stream_of(one, journal, source, common, log_of(one.stream))
                for one, journal, source in zip(streams, opened, sources, strict=True)
            ]
            settings = _settings(assembly, providers, log)
            daemon = Daemon(
                built,
                notifier=Notifier(environment),
                log=log,
                reload=partial(_take_over, output, settings),
                refused=lambda: settings.refused,
                services=(partial(_flush_log, assembly.telemetry), output.follow, *services),
                publish=partial(_publish, assembly, log),
            )
            outcome = await daemon.run()
        nursery.cancel_scope.cancel()
    return outcome


def _streams(assembly: Assembly) -> list[Options]:
    """Return the options of each stream; where nothing is recorded, of those that the journal has."""
    options = assembly.options
    named = streams_of(options)
    if options.capture.source.kind is not InputKind.NONE:
        return named
    wanted = {one.stream: one for one in (*named, options)}
    return [one for one in wanted.values() if assembly.directory.audio(one.stream).exists()] or [options]


def _sources(
    options: Options, streams: Sequence[Options], *, patient: bool
) -> tuple[Sequence[Source | None], Sequence[Service]]:
    """Return the source of each stream, and what must run for them: one that is live is opened once for all."""
    source = source_of(options, patient=patient)
    if source is None or not source.live or len(streams) == 1:
        return [source_of(one, patient=patient) for one in streams], ()
    shared = SharedSource(source, len(streams))
    return shared.shares, (shared.run,)


def _output(assembly: Assembly, printers: int, log: Log) -> Output:
    """Return where lines go; raises `OutputUnusable`. Whoever holds on waits for room there, and for the file."""
    options = assembly.options
    named = options.output.file
    holds = holds_on_fatal(options, assembly.environment)
    file = OutputFile(Path(named).expanduser().absolute(), log, patient=holds) if named else None
    if file is not None and file.missing:
        log.error("output.lost", reason=f"{file.missing}; lines wait", remedy="it goes on by itself then")
    return Output(printers=printers, log=log if holds else None, file=file)


def _ask_who(assembly: Assembly, journal: Journal) -> None:
    """Let no other engine take what waits for a service: its words would stay, and the audio go."""
    options, path = assembly.options, assembly.directory.path
    service = meant_for(path, journal.stream)
    if not options.providers and service is not None and journal.cursor < journal.tail:
        message = (
            f"{journal.pending_seconds():.1f} s of audio in {path} wait for {service}, and no provider is named; say "
            f"--provider {service}, or --provider local to have the engine inside transcribe them"
        )
        raise NotPossible(message, ExitCode.CONFIGURATION)


def _take_over(output: Output, settings: Reload) -> bool:
    """Do what SIGHUP asks for: the output's file may have been moved, key and configuration changed."""
    output.renew()
    return settings()


def _settings(assembly: Assembly, providers: Sequence[Provider], log: Log) -> Reload:
    """Return what reads key and configuration again."""
    loaded, environment = assembly.loaded, assembly.environment
    return Reload(
        loaded=loaded,
        load=lambda: load(loaded.path, environment, loaded.overrides),
        environment=environment,
        providers=providers,
        conceal=assembly.telemetry.conceal,
        log=log,
    )


async def _publish(assembly: Assembly, log: Log, health: Callable[[], Health]) -> None:
    """Let whoever asks in the state directory know how it is."""
    answer = partial(line, pid=os.getpid(), version=version("stenod"))
    await status_socket.serve(assembly.directory.path, lambda: answer(health()), log)


async def _flush_log(telemetry: Telemetry) -> None:
    """Bring out what the rate limit of repeated lines holds back."""
    while True:
        await trio.sleep(LOG_FLUSH_SECONDS)
        telemetry.flush()


async def _run_whole(assembly: Assembly) -> Outcome:
    """Run, and let no hang-up end it: it asks for a reload, and may come before signals are watched, or after."""
    signal.signal(signal.SIGHUP, lambda *_: None)
    try:
        return await run(assembly)
    finally:
        # Ignored rather than handled by nobody: the end of the interpreter puts the default back, which is to die.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def main(loaded: Loaded, environment: Mapping[str, str]) -> int:
    """Run what the configuration says and return the exit code; raises what a person must be told."""
    log = loaded.options.logging
    FORM.as_json = log.format == "json"
    journal = journald.Journal() if journald.reads(sys.stderr, environment) else None
    logging = telemetry.configure(log.level, log.format, sys.stderr, journal=journal)
    chosen = state_directory(loaded.options, environment)
    if chosen is None:
        look_behind(environment)
    directory = directories.named(chosen) if chosen is not None else directories.temporary(environment)
    if directory.temporary:
        directory.remember(_given(loaded))
    assembly = Assembly(loaded=loaded, environment=environment, telemetry=logging, directory=directory)
    outcome: Outcome | None = None
    try:
        outcome = trio.run(_run_whole, assembly)
    finally:
        logging.flush()
        _conclude(assembly, outcome or Outcome(), failed=outcome is None)
    return outcome.exit_code


def _conclude(assembly: Assembly, outcome: Outcome, *, failed: bool) -> None:
    """Say what a person must know now, and leave the directory as it should be. `failed`: an exception ends it."""
    directory, options = assembly.directory, assembly.options
    if outcome.fatal is not None:
        say(f"stenod: {_refusal(outcome.fatal)}")
    given_up = outcome.reader_gone or outcome.fatal is not None
    source_waits = options.capture.source.kind in (InputKind.SAMPLE, InputKind.FILE)
    leave(
        directory,
        wanted=not outcome.reader_gone,
        repeatable=given_up and source_waits,
        given=_given(assembly.loaded),
        service=is_service(assembly.environment),
        failed=failed,
    )


def _refusal(fatal: Fatal) -> str:
    """Return what a person reads who is left alone with it: nothing goes on by itself any more."""
    return f"{fatal.rule.meaning} ({one_line(fatal.text)}) {by_hand(fatal.rule.remedy)}"


def _given(loaded: Loaded) -> list[str]:
    """Return the words that said where the provider is and where lines go: they belong to what goes on with a run."""
    config = [] if loaded.path is None else ["--config", str(loaded.path)]
    endpoint = [str(value) for path, value in loaded.overrides.items() if path.rpartition(".")[2] == ENDPOINT]
    output = loaded.overrides.get("output.file")
    lines = [] if output is None else ["--output", str(output)]
    return config + [word for url in endpoint for word in ("--endpoint", url)] + lines
