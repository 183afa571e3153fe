"""Two channels of one device, each a stream of its own, on virtual time: neither knows of the other's trouble.

Both are worlds of their own but for the device, the daemon, the ledger, the reader and the provider's account; each
has its own server, so that what goes wrong can go wrong for one.
"""

from bisect import bisect_right
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from fakes.world import (
    PATIENCE_SECONDS,
    RATE,
    CollectedOutput,
    Conditions,
    DialFault,
    OracleSource,
    SilentNotifier,
    World,
    WorldDisk,
    no_signals,
    pause_after,
    seeded_scheduling,
)
from simulation.accounting import ATTEMPTS_MAX, ATTEMPTS_SECONDS, account
from stenod.app import Daemon
from stenod.core.timeline import State
from stenod.edge.ledger import Ledger
from stenod.edge.resampling import Converter
from stenod.emulator.faults import Fault
from stenod.tasks.sharing import SharedSource

PLANS = ("dialogue", "continuous")
NAMES = ("court-judge", "court-counsel")
PROMPT_SECONDS = 1.0
"""So soon after the end of a turn comes its line, where there is no trouble."""


class Courtroom:
    """Two worlds in one daemon; `faults` are those of the second one's server, `every` those of each."""

    def __init__(
        self, *, faults: tuple[Fault, ...] = (), every: tuple[Fault, ...] = (), live: bool = True, **rest: Any
    ) -> None:
        ledger = Ledger(None)
        self.output = CollectedOutput(rest.get("write_seconds", 0.0))
        self.worlds = [
            World(
                Conditions(plan=plan, live=live, faults=(*every, *(faults if plan == PLANS[1] else ())), **rest),
                WorldDisk(ledger=ledger),
                stream,
            )
            for plan, stream in zip(PLANS, NAMES, strict=True)
        ]
        self.notifier = SilentNotifier()
        end = common_pause(max(world.end for world in self.worlds))
        source = OracleSource(self.worlds[0].conditions, end, PLANS)
        self.shared = SharedSource(source, 2) if live else None
        for place, world in enumerate(self.worlds):
            world.end, world.output = end, self.output
            world.providers = self.worlds[0].providers
            world.converter = partial(Converter, channel=place + 1)
            world.source = self.shared.shares[place] if self.shared else OracleSource(world.conditions, end, PLANS)

    async def run(self) -> None:
        """Run the daemon to its end."""
        async with trio.open_nursery() as nursery:
            streams = [world.stream(nursery) for world in self.worlds]
            services = [self.shared.run] if self.shared else []
            log = self.worlds[0].log
            daemon = Daemon(streams, notifier=self.notifier, log=log, signals=no_signals, services=services)
            with trio.fail_after(self.worlds[0].end / RATE + PATIENCE_SECONDS):
                assert 0 == (await daemon.run()).exit_code
            await trio.sleep(PATIENCE_SECONDS / 2)
            nursery.cancel_scope.cancel()
        for world, name in zip(self.worlds, NAMES, strict=True):
            world.finish()
            own = [
                (at, line)
                for at, line in zip(self.output.times, self.output.lines, strict=True)
                if line["stream"] == name
            ]
            world.output = CollectedOutput(0.0)
            world.output.times, world.output.lines = [at for at, _ in own], [line for _, line in own]


def common_pause(sample: int) -> int:
    """Return the first sample from there on that lies in no word of either plan."""
    while (later := max(pause_after(sample, plan) for plan in PLANS)) != sample:
        sample = later
    return sample


def hold(**conditions: Any) -> Courtroom:
    """Run a courtroom and account for each of its streams."""

    async def main() -> Courtroom:
        court = Courtroom(**conditions)
        await court.run()
        return court

    with seeded_scheduling(conditions.get("seed", 0)):
        court = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    for world in court.worlds:
        account(world)
    return court


def delays(world: World) -> list[float]:
    """Return how long after its end each turn was printed."""
    return [
        at - line["end"]
        for at, line in zip(world.output.times, world.output.lines, strict=True)
        if line["type"] == "final"
    ]


def dials_at_once(court: Courtroom) -> int:
    """Return the most dials of both in any ten seconds."""
    dials = sorted(at for world in court.worlds for at in world.seen.dials)
    return max(bisect_right(dials, at + ATTEMPTS_SECONDS - 1e-9) - place for place, at in enumerate(dials))


@pytest.mark.slow
@pytest.mark.parametrize("live", [True, False])
def test_each_stream_has_its_own_words(live: bool) -> None:
    """Each once, at its times, of its channel only, and its records say whose they are."""
    court = hold(live=live, seconds=120.0)
    for world in court.worlds:
        names = {line["id"].rsplit("-", 2)[0] for line in world.output.lines if "id" in line}
        assert {world.journal.stream} == names
        assert {world.journal.stream} == {line["session"].rpartition("-")[0] for line in world.output.of("final")}
    assert 1 == len(court.worlds[0].seen.dials)
    assert court.notifier.ready_at is not None
    first, second = (world.journal.chronology.at(0) for world in court.worlds)
    assert not live or first == second


TROUBLES = {
    "dropped": (Fault(kind="drop", audio=30.0, count=1),),
    "dropped again and again": (Fault(kind="drop", wall=10.0, repeat=7.0, count=3),),
    "stalled": (Fault(kind="mute", audio=20.0, count=2),),
    "deaf": (Fault(kind="deaf", audio=20.0, count=1),),
    "away for half a minute": (Fault(kind="black-hole", wall=30.0, duration=30.0),),
    "refused for a minute": (Fault(kind="drop", wall=30.0, count=1), Fault(kind="refuse", wall=30.0, duration=60.0)),
    "dies at once": (Fault(kind="begin-then-die", audio=0.0, count=5),),
}


@pytest.mark.slow
@pytest.mark.parametrize("faults", TROUBLES.values(), ids=TROUBLES)
def test_the_trouble_of_one_is_not_the_others(faults: tuple[Fault, ...]) -> None:
    """Both lose nothing, and the lines of the first come as promptly as if it were alone, in one session."""
    court = hold(faults=faults, seconds=90.0)
    first, second = court.worlds
    assert 1 == len(first.seen.dials) < len(second.seen.dials)
    assert max(delays(first)) < PROMPT_SECONDS < max(delays(second))


@pytest.mark.slow
def test_both_are_one_client_to_a_provider_that_is_away() -> None:
    """In an outage for all, all attempts together keep the pace of one; afterwards both go on."""
    away = DialFault(kind="refuse", start=19.0, end=60.0)
    court = hold(dial_faults=(away,), every=(Fault(kind="drop", wall=20.0, count=1),), seconds=120.0)
    assert min(len(world.seen.dials) for world in court.worlds) > 3
    assert dials_at_once(court) <= ATTEMPTS_MAX


@pytest.mark.slow
def test_a_device_that_is_away_is_a_gap_in_both() -> None:
    """Of the same samples: the timelines of one device are one time."""
    court = hold(device_outages=((30.0, 41.7),), seconds=90.0)
    gaps = [[one for one in world.journal.settled() if one.state is State.GAP] for world in court.worlds]
    assert gaps[0] == gaps[1]
    assert 11.0 < sum(one.end - one.start for one in gaps[0]) / RATE < 14.0


@pytest.mark.slow
def test_a_reader_that_is_slow_stalls_no_stream() -> None:
    """Lines wait in the outbox of each, and none is mixed up."""
    court = hold(write_seconds=1.0, seconds=60.0)
    assert max(world.seen.lag_seconds_max for world in court.worlds) < 70.0
