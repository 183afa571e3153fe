"""One Flux session: the shapes that were seen, the ways they vary, and whatever else a peer may say."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.providers.base import (
    Conversation,
    Event,
    Final,
    Finished,
    Heard,
    Notice,
    Partial,
    Ready,
    Refused,
    Say,
    SpokenWord,
)
from stenod.providers.deepgram_flux_conversation import (
    CLOSE_STREAM,
    FORCE_END_TURN,
    LAST_TURN_SECONDS,
    ONSET_SECONDS,
    STILL_SECONDS,
    DeepgramFluxConversation,
)

REQUEST = "6d1d9b52-3a4b-4f0e-8d3a-0f4f3c2f1a11"
CONNECTED = {"type": "Connected", "request_id": REQUEST, "sequence_id": 0}


def word(text: str, start: float | None = None, end: float | None = None) -> dict[str, Any]:
    """Return a word as it stands in a message; older servers send no times."""
    return {"word": text, "confidence": 0.9} | ({} if start is None else {"start": start, "end": end})


def turn(event: str, index: int, end: float, text: str = "", words: Sequence[dict] = (), **more: Any) -> dict[str, Any]:
    """Return a TurnInfo message; its number is put in when it is said."""
    return {
        "type": "TurnInfo",
        "request_id": REQUEST,
        "event": event,
        "turn_index": index,
        "audio_window_start": 0.0,
        "audio_window_end": end,
        "transcript": text,
        "words": list(words),
        "end_of_turn_confidence": 0.5,
        **more,
    }


def silence(index: int, end: float) -> dict[str, Any]:
    """Return an Update while nobody speaks."""
    return turn("Update", index, end)


HELLO, WORLD = word("Hello", 1.2, 1.5), word("world.", 1.6, 2.0)
END = turn("EndOfTurn", 0, 2.6, "Hello world.", [HELLO, WORLD], trigger="model")


class Session:
    """A conversation with its clock and the server's numbers, and all that it said."""

    def __init__(self, *, begun: bool = True) -> None:
        self.conversation = DeepgramFluxConversation()
        self.now = 100.0
        self.number = 0
        self.log: list[Event] = []
        if begun:
            self.says(CONNECTED)
            self.log.clear()

    def says(self, *messages: Any) -> list[Event]:
        """Receive messages at this moment, numbered as the server does, and return their events."""
        events = []
        for message in messages:
            if isinstance(message, dict) and "sequence_id" not in message:
                message = message | {"sequence_id": self.number}  # noqa: PLW2901
            self.number += 1
            raw = message if isinstance(message, str | bytes) else json.dumps(message)
            events += self.conversation.receive(raw, self.now)
        self.log += events
        return events

    def loses(self, *messages: Any) -> None:
        """Let messages be lost on their way."""
        self.number += len(messages)

    def waits(self, seconds: float) -> list[Event]:
        """Let time pass as the session's timers do, and return what falls due."""
        events: list[Event] = []
        until = self.now + seconds
        while self.now < until:
            deadline = self.conversation.deadline()
            if deadline is not None and self.now >= deadline:
                events += self.conversation.due(self.now)
            self.now = round(self.now + 0.1, 3)
        self.log += events
        return events

    @property
    def heard(self) -> float:
        """How far it is heard."""
        return max((event.until for event in self.log if isinstance(event, Heard)), default=0.0)

    @property
    def texts(self) -> list[str]:
        """What has become final."""
        return [event.text for event in self.log if isinstance(event, Final)]


def kinds(events: Sequence[Event]) -> list[str]:
    """Return the kinds of the notices."""
    return [event.kind for event in events if isinstance(event, Notice)]


