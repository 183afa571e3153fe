"""The JSON lines as a reader sees them."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.records import (
    Final,
    Gap,
    Partial,
    Record,
    Revision,
    Session,
    Status,
    Word,
    line,
    parsed,
    record_id,
    rfc3339,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NINE = 1_769_850_000

texts = st.text(st.characters(codec="utf-8"), max_size=8)
seconds = st.floats(0.0, 1e9)
ratios = st.one_of(st.none(), st.floats(0.0, 1.0))
optional = st.one_of(st.none(), texts)
words = st.lists(
    st.builds(Word, text=texts, start=seconds, end=seconds, confidence=ratios, speaker=optional), max_size=2
)
place = {"stream": texts, "start": seconds, "end": seconds, "started_at": texts, "ended_at": texts}
turn = {
    "text": texts,
    "words": words.map(tuple),
    "language": optional,
    "provider": texts,
    "session": texts,
    "late": st.booleans(),
}
amounts = st.one_of(st.none(), seconds)
records = st.one_of(
    st.builds(Final, **place, **turn, id=texts),
    st.builds(Partial, **place, **turn),
    st.builds(Gap, **place, id=texts, cause=texts, estimated=st.booleans()),
    st.builds(
        Session,
        stream=texts,
        id=texts,
        session=texts,
        provider=texts,
        provider_session=optional,
        event=texts,
        at=texts,
        code=st.one_of(st.none(), st.integers(0, 9999)),
        reason=optional,
        verdict=optional,
        audio_seconds=amounts,
        billed_seconds=amounts,
        cost=amounts,
    ),
    st.builds(Revision, stream=texts, id=texts, revises=texts, speakers=st.lists(optional, max_size=3).map(tuple)),
    st.builds(Status, stream=texts, id=texts, at=texts, subject=texts, state=texts, reason=texts, remedy=texts),
)

FINAL = Final(
    stream="desk",
    id=record_id("desk", 3, 17),
    start=1.5,
    end=2.25,
    started_at=rfc3339(NINE + 1.5),
    ended_at=rfc3339(NINE + 2.25),
    text="Hello, wörld.",
    words=(Word(text="Hello,", start=1.5, end=1.75, confidence=0.5), Word(text="wörld.", start=2.0, end=2.25)),
    provider="assemblyai",
    session="s1",
)


def test_a_final_as_a_line() -> None:
    """What a reader of stdout gets for a turn, to the byte."""
    assert (
        '{"type":"final","stream":"desk","id":"desk-0003-0000000017","start":1.5,"end":2.25,'
        '"started_at":"2026-01-31T09:00:01.500Z","ended_at":"2026-01-31T09:00:02.250Z","text":"Hello, wörld.",'
        '"words":[{"text":"Hello,","start":1.5,"end":1.75,"confidence":0.5,"speaker":null},'
        '{"text":"wörld.","start":2.0,"end":2.25,"confidence":null,"speaker":null}],'
        '"language":null,"provider":"assemblyai","session":"s1","late":false,"doubtful":false,"recovered":false}\n'
    ).encode() == line(FINAL)


@given(records)
@settings(derandomize=True, deadline=None, max_examples=200)
def test_every_record_is_one_line_that_comes_back(record: Record | Partial) -> None:
    """One line, `type` first, readable by any JSON parser, and decoding it gives the record again."""
    text = line(record)
    assert text.count(b"\n") == 1
    assert text.endswith(b"}\n")
    read = json.loads(text)
    assert next(iter(read)) == "type"
    assert type(record).__name__.lower() == read["type"]
    assert read == parsed(text)
    assert record == msgspec.json.decode(text, type=Record | Partial)


def test_a_partial_has_no_id() -> None:
    """A partial never enters the outbox, so it has no identity that a reader might keep; all else is as in a final."""
    own = ("id", "doubtful", "recovered")
    fields = {name: getattr(FINAL, name) for name in FINAL.__struct_fields__ if name not in own}
    partial = parsed(line(Partial(**fields)))
    assert "id" not in partial
    assert {key: value for key, value in parsed(line(FINAL)).items() if key not in (*own, "type")} == {
        key: value for key, value in partial.items() if key != "type"
    }


def test_a_line_is_an_object() -> None:
    """Anything but an object is not one of our lines."""
    with pytest.raises(AssertionError):
        parsed(b"[1]")


@pytest.mark.parametrize(
    ("unix_seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (NINE, "2026-01-31T09:00:00.000Z"),
        (NINE + 0.001, "2026-01-31T09:00:00.001Z"),
        (NINE + 0.0004, "2026-01-31T09:00:00.000Z"),
        (NINE + 0.9994, "2026-01-31T09:00:00.999Z"),
        (NINE + 0.99951, "2026-01-31T09:00:01.000Z"),
        (NINE - 0.0001, "2026-01-31T09:00:00.000Z"),
        (1_767_225_599.9996, "2026-01-01T00:00:00.000Z"),
        (951_782_399.9999, "2000-02-29T00:00:00.000Z"),
    ],
)
def test_times_are_rounded_to_milliseconds(unix_seconds: float, text: str) -> None:
    """Rounded, not cut off, and a carry goes through to second, day and year."""
    assert text == rfc3339(unix_seconds)


@given(st.integers(0, 4_102_444_800_000))
@settings(derandomize=True, deadline=None, max_examples=300)
def test_whole_milliseconds_are_exact(milliseconds: int) -> None:
    """No float between 1970 and 2100 costs a millisecond."""
    expected = (EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds")
    assert expected.removesuffix("+00:00") + "Z" == rfc3339(milliseconds / 1000)


@given(st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 10**10 - 1)), max_size=10))
@settings(derandomize=True, deadline=None)
def test_ids_sort_as_text(places: list[tuple[int, int]]) -> None:
    """Sorting ids as text is sorting by epoch, then by sequence; different places have different ids."""
    assert [record_id("desk", *place) for place in sorted(places)] == sorted(record_id("desk", *p) for p in places)
    assert len(set(places)) == len({record_id("desk", *place) for place in places})
