"""A provider that refuses, another that takes over, and the right key in the end: no word is lost on the way."""

import pytest

from fakes.world import DialFault, World, simulate
from simulation.accounting import account, attempts, order, pace, tiles, words
from stenod.emulator.faults import Fault

BAD_KEY = "Unauthorized Connection: Invalid API key"
NO_BALANCE = "Unauthorized Connection: Account balance"


def hold(world: World) -> None:
    """Assert what must be true of several providers together."""
    wrong = [f"{check.__name__}: {one}" for check in (words, order, tiles, attempts, pace) for one in check(world)]
    assert [] == wrong


def providers(world: World) -> list[str]:
    """Return who said the lines, in order, each change once."""
    said: list[str] = []
    for final in world.output.of("final"):
        if not said or said[-1] != final["provider"]:
            said.append(final["provider"])
    return said


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["dialogue", "continuous"])
@pytest.mark.parametrize("realism", [False, True])
def test_fatal_in_mid_sentence(plan: str, realism: bool) -> None:
    """The second provider's first line covers the sentence; the first one is taken back when it accepts again."""
    refusals = (Fault(kind="error", audio=33.3, code=1008, text=BAD_KEY, session=0, count=1),)
    world = simulate(seconds=900.0, plan=plan, realism=realism, faults=refusals, second_faults=())
    hold(world)
    first, *_ = [final for final in world.output.of("final") if final["provider"] == "second"]
    assert first["start"] <= 33.3 + 1.0
    assert ["second", "assemblyai"] == providers(world)[-2:]
    assert {"fatal", "back"} <= {line["state"] for line in world.output.of("status")}


@pytest.mark.slow
def test_a_provider_that_keeps_dropping_is_left() -> None:
    """Three sessions that die at once open its breaker, and the next provider takes over within seconds."""
    faults = (Fault(kind="begin-then-die", audio=0.0, count=4, duration=0.5),)
    world = simulate(seconds=400.0, faults=faults, second_faults=())
    hold(world)
    assert providers(world)[0] == "second"
    assert providers(world)[-1] == "assemblyai"


@pytest.mark.slow
def test_an_outage_of_the_network_moves_nobody_on() -> None:
    """While nobody answers the audio waits, and the first to answer is the preferred one."""
    cut = (Fault(kind="drop", wall=60.0, count=1),)
    dark = DialFault(kind="route", start=60.0, end=360.0)
    world = simulate(seconds=500.0, faults=cut, dial_faults=(dark,), second_faults=())
    hold(world)
    assert ["assemblyai"] == sorted(set(providers(world)))


@pytest.mark.slow
def test_one_provider_that_is_away_alone() -> None:
    """After a minute the next is asked, and it is there; the first one is taken back."""
    cut = (Fault(kind="drop", wall=60.0, count=1),)
    away = DialFault(kind="refuse", start=60.0, end=360.0, host="simulated")
    world = simulate(seconds=500.0, faults=cut, dial_faults=(away,), second_faults=())
    hold(world)
    changes = [(at, fields["provider"]) for at, fields in world.log.of("provider.changed")]
    assert ["second", "assemblyai"] == [name for _, name in changes]
    assert changes[0][0] == pytest.approx(120.0, abs=5.0)
    assert changes[1][0] == pytest.approx(360.0, abs=45.0)


@pytest.mark.slow
def test_both_refuse_for_good() -> None:
    """A holding service records on, tries both again, and has every word in the end."""
    refusals = tuple(Fault(kind="error", code=1008, text=BAD_KEY, count=2) for _ in range(1))
    world = simulate(seconds=60.0, faults=refusals, second_faults=refusals)
    hold(world)


@pytest.mark.slow
def test_half_an_hour_with_the_wrong_key() -> None:
    """Everything is recorded; with the right key every word of it arrives."""
    world = simulate(seconds=2000.0, key_right_at=1800.0)
    account(world)
    assert world.output.of("final")
    assert all(at >= 1800.0 for at in world.output.times[-len(world.output.of("final")) :])


@pytest.mark.slow
def test_the_balance_is_exhausted_and_refilled() -> None:
    """Without any signal: the probe finds that it may go on."""
    world = simulate(seconds=1500.0, faults=(Fault(kind="error", audio=100.0, code=1008, text=NO_BALANCE, count=1),))
    account(world)
    assert ["fatal", "back"] == [line["state"] for line in world.output.of("status")]
