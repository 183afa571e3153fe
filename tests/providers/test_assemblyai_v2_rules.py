"""AssemblyAI's v2 verdict table, walked whole, and held against what was documented."""

import pytest

from stenod.core.verdict import UNKNOWN, Effect, ExitCode, Failure, Phase, Rule, Verdict, judge
from stenod.providers.assemblyai_v2_rules import RULES, SENTENCE_RULES

REOPEN, RETRY, BACKOFF, FATAL = Verdict.REOPEN, Verdict.RETRY, Verdict.BACKOFF, Verdict.FATAL

DOCUMENTED = [
    (4000, "Sample rate must be a positive integer", FATAL, Effect.NONE, ExitCode.CONFIGURATION),
    (4001, "Not Authorized", FATAL, Effect.NONE, ExitCode.NO_PERMISSION),
    (4002, "Insufficient Funds", FATAL, Effect.NONE, ExitCode.NO_PERMISSION),
    (
        4003,
        "This feature is paid-only and requires you to add a credit card. Please visit to add a card",
        FATAL,
        Effect.NONE,
        ExitCode.NO_PERMISSION,
    ),
    (4004, "Session not found", RETRY, Effect.NONE, ExitCode.UNAVAILABLE),
    (4008, "Session Expired", REOPEN, Effect.NONE, ExitCode.UNAVAILABLE),
    (4010, "Session previously closed", RETRY, Effect.NONE, ExitCode.UNAVAILABLE),
    (4029, "Client sent audio too fast", RETRY, Effect.SLOWER, ExitCode.UNAVAILABLE),
    (4030, "Session is handled by another WebSocket", RETRY, Effect.NONE, ExitCode.UNAVAILABLE),
    (4031, "Session idle for too long", REOPEN, Effect.NONE, ExitCode.UNAVAILABLE),
    (4032, "Audio duration is too short", RETRY, Effect.ONCE, ExitCode.PROTOCOL),
    (4033, "Audio duration is too long", RETRY, Effect.ONCE, ExitCode.PROTOCOL),
    (4034, "Audio too small to transcode", RETRY, Effect.ONCE, ExitCode.PROTOCOL),
    (4101, "Endpoint received a message with an invalid schema", FATAL, Effect.NONE, ExitCode.PROTOCOL),
    (
        4102,
        "This account has exceeded the number of allowed streams",
        BACKOFF,
        Effect.FEWER_OPENINGS,
        ExitCode.UNAVAILABLE,
    ),
    (
        4103,
        "This session has been reconnected. This WebSocket is no longer valid",
        RETRY,
        Effect.NONE,
        ExitCode.UNAVAILABLE,
    ),
    (4104, "Could not parse word boost parameter", FATAL, Effect.NONE, ExitCode.CONFIGURATION),
    # In the tables of the provider's own clients only.
    (4100, "Endpoint received invalid JSON", FATAL, Effect.NONE, ExitCode.PROTOCOL),
    (1013, "Reconnect attempts exhausted", BACKOFF, Effect.NONE, ExitCode.UNAVAILABLE),
    # What the retired service answers.
    (410, "Deprecated endpoint: use wss://streaming.assemblyai.com/v3/ws", FATAL, Effect.NONE, ExitCode.CONFIGURATION),
]


def ended(**observed) -> Rule:
    """Return the row for a session that ended by itself."""
    return judge(Failure(phase=Phase.READY, **observed), RULES)


@pytest.mark.parametrize(("code", "text", "verdict", "effect", "exit_code"), DOCUMENTED)
def test_every_documented_end_has_its_verdict(
    code: int, text: str, verdict: Verdict, effect: Effect, exit_code: int
) -> None:
    """With both, with the sentence alone in any capitals, and with the bare code."""
    both, sentence = ended(close_code=code, text=text), ended(text=text.upper())
    assert both is sentence
    bare = ended(close_code=code)
    for found in (both, bare):
        assert (verdict, effect, exit_code) == (found.verdict, found.effect, found.exit_code)
    assert (f"code-{code}", code) == (bare.name, both.codes[0])
    assert (bare.meaning, bare.remedy) == (both.meaning, both.remedy)


def test_every_row_is_documented_above() -> None:
    """The table and the list are the same length, so no row is untested."""
    assert {rule.codes[0] for rule in SENTENCE_RULES} == {code for code, *_ in DOCUMENTED}


def test_the_retired_service_says_where_to_go() -> None:
    """By its sentence, as an error code and as a status."""
    for found in (ended(text="Deprecated endpoint"), ended(close_code=410), ended(http_status=410)):
        assert '"assemblyai"' in found.remedy
        assert "wss://streaming.assemblyai.com/v3/ws" in found.remedy


@pytest.mark.parametrize(
    ("observed", "name"),
    [
        ({"close_code": 1000}, "ended-unasked"),
        ({"close_code": 1006}, "connection-lost"),
        ({"close_code": 4999}, "unknown"),
        ({"http_status": 401}, "http-unauthorized"),
        ({"http_status": 503}, "http-server-error"),
    ],
)
def test_the_standards_come_behind(observed: dict, name: str) -> None:
    """What the protocol has no code for."""
    assert name == ended(**observed).name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_row_is_whole_and_can_be_reached(rule: Rule) -> None:
    """A meaning and a remedy in sentences, a source, lower-case texts; no row hides another."""
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
