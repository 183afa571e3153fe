"""What waits: a recording behind an outage, a daemon that is stopped, a reader that is slow."""

import pytest

from fakes.world import DialFault, World, simulate
from simulation.accounting import account
from stenod.core.source import WAITING_SECONDS_MAX
from stenod.emulator.faults import Fault


@pytest.mark.slow
def test_a_recording_waits_for_its_provider() -> None:
    """Five minutes without a provider: the file waits; no gap, nothing late, no word missing."""
    faults = (Fault(kind="drop", wall=60.0, count=1), Fault(kind="refuse", wall=60.0, duration=300.0))
    world = simulate(live=False, seconds=400.0, faults=faults)
    account(world)
    assert [] == world.output.of("gap")
    assert [] == [final for final in world.output.of("final") if final["late"]]
    assert world.seen.lag_seconds_max < WAITING_SECONDS_MAX + 1.0
    assert world.ended_at < 400.0 + 300.0 + 40.0


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["assemblyai", "assemblyai-v2", "deepgram", "deepgram-flux"])
def test_a_recording_without_a_pause(provider: str) -> None:
    """Nothing of a turn is settled for minutes: the file is read on all the same, and no silence ends the turn."""
    world = simulate(provider=provider, live=False, seconds=150.0, plan="continuous")
    account(world, late_words_max=0)
    assert world.ended_at < 150.0 + 10.0


OUTAGE = DialFault(kind="route", start=60.0, end=660.0)
CUT = Fault(kind="drop", wall=60.0, count=1)


def first_live_delay(world: World) -> float:
    """Return how long after the outage's end the first live line came that was spoken after it."""
    live = [
        at
        for at, line in zip(world.output.times, world.output.lines, strict=True)
        if line["type"] == "final" and not line["late"] and line["end"] > OUTAGE.end
    ]
    return live[0] - OUTAGE.end


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["dialogue", "continuous"])
@pytest.mark.parametrize("realism", [False, True])
def test_captions_are_live_again_at_once_after_ten_minutes(plan: str, realism: bool) -> None:
    """The first live line comes as if nothing had been; the backlog is complete, on a session of its own."""
    world = simulate(seconds=900.0, plan=plan, realism=realism, faults=(CUT,), dial_faults=(OUTAGE,))
    account(world)
    late = [final for final in world.output.of("final") if final["late"]]
    assert sum(len(final["words"]) for final in late) > 500
    if plan == "dialogue":
        assert first_live_delay(world) < 45.0
        assert world.ended_at < 660.0 + 600.0 / 1.2 + 60.0


@pytest.mark.slow
def test_in_the_order_of_time_after_ten_minutes() -> None:
    """One session makes up for the outage, and no line comes before an earlier one."""
    world = simulate(seconds=900.0, in_order=True, faults=(CUT,), dial_faults=(OUTAGE,))
    account(world, late_words_max=0)
    starts = [final["start"] for final in world.output.of("final")]
    assert starts == sorted(starts)
    assert 2 == len([line for line in world.output.of("session") if line["event"] == "ready"])


@pytest.mark.slow
def test_in_the_order_of_time_when_an_old_session_dies_draining() -> None:
    """What it leaves is its successor's, before anything else: nobody else would ever hear it."""
    mute = Fault(kind="mute", audio=20.0, session=0)
    world = simulate(seconds=90.0, in_order=True, limit_seconds=60.0, faults=(mute,))
    account(world, late_words_max=0)


@pytest.mark.slow
def test_outages_one_after_the_other() -> None:
    """What falls behind while the last backlog is being heard queues up."""
    dials = tuple(DialFault(kind="route", start=at, end=at + 90.0) for at in (60.0, 200.0, 340.0))
    cuts = tuple(Fault(kind="drop", wall=dial.start, count=2) for dial in dials)
    world = simulate(seconds=600.0, faults=cuts, dial_faults=dials)
    account(world)
    assert len(world.log.of("backlog.begun")) == 3
    assert any(final["late"] for final in world.output.of("final"))


@pytest.mark.slow
@pytest.mark.parametrize("limit_seconds", [10_800.0, 100.0])
def test_a_provider_that_takes_one_session(limit_seconds: float) -> None:
    """The late session is refused for longer than a minute: then one session does it all, and nothing is lost."""
    world = simulate(
        seconds=600.0,
        sessions_max=1,
        limit_seconds=limit_seconds,
        faults=(CUT,),
        dial_faults=(DialFault(kind="route", start=60.0, end=120.0),),
    )
    account(world)
    assert 1 == len(world.log.of("provider.takes_one_session"))
    assert any(final["late"] for final in world.output.of("final"))


