"""AssemblyAI's verdict table, walked whole, and held against what is documented, old numbers and new."""

import pytest

from stenod.core.verdict import UNKNOWN, Effect, ExitCode, Failure, Phase, Rule, Severity, Verdict, judge
from stenod.providers.assemblyai_rules import RULES

SEE = "See Error message for details"
REOPEN, RETRY, BACKOFF, FATAL = Verdict.REOPEN, Verdict.RETRY, Verdict.BACKOFF, Verdict.FATAL

DOCUMENTED = [
    # The table of today.
    (3008, "Session Expired: Maximum session duration exceeded", REOPEN, "session-expired"),
    (3007, "Input duration violation: 20 ms. Expected between 50 and 1000 ms", RETRY, "chunk-duration"),
    (3006, "Invalid Message Type: Hello", FATAL, "invalid-message-type"),
    (3006, "Invalid JSON: {", FATAL, "invalid-json"),
    (3006, "Invalid Message: []", FATAL, "invalid-message"),
    (3006, "Session terminated due to inactivity: No messages received for 30 seconds", REOPEN, "inactivity"),
    (3007, "Audio Transmission Rate Exceeded: Received 315 sec. audio in 1 sec", RETRY, "too-fast"),
    (3005, "Session Cancelled: An error occurred", BACKOFF, "session-cancelled"),
    (3009, "Unauthorized Connection: Too many concurrent sessions", BACKOFF, "too-many-sessions"),
    (1008, "Unauthorized Connection: Missing Authorization header", FATAL, "missing-key"),
    (1008, "Unauthorized Connection: Insufficient account balance", FATAL, "insufficient-balance"),
    (1008, "Unauthorized Connection: Account temporarily disabled", FATAL, "account-disabled"),
    (1008, "Unauthorized Connection: a reason nobody has seen", FATAL, "account-refused"),
    (1011, "Internal error", BACKOFF, "internal-error"),
    (410, "Deprecated endpoint", FATAL, "deprecated-endpoint"),
    # The table before February 2026: the same sentences as 3005, and 1008 for too many sessions.
    (3005, "Session Expired: Maximum session duration exceeded", REOPEN, "session-expired"),
    (3005, "Input duration violation: 1200 ms. Expected between 50 and 1000 ms", RETRY, "chunk-duration"),
    (3005, "Invalid Message Type: Hello", FATAL, "invalid-message-type"),
    (3005, "Invalid JSON: {", FATAL, "invalid-json"),
    (3005, "Invalid Message: []", FATAL, "invalid-message"),
    (3005, "Audio Transmission Rate Exceeded: Received 315 sec. audio in 1 sec", RETRY, "too-fast"),
    (1008, "Unauthorized connection: Too many concurrent sessions", BACKOFF, "too-many-sessions"),
    (1008, "Unauthorized connection: Missing Authorization header", FATAL, "missing-key"),
    # What was observed: a category before the sentence, other capitals, sentences that no table has.
    (1008, "Unauthorized Connection: Invalid API key", FATAL, "invalid-key"),
    (1008, "Unauthorized Connection: Signature has expired", RETRY, "token-expired"),
    (3007, "Input Duration Error: Input Duration Violation: 25.0 ms. Expected between 50", RETRY, "chunk-duration"),
    (3007, "Input Duration Error: Audio Transmission Rate Exceeded: Received 314.9 sec. audio", RETRY, "too-fast"),
    (3007, "Audio Transmission Rate Exceeded: too much audio buffered", RETRY, "too-fast"),
    (3006, "User Input Validation Error: Invalid JSON: x", FATAL, "invalid-json"),
    (3006, "User Input Validation Error: Invalid 'sample_rate': Value error, sample_rate", FATAL, "invalid-parameter"),
    (3006, "'flac' is not a valid Encoding", FATAL, "invalid-parameter"),
    (3006, "keyterms_prompt: Max 100 items", FATAL, "invalid-parameter"),
    (3006, "prompt exceeds maximum length", FATAL, "invalid-parameter"),
    (3006, "Failed to decode audio", FATAL, "invalid-parameter"),
]  # fmt: skip

NUMBERS = [
    # Only the close was seen, whose reason is a fixed sentence or nothing.
    (3005, BACKOFF, Effect.NONE),
    (3006, BACKOFF, Effect.NONE),
    (3007, BACKOFF, Effect.SLOWER),
    (3008, REOPEN, Effect.NONE),
    (3009, BACKOFF, Effect.FEWER_OPENINGS),
    (1008, BACKOFF, Effect.FEWER_OPENINGS),
    (1000, REOPEN, Effect.NONE),
    (1001, REOPEN, Effect.NONE),
    (1005, RETRY, Effect.NONE),
    (1006, RETRY, Effect.NONE),
    (1009, BACKOFF, Effect.ONCE),
    (1011, BACKOFF, Effect.NONE),
    (1012, RETRY, Effect.NONE),
    (1013, BACKOFF, Effect.NONE),
    (410, FATAL, Effect.NONE),
]

