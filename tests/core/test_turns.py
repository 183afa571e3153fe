"""Words on the timeline, and when a monologue is ended."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.sentmap import SentMap
from stenod.core.timeline import Span
from stenod.core.turns import PlacedWord, force_due, in_order, parted, place, scoped

RATE = 1000


@dataclass(frozen=True)
class Said:
    """A word as a provider tells it."""

    text: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None


def sent(*runs: tuple[int | None, int]) -> SentMap:
    """Return the map of a session that began at 1000 and sent these runs."""
    sent_map = SentMap(RATE, 1000)
    for stream, count in runs:
        sent_map.add(stream, count)
    return sent_map


def spans(sent_map: SentMap, *words: tuple[float, float], earliest: int = 0) -> list[tuple[int, int]]:
    """Place words of these times and return where they lie."""
    said = [Said("word", start, end) for start, end in words]
    return [(word.start, word.end) for word in place(said, sent_map.position, earliest=earliest, session="s")]


def test_an_ordinary_turn() -> None:
    """Session seconds become samples of the stream, and all else of a word stays."""
    sent_map = sent((1000, 5000))
    placed = place(
        [Said("one", 0.5, 1.0, 0.9, "A"), Said("two", 1.0, 1.25)], sent_map.position, earliest=0, session="s"
    )
    assert [("one", 1500, 2000, 0.9, "s/A"), ("two", 2000, 2250, None, None)] == [
        (word.text, word.start, word.end, word.confidence, word.speaker) for word in placed
    ]


@pytest.mark.parametrize(
    ("words", "earliest", "expected"),
    [
        ([(-0.5, 0.2)], 0, [(1000, 1200)]),
        ([(4.9, 9.0)], 0, [(5900, 6000)]),
        ([(0.1, 0.5)], 1300, [(1300, 1500)]),
        ([(0.1, 0.2)], 1300, [(1300, 1300)]),
        ([(2.0, 2.5), (1.0, 3.0)], 0, [(3000, 3500), (3000, 4000)]),
        ([(2.0, 1.0)], 0, [(3000, 3000)]),
        ([(0.0, 0.0)], 0, [(1000, 1000)]),
    ],
)
def test_odd_times_are_put_in_order(
    words: list[tuple[float, float]], earliest: int, expected: list[tuple[int, int]]
) -> None:
    """Padded edges, ends before starts and times outside the session move; no word is dropped."""
    assert expected == spans(sent((1000, 5000)), *words, earliest=earliest)


def test_a_gap_between_two_words_is_in_neither() -> None:
    """Where audio was skipped, the word before ends before it and the word after starts behind it."""
    assert [(1500, 2000), (9000, 9500)] == spans(sent((1000, 1000), (9000, 1000)), (0.5, 1.0), (1.0, 1.5))


def test_silence_in_place_of_a_gap_is_in_no_word() -> None:
    """Padded edges reach into it; a word wholly in it was heard before it."""
    words = [(0.5, 1.2), (1.3, 1.5), (1.8, 2.5)]
    assert [(1500, 2000), (2000, 2000), (9000, 9500)] == spans(sent((1000, 1000), (None, 1000), (9000, 1000)), *words)


def test_padding_is_no_place() -> None:
    """A word that the provider lets end in our padding ends with the captured audio."""
    assert [(1500, 2000)] == spans(sent((1000, 1000), (None, 500)), (0.5, 1.3))


@given(
    times=st.lists(st.tuples(st.floats(-5.0, 20.0), st.floats(-5.0, 20.0)), max_size=10),
    earliest=st.integers(0, 20_000),
    runs=st.lists(st.tuples(st.booleans(), st.integers(1, 3000), st.integers(0, 3000)), max_size=6),
)
@settings(derandomize=True, deadline=None, max_examples=200)
def test_placed_words_are_ordered_and_all_there(
    times: list[tuple[float, float]], earliest: int, runs: list[tuple[bool, int, int]]
) -> None:
    """Whatever a provider says: every word is there, starts rise from `earliest`, no end lies before its start."""
    sent_map, stream = SentMap(RATE, 0), 0
    for injected, count, skipped in runs:
        stream += skipped
        sent_map.add(None if injected else stream, count)
        stream += 0 if injected else count
    placed = spans(sent_map, *times, earliest=earliest)
    assert len(times) == len(placed)
    starts = [earliest, *(start for start, _ in placed)]
    assert sorted(starts) == starts
    assert all(start <= end for start, end in placed)


def test_speakers_belong_to_their_session() -> None:
    """Every session begins its labels anew; nobody stays nobody."""
    assert [scoped("a", "1"), scoped("b", "1"), scoped("a", None)] == ["a/1", "b/1", None]


@pytest.mark.parametrize(
    ("open_seconds", "pause_seconds", "due"),
    [
        (19.9, 5.0, False),
        (20.0, 0.09, False),
        (20.0, 0.1, True),
        (30.0, 0.0, False),
        (1000.0, 0.09, False),
        (1000.0, 0.1, True),
    ],
)
def test_a_monologue_is_ended(open_seconds: float, pause_seconds: float, due: bool) -> None:
    """At its bound or after it, in a pause; never within a word."""
    assert due is force_due(open_seconds, pause_seconds, 20.0)


def test_printed_starts_are_in_order() -> None:
    """A word that was missed before the last printed one is put beside it, never before."""
    words = (PlacedWord("a", 10, 20), PlacedWord("b", 30, 60))
    assert (PlacedWord("a", 40, 40), PlacedWord("b", 40, 60)) == in_order(words, 40)
    assert words == in_order(words, 0)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([(0, 500), (600, 1000), (3000, 3400)], [[(0, 500), (600, 1000)], [(3000, 3400)]]),
        ([(600, 1300), (2400, 3400), (3500, 3900)], [[(600, 1000)], [(3000, 3400), (3500, 3900)]]),
        ([(600, 900), (950, 3200)], [[(600, 900)], [(3000, 3200)]]),
        ([(600, 900), (900, 3000)], [[(600, 900), (900, 3000)]]),
        ([(3000, 3300), (3400, 3900)], [[(3000, 3300), (3400, 3900)]]),
        ([(600, 900), (3100, 3300), (6200, 6300)], [[(600, 900)], [(3100, 3300)], [(6200, 6300)]]),
        ([(600, 900), (6200, 6300)], [[(600, 900)], [(6200, 6300)]]),
    ],
)
def test_no_turn_goes_on_over_what_was_lost(words: list[tuple[int, int]], parts: list[list[tuple[int, int]]]) -> None:
    """A gap from 1000 to 3000 and one from 4000 to 6000: what padding reaches into is in neither part."""
    found = parted([PlacedWord("word", *word) for word in words], [Span(1000, 3000), Span(4000, 6000)])
    assert parts == [[(word.start, word.end) for word in part] for part in found]


def test_a_turn_without_a_gap_is_whole() -> None:
    """One part, as it was; nothing of nothing."""
    words = (PlacedWord("one", 0, 500), PlacedWord("two", 600, 900))
    assert [words] == parted(words, [])
    assert [] == parted((), [Span(1000, 3000)])
