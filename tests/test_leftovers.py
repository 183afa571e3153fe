"""What earlier runs left behind: told in one line, removed only where nothing is lost."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stenod.core.timeline import Change, Settled, Span, State
from stenod.core.transaction import Transaction
from stenod.edge import state_directory
from stenod.edge.ledger import Ledger
from stenod.edge.segments import Segments
from stenod.edge.state_directory import StateDirectory, named, temporary
from stenod.leftovers import leave, left, look_behind, pending

RATE = 1000


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


def fill(
    path: Path, stream: str = "room", *, seconds: float = 0.0, heard: float = 0.0, lines: int = 0, printed: int = 0
) -> None:
    """Leave so many seconds of audio, of which the first were heard, and so many lines."""
    samples, done = round(seconds * RATE), round(heard * RATE)
    segments = Segments(path / stream / "audio", 10 * RATE)
    segments.append(0, bytes(2 * samples))
    segments.close()
    ledger = Ledger(path / "ledger.sqlite")
    ledger.open_stream(stream, RATE)
    changes = [Change((), (Settled(0, done, State.TRANSCRIBED),), (Span(0, done),))] if done else []
    outbox = [(number, b"{}\n") for number in range(lines)]
    ledger.commit(stream, 0, Transaction(changes=changes, lines=outbox, sequence=lines, session=0, tail=samples))
    if printed:
        ledger.printed(stream, "stdout", 0, printed - 1)
    ledger.close()


def abandoned(environment: dict[str, str], **what: float) -> Path:
    """What a killed run leaves."""
    directory = temporary(environment)
    fill(directory.path, **what)
    directory.release()
    return directory.path


def test_audio_that_waits_is_told_and_kept(environment: dict[str, str], capsys) -> None:
    """One line: how much, where, how to go on, how to discard it; the next start says it again."""
    path = abandoned(environment, seconds=3.5, heard=1.0)
    for _ in range(2):
        look_behind(environment)
        assert (
            f"stenod: 2.5 s of audio that was not transcribed are kept in {path}; to transcribe: stenod run "
            f"--input none --state-dir {path} --stream room; to discard: rm -r {path}\n"
        ) == capsys.readouterr().err
    assert {"room": 2.5} == pending(path)


def test_where_a_killed_run_had_sent_it_is_not_forgotten(environment: dict[str, str], capsys) -> None:
    """What was meant for a server of one's own is not offered to the provider's."""
    given = ["--config", "a b.toml", "--endpoint", "ws://asr:8080"]
    directory = temporary(environment)
    directory.remember(given)
    fill(directory.path, seconds=1.0)
    directory.release()
    look_behind(environment)
    assert f"--stream room {shlex.join(given)}; to discard: " in capsys.readouterr().err


def test_nothing_left_nothing_said(environment: dict[str, str], capsys) -> None:
    """No state home, an empty one, or only directories of others."""
    look_behind(environment)
    state_directory.home(environment).mkdir(parents=True)
    look_behind(environment)
    assert ("", "") == capsys.readouterr()


@pytest.mark.parametrize("what", [{"seconds": 2.0, "heard": 2.0, "lines": 3, "printed": 3}, {"seconds": 0.0}, None])
def test_what_holds_nothing_is_removed(environment: dict[str, str], capsys, what: dict | None) -> None:
    """All transcribed and printed, nothing recorded, or killed before there was a ledger."""
    if what is None:
        temporary(environment).release()
    else:
        abandoned(environment, **what)
    look_behind(environment)
    assert [] == list(state_directory.home(environment).iterdir())
    assert ("", "") == capsys.readouterr()


def test_lines_that_nobody_has_are_kept(environment: dict[str, str], capsys) -> None:
    """A run that was killed between hearing and printing owes its last words."""
    path = abandoned(environment, seconds=2.0, heard=2.0, lines=3, printed=2)
    look_behind(environment)
    assert (
        f"stenod: lines that were not printed are kept in {path}; to print: stenod run --input none "
        f"--state-dir {path} --stream room; to discard: rm -r {path}\n"
    ) == capsys.readouterr().err
    assert path.exists()


def test_one_line_a_stream(environment: dict[str, str], capsys) -> None:
    """Each stream with audio has its own; those without are not named."""
    path = abandoned(environment, seconds=1.0)
    fill(path, "hall", seconds=2.0)
    fill(path, "attic", seconds=2.0, heard=2.0)
    look_behind(environment)
    lines = capsys.readouterr().err.splitlines()
    assert [("2.0", "hall"), ("1.0", "room")] == [
        (line.split()[1], line.partition("--stream ")[2].partition(";")[0]) for line in lines
    ]


def test_several_runs_are_one_line(environment: dict[str, str], capsys) -> None:
    """How many, how much, where, and both commands; each one that is discarded or transcribed makes it shorter."""
    held = ({"seconds": 2.0}, {"seconds": 1.0, "heard": 1.0, "lines": 2}, {"seconds": 1.5, "heard": 0.5}, {})
    paths = [abandoned(environment, **what) for what in held]
    for number, path in enumerate(paths):
        path.rename(path.with_name(f"run-{number} 1"))
    home = state_directory.home(environment)
    first, second, third = (home / f"run-{number} 1" for number in range(3))
    look_behind(environment)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "stenod: 3.0 s of audio that was not transcribed and lines that were not printed are kept of 3 earlier runs "
        f"in {home}; to transcribe the oldest: stenod run --input none --state-dir '{first}' --stream room; "
    )
    assert ["rm", "-r", *map(str, (first, second, third))] == shlex.split(line.partition("; to discard all: ")[2])
    shutil.rmtree(first)
    look_behind(environment)
    (line,) = capsys.readouterr().err.splitlines()
    assert "1.0 s of audio " in line
    assert f"2 earlier runs in {home}; to print the oldest: stenod run --input none --state-dir '{second}' " in line
    shutil.rmtree(second)
    look_behind(environment)
    assert capsys.readouterr().err.startswith("stenod: 1.0 s of audio that was not transcribed are kept in ")


def test_a_running_one_is_left_alone(environment: dict[str, str], capsys) -> None:
    """Neither told nor removed, whatever it holds."""
    running: list[StateDirectory] = [temporary(environment), temporary(environment)]
    fill(running[0].path, seconds=2.0)
    look_behind(environment)
    assert "" == capsys.readouterr().err
    for directory in running:
        assert directory.path.exists()
        directory.release()


def test_one_taken_up_meanwhile_is_left_alone(environment: dict[str, str], capsys, monkeypatch) -> None:
    """Between the look and the removal somebody may have begun to record there."""
    path = abandoned(environment, seconds=0.0)
    holder = state_directory.named(path)
    monkeypatch.setattr(state_directory, "left_behind", lambda environment: [path])
    look_behind(environment)
    assert path.exists()
    assert "" == capsys.readouterr().err
    holder.release()


@pytest.mark.parametrize("ledger", [b"garbage" * 1000, None])
def test_a_broken_ledger_is_one_line_and_kept(environment: dict[str, str], capsys, ledger: bytes | None) -> None:
    """What cannot be read may still be of worth to somebody; the next one is looked at all the same."""
    path = abandoned(environment, seconds=2.0)
    (path / "ledger.sqlite").unlink()
    if ledger is None:
        (path / "ledger.sqlite").mkdir()
    else:
        (path / "ledger.sqlite").write_bytes(ledger)
    other = abandoned(environment, seconds=1.0)
    look_behind(environment)

    lines = capsys.readouterr().err.splitlines()
    assert 2 == len(lines)
    broken = next(line for line in lines if f" {path}:" in line)
    assert broken.startswith(f"stenod: cannot read what an earlier run left in {path}: ")
    assert broken.endswith(f"; to discard it: rm -r {path}")
    assert (path / "room" / "audio" / f"{0:016d}.s16le").exists()
    assert other.exists()


def test_a_damaged_ledger_is_kept(environment: dict[str, str], capsys) -> None:
    """Damage behind the first page as well."""
    path = abandoned(environment, seconds=2.0, lines=500)
    data = (path / "ledger.sqlite").read_bytes()
    (path / "ledger.sqlite").write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    look_behind(environment)
    assert "is damaged" in capsys.readouterr().err
    assert path.exists()


def test_audio_without_a_ledger_that_knows_it(environment: dict[str, str]) -> None:
    """What was recorded after the last commit waits too: the files say how long it is."""
    path = abandoned(environment, seconds=1.0, heard=1.0)
    segments = Segments(path / "room" / "audio", 10 * RATE)
    segments.append(RATE, bytes(2 * 500))
    segments.close()
    assert {"room": 0.5} == pending(path)


def test_a_line_can_be_pasted_into_a_shell() -> None:
    """Blanks, quotes and worse in a path stay one argument."""
    path, stream = Path("/srv/my state; rm -rf $HOME 'x'\n"), "a b"
    line = left(path, stream, 1.25)
    assert line.startswith("1.2 s of audio ")
    resume = line.partition("to transcribe: ")[2].partition("; to discard: ")[0]
    assert ["stenod", "run", "--input", "none", "--state-dir", str(path), "--stream", stream] == shlex.split(resume)
    assert ["rm", "-r", str(path)] == shlex.split(line.rpartition("to discard: ")[2])


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({"seconds": 2.0, "heard": 1.0}, "1.0 s of audio wait in {}; the next start goes on with them by itself"),
        ({"seconds": 2.0, "heard": 2.0, "lines": 2, "printed": 1}, "lines wait in {}; the next start goes on"),
        ({"seconds": 2.0, "heard": 2.0, "lines": 2, "printed": 2}, ""),
    ],
)
def test_a_service_goes_on_by_itself(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str], what: dict[str, float], told: str
) -> None:
    """Nobody need type a command, and nothing there is to be discarded."""
    path = abandoned(environment, **what)
    leave(named(path), wanted=True, repeatable=False, service=True)
    said = capsys.readouterr().err
    assert said.startswith(f"stenod: {told.format(path)}" if told else "")
    assert ("rm -r" in said, bool(said)) == (False, bool(told))


def test_a_command_goes_to_the_same_server() -> None:
    """What said where the provider is belongs to it: otherwise the audio would go to the provider's own."""
    line = left(Path("/state"), "room", 1.0, ("--config", "/etc/a b.toml", "--endpoint", "ws://asr:8080"))
    resume = line.partition("to transcribe: ")[2].partition("; to discard: ")[0]
    assert ["--config", "/etc/a b.toml", "--endpoint", "ws://asr:8080"] == shlex.split(resume)[-4:]


