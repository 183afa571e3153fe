"""The chronology: what was told stays, nothing runs backwards, and a clock that is set is followed."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core import chronology
from stenod.core.chronology import ANCHORS_MAX, CATCH_UP_PACE, MEND_SECONDS, Anchor, Chronology
from stenod.core.timeline import Cause, Loss

RATE = 1000
UNIX = 1_795_200_000.0
NINETY, UNKNOWN = Loss(90.0, Cause.STOPPED), Loss(0.0, Cause.STOPPED, estimated=True)


def moment(position: int, *, late: float = 0.0, offset: float = UNIX, **others: object) -> Anchor:
    """A position of a device whose audio began at 0 of the boot clock."""
    boottime = position / RATE + late
    return Anchor(position=position, unix=boottime + offset, boottime=boottime, **others)


def utc(times: Chronology, position: int) -> float:
    """Seconds since the wall clock's start."""
    anchor = times.at(position)
    assert anchor is not None
    return anchor.unix - UNIX


def stored(times: Chronology) -> list[Anchor]:
    """What the ledger holds when it has held nothing."""
    times._changed = 0
    first, anchors = times.unwritten()
    assert first == 0
    return list(anchors)


def tell(times: Chronology, position: int) -> None:
    """Print a record that ends there."""
    times.times(max(0, position - 100), position, 0.0)


def test_a_run_goes_on_at_its_pace() -> None:
    """From each anchor to the next, and backwards before the first; without any nothing is known."""
    times = Chronology(RATE)
    assert times.at(5) is None
    times.begin(replace(moment(1000), pace=0.5))
    times.begin(replace(moment(3000, late=6.0)))
    assert [0.5, 1.0, 1.9995, 9.0, 10.5] == [
        pytest.approx(utc(times, position)) for position in (0, 1000, 2999, 3000, 4500)
    ]


def test_what_is_nearly_right_stays() -> None:
    """Small doubts of the fit write nothing."""
    times = Chronology(RATE)
    times.begin(moment(0))
    assert times.unwritten() == (0, [moment(0)])
    times.follow(moment(5000, late=0.9 * MEND_SECONDS), 4900)
    times.follow(moment(5100, late=-0.9 * MEND_SECONDS), 5000)
    assert not times.changed
    assert times.unwritten() is None


def test_what_nobody_was_told_is_mended() -> None:
    """The first block came late; the run is right from its beginning on, with one anchor."""
    times = Chronology(RATE)
    times.begin(moment(0, late=1.0))
    times.follow(moment(500, late=0.4), 400)
    times.follow(moment(900), 800)
    assert [moment(0)] == stored(times)


def test_what_was_told_stays_and_time_goes_slowly_until_it_is_right() -> None:
    """We said too late: positions from there on run at half the pace, never backwards, and no longer than needed."""
    times = Chronology(RATE)
    times.begin(moment(0, late=1.0))
    tell(times, 2000)
    times.follow(moment(3000), 2900)
    assert [3.0, 3.5, 4.0, 5.0] == [pytest.approx(utc(times, position)) for position in (2000, 3000, 4000, 5000)]
    assert utc(times, 1000) == pytest.approx(2.0)
    assert CATCH_UP_PACE == 0.5


def test_what_is_known_now_says_nothing_of_long_ago() -> None:
    """Nobody was told for an hour: what was known then of then stays, and a minute is mended."""
    times = Chronology(RATE)
    times.begin(moment(0))
    times.follow(moment(3_600_000, late=0.2), 3_599_900)
    assert [1800.0, 3539.999, 3540.2] == [pytest.approx(utc(times, at)) for at in (1_800_000, 3_539_999, 3_540_000)]
    times.follow(moment(3_700_000, late=0.1), 3_699_900)
    assert [3600.2, 3640.2, 3641.1] == [pytest.approx(utc(times, at)) for at in (3_600_000, 3_640_000, 3_641_000)]


def test_where_we_said_too_early_time_jumps() -> None:
    """From the last position that was told on."""
    times = Chronology(RATE)
    times.begin(moment(0))
    tell(times, 2000)
    times.follow(moment(3000, late=0.3), 2900)
    assert [1.999, 2.3, 3.3] == [pytest.approx(utc(times, position)) for position in (1999, 2000, 3000)]


@pytest.mark.parametrize("seconds", [2.0, -2.0, 0.05])
def test_a_step_is_followed_from_its_block_on(seconds: float) -> None:
    """What was recorded before keeps the old clock, told or not: it was right then, by definition."""
    times = Chronology(RATE)
    times.begin(moment(0))
    times.follow(moment(5000, offset=UNIX + seconds), 4900)
    assert [4.0, 4.899, 4.9 + seconds, 9.0 + seconds] == [
        pytest.approx(utc(times, position)) for position in (4000, 4899, 4900, 9000)
    ]
    times.follow(moment(6000, offset=UNIX + seconds), 5900)
    assert len(stored(times)) == 2


def test_a_record_that_a_clock_was_set_back_in_is_in_order() -> None:
    """Both ends by the clock at its end."""
    times = Chronology(RATE)
    times.begin(moment(0))
    times.follow(moment(5000, offset=UNIX - 2.0), 4900)
    told = times.times(4000, 5000, 0.0)
    assert ("2026-11-20T18:40:02.000Z", "2026-11-20T18:40:03.000Z") == (told["started_at"], told["ended_at"])


