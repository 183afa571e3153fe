"""A provider that takes audio and says nothing, on virtual time: no word is lost, and whoever can answer is asked."""

import pytest

from fakes.world import World, simulate
from simulation.accounting import account
from simulation.test_failover import hold
from stenod.core.timeline import State
from stenod.emulator.faults import Fault

PROVIDERS = ("assemblyai", "assemblyai-v2", "deepgram", "deepgram-flux")


def mute(sessions: int, first: float = 20.0, others: float = 0.3) -> tuple[Fault, ...]:
    """Return faults: the first session falls silent, the next ones as soon as they have accepted, or a little later."""
    return (
        Fault(kind="mute", audio=first, session=0),
        *(Fault(kind="mute", audio=others, session=number) for number in range(1, sessions)),
    )


def states(world: World) -> list[str]:
    """Return what the status records say of the provider."""
    return [line["state"] for line in world.output.of("status") if line["subject"] == "provider"]


@pytest.mark.slow
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_minutes_of_silence(provider: str, live: bool) -> None:
    """Everything is kept and heard in the end; nothing is given up; a person is told once, and that it is over."""
    world = simulate(provider=provider, seconds=120.0, live=live, faults=mute(5))
    account(world, late_words_max=10_000)
    assert not [span for span in world.journal.settled() if span.state is State.GAP]
    assert ["lost", "back"] == states(world)


@pytest.mark.slow
def test_silent_from_the_first_word() -> None:
    """A file, and a provider that has never said anything."""
    world = simulate(provider="deepgram-flux", seconds=60.0, live=False, faults=mute(3, first=0.3))
    account(world, late_words_max=10_000)
    assert not [span for span in world.journal.settled() if span.state is State.GAP]
    assert ["lost", "back"] == states(world)


@pytest.mark.slow
@pytest.mark.parametrize("others", [0.3, 4.0])
@pytest.mark.parametrize("provider", ["assemblyai", "deepgram", "deepgram-flux"])
def test_another_provider_is_asked(provider: str, others: float) -> None:
    """After two sessions without headway; the silent one is asked again when it has had time, and taken back.

    Also where it says a word before it falls silent again, and where it ends such a session itself.
    """
    world = simulate(
        provider=provider, plan="continuous", seconds=900.0, faults=mute(3, others=others), second_faults=()
    )
    hold(world)
    changes = [(at, fields["provider"]) for at, fields in world.log.of("provider.changed")]
    assert "second" == changes[0][1]
    assert changes[0][0] < 20.0 + 2 * 30.0 + 15.0
    assert provider == changes[-1][1]
    assert ["lost", "back"] == states(world)[:1] + states(world)[-1:]


@pytest.mark.slow
def test_another_provider_refuses() -> None:
    """Then the silent one is asked again as if it were the only one."""
    refusals = (Fault(kind="error", code=1008, text="Unauthorized Connection: Invalid API key", count=9),)
    world = simulate(seconds=300.0, faults=mute(3), second_faults=refusals)
    hold(world)
    last = [final for final in world.output.of("final") if not final["late"]][-1]
    assert last["provider"] == "assemblyai"
    assert world.ended_at < 300.0 + 60.0


@pytest.mark.slow
def test_both_are_silent() -> None:
    """Nobody waits for long where nobody is better, and the first to answer has it all."""
    world = simulate(seconds=300.0, faults=mute(3), second_faults=mute(2, first=0.3))
    hold(world)
    assert not [span for span in world.journal.settled() if span.state is State.GAP]


@pytest.mark.slow
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_slow_one_at_the_end_of_a_file(provider: str) -> None:
    """Its last words come long after they are waited for at first: nothing is given up."""
    slow = Fault(kind="slow-messages", audio=0.3, duration=25.0)
    world = simulate(provider=provider, seconds=40.0, live=False, faults=(slow,))
    hold(world)
    assert not [span for span in world.journal.settled() if span.state is State.GAP]
