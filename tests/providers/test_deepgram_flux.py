"""Flux's options: how a session is opened, and what is said about options before it is."""

from urllib.parse import parse_qs, urlsplit

import pytest

from stenod.core.verdict import Failure, Phase, judge
from stenod.providers.base import Dialect
from stenod.providers.billing import Billing, Measure
from stenod.providers.deepgram_flux import (
    MODELS,
    NOT_OF_FLUX,
    PARAMETERS,
    RATES,
    RESERVED,
    DeepgramFlux,
    DeepgramFluxOptions,
)
from stenod.providers.deepgram_flux_conversation import DeepgramFluxConversation

KEY = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


def query(url: str) -> dict[str, list[str]]:
    """Return the parameters of a URL; a list is one that is repeated."""
    return parse_qs(urlsplit(url).query, strict_parsing=True)


def sent(**options) -> dict[str, list[str]]:
    """Return the parameters that options lead to."""
    return query(DeepgramFlux(DeepgramFluxOptions(**options)).request(key=KEY, rate=16_000).url)


def test_opens_a_session() -> None:
    """All that the rest relies on is said, and the key stands in the header and nowhere else."""
    dialect: Dialect = DeepgramFlux(DeepgramFluxOptions())
    request = dialect.request(key=KEY, rate=16_000)
    assert request.url.split("?")[0] == "wss://api.deepgram.com/v2/listen"
    assert query(request.url) == {
        "model": ["flux-general-en"],
        "encoding": ["linear16"],
        "sample_rate": ["16000"],
        "eot_threshold": ["0.7"],
        "eot_timeout_ms": ["5000"],
    }
    assert request.headers == (("Authorization", f"Token {KEY}"),)
    assert request.public_url == request.url
    assert (dialect.name, dialect.errors(), dialect.warnings()) == ("deepgram-flux", [], [])
    assert isinstance(dialect.conversation(), DeepgramFluxConversation)


@pytest.mark.parametrize(("key", "value"), [(KEY, f"Token {KEY}"), (TOKEN, f"Bearer {TOKEN}"), ("eyJ", "Token eyJ")])
def test_a_temporary_token_has_another_word_before_it(key: str, value: str) -> None:
    """It is told from a key by its shape."""
    assert DeepgramFlux(DeepgramFluxOptions()).request(key=key, rate=16_000).headers == (("Authorization", value),)


def test_a_server_of_ones_own_needs_no_key() -> None:
    """An empty header would be a wrong key."""
    assert DeepgramFlux(DeepgramFluxOptions(endpoint="wss://own")).request(key="", rate=16_000).headers == ()


def test_limits() -> None:
    """Chunks of 80 ms suit it, pings hold it open, silence shows."""
    limits = DeepgramFlux(DeepgramFluxOptions()).limits
    assert (limits.chunk_seconds_min, limits.chunk_seconds, limits.chunk_seconds_max) == (0.05, 0.08, 0.25)
    assert limits.chunk_seconds_min <= limits.warm_chunk_seconds <= limits.chunk_seconds_max
    assert (limits.rate_ratio_max, limits.session_seconds_max, limits.stall_seconds) == (1.25, None, 10.0)
    assert (limits.keepalive_seconds, limits.warm_seconds, limits.reports_silence) == (None, None, True)


def test_lists_are_repeated() -> None:
    """Terms and languages; switches are words, other parameters pass through."""
    found = sent(
        model="flux-general-multi",
        eager_eot_threshold=0.4,
        keyterms=("stenod", "Größe & more"),
        language_hints=("de", "en"),
        tag="door",
        parameters={"numerals": True, "redact": ("numbers", "aggressive_numbers"), "sample_rate": 8000, "x": 0.5},
    )
    assert found["keyterm"] == ["stenod", "Größe & more"]
    assert found["language_hint"] == ["de", "en"]
    assert (found["tag"], found["eager_eot_threshold"]) == (["door"], ["0.4"])
    assert (found["numerals"], found["redact"]) == (["true"], ["numbers", "aggressive_numbers"])
    assert (found["sample_rate"], found["x"]) == (["16000"], ["0.5"])


