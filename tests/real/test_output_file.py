"""Lines in a file that the real logrotate moves while they are written, and a real process that is killed."""

import gzip
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from daemon import PROGRAM, environment_in
from printed import NOWHERE, filled
from server import ANY_KEY

SHIPPED = Path(__file__).parents[2] / "config" / "stenod.logrotate"
SHIPPED_FILES = "/var/log/stenod/*.jsonl /var/log/stenod-*/*.jsonl"
LINES = 10_000
ROTATIONS_MAX = 300
"""The shipped file keeps 365: on a fast disk more are made before the lines end, and the first would be gone."""
REMOVALS = 100
pytestmark = [pytest.mark.real, pytest.mark.slow]


def started(place: Path, output: Path | str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Print a journal's lines into a file."""
    words = ["run", "--state-dir", str(place / "journal"), *(arguments or NOWHERE), "--output", str(output)]
    return subprocess.Popen(
        [PROGRAM, *words],
        env=environment_in(place, **ANY_KEY),
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finished(process: "subprocess.Popen[bytes]") -> str:
    """Return standard error of one that ended well, with nothing on standard output."""
    stdout, stderr = process.communicate(timeout=60)
    assert (0, b"") == (process.returncode, stdout), stderr
    assert b"Traceback" not in stderr
    return stderr.decode()


def instructed(place: Path, replaced: dict[str, str]) -> list[str]:
    """Return the logrotate that the shipped file makes, but for some of its lines; it rotates when it is called."""
    text = SHIPPED.read_text().replace(SHIPPED_FILES, str(place / "log" / "*.jsonl"))
    for pattern, by in replaced.items():
        text, count = re.subn(pattern, by, text)
        assert count == 1, pattern
    (place / "logrotate.conf").write_text(text)
    (place / "logrotate.conf").chmod(0o644)
    return ["logrotate", "--force", "--state", str(place / "logrotate.state"), str(place / "logrotate.conf")]


def rotated(folder: Path) -> dict[str, bytes]:
    """Return what the files hold that are not empty, oldest first."""
    numbered = sorted(folder.glob("talk.jsonl.*"), key=lambda path: -int(path.name.split(".")[2]))
    held = {path.name: path.read_bytes() for path in (*numbered, folder / "talk.jsonl") if path.exists()}
    whole = {name: gzip.decompress(data) if name.endswith(".gz") else data for name, data in held.items()}
    return {name: data for name, data in whole.items() if data}


def wrong(printed: list[bytes], found: dict[str, bytes]) -> list[str]:
    """Return where the files depart from the lines: a few words each, for seven megabytes tell nobody anything."""
    number, told, due = {line: place for place, line in enumerate(printed)}, [], 0
    for name, data in found.items():
        for at, line in enumerate(data.splitlines(keepends=True)):
            place = number.get(line)
            if place is None:
                told.append(f"{name} line {at}: {line[-40:]!r}")
                continue
            if place != due:
                told.append(f"{name} line {at}: {place}, not {due}")
            due = place + 1
    return told if due == len(printed) else [*told, f"the last is {due - 1}"]


HANGUP = r"(?m)systemctl kill.*$"
WAYS = {
    "create-and-hangup": {},
    "create-alone": {r"(?s)    sharedscripts.*endscript\n": ""},
    "nobody-creates": {r"(?s)    sharedscripts.*endscript\n": "", r"(?m)^    create$": "    nocreate"},
    "hangup-creates": {r"(?m)^    create$": "    nocreate"},
}


@pytest.mark.parametrize("way", WAYS)
def test_no_rotation_costs_or_repeats_a_line(tmp_path: Path, require: Callable[[str], None], way: str) -> None:
    """Rotated all the time while lines are written: the files one after the other hold each line once, in order."""
    require("logrotate")
    (tmp_path / "log").mkdir(mode=0o700)
    printed = filled(tmp_path / "journal", [700] * LINES)
    process = started(tmp_path, Path("log") / "talk.jsonl")
    hangup = {HANGUP: f"kill -HUP {process.pid}"} if "hangup" in way else {}
    logrotate = instructed(tmp_path, WAYS[way] | hangup)
    rotations = 0
    while not (tmp_path / "log" / "talk.jsonl").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    while process.poll() is None and rotations < ROTATIONS_MAX:
        done = subprocess.run(logrotate, capture_output=True, text=True, check=False)
        over = process.poll() is not None  # whom to hang up is gone then
        assert over or (0, "") == (done.returncode, done.stderr)
        rotations += 1
    finished(process)
    found = rotated(tmp_path / "log")
    assert [] == wrong(printed, found), f"{rotations} rotations made {len(found)} files"
    assert all(one.endswith(b"\n") for one in found.values())
    assert len(found) >= (2 if way == "nobody-creates" else 3), f"{rotations} rotations made too few files of it"


def test_a_removal_costs_the_line_that_is_being_written_at_most(tmp_path: Path) -> None:
    """Removed again and again: the file that is gone grows by that line, and the next one begins behind it."""
    printed = filled(tmp_path / "journal", [700] * LINES)
    process, path, removed = started(tmp_path, "talk.jsonl"), tmp_path / "talk.jsonl", []
    while process.poll() is None and len(removed) < REMOVALS:
        with suppress(FileNotFoundError):
            file = path.open("rb")
            if os.fstat(file.fileno()).st_size:
                path.unlink()
                removed.append((file, os.fstat(file.fileno()).st_size))
            else:
                file.close()
    finished(process)
    assert len(removed) == REMOVALS
    lines: list[bytes] = []
    for file, size in removed:
        with file:
            whole = file.read()
        assert whole.count(b"\n") - whole[:size].count(b"\n") <= 1
        lines += whole.splitlines(keepends=True)
    assert printed == lines + path.read_bytes().splitlines(keepends=True)


def test_a_kill_leaves_whole_lines_only(tmp_path: Path, require: Callable[[str], None]) -> None:
    """Killed while it writes, and once with the file moved away before it comes back: each line is there."""
    printed = filled(tmp_path / "journal", [20_000] * 400)
    path = tmp_path / "talk.jsonl"
    for number in (1, 2, 3):
        process, size = started(tmp_path, "talk.jsonl"), path.stat().st_size if path.exists() else 0
        while not path.exists() or path.stat().st_size <= size:
            assert process.poll() is None, process.communicate()
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if number == 2:
            path.rename(tmp_path / "talk.jsonl.1")
    finished(started(tmp_path, "talk.jsonl"))
    files = (tmp_path / "talk.jsonl.1", path)
    lines = [line for file in files for line in file.read_bytes().splitlines(keepends=True)]
    whole = [line for line in lines if line in printed]
    assert printed == list(dict.fromkeys(whole))
    assert len(lines) - len(printed) <= 3, "a kill repeats the line that was being printed at most"


def test_no_hangup_kills_it(tmp_path: Path) -> None:
    """Hung up all the time from its first line on, past its last one, until the interpreter has ended."""
    printed = filled(tmp_path / "journal", [100] * 10)
    process = started(tmp_path, "talk.jsonl")
    while not (tmp_path / "talk.jsonl").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    while process.poll() is None:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.0002)
    finished(process)
    assert b"".join(printed) == (tmp_path / "talk.jsonl").read_bytes()


def test_a_service_waits_for_the_place_of_its_lines(tmp_path: Path) -> None:
    """It is no reason not to record: `health` says what waits, and every line is there when the folder is."""
    printed = filled(tmp_path / "journal", [40] * 50)
    words = ["--on-fatal", "hold", "--input", "-", *NOWHERE[2:]]
    process = started(tmp_path, "nowhere/talk.jsonl", *words)
    ask = [PROGRAM, "health", "--ready", "--state-dir", str(tmp_path / "journal")]

    def answered() -> str:
        return subprocess.run(ask, env=environment_in(tmp_path), capture_output=True, text=True, check=False).stdout

    wait_for(lambda: "lines wait" in answered())
    assert f"make its directory first: mkdir -p {tmp_path}/nowhere" in answered()
    (tmp_path / "nowhere").mkdir()
    talk = tmp_path / "nowhere" / "talk.jsonl"
    wait_for(lambda: talk.exists() and talk.read_bytes() == b"".join(printed))
    assert "lines wait" not in answered()
    process.send_signal(signal.SIGINT)
    finished(process)


def wait_for(condition: Callable[[], bool]) -> None:
    """Ask until it holds."""
    end = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_where_lines_cannot_go_is_told(tmp_path: Path) -> None:
    """Exit 73 and what to do; nothing of it was recorded, so nothing is left behind."""
    process = started(tmp_path, "nowhere/talk.jsonl")
    stdout, stderr = process.communicate(timeout=60)
    assert (73, b"") == (process.returncode, stdout)
    (told,) = stderr.decode().splitlines()
    assert told.startswith(f"stenod: cannot open the output file {tmp_path}/nowhere/talk.jsonl: No such file")
    assert told.endswith(f"make its directory first: mkdir -p {tmp_path}/nowhere")