def test_a_session_from_hello_to_goodbye() -> None:
    """Partials that replace each other, one final, and a close without a code."""
    session = Session(begun=False)
    conversation: Conversation = session.conversation
    assert conversation.opened({"dg-request-id": REQUEST}) == []
    assert session.says(CONNECTED) == [Ready(REQUEST)]
    first = session.says(turn("StartOfTurn", 0, 1.6, "Hello", [HELLO]))
    assert first == [Partial(0, "Hello", (SpokenWord("Hello", 1.2, 1.5, 0.9),))]
    assert conversation.turn_open_since() == 1.2
    words = (SpokenWord("Hello", 1.2, 1.5, 0.9), SpokenWord("world.", 1.6, 2.0, 0.9))
    for event in ("Update", "EagerEndOfTurn", "TurnResumed"):
        assert session.says(turn(event, 0, 2.2, "Hello world.", [HELLO, WORLD])) == [Partial(0, "Hello world.", words)]
    assert session.says(END) == [Final(0, "Hello world.", words), Heard(2.0)]
    assert conversation.turn_open_since() is None
    assert conversation.goodbye() == (CLOSE_STREAM,)
    assert session.says(silence(1, 3.0)) == []
    assert conversation.closed(clean=True) == [Finished(complete=True)]
    assert conversation.closed(clean=True) == []


def test_frames() -> None:
    """Audio goes raw; nothing but pings holds a session open."""
    conversation = Session().conversation
    assert conversation.audio(b"\x01\x02") == b"\x01\x02"
    assert (conversation.keepalive(), conversation.deadline(), conversation.due(9.0)) == (None, None, [])
    assert json.loads(conversation.force_end()) == {"type": "ForceEndTurn"}
    assert json.loads(CLOSE_STREAM) == {"type": "CloseStream"}


def test_a_turn_may_begin_with_any_message() -> None:
    """After a reconnect the first Update may come without a StartOfTurn, and an end without either."""
    session = Session()
    assert [type(event) for event in session.says(turn("Update", 0, 1.6, "Hello", [HELLO]))] == [Partial]
    assert [type(event) for event in session.says(END)] == [Final, Heard]
    assert [type(event) for event in session.says(turn("EndOfTurn", 1, 4.6, "Bye.", [word("Bye.", 4.0, 4.2)]))] == [
        Final,
        Heard,
    ]
    assert session.texts == ["Hello world.", "Bye."]


def test_a_quiet_room_is_heard() -> None:
    """Every Update proves that all before it was transcribed, less the time that a word takes to show."""
    session = Session()
    assert session.says(silence(0, 0.25), silence(0, 2.5), silence(0, 2.5), silence(0, 2.75)) == [
        Heard(2.5 - ONSET_SECONDS),
        Heard(2.75 - ONSET_SECONDS),
    ]


def test_an_open_turn_holds_silence_back() -> None:
    """Whatever is said beside it, and a beginning without words is one."""
    session = Session()
    session.says(silence(0, 4.0), turn("StartOfTurn", 0, 4.25))
    assert session.conversation.turn_open_since() == 2.0
    assert session.says(silence(0, 9.0), turn("Weather", 0, 10.0)) == []
    session.says(turn("Update", 0, 10.5, "Hello", [word("Hello", 9.0, 9.4)]))
    assert session.conversation.turn_open_since() == 2.0
    assert session.says(silence(0, 20.0)) == []
    assert session.says(turn("EndOfTurn", 0, 11.0, "Hello.", [word("Hello.", 9.0, 9.4)]))[1:] == [Heard(9.4)]
    assert session.says(silence(1, 12.0)) == [Heard(10.0)]


def test_a_long_pause_behind_the_last_word_is_heard_with_it() -> None:
    """An end that was waited for proves silence as an Update does."""
    session = Session()
    late = END | {"audio_window_end": 7.0, "trigger": "timeout"}
    assert session.says(late)[1:] == [Heard(5.0)]


def test_words_without_times_share_the_audio_in_which_they_came() -> None:
    """From where silence ended to where the last of them first showed; their times are ours and prove nothing."""
    session = Session()
    session.says(silence(0, 602.0))
    session.says(turn("StartOfTurn", 0, 602.25, "Hello", [word("Hello")]))
    (partial,) = session.says(turn("Update", 0, 603.0, "Hello my world", [word("Hello"), word("my"), word("world")]))
    assert [(one.start, one.end) for one in partial.words] == [(600.0, 601.0), (601.0, 602.0), (602.0, 603.0)]
    words = [word("Hello"), word("my"), word("world.")]
    final, heard = session.says(turn("EndOfTurn", 0, 604.5, "Hello my world.", words))
    assert [(one.start, one.end) for one in final.words] == [(600.0, 601.0), (601.0, 602.0), (602.0, 603.0)]
    assert heard == Heard(604.5 - ONSET_SECONDS)


