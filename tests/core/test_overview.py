"""A journal at a glance: what is counted, what is trouble, and what a person should see to."""

from typing import Any

import msgspec
import pytest

from stenod.core.accounts import Sum
from stenod.core.chronology import Anchor
from stenod.core.overview import Overview, Survey, overview
from stenod.core.timeline import Cause, Settled, Span, State

NINE = 1_769_850_000.0
LOST = {"subject": "provider", "state": "lost", "reason": "No network.", "remedy": "Wait."}
FATAL = {"subject": "provider", "state": "fatal", "reason": "The key is wrong.", "remedy": "Get another."}
AWAY = {"subject": "device", "state": "lost", "reason": "there is no device"}
BACK = {"subject": "provider", "state": "back", "reason": "toy is back"}
MUTED = {"subject": "level", "state": "muted", "reason": "nothing but zeros"}
GOOD = {"subject": "level", "state": "good", "reason": "it is heard again"}
SPANS = (
    Settled(0, 10_000, State.TRANSCRIBED),
    Settled(10_000, 11_000, State.GAP, Cause.DEVICE),
    Settled(12_000, 13_000, State.GAP, Cause.DEVICE),
    Settled(13_000, 20_000, State.QUIET),
)


def look(process: int | None = 7, **changes: Any) -> Overview:
    """Look at a stream of 1000 Hz: 20 s that are settled but for one, and 5 s more in the files."""
    survey = Survey(
        stream="desk",
        rate=1000,
        tail=20_000,
        spans=changes.get("spans", SPANS),
        stored=changes.get("stored", (Span(11_000, 12_000), Span(20_000, 25_000))),
        anchors=changes.get("anchors", (Anchor(position=0, unix=NINE),)),
        accounts=(),
        sums=changes.get("sums", ()),
        statuses=changes.get("statuses", ()),
        records=4,
        waiting=changes.get("waiting", {}),
    )
    return overview(survey, directory="there", process=process, ledger_bytes=9, resume="stenod run …")


def test_what_is_counted() -> None:
    """Every sample up to the end of the files, as what became of it."""
    found = look()
    assert {"transcribed": 10.0, "gap:device": 2.0, "quiet": 7.0, "pending": 6.0} == dict(found.seconds)
    assert (25.0, 11.0, 14.0) == (found.tail, found.cursor, found.lag_seconds)
    assert ("2026-01-31T09:00:25.000Z", "2026-01-31T09:00:11.000Z") == (found.tail_at, found.cursor_at)
    assert (6.0, 12_000) == (found.audio_seconds, found.audio_bytes)
    assert ["gap:device", "pending", "gap:device", "quiet", "pending"] == [one.state for one in found.last]
    assert (20.0, 25.0, "2026-01-31T09:00:20.000Z") == (
        found.last[-1].start,
        found.last[-1].end,
        found.last[-1].started_at,
    )
    assert b'"stream":"desk"' in msgspec.json.encode(found)


def test_a_new_journal() -> None:
    """Nothing is there yet, and nothing is wrong with that."""
    found = look(None, spans=(), stored=(), anchors=())
    assert (20.0, 20.0, None, ()) == (found.tail, found.lag_seconds, found.tail_at, found.attention[1:])
    empty = overview(
        Survey(
            stream="desk",
            rate=1000,
            tail=0,
            spans=(),
            stored=(),
            anchors=(),
            accounts=(),
            sums=(),
            statuses=(),
            records=0,
            waiting={},
        ),
        directory="there",
        process=None,
        ledger_bytes=0,
        resume="",
    )
    assert (0.0, [], ()) == (empty.lag_seconds, empty.last, empty.attention)


@pytest.mark.parametrize(
    ("statuses", "troubles", "words"),
    [
        ((), [], []),
        ((LOST, BACK), [], []),
        ((FATAL, BACK, LOST), [LOST], []),
        ((AWAY, LOST), [AWAY, LOST], []),
        ((AWAY, MUTED), [AWAY, MUTED], []),
        ((MUTED, GOOD), [], []),
        ((LOST, FATAL), [FATAL], ["The key is wrong. Get another."]),
    ],
)
def test_the_last_word_of_each_subject_counts(
    statuses: tuple[dict[str, str], ...], troubles: list[dict[str, str]], words: list[str]
) -> None:
    """Trouble heals by itself, except where only a person can help."""
    found = look(statuses=statuses)
    assert troubles == found.troubles
    assert [f"provider: {one}" for one in words] == list(found.attention)


@pytest.mark.parametrize(
    ("process", "spans", "waiting", "word"),
    [
        (7, SPANS, {"stdout": 3}, None),
        (0, SPANS, {"stdout": 3}, None),
        (None, SPANS, {"stdout": 3}, "6.0 s of audio wait"),
        (None, (Settled(0, 25_000, State.QUIET),), {"stdout": 3, "b": 0}, "3 lines wait"),
        (None, (Settled(0, 25_000, State.QUIET),), {"stdout": 0}, None),
        (None, (Settled(0, 25_000, State.QUIET),), {}, None),
    ],
)
def test_what_waits_while_nothing_runs(
    process: int | None, spans: tuple[Settled, ...], waiting: dict[str, int], word: str | None
) -> None:
    """With the command that helps; whoever runs will do it by itself."""
    attention = look(process, spans=spans, waiting=waiting).attention
    assert (word is None) == (attention == ())
    assert all(word is not None and word in one and one.endswith("stenod run …") for one in attention)


def test_what_was_spent_is_summed() -> None:
    """Months and single sessions of a provider are one figure."""
    parts = (Sum(provider="b", cost=1.0), Sum(provider="a"), Sum(provider="b", cost=2.0))
    assert [("a", None), ("b", 3.0)] == [(one.provider, one.cost) for one in look(sums=parts).spent]


@pytest.mark.parametrize("state", ["lost", "damaged"])
def test_audio_that_is_being_lost_needs_a_person(state: str) -> None:
    """A full disk does not heal by itself."""
    (told,) = look(statuses=({**LOST, "subject": "journal", "state": state},)).attention
    assert told.startswith("journal: ")
