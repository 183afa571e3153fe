"""Reading with tolerance: what is wrong is as good as missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.providers.reading import number, read_object, text


def test_what_is_no_strict_json_is_read_all_the_same() -> None:
    """Servers in Python send NaN by mistake: the field is missing, the words are not."""
    assert read_object('{"confidence": NaN, "text": "x", "most": -Infinity}') == {
        "confidence": None,
        "text": "x",
        "most": None,
    }


@pytest.mark.parametrize("message", ["", "not JSON", "[1]", "5", "null", "[" * 100_000, '{"a":' * 100_000, "\ud800"])
def test_what_is_no_object_is_none(message: str) -> None:
    """Nor is what is nested without end."""
    assert read_object(message) is None


@pytest.mark.parametrize("value", [True, -1, "5", None, [], 1e300, 10**400, float("nan"), float("inf"), 101])
def test_numbers_that_make_no_sense_are_none(value: object) -> None:
    """Neither switches, texts, nor what is past the largest."""
    assert number(value, 100) is None


def test_numbers_that_make_sense() -> None:
    """Whole or not, as floats."""
    assert [1.0, 0.5, None] == [number(1, 1.0), number(0.5, 1.0), number(1.1, 1.0)]


@pytest.mark.parametrize(("value", "found"), [(" a ", "a"), (5, ""), (None, ""), ("a" * 3000, "a" * 2000)])
def test_texts(value: object, found: str) -> None:
    """Trimmed and bounded, empty where there is none; what was spoken has no bound."""
    assert found == text(value)
    assert text("a" * 3000, None) == "a" * 3000


@given(st.text(alphabet=st.characters(), max_size=20))
def test_texts_can_be_written(value: str) -> None:
    """Whatever was escaped in them."""
    assert text(value).encode("utf-8").decode() == text(value)
