"""Putting a service on a host and taking it off: files, modes, what systemd is told, what the person is told."""

import re
import socket
import tomllib
from pathlib import Path

import pytest

from fakes.manager import FakeManager
from stenod import installation
from stenod.config import load
from stenod.edge.systemctl import ManagerError
from stenod.installation import (
    Host,
    NotInstallable,
    Way,
    audible,
    configured,
    excerpt,
    install,
    owners,
    reach,
    uninstall,
)
from stenod.unit import Place, packaged, place_of

KEY = "a-key-for-tests-6f1d2c"
PROGRAM = ["/opt/stenod/bin/stenod"]


class Hosting:
    """A host below a folder."""

    def __init__(self, root: Path, manager: FakeManager | None = None, name: str = "", *, dry: bool = False) -> None:
        self.manager = manager or FakeManager()
        self.told: list[str] = []
        self.place: Place = place_of(user=False, name=name, environment={}, root=root)
        self.host = Host(manager=self.manager, tell=self.told.append, dry=dry)

    def install(self, *, start: bool = True, **keys: str | None) -> list[str]:
        """Install, and return what was told."""
        self.told.clear()
        self.manager.said.clear()
        install(self.host, self.place, PROGRAM, keys, way=Way(), start=start)
        return self.told

    def uninstall(self, *, purge: bool = False) -> list[str]:
        """Uninstall, and return what was told."""
        self.told.clear()
        self.manager.said.clear()
        uninstall(self.host, self.place, purge=purge)
        return self.told


def files(root: Path) -> dict[str, int]:
    """Return all files below a folder, with their modes."""
    return {str(path.relative_to(root)): path.stat().st_mode & 0o777 for path in root.rglob("*") if path.is_file()}


def test_a_service_is_installed(tmp_path: Path) -> None:
    """Unit, drop-in and key are written, systemd takes them in, and it is started: a line for each."""
    one = Hosting(tmp_path)
    told = one.install(assemblyai=KEY)
    assert {
        "etc/systemd/system/stenod.service": 0o644,
        "etc/systemd/system/stenod.service.d/installed.conf": 0o644,
        "etc/stenod/stenod.assemblyai.cred": 0o600,
    } == files(tmp_path)
    assert packaged("stenod.service") == one.place.unit_file.read_text()
    drop_in = one.place.drop_in.read_text()
    assert f"LoadCredentialEncrypted=assemblyai:{one.place.credential('assemblyai', encrypted=True)}\n" in drop_in
    assert KEY not in drop_in + "".join(told)
    assert ["daemon-reload", "enable stenod.service", "start stenod.service"] == one.manager.said
    assert 6 == len(told)


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """And says so; with the key that is there, or the same one again."""
    one = Hosting(tmp_path)
    one.install(assemblyai=KEY)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for key in (KEY, None):
        told = one.install(assemblyai=key)
        assert all(line.startswith("unchanged: ") for line in told[:-1])
        assert "nothing to do: stenod.service is installed and active" == told[-1]
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert [] == one.manager.said


def test_what_has_changed_is_restarted(tmp_path: Path) -> None:
    """A new key is read at the start only; one that was plain is encrypted now, and the plain one is gone."""
    one = Hosting(tmp_path, FakeManager(seals=False))
    told = one.install(assemblyai=KEY)
    assert 0o600 == files(tmp_path)["etc/stenod/stenod.assemblyai.key"]
    assert any("not encrypted" in line for line in told)
    assert "LoadCredential=assemblyai:" in one.place.drop_in.read_text()
    one.manager.seals = True
    one.install(assemblyai="another-key-7e21")
    assert ["daemon-reload", "restart stenod.service"] == one.manager.said
    assert "etc/stenod/stenod.assemblyai.cred" in files(tmp_path)
    assert "etc/stenod/stenod.assemblyai.key" not in files(tmp_path)


def test_the_way_to_a_sound_server_stays(tmp_path: Path) -> None:
    """Until it is told otherwise; both ways are a restart."""
    one = Hosting(tmp_path)
    for address, there, said in (("unix:/run/x", True, 3), (None, True, 0), ("", False, 2)):
        one.manager.said.clear()
        install(one.host, one.place, PROGRAM, {}, way=Way(sound_server=address), start=True)
        assert there == one.place.sound_server.exists()
        assert said == len(one.manager.said)
    one.uninstall()
    assert {} == files(tmp_path)


