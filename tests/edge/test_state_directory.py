"""Where a journal lives: modes, the lock against real processes, what was left behind."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stenod.core.verdict import ExitCode
from stenod.edge import state_directory
from stenod.edge.state_directory import StateDirectoryError, condition, left_behind, named, temporary

HOLDER = """
import pathlib, sys
from stenod.edge.state_directory import named
held = named(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": "/nowhere"}


@contextmanager
def held_by_another(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A child process that holds the directory until it is killed."""
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert b"held\n" == child.stdout.readline()
        yield child
    finally:
        child.kill()
        child.communicate()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    yield
    os.umask(before)


def test_a_directory_that_was_asked_for(tmp_path: Path) -> None:
    """It is made with its parents, and stays when it is released; it can be taken again."""
    path = tmp_path / "a" / "b"
    directory = named(path)
    assert (path, False) == (directory.path, directory.temporary)
    assert (path / "ledger.sqlite", path / "room" / "audio") == (directory.ledger, directory.audio("room"))
    directory.release()
    again = named(path)
    assert f"{os.getpid()}\n" == (path / "lock").read_text()
    again.release()


@pytest.mark.parametrize("lax", [0o000, 0o022, 0o077])
def test_nobody_else_may_look(tmp_path: Path, environment: dict[str, str], lax: int) -> None:
    """0700 for the directory and 0600 for the lock, whatever the umask, also where it was there with less."""
    there = tmp_path / "there"
    there.mkdir()
    there.chmod(0o755)
    with umask(lax):
        made = [named(tmp_path / "new"), named(there), temporary(environment)]
    for directory in made:
        assert (0o700, 0o600) == (mode(directory.path), mode(directory.path / "lock"))
        directory.release()
    assert 0o700 == mode(state_directory.home(environment))


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """The message names who has it, and the exit code says that it may work later."""
    with held_by_another(tmp_path / "journal") as child:
        with pytest.raises(StateDirectoryError) as caught:
            named(tmp_path / "journal")
        assert (
            f"another stenod (process {child.pid}) runs in {tmp_path / 'journal'}; stop it, or choose another "
            "directory with --state-dir"
        ) == str(caught.value)
        assert ExitCode.IN_USE == caught.value.exit_code
        assert f"{child.pid}\n" == (tmp_path / "journal" / "lock").read_text()


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    """Kill -9 leaves a file with a number in it, and no lock."""
    with held_by_another(tmp_path / "journal"):
        pass
    assert (tmp_path / "journal" / "lock").read_text() != ""
    named(tmp_path / "journal").release()


def test_a_refusal_leaves_no_descriptor(tmp_path: Path) -> None:
    """Neither one for the lock nor one for the directory."""
    directory = named(tmp_path / "journal")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(StateDirectoryError):
        named(tmp_path / "journal")
    assert before == len(list(Path("/proc/self/fd").iterdir()))
    directory.release()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("link", r"link is a symbolic link that leads nowhere \(gone\); choose"),
        ("link/below", r"link is a symbolic link that leads nowhere \(gone\); choose"),
        ("file", "file is not a directory; choose"),
        ("file/below", "file is not a directory; choose"),
        ("not\udcff", "its name is not UTF-8; choose"),
    ],
)
def test_what_stands_in_its_place_is_told(tmp_path: Path, name: str, told: str) -> None:
    """By a start, by one without a directory of its own, and by a rehearsal; nothing is made there."""
    (tmp_path / "link").symlink_to("gone")
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    for start in (
        lambda: named(tmp_path / name),
        lambda: temporary({"XDG_STATE_HOME": str(tmp_path / name)}),
    ):
        with pytest.raises(StateDirectoryError, match=told) as caught:
            start()
        assert ExitCode.CANNOT_CREATE == caught.value.exit_code
    found = condition(tmp_path / name)
    assert re.search(told, f"{found.trouble}; {found.remedy}")
    assert before == sorted(tmp_path.rglob("*"))


@pytest.mark.parametrize("taken", ["room", "room/audio"])
def test_a_file_where_the_audio_of_a_stream_belongs(tmp_path: Path, taken: str) -> None:
    """It is told before anything is recorded; other streams are none the worse."""
    directory = named(tmp_path / "journal")
    file = directory.path / taken
    file.parent.mkdir(exist_ok=True)
    file.touch()
    told = f"{file} is not a directory, and the audio of room belongs there"
    with pytest.raises(StateDirectoryError, match=f"{re.escape(told)}; move it away, or choose") as caught:
        directory.audio("room")
    assert ExitCode.CANNOT_CREATE == caught.value.exit_code
    assert directory.path / "desk" / "audio" == directory.audio("desk")
    directory.release()
    found = condition(directory.path, ["desk", "room"])
    assert told == found.trouble
    assert found.remedy.startswith("move it away, or choose")
    assert "" == condition(directory.path, ["desk"]).trouble


@pytest.mark.parametrize("obstacle", ["a file", "below a file", "a lock that is a directory", "a long name"])
def test_a_directory_that_cannot_be(tmp_path: Path, obstacle: str) -> None:
    """One sentence with the cause and what to do."""
    file = tmp_path / "file"
    file.touch()
    paths = {"a file": file, "below a file": file / "x", "a long name": tmp_path / ("x" * 300)}
    path = paths.get(obstacle, tmp_path / "taken")
    if obstacle == "a lock that is a directory":
        (path / "lock").mkdir(parents=True)
    with pytest.raises(StateDirectoryError, match=r"^cannot use the state directory .*; choose another") as caught:
        named(path)
    assert ExitCode.CANNOT_CREATE == caught.value.exit_code


def test_no_place_for_a_fresh_one(tmp_path: Path) -> None:
    """The same where the XDG state home is unusable."""
    (tmp_path / "state").touch()
    with pytest.raises(StateDirectoryError, match=r"cannot use .*state is not a directory; ") as caught:
        temporary({"XDG_STATE_HOME": str(tmp_path / "state")})
    assert ExitCode.CANNOT_CREATE == caught.value.exit_code


@pytest.mark.parametrize(
    ("environment", "home"),
    [
        ({"XDG_STATE_HOME": "/state", "HOME": "/me"}, "/state/stenod"),
        ({"XDG_STATE_HOME": "", "HOME": "/me"}, "/me/.local/state/stenod"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/me"}, "/me/.local/state/stenod"),
        ({"HOME": ""}, "/.local/state/stenod"),
        ({}, "/.local/state/stenod"),
    ],
)
def test_where_fresh_ones_are(environment: dict[str, str], home: str) -> None:
    """As the XDG base directory specification has it: a relative path counts as none."""
    assert Path(home) == state_directory.home(environment)


def test_a_fresh_directory(environment: dict[str, str]) -> None:
    """Below the state home, each its own even in the same second, and gone with all in it when removed."""
    first, second = temporary(environment), temporary(environment)
    assert first.path != second.path
    assert {first.path, second.path} == set(state_directory.home(environment).iterdir())
    assert first.path.name.startswith("run-2")
    assert first.temporary
    (first.path / "room" / "audio").mkdir(parents=True)
    first.ledger.touch()
    first.remove()
    assert [second.path] == list(state_directory.home(environment).iterdir())
    second.release()


def test_only_what_nobody_holds_was_left_behind(environment: dict[str, str]) -> None:
    """Running ones, ours and others', are not; neither are files and directories that are none of ours."""
    assert [] == left_behind(environment)
    base = state_directory.home(environment)
    names = ("run-20260102T000000-1", "run-20260101T000000-9", "run-20260103T000000-5")
    kept = [named(base / name) for name in names]
    (base / "run-without-lock").mkdir()
    (base / "run-file").touch()
    (base / "mine").mkdir()
    for directory in kept[:2]:
        directory.release()
    ours = temporary(environment)

    with held_by_another(base / "run-20260104T000000-7"):
        assert [base / "run-20260101T000000-9", base / "run-20260102T000000-1"] == left_behind(environment)
    assert base / "run-20260104T000000-7" in left_behind(environment)
    kept[2].release()
    ours.release()


def test_looking_takes_no_lock_for_good(environment: dict[str, str]) -> None:
    """What was found can be taken up, by us and by others."""
    directory = temporary(environment)
    directory.release()
    assert [directory.path] == left_behind(environment)
    with held_by_another(directory.path):
        assert [] == left_behind(environment)


def test_a_directory_being_made_is_not_left_behind(environment: dict[str, str], monkeypatch) -> None:
    """Another start that looks between the making and the locking finds nothing to remove."""
    seen = []
    flock = state_directory.fcntl.flock

    def look_first(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(state_directory.fcntl, "flock", flock)
        seen.append(left_behind(environment))
        flock(descriptor, operation)

    monkeypatch.setattr(state_directory.fcntl, "flock", look_first)
    directory = temporary(environment)
    assert [[]] == seen
    directory.release()


def test_a_full_disk_is_not_the_locks_business(tmp_path: Path) -> None:
    """The number in the lock is for a person; when it cannot be written, the directory is locked all the same."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=4096", "tmpfs", str(place)], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("may not mount a file system")
    try:
        (place / "ballast").write_bytes(bytes(4096))
        directory = named(place / "journal")
        with pytest.raises(StateDirectoryError, match="process unknown"):
            named(place / "journal")
        directory.release()
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """Nobody means to make a home directory private, or to mix a journal into it; an empty one is fine."""
    tmp_path.chmod(0o755)
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StateDirectoryError, match="it holds other files"):
        named(tmp_path)
    assert 0o755 == tmp_path.stat().st_mode & 0o777
    (tmp_path / "empty").mkdir()
    named(tmp_path / "empty").release()
    named(tmp_path / "empty").release()


def test_who_runs_in_a_directory_is_known_without_disturbing_it(tmp_path: Path) -> None:
    """Its process while it holds the lock; nobody before and after; a number that is none is nobody's."""
    path = tmp_path / "state"
    assert state_directory.holder(path) is None
    held = state_directory.named(path)
    assert os.getpid() == state_directory.holder(path)
    os.ftruncate(held._descriptor, 0)
    assert 0 == state_directory.holder(path)
    held.release()
    assert state_directory.holder(path) is None
    state_directory.named(path).release()


def test_the_condition_of_a_directory(tmp_path: Path) -> None:
    """It is looked at and written in without leaving anything; one that is not there yet is judged by its parent."""
    directory = named(tmp_path / "held")
    directory.release()
    before = sorted(tmp_path.rglob("*"))
    found = condition(tmp_path / "held")
    assert (True, 0o700, None, False, "") == (found.exists, found.mode, found.holder, found.foreign, found.trouble)
    assert found.free_bytes > 0
    unborn = condition(tmp_path / "a" / "b")
    assert (False, "", found.free_bytes) == (unborn.exists, unborn.trouble, pytest.approx(unborn.free_bytes, rel=0.1))
    assert before == sorted(tmp_path.rglob("*"))


def test_the_condition_of_one_that_cannot_be_used(tmp_path: Path) -> None:
    """A file, a place where nothing can be written, somebody else's files."""
    (tmp_path / "file").write_text("x")
    assert f"{tmp_path / 'file'} is not a directory" == condition(tmp_path / "file").trouble
    assert condition(Path("/proc/stenod")).trouble
    assert condition(tmp_path).foreign


def test_the_condition_of_one_in_use_is_only_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written where somebody runs."""
    path = tmp_path / "state"
    with held_by_another(path) as child:
        monkeypatch.setattr(state_directory, "_try", lambda *_given: pytest.fail("it was written to"))
        found = condition(path)
        assert (child.pid, True) == (found.holder, found.in_use)


@pytest.mark.parametrize("forbidden", [".", "lock", "ledger.sqlite", "reserve", "room/audio"])
def test_what_may_not_be_written_is_told_and_left_as_it_is(forbidden: str) -> None:
    """As after one run by root: by a start and by its rehearsal alike, before any audio comes."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place)
        named(path).release()
        (path / "room" / "audio").mkdir(parents=True)
        for name in ("ledger.sqlite", "reserve"):
            (path / name).touch()
        with somebody_else(path):
            assert "" == condition(path).trouble
            one = path / forbidden
            one.chmod(0o500 if one.is_dir() else 0o400)
            found = condition(path)
            assert found.trouble.startswith("Permission denied")
            assert found.remedy.startswith("let its user write it")
            with pytest.raises(StateDirectoryError, match=r"Permission denied.*; let its user write it") as caught:
                named(path)
            assert ExitCode.CANNOT_CREATE == caught.value.exit_code
            assert one.stat().st_mode & 0o777 in (0o500, 0o400)
            one.chmod(0o700)


@contextmanager
def somebody_else(path: Path) -> Iterator[None]:
    """Give a directory to somebody who may not do everything, and be him."""
    user = os.geteuid()
    if user != 0:
        yield
        return
    for one in (path, *path.rglob("*")):
        os.chown(one, 65534, -1)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_condition_of_one_that_is_somebody_elses(tmp_path: Path) -> None:
    """What we may not look into is told, not raised."""
    tmp_path.chmod(0o700)
    os.seteuid(65534)
    try:
        found = condition(tmp_path / "a" / "b")
        environment = {"HOME": str(tmp_path)}
        assert [] == left_behind(environment)
        with pytest.raises(StateDirectoryError, match="Permission denied; let its user write it"):
            temporary(environment)
    finally:
        os.seteuid(0)
    assert (False, "Permission denied") == (found.exists, found.trouble)
