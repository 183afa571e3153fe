"""Keys: where they come from, what cannot be one, and that they are not shown."""

import os
import traceback
from pathlib import Path

import pytest

from stenod.edge.secrets import Secret, SecretError, SecretMissing, read_key

KEY = "0123456789abcdef0123456789abcdef"


def credential(tmp_path: Path, name: str, text: str) -> dict[str, str]:
    """Return the environment of a service with this credential."""
    (tmp_path / name).write_text(text)
    return {"CREDENTIALS_DIRECTORY": str(tmp_path)}


def test_the_first_place_that_has_a_key_wins(tmp_path: Path) -> None:
    """Systemd credential, then key file, then environment; each says where it was."""
    environment = {"ASSEMBLYAI_API_KEY": "from-environment"}
    file = tmp_path / "key"
    file.write_text("from-file\n")
    file.chmod(0o600)
    found = read_key("assemblyai", environment)
    assert (found.secret.reveal(), found.origin) == ("from-environment", "environment ASSEMBLYAI_API_KEY")
    found = read_key("assemblyai", environment, str(file))
    assert (found.secret.reveal(), found.origin, found.warning) == ("from-file", f"file {file}", "")
    environment |= credential(tmp_path, "assemblyai-api-key", "from-credential")
    found = read_key("assemblyai", environment, str(file))
    assert (found.secret.reveal(), found.origin) == ("from-credential", "systemd credential assemblyai-api-key")
    environment |= credential(tmp_path, "assemblyai", " from-shorter \n")
    assert read_key("assemblyai", environment).secret.reveal() == "from-shorter"


def test_reading_again_sees_a_new_key(tmp_path: Path) -> None:
    """Nothing is remembered between two readings."""
    file = tmp_path / "key"
    for text in ("first-key", "second-key"):
        file.write_text(text)
        assert read_key("assemblyai", {}, str(file)).secret.reveal() == text


@pytest.mark.parametrize("environment", [{}, {"ASSEMBLYAI_API_KEY": "  "}, {"CREDENTIALS_DIRECTORY": "/nonexistent"}])
def test_a_missing_key_names_the_three_places(environment: dict[str, str]) -> None:
    """A person can act on the sentence; the exit code is that of configuration."""
    with pytest.raises(SecretMissing) as caught:
        read_key("assemblyai", environment)
    assert caught.value.exit_code == 78
    for place in ("systemd credential `assemblyai`", "`assemblyai.key_file`", "variable ASSEMBLYAI_API_KEY"):
        assert place in str(caught.value)


def test_a_secret_is_not_shown() -> None:
    """Neither by str, repr, formatting, nor in a container."""
    secret = Secret(KEY)
    for shown in (str(secret), repr(secret), f"{secret}", f"{secret!r:>40}", str([secret]), repr({"a": secret})):
        assert "****" in shown
        assert not any(KEY[i : i + 4] in shown for i in range(len(KEY) - 3))
    assert len(secret) == len(KEY)
    assert secret == Secret(KEY)
    assert secret != KEY
    assert len({secret, Secret(KEY), Secret("other")}) == 2
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize(
    "text",
    ["", " \n", "two words-1234", "line-1234\nline-5678", "nul-1234\0", "tab-1234\tx", "ключ-1234", b"\xff-1234"],
)
def test_what_cannot_be_a_key_is_refused_without_showing_it(tmp_path: Path, text: str | bytes) -> None:
    """Empty, inner spaces, control characters, other alphabets; not even the traceback shows it."""
    file = tmp_path / "key"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SecretError) as caught:
        read_key("assemblyai", {}, str(file))
    assert caught.value.exit_code == 78
    assert str(file) in str(caught.value)
    assert "1234" not in "".join(traceback.format_exception(caught.value))


def test_a_bad_key_in_the_environment_is_refused_without_showing_it() -> None:
    """Also there; it is not skipped as if there were none."""
    with pytest.raises(SecretError, match="environment ASSEMBLYAI_API_KEY: it has spaces") as caught:
        read_key("assemblyai", {"ASSEMBLYAI_API_KEY": f"Bearer {KEY}"})
    assert KEY not in str(caught.value)


def test_a_file_that_is_no_key_file_is_refused(tmp_path: Path) -> None:
    """A missing one, a directory, a large one: each in a sentence."""
    with pytest.raises(SecretError, match=r"cannot read the key file .*: No such file or directory; check the path"):
        read_key("assemblyai", {}, str(tmp_path / "missing"))
    with pytest.raises(SecretError, match="Is a directory"):
        read_key("assemblyai", {}, str(tmp_path))
    (tmp_path / "large").write_text("x" * 5000)
    with pytest.raises(SecretError, match="over 4096 bytes"):
        read_key("assemblyai", {}, str(tmp_path / "large"))


def test_a_key_in_place_of_its_file_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even in the traceback; a file of such a name is read."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SecretError, match="looks like the key itself; name a file that holds it") as caught:
        read_key("assemblyai", {}, KEY)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    Path(KEY).write_text("another-key")
    assert "another-key" == read_key("assemblyai", {}, KEY).secret.reveal()


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_a_key_file_that_everybody_can_read_is_warned_of(tmp_path: Path, mode: int, warned: bool) -> None:
    """The group may be the service's; others may not."""
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(mode)
    warning = read_key("assemblyai", {}, str(file)).warning
    assert warned == (f"chmod o-r {file}" in warning) == bool(warning)


def test_a_key_file_may_be_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is what a person means by it."""
    monkeypatch.setitem(os.environ, "HOME", str(tmp_path))
    (tmp_path / "key").write_text(KEY)
    assert read_key("assemblyai", {}, "~/key").secret == Secret(KEY)
