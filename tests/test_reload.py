"""A reload: what changes for the sessions to come, what needs a restart, and that nothing wrong is taken over."""

from pathlib import Path
from random import Random

import pytest

from fakes.log import FakeLog
from stenod.config import load
from stenod.core.backoff import Backoff, OpeningBudget
from stenod.engagement import remote
from stenod.reload import Reload
from stenod.tasks.provider import Provider

OLD, NEW = "0" * 32, "1" * 32


class Desk:
    """A configuration with a key file, and a provider made from it."""

    def __init__(self, place: Path) -> None:
        self.file, self.key_file, self.log = place / "stenod.toml", place / "key", FakeLog()
        self.concealed: list[str] = []
        self.write('providers = ["assemblyai"]')
        self.give(OLD)
        loaded = self.load()
        dialect, key = remote(loaded.options, {}, "assemblyai", self.log)
        self.provider = Provider(
            dialect=dialect, key=key, backoff=Backoff(Random(1)), budget=OpeningBudget(10.0), rate_ratio_max=1.25
        )
        self.reload = Reload(
            loaded=loaded,
            load=self.load,
            environment={},
            providers=[self.provider],
            conceal=self.concealed.append,
            log=self.log,
        )

    def load(self) -> object:
        """Read the file again."""
        return load(self.file, {})

    def write(self, *lines: str) -> None:
        """Write the configuration."""
        key = f'[assemblyai]\nkey_file = "{self.key_file}"'
        self.file.write_text("\n".join([*lines, key]))

    def give(self, key: str) -> None:
        """Write the key."""
        self.key_file.write_text(key)
        self.key_file.chmod(0o600)

    def logged(self, event: str) -> list[dict[str, object]]:
        """Return the fields of the lines of this name."""
        return self.log.of(event)


def test_nothing_new_changes_nothing(tmp_path: Path) -> None:
    """SIGHUP out of habit."""
    desk = Desk(tmp_path)
    assert not desk.reload()
    assert desk.provider.key == OLD


def test_a_new_key_is_taken_over(tmp_path: Path) -> None:
    """And never logged."""
    desk = Desk(tmp_path)
    desk.give(NEW)
    assert desk.reload()
    assert desk.provider.key == NEW
    assert desk.concealed == [NEW]
    assert NEW not in str(desk.log.lines)


def test_new_options_of_the_provider_are_taken_over(tmp_path: Path) -> None:
    """The next session is asked for with them; what needs a restart is named."""
    desk = Desk(tmp_path)
    desk.write('providers = ["assemblyai"]\nstream = "hall"')
    with desk.file.open("a") as file:
        file.write('\nparameters = { keyterms_prompt = ["stenod"] }\n')
    assert desk.reload()
    assert "keyterms_prompt" in desk.provider.dialect.request(key="", rate=16_000).url
    assert [{"options": ["stream"]}] == desk.logged("reload.needs_restart")


@pytest.mark.parametrize("wrong", ['providers = ["nobody"]', "this is no toml", '[pacer]\nchunk_ms = "x"'])
def test_what_is_wrong_is_not_taken_over(tmp_path: Path, wrong: str) -> None:
    """The log says what, and everything stays as it was."""
    desk = Desk(tmp_path)
    dialect = desk.provider.dialect
    desk.write(wrong)
    desk.give(NEW)
    assert not desk.reload()
    assert (desk.provider.key, desk.provider.dialect) == (OLD, dialect)
    assert 1 == len(desk.logged("reload.refused"))
    assert desk.reload.refused == str(desk.logged("reload.refused")[0]["reason"]).splitlines()[0]
    desk.write('providers = ["assemblyai"]')
    assert desk.reload()
    assert not desk.reload.refused


@pytest.mark.parametrize("on_fatal", ["hold", "exit"])
def test_a_key_that_cannot_be_read_leaves_the_old_one(tmp_path: Path, on_fatal: str) -> None:
    """Half way through replacing the file is no reason to lose the sessions."""
    desk = Desk(tmp_path)
    desk.write('providers = ["assemblyai"]', f'supervisor.on_fatal = "{on_fatal}"')
    assert desk.reload() is False
    desk.key_file.unlink()
    assert not desk.reload()
    assert desk.provider.key == OLD
