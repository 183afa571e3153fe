"""Deepgram's options: how a session is opened, and what is said about options before it is."""

from urllib.parse import parse_qs, urlsplit

import pytest

from stenod.core.verdict import Failure, Phase, judge
from stenod.providers.assemblyai import AssemblyAI, AssemblyAIOptions
from stenod.providers.base import Dialect, Final
from stenod.providers.billing import Billing, Measure
from stenod.providers.deepgram import MODEL_FAMILIES, PARAMETERS, REGIONS, Deepgram, DeepgramOptions

KEY = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


def query(url: str) -> dict[str, list[str]]:
    """Return the parameters of a URL, each with all its values."""
    return parse_qs(urlsplit(url).query, strict_parsing=True)


def sent(rate: int = 16_000, **options) -> dict[str, list[str]]:
    """Return the parameters that options lead to."""
    return query(Deepgram(DeepgramOptions(**options)).request(key=KEY, rate=rate).url)


def test_opens_a_session() -> None:
    """All that the rest relies on is said, the key goes into the header and nowhere else."""
    dialect: Dialect = Deepgram(DeepgramOptions())
    request = dialect.request(key=KEY, rate=16_000)
    assert "wss://api.deepgram.com/v1/listen" == request.url.split("?")[0]
    assert query(request.url) == {
        "encoding": ["linear16"],
        "sample_rate": ["16000"],
        "channels": ["1"],
        "model": ["nova-3"],
        "language": ["en"],
        "interim_results": ["true"],
        "endpointing": ["300"],
        "utterance_end_ms": ["1000"],
        "smart_format": ["true"],
        "diarize": ["false"],
    }
    assert (("Authorization", f"Token {KEY}"),) == request.headers
    assert KEY not in request.url
    assert request.url == request.public_url
    assert "deepgram" == dialect.name
    assert [] == dialect.warnings()


def test_a_temporary_token_is_told_by_its_shape() -> None:
    """It is a bearer's; a key never looks like one, and a server of one's own may want neither."""
    dialect = Deepgram(DeepgramOptions())
    assert (("Authorization", f"Bearer {TOKEN}"),) == dialect.request(key=TOKEN, rate=16_000).headers
    for key in (KEY, "a.b.c", "eyJ", TOKEN.replace(".", "")):
        assert (("Authorization", f"Token {key}"),) == dialect.request(key=key, rate=16_000).headers
    assert () == dialect.request(key="", rate=16_000).headers


def test_limits() -> None:
    """The wire rules: something every 3 to 5 s, something to answer before 30 s are over, no limit of a session."""
    limits = Deepgram(DeepgramOptions()).limits
    assert (0.05, 1.0, 0.1) == (limits.chunk_seconds_min, limits.chunk_seconds_max, limits.chunk_seconds)
    assert 1.25 == limits.rate_ratio_max
    assert limits.session_seconds_max is None
    assert (4.0, 20.0) == (limits.keepalive_seconds, limits.warm_seconds)
    assert 3.0 == limits.warm_first_seconds
    assert 10.0 == limits.drain_seconds_max
    assert limits.reports_silence


def test_every_option_is_sent() -> None:
    """Lists repeat their parameter, switches are words, and no endpointing is `false`."""
    found = sent(
        rate=8000,
        model="nova-3-medical",
        language="multi",
        endpointing_ms=0,
        utterance_end_ms=2000,
        smart_format=False,
        diarize=True,
        keyterms=("stenod", "Größe & more"),
        tag="hall",
        parameters={"redact": ["pci", "ssn"], "numerals": True, "no_delay": "true", "extra": "room:1"},
    )
    assert {
        "sample_rate": ["8000"],
        "model": ["nova-3-medical"],
        "language": ["multi"],
        "endpointing": ["false"],
        "utterance_end_ms": ["2000"],
        "smart_format": ["false"],
        "diarize": ["true"],
        "keyterm": ["stenod", "Größe & more"],
        "tag": ["hall"],
        "redact": ["pci", "ssn"],
        "numerals": ["true"],
        "no_delay": ["true"],
        "extra": ["room:1"],
    }.items() <= found.items()


