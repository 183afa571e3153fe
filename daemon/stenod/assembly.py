"""The real parts: from a configuration to a running daemon, and what is said when it has ended.

The only module that knows all of `edge`. What a person must be told (a key that is missing, a directory in use, audio
that was left) is an exception with an exit code, or a line on standard error.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import click
import trio

from stenod import engagement
from stenod.app import Daemon, Outcome
from stenod.config import Loaded, holds_on_fatal, load, state_directory
from stenod.core.log import Log
from stenod.core.retention import RetentionLimits
from stenod.core.source import Source
from stenod.core.verdict import ExitCode
from stenod.edge import http, retry, telemetry, websocket
from stenod.edge import state_directory as directories
from stenod.edge.dialling import Dialler
from stenod.edge.output import Output
from stenod.edge.reserve import Reserve
from stenod.edge.segments import Segments
from stenod.edge.state_directory import StateDirectory
from stenod.edge.system_clock import RealClock, SystemClock, boot_id
from stenod.edge.systemd import Notifier
from stenod.edge.telemetry import Telemetry
from stenod.engagement import NotPossible
from stenod.inputs import identity_of, source_of
from stenod.leftovers import leave, look_behind, meant_for
from stenod.options import InputKind, Options
from stenod.recovery import open_ledger
from stenod.reload import Reload
from stenod.stream import Parts, Stream
from stenod.tasks.capture import Capture
from stenod.tasks.hush import Hush, QuietOptions, QuietPolicy
from stenod.tasks.journal import Journal
from stenod.tasks.printer import Printer
from stenod.tasks.provider import Provider
from stenod.tasks.roster import Roster
from stenod.tasks.session_options import SessionOptions
from stenod.tasks.sessions import Sessions
from stenod.tasks.stored_audio import Keeping
from stenod.tasks.supervisor import Supervisor, SupervisorOptions
from stenod.tasks.transcript import Transcript

LOG_FLUSH_SECONDS = 10.0
RESERVE_BYTES = 524_288
"""Enough for the ledger to write down what becomes of hours of audio."""
HOUR_SECONDS = 3600.0
DAY_SECONDS = 86_400.0


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
    """Run one stream to its end."""
    log = assembly.telemetry.get_logger(stream=assembly.options.stream)
    async with trio.open_nursery() as nursery:
        providers = await engagement.engaged(assembly.options, assembly.environment, nursery, log)
        for provider in providers:
            assembly.telemetry.conceal(provider.key)
        journal = _journal(assembly, log)
        try:
            _ask_who(assembly, journal)
            daemon = Daemon(
                [Stream(_parts(assembly, journal, providers, log))],
                notifier=Notifier(assembly.environment),
                log=log,
                reload=_reload(assembly, providers, log),
                services=(partial(_flush_log, assembly.telemetry),),
            )
            outcome = await daemon.run()
        finally:
            journal.close()
        nursery.cancel_scope.cancel()
    return outcome


def _ask_who(assembly: Assembly, journal: Journal) -> None:
    """Let no other engine take what waits for a service: its words would stay, and the audio go."""
    options, path = assembly.options, assembly.directory.path
    service = meant_for(path, options.stream)
    if not options.providers and service is not None and journal.cursor < journal.tail:
        message = (
            f"{journal.pending_seconds():.1f} s of audio in {path} wait for {service}, and no provider is named; say "
            f"--provider {service}, or --provider local to have the engine inside transcribe them"
        )
        raise NotPossible(message, ExitCode.CONFIGURATION)


def _journal(assembly: Assembly, log: Log) -> Journal:
    options, directory = assembly.options, assembly.directory
    folder, clock = directory.audio(options.stream), RealClock()
    used = folder.exists()
    segments = Segments(folder, options.journal.segment_seconds * options.capture.rate)
    opened = open_ledger(
        directory.ledger, options.stream, options.capture.rate, segments, log, unix=clock.wall(), used=used
    )
    state = opened.state
    if state.rate != options.capture.rate:
        message = (
            f"the stream {options.stream!r} in {directory.path} was recorded at {state.rate} Hz, the configuration "
            f"says {options.capture.rate} Hz; set capture.rate = {state.rate}, or use another stream"
        )
        raise NotPossible(message, ExitCode.CONFIGURATION)
    limiter = trio.CapacityLimiter(1)
    journal = Journal(
        stream=options.stream,
        state=state,
        segments=segments,
        ledger=opened.ledger,
        clock=clock,
        reserve=Reserve(directory.reserve, RESERVE_BYTES),
        offload=partial(trio.to_thread.run_sync, limiter=limiter),
        log=log,
        keeping=Keeping(
            transcribed=options.journal.keep_audio,
            lines_seconds=options.output.outbox_days * DAY_SECONDS,
            quiet_seconds=options.journal.quiet_hours * HOUR_SECONDS,
            limits=RetentionLimits(
                bytes_max=options.journal.audio_bytes_max,
                seconds_max=options.journal.audio_hours_max * HOUR_SECONDS,
                free_bytes_min=options.journal.free_bytes_min,
            ),
        ),
    )
    if opened.status is not None:
        journal.note(opened.status)
    return journal


def _parts(assembly: Assembly, journal: Journal, providers: Sequence[Provider], log: Log) -> Parts:
    options, clock = assembly.options, RealClock()
    source = source_of(options)
    printer = Printer(journal, Output())
    transcript = Transcript(journal, printer.show if options.output.partials else None)
    capture = None if source is None else _capture(assembly, journal, source, log)
    live = source is not None and source.live
    hush = _hush(journal, options) if live else None
    desk = _desk(options, journal, transcript, hush, log)
    supervisor = Supervisor(
        journal=journal,
        roster=Roster([desk(provider=one) for one in providers], clock=clock, log=log),
        options=SupervisorOptions(
            hold=holds_on_fatal(options, assembly.environment),
            session_seconds_max=options.rotation.session_seconds_max or None,
            margin_seconds=options.rotation.margin_seconds,
            late_after_seconds=options.supervisor.late_after_seconds,
            in_order=options.output.order == "time",
            one_session=options.supervisor.one_session,
        ),
        clock=clock,
        log=log,
        live=live,
        hush=hush,
    )
    return Parts(
        journal=journal,
        capture=capture,
        transcript=transcript,
        printer=printer,
        supervisor=supervisor,
        clock=clock,
        log=log,
        drain_seconds=options.supervisor.drain_seconds,
        sync_seconds=options.journal.sync_seconds,
    )


def _desk(
    options: Options, journal: Journal, transcript: Transcript, hush: Hush | None, log: Log
) -> Callable[..., Sessions]:
    """Return what opens sessions, but for whose."""
    dialler = Dialler(options.tls.ca_file)
    return partial(
        Sessions,
        journal=journal,
        transcript=transcript,
        options=_session_options(options),
        clock=RealClock(),
        connect=partial(websocket.connect, dial=dialler.dial),
        fetch=partial(http.fetch, dial=dialler.dial),
        until_open=retry.until_open,
        log=log,
        hush=hush,
    )


def _reload(assembly: Assembly, providers: Sequence[Provider], log: Log) -> Reload:
    loaded, environment = assembly.loaded, assembly.environment
    return Reload(
        loaded=loaded,
        load=lambda: load(loaded.path, environment, loaded.overrides),
        environment=environment,
        providers=providers,
        conceal=assembly.telemetry.conceal,
        log=log,
    )


def _capture(assembly: Assembly, journal: Journal, source: Source, log: Log) -> Capture:
    identity = identity_of(assembly.options)
    return Capture(
        source=source,
        journal=journal,
        converter=partial(_converter, assembly.options.capture.channel),
        clock=RealClock(),
        log=log,
        origin=0 if identity is None else journal.source_start(identity),
        boot=boot_id(assembly.environment),
        synchronised=SystemClock().synchronised,
    )


def _hush(journal: Journal, options: Options) -> Hush:
    """Return the ear of a live source."""
    chosen = QuietOptions(
        policy=QuietPolicy(options.pacer.quiet),
        hold_seconds=options.pacer.quiet_after_seconds or None,
        preroll_seconds=options.pacer.preroll_seconds,
    )
    return Hush(journal, chosen)


def _session_options(options: Options) -> SessionOptions:
    return SessionOptions(
        opening_seconds=options.supervisor.opening_seconds,
        send_seconds=options.liveness.send_seconds,
        ping_seconds=options.liveness.ping_seconds,
        pong_seconds=options.liveness.pong_seconds,
        stall_seconds=options.liveness.stall_seconds,
        turn_seconds_max=options.supervisor.turn_seconds_max,
        chunk_seconds=options.pacer.chunk_ms / 1000.0,
    )


def _converter(channel: int, rate_in: int, channels_in: int, rate_out: int) -> Any:
    from stenod.edge.resampling import Converter

    return Converter(rate_in, channels_in, rate_out, channel=channel)


async def _flush_log(telemetry: Telemetry) -> None:
    """Bring out what the rate limit of repeated lines holds back."""
    while True:
        await trio.sleep(LOG_FLUSH_SECONDS)
        telemetry.flush()


def main(loaded: Loaded, environment: Mapping[str, str]) -> int:
    """Run what the configuration says and return the exit code; raises what a person must be told."""
    log = loaded.options.logging
    logging = telemetry.configure(log.level, log.format, sys.stderr, environment)
    chosen = state_directory(loaded.options, environment)
    if chosen is None:
        look_behind(environment)
    directory = directories.named(chosen) if chosen is not None else directories.temporary(environment)
    assembly = Assembly(loaded=loaded, environment=environment, telemetry=logging, directory=directory)
    outcome = Outcome()
    try:
        outcome = trio.run(run, assembly)
    finally:
        logging.flush()
        _conclude(assembly, outcome)
    return outcome.exit_code


def _conclude(assembly: Assembly, outcome: Outcome) -> None:
    """Say what a person must know now, and leave the directory as it should be."""
    directory, options = assembly.directory, assembly.options
    if outcome.fatal is not None:
        rule = outcome.fatal.rule
        click.echo(f"stenod: {rule.meaning} ({outcome.fatal.text}) {rule.remedy}", err=True)
    given_up = outcome.reader_gone or outcome.fatal is not None
    source_waits = options.capture.source.kind in (InputKind.SAMPLE, InputKind.FILE)
    leave(directory, wanted=not outcome.reader_gone, repeatable=given_up and source_waits)