def test_a_final_without_its_words_keeps_those_of_the_partial() -> None:
    """As many words: the times of the words before; otherwise they share the space."""
    session = Session()
    session.says(turn("Update", 0, 2.2, "hello world", [HELLO, WORLD]))
    final, _ = session.says(turn("EndOfTurn", 0, 2.6, "Hello, world."))
    assert [(one.text, one.start, one.end) for one in final.words] == [("Hello,", 1.2, 1.5), ("world.", 1.6, 2.0)]


def test_a_word_that_ends_behind_its_window_proves_no_more_than_the_window() -> None:
    """The smaller one counts."""
    assert Session().says(turn("EndOfTurn", 0, 3.0, "Oh.", [word("Oh.", 1.0, 9.0)]))[1:] == [Heard(3.0)]


def test_an_empty_end_takes_a_guess_back() -> None:
    """It proves nothing by itself; the next message does. Without a guess it is silence."""
    session = Session()
    session.says(turn("Update", 0, 4.2, "uh", [word("uh", 4.0, 4.1)]))
    assert session.says(turn("EndOfTurn", 0, 9.0)) == [Notice("withdrawn", "turn 0 took its words back")]
    assert session.says(silence(1, 9.25)) == [Heard(7.25)]
    assert session.says(turn("EndOfTurn", 1, 12.0)) == [Heard(10.0)]
    assert session.texts == []


def test_a_turn_ends_once() -> None:
    """What comes later about it is counted and dropped."""
    session = Session()
    session.says(END)
    assert kinds(session.says(END, turn("Update", 0, 9.0, "Hello", [HELLO]), silence(0, 9.0))) == ["late"] * 3
    assert session.texts == ["Hello world."]
    assert session.heard == 2.0


def test_a_number_that_is_skipped_without_a_gap_is_no_turn() -> None:
    """The numbers of the messages say that nothing is missing."""
    session = Session()
    session.says(END)
    assert [type(event) for event in session.says(turn("EndOfTurn", 3, 9.0, "Bye.", [word("Bye.", 8.0, 8.2)]))] == [
        Final,
        Heard,
    ]


def test_a_lost_partial_does_no_harm() -> None:
    """The next message has the whole turn."""
    session = Session()
    session.says(turn("StartOfTurn", 0, 1.6, "Hello", [HELLO]))
    session.loses("Update", "Update")
    notice, *rest = session.says(END)
    assert notice == Notice("missing", "2 messages")
    assert [type(event) for event in rest] == [Final, Heard]
    session.loses("Update")
    assert session.says(silence(1, 9.0)) == [Notice("missing", "1 messages"), Heard(7.0)]
    session.conversation.goodbye()
    assert session.conversation.closed(clean=True) == [Finished(complete=True)]


@pytest.mark.parametrize(
    "before",
    [
        # The end of the open turn; a whole turn; a whole turn as the first of all.
        [turn("Update", 0, 2.2, "Hello", [HELLO])],
        [silence(0, 2.2)],
        [],
    ],
)
def test_behind_a_lost_end_nothing_is_believed(before: list) -> None:
    """No final, no partial, no silence; the session is to be replaced, and was not complete."""
    session = Session()
    session.says(*before)
    heard = session.heard
    session.loses(END)
    assert kinds(session.says(turn("Update", 1, 5.2, "Bye", [word("Bye", 5.0, 5.1)]))) == ["missing", "overtaken"]
    more = session.says(turn("EndOfTurn", 1, 6.0, "Bye.", [word("Bye.", 5.0, 5.1)]), silence(2, 20.0))
    assert kinds(more) == ["disbelieved", "disbelieved"]
    assert session.conversation.turn_open_since() is None
    assert (session.texts, session.heard) == ([], heard)
    assert session.conversation.goodbye() == (CLOSE_STREAM,)
    assert session.conversation.closed(clean=True) == [Finished(complete=False)]


