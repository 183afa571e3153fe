"""AssemblyAI's options: how a session is opened, and what is said about options before it is."""

from urllib.parse import parse_qs, urlsplit

import pytest

from stenod.core.verdict import Failure, Phase, judge
from stenod.providers.assemblyai import (
    MODELS,
    PARAMETERS,
    AssemblyAI,
    AssemblyAIOptions,
    endpoint_error,
    normalized,
)
from stenod.providers.base import Dialect, Final
from stenod.providers.billing import FREE, Billing, Measure

KEY = "0123456789abcdef0123456789abcdef"


def query(url: str) -> dict[str, str]:
    """Return the parameters of a URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}


def sent(rate: int = 16_000, **options) -> dict[str, str]:
    """Return the parameters that options lead to."""
    return query(AssemblyAI(AssemblyAIOptions(**options)).request(key=KEY, rate=rate).url)


def test_opens_a_session() -> None:
    """All that the rest relies on is said, the key goes raw into the header and nowhere else."""
    dialect: Dialect = AssemblyAI(AssemblyAIOptions())
    request = dialect.request(key=KEY, rate=16_000)
    assert request.url.split("?")[0] == "wss://streaming.assemblyai.com/v3/ws"
    assert query(request.url) == {
        "speech_model": "universal-streaming-english",
        "sample_rate": "16000",
        "encoding": "pcm_s16le",
        "format_turns": "true",
        "inactivity_timeout": "30",
        "session_heartbeat": "true",
    }
    assert request.headers == (("Authorization", KEY),)
    assert KEY not in request.url
    assert request.public_url == request.url
    assert dialect.name == "assemblyai"
    assert dialect.warnings() == []


def test_limits() -> None:
    """The wire rules, and a keepalive at a third of the timeout, every 10 s at least."""
    limits = AssemblyAI(AssemblyAIOptions()).limits
    assert (limits.chunk_seconds_min, limits.chunk_seconds_max) == (0.05, 1.0)
    assert limits.rate_ratio_max == 1.25
    assert limits.session_seconds_max == 10_800
    assert limits.drain_seconds_max == 10
    assert limits.reports_silence
    kept = [AssemblyAI(AssemblyAIOptions(inactivity_timeout_seconds=n)).limits.keepalive_seconds for n in (6, 30, 3600)]
    assert kept == [2, 10, 10]


def test_other_parameters_pass_through() -> None:
    """Switches as words, lists and tables as JSON."""
    parameters = {
        "language_detection": True,
        "vad_threshold": 0.4,
        "max_turn_silence": 1280,
        "mode": "balanced",
        "keyterms_prompt": ["stenod", "Größe & more"],
        "llm_gateway": {"model": "x"},
    }
    found = sent(parameters=parameters)
    assert found["language_detection"] == "true"
    assert found["vad_threshold"] == "0.4"
    assert found["max_turn_silence"] == "1280"
    assert found["mode"] == "balanced"
    assert found["keyterms_prompt"] == '["stenod","Größe & more"]'
    assert found["llm_gateway"] == '{"model":"x"}'


def test_what_stenod_sends_itself_cannot_be_replaced() -> None:
    """Heartbeats, encoding and rate are what the rest relies on; it is said, not done."""
    parameters = {"encoding": "opus", "session_heartbeat": False, "sample_rate": 8000}
    dialect = AssemblyAI(AssemblyAIOptions(parameters=parameters))
    assert query(dialect.request(key=KEY, rate=16_000).url)["encoding"] == "pcm_s16le"
    assert sent(parameters=parameters)["session_heartbeat"] == "true"
    assert {one.option for one in dialect.warnings()} == {f"parameters.{name}" for name in parameters}


def test_what_a_person_wrote_is_not_logged() -> None:
    """Prompts, terms and addresses stay out of the public URL; numbers and switches help to see why."""
    parameters = {
        "prompt": "Doctor Who",
        "keyterms_prompt": ["Tardis"],
        "webhook_url": "https://u:p@x",
        "max_speakers": 2,
    }
    request = AssemblyAI(AssemblyAIOptions(parameters=parameters)).request(key=KEY, rate=16_000)
    assert "Tardis" in request.url
    shown = query(request.public_url)
    assert [shown[name] for name in parameters] == ["hidden", "hidden", "hidden", "2"]
    assert shown["speech_model"] == "universal-streaming-english"


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "wss://streaming.assemblyai.com/v3/ws"),
        ({"endpoint": ""}, "wss://streaming.assemblyai.com/v3/ws"),
        ({"region": "eu"}, "wss://streaming.eu.assemblyai.com/v3/ws"),
        ({"region": "us", "endpoint": ""}, "wss://streaming.us.assemblyai.com/v3/ws"),
        ({"endpoint": "ws://localhost:8080"}, "ws://localhost:8080/v3/ws"),
        ({"endpoint": "ws://localhost:8080/", "region": "eu"}, "ws://localhost:8080/v3/ws"),
        ({"endpoint": "example.org:8443"}, "wss://example.org:8443/v3/ws"),
        ({"endpoint": "wss://example.org/asr/v3/ws"}, "wss://example.org/asr/v3/ws"),
        ({"endpoint": "WSS://[::1]:8080"}, "wss://[::1]:8080/v3/ws"),
    ],
)
def test_where_to(options: dict[str, str], url: str) -> None:
    """A chosen endpoint wins over the region; a bare host is completed."""
    assert AssemblyAIOptions(**options).url == url
    assert AssemblyAIOptions(**options).errors() == []


@pytest.mark.parametrize(
    ("endpoint", "part"),
    [
        ("https://streaming.assemblyai.com", "scheme"),
        ("ftp://x", "scheme"),
        ("wss://", "no host"),
        ("wss:///v3/ws", "no host"),
        ("wss://a b", "no host"),
        ("wss://a:99999", "no URL"),
        ("wss://a:0", "no host"),
        ("wss://[::1", "no URL"),
        ("wss://user:hunter2@host", "more than an address"),
        ("wss://host/v3/ws?token=hunter2", "more than an address"),
        ("wss://host/#x", "more than an address"),
        ("wss://api.assemblyai.com/v2/realtime/ws", "wss://streaming.assemblyai.com/v3/ws"),
    ],
)
def test_endpoints_that_cannot_be_used(endpoint: str, part: str) -> None:
    """One sentence with what to do, and no secret in it; nothing is opened."""
    text = endpoint_error(endpoint)
    assert text is not None
    assert part in text
    assert text.startswith("cannot use the endpoint")
    assert "hunter2" not in text
    options = AssemblyAIOptions(endpoint=endpoint)
    assert [one.option for one in options.errors()] == ["endpoint"]
    with pytest.raises(ValueError, match="cannot use the endpoint"):
        AssemblyAI(options).request(key=KEY, rate=16_000)


def test_a_usable_endpoint_has_no_error() -> None:
    """And is the same when completed twice."""
    assert endpoint_error("localhost:8080") is None
    assert normalized(normalized("localhost:8080")) == "wss://localhost:8080/v3/ws"


def test_secrets_do_not_stand_in_parameters() -> None:
    """A token is a key; the text does not repeat it."""
    options = AssemblyAIOptions(parameters={"token": "hunter2", "webhook_auth_header_value": "hunter2"})
    assert [one.option for one in options.errors()] == ["parameters.token", "parameters.webhook_auth_header_value"]
    assert "hunter2" not in "".join(one.text for one in options.errors())
    with pytest.raises(ValueError, match="secret"):
        AssemblyAI(options).request(key=KEY, rate=16_000)


def test_a_server_of_ones_own_needs_no_key() -> None:
    """An empty header would be a wrong key."""
    assert AssemblyAI(AssemblyAIOptions()).request(key="", rate=16_000).headers == ()


def test_the_engine_inside_has_its_own_name() -> None:
    """It speaks this dialect; records and logs tell the two apart."""
    assert AssemblyAI(AssemblyAIOptions(), name="local").name == "local"


@pytest.mark.parametrize("seconds", [4, 3601])
def test_inactivity_timeouts_out_of_range(seconds: int) -> None:
    """The server would end the session over it."""
    assert [one.option for one in AssemblyAIOptions(inactivity_timeout_seconds=seconds).errors()] == [
        "inactivity_timeout_seconds"
    ]


def test_a_rate_that_the_server_refuses_is_our_error() -> None:
    """Before any money is spent."""
    dialect = AssemblyAI(AssemblyAIOptions())
    with pytest.raises(ValueError, match="7999 Hz"):
        dialect.request(key=KEY, rate=7999)
    assert query(dialect.request(key=KEY, rate=8000).url)["sample_rate"] == "8000"


@pytest.mark.parametrize(
    ("options", "option", "part"),
    [
        ({"parameters": {"keyterm_prompt": ["x"]}}, "parameters.keyterm_prompt", "keyterms_prompt"),
        ({"parameters": {"zzzzzz": 1}}, "parameters.zzzzzz", "does not know"),
        ({"parameters": {"sampel_rate": 1}}, "parameters.sampel_rate", "sample_rate"),
        ({"speech_model": "universal-streaming-englsh"}, "speech_model", "universal-streaming-english"),
        ({"endpoint": "ws://10.0.0.7:8080"}, "endpoint", "unencrypted"),
        ({"endpoint": "wss://example.org", "region": "eu"}, "region", "without effect"),
    ],
)
def test_odd_options_are_warned_about(options: dict, option: str, part: str) -> None:
    """The server ignores typos without a word; we name what was probably meant."""
    (warned,) = AssemblyAI(AssemblyAIOptions(**options)).warnings()
    assert warned.option == option
    assert part in warned.text


def test_known_names_are_not_warned_about() -> None:
    """Every parameter and model that is known, and a server of one's own."""
    options = AssemblyAIOptions(parameters=dict.fromkeys(PARAMETERS, 1), endpoint="ws://localhost:8080")
    assert AssemblyAI(options).warnings() == []
    assert [AssemblyAI(AssemblyAIOptions(speech_model=model)).warnings() for model in MODELS] == [[]] * len(MODELS)


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        ({}, True),
        ({"redact_pii": True}, False),
        ({"redact_pii": "true"}, False),
        ({"redact_pii": False}, True),
        ({"include_partial_turns": False}, False),
        ({"include_partial_turns": "false"}, False),
        ({"include_partial_turns": True}, True),
    ],
)
def test_hidden_partials_are_known(parameters: dict, shown: bool) -> None:
    """Without them silence proves nothing, so the dialect does not claim to report it."""
    dialect = AssemblyAI(AssemblyAIOptions(parameters=parameters))
    assert dialect.limits.reports_silence is shown
    conversation = dialect.conversation()
    conversation.receive('{"type":"Begin"}', 0.0)
    events = [
        event
        for now in (5, 10, 15)
        for event in conversation.receive(f'{{"type":"Heartbeat","total_audio_received_ms":{now}000}}', float(now))
    ]
    assert bool(events) is shown


