"""Muted, clipping, too quiet, good: told once, told when it is over, and not told of a healthy room."""

import random

import pytest

from stenod.core.gauge import FORGET_SECONDS, MUTED_SECONDS, PERSISTENCE_SECONDS_MAX, Alarm, Gauge, Level
from stenod.core.level import Reading

ZEROS = Reading(-96.0, 0.0, 0.0, still=True)


def second(level_db: float, clipped: float = 0.0, swing_db: float = 2.0) -> Reading:
    return Reading(level_db, swing_db, clipped, still=False)


def told(gauge: Gauge, *parts: tuple[int, Reading]) -> list[tuple[int, Level]]:
    """Play so many seconds of each; return when it said what."""
    found, now = [], 0
    for count, reading in parts:
        for _ in range(count):
            now += 1
            if (level := gauge.add(reading)) is not None:
                found.append((now, level))
    return found


def talk(seconds: int, level_db: float, room_db: float, seed: int = 1) -> list[tuple[int, Reading]]:
    """Somebody speaks a third of the time."""
    rng = random.Random(seed)
    word = [second(level_db + rng.gauss(0.0, 3.0), swing_db=rng.uniform(8.0, 30.0)) for _ in range(seconds)]
    rest = [second(room_db + rng.gauss(0.0, 1.0)) for _ in range(seconds)]
    return [(1, word[index] if rng.random() < 0.33 else rest[index]) for index in range(seconds)]


@pytest.mark.parametrize("room_db", [-90.0, -70.0, -60.0, -45.0])
def test_an_empty_room_is_never_anything(room_db: float) -> None:
    """A whole night, with a fan that comes and goes, and a knock a minute."""
    hour = [(300, second(room_db)), (300, second(room_db + 15.0))] * 6
    knocks = [(59, second(room_db)), (1, second(room_db + 20.0, swing_db=30.0))] * 60
    assert [] == told(Gauge(), *hour * 4, *knocks * 4)


def test_people_who_speak_are_good() -> None:
    """At the usual level, and 24 dB below it."""
    for level in (-20.0, -26.0, -50.0):
        assert [] == told(Gauge(), *talk(3600, level, level - 30.0)), level


def test_zeros_are_told_once_and_their_end() -> None:
    """After five seconds, whether it sounded before or not; and again at once when there is anything."""
    assert [(5, Level.MUTED), (3601, Level.GOOD)] == told(Gauge(), (3600, ZEROS), (100, second(-60.0)))
    assert [(65, Level.MUTED), (81, Level.GOOD)] == told(Gauge(), (60, second(-40.0)), (20, ZEROS), (9, second(-90.0)))
    assert [] == told(Gauge(), *[(MUTED_SECONDS - 1, ZEROS), (1, second(-40.0))] * 100)


def test_a_noise_gate_is_told_a_few_times_and_then_not() -> None:
    """Zeros in each pause of 8 s: twice as long must they be the next time."""
    found = told(Gauge(), *[(8, ZEROS), (12, second(-30.0))] * 1000)
    assert [(5, Level.MUTED), (9, Level.GOOD)] == found


def test_clipping_is_told_once_and_its_end() -> None:
    """When three seconds of ten are, until there was none for long: a heated debate is one line."""
    loud = second(-8.0, 0.004)
    assert [(3, Level.CLIPPING)] == told(Gauge(), (3000, loud))
    found = told(Gauge(), *[(2, loud), (5, second(-20.0))] * 100, (200, second(-20.0)))
    assert [Level.CLIPPING, Level.GOOD] == [level for _, level in found]
    assert 700 + 30 <= found[1][0] <= 700 + 40


def test_what_is_no_clipping() -> None:
    """A slammed door, a loud voice that touches full scale, a recording that was made as loud as it goes."""
    assert [] == told(Gauge(), *[(2, second(-3.0, 0.3)), (60, second(-30.0))] * 50)
    assert [] == told(Gauge(), (3600, second(-10.0, 0.0005)))


def test_speech_that_is_far_too_quiet_is_told_once() -> None:
    """After three minutes; while they go on, while they are silent all night, until somebody is heard."""
    gauge = Gauge()
    first = told(gauge, *talk(3600, -65.0, -80.0))
    assert [Level.QUIET] == [level for _, level in first]
    assert 180 <= first[0][0] <= 250
    assert [] == told(gauge, (30_000, second(-80.0)))
    assert [(3, Level.GOOD)] == told(gauge, (10, second(-35.0)))


def test_between_too_quiet_and_good_nothing_is_told() -> None:
    """Six decibels, so that one voice at the border is one line."""
    gauge = Gauge()
    assert [Level.QUIET] == [level for _, level in told(gauge, *talk(400, -63.0, -80.0))]
    assert [] == told(gauge, *talk(3600, -58.0, -80.0), (100, second(-50.0)))


def test_a_mute_hides_and_stops_the_others() -> None:
    """What was clipping is clipping again when the mute ends, unless it has had time to end."""
    loud = second(-8.0, 0.004)
    found = told(Gauge(), (10, loud), (1000, ZEROS), (50, second(-30.0)))
    assert [(3, Level.CLIPPING), (15, Level.MUTED), (1011, Level.CLIPPING), (1049, Level.GOOD)] == found


def test_an_alarm_that_comes_again_and_again_is_harder_to_raise_each_time() -> None:
    """Twice as long, up to a limit; half a day of peace forgets all."""
    alarm = Alarm(1)
    needed = []
    for _ in range(12):
        count = 0
        while not alarm.raised:
            alarm.tick(present=True, over=False)
            count += 1
        needed.append(count)
        alarm.tick(present=False, over=True)
        assert not alarm.raised
    assert [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600] == needed
    assert PERSISTENCE_SECONDS_MAX == needed[-1]
    for _ in range(FORGET_SECONDS):
        alarm.tick(present=False, over=True)
    alarm.tick(present=True, over=False)
    assert alarm.raised


def test_it_remembers_three_minutes() -> None:
    """Bounded, whatever comes."""
    gauge = Gauge()
    told(gauge, *talk(10_000, -30.0, -60.0))
    assert (180, 10) == (len(gauge._levels), len(gauge._clipped))