def test_what_stenod_sends_itself_cannot_be_replaced() -> None:
    """Interim results, encoding and rate are what the rest relies on; it is said, not done, and where it is set."""
    parameters = {"encoding": "opus", "interim_results": False, "sample_rate": 8000, "endpointing": 10, "keyterm": "x"}
    dialect = Deepgram(DeepgramOptions(parameters=parameters))
    found = query(dialect.request(key=KEY, rate=16_000).url)
    assert (["linear16"], ["true"], ["16000"], ["300"]) == (
        found["encoding"],
        found["interim_results"],
        found["sample_rate"],
        found["endpointing"],
    )
    assert "keyterm" not in found
    warned = {one.option: one.text for one in dialect.warnings()}
    assert {f"parameters.{name}" for name in parameters} == set(warned)
    assert "from its option endpointing_ms" in warned["parameters.endpointing"]


def test_what_a_person_wrote_is_not_logged() -> None:
    """Terms and labels stay out of the public URL; numbers and switches help to see why."""
    options = DeepgramOptions(keyterms=("Tardis",), tag="Doctor", parameters={"search": ["Dalek"], "numerals": True})
    request = Deepgram(options).request(key=KEY, rate=16_000)
    assert "Tardis" in request.url
    shown = query(request.public_url)
    assert [["hidden"], ["hidden"], ["hidden"], ["true"]] == [
        shown[name] for name in ("keyterm", "tag", "search", "numerals")
    ]
    assert ["nova-3"] == shown["model"]


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "wss://api.deepgram.com/v1/listen"),
        ({"region": "eu"}, "wss://api.eu.deepgram.com/v1/listen"),
        ({"region": "au"}, "wss://api.au.deepgram.com/v1/listen"),
        ({"region": "in"}, "wss://api.in.deepgram.com/v1/listen"),
        ({"endpoint": "wss://api.deepgram.com", "region": "eu"}, "wss://api.eu.deepgram.com/v1/listen"),
        ({"endpoint": "ws://localhost:8080", "region": "eu"}, "ws://localhost:8080/v1/listen"),
        ({"endpoint": "example.org:8443/"}, "wss://example.org:8443/v1/listen"),
        ({"endpoint": "wss://example.org/asr/v1/listen"}, "wss://example.org/asr/v1/listen"),
    ],
)
def test_where_to(options: dict[str, str], url: str) -> None:
    """A chosen endpoint wins over the region; a bare host is completed."""
    assert url == DeepgramOptions(**options).url
    assert [] == DeepgramOptions(**options).errors()


@pytest.mark.parametrize(
    ("options", "option", "part"),
    [
        ({"endpoint": "https://api.deepgram.com"}, "endpoint", "scheme"),
        ({"endpoint": "wss://api.deepgram.com/v1/listen?token=hunter2"}, "endpoint", "more than an address"),
        ({"endpoint": "wss://api.deepgram.com/v2/listen"}, "endpoint", "another protocol"),
        ({"model": "flux-general-en"}, "model", "Flux"),
        ({"endpointing_ms": -1}, "endpointing_ms", "milliseconds"),
        ({"utterance_end_ms": 999}, "utterance_end_ms", "1000"),
        ({"tag": "x" * 129}, "tag", "128"),
        ({"parameters": {"callback": "https://x"}}, "parameters.callback", "nothing would come out"),
        ({"parameters": {"multichannel": True}}, "parameters.multichannel", "one channel"),
        ({"parameters": {"token": "hunter2"}}, "parameters.token", "secrets"),
    ],
)
def test_what_cannot_work_is_an_error(options: dict, option: str, part: str) -> None:
    """Before anything is opened; the text shows no secret."""
    (error,) = Deepgram(DeepgramOptions(**options)).errors()
    assert option == error.option
    assert part in error.text
    assert "hunter2" not in error.text
    with pytest.raises(ValueError, match=part):
        Deepgram(DeepgramOptions(**options)).request(key=KEY, rate=16_000)


def test_a_rate_that_nobody_understands_is_our_error() -> None:
    """Before any money is spent."""
    with pytest.raises(ValueError, match="7999 Hz"):
        Deepgram(DeepgramOptions()).request(key=KEY, rate=7999)


