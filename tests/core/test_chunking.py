"""The slicing rule: whatever arrives, every message is within the limits and no sample is lost."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.chunking import Chunk, ChunkRule, next_chunk

RULE = ChunkRule(least=800, wanted=1600, most=16000)
rules = st.lists(st.integers(1, 60), min_size=3, max_size=3).map(lambda sizes: ChunkRule(*sorted(sizes)))


def test_slices_a_live_stream() -> None:
    """Live, a message is what was asked for; less waits for more."""
    assert next_chunk(1599, last=False, rule=RULE) is None
    assert Chunk(1600) == next_chunk(1600, last=False, rule=RULE)
    assert Chunk(1600) == next_chunk(3199, last=False, rule=RULE)


def test_grows_while_behind() -> None:
    """With a backlog a message carries as much as it may."""
    assert Chunk(3200) == next_chunk(3200, last=False, rule=RULE)
    assert Chunk(16000) == next_chunk(1_000_000, last=False, rule=RULE)


@pytest.mark.parametrize(
    ("available", "chunk"),
    [(1, Chunk(1, 799)), (799, Chunk(799, 1)), (800, Chunk(800)), (1599, Chunk(1599)), (0, None)],
)
def test_sends_the_remainder(available: int, chunk: Chunk | None) -> None:
    """The last samples go out at once, filled up only where the minimum asks for it; nothing is no message."""
    assert chunk == next_chunk(available, last=True, rule=RULE)


@given(rule=rules, arrivals=st.lists(st.integers(0, 150), max_size=12))
@settings(derandomize=True, deadline=None, max_examples=300)
def test_every_message_is_within_the_limits(rule: ChunkRule, arrivals: list[int]) -> None:
    """For any stream and rule: sizes within the limits, none empty, padding only at the end, the sum is the input."""
    chunks, buffered = [], 0
    for last, arrived in [*((False, arrived) for arrived in arrivals), (True, 0)]:
        buffered += arrived
        while (chunk := next_chunk(buffered, last=last, rule=rule)) is not None:
            assert 0 < chunk.samples <= buffered
            assert rule.least <= chunk.samples + chunk.padding <= rule.most
            assert chunk.padding == 0 or (last and chunk.samples + chunk.padding == rule.least)
            chunks.append(chunk)
            buffered -= chunk.samples
        assert buffered < rule.wanted
    assert buffered == 0
    assert sum(arrivals) == sum(chunk.samples for chunk in chunks)
    assert sum(chunk.padding for chunk in chunks[:-1]) == 0


@given(
    rate=st.integers(8000, 48000),
    least=st.integers(50, 999),
    width=st.integers(1, 950),
    wanted=st.integers(1, 2000),
)
@settings(derandomize=True, deadline=None, max_examples=500)
def test_rounding_stays_within_the_limits(rate: int, least: int, width: int, wanted: int) -> None:
    """At every rate and every limit of whole milliseconds the sizes are the outermost samples inside, exactly."""
    most = min(least + width, 1000)
    rule = ChunkRule.of(rate=rate, seconds_min=least / 1000, seconds_wanted=wanted / 1000, seconds_max=most / 1000)

    assert rule.least - 1 < Fraction(rate * least, 1000) <= rule.least
    assert rule.most <= Fraction(rate * most, 1000) < rule.most + 1
    assert rule.least <= rule.wanted <= rule.most
    if rule.least < rule.wanted < rule.most:
        assert abs(Fraction(rate * wanted, 1000) - rule.wanted) <= Fraction(1, 2)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000])
def test_common_rates(rate: int) -> None:
    """50 to 1000 ms at the rates of real devices, where 11025 Hz and 22050 Hz have no whole 50 ms."""
    rule = ChunkRule.of(rate=rate, seconds_min=0.05, seconds_wanted=0.1, seconds_max=1.0)
    assert -(-rate // 20) == rule.least
    assert rate == rule.most
    assert abs(rate / 10 - rule.wanted) <= 0.5


def test_no_minimum_is_one_sample() -> None:
    """A provider without a minimum still gets nothing empty."""
    assert ChunkRule.of(rate=16000, seconds_min=0.0, seconds_wanted=0.1, seconds_max=1.0).least == 1


@pytest.mark.parametrize("sizes", [(0, 1, 1), (2, 1, 3), (1, 3, 2), (-1, 1, 1)])
def test_refuses_a_rule_that_contradicts_itself(sizes: tuple[int, int, int]) -> None:
    """Sizes out of order, or a minimum of nothing, are a mistake of the caller."""
    with pytest.raises(AssertionError):
        ChunkRule(*sizes)


@pytest.mark.parametrize(
    ("samples_max", "expected"),
    [
        (16_000, ChunkRule(800, 1600, 16_000)),
        (20_000, ChunkRule(800, 1600, 16_000)),
        (4000, ChunkRule(800, 1600, 4000)),
        (1000, ChunkRule(800, 1000, 1000)),
        (10, ChunkRule(800, 800, 800)),
        (0, ChunkRule(800, 800, 800)),
    ],
)
def test_a_shortened_rule_keeps_to_the_provider(samples_max: int, expected: ChunkRule) -> None:
    """Chunks may be made shorter than the provider's maximum, never than its minimum."""
    assert expected == ChunkRule(800, 1600, 16_000).shortened(samples_max)
