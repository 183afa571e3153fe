"""`stenod devices --watch` over real microphones, on a real terminal and in a pipe."""

import json
import os
import subprocess

import numpy as np
import pytest
from daemon import PROGRAM
from soundserver import SoundServer
from terminal import CTRL_C, Terminal, alive, descendants

pytestmark = [pytest.mark.real, pytest.mark.slow]

RATE = 16000
LOUD = np.tile(np.array([3277, -3277], "<i2"), 30 * RATE).tobytes()
"""A minute at -20 dB."""
ZEROS = bytes(120 * RATE)


def microphones(sound: SoundServer, *names: str) -> None:
    """Make pipe sources that PortAudio lists by their names."""
    for name in names:
        sound.load_microphone(name)
    with (sound.folder / "asound.conf").open("a") as conf:
        for name in names:
            conf.write(f'pcm.{name} {{ type pulse device "{name}" hint.description "{name}" }}\n')


def watch(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run it in a pipe to its end."""
    command = [PROGRAM, "devices", "--watch", *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)


def test_a_person_sees_which_one_hears(sound: SoundServer) -> None:
    """Level, peak and a muted one at a glance, in place; what is lost says so and comes back; Ctrl-C ends it."""
    microphones(sound, "judge", "counsel")
    sound.play(LOUD, "judge")
    sound.play(ZEROS, "counsel")
    with Terminal([PROGRAM, "devices", "--watch"], os.environ) as terminal:
        terminal.until(lambda one: "-20 dB, peak  -20" in one.line("judge"))
        terminal.until(lambda one: one.line("counsel").endswith("muted?"))
        assert "█" * 22 in terminal.line("judge")
        assert "default" == terminal.line("*").split()[2]
        rows = len(terminal.shown)
        assert 5 == rows, terminal.shown
        assert terminal.cursor_hidden
        children = descendants(terminal.process.pid)
        assert len(children) >= 4
        sound.kill()
        terminal.until(lambda one: "dB" not in "".join(one.shown))
        assert "PaErrorCode" in terminal.line("judge") or "cannot be opened" in terminal.line("judge")
        sound.start()
        for name in ("judge", "counsel"):
            sound.load_microphone(name)
        sound.play(LOUD, "judge")
        terminal.until(lambda one: "-20 dB" in one.line("judge"))
        children |= descendants(terminal.process.pid)
        assert rows == len(terminal.shown)
        terminal.type(CTRL_C)
        assert 0 == terminal.end()
        assert not terminal.cursor_hidden
        assert "Traceback" not in "\n".join(terminal.shown)
        assert set() == alive(children)


def test_a_pipe_gets_a_line_for_each(sound: SoundServer) -> None:
    """After about a second; the one that is named alone, or all; as JSON too."""
    microphones(sound, "judge", "counsel")
    sound.play(LOUD, "judge")
    sound.play(ZEROS, "counsel")
    done = watch()
    assert (0, "") == (done.returncode, done.stderr)
    assert "\x1b" not in done.stdout
    head, *rows = [line.split() for line in done.stdout.splitlines()]
    assert ["INDEX", "NAME", "LEVEL_DB", "PEAK_DB", "STATE"] == head
    found = {name: rest for _, name, *rest in rows}
    assert ["-20", "-20", "good"] == found["judge"]
    assert ["-96", "-96", "muted?"] == found["counsel"]
    assert {"pulse", "default", "judge", "counsel"} == set(found)
    (alone,) = json.loads(watch("judge", "--json").stdout)
    assert ("judge", -20.0, "good", False) == tuple(alone[name] for name in ("name", "level_db", "state", "default"))


def test_what_there_is_not_is_told(sound: SoundServer) -> None:
    """A wrong name, and a microphone that gives nothing; each has its exit code."""
    sound.load_microphone("pmic")
    wrong = watch("nonsense")
    assert (66, "") == (wrong.returncode, wrong.stdout)
    assert wrong.stderr.startswith("stenod: cannot open microphone 'nonsense': not found; there is 'pulse'")
    silent = watch("default")
    assert 69 == silent.returncode
    assert "gives no audio for 5 s" in silent.stdout
