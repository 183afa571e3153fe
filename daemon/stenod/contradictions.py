"""Options that are fine each by itself and make no sense together."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import get_args

from stenod.options import LOCAL, RATES, InputKind, Options, Provider, table_of
from stenod.values import notation

STREAM_CHARACTERS_MAX = 64
"""As `options.StreamName` has it."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Which option to change, what is wrong with it, and what would be right."""

    option: str
    wrong: str
    allowed: str


def contradictions(options: Options, *, asked: AbstractSet[str]) -> Iterator[Contradiction]:
    """Return all of them; `asked`: the endpoints that the command line gives."""
    longest, margin = options.rotation.session_seconds_max, options.rotation.margin_seconds
    if longest and margin >= longest:
        yield Contradiction(
            "rotation.session_seconds_max",
            f"{longest:g} leaves nothing before rotation.margin_seconds, which is {margin:g}",
            "allowed: 0, or more than the margin",
        )
    yield from _channels(options)
    for name in get_args(Provider):
        path = f"{table_of(name)}.endpoint"
        used = name == LOCAL or name in options.providers or not getattr(options, table_of(name)).endpoint
        if not used and (path in asked or not options.providers):
            yield Contradiction(
                path,
                f"nobody would use it: providers is {notation(options.providers)}",
                f'allowed: with "{name}" among the providers',
            )
    for name in options.providers:
        if options.capture.rate not in RATES.get(name, (options.capture.rate,)):
            yield Contradiction(
                "capture.rate",
                f"{options.capture.rate} is no rate that {name} takes",
                f"allowed: {', '.join(map(str, RATES[name]))}",
            )
    if "local" in options.providers[1:] and not options.supervisor.local_after_seconds:
        yield Contradiction(
            "providers",
            "the engine inside would never take over: supervisor.local_after_seconds is 0",
            "allowed: with supervisor.local_after_seconds set, or without `local` behind others",
        )


def _channels(options: Options) -> Iterator[Contradiction]:
    """Return what is wrong about the channels that are to be heard."""
    capture, names = options.capture, options.capture.channel_names
    if capture.source.raw and capture.channel > capture.input_channels:
        yield Contradiction(
            "capture.channel",
            f"{capture.channel} is more than capture.input_channels, which is {capture.input_channels}",
            "allowed: 0, or one of those channels",
        )
    if not names:
        return
    if capture.channel:
        yield Contradiction(
            "capture.channel",
            f"{capture.channel} is one channel, and capture.channel_names has each heard",
            "allowed: 0, or without the names",
        )
    if capture.source.raw and len(names) != capture.input_channels:
        yield Contradiction(
            "capture.channel_names",
            f"{notation(names)} are {len(names)}, and capture.input_channels is {capture.input_channels}",
            "allowed: one name a channel",
        )
    longest = f"{options.stream}-{max(names, key=len)}"
    if capture.source.kind is not InputKind.NONE and len(longest) > STREAM_CHARACTERS_MAX:
        yield Contradiction(
            "capture.channel_names",
            f"the stream {longest} would have {len(longest)} characters",
            f"allowed: up to {STREAM_CHARACTERS_MAX} together with `stream`",
        )
    if options.supervisor.one_session and len(names) > 1:
        yield Contradiction(
            "supervisor.one_session",
            f"true, and capture.channel_names has {len(names)} streams with a session each",
            "allowed: false, or without the names",
        )
