"""The small parts: account, queue, turns, schedule, endpointing."""

import math

import numpy as np
import pytest
import trio

from stenod.emulator.account import AudioAccount
from stenod.emulator.dialect import Contact, Limits
from stenod.emulator.duequeue import DueQueue, FullError
from stenod.emulator.endpointing import Began, Endpointing, Stopped, Went
from stenod.emulator.engine import Word
from stenod.emulator.faults import Fault
from stenod.emulator.keyring import Keyring
from stenod.emulator.schedule import Schedule
from stenod.emulator.timers import Timer, Timers
from stenod.emulator.turns import TurnBuilder

RATE = 16_000


@pytest.mark.parametrize(("received", "elapsed"), [(314.9, 1.312326), (545.09, 190.29)])
def test_account_agrees_with_what_was_observed(received, elapsed):
    """Both closures whose numbers are public lie just over the limit of 300 s."""
    account = AudioAccount(RATE, 1.25, 0.0)
    for number in range(1000):
        account.receive(round(received * RATE / 1000), elapsed * number / 1000)
    assert 300 < account.ahead_seconds(elapsed) < 315


def test_account_saves_nothing_up():
    """Idle time does not let a later burst be processed faster."""
    account = AudioAccount(RATE, 1.25, 0.0)
    assert 100.8 == account.receive(RATE, 100.0)
    assert pytest.approx(101.6) == account.receive(RATE, 100.0)
    assert pytest.approx(2.0) == account.ahead_seconds(100.0)
    assert 0.0 == account.ahead_seconds(1000.0)
    assert 2.0 == account.seconds


def test_timers_say_what_is_next():
    """What counts as contact depends on the limit; a session that is closing has only its hard limits left."""
    limits = Limits(pause_seconds=1.0, inactivity_seconds=10.0, silence_seconds=30.0, heartbeat_seconds=100.0)
    timers = Timers(1000.0, 0.1, 500.0)
    assert (1001.0, Timer.INACTIVE) == timers.next(limits)
    timers.meet(Contact.PING, 1000.9)
    assert (1001.0, Timer.INACTIVE) == timers.next(limits)
    timers.meet(Contact.MESSAGE, 1002.5)
    timers.meet(Contact.MESSAGE, 1001.0)
    assert (1003.0, Timer.UNANSWERED) == timers.next(limits)
    timers.sent_at = 1005.0
    assert (1003.5, Timer.INACTIVE) == timers.next(limits)
    timers.closing = True
    assert (1010.0, Timer.BEAT) == timers.next(limits)
    timers.beaten_at = 1049.0
    assert (1050.0, Timer.LIMIT) == timers.next(limits)
    timers.flush_until = 1006.0
    assert (1006.0, Timer.FLUSH) == timers.next(limits)
    timers.death_at = 1005.5
    assert (1005.5, Timer.DEATH) == timers.next(limits)
    pings = Limits(pause_seconds=1.0, inactivity_seconds=10.0, inactivity_contact=Contact.PING)
    assert (1051.0, Timer.INACTIVE) == Timers(1050.0, 0.1, 500.0).next(pings)


def test_keyring():
    """Keys open for good, tokens for their time; a token is no key, and nothing is not one either."""
    clock = [0.0]
    keyring = Keyring(frozenset({"good"}), 0, 0.5, lambda: clock[0])
    token = keyring.mint(60.0, 600.0)
    assert [True, False, False] == [keyring.opens(text) for text in ("good", "bad", "")]
    assert keyring.opens(token)
    assert not keyring.knows(token)
    clock[0] = 30.0
    assert not keyring.opens(token)
    assert token != keyring.mint(60.0, 600.0)
    anyone = Keyring(None, 0, 1.0, lambda: clock[0])
    assert [True, False] == [anyone.opens(text) for text in ("x", "")]


