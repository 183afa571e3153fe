"""`stenod service`: what the person said, what is asked for before anything is written, and what is said back."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from fakes.manager import SEALED, FakeManager
from stenod import hosting, unit
from stenod.cli import stenod
from stenod.config import ConfigErrors
from stenod.edge.secrets import SecretError
from stenod.edge.systemctl import ManagerError
from stenod.hosting import told
from stenod.installation import NotInstallable

KEY = "a-key-for-tests-6f1d2c"


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeManager:
    """The host is below a folder, we are root, and its manager is a fake."""
    fake = FakeManager()
    monkeypatch.setattr(hosting, "ServiceManager", lambda **_: fake)
    monkeypatch.setattr(hosting, "place_of", lambda **given: unit.place_of(**given, root=tmp_path))
    monkeypatch.setattr(hosting, "reach", lambda _program, *, local: False)
    monkeypatch.setattr(hosting.os, "geteuid", lambda: 0)
    return fake


@pytest.fixture
def say(manager: FakeManager) -> Callable[..., Result]:
    """Run `stenod service …`; what goes wrong is raised."""

    def run(*words: str, given: str | None = None) -> Result:
        return CliRunner().invoke(stenod, ["service", *words], input=given, catch_exceptions=False)

    return run


def test_a_service_for_a_provider(say: Callable[..., Result], manager: FakeManager, tmp_path: Path) -> None:
    """The commented configuration with that provider, the key from a file, each thing in a line; again: nothing."""
    (tmp_path / "key").write_text(KEY + "\n")
    result = say("install", "--provider", "assemblyai", "--key-file", str(tmp_path / "key"))
    assert result.exit_code == 0
    assert 'providers = ["assemblyai"]' in (tmp_path / "etc/stenod/stenod.toml").read_text()
    assert SEALED + KEY.encode() == (tmp_path / "etc/stenod/stenod.assemblyai.cred").read_bytes()
    assert KEY not in result.output
    again = say("install", "--provider", "assemblyai")
    assert "nothing to do: stenod.service is installed and active" == again.output.splitlines()[-1]
    assert ["kept", "unchanged:"] == sorted({line.split()[0] for line in again.output.splitlines()[:-1]})


def test_the_engine_inside_needs_no_key(say: Callable[..., Result], tmp_path: Path) -> None:
    """No credential; an instance has its own files."""
    assert say("install", "--name", "hall", "--input", "mic:USB").exit_code == 0
    assert 'input = "mic:USB"' in (tmp_path / "etc/stenod/hall.toml").read_text()
    assert "Credential" not in (tmp_path / "etc/systemd/system/stenod@hall.service.d/installed.conf").read_text()


@pytest.mark.parametrize(
    ("words", "local"), [((), True), (("--provider", "local"), True), (("--provider", "deepgram"), False)]
)
def test_the_engine_inside_is_missed_where_it_is_used(
    say: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], local: bool
) -> None:
    """By who must install the program elsewhere."""
    asked = []
    monkeypatch.setattr(hosting, "reach", lambda _program, *, local: asked.append(local))
    say("install", "--dry-run", *words)
    assert [local] == asked


def test_several_keys(say: Callable[..., Result], tmp_path: Path) -> None:
    """Each says whose it is; from standard input too."""
    (tmp_path / "key").write_text(KEY)
    both = ("install", "--provider", "assemblyai", "--provider", "deepgram")
    with pytest.raises(NotInstallable, match=r"Say assemblyai=.* or deepgram="):
        say(*both, "--key-file", str(tmp_path / "key"))
    keys = ("--key-file", f"assemblyai={tmp_path / 'key'}", "--key-file", "deepgram=-")
    assert say(*both, *keys, given="another-key-7e21\n").exit_code == 0
    assert SEALED + b"another-key-7e21" == (tmp_path / "etc/stenod/stenod.deepgram.cred").read_bytes()


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (("--provider", "assemblyai"), NotInstallable, "the key of assemblyai is needed: say --key-file"),
        (("--provider", "assemblyai", "--key-file", "nowhere"), SecretError, "cannot read the key file nowhere"),
        (("--provider", "assemblyai", "--key-file", "/dev/zero"), SecretError, "it is over 4096 bytes long"),
        (
            ("--provider", "assemblyai", "--key-file", "x0" * 9),
            NotInstallable,
            "given as --key-file looks like the key",
        ),
        (
            ("--provider", "assemblyai", "--key-file", "assemblyai=" + "x0" * 9),
            NotInstallable,
            "given as --key-file looks like the key",
        ),
        (("--provider", "assemblyai", "--key-file", "-"), SecretError, "standard input: it is empty"),
        (("--key-file", "-"), NotInstallable, "no provider is configured"),
        (
            ("--provider", "assemblyai", "--key-file", "deepgram=/no/key"),
            NotInstallable,
            "does not use deepgram; those that it uses: assemblyai$",
        ),
        (("--key-file", "deepgram=/no/key"), NotInstallable, "does not use deepgram; those that it uses: none$"),
        (
            ("--provider", "assemblyai", "--key-file", "bogus=/no/key"),
            NotInstallable,
            "there is no service bogus; those that stenod knows: assemblyai, deepgram$",
        ),
        (("--sound-server", "foo"), NotInstallable, "cannot use foo as a sound server"),
        (("--config", "nowhere.toml"), ConfigErrors, "cannot be read"),
        (("--config", "x.toml", "--provider", "local"), NotInstallable, "--config has its own"),
        (("--input", "mic:"), ConfigErrors, "option --input"),
        (("--name", "a b"), NotInstallable, "a name is"),
    ],
)
def test_nothing_is_written_where_something_is_wrong(
    say: Callable[..., Result], tmp_path: Path, words: tuple[str, ...], error: type[Exception], text: str
) -> None:
    """All is looked at before."""
    with pytest.raises(error, match=text):
        say("install", *words, given="")
    assert [] == list(tmp_path.iterdir())


def test_standard_input_is_not_read_without_end(say: Callable[..., Result]) -> None:
    """It may be a device too."""
    with pytest.raises(SecretError, match="standard input: it is no key, it is over 4096 bytes long"):
        say("install", "--provider", "assemblyai", "--key-file", "-", given="x" * 1_000_000)


def test_a_file_may_have_any_name(say: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is there is that file; a protocol's name means its company's key."""
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "my=key", tmp_path / "key"):
        path.write_text(KEY)
    assert say("install", "--provider", "deepgram", "--key-file", "my=key", "--name", "a").exit_code == 0
    assert say("install", "--provider", "deepgram", "--key-file", "deepgram-flux=key", "--name", "b").exit_code == 0
    assert [True, True] == [(tmp_path / f"etc/stenod/{name}.deepgram.cred").exists() for name in ("a", "b")]


