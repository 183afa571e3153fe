"""The timeline against a plain list with one entry a sample, and against a storage that only sees its changes."""

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.timeline import NO_CHANGE, Cause, Change, Settled, Span, State, Timeline

GAP, QUIET, TRANSCRIBED = State.GAP, State.QUIET, State.TRANSCRIBED

extensions = st.tuples(st.just("extend"), st.integers(0, 12))
settlements = st.tuples(
    st.just("settle"),
    st.integers(0, 60),
    st.integers(0, 60),
    st.sampled_from(list(State)),
    st.sampled_from(list(Cause)),
)
restarts = st.tuples(st.just("restore"), st.randoms(use_true_random=False))
reopenings = st.tuples(st.just("reopen"), st.integers(0, 60), st.integers(0, 60))
scripts = st.lists(st.one_of(extensions, settlements, settlements, reopenings, restarts), max_size=25)


class Model:
    """One entry a sample: None (pending) or (state, cause, serial); gaps have a serial each, the rest 0."""

    def __init__(self) -> None:
        self.samples: list[tuple[State, Cause | None, int] | None] = []
        self.serial = 0

    def pending(self, start: int, end: int) -> list[Span]:
        """Return the pending runs of [start, end)."""
        return [Span(left, right) for left, right, kind in self.runs(start, end) if kind is None]

    def settle(self, start: int, end: int, state: State, cause: Cause | None) -> tuple[Span, ...]:
        """Settle what is pending and return its runs."""
        fresh = self.pending(start, end)
        for span in fresh:
            self.serial += 1
            kind = (state, cause, self.serial if state is GAP else 0)
            self.samples[span.start : span.end] = [kind] * span.count
        return tuple(fresh)

    def reopen(self, start: int, end: int) -> tuple[Span, ...]:
        """Make what is quiet pending, and return its runs."""
        fresh = tuple(Span(left, right) for left, right, kind in self.runs(start, end) if kind and kind[0] is QUIET)
        for span in fresh:
            self.samples[span.start : span.end] = [None] * span.count
        return fresh

    def runs(self, start: int, end: int) -> list[tuple[int, int, tuple[State, Cause | None, int] | None]]:
        """Return (start, end, kind) of each run of equal samples."""
        found = []
        for kind, group in groupby(range(start, end), key=lambda position: self.samples[position]):
            positions = list(group)
            found.append((positions[0], positions[-1] + 1, kind))
        return found

    def spans(self) -> list[Settled]:
        """Return the settled runs."""
        return [Settled(left, right, kind[0], kind[1]) for left, right, kind in self.runs(0, len(self.samples)) if kind]

    def late_run(self, start: int, end: int) -> Span | None:
        """From the first pending sample to the last one before anything transcribed."""
        pending = [position for position in range(start, end) if self.samples[position] is None]
        if not pending:
            return None
        kinds = [kind and kind[0] for kind in self.samples[:end]]
        stop = next((place for place in range(pending[0], end) if kinds[place] is TRANSCRIBED), end)
        return Span(pending[0], max(place for place in pending if place < stop) + 1)

    def through_run(self, start: int, end: int) -> Span | None:
        """The first run that is neither quiet nor lost."""
        open_to_it = [kind is None or kind[0] is TRANSCRIBED for kind in self.samples[start:end]]
        if True not in open_to_it:
            return None
        first = open_to_it.index(True)
        length = [*open_to_it[first:], False].index(False)
        return Span(start + first, start + first + length)

    def first_pending(self, start: int) -> int:
        """Walk sample by sample."""
        while start < len(self.samples) and self.samples[start] is not None:
            start += 1
        return start


def stored(rows: dict[int, Settled], change: Change) -> None:
    """Do to `rows` what a database would: delete by start, then insert; neither may miss."""
    for start in change.removed:
        del rows[start]
    for span in change.added:
        assert span.start not in rows
        rows[span.start] = span


