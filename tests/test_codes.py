"""`stenod codes`: the tables, for a person and for a program."""

import json

import pytest
from click.testing import CliRunner, Result

from stenod.codes import LOCAL, WIDTH_MAX, _ranges, codes, tables
from stenod.core.verdict import LOCAL_RULES, ExitCode
from stenod.providers.assemblyai_rules import RULES
from stenod.services import SERVICES

TODAY = (410, 1008, 1011, 3005, 3006, 3007, 3008, 3009)
"""The provider's table of close codes; before, it was 3005 and 1008 alone."""
FIELDS = {
    "provider", "name", "codes", "statuses", "texts", "asked", "severity", "verdict", "retry_safe", "meaning", "remedy",
    "effect", "exit_code", "source",
}  # fmt: skip


def ran(*arguments: str, columns: int = 100, **options) -> Result:
    """Run the command on a terminal's width."""
    return CliRunner().invoke(codes, list(arguments), env={"COLUMNS": str(columns)}, **options)


def rows(*arguments: str) -> list[dict]:
    """Run it for a program."""
    return json.loads(ran(*arguments, "--json").stdout)


def names(*arguments: str) -> list[str]:
    """Return the names of the rows."""
    return [row["name"] for row in rows(*arguments)]


def test_prints_the_whole_table() -> None:
    """Every row of every table, each code with what to do."""
    result = ran()
    assert result.exit_code == 0
    for code in TODAY:
        assert str(code) in result.stdout
    words = " ".join(result.stdout.split())
    for rule in (*RULES, *LOCAL_RULES):
        assert rule.meaning in words
        assert rule.remedy in words
    assert "RETRY SAFE" in words


@pytest.mark.parametrize("columns", [20, 80, 100, 300])
def test_fits_the_terminal(columns: int) -> None:
    """Down to a width that holds the columns, up to one that can be read; no colour and no trailing space."""
    for line in ran(columns=columns).stdout.splitlines():
        assert len(line) <= max(60, min(columns, WIDTH_MAX))
        assert line == line.rstrip()
        assert "\x1b" not in line


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not for people who do not want it."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31m" in ran("3006", color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in ran("3006", color=True).stdout


@pytest.mark.parametrize("code", TODAY)
def test_every_documented_code_is_found(code: int) -> None:
    """With all that it stands for or stood for."""
    assert ran(str(code)).exit_code == 0
    assert all(code in row["codes"] + row["statuses"] for row in rows(str(code)))


def test_one_number_has_many_meanings() -> None:
    """3007 is two faults, and 3005 was nearly everything."""
    assert names("3007") == ["chunk-duration", "too-fast", "code-3007"]
    assert {"session-expired", "chunk-duration", "too-fast", "invalid-json", "session-cancelled"} <= set(names("3005"))
    assert {"too-many-sessions", "missing-key"} <= set(names("1008"))
    assert set(names("503")) == {"http-server-error"}


def test_each_provider_has_its_own_answer() -> None:
    """The same words may mean different things to different ones; who does not know them says nothing."""
    assert {"assemblyai", "assemblyai-v2"} <= {row["provider"] for row in rows("Session Expired")}
    assert [row["provider"] for row in rows("Could not parse word boost parameter")] == ["assemblyai-v2"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("1011 NET-0001", "no-audio"),
        ("Deepgram did not receive audio data or a text message. See https://dpgr.am/net0001", "no-audio"),
        ("received 1011 (internal error) ... https://dpgr.am/net0000", "no-answer"),
        ("1008 DATA-0000", "not-audio"),
        ('{"type":"Metadata","sha256":"incomplete","duration":55.78,"channels":1}', "cut-short"),
        ('HTTP 402 {"err_code":"ASR_PAYMENT_REQUIRED"}', "payment-required"),
        ("HTTP 405", "http-405"),
        ("1000", "closed-unasked"),
    ],
)
def test_what_deepgram_says_is_explained(text: str, name: str) -> None:
    """The token of the documentation, the prose of the wire, a pasted message."""
    assert name in names("--provider", "deepgram", text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Unauthorized connection: Too many concurrent sessions", "too-many-sessions"),
        ("3005 Session Expired: Maximum session duration exceeded", "session-expired"),
        ('{"type":"Error","error_code":3006,"error":"User Input Validation Error: Invalid JSON: x"}', "invalid-json"),
        ("closed with 3007, See Error message for details", "code-3007"),
        ("HTTP 503", "http-server-error"),
        ("chunk-duration", "chunk-duration"),
        ("ping-deadline", "ping-deadline"),
        ("tls: certificate is not yet valid", "tls"),
    ],
)
def test_a_pasted_text_is_judged(text: str, name: str) -> None:
    """As the daemon would, by its sentence, then by a number in it; a name of a row or a token of ours will do."""
    answers = [(row["provider"], row["name"]) for row in rows(text) if row["provider"] in ("assemblyai", LOCAL)]
    assert [found for _, found in answers] == [name]
    assert names("--provider", answers[0][0], *text.split(" ")) == [name]


def test_says_why() -> None:
    """By which words, or by which number."""
    assert "it says 'too many concurrent'" in ran("Too many concurrent sessions").stdout
    assert "the code 3007" in ran("closed 3007").stdout


@pytest.mark.parametrize("asked", ["4711", "nothing that anybody ever said", "31415 26 8979"])
def test_nothing_found(asked: str) -> None:
    """Exit code 1, and what unknown means, not among the output."""
    result = ran(asked)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "backoff" in result.stderr
    assert rows(asked) == []


def test_one_provider() -> None:
    """Its own table, or what stenod sees itself."""
    assert {row["provider"] for row in rows()} == {*SERVICES, LOCAL}
    assert names("--provider", "assemblyai") == [rule.name for rule in RULES]
    assert names("--provider", "local") == [rule.name for rule in RULES]
    assert names("--provider", LOCAL) == [rule.name for rule in LOCAL_RULES]
    said = "so its codes and sentences are AssemblyAI's."
    assert said in " ".join(ran("--provider", "local", "3005").stdout.split())
    assert said not in ran("--provider", "assemblyai", "3005").stdout


def test_a_message_that_is_too_large_has_a_row_for_either_side() -> None:
    """Whose message it was decides what helps."""
    assert {"message-too-big", "oversized-message"} == set(names("1009"))


@pytest.mark.parametrize(("given", "part"), [("asemblyai", "did you mean assemblyai?"), ("zzz", "known: assemblyai")])
def test_an_unknown_provider(given: str, part: str) -> None:
    """A wrong command line, with the nearest name."""
    result = ran("--provider", given)
    assert result.exit_code == ExitCode.USAGE
    assert part in result.stderr


def test_json_has_every_field() -> None:
    """One object a row, the same in every row."""
    found = rows()
    assert len(found) == sum(map(len, tables().values()))
    assert all(set(row) == FIELDS for row in found)
    expired = next(row for row in found if row["name"] == "session-expired")
    assert (expired["codes"], expired["verdict"], expired["retry_safe"]) == ([3008, 3005], "reopen", True)


def test_help_teaches() -> None:
    """Examples, and what the verdicts mean."""
    text = ran("--help").stdout
    for part in ("stenod codes 3005", "Too many concurrent sessions", "backoff", "Exit code 0"):
        assert part in text


def test_runs_of_numbers_are_short() -> None:
    """A hundred statuses are one range."""
    assert list(_ranges((200, 301, 302, 303, 307, 308))) == ["200", "301-303", "307", "308"]
    assert list(_ranges(())) == []