async def test_queue(autojump_clock):
    """Items come out in order and when due, also those put in while the reader waits."""
    queue: DueQueue[str] = DueQueue(3)
    got = []

    async def read():
        while len(got) < 4:
            got.append((await queue.get(), trio.current_time()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.sleep(1)
        for due, item in ((2.0, "a"), (0.0, "b"), (5.0, "c")):
            queue.put(due, item)
        with pytest.raises(FullError):
            queue.put(0.0, "d")
        await trio.sleep(9)
        queue.put(0.0, "e")
    assert [("a", 2.0), ("b", 2.0), ("c", 5.0), ("e", 10.0)] == got


def test_turns_end_by_pause_order_and_length():
    """A pause ends a turn, so does an order, so do two minutes."""
    turns = TurnBuilder(RATE, 0.5)
    assert [False] == [one.ended for one in turns.add(Word("a", 0, RATE))]
    assert [] == turns.advance(RATE + RATE // 2 - 1)
    assert [True] == [one.ended for one in turns.advance(RATE + RATE // 2)]
    assert [] == turns.end()
    turns.add(Word("b", 2 * RATE, 3 * RATE))
    assert [True, False] == [one.ended for one in turns.add(Word("c", 4 * RATE, 5 * RATE))]
    assert ["c"] == [word.text for word in turns.end()[0].words]
    ends = [one for n in range(200) for one in turns.add(Word(f"{n}", (10 + n) * RATE, (11 + n) * RATE)) if one.ended]
    assert [121] == [len(one.words) for one in ends]


def test_a_turn_that_came_to_nothing():
    """A word that was shown growing and never came leaves an empty final."""
    turns = TurnBuilder(RATE, 0.5)
    assert 1 == len(turns.grow(Word("a", 0, 100)))
    assert [] == turns.grow(Word("a", 0, 200))
    (ended,) = turns.advance(2 * RATE)
    assert (True, ()) == (ended.ended, ended.words)


def schedule_of(*faults):
    """Return a schedule that started at 100, and the list of what struck."""
    struck = []
    return Schedule(faults, 100.0, lambda kind, session: struck.append(kind)), struck


def test_schedule_of_a_line():
    """Windows open by the clock, repeat, and end; each is noted once."""
    schedule, struck = schedule_of(Fault(kind="black-hole", wall=10.0, duration=5.0, repeat=20.0, count=2))
    held = [schedule.held_until(100.0 + at) > 100.0 + at for at in (0, 10, 14.9, 15, 30, 34.9, 35, 50, 70)]
    assert [False, True, True, False, True, True, False, False, False] == held
    assert ["black-hole"] * 2 == struck
    assert -math.inf == schedule_of()[0].held_until(0.0)


def test_schedule_of_a_session():
    """A session that begins late misses what has passed, and meets the next repetition."""
    schedule, _ = schedule_of(Fault(kind="drop", wall=10.0, repeat=20.0), Fault(kind="mute", wall=5.0))
    faults = schedule.session(0, 115.0)
    assert 130.0 == faults.wall_next()
    assert ["drop"] == [fault.kind for fault in faults.due_by_wall(130.0)]
    assert 150.0 == faults.wall_next()


def test_schedule_by_audio():
    """Faults by audio strike once each, in order, and a jump over several repetitions strikes once."""
    schedule, _ = schedule_of(Fault(kind="mute", audio=2.0), Fault(kind="garbage", audio=1.0, repeat=1.0))
    faults = schedule.session(0, 100.0)
    assert [] == faults.due_by_audio(0.9)
    assert ["garbage", "mute"] == [fault.kind for fault in faults.due_by_audio(3.5)]
    assert [] == faults.due_by_audio(3.9)
    assert ["garbage"] == [fault.kind for fault in faults.due_by_audio(4.0)]


def utterances(audio, pause=0.7):
    """Return start and length of the utterances in audio, in seconds."""
    found = []
    endpointing = Endpointing(pause)
    for at in range(0, len(audio), 1000):
        for event in endpointing.hear(audio[at : at + 1000]):
            if isinstance(event, Began):
                found.append([event.start / RATE, len(event.audio) / RATE, False])
            elif isinstance(event, Went):
                found[-1][1] += len(event.audio) / RATE
            else:
                found[-1][2] = True
    for event in endpointing.stop():
        assert isinstance(event, Stopped)
        found[-1][2] = True
    assert all(stopped for _, _, stopped in found)
    return [(start, length) for start, length, _ in found]


@pytest.mark.parametrize("noise", [0.0, 20.0, 300.0])
def test_endpointing_finds_speech_in_noise(noise):
    """Loud stretches are found to within 0.4 s, in digital silence and over a fan."""
    rng = np.random.default_rng(0)
    loud = np.zeros(12 * RATE)
    loud[4 * RATE : 6 * RATE] = loud[7 * RATE : int(7.5 * RATE)] = 1
    audio = (loud * rng.normal(0, 3000, len(loud)) + rng.normal(0, 1, len(loud)) * noise).astype(np.int16)
    spans = utterances(audio)
    assert [4.0, 7.0] == pytest.approx([start + 0.3 for start, _ in spans], abs=0.15)
    assert [6.0, 7.5] == pytest.approx([start + length - 0.3 for start, length in spans], abs=0.15)


def test_endpointing_bounds_an_utterance():
    """Endless noise is cut, and a click is nothing."""
    rng = np.random.default_rng(0)
    quiet = np.zeros(3 * RATE, np.int16)
    gusts = np.concatenate([np.concatenate((rng.normal(0, 3000, 4800), np.zeros(1600))) for _ in range(160)])
    assert all(length < 31 for _, length in utterances(np.concatenate((quiet, gusts.astype(np.int16)))))
    quiet[RATE : RATE + 300] = 9000
    assert [] == utterances(quiet)
