"""Deepgram's verdict table, walked whole, and held against what was documented and what was seen on the wire."""

import pytest

from stenod.core import transport
from stenod.core.verdict import UNKNOWN, Effect, ExitCode, Failure, Phase, Rule, Severity, Verdict, judge
from stenod.providers.deepgram_conversation import CUT_SHORT, NOT_UNDERSTOOD
from stenod.providers.deepgram_rules import RULES

REOPEN, RETRY, BACKOFF, FATAL = Verdict.REOPEN, Verdict.RETRY, Verdict.BACKOFF, Verdict.FATAL

NET_0000 = "Deepgram did not provide a response message within the timeout window. See https://dpgr.am/net0000"
NET_0001 = (
    "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001"
)
ENDED_BADLY = (
    '{"type":"Metadata","transaction_key":"deprecated","request_id":"b281833c-ed89-4732-84fc-43ced55440b0",'
    '"sha256":"incomplete","created":"2024-06-26T14:58:21.908Z","duration":55.78,"channels":1}'
)

CLOSES = [
    # As the pages have them.
    (1008, "DATA-0000", FATAL, "not-audio"),
    (1011, "NET-0000", BACKOFF, "no-answer"),
    (1011, "NET-0001", RETRY, "no-audio"),
    (1008, "The payload cannot be decoded as audio.", FATAL, "not-audio"),
    (
        1011,
        "The service has not transmitted a Text frame to the client within the timeout window.",
        BACKOFF,
        "no-answer",
    ),
    (1011, "The service has not received a Binary or Text frame from the client.", RETRY, "no-audio"),
    (1002, "DATA-0000", FATAL, "not-audio"),
    # As they stand on the wire.
    (1011, NET_0000, BACKOFF, "no-answer"),
    (1011, NET_0001, RETRY, "no-audio"),
    (1008, "See https://dpgr.am/data0000", FATAL, "not-audio"),
    (1011, "NET-0002", RETRY, "no-audio"),
    (1011, "no_audio_timeout", RETRY, "no-audio"),
    (1011, "See https://dpgr.am/net0002", RETRY, "no-audio"),
    # What the session itself says without a sentence.
    (1011, CUT_SHORT, RETRY, "cut-short"),
    (1011, ENDED_BADLY, RETRY, "cut-short"),
    (1000, NOT_UNDERSTOOD, BACKOFF, "nothing-understood"),
    (1011, "SchemaError: could not parse", BACKOFF, "message-refused"),
    (1011, "keepalive ping timeout; no close frame received", RETRY, "client-ping"),
]

NUMBERS = [
    (1000, BACKOFF, Effect.ONCE),
    (1001, REOPEN, Effect.NONE),
    (1002, BACKOFF, Effect.ONCE),
    (1003, BACKOFF, Effect.ONCE),
    (1005, RETRY, Effect.NONE),
    (1006, RETRY, Effect.NONE),
    (1007, BACKOFF, Effect.ONCE),
    (1008, BACKOFF, Effect.ONCE),
    (1009, BACKOFF, Effect.ONCE),
    (1011, BACKOFF, Effect.NONE),
    (1012, RETRY, Effect.NONE),
    (1013, BACKOFF, Effect.NONE),
    (4000, BACKOFF, Effect.NONE),
    (4999, BACKOFF, Effect.NONE),
]

REFUSALS = [
    (400, '{"err_code":"INVALID_QUERY_PARAMETER","err_msg":"x","request_id":"r"}', FATAL, "invalid-parameter"),
    (400, '{"category":"INVALID_JSON","message":"x","details":"y","request_id":"r"}', FATAL, "invalid-json"),
    (400, '{"err_code":"Bad Request","err_msg":"x","request_id":"r"}', FATAL, "http-bad-request"),
    (401, 'Invalid credentials. {"err_code":"INVALID_AUTH","err_msg":"Invalid credentials."}', FATAL, "invalid-key"),
    (401, '{"err_code":"INSUFFICIENT_PERMISSIONS","err_msg":"x"}', FATAL, "insufficient-permissions"),
    (402, '{"err_code":"ASR_PAYMENT_REQUIRED","err_msg":"x"}', FATAL, "payment-required"),
    (403, '{"err_code":"INSUFFICIENT_PERMISSIONS","err_msg":"x"}', FATAL, "insufficient-permissions"),
    (429, '{"err_code":"TOO_MANY_REQUESTS","err_msg":"x"}', BACKOFF, "too-many-streams"),
    (503, '{"error_code":"Service Unavailable","err_msg":"x"}', BACKOFF, "http-server-error"),
]

STATUSES = [
    (400, FATAL, ExitCode.CONFIGURATION, Effect.NONE),
    (401, FATAL, ExitCode.NO_PERMISSION, Effect.NONE),
    (402, FATAL, ExitCode.NO_PERMISSION, Effect.NONE),
    (403, BACKOFF, ExitCode.NO_PERMISSION, Effect.ONCE),
    (404, FATAL, ExitCode.CONFIGURATION, Effect.NONE),
    (405, FATAL, ExitCode.CONFIGURATION, Effect.NONE),
    (408, BACKOFF, ExitCode.UNAVAILABLE, Effect.NONE),
    (429, BACKOFF, ExitCode.UNAVAILABLE, Effect.FEWER_OPENINGS),
    (499, BACKOFF, ExitCode.UNAVAILABLE, Effect.NONE),
    (500, BACKOFF, ExitCode.UNAVAILABLE, Effect.NONE),
    (502, BACKOFF, ExitCode.UNAVAILABLE, Effect.NONE),
    (503, BACKOFF, ExitCode.UNAVAILABLE, Effect.NONE),
    (504, BACKOFF, ExitCode.UNAVAILABLE, Effect.NONE),
]


