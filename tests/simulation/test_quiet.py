"""Audio without words: a quiet night and a room full of music pile nothing up and alarm nobody."""

import pytest

from fakes.world import RATE, DialFault, World, simulate
from simulation.accounting import account
from stenod.core.timeline import Span, State
from stenod.emulator.faults import Fault
from stenod.tasks.hush import QuietOptions, QuietPolicy

PENDING_SECONDS_MAX = 20.0
"""Heartbeats come every 5 s, and what they prove is two of them behind; and a turn is pending until it ends."""


def alarms(world: World) -> list[object]:
    """Return the ends that were no plain ones."""
    ends = [line for line in world.output.of("session") if line["event"] == "ended"]
    return [line for line in ends if line["verdict"] != "reopen"]


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["silence", "music"])
def test_nothing_piles_up(plan: str) -> None:
    """Heartbeats settle what has no words; half an hour is one session without an alarm."""
    world = simulate(seconds=1800.0, plan=plan, chunk_seconds=0.5, block_seconds=0.5)
    account(world)
    assert [] == alarms(world)
    assert 1 == len(world.seen.dials)
    assert world.seen.pending_seconds_max < PENDING_SECONDS_MAX
    assert world.seen.lag_seconds_max < PENDING_SECONDS_MAX


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["silence", "music"])
def test_a_quiet_room_loses_its_connection_too(plan: str) -> None:
    """What is sent again in a hurry stays unproven without words: a goodbye settles it before it grows for ever."""
    world = simulate(seconds=1200.0, plan=plan, chunk_seconds=0.5, faults=(Fault(kind="drop", audio=200.0),))
    account(world)
    assert world.seen.pending_seconds_max < 120.0
    assert world.ended_at < 1200.0 + 70.0


@pytest.mark.slow
def test_a_long_outage_in_a_room_with_music() -> None:
    """A backlog without words is settled by the goodbye of the session that heard it."""
    world = simulate(
        seconds=1500.0,
        plan="music",
        chunk_seconds=0.5,
        faults=(Fault(kind="drop", wall=60.0, count=1),),
        dial_faults=(DialFault(kind="route", start=60.0, end=360.0),),
    )
    account(world)
    assert 1 == len(world.log.of("span.late"))
    assert max(fields["settled_seconds"] for _, fields in world.log.of("session.ended")) > 290.0


@pytest.mark.slow
def test_music_hands_over_though_it_is_never_quiet() -> None:
    """Where there is no quiet point the hand-over happens at its deadline; without words nothing is lost."""
    world = simulate(seconds=300.0, plan="music", limit_seconds=60.0)
    account(world)
    assert [] == alarms(world)


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["silence", "dialogue"])
@pytest.mark.parametrize("policy", [QuietPolicy.PAUSE, QuietPolicy.PARK])
@pytest.mark.parametrize(
    "faults", [(), (Fault(kind="drop", wall=100.0), Fault(kind="black-hole", wall=205.0, duration=20.0))]
)
def test_quiet_is_not_sent(plan: str, policy: QuietPolicy, faults: tuple[Fault, ...]) -> None:
    """Whatever breaks: every word comes out with its first syllable, and a silent room costs next to nothing."""
    world = simulate(
        seconds=600.0,
        plan=plan,
        quiet=QuietOptions(policy=policy, hold_seconds=4.0),
        limit_seconds=300.0,
        faults=faults,
    )
    account(world)
    sent = sum(seconds for connection in world.seen.audio for _, seconds in connection)
    if plan == "silence":
        assert sent < 120.0
        assert sum(span.count for span in quiet_spans(world)) > 480.0 * RATE
    if plan == "silence" and policy is QuietPolicy.PARK:
        open_seconds = sum(line["billed_seconds"] or 0.0 for line in world.output.of("session"))
        assert open_seconds < 240.0


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["assemblyai", "assemblyai-v2", "deepgram", "deepgram-flux"])
@pytest.mark.parametrize("policy", [QuietPolicy.PAUSE, QuietPolicy.PARK])
@pytest.mark.parametrize(("out_until", "in_order"), [(61.0, False), (64.0, False), (90.0, True)])
def test_an_outage_that_ends_in_the_quiet(provider: str, policy: QuietPolicy, out_until: float, in_order: bool) -> None:
    """What was said before the quiet is said now, whole, and does not wait for the next sound."""
    world = simulate(
        provider=provider,
        seconds=260.0,
        plan="dialogue",
        muted=((60.0, 240.0),),
        quiet=QuietOptions(policy=policy, hold_seconds=3.0),
        in_order=in_order,
        faults=(Fault(kind="drop", wall=50.0, count=1),),
        dial_faults=(DialFault(kind="refuse", start=50.0, end=out_until),),
    )
    account(world)
    printed = [
        at
        for at, line in zip(world.output.times, world.output.lines, strict=True)
        if line["type"] == "final" and line["end"] <= 60.0
    ]
    assert printed[-1] < out_until + 60.0


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["assemblyai", "deepgram"])
def test_a_session_that_dies_as_it_is_parked(provider: str) -> None:
    """Its last words are not proven: they are heard again at once, and the audio may end meanwhile."""
    world = simulate(
        provider=provider,
        seconds=20.0,
        plan="dialogue",
        muted=((10.0, 60.0),),
        latency_seconds=0.1,
        quiet=QuietOptions(policy=QuietPolicy.PARK, hold_seconds=0.5),
        faults=(Fault(kind="drop", wall=10.65, count=1),),
    )
    account(world)
    assert world.output.times[-1] < 21.0


@pytest.mark.slow
def test_catching_up_in_one_session_skips_what_is_quiet() -> None:
    """Ten minutes of a silent room are made up for in a moment, and in order."""
    world = simulate(
        seconds=900.0,
        plan="silence",
        in_order=True,
        faults=(Fault(kind="drop", wall=60.0, count=1),),
        dial_faults=(DialFault(kind="route", start=60.0, end=660.0),),
    )
    account(world, late_words_max=0)
    caught_up = [at for at, _, event, fields in world.log.lines if event == "session.opened"][-1]
    assert caught_up < 670.0
    words = [
        (at, line["end"])
        for at, line in zip(world.output.times, world.output.lines, strict=True)
        if line["type"] == "final"
    ]
    assert max(at - end for at, end in words if 660.0 < at) < 600.0
    assert max((at - end for at, end in words if end > 700.0), default=0.0) < 30.0


def quiet_spans(world: World) -> list[Span]:
    """Return what was settled as quiet."""
    return [Span(span.start, span.end) for span in world.journal.settled() if span.state is State.QUIET]


@pytest.mark.slow
@pytest.mark.parametrize("policy", [QuietPolicy.PAUSE, QuietPolicy.PARK])
@pytest.mark.parametrize("block_seconds", [0.0273, 0.0937])
def test_a_source_whose_pieces_are_no_blocks(policy: QuietPolicy, block_seconds: float) -> None:
    """A pipe's pieces end anywhere; quiet is told all the same, and nobody waits busily for the rest of a block."""
    quiet = QuietOptions(policy=policy, hold_seconds=4.0)
    account(simulate(seconds=120.0, plan="silence", block_seconds=block_seconds, quiet=quiet))
