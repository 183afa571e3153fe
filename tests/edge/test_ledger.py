"""The ledger: one contract for a file and for memory; kill -9, damage and old formats for files."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.accounts import Account
from stenod.core.chronology import Anchor
from stenod.core.timeline import NO_CHANGE, Cause, Change, Settled, Span, State, Timeline
from stenod.core.transaction import Beginning, StreamState, Transaction
from stenod.core.verdict import ExitCode
from stenod.edge.ledger import SCHEMA_VERSION, Ledger, LedgerDamaged, LedgerUnusable

RATE = 16000
NEW = StreamState(RATE, 0, 0, 0, 0, (), ())


def transaction(
    *spans: Settled,
    lines: list[tuple[int, bytes]] = (),
    removed: tuple[int, ...] = (),
    anchors: tuple[int, list[Anchor]] | None = None,
    sequence: int = 0,
    session: int = 0,
    tail: int = 0,
) -> Transaction:
    change = Change(removed, spans, tuple(Span(span.start, span.end) for span in spans))
    changes = [change] if spans or removed else []
    return Transaction(changes=changes, lines=lines, sequence=sequence, session=session, tail=tail, anchors=anchors)


def anchor(position: int, unix: float) -> Anchor:
    return Anchor(position=position, unix=unix, boottime=unix / 7.0, pace=0.9999, boot="abc", synchronised=False)


def heard(start: int, end: int) -> Settled:
    return Settled(start, end, State.TRANSCRIBED)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture(params=["file", "memory"])
def ledger(request: pytest.FixtureRequest, path: Path) -> Iterator[Ledger]:
    opened = Ledger(path if request.param == "file" else None)
    yield opened
    opened.close()


class TestContract:
    """What the journal relies on, on the disk and in memory."""

    def test_only_what_every_reader_has_can_be_pruned(self, ledger: Ledger) -> None:
        """In batches from the front; whatever is asked for, what somebody has not got stays."""
        ledger.open_stream("room", RATE)
        ledger.open_stream("hall", RATE)
        for stream in ("room", "hall"):
            lines = [(number, b"x") for number in range(10)]
            ledger.commit(stream, 0, transaction(lines=lines, sequence=10))
        assert ledger.printed_by_all("room", 9) == []
        ledger.prune("room", 0, 5)
        assert len(ledger.unprinted("room", "tests", 99)) == 10
        ledger.printed("room", "stdout", 0, 7)
        ledger.printed("room", "file", 0, 3)
        assert [0, 1, 2] == [sequence for _, sequence, _ in ledger.printed_by_all("room", 3)]
        assert [0, 1, 2, 3] == [sequence for _, sequence, _ in ledger.printed_by_all("room", 9)]
        ledger.prune("room", 0, 1)
        assert [2, 3] == [sequence for _, sequence, _ in ledger.printed_by_all("room", 9)]
        ledger.prune("room", 0, 9)
        assert [4, 5] == [sequence for _, sequence, _ in ledger.unprinted("room", "file", 2)]
        assert [8, 9] == [sequence for _, sequence, _ in ledger.unprinted("room", "stdout", 9)]
        assert len(ledger.unprinted("hall", "tests", 99)) == 10
        assert ledger.open_stream("room", RATE).sequence == 10

    def test_what_was_committed_is_the_state(self, ledger: Ledger) -> None:
        """Spans, anchors, counters and tail come back as they were written; the lines are in the outbox."""
        ledger.open_stream("room", RATE)
        gap = Settled(10, 30, State.GAP, Cause.OVERFLOW)
        written = transaction(
            heard(0, 10),
            gap,
            lines=[(0, b"a\n"), (1, b"b\n")],
            anchors=(0, [anchor(0, 1.5)]),
            sequence=2,
            session=3,
            tail=40,
        )
        ledger.commit("room", 0, written)

        assert StreamState(RATE, 0, 2, 3, 40, (heard(0, 10), gap), (anchor(0, 1.5),)) == ledger.open_stream(
            "room", RATE
        )
        assert [(0, 0, b"a\n"), (0, 1, b"b\n")] == ledger.unprinted("room", "stdout", 10)

    def test_a_stream_begins_empty_and_keeps_its_rate(self, ledger: Ledger) -> None:
        """A new stream is at 0; one that is known says the rate it was made with, not the one asked for."""
        assert NEW == ledger.open_stream("room", RATE)
        assert NEW == ledger.open_stream("room", 8000)
        ledger.open_stream("hall", 8000)
        assert [("hall", 8000), ("room", RATE)] == ledger.streams()

    def test_spans_are_replaced_by_their_beginning(self, ledger: Ledger) -> None:
        """A change deletes what it merged, then inserts, also where both begin at the same sample."""
        ledger.open_stream("room", RATE)
        ledger.commit("room", 0, transaction(heard(0, 10), heard(20, 30), tail=40))
        ledger.commit("room", 0, transaction(heard(0, 30), removed=(0, 20), tail=40))
        assert (heard(0, 30),) == ledger.open_stream("room", RATE).spans

    def test_a_commit_is_all_or_nothing(self, ledger: Ledger) -> None:
        """When one line of it is refused, no span and no other line of it stays, and the next one works."""
        ledger.open_stream("room", RATE)
        ledger.commit("room", 0, transaction(lines=[(0, b"a")], sequence=1, tail=5))
        with pytest.raises(sqlite3.IntegrityError):
            ledger.commit("room", 0, transaction(heard(0, 5), lines=[(1, b"b"), (0, b"twice")], sequence=9, tail=9))

        state = ledger.open_stream("room", RATE)
        assert ((), 1, 5) == (state.spans, state.sequence, state.tail)
        assert [(0, 0, b"a")] == ledger.unprinted("room", "stdout", 10)
        ledger.commit("room", 0, transaction(heard(0, 5), lines=[(1, b"b")], sequence=2, tail=9))
        assert (heard(0, 5),) == ledger.open_stream("room", RATE).spans

    def test_the_outbox_is_read_in_order_and_in_portions(self, ledger: Ledger) -> None:
        """In order of epoch and sequence, whatever the order of writing, as many as asked for, behind the place."""
        ledger.open_stream("room", RATE)
        ledger.commit("room", 1, transaction(lines=[(0, b"d"), (10, b"e")]))
        ledger.commit("room", 0, transaction(lines=[(9, b"c"), (0, b"a"), (2, b"b")]))

        assert [(0, 0, b"a"), (0, 2, b"b")] == ledger.unprinted("room", "stdout", 2)
        ledger.printed("room", "stdout", 0, 2)
        assert [b"c", b"d", b"e"] == [line for _, _, line in ledger.unprinted("room", "stdout", 9)]
        ledger.printed("room", "stdout", 1, 0)
        assert [(1, 10, b"e")] == ledger.unprinted("room", "stdout", 9)
        ledger.printed("room", "stdout", 1, 10)
        assert [] == ledger.unprinted("room", "stdout", 9)
        assert [] == ledger.unprinted("room", "stdout", 0)

    def test_each_reader_has_its_place(self, ledger: Ledger) -> None:
        """What one has printed is new for the other."""
        ledger.open_stream("room", RATE)
        ledger.commit("room", 0, transaction(lines=[(0, b"a"), (1, b"b")]))
        ledger.printed("room", "stdout", 0, 1)
        assert [] == ledger.unprinted("room", "stdout", 9)
        assert 2 == len(ledger.unprinted("room", "socket", 9))

    def test_half_a_line_is_known_until_a_whole_one_is_printed(self, ledger: Ledger) -> None:
        """Of each reader by itself; its place is none the further for it."""
        ledger.open_stream("room", RATE)
        ledger.commit("room", 0, transaction(lines=[(0, b"a"), (1, b"b")]))
        told = []
        steps: list[Callable[[], object]] = [
            lambda: ledger.printing("room", "stdout"),
            lambda: ledger.printed("room", "stdout", 0, 0),
            lambda: ledger.printing("room", "stdout"),
        ]
        for step in steps:
            told.append((ledger.cut("room", "stdout"), len(ledger.unprinted("room", "stdout", 9))))
            step()
        told.append((ledger.cut("room", "stdout"), len(ledger.unprinted("room", "stdout", 9))))
        assert [(False, 2), (True, 2), (False, 1), (True, 1)] == told
        assert not ledger.cut("room", "socket")
        assert not ledger.cut("hall", "stdout")

    def test_streams_do_not_mix(self, ledger: Ledger) -> None:
        """The same samples and sequences in two streams are four different things."""
        for name in ("room", "hall"):
            ledger.open_stream(name, RATE)
        ledger.commit(
            "room",
            0,
            transaction(heard(0, 10), lines=[(0, b"room")], anchors=(0, [anchor(0, 1.0)]), sequence=1, tail=10),
        )
        ledger.commit(
            "hall",
            0,
            transaction(heard(0, 20), lines=[(0, b"hall")], anchors=(0, [anchor(0, 2.0)]), sequence=1, tail=20),
        )
        ledger.commit("hall", 0, transaction(heard(0, 30), removed=(0,), sequence=1, tail=30))
        ledger.printed("hall", "stdout", 0, 0)

        assert StreamState(RATE, 0, 1, 0, 10, (heard(0, 10),), (anchor(0, 1.0),)) == ledger.open_stream("room", RATE)
        assert StreamState(RATE, 0, 1, 0, 30, (heard(0, 30),), (anchor(0, 2.0),)) == ledger.open_stream("hall", RATE)
        assert [(0, 0, b"room")] == ledger.unprinted("room", "stdout", 9)
        assert [] == ledger.unprinted("hall", "stdout", 9)

    def test_a_chronology_is_corrected_from_a_position_on(self, ledger: Ledger) -> None:
        """What lies there and behind it is replaced; a fraction of a second is kept exactly."""
        ledger.open_stream("room", RATE)
        first = anchor(0, 1795200000.123456)
        ledger.commit("room", 0, transaction(anchors=(0, [first, anchor(5, 2.0), anchor(9, 2.5)])))
        ledger.commit("room", 0, transaction(anchors=(5, [anchor(6, 3.0)])))
        assert (first, anchor(6, 3.0)) == ledger.open_stream("room", RATE).anchors

    def test_what_was_said_around_a_place(self, ledger: Ledger) -> None:
        """Lines whose words touch the stretch, in the order in which they were written; others and gaps not."""
        ledger.open_stream("room", RATE)
        spoken = {0: (100, 200), 1: (50, 150), 3: (300, 400)}
        written = Transaction(
            lines=[(number, str(number).encode()) for number in range(4)], spoken=spoken, sequence=4, session=0, tail=0
        )
        ledger.commit("room", 0, written)
        assert [b"0", b"1"] == ledger.spoken("room", 120, 130)
        assert [b"0"] == ledger.spoken("room", 150, 300)
        assert [] == ledger.spoken("room", 200, 300)
        assert [] == ledger.spoken("hall", 0, 1000)

    def test_lines_are_bytes_as_they_are(self, ledger: Ledger) -> None:
        """Quotes, zero bytes and other scripts are stored untouched, also in the names of streams."""
        name = "room'; DROP TABLE span; -- \N{SNOWMAN}"
        line = bytes(range(256)) * 1000
        ledger.open_stream(name, RATE)
        ledger.commit(name, 0, transaction(lines=[(0, line)]))
        assert [(0, 0, line)] == ledger.unprinted(name, "stdout", 9)
        assert [(name, RATE)] == ledger.streams()

    def test_it_works_from_any_thread(self, ledger: Ledger) -> None:
        """The journal's calls come one at a time, each from whatever thread is free."""
        calls: list[Callable[[], object]] = [
            lambda: ledger.open_stream("room", RATE),
            lambda: ledger.commit("room", 0, transaction(lines=[(0, b"a")])),
            lambda: ledger.printed("room", "stdout", 0, 0),
        ]
        for call in calls:
            thread = threading.Thread(target=call)
            thread.start()
            thread.join()
        assert [] == ledger.unprinted("room", "stdout", 9)


