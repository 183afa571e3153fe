"""The rows that end every provider's table."""

import pytest

from stenod.core.verdict import Effect, Failure, Phase, Verdict, judge
from stenod.providers.standard_rules import STANDARD_RULES


@pytest.mark.parametrize(
    ("code", "asked", "verdict"),
    [
        (1000, False, Verdict.REOPEN),
        (1000, True, Verdict.REOPEN),
        (1001, False, Verdict.REOPEN),
        (1002, False, Verdict.BACKOFF),
        (1003, False, Verdict.BACKOFF),
        (1005, False, Verdict.RETRY),
        (1005, True, Verdict.REOPEN),
        (1006, False, Verdict.RETRY),
        (1006, True, Verdict.REOPEN),
        (1007, False, Verdict.BACKOFF),
        (1009, False, Verdict.BACKOFF),
        (1010, False, Verdict.BACKOFF),
        (1011, False, Verdict.BACKOFF),
        (1012, False, Verdict.RETRY),
        (1013, False, Verdict.BACKOFF),
        (1014, False, Verdict.BACKOFF),
        (4000, False, Verdict.BACKOFF),
    ],
)
def test_registered_close_codes(code: int, asked: bool, verdict: Verdict) -> None:
    """Nothing that a close code says by itself is fatal at once."""
    assert verdict is judge(Failure(phase=Phase.READY, close_code=code, asked=asked), STANDARD_RULES).verdict


def test_a_guest_networks_login_page_is_no_refusal() -> None:
    """It answers with success, a redirection or 511; the provider was never reached."""
    for status in (200, 302, 307, 511):
        found = judge(Failure(phase=Phase.OPENING, http_status=status), STANDARD_RULES)
        assert (found.name, found.verdict) == ("http-login-page", Verdict.BACKOFF)


def test_forbidden_gets_one_more_try() -> None:
    """A firewall's hiccup passes, a plan does not: the second in a row is fatal, so nothing hammers."""
    found = judge(Failure(phase=Phase.OPENING, http_status=403), STANDARD_RULES)
    assert (found.verdict, found.effect) == (Verdict.BACKOFF, Effect.ONCE)


def test_no_row_has_a_text() -> None:
    """A provider's own rows must win, and texts are looked at before numbers."""
    assert not [rule.name for rule in STANDARD_RULES if rule.texts]
