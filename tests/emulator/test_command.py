"""`stenod emulate`: what it prints, how it ends, and its errors."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from dataclasses import fields

import pytest
from click.testing import CliRunner

from stenod.__main__ import main
from stenod.emulator.command import emulate
from stenod.emulator.faults import KINDS, Fault


def run(*arguments: str):
    """Run the command in this process; return exit code and output."""
    result = CliRunner().invoke(emulate, arguments)
    return result.exit_code, result.output


def test_help_teaches_and_is_cheap():
    """The help has an example, and costs no heavy import."""
    code, text = run("--help")
    assert 0 == code
    assert 'kind = "black-hole"' in text
    assert all(name in text.replace(",", " ").split() for name in KINDS)
    assert all(field.name in text for field in fields(Fault))
    assert all(path in text for path in ("/v1/listen", "/v2/listen", "/v2/realtime/ws", "/v3/ws", "/v3/token"))
    script = "import sys, stenod.emulator.command; print(sorted({'numpy', 'trio', 'wsproto'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "[]\n" == done.stdout


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it(number):
    """Ctrl-C and SIGTERM end it with 0 and without a traceback, after one line on stderr."""
    script = "from stenod.emulator.command import emulate; emulate()"
    with subprocess.Popen(
        [sys.executable, "-c", script, "--engine", "oracle"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        line = process.stderr.readline()
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=10)
    assert line.startswith("listening on ws://127.0.0.1:")
    assert [url.split("/", 3)[3] for url in line.replace(",", "").split() if "://" in url] == [
        "v1/listen",
        "v2/listen",
        "v3/ws",
    ]
    assert ("", "", 0) == (out, err, process.returncode)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--session-seconds-max", "nan"), "nan is no number of seconds"),
        (("--session-seconds-max", "inf"), "inf is no number of seconds"),
        (("--session-seconds-max", "0"), "0.0 is not in the range x>0"),
        (("--host", "a\udcff"), r"'a\udcff' is no name of a host"),
        (("--host", "a..b"), "'a..b' is no name of a host"),
    ],
)
def test_nonsense_is_wrong_usage(words, told, capsys):
    """In a sentence, with 64, before anything is listened on."""
    assert 64 == main(["emulate", "--engine", "oracle", *words])
    assert told in capsys.readouterr().err


def test_port_in_use():
    """A port that is taken is one sentence and unavailable."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, text = run("--engine", "oracle", "--port", str(port))
    assert (69, f"stenod emulate: cannot listen on 127.0.0.1:{port}: Address already in use\n") == (code, text)


def test_faults_file_with_mistakes(tmp_path):
    """All mistakes of a faults file are told, with the nearest known names."""
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\nkind = "dorp"\n[[fault]]\nkind = "drop"\naudoi = 3\n')
    code, text = run("--engine", "oracle", "--faults", str(path))
    assert 78 == code
    assert [
        f"stenod emulate: {path}: fault 1: unknown kind 'dorp'; did you mean 'drop'?",
        f"stenod emulate: {path}: fault 2: unknown name 'audoi'; did you mean 'audio'?",
    ] == text.splitlines()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--engine", "whisper"), "unknown engine 'whisper': use pocketsphinx, oracle or script:FILE"),
        (("--engine", "script:none.json"), "cannot read script none.json: No such file or directory"),
        (("--engine", "oracle", "--log", "none/x"), "cannot write none/x: No such file or directory"),
    ],
)
def test_configuration_errors(arguments, text, tmp_path, monkeypatch):
    """A wrong option is one clear sentence."""
    monkeypatch.chdir(tmp_path)
    assert (78, f"stenod emulate: {text}\n") == run(*arguments)


def test_missing_recogniser(monkeypatch):
    """Without pocketsphinx the command says how to get it."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pocketsphinx" else find(name))
    code, text = run()
    assert 69 == code
    assert "the engine pocketsphinx is not installed: pip install 'stenod[local]'" in text
