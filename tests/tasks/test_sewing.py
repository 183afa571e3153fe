"""Sewing: a session's words against what others have printed before and behind its share."""

from dataclasses import dataclass

import trio

from fakes.journal import RATE, STREAM, Disk
from fakes.source import speech
from stenod.core import records
from stenod.core.sentmap import SentMap
from stenod.core.turns import PlacedWord
from stenod.tasks.journal import Journal
from stenod.tasks.sewing import Sewing


@dataclass
class FakeSession:
    """What sewing needs of a session."""

    name: str
    start: int
    share_end: int
    end: int
    sent_map: SentMap
    torn: bool = False


def word(text: str, start: float, end: float) -> PlacedWord:
    """A word at seconds."""
    return PlacedWord(text, round(start * RATE), round(end * RATE))


async def printed(journal: Journal, session: str, *words: tuple[str, float, float]) -> None:
    """Put a line of another session into the outbox."""
    line = records.Final(
        stream=STREAM,
        start=words[0][1],
        end=words[-1][2],
        started_at="",
        ended_at="",
        text="",
        words=tuple(records.Word(text=text, start=start, end=end) for text, start, end in words),
        provider="toy",
        session=session,
    )
    await journal.commit([line])


async def test_both_ends_of_a_late_share(autojump_clock: trio.abc.Clock) -> None:
    """Words that were printed before it and behind it, also by an earlier run, are not said again."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 20 * RATE))
    await printed(journal, "before", ("a", 8.0, 9.0), ("b", 9.0, 10.0))
    await printed(journal, "behind", ("e", 13.5, 14.5), ("f", 14.5, 15.5))
    await printed(journal, "far", ("c", 17.0, 18.0))
    journal = disk.journal()
    session = FakeSession("late", 10 * RATE, 14 * RATE, 16 * RATE, SentMap(RATE, 8 * RATE))
    sewing = Sewing(session, journal)  # type: ignore[arg-type]
    first, _ = await sewing.sew((word("a", 8.1, 9.0), word("b", 9.0, 10.1), word("c", 10.2, 11.0)))
    second, _ = await sewing.sew((word("d", 12.0, 13.4), word("e", 13.5, 14.4), word("f", 14.5, 15.0)))
    assert (["c"], ["d"]) == ([one.text for one in first], [one.text for one in second])


async def test_a_successor_that_heard_far_ahead(autojump_clock: trio.abc.Clock) -> None:
    """No pause came: it heard for six seconds what the old session was being sent, and says none of it again."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 20 * RATE))
    heard = [(f"w{number}", 8.0 + 0.5 * number, 8.5 + 0.5 * number) for number in range(14)]
    await printed(journal, "old", *heard[:12])
    session = FakeSession("new", 14 * RATE, 2**62, 2**62, SentMap(RATE, 8 * RATE), torn=True)
    kept, doubtful = await Sewing(session, journal).sew(tuple(word(*one) for one in heard))  # type: ignore[arg-type]
    assert (["w12", "w13"], False) == ([one.text for one in kept], doubtful)


async def test_a_session_does_not_meet_its_own_words(autojump_clock: trio.abc.Clock) -> None:
    """What it has printed itself near the end of its share is nobody else's."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 20 * RATE))
    await printed(journal, "late", ("no", 13.0, 13.4))
    session = FakeSession("late", 10 * RATE, 14 * RATE, 16 * RATE, SentMap(RATE, 10 * RATE))
    kept, doubtful = await Sewing(session, journal).sew((word("no", 13.5, 13.9),))  # type: ignore[arg-type]
    assert (["no"], False) == ([one.text for one in kept], doubtful)


async def test_those_who_went_on_may_end_before_the_share_does(autojump_clock: trio.abc.Clock) -> None:
    """A successor that heard two seconds before a cut at the end of all audio has printed the last word."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 20 * RATE))
    await printed(journal, "successor", ("d", 19.5, 20.0))
    session = FakeSession("late", 10 * RATE, 20 * RATE, 20 * RATE, SentMap(RATE, 10 * RATE))
    kept, _ = await Sewing(session, journal).sew((word("c", 19.0, 19.5), word("d", 19.5, 20.0)))  # type: ignore[arg-type]
    assert ["c"] == [one.text for one in kept]


async def test_those_before_us_are_not_those_behind_us(autojump_clock: trio.abc.Clock) -> None:
    """In a share of a second, the same word printed before it and said within it are two."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 20 * RATE))
    await printed(journal, "before", ("no", 9.0, 9.5), ("no", 9.6, 10.2))
    session = FakeSession("late", 10 * RATE, 11 * RATE, 11 * RATE, SentMap(RATE, 10 * RATE))
    kept, _ = await Sewing(session, journal).sew((word("no", 10.3, 10.7),))  # type: ignore[arg-type]
    assert ["no"] == [one.text for one in kept]


async def test_what_was_said_behind_a_short_share_is_no_repetition(autojump_clock: trio.abc.Clock) -> None:
    """Whoever says "no" now and "no" again in a second is quoted with both, though the share is over between them."""
    journal = Disk().journal()
    journal.append(speech(0, 20 * RATE))
    await printed(journal, "before", ("well", 9.7, 10.0))
    await printed(journal, "behind", ("no", 11.1, 11.9))
    session = FakeSession("late", 10 * RATE, 11_100, 11_100, SentMap(RATE, 9200))
    heard = (word("well", 9.2, 10.0), word("yes", 10.1, 10.3), word("no", 10.4, 11.09))
    kept, doubtful = await Sewing(session, journal).sew(heard)  # type: ignore[arg-type]
    assert (["yes", "no"], False) == ([one.text for one in kept], doubtful)
