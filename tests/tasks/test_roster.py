"""The roster: who is asked, when the next one is, and who is taken back."""

from random import Random

import pytest
import trio

from fakes.connection import fetch_nothing
from fakes.dialect import Behaviour, ToyDialect, ToyServer
from fakes.theatre import Theatre
from stenod.core.backoff import Backoff, OpeningBudget
from stenod.core.transport import ConnectionEnded
from stenod.edge.retry import until_open
from stenod.tasks.provider import Provider
from stenod.tasks.roster import NEVER, Roster
from stenod.tasks.session_options import SessionOptions
from stenod.tasks.sessions import Alone, Fatal, Sessions

AWAY = Behaviour(refuses=ConnectionEnded("unreachable: no route", local=True))
BAD_KEY = Behaviour(error=(None, "bad key"))


class House:
    """Several providers; `choose` of each server says what it does."""

    def __init__(self, nursery: trio.Nursery, *behaviours: Behaviour, local: float | None = None) -> None:
        self.theatre = Theatre(nursery)
        self.servers = [ToyServer(nursery, behaviour) for behaviour in behaviours]
        self.desks = [self._desk(f"p{index}", server) for index, server in enumerate(self.servers)]
        if local is not None:
            self.desks[-1].provider.last_resort = True
            self.desks[-1].provider.steps_in_seconds = local
        theatre = self.theatre
        self.roster = Roster(self.desks, clock=theatre.clock, log=theatre.log)
        self.nursery = nursery

    def _desk(self, name: str, server: ToyServer) -> Sessions:
        theatre = self.theatre
        return Sessions(
            provider=Provider(
                dialect=ToyDialect(name=name),
                key="",
                backoff=Backoff(Random(7)),
                budget=OpeningBudget(600.0),
                rate_ratio_max=1.25,
                steps_in_seconds=60.0,
            ),
            journal=theatre.journal,
            transcript=theatre.transcript,
            options=SessionOptions(),
            clock=theatre.clock,
            connect=server.connect,
            fetch=fetch_nothing,
            until_open=until_open,
            log=theatre.log,
        )

    async def open(self) -> str:
        """Return who accepts."""
        session = await self.roster.open(self.nursery)
        session.abandon()
        await session.over.wait()
        return session.dialect.name


async def test_refused_for_good_moves_on_at_once(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The first is told as fatal, and asked again when its time out is over; who serves is told each time."""
    house = House(nursery, BAD_KEY, Behaviour())
    assert await house.open() == "p1"
    assert trio.current_time() < 1.0
    assert house.roster.better_at() == pytest.approx(600.0, abs=1.0)
    assert house.theatre.states() == ["fatal"]
    assert house.theatre.states("providers") == ["changed"]
    assert await house.open() == "p1"
    house.servers[0].behaviours = [Behaviour()]
    assert await house.roster.better(nursery) is None
    house.roster.probe()
    session = await house.roster.better(nursery)
    assert session is not None
    assert session.dialect.name == "p0"
    assert house.theatre.states("providers") == ["changed", "back"]
    assert house.roster.better_at() == NEVER
    session.abandon()


async def test_unreachable_moves_on_after_a_while(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A minute, by default: seconds are nothing to change a voice for."""
    house = House(nursery, AWAY, Behaviour())
    assert await house.open() == "p1"
    assert trio.current_time() == pytest.approx(60.0, abs=5.0)


async def test_where_none_answers_the_first_to_answer_is_the_preferred(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """An outage of the network: both are asked by their own delays, and nobody serves."""
    house = House(nursery, AWAY, AWAY)

    async def come_back() -> None:
        await trio.sleep(300.0)
        for server in house.servers:
            server.behaviours = [Behaviour()]

    nursery.start_soon(come_back)
    await house.open()
    assert trio.current_time() == pytest.approx(300.0, abs=35.0)
    assert all(10 < len(server.dials) < 70 for server in house.servers)


async def test_refused_by_all(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Only a person can help; afterwards all are asked again."""
    house = House(nursery, BAD_KEY, BAD_KEY)
    with pytest.raises(Fatal):
        await house.open()
    assert house.theatre.states() == ["fatal", "fatal"]
    with pytest.raises(Fatal):
        await house.open()
    assert [2, 2] == [len(server.dials) for server in house.servers]


@pytest.mark.parametrize("first", [AWAY, BAD_KEY])
async def test_the_last_resort_waits_for_its_time(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, first: Behaviour
) -> None:
    """Its words stay: even where the others refuse for good, it takes over only when nobody has answered for long."""
    house = House(nursery, first, Behaviour(), local=900.0)
    assert await house.open() == "p1"
    assert trio.current_time() == pytest.approx(900.0, abs=30.0)


async def test_a_probe_wakes_who_waits(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A person asks: nobody waits for the end of a time out."""
    house = House(nursery, BAD_KEY, Behaviour(), local=86_400.0)

    async def ask() -> None:
        await trio.sleep(30.0)
        house.servers[0].behaviours = [Behaviour()]
        house.roster.probe()

    nursery.start_soon(ask)
    assert await house.open() == "p0"
    assert trio.current_time() == pytest.approx(30.0, abs=1.0)


async def test_a_second_session_that_is_refused_for_longer_than_a_minute(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """Too many openings are a matter of a minute; beyond that the provider takes one session only."""
    house = House(nursery, Behaviour(refuses=ConnectionEnded("too many", http_status=429)))
    with pytest.raises(Alone):
        await house.roster.open(nursery, late=True)
    assert 90.0 <= trio.current_time() < 150.0
    assert len(house.servers[0].dials) < 60
