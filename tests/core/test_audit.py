"""The audit: each promise of a journal, broken one at a time, is found."""

from dataclasses import replace

import pytest

from stenod.core import records
from stenod.core.audit import Stock, audit
from stenod.core.timeline import Cause, Settled, Span, State

RATE = 16_000


def final(sequence: int, start: float, end: float, session: str = "s-1", late: bool = False) -> tuple[int, int, bytes]:
    """One final's row of the outbox."""
    record = records.Final(
        stream="s",
        id=records.record_id("s", 0, sequence),
        start=start,
        end=end,
        started_at="",
        ended_at="",
        text="a",
        words=(records.Word(text="a", start=start, end=end),),
        provider="p",
        session=session,
        late=late,
    )
    return 0, sequence, records.line(record)


SOUND = Stock(
    stream="s",
    rate=RATE,
    tail=10 * RATE,
    sequence=2,
    spans=(
        Settled(0, 4 * RATE, State.TRANSCRIBED),
        Settled(4 * RATE, 5 * RATE, State.GAP, Cause.DEVICE),
        Settled(5 * RATE, 8 * RATE, State.TRANSCRIBED),
    ),
    stored=(Span(6 * RATE, 9 * RATE), Span(9 * RATE, 11 * RATE)),
    lines=(final(0, 1.0, 2.0), final(1, 6.0, 7.0)),
    places={"stdout": (0, 0)},
)


def test_a_sound_journal_has_totals_and_no_faults() -> None:
    """Audio that came after the ledger's last commit is pending."""
    found = audit(SOUND)
    assert () == found.faults
    assert {"transcribed": 7.0, "gap:device": 1.0, "pending": 3.0} == found.seconds
    assert ({"final": 2}, {"stdout": 1}) == (found.records, found.unprinted)


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (replace(SOUND, spans=(*SOUND.spans, Settled(7 * RATE, 9 * RATE, State.QUIET))), "overlaps"),
        (replace(SOUND, spans=(*SOUND.spans, Settled(10 * RATE, 12 * RATE, State.QUIET))), "outside the timeline"),
        (replace(SOUND, stored=(Span(9 * RATE, 11 * RATE),)), "no file holds it"),
        (replace(SOUND, stored=(Span(6 * RATE, 9 * RATE), Span(8 * RATE, 11 * RATE))), "overlaps"),
        (replace(SOUND, lines=(final(0, 1.0, 2.0), final(2, 6.0, 7.0)), sequence=3), "are missing"),
        (replace(SOUND, lines=(final(0, 1.0, 2.0), (0, 1, b"{"))), "not a JSON object"),
        (replace(SOUND, lines=(final(0, 1.0, 2.0), (0, 1, final(7, 6.0, 7.0)[2]))), "calls itself"),
        (replace(SOUND, sequence=1), "is taken"),
        (replace(SOUND, lines=(final(0, 6.0, 7.0), final(1, 1.0, 2.0))), "begins before"),
        (replace(SOUND, lines=(final(0, 1.0, 2.0), final(1, 5.5, 9.5))), "does not count as transcribed"),
        (replace(SOUND, lines=(final(0, 1.0, 2.0), final(1, 9.5, 11.5))), "does not count as transcribed"),
        (replace(SOUND, lines=(final(0, 1.0, 2.0), final(1, 8.5, 9.5, late=True))), "does not count as transcribed"),
        (replace(SOUND, lines=(final(0, 1.0, 2.0), final(1, 4.2, 4.8))), "does not count as transcribed"),
    ],
)
def test_a_broken_promise_is_named(broken: Stock, fault: str) -> None:
    """The first fault says what is wrong, and where."""
    assert fault in audit(broken).faults[0]


def test_turns_of_two_sessions_may_interleave() -> None:
    """A late span's turns come when they come; only one session's own are in order."""
    late = replace(SOUND, lines=(final(0, 6.0, 7.0), final(1, 1.0, 2.0, "s-2")))
    assert () == audit(late).faults


def test_a_turn_may_reach_over_a_gap() -> None:
    """What was said before and after it was sent without it, and the provider took it for one turn."""
    assert () == audit(replace(SOUND, lines=(final(0, 1.0, 2.0), final(1, 3.5, 5.5)))).faults


@pytest.mark.parametrize(("start", "sound"), [(5.6, True), (5.0, True), (4.0, False)])  # 3.2 s
def test_a_turn_may_begin_in_what_another_session_has_still_to_say(start: float, sound: bool) -> None:
    """After an outage a live session begins to hear up to two seconds before its share, and may pad its first word."""
    spans = (Settled(0, 2 * RATE, State.TRANSCRIBED), Settled(8 * RATE, 10 * RATE, State.TRANSCRIBED))
    stored = (Span(2 * RATE, 11 * RATE),)
    stock = replace(SOUND, tail=11 * RATE, spans=spans, stored=stored, lines=(final(0, start, 9.0),), sequence=1)
    assert sound == (audit(stock).faults == ())
    assert audit(replace(stock, lines=(final(0, start, 7.0),))).faults == ()


def test_a_gap_that_the_ledger_is_about_to_be_told_of() -> None:
    """Audio is stored behind it already; before the ledger's tail it would be lost."""
    stored = (*SOUND.stored, Span(12 * RATE, 13 * RATE))
    assert () == audit(replace(SOUND, stored=stored)).faults
    assert audit(replace(SOUND, stored=stored, tail=12 * RATE)).faults


def test_an_empty_journal_is_sound() -> None:
    """Nothing was promised yet."""
    assert () == audit(Stock(stream="s", rate=RATE, tail=0, sequence=0, spans=(), stored=(), lines=())).faults


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"oldest": 1, "lines": SOUND.lines[1:]}, None),
        ({"oldest": 2, "lines": ()}, None),
        ({"lines": SOUND.lines[1:]}, "records 0/0 to 0/0 are missing"),
        ({"oldest": 1, "lines": ()}, "records 1 to 1 are missing"),
    ],
)
def test_what_was_pruned_is_not_missing(change: dict, fault: str | None) -> None:
    """The ledger says from where on the outbox is whole."""
    faults = audit(replace(SOUND, **change)).faults
    assert (fault is None) == (faults == ())
    assert fault is None or fault in faults[0]
