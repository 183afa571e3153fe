"""Text and words made to agree: neither is always whole, and no word is lost for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.providers.content import TurnWord, content, word_times


def words(*spelled: str, step: float = 1.0) -> tuple[TurnWord, ...]:
    """Return words of a second each."""
    return tuple(TurnWord(one, place * step, (place + 1) * step) for place, one in enumerate(spelled))


@pytest.mark.parametrize(
    ("transcript", "heard", "expected"),
    [
        ("open the", words("open", "the", "win"), "open the win"),
        ("", words("open", "the"), "open the"),
        ("Open, the!", words("open", "the"), "Open, the!"),
        ("$25 please", words("twenty", "five", "please"), "$25 please"),
        ("open the window", words("open", "the"), "open the window"),
        ("日本", words("日", "本", "語"), "日 本 語"),
    ],
)
def test_text_and_words_complete_each_other(transcript: str, heard: tuple[TurnWord, ...], expected: str) -> None:
    """The one that goes on where the other stops is right; formatting is no difference."""
    found = content(transcript, heard, (), 0.0)
    assert found.text == expected
    assert len(found.words) >= len(heard)


def test_words_that_only_the_text_has_are_added() -> None:
    """At the end, without a length, since nobody said how long they are."""
    found = content("open the window", words("open", "the"), (), 0.0)
    assert [(one.text, one.start, one.end) for one in found.words][-1] == ("window", 2.0, 2.0)
    assert found.end == 2.0


def test_a_bare_text_takes_the_times_that_are_known() -> None:
    """One by one where they are as many, spread over the whole otherwise; then their end is not the provider's."""
    same = content("Open the", (), words("open", "the"), 9.0)
    assert [(one.start, one.end) for one in same.words] == [(0.0, 1.0), (1.0, 2.0)]
    assert same.end == 2.0
    other = content("a b c d", (), words("open", "the"), 9.0)
    assert [(one.start, one.end) for one in other.words] == [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5), (1.5, 2.0)]
    assert other.end is None
    bare = content("a", (), (), 9.0)
    assert [(one.start, one.end) for one in bare.words] == [(9.0, 9.0)]


def test_words_without_times_share_their_gap() -> None:
    """Before, between and after those that have them."""
    heard = (
        TurnWord("a"),
        TurnWord("b", 2.0, 3.0),
        TurnWord("c"),
        TurnWord("d"),
        TurnWord("e", 5.0, 6.0),
        TurnWord("f"),
    )
    found = content("", heard, (), 1.0)
    assert [(one.start, one.end) for one in found.words] == [
        (1.0, 2.0),
        (2.0, 3.0),
        (3.0, 4.0),
        (4.0, 5.0),
        (5.0, 6.0),
        (6.0, 6.0),
    ]
    assert found.end == 6.0


def timed(spelling: str, times: tuple[float, float] | None) -> TurnWord:
    """Return a word as it is read: with both times in order, or without."""
    return TurnWord(spelling) if times is None else TurnWord(spelling, *sorted(times))


listed = st.builds(
    timed, st.sampled_from(["a", "b", "ab"]), st.none() | st.tuples(st.floats(0, 100), st.floats(0, 100))
)


@given(
    st.text("ab .", max_size=12).map(str.strip),
    st.lists(listed, max_size=5),
    st.lists(listed, max_size=3),
    st.floats(0, 100),
)
def test_no_word_is_lost(transcript: str, heard: list[TurnWord], known: list[TurnWord], since: float) -> None:
    """As many words as were listed or spelled; each with times in order of themselves."""
    found = content(transcript, tuple(heard), tuple(known), since)
    assert len(found.words) >= len(heard)
    assert heard or len(found.words) == len(transcript.split())
    assert bool(found.text) == bool(found.words)
    assert all(word.start <= word.end + 1e-9 for word in found.words)


def test_a_text_that_goes_on_fills_its_span() -> None:
    """Words without times share what the provider says it covered."""
    found = content("a b", (), (), 1.0, 3.0)
    assert [(1.0, 2.0), (2.0, 3.0)] == [(one.start, one.end) for one in found.words]
    assert found.end is None


@pytest.mark.parametrize(
    ("start", "end", "times"),
    [(1.0, 2.0, (1.0, 2.0)), (None, 2.0, (2.0, 2.0)), (1.0, None, (1.0, 1.0)), (3.0, 2.0, (3.0, 3.0))],
)
def test_one_time_stands_for_both(start: float | None, end: float | None, times: tuple[float, float]) -> None:
    """And an end before its start is its start."""
    assert times == word_times(start, end)
