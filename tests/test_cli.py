"""The command line: what it knows, how fast its help is, and what becomes of errors."""

import errno
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from stenod import __main__ as process
from stenod.cli import COMMANDS, load_configuration, run, stenod
from stenod.config import ConfigErrors
from stenod.core.microphones import Device
from stenod.edge.secrets import SecretMissing

HEAVY = (
    "trio",
    "numpy",
    "structlog",
    "sounddevice",
    "soundfile",
    "soxr",
    "tenacity",
    "msgspec",
    "sqlite3",
    "pocketsphinx",
)


CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); signal.raise_signal(signal.SIGINT)"
"""What a terminal does; whoever started the tests may have ignored it (a shell does, in the background)."""


def stenod_process(*arguments: str, code: str = "", **options: object) -> subprocess.CompletedProcess[str]:
    """Run the program, after `code` where some is given, and return how it ended."""
    text = f"import sys\nfrom stenod.__main__ import main\n{textwrap.dedent(code)}\nsys.exit(main({list(arguments)!r}))"
    options = {"capture_output": True} | options
    return subprocess.run([sys.executable, "-c", text], check=False, text=True, timeout=60, **options)


def failing(error: str) -> str:
    """Return code after which `stenod run` raises this."""
    return f"""
    import click, stenod.cli
    def fail(**_given):
        {error}
    stenod.cli.run.callback = fail
    """


def test_the_help_shows_every_command_and_imports_none() -> None:
    """The table is the group's help."""
    code = f"import atexit; atexit.register(lambda: print([one for one in {HEAVY} if one in sys.modules]))"
    result = stenod_process("--help", code=code)
    assert (result.returncode, result.stderr) == (0, "")
    for name in COMMANDS:
        assert f"\n  {name} " in result.stdout
    assert result.stdout.endswith("[]\n")


@pytest.mark.parametrize("name", ["run", "doctor", "check", "health"])
def test_which_configuration_is_read_by_itself_is_told(name: str) -> None:
    """A file that nobody named changes what a command does."""
    said = CliRunner().invoke(stenod, [name, "--help"]).output
    assert "None: ~/.config/stenod/stenod.toml, where there is one." in " ".join(said.split())


def test_each_command_is_where_the_table_says_and_has_its_help() -> None:
    """Every name leads to a command of that name whose help can be shown."""
    context = click.Context(stenod)
    for name in stenod.list_commands(context):
        command = stenod.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert CliRunner().invoke(command, ["--help"]).exit_code == 0
    assert stenod.get_command(context, "nonsense") is None


def listing(monkeypatch: pytest.MonkeyPatch, found: list[Device]) -> None:
    """Let PortAudio find these."""
    monkeypatch.setattr("stenod.edge.devices.list_devices", lambda: found)


def test_devices_are_a_table_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Index, name, channels, rate, and which one is the default."""
    made = {"host_api": "ALSA", "channels": 2}
    first = Device(index=3, name="USB PnP", rate=44100, default=False, **made)
    second = Device(index=11, name="default", rate=48000, default=True, **made)
    listing(monkeypatch, [first, second])
    assert CliRunner().invoke(stenod, ["devices"]).output.splitlines() == [
        "  INDEX  NAME     CHANNELS  RATE_HZ  HOST",
        "      3  USB PnP         2    44100  ALSA",
        "*    11  default         2    48000  ALSA",
        "* the default: --input mic",
    ]
    answer = json.loads(CliRunner().invoke(stenod, ["devices", "--json"]).output)
    assert [one["index"] for one in answer] == [3, 11]
    assert [one["default"] for one in answer] == [False, True]


def test_no_device_is_a_sentence_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 69; the JSON is an empty array all the same."""
    listing(monkeypatch, [])
    assert process.main(["devices", "--json"]) == 69
    captured = capsys.readouterr()
    assert json.loads(captured.out) == []
    assert captured.err.startswith("stenod: no microphone: ")


def test_the_version_is_the_packages() -> None:
    """One place says it."""
    assert CliRunner().invoke(stenod, ["--version"]).output.startswith("stenod 20")


