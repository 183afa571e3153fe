"""What reaches a terminal of a foreign text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.core.printable import lines, one_line


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("Grüße, 你好", "Grüße, 你好"),
        ("", ""),
        ("\x1b[31mEVIL\nline\x00", r"\x1b[31mEVIL\nline\x00"),
        ("\r\x7f\x9b2J", r"\r\x7f\x9b2J"),
        ("a\u202eb", r"a\u202eb"),
        ("a\udcff", r"a\udcff"),
        (r"C:\new", r"C:\new"),
    ],
)
def test_what_cannot_be_printed_is_written_out(foreign: str, shown: str) -> None:
    """Sequences that a terminal obeys, from the first byte on; letters of all the world stay."""
    assert shown == one_line(foreign)


def test_our_own_lines_stay() -> None:
    """And only they end a line."""
    assert "one\ntwo\\r\n\\tthree" == lines("one\ntwo\r\n\tthree")


@given(st.text())
def test_nothing_else_gets_through(text: str) -> None:
    """Whatever it is."""
    assert one_line(text).isprintable()
    assert text.count("\n") == lines(text).count("\n")