@pytest.mark.slow
@pytest.mark.parametrize("limit_seconds", [10_800.0, 60.0])
def test_one_session_only(limit_seconds: float) -> None:
    """Where a person wants one session, there are never two, through an outage and through hand-overs."""
    world = simulate(
        seconds=300.0,
        one_session=True,
        sessions_max=1,
        limit_seconds=limit_seconds,
        faults=(CUT,),
        dial_faults=(DialFault(kind="route", start=60.0, end=120.0),),
    )
    account(world)
    assert not [
        line for line in world.output.of("session") if line["verdict"] not in (None, "reopen", "retry", "backoff")
    ]
    refused = [fields for _, fields in world.log.of("session.ended") if fields["rule"] == "too-many-sessions"]
    assert [] == refused


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [0.05, 3.3, 31.7, 47.0])
@pytest.mark.parametrize("live", [True, False])
def test_stopped_by_a_person(live: bool, stop_at: float) -> None:
    """What was captured (live) or sent (a file) still gets its words; what remains waits for the next run."""
    world = simulate(seconds=120.0, live=live, stop_at=stop_at)
    assert world.outcome.stopped
    assert world.ended_at < stop_at + 1.0
    if live:
        account(world)
    assert len(world.output.of("final")) >= int(stop_at / 10)


@pytest.mark.slow
def test_a_slow_reader_of_the_output() -> None:
    """A reader that takes two seconds a line makes the outbox longer, and stalls nobody."""
    world = simulate(seconds=120.0, write_seconds=2.0)
    account(world)
    assert world.seen.pending_seconds_max < 10.0


@pytest.mark.slow
def test_partials_come_before_their_finals() -> None:
    """Unfinished turns are shown at once and do not disturb the account."""
    world = simulate(seconds=60.0, partials=True)
    account(world)
    partials = world.output.of("partial")
    assert len(partials) > 60
    assert {partial["session"] for partial in partials} == {final["session"] for final in world.output.of("final")}


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["assemblyai", "assemblyai-v2", "deepgram", "deepgram-flux"])
def test_live_words_before_the_share_of_a_session_that_dies(provider: str) -> None:
    """It went live while the device was away, said two seconds of what was before, and died: the late one knows."""
    routes = ((75.0, 100.0), (119.0, 140.0))
    dials = tuple(DialFault(kind="route", start=start, end=end) for start, end in routes)
    cuts = tuple(Fault(kind="drop", wall=start, count=2) for start, _ in routes)
    world = simulate(
        provider=provider,
        plan="continuous",
        seconds=200.0,
        faults=cuts,
        dial_faults=dials,
        device_outages=((91.27, 103.92),),
    )
    account(world)


@pytest.mark.slow
@pytest.mark.parametrize("device_lost_at", [13.7, 13.9, 14.1])
def test_a_line_of_others_whose_first_word_is_padded_to_before_a_late_share(device_lost_at: float) -> None:
    """It lies in that share all the same, and its words are not said again there."""
    world = simulate(
        provider="deepgram",
        plan="dialogue",
        seed=8,
        realism=True,
        seconds=60.0,
        limit_seconds=30.0,
        block_seconds=0.1,
        device_outages=((device_lost_at, 47.4),),
        faults=(Fault(kind="black-hole", wall=24.4, duration=9.3),),
    )
    account(world)
    assert 1 == len(world.log.of("span.late"))


@pytest.mark.slow
@pytest.mark.parametrize("device_lost_at", [10.4, 9.6])
@pytest.mark.parametrize("provider", ["assemblyai", "assemblyai-v2", "deepgram", "deepgram-flux"])
@pytest.mark.parametrize("plan", ["dialogue", "continuous"])
def test_a_late_session_beside_one_that_still_owes_its_overlap(plan: str, provider: str, device_lost_at: float) -> None:
    """What the live one says of the late share meanwhile ends no word there in its midst."""
    world = simulate(
        provider=provider,
        plan=plan,
        seconds=75.0,
        late_after_seconds=3.0,
        faults=(Fault(kind="drop", wall=5.2, count=1),),
        dial_faults=(DialFault(kind="route", start=5.2, end=10.4),),
        device_outages=((device_lost_at, 70.4),),
    )
    account(world)


@pytest.mark.slow
@pytest.mark.parametrize("live_from", [15.9, 16.06, 16.22, 16.38])
def test_a_device_lost_in_mid_word(live_from: float) -> None:
    """The rest of it, too short for a message, is heard before any other silence."""
    world = simulate(
        provider="assemblyai-v2",
        plan="dialogue",
        seconds=50.0,
        block_seconds=0.2,
        chunk_seconds=0.2,
        latency_seconds=0.3,
        late_after_seconds=3.0,
        faults=(Fault(kind="drop", wall=8.17, count=1),),
        dial_faults=(DialFault(kind="route", start=8.17, end=live_from),),
        device_outages=((20.163, 40.163),),
    )
    account(world)
