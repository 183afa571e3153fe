"""`stenod retranscribe`: what was judged quiet is pending again, and nothing else is changed."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stenod import assembly, leftovers
from stenod.config import Loaded
from stenod.core.audit import audit
from stenod.core.chronology import Anchor
from stenod.core.timeline import Cause, Settled, State, Timeline
from stenod.core.transaction import Transaction
from stenod.edge.inspection import read, survey
from stenod.edge.ledger import Ledger
from stenod.edge.segments import Segments
from stenod.edge.state_directory import StateDirectoryError, named
from stenod.retranscribe import retranscribe

NINE = 1_769_850_000.0
"""2026-01-31 09:00 UTC."""
RATE = 16_000


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """20 s: 2 to 10 and 12 to 20 quiet, a gap, the rest transcribed; stored from 6 s on, in files of 3 s."""
    path = tmp_path / "state"
    held = named(path)
    ledger = Ledger(path / "ledger.sqlite")
    ledger.open_stream("desk", RATE)
    segments = Segments(path / "desk" / "audio", 3 * RATE)
    segments.append(6 * RATE, bytes(2 * 14 * RATE))
    segments.close()
    timeline = Timeline(20 * RATE)
    changes = [
        timeline.settle(start * RATE, end * RATE, state, Cause.DEVICE if state is State.GAP else None)
        for start, end, state in (
            (0, 2, State.TRANSCRIBED),
            (2, 10, State.QUIET),
            (10, 11, State.GAP),
            (11, 12, State.TRANSCRIBED),
            (12, 20, State.QUIET),
        )
    ]
    anchors = (0, [Anchor(position=0, unix=NINE)])
    ledger.commit("desk", 0, Transaction(changes=changes, sequence=0, session=0, tail=20 * RATE, anchors=anchors))
    ledger.close()
    held.release()
    return path


def ask(directory: Path, *words: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(retranscribe, ["--quiet", "--state-dir", str(directory), *words])


def quiet(directory: Path) -> list[tuple[float, float]]:
    """Return what is quiet still, in seconds."""
    (found,) = survey(directory)
    return [(span.start / RATE, span.end / RATE) for span in found.spans if span.state is State.QUIET]


def test_all_that_is_stored_is_pending_again(directory: Path) -> None:
    """What is not stored stays quiet, or it would never be settled; the journal is sound, and the next step is told."""
    before = [span for span in survey(directory)[0].spans if span.state is not State.QUIET]
    result = ask(directory)
    assert 0 == result.exit_code
    assert (
        f"""\