steps = st.one_of(
    st.tuples(st.just("extend"), st.integers(0, 9)),
    st.tuples(st.just("settle"), st.integers(0, 40), st.integers(0, 40), st.sampled_from(list(State))),
)


@settings(max_examples=40)
@given(st.lists(st.lists(steps, min_size=1, max_size=4), max_size=12))
def test_the_stored_spans_are_the_timeline(commits: list[list[tuple]]) -> None:
    """Whatever is settled in whatever portions: the ledger's spans are those of the timeline that made the changes."""
    ledger, timeline = Ledger(None), Timeline()
    ledger.open_stream("room", RATE)
    for portion in commits:
        changes = []
        for step in portion:
            if step[0] == "extend":
                timeline.extend(step[1])
                continue
            start, end = sorted(min(position, timeline.tail) for position in step[1:3])
            changes.append(timeline.settle(start, end, step[3], Cause.DEVICE if step[3] is State.GAP else None))
        ledger.commit("room", 0, Transaction(changes=changes, sequence=0, session=0, tail=timeline.tail))
        state = ledger.open_stream("room", RATE)
        assert list(timeline) == list(state.spans)
        assert timeline == Timeline.restored(state.spans, state.tail)
    ledger.commit("room", 0, Transaction(changes=[NO_CHANGE], sequence=0, session=0, tail=timeline.tail))
    ledger.close()


