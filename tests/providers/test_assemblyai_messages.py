"""Reading with tolerance: what is wrong is as good as missing, and no word is lost for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.providers.assemblyai_messages import (
    TurnWord,
    content,
    milliseconds,
    number,
    read_object,
    read_turn,
    text,
    turn_order,
)


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


def test_one_time_of_two_stands_for_both() -> None:
    """And an end before its start is its start."""
    fields = {
        "turn_order": 0,
        "words": [{"text": "a", "start": 100}, {"text": "b", "end": 200}, {"text": "c", "start": 300, "end": 250}],
    }
    found = read_turn(fields)
    assert [(one.start, one.end) for one in found.words] == [(0.1, 0.1), (0.2, 0.2), (0.3, 0.3)]


def test_utterance_stands_in_for_the_transcript() -> None:
    """It is filled at a pause, sometimes alone."""
    assert read_turn({"turn_order": 0, "utterance": " yes "}).text == "yes"
    assert read_turn({"turn_order": 0, "transcript": "no", "utterance": "yes"}).text == "no"


@pytest.mark.parametrize("value", [True, -1, "5", None, [], 1e300, 10**400, float("nan"), float("inf"), 86_400_001])
def test_times_that_make_no_sense_are_none(value: object) -> None:
    """Neither switches, texts, nor a time past a day."""
    assert milliseconds(value) is None


@pytest.mark.parametrize("value", [True, -1, 1.0, "1", None, 2**31 + 1])
def test_turn_numbers_that_make_no_sense_are_none(value: object) -> None:
    """They count from 0."""
    assert turn_order(value) is None


def test_numbers_that_make_sense() -> None:
    """Whole or not."""
    assert (number(1, 1.0), number(0.5, 1.0), number(1.1, 1.0)) == (1.0, 0.5, None)
    assert milliseconds(1234) == 1.234
    assert turn_order(0) == 0


def test_what_is_no_strict_json_is_read_all_the_same() -> None:
    """Servers in Python send NaN by mistake: the field is missing, the words are not."""
    assert read_object('{"confidence": NaN, "text": "x", "most": -Infinity}') == {
        "confidence": None,
        "text": "x",
        "most": None,
    }


def test_half_a_surrogate_is_replaced() -> None:
    """The text is going to be written as UTF-8."""
    fields = read_object('{"turn_order": 0, "transcript": "a \\ud800 b"}')
    assert read_turn(fields).text == "a ? b"


@given(st.text(alphabet=st.characters(), max_size=20))
def test_texts_can_be_written(value: str) -> None:
    """Whatever was escaped in them."""
    assert text(value).encode("utf-8").decode() == text(value)


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