def test_what_a_person_wrote_is_not_logged() -> None:
    """Terms, languages and the tag stay out of the public URL; numbers and switches help to see why."""
    options = DeepgramFluxOptions(keyterms=("Tardis",), tag="Who", parameters={"numerals": True, "redact": "numbers"})
    shown = query(DeepgramFlux(options).request(key=KEY, rate=16_000).public_url)
    assert (shown["keyterm"], shown["tag"], shown["redact"], shown["numerals"]) == (
        ["hidden"],
        ["hidden"],
        ["hidden"],
        ["true"],
    )
    assert "language_hint" not in shown


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({"region": "eu"}, "wss://api.eu.deepgram.com/v2/listen"),
        ({"region": "au"}, "wss://api.au.deepgram.com/v2/listen"),
        ({"region": "in"}, "wss://api.in.deepgram.com/v2/listen"),
        ({"endpoint": "ws://localhost:8080"}, "ws://localhost:8080/v2/listen"),
        ({"endpoint": "asr.example/flux", "region": "eu"}, "wss://asr.example/flux"),
    ],
)
def test_where_to(options: dict, url: str) -> None:
    """A chosen endpoint wins over the region."""
    assert url == DeepgramFluxOptions(**options).url


@pytest.mark.parametrize("rate", RATES)
def test_rates_that_it_takes(rate: int) -> None:
    """Said as they are."""
    request = DeepgramFlux(DeepgramFluxOptions()).request(key=KEY, rate=rate)
    assert query(request.url)["sample_rate"] == [str(rate)]


def test_other_rates_are_our_error() -> None:
    """Before any money is spent."""
    with pytest.raises(ValueError, match="22050 Hz"):
        DeepgramFlux(DeepgramFluxOptions()).request(key=KEY, rate=22_050)


@pytest.mark.parametrize(
    ("options", "option", "part"),
    [
        ({"endpoint": "https://asr.example"}, "endpoint", "scheme"),
        ({"endpoint": "wss://asr.example/v1/listen"}, "endpoint", "another protocol"),
        ({"model": "nova-3"}, "model", "use the provider deepgram"),
        ({"eager_eot_threshold": 0.1}, "eager_eot_threshold", "0.3 to 0.9"),
        ({"eager_eot_threshold": 0.95}, "eager_eot_threshold", "0.3 to 0.9"),
    ],
)
def test_options_that_cannot_work(options: dict, option: str, part: str) -> None:
    """One sentence each, and nothing is opened."""
    dialect = DeepgramFlux(DeepgramFluxOptions(**options))
    (wrong,) = dialect.errors()
    assert (wrong.option, part in wrong.text) == (option, True)
    with pytest.raises(ValueError, match=part):
        dialect.request(key=KEY, rate=16_000)


@pytest.mark.parametrize(
    ("options", "option", "part"),
    [
        ({"model": "flux-general-end"}, "model", "did you mean flux-general-en?"),
        ({"language_hints": ("de",)}, "language_hints", "flux-general-multi"),
        ({"eot_threshold": 0.5, "eager_eot_threshold": 0.6}, "eager_eot_threshold", "above eot_threshold"),
        ({"parameters": {"smart_format": True}}, "parameters.smart_format", "other models"),
        ({"parameters": {"keyterm": ["x"]}}, "parameters.keyterm", "own option"),
        ({"parameters": {"numeral": True}}, "parameters.numeral", "numerals"),
        ({"endpoint": "ws://10.0.0.7:80"}, "endpoint", "unencrypted"),
        ({"endpoint": "wss://asr.example", "region": "eu"}, "region", "without effect"),
    ],
)
def test_odd_options_are_warned_about(options: dict, option: str, part: str) -> None:
    """Flux refuses some of it, and ignores the rest."""
    (warned,) = DeepgramFlux(DeepgramFluxOptions(**options)).warnings()
    assert (warned.option, part in warned.text) == (option, True)


def test_known_names_are_not_warned_about() -> None:
    """Every model and parameter that is known; no name is in two lists."""
    for model in MODELS:
        options = DeepgramFluxOptions(model=model, parameters=dict.fromkeys(PARAMETERS, True))
        assert DeepgramFlux(options).warnings() == []
    assert len({*PARAMETERS, *RESERVED, *NOT_OF_FLUX}) == len([*PARAMETERS, *RESERVED, *NOT_OF_FLUX])


def test_what_is_charged_for() -> None:
    """The audio that is sent: a session that was left open costs nothing more."""
    dialect = DeepgramFlux(DeepgramFluxOptions(price_per_hour=0.46))
    assert Billing(measure=Measure.AUDIO, price_per_hour=0.46) == dialect.billing


def test_the_dialect_brings_its_table() -> None:
    """Its own words, with the standard's behind them."""
    rules = DeepgramFlux(DeepgramFluxOptions()).rules
    assert judge(Failure(phase=Phase.READY, text="INACTIVE_CLIENT"), rules).name == "flux-inactive"
    assert judge(Failure(phase=Phase.OPENING, http_status=503), rules).name == "http-server-error"