def test_a_sound_server_that_is_not_there_yet(say: Callable[..., Result]) -> None:
    """It may come; that is said at the end."""
    result = say("install", "--sound-server", "unix:/nonexistent/native")
    assert "there is no /nonexistent/native yet" in result.output.splitlines()[-1]


def test_a_key_is_typed_unseen(say: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal it is asked for."""
    asked = {}

    def prompt(text: str, **options: object) -> str:
        asked.update(options, text=text)
        return KEY

    monkeypatch.setattr(hosting, "at_terminal", lambda: True)
    monkeypatch.setattr(click, "prompt", prompt)
    assert say("install", "--provider", "deepgram").exit_code == 0
    assert (True, "Key of deepgram") == (asked["hide_input"], asked["text"])
    assert (tmp_path / "etc/stenod/stenod.deepgram.cred").exists()


def test_a_configuration_is_never_overwritten(say: Callable[..., Result], tmp_path: Path) -> None:
    """The same one is fine; another one is an error, and both stay as they are."""
    mine = tmp_path / "mine.toml"
    mine.write_text("[pacer]\nchunk_ms = 200\n")
    assert say("install", "--config", str(mine)).exit_code == 0
    assert say("install", "--config", str(mine)).exit_code == 0
    mine.write_text("[pacer]\nchunk_ms = 300\n")
    with pytest.raises(NotInstallable, match="says something else"):
        say("install", "--config", str(mine))
    assert "200" in (tmp_path / "etc/stenod/stenod.toml").read_text()


def test_who_is_not_root_is_told(say: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """What to say instead; a look is free, and so is a rehearsal."""
    monkeypatch.setattr(hosting.os, "geteuid", lambda: 1000)
    for words in (("install",), ("uninstall",)):
        with pytest.raises(NotInstallable, match="say `sudo`, or --user") as caught:
            say(*words)
        assert caught.value.exit_code == 77
    assert "would start stenod.service" in say("install", "--dry-run").output
    assert say("status").exit_code == 1


def test_no_systemd_is_told(say: Callable[..., Result], manager: FakeManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything else."""

    def require() -> None:
        raise ManagerError("systemd does not run here")

    monkeypatch.setattr(manager, "require", require)
    for word in ("install", "uninstall", "status"):
        with pytest.raises(ManagerError):
            say(word)


def test_purging_asks(say: Callable[..., Result], tmp_path: Path) -> None:
    """For good is for good; a no keeps everything."""
    say("install")
    assert say("uninstall", "--purge", given="n\n").exit_code == 1
    assert (tmp_path / "etc/stenod/stenod.toml").exists()
    assert say("uninstall", "--purge", given="y\n").exit_code == 0
    assert not (tmp_path / "etc/stenod").exists()
    assert say("uninstall", "--purge", "--yes").exit_code == 0


def test_the_state_in_words() -> None:
    """Whether it is there, what it does, what ended it, where its things are."""
    place = unit.place_of(user=False, name="hall", environment={})
    shown = dict.fromkeys(hosting.SHOWN, "")
    assert ["stenod@hall.service is not installed: stenod service install --name hall"] == told(
        place, shown | {"LoadState": "not-found"}
    )
    up = shown | {"UnitFileState": "enabled", "ActiveState": "active", "SubState": "running", "NRestarts": "2"}
    lines = told(place, up | {"StatusText": "held: no key", "Result": "success"})
    assert [
        "stenod@hall.service is installed, starts by itself, and is active (running)",
        "does: held: no key",
        "restarts: 2",
        "configuration: /etc/stenod/hall.toml",
        "journal: /var/lib/stenod-hall (stenod status --state-dir /var/lib/stenod-hall)",
        "logs: journalctl -u stenod@hall.service",
    ] == lines
    down = shown | {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "ExecMainStatus": "78"}
    lines = told(place, down | {"StatusText": "old"})
    assert "ended with: exit-code, exit status 78" in lines
    assert "does: old" not in lines


@pytest.mark.parametrize(
    ("state", "text", "code"),
    [
        ("active", "transcribing with local; 1 s to be transcribed", 0),
        ("active", "held: no key; 9 s to be transcribed", 1),
        ("active", "nothing is recorded: no microphone; starting; 0 s to be transcribed", 1),
        ("active", "lines wait: cannot open the output file; transcribing; 0 s to be transcribed", 1),
        ("active", "transcribing; 0 s to be transcribed; the new configuration is not taken over: no such option", 1),
        ("failed", "transcribing with local", 1),
    ],
)
def test_the_exit_code_of_a_look(
    say: Callable[..., Result], manager: FakeManager, state: str, text: str, code: int
) -> None:
    """0 only where nobody has to do anything."""
    manager.shown |= {"ActiveState": state, "SubState": "running", "StatusText": text}
    assert code == say("status").exit_code
