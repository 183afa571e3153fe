"""The watchdog is fed from health only."""

import pytest
import trio

from stenod.tasks.watchdog import PERIOD_SECONDS, Watchdog


class FakeNotifier:
    """A service manager that remembers what it was told."""

    def __init__(self, watchdog_seconds: float | None = None) -> None:
        self.watchdog_seconds = watchdog_seconds
        self.told: list[tuple[float, str]] = []

    def ready(self) -> None:
        """See `tasks.watchdog.Notifier`."""
        self.told.append((trio.current_time(), "ready"))

    def reloading(self) -> None:
        """See `tasks.watchdog.Notifier`."""
        self.told.append((trio.current_time(), "reloading"))

    def stopping(self, seconds_max: float) -> None:
        """See `tasks.watchdog.Notifier`."""
        self.told.append((trio.current_time(), "stopping"))

    def status(self, text: str) -> None:
        """See `tasks.watchdog.Notifier`."""
        self.told.append((trio.current_time(), text))

    def alive(self) -> None:
        """See `tasks.watchdog.Notifier`."""
        self.told.append((trio.current_time(), "alive"))

    def times(self, what: str) -> list[float]:
        """Return when it was told this."""
        return [at for at, told in self.told if told == what]


class Kennel:
    """A watchdog with a switch for health."""

    def __init__(self, nursery: trio.Nursery, watchdog_seconds: float | None) -> None:
        self.notifier = FakeNotifier(watchdog_seconds)
        self.healthy = True
        watchdog = Watchdog(notifier=self.notifier, healthy=lambda: self.healthy, state=lambda: "transcribing")
        nursery.start_soon(watchdog.run)


@pytest.mark.parametrize(("deadline", "period"), [(None, PERIOD_SECONDS), (60.0, 5.0), (9.0, 3.0), (3.0, 1.0)])
async def test_fed_in_time(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, deadline: float | None, period: float
) -> None:
    """Three times within each deadline, at least every five seconds."""
    kennel = Kennel(nursery, deadline)
    await trio.sleep(30.5)
    fed = kennel.notifier.times("alive")
    assert [period * index for index in range(int(30.5 / period) + 1)] == fed


async def test_not_fed_when_it_is_not_well(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The food stops with health, and comes back with it; the status goes on all the time."""
    kennel = Kennel(nursery, None)
    await trio.sleep(7.0)
    kennel.healthy = False
    await trio.sleep(60.0)
    kennel.healthy = True
    await trio.sleep(10.0)
    assert [0.0, 5.0, 70.0, 75.0] == kennel.notifier.times("alive")
    assert ["transcribing"] * 16 == [told for _, told in kennel.notifier.told if told != "alive"]
