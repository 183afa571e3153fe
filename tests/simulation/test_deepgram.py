"""Silences of every kind with servers that are impatient: 10 s without a message, 30 s with nothing to answer.

Word times count the audio that a session was fed, not the clock; so each silence that was not sent would show in them.
"""

import pytest

from fakes.world import RATE, DialFault, World, simulate
from simulation.accounting import account, spans_of
from stenod.core.timeline import State
from stenod.emulator import log
from stenod.emulator.faults import Fault
from stenod.tasks.hush import QuietOptions, QuietPolicy

pytestmark = [pytest.mark.slow]

GOODBYE = {"deepgram": 1000, "deepgram-flux": 1005}
EVERY = pytest.mark.parametrize("provider", GOODBYE)
MUTED = (10.0, 70.0)


def lived_through(world: World) -> None:
    """Nothing is lost, each word is at its time, and one session heard it all, to our own goodbye."""
    account(world)
    ended = world.emulator.log.of(log.Ended)
    assert [(GOODBYE[world.conditions.provider], "client")] == [(end.code, end.by) for end in ended]
    assert 1 == len(world.seen.dials)
    assert [] == world.log.of("retry.scheduled")


def after(world: World, seconds: float) -> list[str]:
    """Return the words that were printed from some time on."""
    return [w["text"] for final in world.output.of("final") for w in final["words"] if w["start"] >= seconds]


@EVERY
@pytest.mark.parametrize("policy", [QuietPolicy.SEND, QuietPolicy.PAUSE])
def test_a_muted_microphone(provider: str, policy: QuietPolicy) -> None:
    """Exact zeros for a minute, sent or not: the session lives, and words behind them are where they were said."""
    quiet = QuietOptions(policy=policy, hold_seconds=4.0)
    world = simulate(provider=provider, seconds=90.0, muted=(MUTED,), quiet=quiet, block_seconds=0.07)
    lived_through(world)
    assert after(world, MUTED[1])
    assert (policy is QuietPolicy.PAUSE) == bool(spans_of(world, State.QUIET))


@EVERY
@pytest.mark.parametrize("policy", [QuietPolicy.SEND, QuietPolicy.PAUSE])
def test_a_microphone_that_is_muted_from_the_start(provider: str, policy: QuietPolicy) -> None:
    """Where no message of the server has come yet, no KeepAlive holds a session: zeros have to."""
    quiet = QuietOptions(policy=policy, hold_seconds=4.0)
    world = simulate(provider=provider, seconds=60.0, muted=((0.0, 40.0),), quiet=quiet)
    lived_through(world)
    assert after(world, 40.0)


@EVERY
@pytest.mark.parametrize("seed", range(4))
def test_silence_parts_no_word(provider: str, seed: int) -> None:
    """A server that stalls while a session catches up: what waits for the rate rule is speech, with no room in it."""
    faults = (Fault(kind="drop", wall=29.19, count=1), Fault(kind="mute", wall=29.97, count=1, duration=10.0))
    world = simulate(
        provider=provider, seed=659 + seed, seconds=38.6, plan="continuous", faults=faults, latency_seconds=0.05
    )
    account(world)
    heard = world.emulator.log.of(log.Heard)
    assert [] == [one for one in heard if one.kind == "silence" and one.session_end - one.session_start > RATE // 5]


@EVERY
def test_a_start_with_hardly_any_audio(provider: str) -> None:
    """A tenth of a second, too little for any message, then no device for half a minute: the session is held."""
    world = simulate(provider=provider, seconds=60.0, device_outages=((0.15, 32.0),))
    lived_through(world)
    assert after(world, 34.0)


@EVERY
def test_a_device_that_is_away_for_long(provider: str) -> None:
    """In mid-session no audio comes for over a minute: the gap is told, and the session goes on behind it."""
    world = simulate(provider=provider, seconds=110.0, device_outages=((20.0, 90.0),))
    lived_through(world)
    assert after(world, 92.0)
    assert ["device"] == [line["cause"] for line in world.output.of("gap")]


@pytest.mark.parametrize("provider", [*GOODBYE, "assemblyai"])
def test_a_device_that_is_away_for_an_hour(provider: str) -> None:
    """After five minutes the session is ended, and paid for no longer; another one hears the device when it is back."""
    world = simulate(provider=provider, seconds=3700.0, device_outages=((20.0, 3620.0),))
    account(world)
    opened, ended = world.emulator.log.of(log.Opened), world.emulator.log.of(log.Ended)
    assert 2 == len(opened) == len(world.seen.dials)
    assert 320.0 <= ended[0].at <= 330.0
    assert 3620.0 <= opened[1].at <= 3623.0
    assert after(world, 3622.0)
    assert not [final for final in world.output.of("final") if final["late"]]


def test_what_waits_is_transcribed_while_the_device_is_away() -> None:
    """Ten minutes of audio behind an outage of the network, then no device: the session that hears them is not idle.

    Five minutes after its last audio it is, and its goodbye brings the last words.
    """
    world = simulate(
        provider="assemblyai",
        seconds=2000.0,
        in_order=True,
        faults=(Fault(kind="drop", wall=30.0, count=1),),
        dial_faults=(DialFault(kind="route", start=30.0, end=630.0),),
        device_outages=((600.0, 1900.0),),
    )
    account(world)
    lines = zip(world.output.times, world.output.lines, strict=True)
    before = [(at, line["end"]) for at, line in lines if line["type"] == "final" and line["end"] < 605.0]
    assert max(end for _, end in before) > 580.0
    assert max(at for at, _ in before) < 1420.0
    assert after(world, 1905.0)


@EVERY
def test_pauses_of_minutes(provider: str) -> None:
    """A silent room that is not sent: between two sentences the session's clock stands for minutes."""
    quiet = QuietOptions(policy=QuietPolicy.PAUSE, hold_seconds=4.0)
    world = simulate(provider=provider, seconds=480.0, plan="silence", quiet=quiet)
    lived_through(world)
    longest = max(end - start for start, end in spans_of(world, State.QUIET)) / RATE
    sent = sum(seconds for connection in world.seen.audio for _, seconds in connection)
    assert longest > 100.0
    assert sent < 120.0


@EVERY
def test_credit_that_returns_while_it_is_held(provider: str) -> None:
    """No credit for five minutes: asked again after ten, by itself, and everything of the meantime is transcribed."""
    world = simulate(
        provider=provider, seconds=60.0, faults=(Fault(kind="status", status=402, wall=0.0, duration=300.0),)
    )
    account(world)
    assert 2 == len(world.seen.dials)
    assert ["fatal", "back"] == [line["state"] for line in world.output.of("status")]
    assert "Add credit" in world.output.of("status")[0]["remedy"]