def test_a_turn_that_is_left_without_its_end_is_lost_too() -> None:
    """The server has lost its thread, though no message is missing; a server without numbers gets no benefit."""
    session = Session()
    session.says(turn("Update", 0, 2.2, "Hello", [HELLO]))
    assert kinds(session.says(silence(1, 5.0))) == ["overtaken"]
    unnumbered = DeepgramFluxConversation()
    events = [
        event
        for message in (CONNECTED | {"sequence_id": None}, END, silence(1, 5.0), silence(4, 6.0))
        for event in unnumbered.receive(json.dumps(message), 0.0)
    ]
    assert [type(event) for event in events] == [Ready, Final, Heard, Heard, Notice]


def test_a_missing_message_that_nothing_has_explained_makes_the_end_incomplete() -> None:
    """It may have been the end of the turn that seems to be open."""
    session = Session()
    session.says(turn("Update", 0, 2.2, "Hello", [HELLO]))
    session.conversation.goodbye()
    session.waits(LAST_TURN_SECONDS + 0.3)
    session.loses(END)
    session.says({"type": "Warning", "code": "LATE", "description": "x"})
    assert session.conversation.closed(clean=True) == [Finished(complete=False)]


def test_a_message_about_an_unknown_turn_may_have_been_anything() -> None:
    """As if it were missing."""
    session = Session()
    assert kinds(session.says(END | {"turn_index": None})) == ["malformed"]
    assert kinds(session.says(silence(1, 5.0))) == ["overtaken"]


def test_goodbye_ends_an_open_turn_first() -> None:
    """Then `CloseStream`, once its end has come."""
    session = Session()
    session.says(turn("Update", 0, 2.2, "Hello world", [HELLO, WORLD]))
    assert session.conversation.goodbye() == (FORCE_END_TURN,)
    assert session.waits(0.5) == []
    assert [type(event) for event in session.says(turn("Update", 0, 2.4, "Hello world", [HELLO, WORLD]))] == [Partial]
    assert session.says(END)[-1] == Say(CLOSE_STREAM)
    assert session.waits(5.0) == []
    assert session.conversation.closed(clean=True) == [Finished(complete=True)]


def test_an_end_that_does_not_come_is_not_waited_for() -> None:
    """After two seconds `CloseStream` follows, and what was last said of the turn is its end."""
    session = Session()
    session.says(turn("Update", 0, 2.2, "Hello", [HELLO]))
    session.now += 7.0
    session.conversation.goodbye()
    assert session.waits(LAST_TURN_SECONDS - 0.2) == []
    assert session.waits(0.5) == [Say(CLOSE_STREAM)]
    session.says(turn("Update", 0, 2.6, "Hello world.", [HELLO, WORLD], languages=["en"]))
    words = (SpokenWord("Hello", 1.2, 1.5, 0.9), SpokenWord("world.", 1.6, 2.0, 0.9))
    assert session.conversation.closed(clean=True) == [Final(0, "Hello world.", words, "en"), Finished(complete=True)]
    assert session.conversation.closed(clean=True) == []


def test_words_that_come_after_the_goodbye_are_final_with_the_close() -> None:
    """No turn seemed to be open; the last audio had one."""
    session = Session()
    session.conversation.goodbye()
    session.says(turn("StartOfTurn", 0, 2.2, "Hello", [HELLO]))
    assert session.waits(9.0) == []
    assert [type(event) for event in session.conversation.closed(clean=True)] == [Final, Finished]


def test_a_turn_of_which_nothing_was_said_is_not_complete() -> None:
    """Speech had begun, and its words never came."""
    session = Session()
    session.conversation.goodbye()
    session.says(turn("StartOfTurn", 0, 2.2))
    assert session.conversation.closed(clean=True) == [Finished(complete=False)]


def test_words_that_vanish_after_our_goodbye_are_not_counted() -> None:
    """The end of the audio may have cut them; the session is ended all the same."""
    session = Session()
    session.says(turn("Update", 0, 2.2, "Hello", [HELLO]))
    session.conversation.goodbye()
    assert session.says(turn("EndOfTurn", 0, 2.6)) == [
        Notice("overtaken", "turn 0 lost its words after the goodbye"),
        Say(CLOSE_STREAM),
    ]
    assert session.conversation.closed(clean=True) == [Finished(complete=False)]


