"""Temporary tokens: what is asked, and what an answer means. The bodies follow what was documented and observed."""

from urllib.parse import parse_qs, urlsplit

import pytest

from stenod.core.transport import ConnectionEnded
from stenod.core.verdict import Failure, Phase, Verdict, judge
from stenod.providers.assemblyai import AssemblyAI, AssemblyAIOptions
from stenod.providers.assemblyai_rules import RULES
from stenod.providers.assemblyai_tokens import read_token, token_url
from stenod.providers.base import Errand, Request

KEY = "0123456789abcdef0123456789abcdef"
DETAIL = (
    '{"detail":[{"type":"less_than_equal","loc":["query","expires_in_seconds"],"msg":"Input should be less than or '
    'equal to 600","input":"601","ctx":{"le":600}}]}'
)
HEADER = '{"detail":[{"type":"missing","loc":["header","authorization"],"msg":"Field required","input":null}]}'


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("wss://streaming.assemblyai.com/v3/ws", "https://streaming.assemblyai.com/v3/token"),
        ("wss://streaming.eu.assemblyai.com/v3/ws", "https://streaming.eu.assemblyai.com/v3/token"),
        ("ws://localhost:8080/v3/ws", "http://localhost:8080/v3/token"),
        ("wss://example.org:8443/asr/v3/ws", "https://example.org:8443/asr/v3/token"),
        ("wss://example.org/listen", "https://example.org/v3/token"),
    ],
)
def test_where_a_token_is_made(url: str, asked: str) -> None:
    """On the same host, beside the session."""
    query = "?expires_in_seconds=60&max_session_duration_seconds=3600"
    assert asked + query == token_url(url, token_seconds=60, session_seconds_max=3600)


def test_a_session_with_a_token() -> None:
    """The key goes to the token's place and nowhere else; the token into the URL, which is no public one."""
    errand = AssemblyAI(AssemblyAIOptions(temporary_tokens=True)).request(key=KEY, rate=16_000)
    assert isinstance(errand, Errand)
    assert (("Authorization", KEY),) == errand.headers
    assert KEY not in errand.url
    request = errand.request(200, '{"token":"t/1=","expires_in_seconds":60}')
    plain = AssemblyAI(AssemblyAIOptions()).request(key=KEY, rate=16_000)
    assert isinstance(plain, Request)
    found, wanted = (parse_qs(urlsplit(one.url).query) for one in (request, plain))
    assert wanted | {"token": ["t/1="]} == found
    assert ((), "t/1=") == (request.headers, request.secret)
    assert plain.public_url == request.public_url


def test_without_a_key_there_is_none() -> None:
    """Nobody makes tokens for nobody: the session is opened as ever, and refused with its own words."""
    assert isinstance(AssemblyAI(AssemblyAIOptions(temporary_tokens=True)).request(key="", rate=16_000), Request)


def test_a_session_is_as_long_as_its_token_allows() -> None:
    """So that its successor is opened before."""
    shorter = AssemblyAIOptions(temporary_tokens=True, token_session_seconds_max=600)
    assert 600 == AssemblyAI(shorter).limits.session_seconds_max
    assert 10_800 == AssemblyAI(AssemblyAIOptions(token_session_seconds_max=600)).limits.session_seconds_max


def test_what_is_wrong_or_odd_about_the_options() -> None:
    """Numbers that AssemblyAI refuses, and a cap that nothing keeps."""
    wrong = AssemblyAIOptions(temporary_tokens=True, token_seconds=0, token_session_seconds_max=59)
    assert ["token_seconds", "token_session_seconds_max"] == [one.option for one in wrong.errors()]
    odd = AssemblyAI(AssemblyAIOptions(token_session_seconds_max=600))
    assert ["token_session_seconds_max"] == [one.option for one in odd.warnings()]
    assert [] == AssemblyAI(AssemblyAIOptions(temporary_tokens=True, token_session_seconds_max=600)).warnings()


@pytest.mark.parametrize(
    ("status", "body", "text", "verdict"),
    [
        (401, '{"error":"Invalid API key"}', "Invalid API key", Verdict.FATAL),
        (400, '{"error":"Bad","code":"x","details":"expires_in_seconds"}', "Bad: expires_in_seconds", Verdict.FATAL),
        (
            422,
            DETAIL,
            "query.expires_in_seconds: Input should be less than or equal to 600",
            Verdict.FATAL,
        ),
        (422, HEADER, "header.authorization: Field required", Verdict.FATAL),
        (422, '{"detail":"Not so"}', "Not so", Verdict.FATAL),
        (422, '{"detail":[1,{}]}', "HTTP status 422", Verdict.FATAL),
        (429, '{"error":"Too many requests"}', "Too many requests", Verdict.BACKOFF),
        (500, '{"error":"internal"}', "internal", Verdict.BACKOFF),
        (503, "upstream is away", "upstream is away", Verdict.BACKOFF),
        (502, "<html>bad gateway</html>", "HTTP status 502", Verdict.BACKOFF),
        (504, "", "HTTP status 504", Verdict.BACKOFF),
        (302, "", "HTTP status 302", Verdict.BACKOFF),
        (200, "<html>log in</html>", "the answer holds no token", Verdict.BACKOFF),
        (200, '{"token":7}', "the answer holds no token", Verdict.BACKOFF),
        (200, '{"token":""}', "the answer holds no token", Verdict.BACKOFF),
        (200, "[]", "the answer holds no token", Verdict.BACKOFF),
    ],
)
def test_refusals(status: int, body: str, text: str, verdict: Verdict) -> None:
    """Both shapes of errors, other people's pages, and answers that are none; the table of upgrades judges them."""
    with pytest.raises(ConnectionEnded) as caught:
        read_token(status, body)
    assert (f"no temporary token: {text}", status) == (caught.value.text, caught.value.http_status)
    failure = Failure(phase=Phase.OPENING, http_status=status, text=caught.value.text)
    assert verdict is judge(failure, RULES).verdict
