"""The transcript: events of sessions in, records and settled spans out, together and in order."""

from dataclasses import dataclass, field

import pytest
import trio

from fakes.dialect import ToyDialect
from fakes.journal import RATE, Disk, status
from fakes.source import speech
from stenod.core import records
from stenod.core.sentmap import SentMap
from stenod.core.timeline import FOREVER, Cause, Settled, State
from stenod.providers.base import Event, Final, Heard, Notice, Partial, Revision, SpokenWord
from stenod.tasks.transcript import QUEUE_MAX, Transcript, TranscriptBehind

HEARD = State.TRANSCRIBED


@dataclass
class FakeSession:
    """What the transcript needs of a session, which has sent [start, end)."""

    name: str
    start: int
    end: int
    late: bool = False
    settled_samples: int = 0
    trusted_until: int = FOREVER
    torn: bool = False
    share_end: int = FOREVER
    dialect: ToyDialect = field(default_factory=ToyDialect)

    def __post_init__(self) -> None:
        self.sent_map = SentMap(RATE, self.start)
        self.sent_map.add(self.start, self.end - self.start)


class Desk:
    """A transcript at work."""

    def __init__(self, nursery: trio.Nursery, seconds: float = 10.0) -> None:
        self.disk = Disk()
        self.journal = self.disk.journal()
        self.journal.append(speech(0, round(seconds * RATE)))
        self.partials: list[bytes | None] = []
        self.transcript = Transcript(self.journal, self.partials.append)
        nursery.start_soon(self.transcript.run)

    def session(self, name: str, start: float, end: float, **rest: bool) -> FakeSession:
        """Return a session that has sent these seconds, announced."""
        session = FakeSession(name, round(start * RATE), round(end * RATE), **rest)
        self.transcript.expect(session)
        return session

    def deliver(self, session: FakeSession, *events: Event) -> None:
        """Hand over what came in one message."""
        self.transcript.deliver(session, list(events))

    @property
    def texts(self) -> list[str]:
        """The finals, as they stand in the outbox."""
        return [line["text"] for line in self.disk.lines("final")]


def final(text: str, start: float, end: float, *, turn: int = 0, speaker: str | None = None) -> Final:
    """Return a turn of one word."""
    return Final(turn, text, (SpokenWord(text, start, end, 0.5, speaker),))