@pytest.mark.parametrize("goodbye", [False, True])
def test_an_open_turn_is_not_final_where_the_connection_broke(goodbye: bool) -> None:
    """Nor where the peer left without our goodbye, or before it was whole."""
    for clean in (False, True):
        session = Session()
        session.says(turn("Update", 0, 2.2, "Hello", [HELLO]))
        if goodbye:
            session.conversation.goodbye()
        assert session.conversation.closed(clean=clean) == []
    broken = Session()
    broken.conversation.goodbye()
    assert broken.conversation.closed(clean=False) == []


def test_a_turn_does_not_hang_when_audio_stops() -> None:
    """Its timers run on audio: so it is ended from here, once, and again for the next turn."""
    session = Session()
    for index in (0, 1):
        session.conversation.audio(b"\0\0")
        session.says(turn("Update", index, 2.2 + index, "Hello", [word("Hello", 1.2 + index, 1.5 + index)]))
        assert session.waits(STILL_SECONDS - 0.2) == []
        assert session.waits(1.0) == [Say(FORCE_END_TURN)]
        assert session.waits(60.0) == []
        session.says(turn("EndOfTurn", index, 2.2 + index, "Hello.", [word("Hello.", 1.2 + index, 1.5 + index)]))


def test_a_turn_is_not_ended_while_audio_goes_out() -> None:
    """However slow the answers are; nor a second time where the pacer has ended it; nor where no turn is open."""
    session = Session()
    session.says(turn("Update", 0, 2.2, "Hello", [HELLO]))
    for _ in range(30):
        session.conversation.audio(b"\0\0")
        assert session.waits(1.0) == []
    session.conversation.force_end()
    assert session.waits(60.0) == []
    session.says(END)
    assert session.waits(60.0) == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            {"type": "Error", "code": "INTERNAL_SERVER_ERROR", "description": "Something broke"},
            [Refused(None, "INTERNAL_SERVER_ERROR: Something broke")],
        ),
        ({"type": "Error", "code": 7}, [Refused(None, "")]),
        ({"type": "Warning", "code": "SLOW", "description": "x"}, [Notice("warning", "SLOW: x")]),
        ({"type": "ConfigureSuccess"}, [Notice("ConfigureSuccess", "")]),
        ({"type": "ConfigureFailure", "description": "no"}, [Notice("ConfigureFailure", "no")]),
        ({"type": "Metadata"}, [Notice("unknown", "Metadata")]),
        ({"type": 5}, [Notice("malformed", "no type")]),
        (CONNECTED | {"sequence_id": 1}, [Notice("malformed", "a second Connected")]),
        (silence(0, 0.2) | {"sequence_id": 0}, [Notice("malformed", "a message that was numbered before")]),
        ([], [Notice("malformed", "not a JSON object")]),
        ("{", [Notice("malformed", "not a JSON object")]),
        (b"\x00", [Notice("malformed", "a binary message")]),
    ],
)
def test_whatever_else_is_said_is_an_event(message: Any, expected: list[Event]) -> None:
    """Errors, news, nonsense."""
    assert Session().says(message) == expected


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
times = st.integers(0, 60_000).map(lambda value: value / 1000)
words = st.builds(word, st.sampled_from(["a", "be", "Sea.", "", " "]), times, times) | st.builds(
    word, st.just("untimed")
)
turns = st.builds(
    turn,
    st.sampled_from(["StartOfTurn", "Update", "Update", "EagerEndOfTurn", "TurnResumed", "EndOfTurn", "EndOfTurn"]),
    st.integers(0, 4),
    times,
    st.sampled_from(["", "a", "a be", "A be Sea."]),
    st.lists(words, max_size=3),
)
others = st.sampled_from([CONNECTED, {"type": "Error", "code": "X"}, {"type": "Warning"}, {"type": "News"}])
valid = turns | turns | others


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """Return a valid message of which one field is anything."""
    message = dict(draw(valid))
    message[draw(st.sampled_from([*sorted(message), "sequence_id"]))] = draw(anything)
    return message


steps = st.lists(
    st.tuples(
        valid | mutated() | anything | st.text(max_size=20) | st.binary(max_size=8),
        st.sampled_from([0.0, 0.1, 1.0, 6.0]),
        st.booleans(),
    ),
    max_size=40,
)


