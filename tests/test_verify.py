"""`stenod verify` and `stenod tail`: a journal seen by a person."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stenod.core import records
from stenod.core.timeline import State, Timeline
from stenod.core.transaction import Transaction
from stenod.edge.inspection import NoJournal
from stenod.edge.ledger import Ledger
from stenod.edge.segments import Segments
from stenod.verify import tail, verify

NOWHERE: dict[str, str | None] = {
    "STATE_DIRECTORY": None,
    "STENOD_STATE_DIR": None,
    "XDG_CONFIG_HOME": None,
    "HOME": "/nonexistent",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A small sound journal with two status lines."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.open_stream("default", 16_000)
    segments = Segments(tmp_path / "default" / "audio", 16_000)
    segments.append(0, bytes(32_000))
    segments.close()
    lines = [
        (
            sequence,
            records.line(
                records.Status(
                    stream="default",
                    id=records.record_id("default", 0, sequence),
                    at="",
                    subject="provider",
                    state=state,
                    reason="",
                )
            ),
        )
        for sequence, state in enumerate(("lost", "back"))
    ]
    change = Timeline(16_000).settle(0, 8_000, State.TRANSCRIBED)
    ledger.commit("default", 0, Transaction(changes=[change], lines=lines, sequence=2, session=1, tail=16_000))
    ledger.close()
    return tmp_path


def test_a_sound_journal_is_said_to_be(directory: Path) -> None:
    """Totals in a line, exit code 0."""
    result = CliRunner().invoke(verify, ["--state-dir", str(directory)])
    assert (0, "default: sound; transcribed 0.5 s, pending 0.5 s; 2 status\n") == (result.exit_code, result.stdout)


def test_a_fault_is_named_and_is_exit_code_1(directory: Path) -> None:
    """Audio that is pending has vanished."""
    for path in (directory / "default" / "audio").iterdir():
        path.unlink()
    result = CliRunner().invoke(verify, ["--state-dir", str(directory)])
    assert 1 == result.exit_code
    assert "sample 8000 is pending, but no file holds it" in result.stderr


def test_json_has_it_all(directory: Path) -> None:
    """For programs."""
    found = json.loads(CliRunner().invoke(verify, ["--state-dir", str(directory), "--json"]).stdout)
    assert {"transcribed": 0.5, "pending": 0.5} == found["seconds"]


def test_without_a_directory_it_says_what_to_name() -> None:
    """A usage error, not a guess."""
    result = CliRunner(env=NOWHERE).invoke(verify, [])
    assert (2, True) == (result.exit_code, "--state-dir" in result.stderr)


def test_the_users_own_service_is_found(tmp_path: Path) -> None:
    """Its journal, where it is installed; of others is told where they are."""
    environment = NOWHERE | {"HOME": str(tmp_path)}
    units = tmp_path / ".config/systemd/user"
    (units / "stenod@hall.service.d").mkdir(parents=True)
    state = tmp_path / ".local/state"
    result = CliRunner(env=environment).invoke(verify, [])
    assert (2, True) == (result.exit_code, f"{state}/stenod-hall (stenod@hall.service)" in result.stderr)
    (units / "stenod.service").touch()
    with pytest.raises(NoJournal, match=f"{state}/stenod"):
        CliRunner(env=environment).invoke(verify, [], catch_exceptions=False)


def test_tail_prints_what_came_after_an_id(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Byte for byte as it was printed."""
    runner = CliRunner()
    assert 0 == runner.invoke(tail, ["--state-dir", str(directory)]).exit_code
    every = capfd.readouterr().out.splitlines()
    assert 0 == runner.invoke(tail, ["--state-dir", str(directory), "--since", json.loads(every[0])["id"]]).exit_code
    assert (2, every[1:]) == (len(every), capfd.readouterr().out.splitlines())


def test_tail_says_what_an_id_looks_like(directory: Path) -> None:
    """Another stream's id is no place in this one."""
    result = CliRunner().invoke(tail, ["--state-dir", str(directory), "--since", "kitchen-0000-0000000001"])
    assert (2, True) == (result.exit_code, "default-0000-0000000041" in result.stderr)


def test_a_pruned_journal_is_sound_and_says_what_it_no_longer_has(
    directory: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What was pruned is not missing; whoever asks for what came after it is told plainly, and gets no part of it."""
    ledger = Ledger(directory / "ledger.sqlite")
    ledger.printed("default", "stdout", 0, 1)
    lines = [(2, b'{"id":"default-0000-0000000002"}\n')]
    ledger.commit("default", 0, Transaction(lines=lines, sequence=3, session=1, tail=16_000))
    ledger.prune("default", 0, 1)
    ledger.close()
    runner = CliRunner()
    where = ["--state-dir", str(directory)]
    assert 0 == runner.invoke(verify, where).exit_code
    refused = runner.invoke(tail, [*where, "--since", "default-0000-0000000000"])
    assert isinstance(refused.exception, NoJournal)
    assert "up to default-0000-0000000001" in str(refused.exception)
    assert "first that is left is default-0000-0000000002" in str(refused.exception)
    assert capfd.readouterr().out == ""
    for arguments in ([], ["--since", "default-0000-0000000001"]):
        assert 0 == runner.invoke(tail, [*where, *arguments]).exit_code
        assert capfd.readouterr().out == lines[0][1].decode()
