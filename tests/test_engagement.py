"""Who transcribes, from the configuration."""

import pytest
import trio

from fakes.log import FakeLog
from stenod import engagement
from stenod.config import load
from stenod.core.verdict import ExitCode


@pytest.mark.slow
async def test_the_engine_inside_is_on_this_machine_only(nursery: trio.Nursery) -> None:
    """With nothing configured it listens on loopback, with a key of this run's own, for nothing."""
    options = load(None, {}).options
    [provider] = await engagement.engaged(options, {}, nursery, FakeLog())
    assert provider.dialect.options.url.startswith("ws://127.0.0.1:")
    assert len(provider.key) == 32
    assert provider.dialect.billing.cost(3600.0) == 0.0
    nursery.cancel_scope.cancel()


async def test_providers_stand_in_their_order(nursery: trio.Nursery) -> None:
    """The engine inside behind others waits for its own time, and is the last resort."""
    chosen = {"providers": ["assemblyai", "local"], "supervisor.local_after_seconds": 600.0}
    options = load(None, {}, chosen).options
    key = {"ASSEMBLYAI_API_KEY": "0123456789abcdef0123456789abcdef"}
    first, second = await engagement.engaged(options, key, nursery, FakeLog())
    assert (first.dialect.name, first.last_resort, first.steps_in_seconds) == ("assemblyai", False, 60.0)
    assert (second.dialect.name, second.last_resort, second.steps_in_seconds) == ("local", True, 600.0)
    nursery.cancel_scope.cancel()


def test_what_is_wrong_is_named_as_in_the_configuration() -> None:
    """By its table, not by the provider's name: that is where a person looks for it."""
    chosen = {"providers": ["assemblyai-v2"]}
    with pytest.raises(engagement.NotPossible, match=r"^assemblyai_v2\.endpoint: ") as wrong:
        engagement.remote(load(None, {}, chosen).options, {}, "assemblyai-v2", FakeLog())
    assert ExitCode.CONFIGURATION == wrong.value.exit_code
    log = FakeLog()
    chosen = {"providers": ["assemblyai-v2"], "assemblyai_v2.endpoint": "ws://10.0.0.7:80"}
    dialect, key = engagement.remote(load(None, {}, chosen).options, {}, "assemblyai-v2", log)
    assert ("assemblyai-v2", "") == (dialect.name, key)
    assert ["assemblyai_v2.endpoint"] == [line["option"] for line in log.of("configuration.odd")]