def test_given_options_override_and_others_do_not() -> None:
    """An option that was not given says nothing, a flag that was turned off says so."""
    context = run.make_context("run", ["--no-partials", "--provider", "local", "--stream", "hall", "--rate", "8000"])
    given = {name: value for name, value in context.params.items() if name != "config"}
    loaded = load_configuration(None, given, {"STENOD_OUTPUT_PARTIALS": "true", "STENOD_JOURNAL_KEEP_AUDIO": "true"})
    assert not loaded.options.output.partials
    assert loaded.options.journal.keep_audio
    assert loaded.options.providers == ("local",)
    assert {name: origin for name, origin in loaded.origins.items() if origin.startswith("option")} == {
        "stream": "option --stream",
        "providers": "option --provider",
        "capture.input_rate": "option --rate",
        "output.partials": "option --partials",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 64, "Usage: stenod"),
        (["rnu"], 64, "No such command 'rnu'"),
        (["run", "--nonsense"], 64, "No such option"),
        (["run", "--rate", "fast"], 64, "'fast' is not a valid integer"),
        (["run", "--provider", "asemblyai"], 64, "is not one of"),
        (["run", "--stream", "a b"], 78, 'stenod: stream: "a b" is not fit'),
        (["run", "--config", "missing.toml"], 78, "stenod: configuration: cannot be read (No such file"),
        (["--version"], 0, ""),
        (["run", "--help"], 0, ""),
    ],
)
def test_what_a_person_got_wrong_is_told_with_its_code(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage is 64, configuration 78; no traceback."""
    assert process.main(arguments) == code
    captured = capsys.readouterr()
    assert told in captured.err
    assert "Traceback" not in captured.err
    assert bool(captured.out) == (code == 0)


@pytest.mark.parametrize("words", [("run",), ("check",), ("doctor", "--offline"), ("health",), ("service", "install")])
def test_a_configuration_that_may_not_be_read(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is a wrong configuration to every command, not wrong usage."""

    path = tmp_path / "mine.toml"
    path.touch()
    opened = Path.open

    def guarded(one: Path, *words: Any, **more: Any) -> Any:
        if one == path:
            raise PermissionError(13, "Permission denied")
        return opened(one, *words, **more)

    monkeypatch.delenv("STENOD_STATE_DIR", raising=False)
    monkeypatch.setattr(os, "access", lambda *_words, **_more: False)
    monkeypatch.setattr(Path, "open", guarded)
    dry = ("--user", "--dry-run") if words[0] == "service" else ()
    assert 78 == process.main([*words, "--config", str(path), *dry])
    captured = capsys.readouterr()
    told = " ".join((captured.out + captured.err).split())
    assert "cannot be read (Permission denied); name one that this user may read, or give it the right to" in told


def raising(error: BaseException) -> Callable[..., None]:
    """Return a command body that raises this."""

    def fail(**_given: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (SecretMissing("cannot find the key"), 78, "stenod: cannot find the key\n"),
        (ExceptionGroup("x", [SecretMissing("no key"), ConfigErrors([])]), 78, "stenod: no key\n"),
        (KeyboardInterrupt(), 130, ""),
        (BaseExceptionGroup("x", [KeyboardInterrupt()]), 130, ""),
        (click.Abort(), 130, ""),
        (click.ClickException("cannot do it"), 69, "Error: cannot do it\n"),
        (SystemExit(3), 3, ""),
        (SystemExit(), 0, ""),
        (OSError(errno.ENOSPC, "No space left on device"), 73, "stenod: cannot write: [Errno 28] No space"),
        (OSError(errno.EIO, "Input/output error"), 73, "stenod: cannot write: [Errno 5] Input/output error"),
    ],
)
def test_errors_become_exit_codes_without_a_traceback(
    error: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What knows its code is told in a sentence, also out of a task tree."""
    monkeypatch.setattr(run, "callback", raising(error))
    assert process.main(["run"]) == code
    captured = capsys.readouterr().err
    assert captured.startswith(told)
    assert "Traceback" not in captured
    assert bool(captured) == bool(told)


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("oops"),
        BrokenPipeError(),
        ExceptionGroup("x", [SecretMissing("no key"), ZeroDivisionError("oops")]),
        BaseExceptionGroup("x", [KeyboardInterrupt(), ZeroDivisionError("oops")]),
    ],
)
def test_anything_else_is_a_defect_with_its_traceback(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 70; a broken pipe that is not standard output's is one, too."""
    monkeypatch.setattr(run, "callback", raising(error))
    assert process.main(["run"]) == 70
    captured = capsys.readouterr().err
    assert "Traceback (most recent call last)" in captured
    assert f"stenod: defect: {type(error).__name__}" in captured


def test_ctrl_c_is_130_without_a_traceback() -> None:
    """Also as a process."""
    result = stenod_process("run", code=failing(CTRL_C))
    assert (result.returncode, result.stderr) == (130, "")


@pytest.mark.parametrize("text", ["short", "x" * 1_000_000])
def test_a_reader_that_has_gone_had_enough(text: str) -> None:
    """No traceback and no complaint of the interpreter at its end, whenever the pipe breaks."""
    reading, writing = os.pipe()
    os.close(reading)
    result = stenod_process(
        "run",
        code=failing(f"click.echo({text[:1]!r} * {len(text)}) if {len(text)} > 99 else sys.stdout.write('short')"),
        capture_output=False,
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_reader_that_has_gone_is_no_defect_of_a_task_tree() -> None:
    """What a nursery bundles is looked into."""
    reading, writing = os.pipe()
    os.close(reading)
    code = failing("raise ExceptionGroup('x', [BrokenPipeError()])")
    result = stenod_process("run", code=code, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("how", ["sys.stdout.write('x')", "click.echo('x')"])
def test_an_output_that_is_full_is_told(how: str) -> None:
    """One sentence, one code, nothing at the interpreter's end."""
    with Path("/dev/full").open("w") as full:
        result = stenod_process("run", code=failing(how), capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 73
    assert result.stderr.startswith("stenod: cannot write")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("descriptor", [1, 2])
def test_closed_standard_streams_are_no_defect(descriptor: int) -> None:
    """A program started without them works."""
    code = f"import os; os.close({descriptor}); sys.{'stdout' if descriptor == 1 else 'stderr'} = None"
    assert stenod_process("check", "--stream", "a b", code=code).returncode == 78


def test_the_module_is_the_program() -> None:
    """`python -m stenod` is `stenod`."""
    result = subprocess.run([sys.executable, "-m", "stenod", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("stenod 20")


@pytest.mark.parametrize("command", ["status", "verify", "tail", "retranscribe", "health"])
def test_a_state_directory_means_the_same_to_every_command(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`~` is the home, as for `run`; what is no name is wrong usage, whoever names it."""
    asked = stenod.get_command(click.Context(stenod), command)
    assert asked is not None
    words = ["--quiet"] if command == "retranscribe" else []
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)

    def said(named: list[str], variable: str | None = None) -> tuple[str, int]:
        result = CliRunner().invoke(asked, [*words, *named], env={"STENOD_STATE_DIR": variable})
        return result.output + str(result.exception), result.exit_code

    assert f"in {tmp_path}/journal" in said(["--state-dir", "~/journal"])[0]
    assert f"in {tmp_path}/journal" in said([], "~/journal")[0]
    told, code = said(["--state-dir", "x\udcff"])
    assert (2, True) == (code, "'--state-dir': 'x\\udcff' is not UTF-8; name another directory" in told)
    told, code = said([], "~nobody-has-this-name")
    assert (2, True) == (code, "STENOD_STATE_DIR: nobody has the home directory of" in told)


@pytest.mark.parametrize("command", ["run", "check", "doctor", "health"])
def test_a_configuration_may_lie_in_the_home(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--config=~/file` means it, which no shell does for us."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.toml").write_text("nonsense = 1\n")
    result = CliRunner().invoke(stenod, [command, "--config=~/mine.toml"])
    assert "nonsense" in f"{result.output} {result.exception}"


@pytest.mark.parametrize("command", ["run", "check", "doctor", "health", "retranscribe", "service install"])
def test_a_configuration_that_no_file_can_be(command: str) -> None:
    """It is wrong usage."""
    result = CliRunner().invoke(stenod, [*command.split(), "--config=~nobody-has-this-name/x"])
    assert (2, True) == (result.exit_code, "nobody has the home directory of" in result.output)