def test_it_is_not_started_unless_wanted(tmp_path: Path) -> None:
    """Neither enabled; a second run says that nothing is to be done."""
    one = Hosting(tmp_path)
    one.install(start=False)
    assert ["daemon-reload"] == one.manager.said
    assert "nothing to do: stenod.service is installed" == one.install(start=False)[-1]


def test_a_dry_run_writes_nothing_and_shows_all(tmp_path: Path) -> None:
    """The texts of the files too, but not a key."""
    one = Hosting(tmp_path, dry=True)
    told = one.install(assemblyai=KEY)
    assert [] == list(tmp_path.iterdir())
    assert [] == one.manager.said
    size = len(packaged("stenod.service").splitlines())
    assert any(line.startswith(f"  {size} lines, ") and "as it comes with stenod" in line for line in told)
    assert f"  ExecStart={PROGRAM[0]} run --config {one.place.configuration}" in told
    assert KEY not in "\n".join(told)
    assert "would start stenod.service" == told[-1]
    Hosting(tmp_path).install(assemblyai=KEY)
    before = files(tmp_path)
    assert any(line.startswith("would remove ") for line in one.uninstall(purge=True))
    assert before == files(tmp_path)


def test_of_a_long_file_what_is_set_is_shown() -> None:
    """With the table it stands in; a short one is shown whole."""
    text = configured(packaged("stenod.toml"), ["deepgram"], "mic:USB")
    size = f"{len(text.splitlines())} lines, {len(text.encode())} bytes"
    assert [f"{size}, in which is set:", 'providers = ["deepgram"]', "[capture]", 'input = "mic:USB"'] == excerpt(text)
    (line,) = excerpt(packaged("stenod.toml"))
    assert line.endswith(" bytes, as it comes with stenod")
    assert ["# One", "a = 2"] == excerpt("# One\na = 2\n")


