"""Hand-overs: sessions with short limits, a provider that takes no successor, and audio that ends meanwhile."""

import os
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
import trio

from fakes.world import RATE, DialFault, World, WorldDisk, simulate
from simulation.accounting import account, sound, tiles, words
from stenod.core.sentmap import SentMap
from stenod.emulator import log
from stenod.emulator.faults import Fault
from stenod.providers.assemblyai import AssemblyAI
from stenod.tasks.cutting import AHEAD_SECONDS, DRAIN_SECONDS

OFTEN_SECONDS = float(os.environ.get("STENOD_TEST_ROTATION_SECONDS", "180"))
"""How long the speech is that is handed over every 20 s; an hour takes a minute of one core each."""


def openings(world: World) -> list[log.Opened]:
    """Return the sessions in the order in which they were accepted."""
    return world.emulator.log.of(log.Opened)


@pytest.mark.slow
@pytest.mark.parametrize("limit_seconds", [10.0, 20.0, 60.0])
@pytest.mark.parametrize("latency_seconds", [0.0, 0.15])
def test_sessions_with_short_limits_hand_over_without_a_loss(limit_seconds: float, latency_seconds: float) -> None:
    """For ten minutes nothing is late, no word is cut, and two sessions are open for moments only."""
    world = simulate(seconds=600.0, limit_seconds=limit_seconds, latency_seconds=latency_seconds)
    account(world)
    assert [] == [final for final in world.output.of("final") if final["late"]]
    opened, ended = openings(world), {end.session: end for end in world.emulator.log.of(log.Ended)}
    assert len(opened) >= 600 / limit_seconds
    overlaps = [ended[one.session].at - after.at for one, after in pairwise(opened)]
    assert max(overlaps) < 0.3 * limit_seconds


@pytest.mark.slow
def test_cut_between_words_where_no_pause_is_near() -> None:
    """A hand-over whose time is short ends the old session between two words of a turn, never in one."""
    world = simulate(seconds=120.0, limit_seconds=10.0)
    account(world)
    heard = [world.emulator.log.heard(one.session) for one in openings(world)]
    ends = [max(record.end for record in records) for records in heard if records]
    pauses = [world.pause_around(end) for end in ends]
    assert min(pauses) < 0.2
    assert min(pauses) >= 0.04


@pytest.mark.slow
@pytest.mark.parametrize(("lost_at", "back_at"), [(24.5, 95.0), (26.7, 95.0), (28.0, 95.0), (26.7, 28.1)])
def test_hand_overs_while_the_device_is_away(lost_at: float, back_at: float) -> None:
    """Limits do not wait for audio: sessions follow each other without any, and what is said later is all heard."""
    world = simulate(seconds=120.0, limit_seconds=30.0, device_outages=((lost_at, back_at),))
    account(world)
    assert ["device"] == [line["cause"] for line in world.output.of("gap")]
    assert len(openings(world)) >= 4
    assert [w for final in world.output.of("final") for w in final["words"] if w["start"] > 100.0]


@pytest.mark.slow
def test_an_account_with_one_session_at_a_time() -> None:
    """Where the provider takes no second session, the old one says goodbye first, and before its limit."""
    world = simulate(seconds=150.0, limit_seconds=60.0, sessions_max=1)
    account(world)
    assert len(world.log.of("rotation.alone")) >= 2


@pytest.mark.slow
def test_a_provider_that_is_away_when_the_successor_is_due() -> None:
    """The old session ends before its limit; what follows waits in the journal."""
    world = simulate(seconds=120.0, limit_seconds=60.0, dial_faults=(DialFault(kind="refuse", start=30.0, end=70.0),))
    account(world)
    assert len(world.log.of("rotation.alone")) == 1


@pytest.mark.slow
def test_a_slow_successor_is_still_cut_in_quiet() -> None:
    """Openings of nine seconds leave little time to find a pause."""
    world = simulate(seconds=120.0, limit_seconds=30.0, faults=(Fault(kind="slow", duration=9.3),))
    account(world)


@pytest.mark.slow
def test_the_audio_ends_while_no_successor_can_be_opened() -> None:
    """The old session takes the rest, and the opening that nobody needs any more is given up."""
    world = simulate(seconds=40.0, limit_seconds=60.0, dial_faults=(DialFault(kind="refuse", start=30.0, end=900.0),))
    account(world)
    assert world.ended_at < world.end / 16_000 + 1.0


@pytest.mark.slow
def test_the_old_session_breaks_while_a_pause_is_looked_for() -> None:
    """A hand-over whose old session dies before the cut loses and repeats nothing."""
    for second in range(36, 46):
        account(simulate(seconds=60.0, limit_seconds=60.0, faults=(Fault(kind="drop", wall=second + 0.3, session=0),)))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("plan", ["dialogue", "continuous"])