@pytest.mark.parametrize(
    ("what", "wanted", "repeatable", "kept"),
    [
        ({"seconds": 2.0, "heard": 2.0, "lines": 2, "printed": 2}, True, False, False),
        ({"seconds": 2.0, "heard": 1.0}, True, False, True),
        ({"seconds": 2.0, "heard": 1.0}, False, False, True),
        ({"seconds": 2.0, "heard": 1.0}, False, True, False),
        ({"seconds": 2.0, "heard": 2.0, "lines": 2, "printed": 1}, True, False, True),
        ({"seconds": 2.0, "heard": 2.0, "lines": 2, "printed": 1}, False, False, False),
    ],
)
def test_the_end_of_a_run(
    environment: dict[str, str], capsys, what: dict, wanted: bool, repeatable: bool, kept: bool
) -> None:
    """A temporary directory stays for audio or lines that somebody still wants, and that is said."""
    directory = temporary(environment)
    fill(directory.path, **what)
    leave(directory, wanted=wanted, repeatable=repeatable)
    assert (kept, kept) == (directory.path.exists(), "are kept in" in capsys.readouterr().err)


@pytest.mark.parametrize(("failed", "told"), [(False, True), (True, False)])
@pytest.mark.parametrize("wanted", [False, True])
def test_a_directory_that_cannot_be_read_is_kept(
    environment: dict[str, str], capsys, failed: bool, told: bool, wanted: bool
) -> None:
    """What ended the run has said why; otherwise a line does, and it does not speak of an earlier run."""
    directory = temporary(environment)
    fill(directory.path, seconds=1.0)
    directory.ledger.write_bytes(b"garbage" * 1000)
    leave(directory, wanted=wanted, repeatable=wanted, failed=failed)
    assert directory.path.exists()
    said = capsys.readouterr().err
    assert told == said.startswith(f"stenod: cannot read what this run left in {directory.path}: ") == bool(said)


def test_a_named_directory_stays(tmp_path: Path, capsys) -> None:
    """Whatever it holds, it is the person's."""
    directory = named(tmp_path / "journal")
    leave(directory, wanted=True, repeatable=True)
    assert directory.path.exists()
    assert "" == capsys.readouterr().err


@pytest.mark.parametrize("how", ["2>&-", "2>/dev/full"])
def test_a_note_that_cannot_be_said_keeps_nobody_from_transcribing(environment: dict[str, str], how: str) -> None:
    """Standard error that is closed, or full: what was left stays, and the run runs, to its end and exit code 0."""
    path = abandoned(environment, seconds=1.0)
    program = shlex.join([sys.executable, "-m", "stenod", "run", "--input", "none"])
    clean = {"PATH": os.environ["PATH"], "HOME": str(path.parent)}
    result = subprocess.run(["sh", "-c", f"exec {program} {how}"], env=clean | environment, timeout=60, check=False)
    assert 0 == result.returncode
    assert {"room": 1.0} == pending(path)
    assert [path] == list(path.parent.glob("run-*"))
