"""Reading with tolerance: what is wrong is as good as missing, and no word is lost for it."""

import pytest

from stenod.providers.assemblyai_messages import milliseconds, read_turn, turn_order
from stenod.providers.reading import read_object


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
    """Whole milliseconds, as seconds."""
    assert milliseconds(1234) == 1.234
    assert turn_order(0) == 0


def test_half_a_surrogate_is_replaced() -> None:
    """The text is going to be written as UTF-8."""
    fields = read_object('{"turn_order": 0, "transcript": "a \\ud800 b"}')
    assert read_turn(fields).text == "a ? b"
