"""Where a stream goes on when the ledger that knew it is lost: ids that were never printed, and all that is stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.core.beginning import EPOCH_MAX, Salvage, Written, beginning
from stenod.core.chronology import Anchor
from stenod.core.records import record_id
from stenod.core.timeline import Settled, Span, State, Timeline
from stenod.core.transaction import Beginning

RATE = 16_000
NOW = 1_795_200_000.0
OLD = Salvage(RATE, 3, 120, 5_000_000)


def written(*spans: tuple[int, int]) -> list[Written]:
    """Return files whose last sample was written that many seconds after some moment."""
    return [Written(Span(start, end), 1_795_000_000.0 + end / RATE) for start, end in spans]


def test_a_new_stream_begins_at_zero() -> None:
    """Nobody has recorded it, and no ledger was lost."""
    assert Beginning() == beginning([], [], used=False, rate=RATE, unix=NOW)


def test_it_goes_on_behind_what_the_lost_ledger_said() -> None:
    """The next epoch, the next session, the same rate; what is not stored is unknown, the rest pending."""
    found = beginning(written((4_800_000, 4_900_000)), [OLD], used=True, rate=8000, unix=NOW)
    assert (found.rate, found.epoch, found.session, found.tail) == (RATE, 4, 120, 5_000_000)
    assert [Settled(0, 4_800_000, State.UNKNOWN), Settled(4_900_000, 5_000_000, State.UNKNOWN)] == list(found.spans)
    assert found.recovered_until == 5_000_000


def test_without_any_word_of_it_the_time_is_the_epoch() -> None:
    """More than any count, and sorted behind it as text; the files tell where the timeline ends."""
    found = beginning(written((0, 100), (100, 200), (300, 400)), [None], used=True, rate=RATE, unix=NOW)
    assert found.epoch == NOW + 1
    assert record_id("desk", 999, 10**9) < record_id("desk", found.epoch, 0)
    assert [Settled(200, 300, State.UNKNOWN)] == list(found.spans)
    assert (found.tail, found.recovered_until, found.rate) == (400, 400, RATE)


@pytest.mark.parametrize(
    ("lost", "epoch"),
    [
        ([OLD], 4),
        ([None, OLD], 4),
        ([Salvage(RATE, 0, 0, 0), None], NOW + 2),
        ([Salvage(RATE, round(NOW) + 500, 0, 0), None], NOW + 501),
        ([None, None, None, Salvage(RATE, 0, 0, 0)], 4),
        ([], NOW),
    ],
)
def test_an_epoch_is_never_used_twice(lost: list[Salvage | None], epoch: float) -> None:
    """One more than the last; at least as many as were lost; the time where the last one is not known."""
    assert epoch == beginning([], lost, used=True, rate=RATE, unix=NOW).epoch


def test_times_are_the_files_own() -> None:
    """Each stretch of audio keeps the moment at which it was recorded, and nobody vouches for it."""
    found = beginning(
        written((160_000, 320_000), (320_000, 480_000), (640_000, 800_000)), [], used=True, rate=RATE, unix=NOW
    )
    assert [
        Anchor(position=160_000, unix=1_795_000_010.0, synchronised=False),
        Anchor(position=640_000, unix=1_795_000_040.0, synchronised=False),
    ] == list(found.anchors)


@pytest.mark.parametrize(
    "wrong",
    [
        Salvage(0, 3, 1, 1),
        Salvage(2**40, 3, 1, 1),
        Salvage(RATE, -1, 1, 1),
        Salvage(RATE, EPOCH_MAX + 1, 1, 1),
        Salvage(RATE, 3, -1, 1),
        Salvage(RATE, 3, 2**62, 1),
        Salvage(RATE, 3, 1, -1),
        Salvage(RATE, 3, 1, 2**62),
    ],
)
def test_what_cannot_be_is_not_plausible(wrong: Salvage) -> None:
    """Each number has its bounds."""
    assert OLD.plausible()
    assert not wrong.plausible()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), max_size=8), st.integers(0, 120))
def test_whatever_is_stored_the_timeline_is_tiled(script: list[tuple[int, int]], tail: int) -> None:
    """Exactly the stored samples are pending."""
    spans, position = [], 0
    for hole, count in script:
        spans.append((position + hole, position + hole + count))
        position += hole + count
    found = beginning(written(*spans), [Salvage(RATE, 0, 0, tail)], used=True, rate=RATE, unix=NOW)
    timeline = Timeline.restored(found.spans, found.tail)
    stored = {sample for start, end in spans for sample in range(start, end)}
    pending = {sample for span in timeline.pending(0, found.tail) for sample in range(span.start, span.end)}
    assert stored == (pending if found.tail else set())
