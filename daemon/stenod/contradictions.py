"""Options that are fine each by itself and make no sense together."""

from collections.abc import Iterator
from dataclasses import dataclass

from stenod.options import Options
from stenod.values import notation


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Which option to change, what is wrong with it, and what would be right."""

    option: str
    wrong: str
    allowed: str


def contradictions(options: Options, *, endpoint_asked: bool) -> Iterator[Contradiction]:
    """Return all of them; `endpoint_asked`: the command line names a provider's endpoint."""
    longest, margin = options.rotation.session_seconds_max, options.rotation.margin_seconds
    if longest and margin >= longest:
        yield Contradiction(
            "rotation.session_seconds_max",
            f"{longest:g} leaves nothing before rotation.margin_seconds, which is {margin:g}",
            "allowed: 0, or more than the margin",
        )
    if (
        options.assemblyai.endpoint
        and "assemblyai" not in options.providers
        and (endpoint_asked or not options.providers)
    ):
        yield Contradiction(
            "assemblyai.endpoint",
            f"nobody would use it: providers is {notation(options.providers)}",
            'allowed: with "assemblyai" among the providers',
        )
    if "local" in options.providers[1:] and not options.supervisor.local_after_seconds:
        yield Contradiction(
            "providers",
            "the engine inside would never take over: supervisor.local_after_seconds is 0",
            "allowed: with supervisor.local_after_seconds set, or without `local` behind others",
        )