def test_all_is_there_after_a_restart(path: Path) -> None:
    """The next run finds state and outbox, and the place of the printer."""
    first = Ledger(path)
    first.open_stream("room", RATE)
    first.commit("room", 0, transaction(heard(0, 5), lines=[(0, b"a"), (1, b"b")], sequence=2, tail=9))
    first.printed("room", "stdout", 0, 0)
    first.close()

    second = Ledger(path)
    assert StreamState(RATE, 0, 2, 0, 9, (heard(0, 5),), ()) == second.open_stream("room", RATE)
    assert [(0, 1, b"b")] == second.unprinted("room", "stdout", 9)
    second.close()
    second.close()


def test_a_commit_is_synced_and_a_place_is_not(path: Path) -> None:
    """A commit is on the disk when it returns; the printer's place may wait for the next one."""
    ledger = Ledger(path)
    asked = [
        one.execute(f"PRAGMA {pragma}").fetchone()[0]
        for one in (ledger._commits, ledger._places)
        for pragma in ("journal_mode", "synchronous", "secure_delete")
    ]
    ledger.close()
    assert ["wal", 2, 1, "wal", 1, 1] == asked


CHILD = """
import sys
from pathlib import Path
from stenod.core.timeline import Change, Settled, Span, State
from stenod.core.transaction import Transaction
from stenod.edge.ledger import Ledger

ledger = Ledger(Path(sys.argv[1]))
number = ledger.open_stream("room", 16000).sequence // 50
while True:
    new = Settled(number, number + 1, State.TRANSCRIBED)
    lines = [(50 * number + one, b"x" * 700) for one in range(50)]
    change = Change((), (new,), (Span(number, number + 1),))
    ledger.commit("room", 0, Transaction(
        changes=[change], lines=lines, sequence=50 * (number + 1), session=0, tail=number + 1
    ))
    ledger.printed("room", "stdout", 0, 50 * number)
    number += 1
    print(number, flush=True)
"""


