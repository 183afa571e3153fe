"""Reading with tolerance: what is wrong is as good as missing, and no word is lost for it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.providers.deepgram_messages import (
    Metadata,
    channel_of,
    error_text,
    last_word_end,
    read_metadata,
    read_results,
    seconds,
)


def results(transcript: Any = "", words: Any = (), **more: Any) -> dict[str, Any]:
    """Return a Results message that covers the first two seconds."""
    listed = list(words) if isinstance(words, tuple) else words
    alternative = {"transcript": transcript, "confidence": 0.9, "words": listed}
    return {"type": "Results", "start": 0.0, "duration": 2.0, "channel": {"alternatives": [alternative]}} | more


OPEN = {"word": "open", "start": 0.4, "end": 0.66, "confidence": 0.98, "punctuated_word": "Open"}
DOOR = {"word": "door", "start": 0.8, "end": 1.2, "confidence": 0.85, "speaker": 1, "language": "en"}


def test_reads_what_was_said() -> None:
    """Words as they are written where that is told, with confidence, speaker and language."""
    found = read_results(results("Open door", (OPEN, DOOR), is_final=True, speech_final=True, from_finalize=True))
    assert (found.start, found.end, found.final, found.endpoint, found.finalized) == (0.0, 2.0, True, True, True)
    assert ("Open door", "en") == (found.text, found.language)
    first, second = found.words
    assert ("Open", 0.4, 0.66, 0.98, None) == (first.text, first.start, first.end, first.confidence, first.speaker)
    assert ("door", "1") == (second.text, second.speaker)


@pytest.mark.parametrize(
    ("more", "language"),
    [
        ({"channel": {"alternatives": [{"transcript": "a", "languages": ["es", "en"]}]}}, "es"),
        ({"channel": {"alternatives": [{"transcript": "a", "languages": "es"}], "detected_language": "de"}}, "de"),
        ({"channel": {"alternatives": [{"transcript": "a"}]}}, None),
    ],
)
def test_the_language_is_the_one_most_was_said_in(more: dict, language: str | None) -> None:
    """The list has the most frequent first."""
    assert language == read_results(results(**more)).language


@pytest.mark.parametrize(
    "channel",
    [None, [], {}, {"alternatives": None}, {"alternatives": []}, {"alternatives": [5]}, 5, "x", [[]]],
)
def test_without_anything_said_it_is_empty(channel: Any) -> None:
    """Whatever stands there instead."""
    assert read_results({"channel": channel}).empty


def test_of_several_the_first_counts() -> None:
    """Channels and readings."""
    first = {"alternatives": [{"transcript": "a"}, {"transcript": "b"}]}
    assert "a" == read_results({"channel": [first, {"alternatives": [{"transcript": "c"}]}]}).text


def test_a_text_without_its_words_fills_its_span() -> None:
    """No word is lost because the list beside it is missing."""
    for words in (None, "x", {}, []):
        found = read_results(results("Open the door.", words)).content(9.0)
        assert ["Open", "the", "door."] == [word.text for word in found.words]
        assert (0.0, 2.0) == (found.words[0].start, found.words[-1].end)


def test_a_span_that_is_not_told_begins_where_the_last_one_ended() -> None:
    """Then nothing says how far it reaches."""
    found = read_results(results("yes", start=None))
    assert found.end is None
    assert (9.0, 9.0) == (found.content(9.0).words[0].start, found.content(9.0).words[0].end)
    assert 1.2 == read_results(results("Open door", (OPEN, DOOR), duration="2")).end


def test_an_entry_that_cannot_be_read_is_the_word_that_stands_there() -> None:
    """Where the text has as many; otherwise it is counted, and the text keeps it."""
    found = read_results(results("Open the door", (OPEN, {"start": 0.7}, DOOR)))
    assert (["Open", "the", "door"], 0) == ([word.text for word in found.words], found.words_skipped)
    found = read_results(results("Open the big door", (OPEN, None, DOOR)))
    assert (["Open", "door"], 1) == ([word.text for word in found.words], found.words_skipped)
    assert "Open the big door" == found.content(0.0).text


@pytest.mark.parametrize(
    ("speaker", "label"), [(0, "0"), (12, "12"), ("A", "A"), (-1, None), (True, None), (10**400, None), ("", None)]
)
def test_speakers_are_labels(speaker: Any, label: str | None) -> None:
    """Numbered from 0."""
    assert label == read_results(results("door", (DOOR | {"speaker": speaker},))).words[0].speaker


@pytest.mark.parametrize("value", [True, -1, -0.5, "5", None, [], 1e9, 10**400, float("nan"), float("inf")])
def test_times_that_make_no_sense_are_none(value: Any) -> None:
    """Neither switches, texts, nor what no session lasts."""
    assert seconds(value) is None
    assert last_word_end({"last_word_end": value}) is None


@pytest.mark.parametrize(
    ("index", "channel"), [([0, 1], 0), ([1, 2], 1), (None, 0), ([], 0), (["1"], 0), (7, 0), ([float("nan")], 0)]
)
def test_channels(index: Any, channel: int) -> None:
    """Mono audio has the first; what is no number is that one too."""
    assert channel == channel_of({"channel_index": index})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"sha256": "ab" * 32, "duration": 6.0}, Metadata(seconds=6.0, whole=True, understood=True)),
        ({"sha256": "incomplete", "duration": 55.78}, Metadata(seconds=55.78, whole=False, understood=True)),
        ({"sha256": "INCOMPLETE"}, Metadata(seconds=None, whole=False, understood=True)),
        ({"sha256": "", "duration": 0}, Metadata(seconds=0.0, whole=False, understood=False)),
        ({"sha256": 5, "duration": -1}, Metadata(seconds=None, whole=False, understood=True)),
        ({}, Metadata(seconds=None, whole=False, understood=True)),
    ],
)
def test_summaries(fields: dict, expected: Metadata) -> None:
    """Only a hash says that all was processed."""
    assert expected == read_metadata(fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"variant": "SchemaError", "description": "could not parse", "message": "secret"},
            "SchemaError: could not parse",
        ),
        ({"code": "X", "description": "y"}, "X: y"),
        ({"variant": 5, "description": {}}, ""),
    ],
)
def test_errors_say_what_they_say(fields: dict, said: str) -> None:
    """But not what they echo."""
    assert said == error_text(fields)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(anything, anything, anything, anything)
def test_any_json_is_read(transcript: Any, words: Any, start: Any, duration: Any) -> None:
    """Text and words are both there or both not, with times in order of themselves."""
    found = read_results(results(transcript, words, start=start, duration=duration))
    content = found.content(1.0)
    assert found.empty is not bool(content.text)
    assert bool(content.text) == bool(content.words)
    assert all(0 <= word.start <= word.end for word in content.words)
    read_results(results() | {"channel": words, "channel_index": transcript})