def check_queries(model: Model, timeline: Timeline) -> None:
    """Compare every answer with the walk over single samples."""
    tail = len(model.samples)
    assert tail == timeline.tail
    assert model.spans() == list(timeline)
    assert model.first_pending(0) == timeline.cursor
    assert model.samples.count(None) == timeline.pending_count()
    for position in range(tail):
        assert model.first_pending(position) == timeline.first_pending(position)
        gaps = [span.end for span in model.spans() if span.state is GAP and span.end <= position]
        assert max(gaps, default=0) == timeline.last_gap_end(position)
        for state in State:
            held = any(kind is not None and kind[0] is state for kind in model.samples[position : position + 5])
            assert held == timeline.holds(state, position, position + 5)
        assert model.pending(position, tail) == timeline.pending(position, tail)
        assert model.pending(0, position) == timeline.pending(0, position)
        assert model.pending(position // 2, position) == timeline.pending(position // 2, position)
        for start, end in ((position, tail), (0, position), (position // 2, position)):
            assert next(iter(model.pending(start, end)), None) == timeline.pending_run(start, end)
            assert model.through_run(start, end) == timeline.pending_run(start, end, through=True)
            assert model.late_run(start, end) == timeline.late_run(start, end)
    spoken = [span.end for span in model.spans() if span.state is TRANSCRIBED]
    assert max(spoken, default=0) == timeline.transcribed_end()


def test_follows_a_stream() -> None:
    """Audio is appended, settled from the front, and the cursor is the first sample that is not."""
    timeline = Timeline()
    assert timeline.extend(100) == 0
    assert timeline.extend(50) == 100

    change = timeline.settle(0, 60, TRANSCRIBED)

    assert Change((), (Settled(0, 60, TRANSCRIBED),), (Span(0, 60),)) == change
    assert timeline.cursor == 60
    assert [Span(60, 150)] == timeline.pending(0, timeline.tail)
    assert timeline.pending_count() == 90


@given(scripts)
@settings(derandomize=True, deadline=None, max_examples=200)
def test_equals_a_list_of_samples_and_its_storage(script: list[tuple]) -> None:
    """Whatever is settled in whatever order: timeline, model and stored rows agree.

    The cursor never falls, but to where quiet was made pending again.
    """
    model, timeline, rows, cursor = Model(), Timeline(), {}, 0
    for step in script:
        match step:
            case ("extend", count):
                assert len(model.samples) == timeline.extend(count)
                model.samples += [None] * count
            case ("settle", one, other, state, cause):
                start, end = sorted(min(position, timeline.tail) for position in (one, other))
                cause = cause if state is GAP else None
                fresh = model.settle(start, end, state, cause)
                change = timeline.settle(start, end, state, cause)
                assert fresh == change.fresh
                stored(rows, change)
            case ("reopen", one, other):
                start, end = sorted(min(position, timeline.tail) for position in (one, other))
                fresh = model.reopen(start, end)
                change = timeline.reopen(start, end)
                assert fresh == change.fresh
                stored(rows, change)
                cursor = min([cursor, *(span.start for span in fresh)])
            case ("restore", dice):
                shuffled = list(rows.values())
                dice.shuffle(shuffled)
                timeline = Timeline.restored(shuffled, timeline.tail)
        assert model.spans() == [rows[start] for start in sorted(rows)]
        assert cursor <= timeline.cursor
        cursor = timeline.cursor
        assert model.spans() == list(timeline)
    check_queries(model, timeline)


@given(scripts)
@settings(derandomize=True, deadline=None, max_examples=100)
def test_tiles_the_stream(script: list[tuple]) -> None:
    """Settled and pending spans together cover each sample from 0 to the tail exactly once."""
    timeline = Timeline()
    for step in script:
        if step[0] == "extend":
            timeline.extend(step[1])
        elif step[0] == "settle":
            start, end = sorted(min(position, timeline.tail) for position in step[1:3])
            timeline.settle(start, end, step[3], step[4] if step[3] is GAP else None)
        elif step[0] == "reopen":
            timeline.reopen(*sorted(step[1:3]))
        pieces = sorted((span.start, span.end) for span in [*timeline, *timeline.pending(0, timeline.tail)])
        position = 0
        for start, end in pieces:
            assert position == start
            position = end
        assert timeline.tail == position


def test_joins_equal_neighbours() -> None:
    """A span that fills the hole between two equal ones makes one row of three."""
    timeline = Timeline()
    timeline.extend(30)
    timeline.settle(0, 10, QUIET)
    timeline.settle(20, 30, QUIET)

    change = timeline.settle(10, 20, QUIET)

    assert change.removed == (0, 20)
    assert (Settled(0, 30, QUIET),) == change.added
    assert [Settled(0, 30, QUIET)] == list(timeline)


def test_a_row_that_the_same_change_merges_away_is_not_mentioned() -> None:
    """Two fresh parts around an equal span end as one insertion and one deletion, of the row that was stored."""
    timeline = Timeline()
    timeline.extend(30)
    timeline.settle(10, 20, QUIET)

    change = timeline.settle(0, 30, QUIET)

    assert Change((10,), (Settled(0, 30, QUIET),), (Span(0, 10), Span(20, 30))) == change


def test_a_month_of_steady_work_is_one_span() -> None:
    """Settling piece by piece keeps memory and storage at one row."""
    timeline = Timeline()
    for _ in range(1000):
        start = timeline.extend(10)
        timeline.settle(start, start + 10, TRANSCRIBED)
    assert [Settled(0, 10_000, TRANSCRIBED)] == list(timeline)


def test_gaps_stay_apart() -> None:
    """Gaps that touch are not merged, because each is a record with its own cause and identity."""
    timeline = Timeline()
    timeline.extend(30)
    timeline.settle(0, 10, GAP, Cause.DEVICE)
    timeline.settle(10, 20, GAP, Cause.DEVICE)

    assert [Settled(0, 10, GAP, Cause.DEVICE), Settled(10, 20, GAP, Cause.DEVICE)] == list(timeline)


def test_what_is_settled_stays() -> None:
    """Whoever comes second settles only what is pending; nothing pending is no change."""
    timeline = Timeline()
    timeline.extend(20)
    timeline.settle(5, 10, TRANSCRIBED)

    assert (Span(0, 5), Span(10, 20)) == timeline.settle(0, 20, GAP, Cause.RETENTION).fresh
    assert timeline.settle(0, 20, QUIET) is NO_CHANGE
    assert timeline.settle(7, 7, QUIET) is NO_CHANGE
    assert [span.state for span in timeline] == [GAP, TRANSCRIBED, GAP]


def test_nothing_is_settled_beyond_the_tail() -> None:
    """What has not been captured cannot have been transcribed: a mistake of the caller stops here."""
    timeline = Timeline(tail=10)
    for start, end in ((0, 11), (11, 12), (5, 4), (-1, 3)):
        with pytest.raises(AssertionError):
            timeline.settle(start, end, QUIET)
    assert list(timeline) == []


def test_a_cause_belongs_to_gaps() -> None:
    """A gap must say its cause, and nothing else may."""
    timeline = Timeline(tail=10)
    with pytest.raises(AssertionError):
        timeline.settle(0, 5, GAP)
    with pytest.raises(AssertionError):
        timeline.settle(0, 5, QUIET, Cause.DISK)


def test_time_only_grows() -> None:
    """A stream cannot be shortened, and a span is never empty."""
    with pytest.raises(AssertionError):
        Timeline().extend(-1)
    with pytest.raises(AssertionError):
        Span(5, 5)


def test_restores_the_tail_from_whichever_knows_more() -> None:
    """After a crash the audio may end before the last settled span, or after it."""
    spans = [Settled(10, 20, QUIET), Settled(0, 10, TRANSCRIBED)]
    assert Timeline.restored(spans, 15).tail == 20
    assert Timeline.restored(spans, 25).tail == 25
    assert Timeline.restored(spans, 25).cursor == 20
    assert Timeline.restored([], 7).tail == 7


def test_refuses_a_storage_that_overlaps() -> None:
    """Overlapping rows are corruption and are not repaired in silence."""
    with pytest.raises(AssertionError):
        Timeline.restored([Settled(0, 10, QUIET), Settled(9, 12, GAP, Cause.DISK)], 12)


def test_an_empty_stream() -> None:
    """Before the first sample nothing is pending and the cursor is the tail."""
    timeline = Timeline()
    assert 0 == timeline.cursor == timeline.pending_count()
    assert timeline.pending(0, 0) == []
    assert timeline.pending_run(0, 0) is None
    assert timeline.settle(0, 0, QUIET) is NO_CHANGE


def test_only_what_was_quiet_is_taken_back() -> None:
    """Within the bounds that were named; what was transcribed or lost stays that."""
    timeline = Timeline()
    timeline.extend(40)
    timeline.settle(0, 20, QUIET)
    timeline.settle(20, 30, TRANSCRIBED)
    timeline.settle(30, 35, GAP, Cause.DEVICE)

    change = timeline.reopen(5, 40)

    assert Change((0,), (Settled(0, 5, QUIET),), (Span(5, 20),)) == change
    assert [Span(5, 20), Span(35, 40)] == timeline.pending(0, 40)
    assert timeline.reopen(5, 40) is NO_CHANGE


def with_gaps() -> Timeline:
    """Two that touch, and one up to the tail."""
    timeline = Timeline(1000)
    timeline.settle(0, 100, State.TRANSCRIBED)
    timeline.settle(100, 200, State.GAP, Cause.DEVICE)
    timeline.settle(200, 300, State.GAP, Cause.STOPPED)
    timeline.settle(300, 400, State.QUIET)
    timeline.settle(500, 1000, State.GAP, Cause.DISK)
    return timeline


def test_what_is_lost_from_a_place_on() -> None:
    """Gaps that touch count together; nothing where audio is pending or settled otherwise."""
    timeline = with_gaps()
    expected = {0: 0, 50: 0, 100: 200, 150: 150, 200: 100, 299: 1, 300: 0, 400: 0, 499: 0, 500: 500, 999: 1, 1000: 0}
    assert expected == {start: timeline.lost_from(start) for start in expected}


@pytest.mark.parametrize(
    ("start", "end", "gaps"),
    [
        (0, 1000, [(100, 300), (500, 1000)]),
        (0, 100, []),
        (0, 101, [(100, 300)]),
        (150, 200, [(150, 300)]),
        (250, 500, [(250, 300)]),
        (300, 500, []),
        (999, 1000, [(999, 1000)]),
    ],
)
def test_what_was_lost_within(start: int, end: int, gaps: list[tuple[int, int]]) -> None:
    """Each gap that begins there or reaches into it, whole from there on; those that touch are one."""
    timeline = with_gaps()
    assert [Span(*gap) for gap in gaps] == timeline.gaps(start, end)


def test_a_gap_that_goes_on_is_one_gap() -> None:
    """While the disk takes nothing, a second of loss is not ten spans."""
    timeline = Timeline()
    timeline.extend(100)
    timeline.settle(60, 100, GAP, Cause.DISK)
    for _ in range(10):
        timeline.prolong_gap(10)
    assert timeline.tail == 200
    assert list(timeline) == [Settled(60, 200, GAP, Cause.DISK)]
    timeline.extend(5)
    with pytest.raises(AssertionError):
        timeline.prolong_gap(1)