@given(steps, st.integers(0, 40), st.booleans())
def test_nothing_that_a_peer_says_breaks_the_promises(script: list, goodbye_at: int, clean: bool) -> None:
    """No exception; one final a turn, never empty; heard only forward; `CloseStream` is said once, after a goodbye."""
    session = Session()
    said: list = []
    for place, (message, pause, chunk) in enumerate(script):
        if place == goodbye_at:
            said += session.conversation.goodbye()
        if chunk and place < goodbye_at:
            session.conversation.audio(b"\0\0")
        said += [event.frame for event in session.waits(pause) if isinstance(event, Say)]
        said += [event.frame for event in session.says(message) if isinstance(event, Say)]
        since = session.conversation.turn_open_since()
        assert since is None or since >= 0
    assert said.count(CLOSE_STREAM) <= (goodbye_at < len(script))
    session.log += session.conversation.closed(clean=clean)
    finals = [event for event in session.log if isinstance(event, Final)]
    assert len({event.turn for event in finals}) == len(finals)
    assert all(event.text and event.words for event in finals)
    assert all(0 <= one.start <= one.end for event in finals for one in event.words)
    heard = [event.until for event in session.log if isinstance(event, Heard)]
    assert heard == sorted(set(heard))
    finished = [event for event in session.log if isinstance(event, Finished)]
    assert len(finished) <= (clean and goodbye_at < len(script))


@given(st.lists(st.tuples(turns, st.booleans()), max_size=30))
def test_nothing_is_heard_before_its_words_are_final(script: list) -> None:
    """Whatever is pending begins at or after what is heard, unless it first showed itself later than that."""
    session = Session()
    pending: dict[int, float] = {}
    for message, arrives in script:
        if not arrives:
            session.loses(message)
            continue
        before = session.heard
        for event in session.says(message):
            if isinstance(event, Partial):
                pending.setdefault(event.turn, max(before, min(one.start for one in event.words)))
            elif isinstance(event, Final):
                pending.pop(event.turn, None)
            elif isinstance(event, Notice) and event.kind == "withdrawn":
                pending.pop(message["turn_index"], None)
            elif isinstance(event, Heard):
                assert all(event.until <= start for start in pending.values())


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[tuple[str, float]]]:
    """Return what an honest server says of a few turns, and the words that were spoken, each with its end."""
    said: list[dict[str, Any]] = []
    spoken: list[tuple[str, float]] = []
    clock = 0.0
    for index in range(draw(st.integers(0, 4))):
        for _ in range(draw(st.integers(0, 12))):
            clock += 0.25
            said.append(silence(index, clock))
        listed: list[dict[str, Any]] = []
        for place in range(draw(st.integers(1, 4))):
            clock += 0.5
            listed.append(word(f"w{index}.{place}", clock - 0.45, clock - 0.05))
            spoken.append((f"w{index}.{place}", clock - 0.05))
            said.append(turn("Update" if place else "StartOfTurn", index, clock, _joined(listed), listed))
        said.append(turn("EndOfTurn", index, clock, _joined(listed), listed))
    return said, spoken


def _joined(listed: list[dict[str, Any]]) -> str:
    return " ".join(one["word"] for one in listed)


@given(conversations(), st.data())
def test_no_word_is_lost_or_doubled(made: tuple, data: st.DataObject) -> None:
    """Messages are lost, and the session ends anywhere: what is heard has its words, all of them, once."""
    said, spoken = made
    session = Session()
    goodbye_at = data.draw(st.integers(0, len(said)))
    for place, message in enumerate(said):
        if place == goodbye_at:
            session.conversation.goodbye()
            session.waits(LAST_TURN_SECONDS + 0.5)
        if data.draw(st.integers(0, 9)):
            session.says(message)
        else:
            session.loses(message)
    if goodbye_at == len(said):
        session.conversation.goodbye()
    session.waits(LAST_TURN_SECONDS + 0.5)
    session.log += session.conversation.closed(clean=data.draw(st.booleans()))
    final = [one.text for event in session.log if isinstance(event, Final) for one in event.words]
    assert len(final) == len(set(final))
    heard = [text for text, end in spoken if end <= session.heard]
    assert [text for text in heard if text not in final] == []
