"""Flux's verdict table, walked whole."""

import pytest

from stenod.core.verdict import UNKNOWN, Effect, ExitCode, Failure, Phase, Rule, Severity, Verdict, judge
from stenod.providers.deepgram_flux_rules import FLUX_RULES, RULES

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


def test_a_close_without_a_code_is_its_good_end_where_we_asked() -> None:
    """And a loss where we did not."""
    found = judge(Failure(phase=Phase.DRAINING, close_code=1005, asked=True), RULES)
    assert ("ended-as-asked", Severity.NORMAL) == (found.name, found.severity)
    assert RETRY is ended(close_code=1005).verdict


@pytest.mark.parametrize("rule", FLUX_RULES, ids=lambda rule: rule.name)
def test_every_row_is_whole_and_can_be_reached(rule: Rule) -> None:
    """Sentences, a source, lower-case texts that lead to it."""
    assert rule.meaning.endswith(".")
    assert rule.remedy.endswith(".")
    assert rule.source
    assert list(rule.texts) == [text.casefold() for text in rule.texts]
    assert {rule.name} == {ended(text=text).name for text in rule.texts}


def test_names_are_unique() -> None:
    """They stand in logs and records."""
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))
    assert UNKNOWN.name not in names