@pytest.mark.parametrize("realism", [False, True])
def test_a_hand_over_every_twenty_seconds(monkeypatch: pytest.MonkeyPatch, plan: str, realism: bool) -> None:
    """No word is lost, none comes twice; what is sent keeps up with what is captured, and no two sessions linger.

    The lag is that of sending: how far the first sample of each chunk lies behind the tail when the chunk goes out. It
    is a chunk and what came while it was cut. Where speech never pauses, both hear the overlap, side by side.
    """
    worlds: list[World] = []
    behind: list[tuple[float, float]] = []
    add = SentMap.add

    def noted(self: SentMap, stream: int | None, count: int) -> None:
        if stream is not None:
            behind.append((trio.current_time(), (worlds[0].journal.tail - stream) / self.rate))
        add(self, stream, count)

    monkeypatch.setattr(SentMap, "add", noted)
    world = simulate(seconds=OFTEN_SECONDS, plan=plan, realism=realism, limit_seconds=30.0, prepare=worlds.append)
    account(world, late_words_max=0)
    assert len(world.log.of("session.rotated")) >= OFTEN_SECONDS / 25.0
    chunk = world.conditions.chunk_seconds + world.conditions.block_seconds
    begun = [sent[0][0] for sent in world.seen.audio if sent]
    assert [(at, lag) for at, lag in behind if lag > chunk + 0.001 and at <= world.end / RATE] == []
    ended = {end.session: end.at for end in world.emulator.log.of(log.Ended)}
    fed = [ended[old.session] - start for old, start in zip(openings(world), begun[1:], strict=False)]
    assert max(fed) <= DRAIN_SECONDS + (AHEAD_SECONDS if plan == "continuous" else 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("session", [0, 1])
def test_either_session_breaks_while_both_hear(session: int) -> None:
    """Where no pause comes, the successor hears beside the old session: whoever dies then, nothing is lost or doubled.

    Before that, and behind it, too: the moments lie around the whole hand-over.
    """
    for tenth in range(212, 250, 2):
        fault = Fault(kind="drop", wall=tenth / 10, session=session)
        account(simulate(seconds=50.0, plan="continuous", limit_seconds=30.0, faults=(fault,), seed=tenth))


def changed(change: dict[str, object], at: float, world: World) -> None:
    """Let the world's configuration be another one from a moment on."""
    watch = world._watch

    async def watch_and_change() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await trio.sleep(at)
            provider = world.providers[0]
            assert isinstance(provider.dialect, AssemblyAI)
            provider.dialect = AssemblyAI(replace(provider.dialect.options, parameters=change))
            world.supervisor.renew()

    world._watch = watch_and_change  # type: ignore[method-assign]


@pytest.mark.parametrize(("change", "sessions"), [({"max_turn_silence": 900}, 1), ({"speaker_labels": True}, 2)])
def test_new_settings_while_it_runs(change: dict[str, object], sessions: int) -> None:
    """What an open session can be told is told, and it goes on; anything else takes a hand-over. No word is lost."""
    world = simulate(seconds=60.0, prepare=partial(changed, change, 20.0))
    assert sessions == len(openings(world))
    account(world)


@pytest.mark.slow
@pytest.mark.parametrize("at", [10.0, 11.5, 11.9])
def test_new_settings_shortly_before_a_limit(at: float) -> None:
    """The quiet moment that is looked for must come before the limit, as if nothing else were due."""
    world = simulate(
        seconds=30.0, plan="continuous", limit_seconds=20.0, prepare=partial(changed, {"speaker_labels": True}, at)
    )
    account(world)
    assert {"ended-as-asked"} == {fields["rule"] for _, fields in world.log.of("session.ended")}


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["assemblyai", "assemblyai-v2", "deepgram", "deepgram-flux"])
@pytest.mark.parametrize("after_seconds", [0.3, 0.9, 1.1, 1.3])
def test_stopped_while_the_successor_hears_its_overlap(provider: str, after_seconds: float) -> None:
    """What it has heard only the half of is not printed: the next run hears it whole, once."""
    recording = partial(simulate, provider=provider, live=False, plan="continuous")
    handed_over = recording(seconds=24.0, limit_seconds=20.0).log.of("session.rotated")
    disk = WorldDisk()
    before = recording(disk, seconds=24.0, limit_seconds=20.0, stop_at=handed_over[0][0] + after_seconds)
    world = recording(disk, seconds=24.0)
    world.output.lines = before.output.lines + world.output.lines
    assert [] == [*words(world), *tiles(world), *sound(world)]