def test_an_address_can_be_a_sound_servers(tmp_path: Path) -> None:
    """Sockets and hosts; what can be none is refused, what is not there yet is told."""
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "run/native"))
        for address in (
            "unix:/run/native",
            "/run/native",
            "{hall}unix:/run/native",
            "tcp:hall:4713",
            "tcp6:[::1]:4713",
        ):
            assert "" == audible(address, user=False, root=tmp_path)
        assert "" == audible("unix:/run/none tcp:hall", user=False, root=tmp_path)
        assert "" == audible("/run/none /run/native", user=False, root=tmp_path)
    warning = audible("unix:/run/none", user=False, root=tmp_path)
    assert warning.startswith(f"there is no {tmp_path}/run/none yet: nothing is heard before")
    assert "" != audible("unix:/run/user/1000/pulse/native", user=True, root=tmp_path)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("foo", "cannot use foo as a sound server: say unix:/path/of/the/socket, or tcp:host:port"),
        ("unix:run/pulse/native", "cannot use unix:run/pulse/native"),
        ("/run/native hall:4713", "cannot use hall:4713"),
        ("/run/user/1000/pulse/native", "cannot see .*/run/user/1000/pulse/native: use --user"),
        ("unix:/run/user/1/native", "cannot see"),
        ("/run/file", "/run/file is no socket"),
    ],
)
def test_an_address_that_can_be_none(tmp_path: Path, address: str, told: str) -> None:
    """Before anything is restarted."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/file").touch()
    with pytest.raises(NotInstallable, match=told):
        audible(address, user=False, root=tmp_path)


def test_a_start_that_fails_says_where_to_look(tmp_path: Path) -> None:
    """What was written stays: the next run goes on."""
    one = Hosting(tmp_path, FakeManager(failing="start"))
    with pytest.raises(ManagerError, match=r"Job failed\.; see journalctl -u stenod.service -n 20"):
        one.install()
    assert one.place.unit_file.exists()


def test_taking_it_off_keeps_what_a_person_made(tmp_path: Path) -> None:
    """Unit and key go; the configuration and the journal stay, unless they are to go too."""
    one = Hosting(tmp_path)
    one.install(assemblyai=KEY)
    one.place.configuration.write_text("# mine\n")
    real = one.place.state.parent / "private" / "stenod"
    real.mkdir(parents=True)
    (real / "ledger.sqlite").touch()
    one.place.state.symlink_to(real)
    told = one.uninstall()
    assert {"etc/stenod/stenod.toml", "var/lib/private/stenod/ledger.sqlite"} == set(files(tmp_path))
    assert ["disable --now stenod.service", "daemon-reload", "reset-failed stenod.service"] == one.manager.said
    assert 2 == sum(line.startswith("kept ") for line in told)
    assert "nothing to do: stenod.service is not installed" == one.uninstall()[0]
    one.uninstall(purge=True)
    assert {} == files(tmp_path)
    assert not one.place.state.is_symlink()
    assert not one.place.configurations.exists()


def test_taking_it_off_keeps_lines_and_no_empty_folder(tmp_path: Path) -> None:
    """As systemd made it, behind a link: it goes where nobody used it, otherwise only with the rest."""
    one = Hosting(tmp_path)
    assert one.place.logs is not None
    real = one.place.logs.parent / "private" / "stenod"
    for used in (False, True):
        one.install()
        real.mkdir(parents=True)
        one.place.logs.symlink_to(real)
        if used:
            (real / "talk.jsonl").touch()
        told = one.uninstall()
        assert used == real.exists() == one.place.logs.exists()
    assert f"kept {one.place.logs}, the files of lines; --purge removes it" in told
    one.uninstall(purge=True)
    assert [] == list(real.parent.iterdir())
    assert not one.place.logs.is_symlink()


def test_the_template_stays_while_another_needs_it(tmp_path: Path) -> None:
    """Only the last instance takes it away; the others keep their files."""
    hall, court = Hosting(tmp_path, name="hall"), Hosting(tmp_path, name="court")
    hall.install(assemblyai=KEY)
    court.install(assemblyai=KEY)
    hall.uninstall()
    assert {
        "etc/systemd/system/stenod@.service",
        "etc/systemd/system/stenod@court.service.d/installed.conf",
        "etc/stenod/court.assemblyai.cred",
    } == set(files(tmp_path))
    court.uninstall()
    assert {} == files(tmp_path)


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("", {}),
        ('providers = ["local"]', {}),
        ('providers = ["assemblyai", "deepgram"]', {"assemblyai": True, "deepgram": True}),
        ('providers = ["deepgram", "deepgram-flux"]', {"deepgram": True}),
        ('providers = ["assemblyai"]\n[assemblyai]\nkey_file = "/etc/key"', {"assemblyai": False}),
        ('providers = ["assemblyai"]\n[assemblyai]\nendpoint = "ws://127.0.0.1:9"', {"assemblyai": False}),
    ],
)
def test_whose_keys_are_needed(text: str, needed: dict[str, bool], tmp_path: Path) -> None:
    """Of the providers that are configured, each owner once; a key in a file, or of a server of one's own, may miss."""
    (tmp_path / "stenod.toml").write_text(text)
    assert needed == owners(load(tmp_path / "stenod.toml").options)


def test_the_configuration_to_begin_with() -> None:
    """The commented one with these options set, and nothing else."""
    text = configured(packaged("stenod.toml"), ("assemblyai", "local"), 'mic:"A" B')
    assert {"providers": ["assemblyai", "local"], "capture": {"input": 'mic:"A" B'}} == {
        name: value for name, value in tomllib.loads(text).items() if value
    }
    assert packaged("stenod.toml") == configured(packaged("stenod.toml"), (), "")


def test_a_program_that_a_service_cannot_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a closed folder, closed itself, or among temporary files: an error. In an open home it is let in."""
    program = tmp_path / "home" / "anna" / "stenod"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    for folder in (tmp_path, *program.parents[:2]):
        folder.chmod(0o755)
    monkeypatch.setattr(installation.sys, "executable", str(program))
    monkeypatch.setattr(installation.stenod, "__file__", str(program))
    assert reach(program, tmp_path, local=True)
    monkeypatch.setattr(installation, "HOMES", ())
    assert not reach(program, tmp_path, local=True)
    for path in (program, program.parent):
        path.chmod(0o700)
        with pytest.raises(NotInstallable, match=f"{path} is closed to its user; .*python3 -m venv /opt/stenod"):
            reach(program, tmp_path, local=True)
        path.chmod(0o755)
    monkeypatch.setattr(installation, "HIDDEN", ("home",))
    for local, words in ((True, "'/path/to/the/clone[local]'"), (False, "'/path/to/the/clone'")):
        with pytest.raises(NotInstallable, match=f"temporary files are hidden.* install {re.escape(words)}$"):
            reach(program, tmp_path, local=local)
