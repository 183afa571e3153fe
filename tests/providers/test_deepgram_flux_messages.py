"""Flux's messages about turns: what they say, and what they may leave out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.providers.content import TurnWord
from stenod.providers.deepgram_flux_messages import TurnInfo, read_turn_info, whole_number

MESSAGE = {
    "type": "TurnInfo",
    "request_id": "6d1d9b52-3a4b-4f0e-8d3a-0f4f3c2f1a11",
    "sequence_id": 1,
    "event": "StartOfTurn",
    "turn_index": 0,
    "audio_window_start": 0.0,
    "audio_window_end": 0.48,
    "transcript": "Hello",
    "words": [{"word": "Hello", "confidence": 0.97, "start": 0.2, "end": 0.45}],
    "end_of_turn_confidence": 0.1,
    "languages": ["en"],
}


def test_reads_a_whole_message() -> None:
    """Times are seconds already."""
    assert read_turn_info(MESSAGE) == TurnInfo(
        event="StartOfTurn",
        index=0,
        window_start=0.0,
        window_end=0.48,
        text="Hello",
        words=(TurnWord("Hello", 0.2, 0.45, 0.97),),
        language="en",
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"words": [{"word": "Hello"}]}, (TurnWord("Hello"),)),
        ({"words": [{"word": "a", "start": 1.0}]}, (TurnWord("a", 1.0, 1.0),)),
        ({"words": [{"word": "a", "end": 2}]}, (TurnWord("a", 2.0, 2.0),)),
        ({"words": [{"word": "a", "start": 2.0, "end": 1.0}]}, (TurnWord("a", 2.0, 2.0),)),
        ({"words": [{"word": "a", "start": -1, "end": "x", "confidence": 7}]}, (TurnWord("a"),)),
        ({"words": [{"word": ""}, {"text": "a"}, "a", None]}, ()),
        ({"words": "Hello"}, ()),
    ],
)
def test_a_word_is_not_lost_for_what_stands_beside_it(changed: dict, expected: tuple) -> None:
    """Wrong fields are missing ones; what is no word is none."""
    turn = read_turn_info(MESSAGE | changed)
    assert turn is not None
    assert turn.words == expected


@pytest.mark.parametrize("index", [None, -1, 1.0, True, "0", 2**60])
def test_a_message_must_say_which_turn_it_is_about(index: Any) -> None:
    """Or nothing can be done with it."""
    assert read_turn_info(MESSAGE | {"turn_index": index}) is None
    assert whole_number(index) is None


@pytest.mark.parametrize(
    ("text", "words", "size"), [("a b", [], 2), ("a b", ["a", "b", "c"], 3), ("", ["a"], 1), (" ", [], 0)]
)
def test_how_many_words_it_says(text: str, words: list, size: int) -> None:
    """By the text or by the list, whichever has more."""
    turn = read_turn_info(MESSAGE | {"transcript": text, "words": [{"word": word} for word in words]})
    assert turn is not None
    assert (turn.size, turn.empty) == (size, size == 0)


@pytest.mark.parametrize(("languages", "expected"), [([], None), (["de", "en"], "de"), ([5], None), ("en", None)])
def test_the_language_is_the_first(languages: Any, expected: str | None) -> None:
    """Where there is one."""
    turn = read_turn_info(MESSAGE | {"languages": languages})
    assert turn is not None
    assert turn.language == expected


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(st.sampled_from(sorted(MESSAGE)), anything)
def test_any_field_may_be_anything(name: str, value: Any) -> None:
    """Times that come out make sense."""
    turn = read_turn_info(MESSAGE | {name: value})
    for word in turn.words if turn is not None else ():
        assert word.start is None or 0 <= word.start <= (word.end or 0)