@pytest.mark.parametrize(
    ("options", "option", "part"),
    [
        ({"parameters": {"keytrem": ["x"]}}, "parameters.keytrem", "did you mean keyterm?"),
        ({"parameters": {"profanity_filtr": True}}, "parameters.profanity_filtr", "profanity_filter"),
        ({"parameters": {"zzzzzz": 1}}, "parameters.zzzzzz", "no such parameter"),
        ({"parameters": {"detect_language": True}}, "parameters.detect_language", "`multi`"),
        ({"parameters": {"keywords": ["x:2"]}}, "parameters.keywords", "keyterms"),
        ({"model": "nvoa-2"}, "model", "nova-2"),
        ({"model": "whisper-large"}, "model", "recordings"),
        ({"model": "nova-2", "keyterms": ("x",)}, "keyterms", "nova-3 only"),
        ({"keyterms": ("one two",) * 251}, "keyterms", "500"),
        ({"endpoint": "ws://10.0.0.7:8080"}, "endpoint", "unencrypted"),
        ({"endpoint": "wss://example.org", "region": "eu"}, "region", "without effect"),
    ],
)
def test_odd_options_are_warned_about(options: dict, option: str, part: str) -> None:
    """The server ignores or refuses them without a word that helps; we name what was probably meant."""
    (warned,) = Deepgram(DeepgramOptions(**options)).warnings()
    assert option == warned.option
    assert part in warned.text


def test_known_names_are_not_warned_about() -> None:
    """Every parameter and model that is known, and whatever model a server of one's own has."""
    parameters = dict.fromkeys(PARAMETERS, 1)
    assert [] == Deepgram(DeepgramOptions(model="nova-2", parameters=parameters)).warnings()
    for model in (*MODEL_FAMILIES, "nova-3-medical", "nova-2-general"):
        assert [] == Deepgram(DeepgramOptions(model=model)).warnings()
    assert [] == Deepgram(DeepgramOptions(model="ours", endpoint="wss://example.org")).warnings()
    assert all(Deepgram(DeepgramOptions(region=region)).warnings() == [] for region in REGIONS)


def test_conversations_are_new_and_know_the_pause() -> None:
    """A longer pause is waited for before a turn without an end is ended."""
    piece = (
        '{"type":"Results","start":0,"duration":1,"is_final":true,"channel":{"alternatives":[{"transcript":"yes"}]}}'
    )
    silence = '{"type":"Results","start":1,"duration":4,"is_final":true,"channel":{"alternatives":[{"transcript":""}]}}'
    for milliseconds, ended in ((1000, True), (5000, False)):
        conversation = Deepgram(DeepgramOptions(utterance_end_ms=milliseconds)).conversation()
        events = [event for message in (piece, silence) for event in conversation.receive(message, 0.0)]
        assert ended is any(isinstance(event, Final) for event in events)


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({}, True),
        ({"price_per_hour": 0.5}, True),
        ({"endpoint": "wss://api.deepgram.com"}, True),
        ({"region": "eu"}, False),
        ({"keyterms": ("stenod",)}, False),
        ({"parameters": {"numerals": True}}, False),
        ({"utterance_end_ms": 2000}, False),
    ],
)
def test_an_open_session_is_not_changed(options: dict, same: bool) -> None:
    """It is as wanted already, or another one is needed; so it is when the protocol is another."""
    conversation = Deepgram(DeepgramOptions()).conversation()
    assert (() if same else None) == conversation.reconfigure(Deepgram(DeepgramOptions(**options)))
    assert conversation.reconfigure(AssemblyAI(AssemblyAIOptions())) is None


def test_the_dialect_brings_its_table_and_its_bill() -> None:
    """The rules of Deepgram, with the standard's behind them; it charges for audio, and for no orphan."""
    dialect = Deepgram(DeepgramOptions(price_per_hour=0.5))
    assert "no-audio" == judge(Failure(phase=Phase.READY, text="NET-0001"), dialect.rules).name
    assert "http-server-error" == judge(Failure(phase=Phase.OPENING, http_status=503), dialect.rules).name
    assert Billing(measure=Measure.AUDIO, price_per_hour=0.5) == dialect.billing
