"""How a table is matched, and the rows that every provider shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.core import transport
from stenod.core.verdict import (
    LOCAL_RULES,
    UNKNOWN,
    Effect,
    ExitCode,
    Failure,
    Phase,
    Rule,
    Severity,
    Verdict,
    judge,
)

TOKENS = (
    transport.PING_DEADLINE,
    transport.SEND_DEADLINE,
    transport.STALLED,
    transport.DRAIN_DEADLINE,
    transport.OPENING_DEADLINE,
    transport.CONNECTION_REFUSED,
    transport.NAME_NOT_RESOLVED,
    transport.TLS_FAILED,
    transport.UNREACHABLE,
    transport.OVERSIZED,
    transport.DEFECT,
)


def rule(name: str, **restrictions) -> Rule:
    """Return a row of which only the restrictions matter."""
    return Rule(
        name=name, verdict=Verdict.RETRY, severity=Severity.NORMAL, meaning="It is.", remedy="Do.", **restrictions
    )


RULES = (
    rule("special", texts=("too many concurrent",), codes=(1008,)),
    rule("general", texts=("too many",), codes=(1008,)),
    rule("after-goodbye", codes=(1000,), asked=True),
    rule("by-itself", codes=(1000,), asked=False),
    rule("code", codes=(1008, 4000)),
    rule("shadowed", codes=(4000,)),
    rule("status", statuses=(503,)),
)


def judged(**observed) -> str:
    """Return the name of the row for a failure while ready."""
    return judge(Failure(phase=Phase.READY, **observed), RULES).name


def test_text_decides_before_code_and_code_before_status() -> None:
    """The provider's own sentence wins, whatever its number; the status comes last."""
    assert judged(text="Unauthorized: Too MANY Concurrent sessions", close_code=4000) == "special"
    assert judged(text="no sentence that is known", close_code=4000, http_status=503) == "code"
    assert judged(http_status=503) == "status"


def test_first_row_wins() -> None:
    """The special stands before the general, and order decides among codes too."""
    assert judged(text="too many things") == "general"
    assert judged(close_code=4000) == "code"


def test_codes_of_a_row_with_texts_are_documentation() -> None:
    """Such a row never fits by its code alone."""
    assert judged(close_code=1008) == "code"


def test_our_goodbye_tells_two_ends_apart() -> None:
    """The same code is an answer or a surprise."""
    assert judged(close_code=1000, asked=True) == "after-goodbye"
    assert judged(close_code=1000) == "by-itself"


def test_unknown_is_backoff() -> None:
    """What no row knows is neither hammered nor taken for the end."""
    assert judge(Failure(phase=Phase.OPENING), RULES) is UNKNOWN
    assert judge(Failure(phase=Phase.READY, close_code=4999, text="?"), RULES) is UNKNOWN
    assert UNKNOWN.verdict is Verdict.BACKOFF
    assert UNKNOWN.retry_safe


def test_a_web_page_is_no_sentence() -> None:
    """A refusal's status counts where a proxy's page came with it, which may say anything."""
    page = " <!DOCTYPE html><p>too many concurrent logins</p>"
    assert judged(http_status=503, text=page) == "status"
    assert judged(close_code=4000, text=page) == "special"


@pytest.mark.parametrize("token", TOKENS)
def test_every_local_token_has_its_row(token: str) -> None:
    """Alone or before the system's own words, and never by what a provider's table says about those."""
    for text in (token, f"{token}: too many concurrent open files", f"{token.upper()}: tls defect"):
        found = judge(Failure(phase=Phase.OPENING, text=text, local=True, close_code=4000), RULES)
        assert found.name == token
        assert found in LOCAL_RULES
        assert found.meaning
        assert found.remedy
        assert found.source


def test_every_local_row_heals_by_itself() -> None:
    """No outage of the network is ever fatal; the audio waits."""
    assert tuple(rule.name for rule in LOCAL_RULES) == TOKENS
    assert {rule.verdict for rule in LOCAL_RULES} == {Verdict.RETRY, Verdict.BACKOFF}


def test_a_provider_cannot_speak_for_us() -> None:
    """Our tokens mean nothing in a provider's text."""
    assert judged(text="stalled: defect") == "unknown"


def test_what_the_provider_said_outlives_our_deadline() -> None:
    """It said why and never closed: the end is ours, the reason is its own."""
    text = "Too many concurrent sessions | ping-deadline: no pong"
    assert judged(text=text, local=True) == "special"


def test_only_fatal_is_unsafe_to_retry() -> None:
    """The column that people look for follows from the verdict."""
    safe = [
        Rule(name="x", verdict=verdict, severity=Severity.ERROR, meaning="", remedy="").retry_safe
        for verdict in (Verdict.REOPEN, Verdict.RETRY, Verdict.BACKOFF, Verdict.FATAL)
    ]
    assert safe == [True, True, True, False]
    assert rule("x").effect is Effect.NONE
    assert rule("x").exit_code == ExitCode.UNAVAILABLE


@given(
    st.builds(
        Failure,
        phase=st.sampled_from(Phase),
        http_status=st.none() | st.integers(),
        close_code=st.none() | st.integers(),
        text=st.text() | st.sampled_from([*TOKENS, "too many concurrent", "<html>"]),
        asked=st.booleans(),
        local=st.booleans(),
    )
)
def test_matching_is_total(failure: Failure) -> None:
    """Whatever was observed has exactly one row, and always the same."""
    found = judge(failure, RULES)
    assert found in (*RULES, *LOCAL_RULES, UNKNOWN)
    assert found is judge(failure, RULES)
