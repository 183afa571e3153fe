"""The room that is held for the ledger: really taken, given up once, taken again."""

import os
from pathlib import Path

import pytest

from stenod.edge.reserve import Reserve

SIZE = 65_536


def test_the_room_is_really_taken(tmp_path: Path) -> None:
    """Not a hole: the blocks are there."""
    reserve = Reserve(tmp_path / "reserve", SIZE)
    assert reserve.held
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= SIZE
    assert (tmp_path / "reserve").stat().st_mode & 0o777 == 0o600


def test_it_is_given_once_and_taken_again(tmp_path: Path) -> None:
    """Whoever asks a second time learns that there is none left."""
    reserve = Reserve(tmp_path / "reserve", SIZE)
    assert reserve.give()
    assert not reserve.give()
    assert list(tmp_path.iterdir()) == []
    reserve.take()
    assert reserve.give()


def test_one_from_before_is_taken_over(tmp_path: Path) -> None:
    """A restart holds the same file."""
    Reserve(tmp_path / "reserve", SIZE)
    assert Reserve(tmp_path / "reserve", SIZE).held
    assert len(list(tmp_path.iterdir())) == 1


def test_where_none_can_be_there_is_none(tmp_path: Path, monkeypatch) -> None:
    """A full disk, or no directory: no error, and nothing is left behind."""
    assert not Reserve(tmp_path / "missing" / "reserve", SIZE).held

    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    reserve = Reserve(tmp_path / "reserve", SIZE)
    assert not reserve.give()
    with pytest.raises(OSError, match="No space"):
        reserve.take()
    assert list(tmp_path.iterdir()) == []