def test_conversations_hold_for_the_twin_only_where_formatting_was_asked_for() -> None:
    """Each is new."""
    message = '{"type":"Turn","turn_order":0,"end_of_turn":true,"transcript":"yes","words":[]}'
    for formats in (True, False):
        dialect = AssemblyAI(AssemblyAIOptions(format_turns=formats))
        for _ in range(2):
            events = dialect.conversation().receive(message, 0.0)
            assert any(isinstance(event, Final) for event in events) is not formats


def test_the_dialect_brings_its_table() -> None:
    """The rules of AssemblyAI, with the standard's behind them."""
    rules = AssemblyAI(AssemblyAIOptions()).rules
    assert judge(Failure(phase=Phase.OPENING, text="Invalid API key"), rules).name == "invalid-key"
    assert judge(Failure(phase=Phase.OPENING, http_status=503), rules).name == "http-server-error"


def test_what_is_charged_for() -> None:
    """The open session; an orphan until the inactivity limit. The engine inside costs nothing."""
    dialect = AssemblyAI(AssemblyAIOptions(price_per_hour=0.15, inactivity_timeout_seconds=45))
    assert Billing(measure=Measure.SESSION, price_per_hour=0.15, orphan_seconds=45.0) == dialect.billing
    assert FREE == AssemblyAI(AssemblyAIOptions(), name="local", billing=FREE).billing
