"""Into a session, with something to fetch before."""

from collections.abc import Callable

import pytest
import trio

from fakes.connection import FakeConnection
from fakes.dialect import ToyDialect
from stenod.core.transport import ConnectionEnded
from stenod.providers.base import Errand, Request
from stenod.tasks.entrance import Entrance


class TokenDialect(ToyDialect):
    """Needs a token for each session."""

    def request(self, *, key: str, rate: int) -> Errand:  # type: ignore[override]
        def opened(status: int, body: str) -> Request:
            if status != 200:
                raise ConnectionEnded(body, http_status=status)
            return Request(url=f"ws://toy?token={body}", secret=body)

        return Errand(url="http://toy/token", headers=(("key", key),), request=opened)


class Porter:
    """Hands out tokens, and opens to who has one."""

    def __init__(self, *, answer: tuple[int, str] = (200, "t1"), fetch_seconds: float = 0.0) -> None:
        self.asked: list[tuple[object, ...]] = []
        self._answer = answer
        self._fetch_seconds = fetch_seconds

    async def fetch(self, url: str, headers: tuple[tuple[str, str], ...], *, seconds: float) -> tuple[int, str]:
        """Answer."""
        self.asked.append((url, headers, seconds))
        await trio.sleep(self._fetch_seconds)
        return self._answer

    async def connect(
        self, nursery: trio.Nursery, url: str, headers: tuple[tuple[str, str], ...], *, seconds: float
    ) -> FakeConnection:
        """Open."""
        await trio.lowlevel.checkpoint()
        self.asked.append((url, headers, seconds))
        return FakeConnection()

    def entrance(self, dialect: Callable[[], ToyDialect] = TokenDialect) -> Entrance:
        """Return one session's way in."""
        return Entrance(dialect=dialect(), key="k", rate=1000, connect=self.connect, fetch=self.fetch)


async def test_a_token_for_each_session(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It is fetched with the key, the session is opened with it, within one deadline, and errors do not show it."""
    porter = Porter(fetch_seconds=3.0)
    entrance = porter.entrance()
    assert "t1 is" == entrance.masked("t1 is")
    await entrance.open(nursery, seconds=10.0)
    assert [("http://toy/token", (("key", "k"),), 10.0), ("ws://toy?token=t1", (), 7.0)] == porter.asked
    assert "**** is not welcome" == entrance.masked("t1 is not welcome")


async def test_a_refusal_is_the_end(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Nobody connects without what was to be fetched."""
    porter = Porter(answer=(401, "bad key"))
    with pytest.raises(ConnectionEnded, match="bad key") as caught:
        await porter.entrance().open(nursery, seconds=10.0)
    assert (401, 1) == (caught.value.http_status, len(porter.asked))


async def test_no_time_is_left(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Fetching is part of the opening."""
    porter = Porter(fetch_seconds=10.0)
    with pytest.raises(ConnectionEnded, match=r"^opening-deadline: ") as caught:
        await porter.entrance().open(nursery, seconds=10.0)
    assert (True, 1) == (caught.value.local, len(porter.asked))


async def test_nothing_to_fetch(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Most dialects know at once how to open a session."""
    porter = Porter()
    await porter.entrance(ToyDialect).open(nursery, seconds=10.0)
    assert [("ws://toy/1000", (("key", "k"),), 10.0)] == porter.asked
