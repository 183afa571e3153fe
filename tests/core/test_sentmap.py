"""The sent map against a list with one entry a session sample."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.sentmap import SentMap
from stenod.core.timeline import Span

RATE = 16_000
pieces = st.lists(
    st.tuples(st.sampled_from(["stream", "skip", "injected"]), st.integers(1, 9), st.integers(1, 50)), max_size=12
)


def build(origin: int, script: list[tuple[str, int, int]], rate: int = RATE) -> tuple[SentMap, list[int | None]]:
    """Return a map and its model: the stream sample, or None, of each session sample."""
    sent, model, stream = SentMap(rate, origin), [], origin
    for kind, count, skipped in script:
        if kind == "injected":
            sent.add(None, count)
            model += [None] * count
            continue
        stream += skipped if kind == "skip" else 0
        sent.add(stream, count)
        model += range(stream, stream + count)
        stream += count
    return sent, model


def expected_end(model: list[int | None], origin: int, sample: int) -> int:
    """Return the end of the captured audio that came before this session sample."""
    return next((stream + 1 for stream in reversed(model[:sample]) if stream is not None), origin)


def expected_position(model: list[int | None], origin: int, sample: int) -> int:
    """Return the sample itself, or the next one that was captured; where none is, the end of what was."""
    behind = next((stream for stream in model[sample:] if stream is not None), None)
    if behind is not None:
        return behind
    return next((stream + 1 for stream in reversed(model[:sample]) if stream is not None), origin)


def test_maps_a_session_with_a_pause() -> None:
    """Session time runs on over injected silence and skipped audio; stream positions do not."""
    sent = SentMap(RATE, 32_000)
    sent.add(32_000, 16_000)
    sent.add(None, 8_000)
    sent.add(64_000, 16_000)

    assert sent.position(0.0) == 32_000
    assert sent.position(0.5) == 40_000
    assert sent.position(1.25) == 64_000
    assert sent.position(1.25, end=True) == 48_000
    assert sent.position(1.5) == 64_000
    assert sent.position(1.5, end=True) == 48_000
    assert sent.position(2.0, end=True) == 72_000
    assert [Span(32_000, 48_000), Span(64_000, 72_000)] == sent.covered(2.0)
    assert sent.seconds == 2.5
    assert sent.injected == 8_000


@given(origin=st.integers(0, 10**9), script=pieces, rate=st.sampled_from([8000, 16_000, 44_100, 48_000]))
@settings(derandomize=True, deadline=None, max_examples=300)
def test_equals_a_list_of_samples(origin: int, script: list[tuple[str, int, int]], rate: int) -> None:
    """At each session sample: the position, and exactly the captured samples before it are covered."""
    sent, model = build(origin, script, rate)
    assert len(model) == sent.sent
    assert model.count(None) == sent.injected
    for sample in range(len(model) + 1):
        seconds = sample / rate
        assert expected_position(model, origin, sample) == sent.position(seconds)
        if sample > 0:
            assert expected_end(model, origin, sample) == sent.position(seconds, end=True)
        covered = [position for span in sent.covered(seconds) for position in range(span.start, span.end)]
        assert [position for position in model[:sample] if position is not None] == covered


@given(origin=st.integers(0, 1000), script=pieces, times=st.lists(st.floats(-2.0, 2.0), max_size=10))
@settings(derandomize=True, deadline=None, max_examples=100)
def test_positions_follow_the_times(origin: int, script: list[tuple[str, int, int]], times: list[float]) -> None:
    """Later times never map to earlier positions, also outside the session."""
    sent, _ = build(origin, script, rate=100)
    for end in (False, True):
        positions = [sent.position(seconds, end=end) for seconds in sorted(times)]
        assert sorted(positions) == positions
    for seconds in times:
        assert sent.position(seconds, end=True) <= sent.position(seconds)


def test_a_gap_belongs_to_no_word() -> None:
    """A word that ends where audio was skipped ends before the hole, one that starts there starts behind it."""
    sent = SentMap(RATE, 0)
    sent.add(0, 16_000)
    sent.add(80_000, 16_000)
    assert sent.position(1.0, end=True) == 16_000
    assert sent.position(1.0) == 80_000


@pytest.mark.parametrize("seconds", [-1.0, -1e-9, 0.0])
def test_times_before_the_session(seconds: float) -> None:
    """A provider that pads a turn's start below zero means the first sample, and nothing was sent before it."""
    sent = SentMap(RATE, 500)
    sent.add(500, 1600)
    assert sent.position(seconds) == 500
    assert sent.covered(seconds) == []


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1e9])
def test_times_after_the_session(seconds: float) -> None:
    """A time beyond what was sent means the end of what was sent."""
    sent = SentMap(RATE, 500)
    sent.add(500, 1600)
    assert sent.position(seconds) == 2100
    assert [Span(500, 2100)] == sent.covered(seconds)


def test_nothing_but_injected_audio_is_where_the_session_would_begin() -> None:
    """Keep-warm zeros before the first sample lie at the origin and cover nothing."""
    sent = SentMap(RATE, 500)
    assert sent.position(3.0) == 500
    sent.add(None, 1600)
    assert sent.position(0.05) == 500
    assert sent.covered(0.1) == []


@given(script=pieces)
@settings(derandomize=True, deadline=None, max_examples=100)
def test_memory_follows_the_breaks(script: list[tuple[str, int, int]]) -> None:
    """There are as many runs as contiguous pieces, however many messages carried them."""
    sent, model = build(0, script)
    breaks = sum(
        1
        for left, right in zip([-10, *model], model, strict=False)
        if (left is None) != (right is None) or (left is not None and right is not None and right != left + 1)
    )
    assert breaks == len(sent._runs)


def test_a_day_without_a_break_is_one_run() -> None:
    """Chunks that follow each other cost no memory."""
    sent = SentMap(RATE, 0)
    for index in range(10_000):
        sent.add(index * 1600, 1600)
    assert len(sent._runs) == 1
    assert [Span(0, 16_000_000)] == sent.covered(1000.0)


def test_nothing_is_not_sent() -> None:
    """An empty message would be a mistake of the caller."""
    with pytest.raises(AssertionError):
        SentMap(RATE, 0).add(0, 0)


@given(script=pieces)
@settings(derandomize=True, deadline=None, max_examples=50)
def test_what_was_sent_before_a_position_is_counted(script: list[tuple[str, int, int]]) -> None:
    """The stream's samples only, each as often as it was sent."""
    sent, model = build(0, script)
    for position in {0, 1, 700, *(one for one in model if one is not None)}:
        assert sum(one is not None and one < position for one in model) == sent.before(position)
