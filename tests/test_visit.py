"""How doctor is run as a service: which words, which of the unit's settings, and what is said where it cannot be."""

from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes.manager import FakeManager
from stenod import visit
from stenod.doctor import doctor
from stenod.unit import Place, drop_in, packaged, place_of, sound_server
from stenod.visit import NotVisitable, remedy, settings, visit_of

SHOWN = {"LoadState": "loaded", "User": "stenod", "Group": "audio"}
PROGRAM = ("/opt/stenod/bin/stenod",)


def place(tmp_path: Path, name: str = "") -> Place:
    """Return that of a service of the system, below a folder."""
    return place_of(user=False, name=name, environment={}, root=tmp_path)


def properties(words: list[str]) -> list[str]:
    """Return what is said with -p."""
    return [word for before, word in pairwise(words) if before == "-p"]


def visited(texts: list[str], name: str = "hall", **more: str) -> tuple[list[str], dict[str, str]]:
    """Return words and variables for a unit of these texts."""
    where = place_of(user=False, name=name, environment={})
    found = visit_of(where, texts, SHOWN, name="visit", more=["--json"], environment={"BOOT_ID": "b1"} | more)
    return list(found.words), dict(found.variables)


def test_an_installed_service_is_stood_in_for() -> None:
    """As `stenod service install` makes it: its user, key, journal, sound server, all that is forbidden."""
    hall = place_of(user=False, name="hall", environment={})
    texts = [
        hall.text,
        drop_in(hall, PROGRAM, {"deepgram": Path("/etc/stenod/hall.deepgram.cred")}),
        sound_server(hall, "unix:/run/pulse/native"),
    ]
    words, variables = visited(texts, LANG="C.UTF-8")
    assert "systemd-run" == words[0]
    assert [*PROGRAM, "doctor", "--config", "/etc/stenod/hall.toml", "--json"] == words[words.index("--") + 1 :]
    said = properties(words)
    for line in (
        "User=stenod",
        "Group=audio",
        "DynamicUser=yes",
        "StateDirectory=stenod-hall",
        "LoadCredentialEncrypted=deepgram:/etc/stenod/hall.deepgram.cred",
        "PrivateDevices=yes",
        "MemoryDenyWriteExecute=yes",
        "SystemCallFilter=~@privileged @resources",
    ):
        assert line in said
    assert said.index("DeviceAllow=char-alsa rw") < said.index("DeviceAllow=")
    about_life = (
        "Type",
        "Exec",
        "Restart",
        "Watchdog",
        "Timeout",
        "KillMode",
        "RemoveIPC",
        "Environment",
        "ProcSubset",
    )
    assert [] == [line for line in said if line.startswith(about_life)]
    assert {"PULSE_SERVER": "unix:/run/pulse/native", "LANG": "C.UTF-8"} == {
        name: value for name, value in variables.items() if name != "BOOT_ID"
    }
    assert "--setenv=PULSE_SERVER" in words
    assert "--user" not in words


def test_a_value_stands_on_no_command_line() -> None:
    """It may be a key."""
    words, variables = visited(
        [packaged("stenod@.service"), '[Service]\nEnvironment="DEEPGRAM_API_KEY=s3cret%%" A=1\n']
    )
    assert "s3cret%" == variables["DEEPGRAM_API_KEY"]
    assert [] == [word for word in words if "s3cret" in word]


def test_a_key_within_the_unit_is_not_taken_to_a_command_line() -> None:
    """Where everybody would see it."""
    with pytest.raises(NotVisitable, match=r"SetCredential=, for all to see: put it in a file") as caught:
        visited([packaged("stenod@.service"), "[Service]\nSetCredential=deepgram:s3cret\n"])
    assert "s3cret" not in str(caught.value)


def test_a_service_of_a_user() -> None:
    """By the user's manager; the unit's own letters are filled in."""
    environment = {"HOME": "/h", "XDG_CONFIG_HOME": "/c"}
    own = place_of(user=True, name="", environment=environment)
    found = visit_of(own, [own.text], {"User": "", "Group": ""}, name="visit", more=[], environment=environment)
    assert "--user" in found.words
    assert "/h/.local/state/stenod" == found.variables["STENOD_STATE_DIR"]
    assert ["doctor", "--config", "/c/stenod/stenod.toml"] == list(found.words[-3:])
    assert [] == [line for line in properties(list(found.words)) if line.startswith(("User=", "Group="))]