STATUSES = [
    (400, FATAL, ExitCode.CONFIGURATION),
    (401, FATAL, ExitCode.NO_PERMISSION),
    (403, BACKOFF, ExitCode.NO_PERMISSION),
    (404, FATAL, ExitCode.CONFIGURATION),
    (408, BACKOFF, ExitCode.UNAVAILABLE),
    (410, FATAL, ExitCode.CONFIGURATION),
    (429, BACKOFF, ExitCode.UNAVAILABLE),
    (500, BACKOFF, ExitCode.UNAVAILABLE),
    (502, BACKOFF, ExitCode.UNAVAILABLE),
    (503, BACKOFF, ExitCode.UNAVAILABLE),
    (504, BACKOFF, ExitCode.UNAVAILABLE),
    (599, BACKOFF, ExitCode.UNAVAILABLE),
]


def ended(**observed) -> Rule:
    """Return the row for a session that ended by itself."""
    return judge(Failure(phase=Phase.READY, **observed), RULES)


@pytest.mark.parametrize(("code", "text", "verdict", "name"), DOCUMENTED)
def test_every_known_sentence_has_its_verdict(code: int, text: str, verdict: Verdict, name: str) -> None:
    """With its code, with a code it never had, in capitals, and with the close's own reason behind it."""
    for observed in (text, text.upper(), f"{text} | {SEE}"):
        for number in (code, 4321, None):
            found = ended(close_code=number, text=observed)
            assert (name, verdict) == (found.name, found.verdict)
    assert code in ended(close_code=code, text=text).codes


@pytest.mark.parametrize(("code", "verdict", "effect"), NUMBERS)
def test_every_known_number_has_its_verdict(code: int, verdict: Verdict, effect: Effect) -> None:
    """Where no sentence came, the most harmless reading of the number counts."""
    for text in ("", SEE):
        found = ended(close_code=code, text=text)
        assert (verdict, effect) == (found.verdict, found.effect)


@pytest.mark.parametrize(("status", "verdict", "exit_code"), STATUSES)
def test_every_refused_upgrade_has_its_verdict(status: int, verdict: Verdict, exit_code: int) -> None:
    """By its status, whatever page came with it."""
    page = "<html><title>Session expired. Invalid message</title></html>"
    for text in ("", page):
        found = judge(Failure(phase=Phase.OPENING, http_status=status, text=text), RULES)
        assert (verdict, exit_code) == (found.verdict, found.exit_code)


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("token-expired", Effect.NEW_TOKEN),
        ("too-many-sessions", Effect.FEWER_OPENINGS),
        ("chunk-duration", Effect.ONCE),
        ("too-fast", Effect.SLOWER),
        ("http-forbidden", Effect.ONCE),
        ("http-too-many-requests", Effect.FEWER_OPENINGS),
    ],
)
def test_what_changes_beyond_the_wait(name: str, effect: Effect) -> None:
    """The rows that change how stenod goes on."""
    assert [effect] == [rule.effect for rule in RULES if rule.name == name]


@pytest.mark.parametrize(
    ("exit_code", "names"),
    [
        (
            ExitCode.NO_PERMISSION,
            {
                "missing-key",
                "invalid-key",
                "insufficient-balance",
                "account-disabled",
                "account-refused",
                "http-unauthorized",
                "http-payment",
            },
        ),
        (ExitCode.PROTOCOL, {"invalid-message-type", "invalid-json", "invalid-message"}),
        (
            ExitCode.CONFIGURATION,
            {"invalid-parameter", "deprecated-endpoint", "code-410", "http-bad-request", "http-not-found"},
        ),
        (ExitCode.UNAVAILABLE, set()),
    ],
)
def test_fatal_rows_say_who_must_act(exit_code: int, names: set[str]) -> None:
    """The key and the account, the programmer, the configuration: each has its exit code."""
    assert names == {rule.name for rule in RULES if rule.verdict is FATAL and rule.exit_code == exit_code}


def test_our_goodbye_makes_an_end_normal() -> None:
    """The same codes that are a loss without it."""
    for code in (1000, 1001, 1005, 1006):
        found = judge(Failure(phase=Phase.DRAINING, close_code=code, asked=True), RULES)
        assert found.name == "ended-as-asked"
        assert Severity.NORMAL is found.severity


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


def test_remedy_of_the_retired_endpoint_names_the_new_one() -> None:
    """By its text, as an error code and as a status."""
    for found in (ended(text="Deprecated endpoint"), ended(close_code=410), ended(http_status=410)):
        assert "wss://streaming.assemblyai.com/v3/ws" in found.remedy