@pytest.mark.slow
@pytest.mark.real
def test_kill_9_at_any_moment_tears_nothing(path: Path) -> None:
    """After each of ten kills amid commits: spans and lines are both there or both not, and nothing told is lost."""
    told = 0
    for after in range(10):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        for _ in range(after + 1):
            told = int(child.stdout.readline())
        child.kill()
        child.communicate()

        ledger = Ledger(path)
        state = ledger.open_stream("room", RATE)
        lines = ledger.unprinted("room", "other", 1_000_000)
        places = ledger.unprinted("room", "stdout", 1)
        assert told <= len(state.spans) == state.tail
        assert 50 * len(state.spans) == len(lines) == state.sequence
        assert 50 * (told - 1) < places[0][1]
        assert [("ok",)] == ledger._commits.execute("PRAGMA integrity_check").fetchall()
        ledger.close()


def test_two_processes_see_each_other(path: Path) -> None:
    """A second one opens it while the first runs, reads what was committed, and writes too."""
    first = Ledger(path)
    first.open_stream("room", RATE)
    first.commit("room", 0, transaction(lines=[(0, b"a")], sequence=1))
    script = (
        "import sys, pathlib\nfrom stenod.edge.ledger import Ledger\nledger = Ledger(pathlib.Path(sys.argv[1]))\n"
        "print(ledger.streams(), ledger.unprinted('room', 'other', 9))\n"
        "ledger.open_stream('hall', 8000)\nledger.close()"
    )
    answer = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)

    assert "[('room', 16000)] [(0, 0, b'a')]\n" == answer.stdout
    assert [("hall", 8000), ("room", RATE)] == first.streams()
    first.close()