def ended(**observed) -> Rule:
    """Return the row for a session that ended by itself."""
    return judge(Failure(phase=Phase.READY, **observed), RULES)


@pytest.mark.parametrize(("code", "text", "verdict", "name"), CLOSES)
def test_every_known_sentence_has_its_verdict(code: int, text: str, verdict: Verdict, name: str) -> None:
    """With its code, with a code it never had, in any capitals, and within what others put around it."""
    for observed in (text, text.upper(), text.lower(), f"received {code} (internal error) {text}; then sent {code}"):
        for number in (code, 4321, None):
            found = ended(close_code=number, text=observed)
            assert (name, verdict) == (found.name, found.verdict)
    assert code in ended(close_code=code, text=text).codes


@pytest.mark.parametrize("text", [CUT_SHORT, "SchemaError: could not parse"])
def test_the_reason_of_the_close_says_more_than_what_came_before(text: str) -> None:
    """A summary and an error message come first; why the session ended is told by the close."""
    assert "no-audio" == ended(close_code=1011, text=f"{text} | {NET_0001}").name
    assert "no-answer" == ended(close_code=1011, text=f"{text} | {NET_0000}").name


@pytest.mark.parametrize(("code", "verdict", "effect"), NUMBERS)
def test_every_number_has_its_verdict(code: int, verdict: Verdict, effect: Effect) -> None:
    """Where nothing was said, or nothing that is known; what is not documented is backed off from."""
    for text in ("", "something new"):
        found = ended(close_code=code, text=text)
        assert (verdict, effect) == (found.verdict, found.effect)


@pytest.mark.parametrize(("status", "body", "verdict", "name"), REFUSALS)
def test_every_refusal_is_told_by_its_body(status: int, body: str, verdict: Verdict, name: str) -> None:
    """By what it calls itself, in both shapes."""
    found = judge(Failure(phase=Phase.OPENING, http_status=status, text=body), RULES)
    assert (name, verdict) == (found.name, found.verdict)
    assert status in found.statuses


@pytest.mark.parametrize(("status", "verdict", "exit_code", "effect"), STATUSES)
def test_every_refused_upgrade_has_its_verdict(status: int, verdict: Verdict, exit_code: int, effect: Effect) -> None:
    """By its status, whatever page came with it."""
    page = "<html><title>Invalid credentials. NET-0001. Too many requests</title></html>"
    for text in ("", page):
        found = judge(Failure(phase=Phase.OPENING, http_status=status, text=text), RULES)
        assert (verdict, exit_code, effect) == (found.verdict, found.exit_code, found.effect)


def test_our_goodbye_makes_an_end_normal() -> None:
    """The same codes that are a loss without it; 1000 without it is no success."""
    for code in (1000, 1001, 1005, 1006):
        found = judge(Failure(phase=Phase.DRAINING, close_code=code, asked=True), RULES)
        assert "ended-as-asked" == found.name
        assert Severity.NORMAL is found.severity
    assert "closed-unasked" == ended(close_code=1000).name


def test_a_message_that_was_refused_is_no_reason_for_an_end_that_was_asked_for() -> None:
    """The session may have lived on for hours."""
    failure = Failure(phase=Phase.DRAINING, close_code=1000, text="SchemaError: could not parse", asked=True)
    assert "ended-as-asked" == judge(failure, RULES).name


def test_our_own_ping_is_ours() -> None:
    """What we ended ourselves is no word of Deepgram's, whatever number it carries."""
    text = f"{transport.PING_DEADLINE}: a ping was not answered"
    failure = Failure(phase=Phase.READY, close_code=1011, text=text, local=True)
    assert transport.PING_DEADLINE == judge(failure, RULES).name


@pytest.mark.parametrize(
    ("exit_code", "names"),
    [
        (
            ExitCode.NO_PERMISSION,
            {
                "invalid-key",
                "insufficient-permissions",
                "payment-required",
                "http-unauthorized",
                "http-payment",
            },
        ),
        (ExitCode.PROTOCOL, {"not-audio", "invalid-json"}),
        (
            ExitCode.CONFIGURATION,
            {"invalid-parameter", "http-405", "http-bad-request", "http-not-found"},
        ),
        (ExitCode.UNAVAILABLE, set()),
    ],
)
def test_fatal_rows_say_who_must_act(exit_code: int, names: set[str]) -> None:
    """The key and the account, the programmer, the configuration: each has its exit code."""
    assert names == {rule.name for rule in RULES if rule.verdict is FATAL and rule.exit_code == exit_code}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_no_row_is_shadowed(rule: Rule) -> None:
    """Each of a row's texts leads to it, and at least one of its numbers where it goes by number."""
    asked = bool(rule.asked)
    by_text = [judge(Failure(phase=Phase.READY, text=text, asked=asked), RULES) for text in rule.texts]
    by_code = [judge(Failure(phase=Phase.READY, close_code=code, asked=asked), RULES) for code in rule.codes]
    by_status = [judge(Failure(phase=Phase.OPENING, http_status=code, asked=asked), RULES) for code in rule.statuses]
    if rule.texts:
        assert {rule.name} == {found.name for found in by_text}
    else:
        assert rule in by_code + by_status


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_row_is_whole(rule: Rule) -> None:
    """A meaning, a remedy in sentences, where it is known from, and lower-case texts, or it could never match."""
    assert rule.meaning.endswith(".")
    assert rule.remedy.endswith(".")
    assert rule.source
    assert list(rule.texts) == [text.casefold() for text in rule.texts]
    assert rule.texts or rule.codes or rule.statuses


def test_names_are_unique() -> None:
    """They stand in logs and records."""
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))
    assert UNKNOWN.name not in names