def test_a_clock_that_was_never_set_is_mended_backwards() -> None:
    """What was recorded before the first synchronisation and not told yet gets the new clock, step or not."""
    times = Chronology(RATE)
    times.begin(moment(0, offset=0.0, synchronised=False, boot="b"))
    tell(times, 3000)
    times.begin(moment(10_000, offset=0.0, synchronised=False, boot="b"))
    times.follow(moment(20_000, offset=UNIX, boot="b"), 19_900)
    assert [2.999 - UNIX, 3.0, 12.0, 30.0] == [
        pytest.approx(utc(times, position)) for position in (2999, 3000, 12_000, 30_000)
    ]
    assert [False, True, True] == [anchor.synchronised for anchor in stored(times)]


def test_another_boot_is_not_mended() -> None:
    """The boot clock says nothing of the boot before."""
    times = Chronology(RATE, [moment(0, offset=0.0, synchronised=False, boot="a")])
    times.begin(moment(10_000, offset=0.0, synchronised=False, boot="b"))
    times.follow(moment(20_000, offset=UNIX, boot="b"), 19_900)
    assert utc(times, 9_000) == pytest.approx(9.0 - UNIX)
    assert utc(times, 10_000) == pytest.approx(10.0)


def test_a_synchronisation_without_a_step_is_noted() -> None:
    """The next step is then one of a clock that was right."""
    times = Chronology(RATE)
    times.begin(moment(0, synchronised=False))
    times.follow(moment(5000), 4900)
    times.follow(moment(9000, offset=UNIX + 2.0), 8900)
    assert [1.0, 8.0, 10.9] == [pytest.approx(utc(times, position)) for position in (1000, 8000, 8900)]


@pytest.mark.parametrize(
    ("then", "now", "absence"),
    [
        (moment(0), moment(5000, late=90.0), NINETY),
        (moment(0), moment(5000, late=-3600.0), UNKNOWN),
        (moment(0), moment(5000, late=90.0, synchronised=False), replace(NINETY, estimated=True)),
        (moment(0, synchronised=False), moment(5000, late=90.0), replace(NINETY, estimated=True)),
        (moment(0, offset=0.0, synchronised=False), moment(5000), UNKNOWN),
        (moment(0), moment(5000, offset=100.0), UNKNOWN),
        (moment(0), moment(5000, late=11 * 365 * 86_400.0), UNKNOWN),
        (moment(0, boot="a"), moment(5000, late=90.0, boot="b"), NINETY),
        (moment(0, boot="a", offset=0.0), moment(5000, late=90.0, boot="a"), NINETY),
        (moment(0, boot="a"), moment(5000, late=90.0, boot="a", synchronised=False), NINETY),
        (moment(0, boot="a"), moment(5000, late=-0.01, boot="a"), Loss(0.0, Cause.STOPPED)),
        (moment(0, boot="a"), moment(5000, late=-30.0, boot="a"), UNKNOWN),
    ],
)
def test_how_long_nobody_recorded(then: Anchor, now: Anchor, absence: Loss) -> None:
    """The boot clock knows within a boot; else the system clock, as far as it can be believed; never below zero."""
    found = Chronology(RATE, [then]).absence(5000, now)
    assert (pytest.approx(absence.seconds), absence.estimated) == (found.seconds, found.estimated)
    assert Chronology(RATE).absence(5000, now) == UNKNOWN


def test_the_number_of_anchors_is_bounded() -> None:
    """First those go that say nothing new, then the oldest; the newest half is kept whole."""
    times = Chronology(RATE)
    for index in range(3 * ANCHORS_MAX):
        times.begin(moment(1000 * index, late=0.015 * (index % 2)))
        assert len(times._anchors) <= ANCHORS_MAX
    assert utc(times, 500) == pytest.approx(0.5, abs=chronology.THIN_SECONDS)
    for index in range(3 * ANCHORS_MAX, 6 * ANCHORS_MAX):
        times.begin(moment(1000 * index, late=5.0 * (index % 2)))
        assert len(times._anchors) <= ANCHORS_MAX
    assert len(stored(times)) > ANCHORS_MAX // 2
    assert utc(times, 1000 * (6 * ANCHORS_MAX - 100)) == pytest.approx(6.0 * ANCHORS_MAX - 100)


script = st.lists(
    st.tuples(
        st.integers(1, 50).map(lambda tens: 10 * tens),
        st.floats(-0.5, 0.5),
        st.booleans(),
        st.sampled_from([0.0, 0.0, 0.0, 1.0]),
    ),
    max_size=40,
)


@given(script=script)
@settings(derandomize=True, deadline=None)
def test_told_times_stay_and_never_run_backwards(script: list[tuple[int, float, bool, float]]) -> None:
    """Whatever the fit says: what was told is the same for good, ordered, and the ledger's copy says the same."""
    times, ledger = Chronology(RATE), {}
    times.begin(moment(0))
    tail, offset, told = 0, UNIX, {}
    for count, late, telling, step in script:
        since, tail = tail, tail + count
        offset += step
        times.follow(moment(tail, late=late, offset=offset), since)
        if telling:
            tell(times, tail)
            told |= {position: times.at(position) for position in range(0, tail, 10) if position not in told}
        if (written := times.unwritten()) is not None:
            ledger = {position: one for position, one in ledger.items() if position < written[0]}
            ledger |= {one.position: one for one in written[1]}
    seconds = [utc(times, position) for position in range(0, tail + 1000, 7)]
    assert all(right >= left - 1e-6 for left, right in pairwise(seconds))
    assert all(utc(times, position) == pytest.approx(one.unix - UNIX) for position, one in told.items())
    again = Chronology(RATE, ledger.values())
    assert all(again.at(position) == times.at(position) for position in range(0, tail, 7))