desk: 12.0 s that was judged quiet is pending again
desk: 4.0 s was judged quiet, but is not stored any more
to transcribe: stenod run --input none --state-dir {directory} --stream desk
"""
        == result.stdout
    )
    assert [(2.0, 6.0)] == quiet(directory)
    (stock,) = read(directory)
    assert ((), 12.0) == (audit(stock).faults, audit(stock).seconds["pending"])
    assert before == [span for span in stock.spans if span.state is not State.QUIET]


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("--since", "15"), [(2.0, 10.0), (12.0, 15.0)]),
        (("--since", "2026-01-31T09:00:15Z"), [(2.0, 10.0), (12.0, 15.0)]),
        (("--until", "8"), [(2.0, 6.0), (8.0, 10.0), (12.0, 20.0)]),
        (("--since", "13", "--until", "14.5"), [(2.0, 10.0), (12.0, 13.0), (14.5, 20.0)]),
        (("--stream", "desk", "--until", "100"), [(2.0, 6.0)]),
    ],
)
def test_only_what_lies_between(directory: Path, words: tuple[str, ...], left: list[tuple[float, float]]) -> None:
    """By seconds or by the clock; also in the middle of a file and of a span."""
    assert 0 == ask(directory, *words).exit_code
    assert left == quiet(directory)


def test_nothing_found_is_said_and_is_exit_code_1(directory: Path) -> None:
    """Twice, or where nothing was quiet, or where nothing is stored."""
    assert 0 == ask(directory).exit_code
    again = ask(directory, "--since", "10")
    assert (1, "desk: nothing there was judged quiet\n") == (again.exit_code, again.stdout)
    gone = ask(directory, "--until", "5")
    assert (1, "desk: 3.0 s was judged quiet, but is not stored any more\n") == (gone.exit_code, gone.stdout)


def test_a_running_stenod_is_left_alone(directory: Path) -> None:
    """One sentence with what to do; nothing is changed."""
    held = named(directory)
    result = ask(directory)
    assert 75 == getattr(result.exception, "exit_code", None)
    assert "stop it first" in str(result.exception)
    held.release()
    assert [(2.0, 10.0), (12.0, 20.0)] == quiet(directory)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "yesterday"), "'yesterday' is no moment; write 2h"),
        (("--until", "-1"), "'-1' is no moment"),
    ],
)
def test_a_moment_that_is_none(directory: Path, words: tuple[str, ...], said: str) -> None:
    """A usage error, and nothing is changed."""
    result = ask(directory, *words)
    assert (2, True) == (result.exit_code, said in result.stderr)
    assert [(2.0, 10.0), (12.0, 20.0)] == quiet(directory)


def test_what_cannot_be_asked(directory: Path, tmp_path: Path) -> None:
    """No kind, no journal, no such stream; no directory is made for the asking."""
    assert 2 == CliRunner().invoke(retranscribe, ["--state-dir", str(directory)]).exit_code
    assert 66 == getattr(ask(tmp_path / "none").exception, "exit_code", None)
    assert not (tmp_path / "none").exists()
    assert 66 == getattr(ask(directory, "--stream", "kitchen").exception, "exit_code", None)


def test_it_can_be_transcribed_at_once(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a run that records nothing, after the lock was released; standard output is the transcript's."""
    runs: list[tuple[str, str, str]] = []

    def main(loaded: Loaded, _environment: Any) -> int:
        named(directory).release()
        options = loaded.options
        runs.append((options.capture.input, options.state_dir, options.stream))
        return 69

    monkeypatch.setattr(assembly, "main", main)
    result = ask(directory, "--run")
    assert [("none", str(directory), "desk")] == runs
    assert (69, "", True) == (result.exit_code, result.stdout, "12.0 s" in result.stderr)


def test_who_transcribes_is_asked_before_anything_is_changed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a service has heard is for a service: without its name nothing is marked, and with it all goes there."""
    runs: list[tuple[str, str]] = []

    def main(loaded: Loaded, _environment: Any) -> int:
        runs.append((loaded.options.providers[0], loaded.options.deepgram.endpoint))
        return 0

    monkeypatch.setattr(assembly, "main", main)
    monkeypatch.setattr(leftovers, "meant_for", lambda _path, _stream: "deepgram")
    refused = ask(directory, "--run")
    assert 78 == getattr(refused.exception, "exit_code", None)
    assert "--provider deepgram" in str(refused.exception)
    assert 0 == ask(directory, "--run", "--provider", "deepgram", "--endpoint", "ws://127.0.0.1:9").exit_code
    assert [("deepgram", "ws://127.0.0.1:9")] == runs


def test_the_next_run_finds_it(directory: Path) -> None:
    """The ledger gives it as pending to whoever opens it."""
    ask(directory)
    ledger = Ledger(directory / "ledger.sqlite")
    state = ledger.open_stream("desk", RATE)
    ledger.close()
    assert Settled(2 * RATE, 6 * RATE, State.QUIET) in state.spans
    assert 6 * RATE == Timeline.restored(state.spans, state.tail).cursor


def test_a_file_where_the_audio_was(directory: Path) -> None:
    """Nothing is changed, and the sentence says where it stands."""
    (directory / "desk").rename(directory / "away")
    (directory / "desk").touch()
    result = ask(directory)
    assert isinstance(result.exception, StateDirectoryError)
    assert f"{directory}/desk is not a directory" in str(result.exception)