def test_a_short_lock_is_waited_for(path: Path) -> None:
    """Another program that writes for a moment (a backup) makes a commit late, not wrong."""
    ledger = Ledger(path)
    ledger.open_stream("room", RATE)
    other = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.05, lambda: other.execute("COMMIT"))
    release.start()
    ledger.commit("room", 0, transaction(lines=[(0, b"a")]))
    release.join()
    assert [(0, 0, b"a")] == ledger.unprinted("room", "stdout", 9)
    other.close()
    ledger.close()


def filled(path: Path) -> bytes:
    """Return the file of a ledger with a few hundred pages."""
    ledger = Ledger(path)
    ledger.open_stream("room", RATE)
    spans = [heard(2 * number, 2 * number + 1) for number in range(100)]
    ledger.commit(
        "room", 0, transaction(*spans, lines=[(number, bytes(3000)) for number in range(100)], tail=999, sequence=100)
    )
    ledger.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"garbage" * 1000, id="garbage"),
        pytest.param(lambda data: b"garbage", id="a few bytes"),
        pytest.param(lambda data: data[: 3 * 4096], id="cut off"),
        pytest.param(lambda data: data[:100] + bytes(3996) + data[4096:], id="first page"),
        pytest.param(lambda data: data[:4096] + b"\xff" * 3 * 4096 + data[4 * 4096 :], id="later pages"),
    ],
)
def test_a_damaged_file_is_told_in_a_sentence(path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Also damage that shows only behind the first page; the file is left as it is, for whoever wants to mend it."""
    path.write_bytes(broken := damage(filled(path)))

    def start() -> None:
        with closing(Ledger(path)) as ledger:
            ledger.open_stream("room", RATE)

    with pytest.raises(LedgerDamaged) as caught:
        start()

    assert str(caught.value).startswith(f"the ledger {path} is damaged: ")
    assert str(caught.value).endswith(
        "; start again: it will be set aside, and the audio that is left transcribed again"
    )
    assert "\n" not in str(caught.value)
    assert ExitCode.CANNOT_CREATE == caught.value.exit_code
    assert broken == path.read_bytes()


def test_damage_in_what_is_written_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that meets a broken page says so in the same words, and the next start need not find it again."""
    data = filled(path)
    path.write_bytes(data[: len(data) // 2] + b"\xff" * (len(data) - len(data) // 2))
    monkeypatch.setattr(Ledger, "_check", lambda _: None)
    ledger = Ledger(path)
    with pytest.raises(LedgerDamaged, match="malformed"):
        ledger.commit("room", 0, transaction(lines=[(1000, b"x")]))
    ledger.close()
    with pytest.raises(LedgerDamaged, match="found damaged while it was used"):
        Ledger(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE span SET state = 'guessed' WHERE start = 20",
        "UPDATE span SET cause = 'guessed' WHERE start = 20",
        "UPDATE span SET end = 29 WHERE start = 20",
        "UPDATE span SET end = 20 WHERE start = 20",
        "UPDATE span SET start = -3 WHERE start = 0",
        "UPDATE stream SET sequence = 99",
        "UPDATE stream SET tail = -1",
        "UPDATE stream SET rate = 0",
        "UPDATE stream SET epoch = -1",
    ],
)
def test_values_that_cannot_be_are_damage(path: Path, statement: str) -> None:
    """A page that can be read may hold anything; nothing that contradicts itself is built upon."""
    filled(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)
    ledger = Ledger(path)
    with pytest.raises(LedgerDamaged):
        ledger.open_stream("room", RATE)
    ledger.close()


def test_a_look_for_damage_takes_no_longer_than_it_may(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start does not read hundreds of megabytes; what it did not look at shows when it is used."""
    data = filled(path)
    path.write_bytes(data[: len(data) // 2] + b"\xff" * (len(data) - len(data) // 2))
    monkeypatch.setattr("stenod.edge.ledger.CHECK_SECONDS", -1.0)
    monkeypatch.setattr("stenod.edge.ledger.CHECK_STEPS", 1)
    Ledger(path).close()


def test_a_stream_begins_as_is_said_once(ledger: Ledger) -> None:
    """Where the ledger does not know it; from then on it goes on."""
    anchor = Anchor(position=40, unix=5000.0)
    said = Beginning(
        rate=500,
        epoch=7,
        session=12,
        tail=100,
        spans=[Settled(0, 40, State.UNKNOWN)],
        anchors=[anchor],
        recovered_until=100,
    )
    state = ledger.open_stream("room", RATE, lambda: said)
    assert state == StreamState(500, 7, 0, 12, 100, (Settled(0, 40, State.UNKNOWN),), (anchor,), 100)
    assert state == ledger.open_stream("room", RATE, Beginning)


def test_an_empty_file_is_a_new_ledger(path: Path) -> None:
    """A crash between making the file and its first page costs nothing."""
    path.touch()
    ledger = Ledger(path)
    assert NEW == ledger.open_stream("room", RATE)
    ledger.close()


@pytest.mark.parametrize("place", ["a directory", "no directory"])
def test_where_no_file_can_be(path: Path, place: str) -> None:
    """What cannot be opened is not called broken: moving it away would help nobody."""
    wanted = path if place == "a directory" else path / "ledger.sqlite"
    if place == "a directory":
        path.mkdir()
    with pytest.raises(LedgerUnusable, match=r"unable to open.*; see that its disk has room"):
        Ledger(wanted)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, -1])
def test_another_format_is_left_alone(path: Path, version: int) -> None:
    """A ledger of another version is refused with both numbers, and nothing in it changes."""
    filled(path)
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {version}")
    database.close()
    before = path.read_bytes()

    with pytest.raises(LedgerUnusable, match=f"format {version}, and this stenod reads {SCHEMA_VERSION};"):
        Ledger(path)
    assert before == path.read_bytes()


def test_a_database_of_something_else_is_left_alone(path: Path) -> None:
    """Nothing of ours is written into it."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE x (a)")
    before = path.read_bytes()
    with pytest.raises(LedgerUnusable, match="it is a database of something else; move it away, or use another"):
        Ledger(path)
    assert before == path.read_bytes()


def test_a_refused_ledger_is_closed(path: Path) -> None:
    """No descriptor stays open on a file that cannot be used."""
    path.write_bytes(b"garbage" * 1000)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(LedgerUnusable):
        Ledger(path)
    assert before == len(list(Path("/proc/self/fd").iterdir()))


def test_a_source_begins_where_it_began(tmp_path: Path) -> None:
    """The same source goes on; another one begins at the tail, and so does the first one after it."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert [0, 0, 500, 500, 900] == [
        ledger.source_start("desk", identity, tail)
        for identity, tail in (("a", 0), ("a", 500), ("b", 500), ("b", 900), ("a", 900))
    ]
    assert 1000 == ledger.source_start("kitchen", "a", 1000)
    ledger.close()


def account(number: int, *, ended: bool = True, cost: float | None = 0.25) -> Account:
    """One of 60 s, opened at the last second of October 2026 or, from the third on, in November."""
    at = 1_793_491_199.0 + (number > 2)
    return Account(
        name=f"desk-{number:06d}",
        provider="toy",
        opened_at=at,
        ready_at=at + 1.0,
        alive_at=at + 61.0,
        ended_at=at + 61.0 if ended else None,
        audio=10,
        overlap=1,
        billed_seconds=60.0,
        cost=cost,
    )


def test_accounts_are_bounded_and_no_sum_is_lost(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest become part of their month's sum; one that is still open stays; the latest state of each counts."""
    monkeypatch.setattr("stenod.edge.ledger.SESSIONS_MAX", 3)
    ledger.open_stream("desk", RATE)
    for number, cost in ((999_998, 0.25), (1, None), (2, 0.25), (999_999, 0.25), (1_000_000, 0.25), (1_000_001, None)):
        ended = number != 999_998
        accounts = [account(number, ended=False), account(number, ended=ended, cost=cost)]
        ledger.commit("desk", 0, Transaction(sequence=0, session=1, tail=0, accounts=accounts))
    kept = ledger._commits.execute("SELECT name FROM session ORDER BY length(name), name").fetchall()
    assert ["desk-999998", "desk-999999", "desk-1000000", "desk-1000001"] == [name for (name,) in kept]
    ledger.commit("desk", 0, Transaction(sequence=0, session=1, tail=0, accounts=[account(1_000_002)]))
    months = ledger._commits.execute("SELECT * FROM session_month ORDER BY month").fetchall()
    assert [
        ("desk", "toy", "2026-10", 2, 2, 20, 2, 120.0, 0.25, 60.0),
        ("desk", "toy", "2026-11", 1, 1, 10, 1, 60.0, 0.25, 0.0),
    ] == months


def test_a_power_cut_leaves_a_prefix_of_the_commits(path: Path, tmp_path: Path) -> None:
    """Whatever of the log got to the disk after the last commit that had returned: all of those, and no half one.

    FULL means that a commit returns after its part of the log was forced out; what came later may be there or not, or
    in part.
    """
    ledger, copy = Ledger(path), tmp_path / "copy" / "ledger.sqlite"
    ledger.open_stream("room", RATE)
    copy.parent.mkdir()
    log = path.with_name(path.name + "-wal")
    sizes = [log.stat().st_size]
    for number in range(12):
        spans = heard(10 * number, 10 * number + 5)
        ledger.commit(
            "room", 0, transaction(spans, lines=[(number, bytes(700))], tail=10 * number, sequence=number + 1)
        )
        ledger.printed("room", "stdout", 0, number)
        sizes.append(log.stat().st_size)
    database, content = path.read_bytes(), log.read_bytes()
    ledger.close()
    assert sizes == sorted(set(sizes))
    for size in range(sizes[0], len(content) + 1, 997):
        for torn in (content[:size], content[:size] + bytes(len(content) - size)):
            copy.write_bytes(database)
            copy.with_name(log.name).write_bytes(torn)
            with closing(Ledger(copy)) as left:
                state, lines = left.open_stream("room", RATE), left.unprinted("room", "tests", 99)
            assert [number for _, number, _ in lines] == list(range(state.sequence))
            assert len(state.spans) == state.sequence
            assert state.sequence >= sum(end <= size for end in sizes[1:])
            copy.unlink()
