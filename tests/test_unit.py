"""Where the files of a service are, and what is in its drop-in."""

import os
import re
import tempfile
from pathlib import Path

import pytest

from stenod.unit import drop_in, installed, own_journal, own_program, packaged, place_of, quoted, sound_server

ROOT = Path(__file__).parent.parent
UNITS = ("stenod.service", "stenod@.service", "user/stenod.service", "user/stenod@.service")


def settings(text: str) -> list[str]:
    """Return the lines of a unit that set something."""
    return [line for line in text.splitlines() if "=" in line and not line.startswith("#")]


def test_where_things_are() -> None:
    """Of the one service and of an instance; of the system and of a user."""
    one = place_of(user=False, name="", environment={})
    assert ("stenod.service", "/etc/systemd/system/stenod.service") == (one.unit, str(one.unit_file))
    assert "/etc/stenod/stenod.toml" == str(one.configuration)
    assert ("/var/lib/stenod", "/var/log/stenod") == (str(one.state), str(one.logs))
    hall = place_of(user=False, name="hall", environment={})
    assert ("stenod@hall.service", "/etc/systemd/system/stenod@.service") == (hall.unit, str(hall.unit_file))
    assert "/etc/systemd/system/stenod@hall.service.d/installed.conf" == str(hall.drop_in)
    assert "/etc/stenod/hall.assemblyai.cred" == str(hall.credential("assemblyai", encrypted=True))
    own = place_of(user=True, name="hall", environment={"HOME": "/h"})
    assert ("/h/.config/systemd/user/stenod@.service", "/h/.config/stenod/hall.toml") == (
        str(own.unit_file),
        str(own.configuration),
    )
    assert ("/h/.local/state/stenod-hall", None) == (str(own.state), own.logs)
    elsewhere = place_of(user=True, name="", environment={"HOME": "/h", "XDG_CONFIG_HOME": "/c"})
    assert "/c/stenod/stenod.toml" == str(elsewhere.configuration)


@pytest.mark.parametrize("user", [False, True])
@pytest.mark.parametrize("name", ["", "hall"])
def test_the_units_are_as_the_places_say(user: bool, name: str) -> None:
    """The unit by itself, installed by hand, uses the same configuration and journal."""
    place = place_of(user=user, name=name, environment={"HOME": "/h"})
    text = place.text.replace("%i", name).replace("%E", "/h/.config").replace("%h", "/h")
    assert f"run --config {place.configuration}\n" in text
    assert f"Documentation=file://{place.configuration}\n" in text
    state = f"STENOD_STATE_DIR={place.state}" if user else f"StateDirectory={place.state.name}"
    assert state in text
    assert ("LogsDirectory=" in text) == (place.logs is not None)
    assert place.logs is None or f"LogsDirectory={place.logs.name}\n" in text


@pytest.mark.parametrize("folder", ["", "user/"])
def test_an_instance_is_as_strict_as_the_one(folder: str) -> None:
    """They differ in names only."""
    one, many = (settings(packaged(folder + name)) for name in ("stenod.service", "stenod@.service"))
    named = [re.sub(r"( of|-)? ?%i", "", line.replace("%i.toml", "stenod.toml")) for line in many]
    assert one == named


@pytest.mark.parametrize("name", [*UNITS, "sound-server.conf"])
def test_the_package_has_the_files_of_the_repository(name: str) -> None:
    """One source: what the wheel takes in are these."""
    assert (ROOT / "systemd" / name).read_text() == packaged(name)
    included = (ROOT / "pyproject.toml").read_text().partition("force-include]")[2].partition("\n\n")[0]
    assert f'"systemd/{name}"' in included or '"systemd/user"' in included
    assert '"config/stenod.toml" = "stenod/data/stenod.toml"' in included


def test_the_drop_in() -> None:
    """This very program, the keys that are needed, and nothing else."""
    place = place_of(user=False, name="", environment={})
    assert [
        "ExecStart=",
        "ExecStart=/opt/stenod/bin/stenod run --config /etc/stenod/stenod.toml",
    ] == settings(drop_in(place, ["/opt/stenod/bin/stenod"], {}))
    keys = {"assemblyai": Path("/etc/x.cred"), "deepgram": Path("/etc/50%.key")}
    assert [
        "LoadCredentialEncrypted=assemblyai:/etc/x.cred",
        "LoadCredential=deepgram:/etc/50%%.key",
    ] == settings(drop_in(place, ["/bin/stenod"], keys))[2:]


def test_the_drop_in_for_a_program_in_a_home() -> None:
    """It is opened for reading only."""
    place = place_of(user=False, name="", environment={})
    assert "ProtectHome=read-only" == settings(drop_in(place, ["/bin/stenod"], {}, home=True))[-1]


def test_the_drop_in_for_a_sound_server() -> None:
    """A service of the system sees no device then; a user's own has no such lines."""
    place = place_of(user=False, name="", environment={})
    assert ["DeviceAllow=", "PrivateDevices=yes", 'Environment="PULSE_SERVER=unix:/run/my pulse/native"'] == settings(
        sound_server(place, "unix:/run/my pulse/native")
    )
    own = place_of(user=True, name="", environment={})
    assert ["Environment=PULSE_SERVER=x"] == settings(sound_server(own, "x"))


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("/a/b", "/a/b"),
        ("/my dir/x", '"/my dir/x"'),
        ("50%", "50%%"),
        ("$HOME", "$$HOME"),
        ("", '""'),
        ('a"b', '"a\\"b"'),
    ],
)
def test_words_of_a_unit(word: str, text: str) -> None:
    """No specifier, no variable, no second word."""
    assert text == quoted(word)


def test_which_program_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script by its whole path; the interpreter where it was started as a module."""
    script = tmp_path / "stenod"
    assert ["/bin/python", "-m", "stenod"] == own_program([str(script)], "/bin/python"), "there is no such file"
    script.touch()
    assert [str(script)] == own_program([str(script)], "/bin/python")
    link = tmp_path / "elsewhere" / "stenod"
    link.parent.mkdir()
    link.symlink_to("../stenod")
    assert [str(script)] == own_program([str(link)], "/bin/python")
    monkeypatch.chdir(tmp_path)
    assert [str(script)] == own_program(["stenod"], "/bin/python")
    assert ["/bin/python", "-m", "stenod"] == own_program(["/x/stenod/__main__.py"], "/bin/python")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_home_of_somebody_else_has_no_service_of_ours() -> None:
    """As under `sudo -u`; those of the system are found all the same."""
    with tempfile.TemporaryDirectory() as place:
        home, root = Path(place) / "home", Path(place) / "root"
        for units in (home / ".config/systemd/user", root / "etc/systemd/system"):
            units.mkdir(parents=True)
            (units / "stenod.service").touch()
        environment = {"HOME": str(home)}
        assert [True, False] == [one.user for one in installed(environment, root)]
        Path(place).chmod(0o755)
        home.chmod(0o700)
        os.seteuid(65534)
        try:
            assert [False] == [one.user for one in installed(environment, root)]
            assert own_journal(environment) is None
        finally:
            os.seteuid(0)