async def test_a_turn_and_its_audio_in_one_commit(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """What came in one message is durable together: never words without their span, nor a span without its words."""
    desk = Desk(nursery)
    session = desk.session("a", 2.0, 10.0)
    desk.disk.seconds = 1.0
    desk.deliver(session, final("hello", 0.5, 1.5), Heard(2.0))
    for _ in range(8):
        await trio.sleep(0.4)
        assert bool(desk.texts) == bool(desk.disk.journal().settled())
    assert desk.texts == ["hello"]
    assert [Settled(2000, 4000, HEARD)] == desk.journal.settled()
    assert session.settled_samples == 2000
    line = desk.disk.lines("final")[0]
    assert (line["start"], line["end"], line["session"], line["provider"], line["late"]) == (
        2.5,
        3.5,
        "a",
        "toy",
        False,
    )
    assert line["words"] == [{"text": "hello", "start": 2.5, "end": 3.5, "confidence": 0.5, "speaker": None}]


async def test_what_says_nothing_is_no_commit(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Partials and notices cost the disk nothing."""
    desk = Desk(nursery)
    session = desk.session("a", 0.0, 5.0)
    pulse = desk.journal.pulse()
    desk.deliver(session, Notice("unknown"), Partial(0, "he", (SpokenWord("he", 0.0, 0.1),)))
    await trio.sleep(1.0)
    assert not pulse.is_set()


@pytest.mark.parametrize("others", [0, 100])
async def test_a_restart_knows_what_was_printed(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, others: int
) -> None:
    """However many lines about sessions and gaps came after it: what a replay says again is no new turn."""
    disk = Disk()
    journal = disk.journal()
    journal.append(speech(0, 10 * RATE))
    first = Transcript(journal)
    session = FakeSession("a", 0, 5 * RATE)
    first.expect(session)
    nursery.start_soon(first.run)
    first.deliver(session, [final("hello", 1.0, 2.0), Heard(2.0)])
    await trio.sleep(1.0)
    for number in range(others):
        await journal.commit([status(str(number))])

    again = Transcript(disk.journal())
    session = FakeSession("b", 1 * RATE, 5 * RATE)
    session.start = 2 * RATE
    again.expect(session)
    nursery.start_soon(again.run)
    again.deliver(session, [final("hello", 0.0, 1.0), Heard(1.0)])
    again.deliver(session, [final("world", 1.5, 2.0), Heard(2.0)])
    await again.close(session)
    assert ["hello", "world"] == [line["text"] for line in disk.lines("final")]


async def test_heard_twice_settles_once(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Progress is counted once, however often it is told."""
    desk = Desk(nursery)
    session = desk.session("a", 0.0, 5.0)
    desk.deliver(session, Heard(2.0))
    desk.deliver(session, Heard(1.0), Heard(2.0))
    desk.deliver(session, Heard(99.0))
    await desk.transcript.close(session)
    assert session.settled_samples == 5000
    assert desk.journal.cursor == 5000


async def test_a_successor_waits_for_its_predecessor(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Its lines come after the last ones of the old session, and its audio stays pending meanwhile."""
    desk = Desk(nursery)
    old, new = desk.session("old", 0.0, 5.0), desk.session("new", 5.0, 10.0)
    desk.transcript.expect(new, old)
    desk.deliver(new, final("three", 0.1, 0.9), Heard(1.0))
    desk.deliver(old, final("one", 0.1, 0.9), Heard(1.0))
    await trio.sleep(1.0)
    assert desk.texts == ["one"]
    assert [(1000, 10_000)] == [(span.start, span.end) for span in desk.journal.pending(0, 10_000)]
    desk.deliver(old, final("two", 4.0, 4.9), Heard(5.0))
    await desk.transcript.close(old)
    await trio.sleep(1.0)
    assert desk.texts == ["one", "two", "three"]
    assert desk.journal.cursor == 6000
    desk.deliver(new, final("four", 1.5, 1.9))
    await trio.sleep(1.0)
    assert desk.texts[-1] == "four"


async def test_a_successor_that_ends_first(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """While its predecessor still drains, its end waits too; then both are out in order."""
    desk = Desk(nursery)
    old, new = desk.session("old", 0.0, 5.0), desk.session("new", 5.0, 10.0)
    desk.transcript.expect(new, old)
    desk.deliver(new, final("two", 0.1, 0.9))
    closed = trio.Event()

    async def close() -> None:
        await desk.transcript.close(new)
        closed.set()

    nursery.start_soon(close)
    await trio.sleep(1.0)
    assert not closed.is_set()
    desk.deliver(old, final("one", 0.1, 0.9))
    await desk.transcript.close(old)
    await trio.sleep(0.1)
    assert closed.is_set()
    assert desk.texts == ["one", "two"]


async def test_three_generations(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Each waits for the one before it, whoever ends first."""
    desk = Desk(nursery)
    first, second, third = (desk.session(name, 3.0 * index, 3.0 * index + 3.0) for index, name in enumerate("abc"))
    desk.transcript.expect(second, first)
    desk.transcript.expect(third, second)
    for session in (third, second, first):
        desk.deliver(session, final(session.name, 0.5, 1.0))
    for session in (third, second):
        nursery.start_soon(desk.transcript.close, session)
    await trio.sleep(1.0)
    assert desk.texts == ["a"]
    await desk.transcript.close(first)
    await trio.sleep(1.0)
    assert desk.texts == ["a", "b", "c"]


async def test_a_predecessor_that_is_gone_is_not_waited_for(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """Who was closed already holds nobody back."""
    desk = Desk(nursery)
    old, new = desk.session("old", 0.0, 5.0), desk.session("new", 5.0, 10.0)
    await desk.transcript.close(old)
    desk.transcript.expect(new, old)
    desk.deliver(new, final("go", 0.1, 0.9))
    await trio.sleep(0.1)
    assert desk.texts == ["go"]


async def test_closed_means_durable(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """`close` returns after the last commit, also on a slow disk, also twice, and for a session that said nothing."""
    desk = Desk(nursery)
    session, silent = desk.session("a", 0.0, 5.0), desk.session("b", 5.0, 6.0)
    desk.disk.seconds = 1.0
    for number in range(5):
        desk.deliver(session, final(str(number), number, number + 0.5))
    await desk.transcript.close(session)
    assert desk.texts == ["0", "1", "2", "3", "4"]
    assert trio.current_time() >= 5.0
    await desk.transcript.close(session)
    await desk.transcript.close(silent)


async def test_closed_by_two_at_once(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Both come back."""
    desk = Desk(nursery)
    session = desk.session("a", 0.0, 5.0)
    async with trio.open_nursery() as both:
        both.start_soon(desk.transcript.close, session)
        both.start_soon(desk.transcript.close, session)
    assert desk.transcript._seats == {}


async def test_what_comes_after_the_close_is_dropped(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Its audio is pending again, so a late word would stand there twice."""
    desk = Desk(nursery)
    session = desk.session("a", 0.0, 5.0)
    await desk.transcript.close(session)
    desk.deliver(session, final("late", 0.0, 1.0), Heard(1.0))
    await trio.sleep(1.0)
    assert desk.texts == []
    assert desk.journal.cursor == 0


async def test_partials_are_lines_of_their_own(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A partial has its place and no id, is never in the outbox, and its final takes it back."""
    desk = Desk(nursery)
    session = desk.session("a", 2.0, 10.0, late=True)
    desk.deliver(session, Partial(0, "hel", (SpokenWord("hel", 0.5, 0.7),)))
    desk.deliver(session, Partial(0, "", ()))
    desk.deliver(session, final("hello", 0.5, 0.9))
    await trio.sleep(1.0)
    assert len(desk.partials) == 2
    line = records.parsed(desk.partials[0] or b"")
    assert (line["type"], line["text"], line["start"], line["late"]) == ("partial", "hel", 2.5, True)
    assert "id" not in line
    assert desk.partials[1] is None
    assert [line["type"] for line in desk.disk.lines()] == ["final"]


async def test_a_successors_partials_do_not_wait(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Captions go on during a hand-over."""
    desk = Desk(nursery)
    old, new = desk.session("old", 0.0, 5.0), desk.session("new", 5.0, 10.0)
    desk.transcript.expect(new, old)
    desk.deliver(new, Partial(0, "now", (SpokenWord("now", 0.5, 0.7),)))
    await trio.sleep(0.1)
    assert len(desk.partials) == 1


async def test_words_of_a_session_are_in_order(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A padded start before the words before it, or before the session, is moved; nothing is dropped."""
    desk = Desk(nursery)
    session = desk.session("a", 2.0, 10.0)
    desk.deliver(session, final("one", -1.0, 1.0))
    desk.deliver(session, final("two", 0.5, 2.0), final("three", -3.0, 0.1))
    await desk.transcript.close(session)
    assert [(2.0, 3.0), (2.5, 4.0), (2.5, 2.5)] == [(line["start"], line["end"]) for line in desk.disk.lines("final")]


async def test_a_line_of_an_earlier_time_keeps_it(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A live session that hears what lies before the last line prints it where it was said, and it is `late`."""
    desk = Desk(nursery)
    first, second = desk.session("a", 0.0, 10.0), desk.session("b", 2.0, 10.0)
    desk.deliver(first, final("last", 5.0, 6.0))
    await desk.transcript.close(first)
    desk.deliver(second, final("early", 0.5, 1.5), final("padded", 2.0, 4.5), final("next", 5.0, 5.5))
    await desk.transcript.close(second)
    assert [("last", 5.0, False), ("early", 2.5, True), ("padded", 5.0, False), ("next", 7.0, False)] == [
        (line["text"], line["start"], line["late"]) for line in desk.disk.lines("final")
    ]


async def test_a_turn_ends_with_its_last_word(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The record spans all of its words, also where one ends after the next one's end."""
    desk = Desk(nursery)
    session = desk.session("a", 0.0, 10.0)
    words = (SpokenWord("long", 1.0, 5.0), SpokenWord("short", 2.0, 3.0))
    desk.deliver(session, Final(0, "long short", words, "en"))
    await desk.transcript.close(session)
    line = desk.disk.lines("final")[0]
    assert (line["start"], line["end"], line["language"]) == (1.0, 5.0, "en")


async def test_speakers_belong_to_their_session(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Speaker A of one session is not speaker A of the next."""
    desk = Desk(nursery)
    for name, start in (("s1", 0.0), ("s2", 5.0)):
        session = desk.session(name, start, start + 5.0)
        desk.deliver(session, final("hi", 0.0, 1.0, speaker="A"))
        await desk.transcript.close(session)
    assert ["s1/A", "s2/A"] == [line["words"][0]["speaker"] for line in desk.disk.lines("final")]


async def test_a_revision_names_the_final_it_corrects(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """By its id; a turn that was never printed, or is of another session, cannot be corrected."""
    desk = Desk(nursery)
    session, other = desk.session("a", 0.0, 5.0), desk.session("b", 5.0, 10.0)
    desk.deliver(session, final("one", 0.0, 1.0, turn=1))
    desk.deliver(session, final("two", 1.0, 2.0, turn=2))
    desk.deliver(session, Revision(1, ("B",)), Revision(7, ("C",)))
    desk.deliver(other, Revision(1, ("D",)))
    desk.deliver(session, Revision(1, (None,)))
    await desk.transcript.close(session)
    await desk.transcript.close(other)
    one = desk.disk.lines("final")[0]["id"]
    assert [(one, ["a/B"]), (one, [None])] == [
        (line["revises"], line["speakers"]) for line in desk.disk.lines("revision")
    ]


async def test_final_and_revision_in_one_message(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Turns are matched with their records, whatever else stands between them."""
    desk = Desk(nursery)
    session = desk.session("a", 0.0, 5.0)
    desk.deliver(session, final("one", 0.0, 1.0, turn=1))
    desk.deliver(session, Revision(1, ("B",)), final("two", 1.0, 2.0, turn=2), Heard(2.0))
    desk.deliver(session, Revision(2, ("C",)))
    await desk.transcript.close(session)
    finals = [line["id"] for line in desk.disk.lines("final")]
    assert finals == [line["revises"] for line in desk.disk.lines("revision")]


async def test_the_queue_has_a_bound(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """When the disk takes nothing for a long time, that is said instead of filling the memory."""
    desk = Desk(nursery)
    session = desk.session("a", 0.0, 5.0)
    desk.disk.seconds = 1e6
    for _ in range(QUEUE_MAX):
        desk.deliver(session, Heard(1.0))
    with pytest.raises(TranscriptBehind, match="wait for the disk"):
        desk.deliver(session, Heard(1.0))


async def test_a_turn_over_a_gap_is_two_lines(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """As when the process was killed within a sentence; a gap of less than a second parts nothing."""
    for seconds, texts in ((1.5, ["one", "two"]), (0.5, ["One, two."])):
        desk = Desk(nursery, seconds=2.0)
        await desk.journal.gap(round(seconds * RATE), Cause.STOPPED)
        desk.journal.append(speech(0, 2 * RATE))
        session = desk.session("a", 0.0, 2.0)
        session.sent_map.add(round((2.0 + seconds) * RATE), 2 * RATE)
        words = (SpokenWord("one", 1.0, 1.5), SpokenWord("two", 2.5, 3.0))
        desk.deliver(session, Final(0, "One, two.", words), Heard(3.0))
        desk.deliver(session, Revision(0, ("A", "B")))
        await desk.transcript.close(session)
        assert texts == desk.texts
        assert ([] if len(texts) > 1 else [["A", "B"]]) == [
            [speaker.rpartition("/")[2] for speaker in line["speakers"]] for line in desk.disk.lines("revision")
        ]


async def test_words_before_the_share_are_accounted_for(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A session at the tail hears a little of what a late one will: what it prints of that is not printed again.

    Only from the end of its first word on: that word may be padded over one before it, which nobody has said.
    """
    desk = Desk(nursery)
    session = desk.session("a", 4.0, 10.0)
    session.start = 6 * RATE
    desk.deliver(session, final("torn", 0.1, 0.5), Heard(0.5))
    desk.deliver(session, final("one", 0.8, 1.2, turn=1), final("two", 1.3, 1.6, turn=2), Heard(1.7))
    await desk.transcript.close(session)
    assert ["one", "two"] == desk.texts
    assert [Settled(5200, 5700, HEARD)] == desk.journal.settled()
