"""The services that can transcribe: one row each, from a configured table to a dialect.

Adding one is a dialect in `providers`, a table in `options`, and a row here; whoever needs a provider's key, options,
rules or words asks this table. The engine inside is no row: it is not configured, it is started (`engagement`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stenod.core.verdict import Rule
from stenod.edge.secrets import Key, read_key
from stenod.options import (
    AssemblyaiOptions,
    AssemblyaiV2Options,
    DeepgramFluxOptions,
    DeepgramOptions,
    Options,
    key_owner,
    table_of,
)
from stenod.providers import deepgram, deepgram_flux
from stenod.providers.assemblyai import AssemblyAI, AssemblyAIOptions
from stenod.providers.assemblyai_rules import RULES as ASSEMBLYAI_RULES
from stenod.providers.assemblyai_v2 import AssemblyAIV2, AssemblyAIV2Options
from stenod.providers.assemblyai_v2_rules import RULES as ASSEMBLYAI_V2_RULES
from stenod.providers.base import Dialect
from stenod.providers.deepgram_flux_rules import RULES as DEEPGRAM_FLUX_RULES
from stenod.providers.deepgram_rules import RULES as DEEPGRAM_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service."""

    name: str
    dialect: Callable[[Any], Dialect]
    """From its table of options."""
    rules: Sequence[Rule]

    def options(self, options: Options) -> Any:
        """Return its own table."""
        return getattr(options, table_of(self.name))

    def engaged(self, options: Options) -> Dialect:
        """Return its dialect as it is configured."""
        return self.dialect(self.options(options))

    def key(self, options: Options, environment: Mapping[str, str]) -> Key:
        """Return its key; raises `SecretError`."""
        return read_key(key_owner(self.name), environment, self.options(options).key_file)


def _assemblyai(own: AssemblyaiOptions) -> Dialect:
    return AssemblyAI(
        AssemblyAIOptions(
            endpoint=own.endpoint,
            region=own.region,
            speech_model=own.speech_model,
            format_turns=own.format_turns,
            inactivity_timeout_seconds=own.inactivity_timeout_seconds,
            parameters=dict(own.parameters),
            price_per_hour=own.price_per_hour,
            temporary_tokens=own.temporary_tokens,
            token_seconds=own.token_seconds,
            token_session_seconds_max=own.token_session_seconds_max,
        )
    )


def _assemblyai_v2(own: AssemblyaiV2Options) -> Dialect:
    return AssemblyAIV2(
        AssemblyAIV2Options(
            endpoint=own.endpoint,
            temporary_token=own.temporary_token,
            word_boost=own.word_boost,
            parameters=dict(own.parameters),
            rate_ratio_max=own.rate_ratio_max,
            price_per_hour=own.price_per_hour,
        )
    )


def _deepgram(own: DeepgramOptions) -> Dialect:
    return deepgram.Deepgram(
        deepgram.DeepgramOptions(
            endpoint=own.endpoint,
            region=own.region,
            model=own.model,
            language=own.language,
            endpointing_ms=own.endpointing_ms,
            utterance_end_ms=own.utterance_end_ms,
            smart_format=own.smart_format,
            diarize=own.diarize,
            keyterms=own.keyterms,
            tag=own.tag,
            parameters=dict(own.parameters),
            price_per_hour=own.price_per_hour,
        )
    )


def _deepgram_flux(own: DeepgramFluxOptions) -> Dialect:
    return deepgram_flux.DeepgramFlux(
        deepgram_flux.DeepgramFluxOptions(
            endpoint=own.endpoint,
            region=own.region,
            model=own.model,
            eot_threshold=own.eot_threshold,
            eager_eot_threshold=own.eager_eot_threshold,
            eot_timeout_ms=own.eot_timeout_ms,
            keyterms=own.keyterms,
            language_hints=own.language_hints,
            tag=own.tag,
            parameters=dict(own.parameters),
            price_per_hour=own.price_per_hour,
        )
    )


SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (
        Service(name="assemblyai", dialect=_assemblyai, rules=ASSEMBLYAI_RULES),
        Service(name="assemblyai-v2", dialect=_assemblyai_v2, rules=ASSEMBLYAI_V2_RULES),
        Service(name="deepgram", dialect=_deepgram, rules=DEEPGRAM_RULES),
        Service(name="deepgram-flux", dialect=_deepgram_flux, rules=DEEPGRAM_FLUX_RULES),
    )
}
