"""Where a sentence for a person goes."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stenod.edge import journald
from stenod.saying import FORM, NOTICE, say


@pytest.mark.parametrize("up", [True, False])
def test_the_journal_has_it_with_its_level(
    up: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an entry; where it takes none, as lines that say their level."""
    sent: list[tuple[int, str, Mapping[str, str]]] = []

    class FakeJournal:
        """One that says whether it took it."""

        def send(self, *entry: object) -> bool:
            """See `edge.journald`."""
            sent.append(entry)
            return up

    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    monkeypatch.setattr(journald, "reads", lambda _stream, environment: environment["JOURNAL_STREAM"] == "1:2")
    monkeypatch.setattr(journald, "Journal", FakeJournal)
    say("stenod: one\ntwo", NOTICE)
    assert [(5, "stenod: one\ntwo", {})] == sent
    assert ("" if up else "<5>stenod: one\n<5>two\n") == capsys.readouterr().err


def test_a_terminal_has_it_as_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where a variable was inherited from a service."""
    say("stenod: one")
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    say("stenod: two")
    assert "stenod: one\nstenod: two\n" == capsys.readouterr().err


def test_a_foreign_text_moves_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of our own stay lines."""
    say("stenod: one\nstenod: \x1b[31mtwo\x00")
    assert "stenod: one\nstenod: \\x1b[31mtwo\\x00\n" == capsys.readouterr().err


def test_a_log_of_json_has_it_as_an_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On one line, in the log's shape."""
    monkeypatch.setattr(FORM, "as_json", True)
    say("stenod: one\nstenod: zwölf\x1b[31m")
    say("stenod: three", NOTICE)
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert ["timestamp", "level", "event", "message"] == list(first)
    assert abs(datetime.fromisoformat(first.pop("timestamp")) - datetime.now(UTC)) < timedelta(minutes=1)
    assert {"level": "error", "event": "process.said", "message": "stenod: one\nstenod: zwölf\x1b[31m"} == first
    assert ("warning", "stenod: three") == (second["level"], second["message"])


@pytest.mark.parametrize("stream", [None, Path("/dev/full"), Path("/dev/null")], ids=["closed", "full", "shut"])
def test_nobody_who_hears_changes_nothing(stream: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """However standard error fails: the program goes on to its end."""
    standing = None if stream is None else stream.open("w", encoding="utf-8")
    if standing is not None and stream == Path("/dev/null"):
        standing.close()
    monkeypatch.setattr(sys, "stderr", standing)
    say("stenod: one")
    if standing is not None and not standing.closed:
        with pytest.raises(OSError, match="No space left"):
            standing.close()
