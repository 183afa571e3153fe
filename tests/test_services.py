"""The services: each that can be chosen has its row, and its options arrive in its dialect."""

from dataclasses import replace
from typing import get_args

import pytest

from stenod.options import (
    LOCAL,
    RATES,
    AssemblyaiV2Options,
    DeepgramFluxOptions,
    DeepgramOptions,
    Options,
    Provider,
)
from stenod.providers import deepgram, deepgram_flux
from stenod.providers.assemblyai_v2 import AssemblyAIV2Options
from stenod.services import SERVICES


def test_every_provider_has_a_row() -> None:
    """But the engine inside, which is started rather than configured."""
    assert set(get_args(Provider)) - {LOCAL} == set(SERVICES)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_row_leads_to_its_dialect(name: str) -> None:
    """By its name, with its table of verdicts; the key is asked for by its owner's name."""
    service = SERVICES[name]
    dialect = service.engaged(Options())
    assert (name, service.rules) == (dialect.name, dialect.rules)
    owner = name.partition("-")[0]
    assert service.key(Options(), {f"{owner.upper()}_API_KEY": "secret"}).secret.reveal() == "secret"


def test_the_options_of_v2_arrive() -> None:
    """All of them; it does without a key."""
    own = AssemblyaiV2Options(
        endpoint="wss://asr.example",
        temporary_token=True,
        word_boost=("stenod",),
        rate_ratio_max=1.25,
        price_per_hour=0.5,
        parameters={"level": 3},
    )
    options = replace(Options(), assemblyai_v2=own)
    assert not own.needs_key
    dialect = SERVICES["assemblyai-v2"].engaged(options)
    assert dialect.options == AssemblyAIV2Options(
        endpoint="wss://asr.example",
        temporary_token=True,
        word_boost=("stenod",),
        rate_ratio_max=1.25,
        price_per_hour=0.5,
        parameters={"level": 3},
    )


def test_the_options_of_deepgram_arrive() -> None:
    """All of them; a server of one's own may do without a key."""
    own = {
        "endpoint": "wss://asr.example",
        "region": "eu",
        "model": "nova-2",
        "language": "multi",
        "endpointing_ms": 500,
        "utterance_end_ms": 2000,
        "smart_format": False,
        "diarize": True,
        "keyterms": ("stenod",),
        "tag": "hall",
        "parameters": {"redact": ("pci",)},
        "price_per_hour": 0.5,
    }
    assert DeepgramOptions().needs_key
    table = DeepgramOptions(key_file="key", **own)
    assert not table.needs_key
    dialect = SERVICES["deepgram"].engaged(replace(Options(), deepgram=table))
    assert deepgram.DeepgramOptions(**own) == dialect.options
    assert deepgram.DeepgramOptions() == SERVICES["deepgram"].engaged(Options()).options


def test_the_options_of_flux_arrive() -> None:
    """All of them, under the same names; the rates that it takes are told before."""
    own = {
        "endpoint": "wss://asr.example",
        "region": "eu",
        "model": "flux-general-multi",
        "eot_threshold": 0.8,
        "eager_eot_threshold": 0.4,
        "eot_timeout_ms": 3000,
        "keyterms": ("stenod",),
        "language_hints": ("de",),
        "tag": "hall",
        "price_per_hour": 0.5,
        "parameters": {"redact": ("numbers",)},
    }
    assert DeepgramFluxOptions().needs_key
    table = DeepgramFluxOptions(key_file="key", **own)
    assert not table.needs_key
    dialect = SERVICES["deepgram-flux"].engaged(replace(Options(), deepgram_flux=table))
    assert deepgram_flux.DeepgramFluxOptions(**own) == dialect.options
    assert deepgram_flux.DeepgramFluxOptions() == SERVICES["deepgram-flux"].engaged(Options()).options
    assert RATES["deepgram-flux"] == deepgram_flux.RATES
