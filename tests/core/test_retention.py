"""What must leave the disk: by bytes, by age and by free space, in steps, and never the newest."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.core.retention import (
    NEWEST_SECONDS,
    SAMPLE_BYTES,
    STEP_SECONDS,
    STEPS_MIN,
    Need,
    RetentionLimits,
    stretches,
    surplus,
)
from stenod.core.timeline import Span

RATE = 100
FILE = 10 * RATE
HOUR = 3600 * RATE
HOUR_BYTES = HOUR * SAMPLE_BYTES
ENOUGH = 10**12


def files(count: int, start: int = 0) -> list[Span]:
    """Return files of ten seconds that touch."""
    return [Span(start + index * FILE, start + (index + 1) * FILE) for index in range(count)]


def going(
    stored: list[Span], limits: RetentionLimits, need: Callable[[Span], Need] | None = None, free_bytes: int = ENOUGH
) -> list[Span]:
    """Decide at the end of the last file."""
    tail = max((span.end for span in stored), default=0)
    return surplus(stored, need or (lambda _: Need.PENDING), tail=tail, rate=RATE, free_bytes=free_bytes, limits=limits)


@pytest.mark.parametrize(
    ("limits", "free_bytes"),
    [
        (RetentionLimits(), 0),
        (RetentionLimits(bytes_max=HOUR_BYTES), ENOUGH),
        (RetentionLimits(seconds_max=3600.0), ENOUGH),
        (RetentionLimits(free_bytes_min=1000), 1000),
    ],
)
def test_within_the_limits_nothing_goes_and_nobody_is_asked(limits: RetentionLimits, free_bytes: int) -> None:
    """Exactly at a limit is within it."""

    def unasked(_: Span) -> Need:
        raise AssertionError

    assert going(files(360), limits, unasked, free_bytes) == []
    assert going([], limits, unasked, ENOUGH) == []


def test_too_many_bytes_cost_a_step_of_the_oldest() -> None:
    """One file too many takes a sixteenth of an hour, so that the next one is not soon."""
    gone = going(files(361), RetentionLimits(bytes_max=HOUR_BYTES))
    assert files(361)[: len(gone)] == gone
    assert len(gone) == 1 + -(-360 // STEPS_MIN)


def test_a_step_is_ten_minutes_where_the_limit_is_large() -> None:
    """With a day of room it is not a day's sixteenth that goes."""
    gone = going(files(24 * 360 + 1), RetentionLimits(bytes_max=24 * HOUR_BYTES))
    assert len(gone) == 1 + STEP_SECONDS / 10


def test_too_old_goes_by_a_step_too() -> None:
    """What is older than the limit, and what soon would be."""
    stored = files(2 * 360)
    gone = going(stored, RetentionLimits(seconds_max=3600.0))
    assert stored[: len(gone)] == gone
    assert len(gone) == 360 + 3600 / STEPS_MIN // 10


def test_too_little_room_frees_what_is_missing_and_a_step() -> None:
    """Others fill the disk: ours makes the room."""
    missing = 20 * FILE * SAMPLE_BYTES
    limits = RetentionLimits(free_bytes_min=HOUR_BYTES)
    gone = going(files(360), limits, free_bytes=HOUR_BYTES - missing)
    assert len(gone) == 20 + -(-360 // STEPS_MIN)


def test_the_newest_two_minutes_never_go() -> None:
    """Whatever the limits say: they are being transcribed."""
    limits = RetentionLimits(bytes_max=1, seconds_max=0.1, free_bytes_min=ENOUGH)
    stored = files(360)
    assert going(stored, limits, free_bytes=0) == stored[: 360 - round(NEWEST_SECONDS / 10)]


def test_a_disk_that_others_keep_full_is_no_reason_for_many_small_gaps() -> None:
    """As long as there is no whole step to be had, nothing goes."""
    limits = RetentionLimits(free_bytes_min=100 * HOUR_BYTES)
    step = round(STEP_SECONDS / 10)
    newest = round(NEWEST_SECONDS / 10)
    assert going(files(newest + step - 1), limits, free_bytes=5) == []
    assert going(files(newest + step), limits, free_bytes=5) == files(step)


def test_the_least_needed_goes_first() -> None:
    """What is kept, then quiet, then pending; what is being sent never."""
    needs = {0: Need.SENDING, 1: Need.PENDING, 20: Need.QUIET, 30: Need.HEARD}
    stored = files(400)

    def need(span: Span) -> Need:
        return needs.get(span.start // FILE, Need.PENDING)

    few = going(stored, RetentionLimits(bytes_max=399 * FILE * SAMPLE_BYTES), need)
    assert [20, 30] == [span.start // FILE for span in few if need(span) is not Need.PENDING]
    assert [1, 2, 3] == [span.start // FILE for span in few][:3]
    heard = going(stored, RetentionLimits(bytes_max=399 * FILE * SAMPLE_BYTES), lambda span: Need(3 - need(span)))
    assert stored[20] not in heard
    assert stored[0] in heard


def test_what_is_being_sent_is_no_reason_to_take_the_rest_piece_by_piece() -> None:
    """A file that is too old and stays makes no step a second time."""
    stored = files(360 + 24)
    limits = RetentionLimits(seconds_max=3600.0)
    gone = going(stored, limits, lambda span: Need.SENDING if span.start == 0 else Need.PENDING)
    assert gone
    left = [span for span in stored if span not in gone]
    assert going(left, limits, lambda span: Need.SENDING if span.start == 0 else Need.PENDING) == []


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, FILE)), min_size=1, max_size=60),
    st.lists(st.sampled_from(Need), min_size=60, max_size=60),
    st.integers(0, 60 * FILE),
    st.integers(0, 700),
    st.integers(0, 20_000),
    st.integers(0, 20_000),
)
def test_whatever_the_files_the_limits_hold_or_nothing_more_can_go(
    script: list[tuple[int, int]], needs: list[Need], most: int, seconds: int, least: int, free: int
) -> None:
    """In the order of need and age, nothing of the newest or of what is sent, and no file twice."""
    stored, position = [], 0
    for hole, count in script:
        stored.append(Span(position + hole, position + hole + count))
        position += hole + count
    by_file = dict(zip(stored, needs, strict=False))
    limits = RetentionLimits(bytes_max=most, seconds_max=float(seconds), free_bytes_min=least)
    gone = surplus(stored, by_file.__getitem__, tail=position, rate=RATE, free_bytes=free, limits=limits)
    assert gone == sorted(set(gone))
    takable = [s for s in stored if s.end <= position - NEWEST_SECONDS * RATE and by_file[s] is not Need.SENDING]
    assert set(gone) <= set(takable)
    left = [span for span in takable if span not in gone]
    assert not seconds or all(span.end > position - seconds * RATE for span in left)
    old = {span for span in gone if seconds and span.end <= position - seconds * RATE * (1 - 1 / STEPS_MIN)}
    for kept in left:
        assert all((by_file[kept], kept) > (by_file[span], span) for span in gone if span not in old)


def test_files_that_touch_are_one_stretch() -> None:
    """A step is one gap, not one a file."""
    assert stretches([Span(0, 10), Span(10, 20), Span(25, 30), Span(30, 31)]) == [Span(0, 20), Span(25, 31)]
    assert stretches([]) == []
