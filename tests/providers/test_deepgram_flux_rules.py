"""Flux's verdict table, walked whole."""

import pytest

from stenod.core.verdict import UNKNOWN, Effect, ExitCode, Failure, Phase, Rule, Severity, Verdict, judge
from stenod.providers.deepgram_flux_rules import FLUX_RULES, RULES, SHARED_RULES, V1_ONLY
from stenod.providers.deepgram_rules import RULES as V1_RULES

REOPEN, RETRY, BACKOFF, FATAL = Verdict.REOPEN, Verdict.RETRY, Verdict.BACKOFF, Verdict.FATAL

ERRORS = [
    ("INTERNAL_SERVER_ERROR: An unexpected error", BACKOFF, Effect.NONE, "flux-internal-error"),
    ("INACTIVE_CLIENT: no audio", REOPEN, Effect.NONE, "flux-inactive"),
    ("CLIENT_MESSAGE_TIMEOUT", RETRY, Effect.NONE, "flux-message-timeout"),
    ("UNPARSABLE_CLIENT_MESSAGE: x", BACKOFF, Effect.ONCE, "flux-message-unknown"),
]

STATUSES = [
    (400, FATAL, ExitCode.CONFIGURATION),
    (401, FATAL, ExitCode.NO_PERMISSION),
    (403, BACKOFF, ExitCode.NO_PERMISSION),
    (402, FATAL, ExitCode.NO_PERMISSION),
    (404, FATAL, ExitCode.CONFIGURATION),
    (408, BACKOFF, ExitCode.UNAVAILABLE),
    (429, BACKOFF, ExitCode.UNAVAILABLE),
    (500, BACKOFF, ExitCode.UNAVAILABLE),
    (503, BACKOFF, ExitCode.UNAVAILABLE),
]


def ended(**observed) -> Rule:
    """Return the row for a session that ended by itself."""
    return judge(Failure(phase=Phase.READY, **observed), RULES)


@pytest.mark.parametrize(("text", "verdict", "effect", "name"), ERRORS)
def test_every_known_error_has_its_verdict(text: str, verdict: Verdict, effect: Effect, name: str) -> None:
    """By its word, whatever close came behind it."""
    for code in (None, 1000, 1005, 1006, 1011):
        found = ended(text=text, close_code=code)
        assert (name, verdict, effect) == (found.name, found.verdict, found.effect)


def test_each_row_of_its_own_is_walked() -> None:
    """No more and no fewer than above."""
    assert {rule.name for rule in FLUX_RULES} == {name for *_, name in ERRORS}


@pytest.mark.parametrize(("status", "verdict", "exit_code"), STATUSES)
def test_every_refused_upgrade_has_its_verdict(status: int, verdict: Verdict, exit_code: int) -> None:
    """By its status."""
    found = judge(Failure(phase=Phase.OPENING, http_status=status), RULES)
    assert (verdict, exit_code) == (found.verdict, found.exit_code)


@pytest.mark.parametrize(
    ("observed", "name"),
    [
        ({"http_status": 401, "text": '{"err_code":"INVALID_AUTH","err_msg":"Invalid credentials."}'}, "invalid-key"),
        ({"http_status": 402, "text": '{"err_code":"ASR_PAYMENT_REQUIRED"}'}, "payment-required"),
        ({"http_status": 403, "text": '{"err_code":"INSUFFICIENT_PERMISSIONS"}'}, "insufficient-permissions"),
        ({"http_status": 400, "text": '{"err_code":"INVALID_QUERY_PARAMETER"}'}, "invalid-parameter"),
        ({"http_status": 429, "text": '{"err_code":"TOO_MANY_REQUESTS"}'}, "too-many-streams"),
        ({"close_code": 1011, "text": "See https://dpgr.am/net0001"}, "no-audio"),
        ({"close_code": 1008, "text": "DATA-0000"}, "not-audio"),
        ({"close_code": 1000}, "ended-unasked"),
        ({"close_code": 1001}, "going-away"),
        ({"close_code": 1006}, "connection-lost"),
        ({"close_code": 4999}, "unknown"),
    ],
)
def test_what_deepgram_says_in_either_protocol(observed: dict, name: str) -> None:
    """Key, credit, limits, closes."""
    assert name == ended(**observed).name


def test_shared_rows_speak_of_flux() -> None:
    """Of its options and its path; and no row is left out that is not there any more."""
    assert not [rule.name for rule in SHARED_RULES for one in ("[deepgram]", "`deepgram.", "v1/") if one in rule.remedy]
    assert set(V1_ONLY) <= {rule.name for rule in V1_RULES}


def test_a_close_without_a_code_is_its_good_end_where_we_asked() -> None:
    """And a loss where we did not."""
    found = judge(Failure(phase=Phase.DRAINING, close_code=1005, asked=True), RULES)
    assert ("ended-as-asked", Severity.NORMAL) == (found.name, found.severity)
    assert RETRY is ended(close_code=1005).verdict


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_row_is_whole_and_can_be_reached(rule: Rule) -> None:
    """Sentences, a source, lower-case texts; no row hides another."""
    assert rule.meaning.endswith(".")
    assert rule.remedy.endswith(".")
    assert rule.source
    assert list(rule.texts) == [text.casefold() for text in rule.texts]
    asked = bool(rule.asked)
    by_text = [judge(Failure(phase=Phase.READY, text=text, asked=asked), RULES) for text in rule.texts]
    by_code = [judge(Failure(phase=Phase.READY, close_code=code, asked=asked), RULES) for code in rule.codes]
    by_status = [judge(Failure(phase=Phase.OPENING, http_status=code, asked=asked), RULES) for code in rule.statuses]
    assert rule in (by_text or by_code + by_status)


def test_names_are_unique() -> None:
    """They stand in logs and records."""
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))
    assert UNKNOWN.name not in names
