"""Options that are fine each by itself and make no sense together."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import get_args

from stenod.options import LOCAL, RATES, Options, Provider, table_of
from stenod.values import notation


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
    capture = options.capture
    if capture.source.raw and capture.channel > capture.input_channels:
        yield Contradiction(
            "capture.channel",
            f"{capture.channel} is more than capture.input_channels, which is {capture.input_channels}",
            "allowed: 0, or one of those channels",
        )
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
