"""Where a sentence for a person goes."""

from collections.abc import Mapping

import pytest

from stenod.edge import journald
from stenod.saying import NOTICE, say


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
