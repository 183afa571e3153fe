"""The real parts of streams: from the options of each to its journal and its task tree.

All streams of a process share one ledger with its thread, the reserve, the providers and the output; each has its own
folder of audio, its own sessions, and a log that names it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import trio

from stenod.config import holds_on_fatal
from stenod.core.log import Log
from stenod.core.retention import RetentionLimits
from stenod.core.source import Source, SourceError
from stenod.core.verdict import ExitCode
from stenod.edge import http, retry, websocket
from stenod.edge.dialling import Dialler
from stenod.edge.output import Output
from stenod.edge.reserve import Reserve
from stenod.edge.segments import Segments
from stenod.edge.state_directory import StateDirectory
from stenod.edge.system_clock import RealClock, SystemClock, boot_id
from stenod.engagement import NotPossible
from stenod.inputs import identity_of
from stenod.options import CaptureOptions, InputKind, Options
from stenod.recovery import Recorded, open_ledger
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

RESERVE_BYTES = 524_288
"""Enough for the ledger to write down what becomes of hours of audio."""
HOUR_SECONDS = 3600.0
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What the streams of a process have together."""

    providers: Sequence[Provider]
    output: Output
    environment: Mapping[str, str]
    relieved: Callable[[], None]
    """What a stream calls when a provider that had refused for good accepts it."""


@contextmanager
def journals(
    streams: Sequence[Options], directory: StateDirectory, log: Callable[[str], Log]
) -> Iterator[list[Journal]]:
    """Open the journals of all streams; leaving closes them. `log` is by the stream's name.

    Raises `NotPossible` for a stream that was recorded at another rate, and `LedgerUnusable`.
    """
    clock, recorded = RealClock(), []
    for options in streams:
        folder = directory.audio(options.stream)
        used = folder.exists()
        segments = Segments(folder, options.journal.segment_seconds * options.capture.rate)
        recorded.append(Recorded(stream=options.stream, rate=options.capture.rate, segments=segments, used=used))
    opened = open_ledger(directory.ledger, recorded, log(streams[0].stream), unix=clock.wall())
    with ExitStack() as stack:
        stack.callback(opened.ledger.close)
        limiter, reserve = trio.CapacityLimiter(1), Reserve(directory.reserve, RESERVE_BYTES)
        found = []
        for options, one in zip(streams, recorded, strict=True):
            state = opened.states[one.stream]
            if state.rate != one.rate:
                message = (
                    f"the stream {one.stream!r} in {directory.path} was recorded at {state.rate} Hz, the configuration "
                    f"says {one.rate} Hz; set capture.rate = {state.rate}, or use another stream"
                )
                raise NotPossible(message, ExitCode.CONFIGURATION)
            journal = Journal(
                stream=one.stream,
                state=state,
                segments=one.segments,
                ledger=opened.ledger,
                clock=clock,
                reserve=reserve,
                offload=partial(trio.to_thread.run_sync, limiter=limiter),
                log=log(one.stream),
                keeping=_keeping(options),
            )
            stack.callback(journal.close)
            found.append(journal)
        for status, journal in zip(opened.statuses, found, strict=False):
            journal.note(status)
        yield found


def stream_of(options: Options, journal: Journal, source: Source | None, common: Common, log: Log) -> Stream:
    """Build one stream's tree; `source` is None where nothing new is recorded."""
    clock = RealClock()
    printer = Printer(journal, common.output)
    transcript = Transcript(journal, printer.show if options.output.partials else None)
    live = source is not None and source.live
    hush = _hush(journal, options) if live else None
    desk = _desk(options, journal, transcript, hush, log)
    supervisor = Supervisor(
        journal=journal,
        roster=Roster([desk(provider=one) for one in common.providers], clock=clock, log=log),
        options=SupervisorOptions(
            hold=holds_on_fatal(options, common.environment),
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
        relieved=common.relieved,
    )
    parts = Parts(
        journal=journal,
        capture=None if source is None else _capture(options, journal, source, common, log),
        transcript=transcript,
        printer=printer,
        supervisor=supervisor,
        clock=clock,
        log=log,
        drain_seconds=options.supervisor.drain_seconds,
        sync_seconds=options.journal.sync_seconds,
        output_trouble=lambda: common.output.trouble,
    )
    return Stream(parts)


def _keeping(options: Options) -> Keeping:
    return Keeping(
        transcribed=options.journal.keep_audio,
        lines_seconds=options.output.outbox_days * DAY_SECONDS,
        quiet_seconds=options.journal.quiet_hours * HOUR_SECONDS,
        limits=RetentionLimits(
            bytes_max=options.journal.audio_bytes_max,
            seconds_max=options.journal.audio_hours_max * HOUR_SECONDS,
            free_bytes_min=options.journal.free_bytes_min,
        ),
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


def _capture(options: Options, journal: Journal, source: Source, common: Common, log: Log) -> Capture:
    identity = identity_of(options)
    return Capture(
        source=source,
        journal=journal,
        converter=partial(converter_of, options.capture),
        clock=RealClock(),
        log=log,
        origin=0 if identity is None else journal.source_start(identity),
        boot=boot_id(common.environment),
        synchronised=SystemClock().synchronised,
        channel=options.capture.channel,
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


def converter_of(capture: CaptureOptions, rate_in: int, channels_in: int, rate_out: int) -> Any:
    """Return what makes of the input one stream's audio; raises `SourceError` where the channels are not as named."""
    from stenod.edge.resampling import Converter

    names = len(capture.channel_names)
    unnamed = names < channels_in and capture.source.kind is not InputKind.MICROPHONE
    if names and (names > channels_in or unnamed):
        message = (
            f"the input has {channels_in} channel{'' if channels_in == 1 else 's'}, and capture.channel_names has "
            f"{names}; give each channel one name"
        )
        raise SourceError(message, ExitCode.CONFIGURATION)
    return Converter(rate_in, channels_in, rate_out, channel=capture.channel)
