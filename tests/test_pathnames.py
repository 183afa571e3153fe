"""What a path means, and what is none."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from stenod.pathnames import check_directory, check_key_file, check_path, directory, expanded
from stenod.values import Unfit


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a state directory as of any file."""
    monkeypatch.setenv("HOME", "/srv/ada")
    assert [Path("/srv/ada/x")] * 2 == [expanded("~/x"), directory("~/x")]
    assert Path("x/~") == directory("x/~")


@pytest.mark.parametrize("meaning", [expanded, directory])
@pytest.mark.parametrize(
    ("value", "told"),
    [("a\0b", r'"a\u0000b" holds a NUL byte'), ("~nobody-has-this/x", 'nobody has the home directory of "~nobody')],
)
def test_what_no_file_can_be_called(meaning: Callable[[str], Path], value: str, told: str) -> None:
    """A clause that shows it."""
    with pytest.raises(ValueError, match=re.escape(told)):
        meaning(value)


def test_a_state_directory_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other files may have any name that the system has for them; so may not the home that `~` stands for."""
    assert Path("st/x\udcff") == expanded("st/x\udcff")
    monkeypatch.setenv("HOME", "/srv/\udcff")
    for value in ("st/x\udcff", "~/x"):
        with pytest.raises(ValueError, match=r"\\udcff.* is not UTF-8"):
            directory(value)


@pytest.mark.parametrize("check", [check_path, check_directory, check_key_file])
def test_an_option_says_what_is_allowed(check: Callable[[str], None]) -> None:
    """A plain one is fine."""
    check("a/b")
    with pytest.raises(Unfit, match=r"NUL byte; allowed: a path; ~/ is your own"):
        check("a\0b")


def test_a_key_is_not_shown() -> None:
    """Where its file is wanted."""
    with pytest.raises(Unfit) as caught:
        check_key_file("0123456789abcdef" * 2)
    assert "0123" not in str(caught.value)
