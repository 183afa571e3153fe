"""The services that can transcribe: one row each, from a configured table to a dialect.

Adding one is a dialect in `providers`, a table in `options`, and a row here; whoever needs a provider's key, options,
rules or words asks this table. The engine inside is no row: it is not configured, it is started (`engagement`).

A dialect's options have the names of its table's, so that they are handed over one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from stenod.core.verdict import Rule
from stenod.edge.secrets import Key, read_key
from stenod.options import Options, key_owner, table_of
from stenod.providers.assemblyai import AssemblyAI, AssemblyAIOptions
from stenod.providers.assemblyai_rules import RULES as ASSEMBLYAI_RULES
from stenod.providers.assemblyai_v2 import AssemblyAIV2, AssemblyAIV2Options
from stenod.providers.assemblyai_v2_rules import RULES as ASSEMBLYAI_V2_RULES
from stenod.providers.base import Dialect
from stenod.providers.deepgram import Deepgram, DeepgramOptions
from stenod.providers.deepgram_flux import DeepgramFlux, DeepgramFluxOptions
from stenod.providers.deepgram_flux_rules import RULES as DEEPGRAM_FLUX_RULES
from stenod.providers.deepgram_rules import RULES as DEEPGRAM_RULES


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its name, the class of its dialect, that of the dialect's options, its table of verdicts."""

    name: str
    kind: Any
    options_kind: Any
    rules: Sequence[Rule]

    def options(self, options: Options) -> Any:
        """Return its own table."""
        return getattr(options, table_of(self.name))

    def dialect(self, own: object) -> Dialect:
        """Return its dialect from its table."""
        chosen = {one.name: getattr(own, one.name) for one in fields(self.options_kind)}
        dialect: Dialect = self.kind(self.options_kind(**chosen))
        return dialect

    def engaged(self, options: Options) -> Dialect:
        """Return its dialect as it is configured."""
        return self.dialect(self.options(options))

    def key(self, options: Options, environment: Mapping[str, str]) -> Key:
        """Return its key; raises `SecretError`."""
        return read_key(key_owner(self.name), environment, self.options(options).key_file)


SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (
        Service("assemblyai", AssemblyAI, AssemblyAIOptions, ASSEMBLYAI_RULES),
        Service("assemblyai-v2", AssemblyAIV2, AssemblyAIV2Options, ASSEMBLYAI_V2_RULES),
        Service("deepgram", Deepgram, DeepgramOptions, DEEPGRAM_RULES),
        Service("deepgram-flux", DeepgramFlux, DeepgramFluxOptions, DEEPGRAM_FLUX_RULES),
    )
}