def test_a_unit_is_read_as_systemd_reads_it() -> None:
    """Its section, over ends of lines, without what is none of it; a person's later line takes the earlier back."""
    text = "[Unit]\nA=1\n[Service]\n# B=2\n; C=3\n D = 4 \\\n  5\nE=\n[Install]\nF=6\n"
    assert [("D", "4    5"), ("E", "")] == list(settings(text))
    words, variables = visited(["[Service]\nExecStart=/a run\nEnvironment=A=1 B=2\nEnvironment=\nEnvironment=B=3\n"])
    assert {"B": "3"} == variables
    assert "--setenv=A" not in words


def test_what_does_not_run_stenod_is_no_ground() -> None:
    """A person may have put anything there."""
    with pytest.raises(NotVisitable, match=r"stenod@hall.service does not start `stenod run`"):
        visited(["[Service]\nExecStart=/usr/bin/my-own-script\n"])


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeManager:
    """One whose service is installed below a folder; we are root."""
    own = place(tmp_path)
    own.drop_in.parent.mkdir(parents=True)
    own.unit_file.write_text(own.text)
    own.drop_in.write_text(drop_in(own, PROGRAM, {}))
    fake = FakeManager()
    fake.shown |= {"FragmentPath": str(own.unit_file), "DropInPaths": str(own.drop_in), **SHOWN}
    monkeypatch.setattr(visit.os, "geteuid", lambda: 0)
    return fake


@pytest.mark.parametrize("status", [0, 69, 78, 130])
def test_its_exit_code_is_ours(manager: FakeManager, tmp_path: Path, status: int) -> None:
    """Whatever doctor found."""
    manager.status = status
    assert status == visit.visit(manager, place(tmp_path), ["--offline"], {})
    assert manager.said[-1].endswith(f"doctor --config {tmp_path}/etc/stenod/stenod.toml --within stenod --offline")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (1, r"cannot start it as stenod.service \(status 1\)"),
        (203, r"cannot start it as .*journalctl -u stenod-doctor-\d+` says why"),
        (243, r"cannot give it the key of stenod.service \(status 243\)"),
    ],
)
def test_systemds_own_failures_are_told(manager: FakeManager, tmp_path: Path, status: int, told: str) -> None:
    """With where it says more."""
    manager.status = status
    with pytest.raises(NotVisitable, match=told):
        visit.visit(manager, place(tmp_path), [], {})


def test_who_cannot_is_told(manager: FakeManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is not there; somebody who is not root."""
    manager.shown["LoadState"] = "not-found"
    with pytest.raises(NotVisitable, match="`stenod service install --name hall` does it"):
        visit.visit(manager, place(tmp_path, "hall"), [], {})
    monkeypatch.setattr(visit.os, "geteuid", lambda: 1000)
    with pytest.raises(NotVisitable, match="sudo stenod doctor --service") as caught:
        visit.visit(manager, place(tmp_path), [], {})
    assert 77 == caught.value.exit_code


@pytest.mark.parametrize("words", [["--service", "--provider", "local"], ["--name", "hall"], ["--user"]])
def test_words_that_do_not_fit(words: list[str]) -> None:
    """The unit's options are the service's; a service is named only where one is meant."""
    result = CliRunner().invoke(doctor, words)
    assert 2 == result.exit_code  # click's own, which the process turns into 64
    assert "--service" in result.output


def test_a_key_that_a_service_has_is_no_riddle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs doctor beside it is told how."""
    monkeypatch.setattr(visit, "place_of", lambda **given: place_of(**given, root=tmp_path))
    environment = {"HOME": str(tmp_path / "home")}
    assert "" == remedy("assemblyai", environment)
    folder = tmp_path / "etc/stenod"
    folder.mkdir(parents=True)
    (folder / "hall.assemblyai.cred").touch()
    assert "" == remedy("deepgram", environment)
    assert remedy("assemblyai", environment).endswith("`sudo stenod doctor --service --name hall` examines")
    (folder / "court.assemblyai.key").touch()
    told = remedy("assemblyai", environment, folder / "hall.toml")
    assert told.startswith(f"{folder}/hall.assemblyai.cred is for a service")
    own = tmp_path / "home/.config/stenod"
    own.mkdir(parents=True)
    (own / "stenod.assemblyai.key").touch()
    assert remedy("assemblyai", environment).endswith("`stenod doctor --service --user` examines")
