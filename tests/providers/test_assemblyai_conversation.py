"""One AssemblyAI session: the shapes that were seen, the ways they vary, and whatever else a peer may say."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.providers.assemblyai_conversation import HOLD_SECONDS, AssemblyAIConversation
from stenod.providers.base import (
    Event,
    Final,
    Finished,
    Heard,
    Notice,
    Partial,
    Ready,
    Refused,
    Revision,
    SpokenWord,
)

SESSION = "0b8f6a1e-51d2-4c7e-9d55-2f1f7c0a9e01"
BEGIN = {
    "type": "Begin",
    "id": SESSION,
    "expires_at": 1795210800,
    "configuration": {"model": "universal-streaming-english", "mode": None, "redact_pii": False, "domain": None},
}
TERMINATION = {"type": "Termination", "audio_duration_seconds": 4, "session_duration_seconds": 6}


def word(text: str, start: int, end: int, settled: bool = True, **more: Any) -> dict[str, Any]:
    """Return a word as it stands in a message, times in milliseconds."""
    return {"text": text, "start": start, "end": end, "confidence": 0.9, "word_is_final": settled, **more}


def turn(
    order: int, transcript: str, words: Sequence[dict[str, Any]], ended: bool = False, formatted: bool = False, **more
) -> dict[str, Any]:
    """Return a Turn message."""
    return {
        "type": "Turn",
        "turn_order": order,
        "turn_is_formatted": formatted,
        "end_of_turn": ended,
        "transcript": transcript,
        "utterance": "",
        "end_of_turn_confidence": 0.5,
        "words": list(words),
        **more,
    }


OPEN = word("open", 1200, 1360)
THE = word("the", 1400, 1480)
WINDOW = word("window", 1520, 1880)
RAW = turn(0, "open the window", [OPEN, THE, WINDOW], ended=True)
TWIN = turn(
    0,
    "Open the window.",
    [word("Open", 1200, 1360), THE, word("window.", 1520, 1880)],
    ended=True,
    formatted=True,
)


def heartbeat(received: float, duration: float | None = None, factor: float | None = 0.998) -> dict[str, Any]:
    """Return a Heartbeat, in seconds."""
    return {
        "type": "Heartbeat",
        "total_audio_received_ms": int(received * 1000),
        "total_duration_ms": None if duration is None else int(duration * 1000),
        "realtime_factor": factor,
        "max_speech_probability": 0.1,
    }


class Session:
    """A conversation with its clock, and all that it said."""

    def __init__(self, *, formats: bool = True, partials: bool = True, begun: bool = True) -> None:
        self.conversation = AssemblyAIConversation(formats=formats, partials=partials)
        self.now = 100.0
        self.log: list[Event] = []
        if begun:
            self.says(BEGIN)
            self.log.clear()

    def says(self, *messages: Any) -> list[Event]:
        """Receive messages at this moment and return their events."""
        events = [
            event
            for message in messages
            for event in self.conversation.receive(
                message if isinstance(message, str | bytes) else json.dumps(message), self.now
            )
        ]
        self.log += events
        return events

    def beats(self, *received: float) -> list[Event]:
        """Receive a heartbeat every five seconds, with these totals."""
        events = []
        for seconds in received:
            self.now += 5.0
            events += self.says(heartbeat(seconds, self.now - 100.0))
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
    """Universal-Streaming with formatted twins: partials, one final, what it cost."""
    session = Session(begun=False)
    assert session.conversation.opened({}) == []
    assert session.says(BEGIN) == [Ready(SESSION, 1795210800.0), Notice("model", "universal-streaming-english")]
    first = session.says(turn(0, "", [word("open", 1200, 1360, settled=False)]))
    assert first == [Partial(0, "open", (SpokenWord("open", 1.2, 1.36, 0.9),))]
    second = session.says(turn(0, "open the", [OPEN, THE, word("win", 1520, 1640, settled=False)]))
    assert [(event.text, len(event.words)) for event in second] == [("open the win", 3)]
    assert session.conversation.turn_open_since() == 1.2
    assert session.says(RAW) == []
    assert session.conversation.turn_open_since() is None
    words = (
        SpokenWord("Open", 1.2, 1.36, 0.9),
        SpokenWord("the", 1.4, 1.48, 0.9),
        SpokenWord("window.", 1.52, 1.88, 0.9),
    )
    assert session.says(TWIN) == [Final(0, "Open the window.", words), Heard(1.88)]
    assert session.conversation.goodbye() == ('{"type":"Terminate"}',)
    assert session.says(TERMINATION) == [Finished(complete=True, audio_seconds=4.0, billed_seconds=6.0)]
    assert session.conversation.closed(clean=False) == []


def test_frames() -> None:
    """Audio goes raw, the rest as text."""
    conversation = Session().conversation
    assert conversation.audio(b"\x01\x02") == b"\x01\x02"
    assert conversation.keepalive() == '{"type":"KeepAlive"}'
    assert conversation.force_end() == '{"type":"ForceEndpoint"}'


def test_a_model_that_always_formats_sends_one_end() -> None:
    """Partials say `turn_is_formatted` too; only `end_of_turn` ends, and a partial may be rewritten."""
    session = Session()
    session.says({"type": "SpeechStarted", "timestamp": 640, "confidence": 0.97})
    partial = turn(
        0, "Harvard gate", [word("Harvard", 640, 1010, False), word("gate", 1020, 1300, False)], formatted=True
    )
    assert [type(event) for event in session.says(partial)] == [Partial]
    end = turn(0, "Harbour gate.", [word("Harbour", 640, 1020), word("gate.", 1030, 1300)], ended=True, formatted=True)
    assert [type(event) for event in session.says(end)] == [Final, Heard]
    assert session.texts == ["Harbour gate."]


def test_a_twin_that_does_not_come_is_not_waited_for() -> None:
    """The unformatted end is final after a second, and a twin that comes later is dropped."""
    session = Session()
    session.says(RAW)
    assert session.conversation.deadline() == session.now + HOLD_SECONDS
    assert session.conversation.due(session.now + HOLD_SECONDS - 0.01) == []
    assert [type(event) for event in session.conversation.due(session.now + HOLD_SECONDS)] == [Final, Heard]
    assert session.conversation.deadline() is None
    assert kinds(session.says(TWIN)) == ["late"]
    assert session.texts == []


def test_without_formatting_nothing_is_held() -> None:
    """Where no twin was asked for, the end is final at once, and stays the only one."""
    session = Session(formats=False)
    assert [type(event) for event in session.says(RAW)] == [Final, Heard]
    assert kinds(session.says(TWIN)) == ["late"]
    assert session.texts == ["open the window"]


def test_an_end_that_is_held_survives_the_end_of_the_session() -> None:
    """It was said to be over: no connection that breaks may lose it."""
    session = Session()
    session.says(RAW)
    assert [event.text for event in session.conversation.closed(clean=False) if isinstance(event, Final)] == [
        "open the window"
    ]
    assert session.conversation.closed(clean=False) == []


def test_termination_releases_what_is_held() -> None:
    """The words come before the end."""
    session = Session()
    session.conversation.goodbye()
    assert [type(event) for event in session.says(RAW, TERMINATION)] == [Final, Heard, Finished]


def test_a_repeated_unformatted_end_does_not_prolong_the_hold() -> None:
    """The first one started the second's wait."""
    session = Session()
    session.says(RAW)
    session.now += 0.6
    session.says(RAW)
    assert session.conversation.deadline() == pytest.approx(session.now + 0.4)


def test_an_empty_twin_takes_nothing_away() -> None:
    """What ended with words keeps them."""
    session = Session()
    session.says(RAW, turn(0, "", [], ended=True, formatted=True))
    assert session.texts == ["open the window"]


def test_a_twin_without_words_keeps_the_known_times() -> None:
    """As many words as before: the times of the words before."""
    session = Session()
    session.says(RAW)
    (final, heard) = session.says(turn(0, "Open the window.", [], ended=True, formatted=True))
    assert [(one.text, one.start, one.end) for one in final.words] == [
        ("Open", 1.2, 1.36),
        ("the", 1.4, 1.48),
        ("window.", 1.52, 1.88),
    ]
    assert heard == Heard(1.88)


def test_a_partial_after_the_end_is_no_new_turn() -> None:
    """Neither while the end is held nor after it is final."""
    session = Session()
    session.says(RAW)
    assert session.says(turn(0, "open", [OPEN])) == []
    session.says(TWIN)
    assert kinds(session.says(turn(0, "open", [OPEN]))) == ["late"]
    assert session.conversation.turn_open_since() is None


def test_a_partial_of_the_next_turn_does_not_cut_the_wait() -> None:
    """The twin may come after the speaker has gone on; finals are in order, and count up to the open turn only."""
    session = Session()
    session.says(RAW, turn(1, "", [word("then", 1700, 2100, False)]))
    assert session.texts == []
    session.says(TWIN)
    assert session.texts == ["Open the window."]
    assert session.heard == 1.7


def test_finals_leave_in_order() -> None:
    """A later turn that is final takes the held ones before it along, each counted by its own end."""
    session = Session()
    session.says(RAW)
    events = session.says(turn(1, "Bye.", [word("Bye.", 1800, 2500)], ended=True, formatted=True))
    assert [event.turn for event in events if isinstance(event, Final)] == [0, 1]
    assert [event.until for event in events if isinstance(event, Heard)] == [1.8, 2.5]


def test_an_empty_end_is_skipped() -> None:
    """No final; a turn without words is over, and whatever comes for it later is dropped."""
    session = Session()
    empty = turn(3, "", [], ended=True)
    assert session.says(empty) == []
    assert kinds(session.says(empty)) == ["late"]


def test_an_empty_end_keeps_what_was_settled() -> None:
    """The service promises not to change words that it called final, so they are no guess."""
    session = Session()
    session.says(turn(0, "open the", [OPEN, THE, word("win", 1520, 1640, settled=False)]))
    session.says(turn(0, "", [], ended=True))
    assert session.texts == ["open the"]
    assert session.heard == 1.48


def test_an_empty_end_withdraws_a_guess() -> None:
    """It counts as nothing by itself; later proof moves on past it."""
    session = Session()
    session.beats(5.0)
    session.says(turn(0, "", [word("uh", 5200, 5300, settled=False)]))
    assert kinds(session.says(turn(0, "", [], ended=True))) == ["withdrawn"]
    assert session.texts == []
    assert session.heard == 0.0
    session.beats(10.0, 15.0, 20.0)
    assert session.heard > 5.3


def test_words_that_vanish_after_our_goodbye_are_not_counted() -> None:
    """The end of the audio may have cut them: the session was not complete."""
    session = Session()
    session.says(turn(0, "", [word("uh", 5200, 5300, settled=False)]))
    session.conversation.goodbye()
    assert kinds(session.says(turn(0, "", [], ended=True))) == ["cut"]
    assert session.says(TERMINATION) == [Finished(complete=False, audio_seconds=4.0, billed_seconds=6.0)]


def test_an_overtaken_turn_is_neither_invented_nor_counted() -> None:
    """The service lost its thread: all from that turn's beginning on is for another session, and it is said once."""
    session = Session()
    session.says(turn(0, "", [word("lost", 3000, 3300, False)]))
    later = [turn(n, f"t{n}", [word(f"t{n}", n * 5000, n * 5000 + 400)], ended=True, formatted=True) for n in (1, 2)]
    assert kinds(session.says(*later)) == ["overtaken"]
    session.beats(5, 10, 15, 20, 25)
    assert session.texts == []
    assert session.conversation.deadline() is None
    assert session.heard == 0.0
    session.conversation.goodbye()
    assert session.says(TERMINATION)[-1] == Finished(complete=False, audio_seconds=4.0, billed_seconds=6.0)


def test_an_overtaken_turn_may_still_end() -> None:
    """Its words count, then those that waited for it, and everything counts again."""
    session = Session()
    session.says(turn(0, "", [word("slow", 3000, 3300, False)]))
    session.says(turn(1, "Fast.", [word("Fast.", 5000, 5400)], ended=True, formatted=True))
    session.says(turn(0, "Slow.", [word("Slow.", 3000, 3300)], ended=True, formatted=True))
    session.log += session.conversation.due(session.now + HOLD_SECONDS)
    session.beats(5, 10, 15)
    assert session.texts == ["Slow.", "Fast."]
    assert session.heard > 5.0


def test_the_newest_turn_is_the_one_to_force() -> None:
    """An overtaken one cannot be ended any more; a beginning that moves is still the same turn."""
    session = Session()
    session.says(turn(0, "", [word("lost", 3000, 3300, False)]))
    session.says(turn(1, "", [word("now", 5000, 5300, False)]))
    assert session.conversation.turn_open_since() == 5.0
    session.says(turn(1, "", [word("right", 4600, 4900, False), word("now", 5000, 5300, False)]))
    assert session.conversation.turn_open_since() == 5.0
    session.says(turn(1, "Now.", [word("Now.", 5000, 5400)], ended=True, formatted=True))
    assert session.conversation.turn_open_since() is None


def test_a_quiet_room_is_heard() -> None:
    """The audio of the heartbeat before, less the time a word takes to show."""
    session = Session()
    assert session.beats(5, 10, 15) == [Heard(3.0), Heard(8.0)]


def test_an_open_turn_holds_silence_back() -> None:
    """While words are pending or held, a heartbeat proves nothing about them."""
    session = Session()
    session.beats(5)
    session.says(turn(0, "", [word("and", 6000, 6200, False)]))
    assert session.beats(10, 15) == []
    session.says(turn(0, "and", [word("and", 6000, 6200)], ended=True))
    assert session.beats(20) == []
    assert [type(event) for event in session.conversation.due(session.now + 2)] == [Final, Heard]
    assert session.beats(25, 30) == [Heard(18.0), Heard(23.0)]


def test_hidden_partials_make_silence_prove_nothing() -> None:
    """Redaction suppresses partials, so an open turn cannot be seen; the account can ask for it too."""
    session = Session(partials=False)
    assert session.beats(5, 10, 15) == []
    session = Session(begun=False)
    session.says(BEGIN | {"configuration": {"redact_pii": True}})
    assert session.beats(5, 10, 15) == []


def test_announced_speech_holds_silence_back_until_its_turn() -> None:
    """Its words are on the way; a turn explains it, and so does half a minute without a word."""
    session = Session()
    session.beats(5, 10)
    session.says({"type": "SpeechStarted", "timestamp": 9000, "confidence": 0.9})
    session.beats(15, 20)
    assert session.heard == 9.0
    session.says(turn(0, "", [], ended=True))
    session.beats(25)
    assert session.heard == 18.0
    session.says({"type": "SpeechStarted", "timestamp": 24000, "confidence": 0.9})
    session.beats(*range(30, 60, 5))
    assert session.heard == 24.0
    session.beats(60, 65)
    assert session.heard == 58.0


def test_speech_announced_after_its_first_partial_is_that_turns() -> None:
    """Both come in one tick, in either order."""
    session = Session()
    session.says(turn(0, "Yes", [word("Yes", 1000, 1300, False)]))
    session.says({"type": "SpeechStarted", "timestamp": 1000, "confidence": 0.9})
    session.says(turn(0, "Yes.", [word("Yes.", 1000, 1300)], ended=True, formatted=True))
    assert session.heard == 1.3


def test_acknowledged_silence_is_heard() -> None:
    """It can only be known by having processed it; a range may overlap earlier speech, and nothing goes back."""
    session = Session()
    session.says(TWIN)
    silence = {"type": "Silence", "start_ms": 1890, "end_ms": 6900}
    assert session.says(silence) == [Heard(4.9)]
    assert session.says(silence | {"start_ms": 500, "end_ms": 2900}) == []


def test_speakers_and_language() -> None:
    """A word's own label, else the turn's; `UNKNOWN` is nobody."""
    session = Session(formats=False)
    words = [word("hi", 100, 200, speaker="B"), word("you", 200, 300), word("there", 300, 400, speaker="UNKNOWN")]
    (final, _) = session.says(turn(0, "hi you there", words, ended=True, speaker_label="A", language_code="en"))
    assert [one.speaker for one in final.words] == ["B", "A", "A"]
    assert final.language == "en"


def test_speakers_are_revised() -> None:
    """One label a word, of the final as it was given out; a held turn is given out first."""
    session = Session()
    revised = [word("Open", 1200, 1360, speaker="B"), THE, WINDOW]
    revision = {"type": "SpeakerRevision", "revisions": [{"turn_order": 0, "speaker_label": "A", "words": revised}]}
    events = session.says(RAW, revision)
    assert [type(event) for event in events] == [Final, Heard, Revision]
    assert events[-1] == Revision(0, ("B", "A", "A"))
    bare = {"type": "SpeakerRevision", "revisions": [{"turn_order": 0, "speaker_label": "C"}]}
    assert session.says(bare) == [Revision(0, ("C", "C", "C"))]


@pytest.mark.parametrize(
    "entry",
    [None, {}, {"turn_order": 7, "speaker_label": "A"}, {"turn_order": 0, "words": [{}]}, {"turn_order": "0"}],
)
def test_a_revision_that_does_not_fit_is_none(entry: Any) -> None:
    """Of a turn that was never final, or with another number of words."""
    session = Session()
    session.says(TWIN)
    assert kinds(session.says({"type": "SpeakerRevision", "revisions": [entry]})) == ["malformed"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "Error", "error_code": 1008, "error": "Unauthorized"}, Refused(1008, "Unauthorized")),
        ({"error": "Not authorized"}, Refused(None, "Not authorized")),
        ({"error": "x", "error_code": "1008"}, Refused(None, "x")),
        ({"type": "Error"}, Refused(None, "")),
        ({"type": "Error", "error": {"deep": []}, "error_code": True}, Refused(None, "")),
        ({"type": "Warning", "warning_code": 1234, "warning": "soon"}, Notice("warning", "1234: soon")),
        ({"type": "Warning", "warning": []}, Notice("warning", "")),
        ({"type": "SomethingNew", "x": 1}, Notice("unknown", "SomethingNew")),
        ({"type": "LLMGatewayResponse", "turn_order": 0}, Notice("unknown", "LLMGatewayResponse")),
        ({"x": 1}, Notice("malformed", "no type")),
        ({"type": 5, "error": "x"}, Notice("malformed", "no type")),
        (b"\x00", Notice("malformed", "a binary message")),
        ("not JSON", Notice("malformed", "not a JSON object")),
        ("", Notice("malformed", "not a JSON object")),
        ("[1]", Notice("malformed", "not a JSON object")),
        ("[" * 100_000, Notice("malformed", "not a JSON object")),
        ('{"a":' * 100_000, Notice("malformed", "not a JSON object")),
        ("\ud800", Notice("malformed", "not a JSON object")),
        (BEGIN, Notice("malformed", "a second Begin")),
        ({"type": "Turn"}, Notice("malformed", "a Turn without its number")),
        ({"type": "Turn", "turn_order": -1}, Notice("malformed", "a Turn without its number")),
        ({"type": "Heartbeat"}, Notice("malformed", "a Heartbeat without what was received")),
        ({"type": "Silence", "start_ms": 5, "end_ms": 1}, Notice("malformed", "a Silence without its times")),
        ({"type": "SpeechStarted", "timestamp": -1}, Notice("malformed", "a SpeechStarted without its time")),
        ({"type": "SpeakerRevision"}, Notice("malformed", "a SpeakerRevision without its turn")),
    ],
)
def test_whatever_else_is_said_is_an_event(message: Any, expected: Event) -> None:
    """Errors with and without a type, news, nonsense."""
    assert Session().says(message) == [expected]


def test_an_end_that_we_did_not_ask_for_is_not_complete() -> None:
    """And it comes once."""
    session = Session()
    assert session.says({"type": "Termination"}) == [Finished(complete=False)]
    assert kinds(session.says(TERMINATION)) == ["malformed"]


def test_a_hello_without_anything_is_still_ready() -> None:
    """The identifier and the expiry are for people; milliseconds are no expiry."""
    session = Session(begun=False)
    assert session.says({"type": "Begin", "id": 5, "expires_at": 1795210800000}) == [Ready(None, None)]


def test_one_bad_word_does_not_lose_the_others() -> None:
    """Entries that are no words are counted, wrong fields count as missing."""
    session = Session(formats=False)
    words = [OPEN, 5, {"start": 1}, {"text": "the", "start": "x", "end": None, "confidence": "high"}, WINDOW]
    notice, final, heard = session.says(turn(0, "open the window", words, ended=True))
    assert notice == Notice("malformed", "a Turn with 2 words that are none")
    assert [(one.text, one.start, one.end, one.confidence) for one in final.words] == [
        ("open", 1.2, 1.36, 0.9),
        ("the", 1.36, 1.52, None),
        ("window", 1.52, 1.88, 0.9),
    ]
    assert heard == Heard(1.88)


def test_times_that_we_made_up_prove_nothing() -> None:
    """A final without any times has its words, but is not heard before something else proves it."""
    session = Session(formats=False)
    (final,) = session.says(turn(0, "no times here", [], ended=True))
    assert [one.text for one in final.words] == ["no", "times", "here"]
    assert session.beats(5, 10) == [Heard(3.0)]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4) | st.just("text"), inner, max_size=4)
    ),
    max_leaves=8,
)
times = st.integers(0, 60_000)
words = st.builds(word, st.sampled_from(["a", "be", "Sea.", "", " "]), times, times, st.booleans())
turns = st.builds(
    turn,
    st.integers(0, 4),
    st.sampled_from(["", "a", "a be", "A be Sea."]),
    st.lists(words, max_size=3),
    st.booleans(),
    st.booleans(),
)
valid = st.one_of(
    turns,
    turns,
    st.builds(heartbeat, st.floats(0, 60), st.none() | st.floats(0, 60), st.none() | st.floats(0, 2)),
    st.builds(lambda a, b: {"type": "Silence", "start_ms": a, "end_ms": b}, times, times),
    st.builds(lambda a: {"type": "SpeechStarted", "timestamp": a}, times),
    st.builds(
        lambda order, listed: {"type": "SpeakerRevision", "revisions": [{"turn_order": order, "words": listed}]},
        st.integers(0, 4),
        st.lists(words, max_size=3),
    ),
    st.sampled_from([BEGIN, TERMINATION, {"type": "Error", "error_code": 3005, "error": "x"}]),
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """Return a valid message of which one field is anything."""
    message = dict(draw(valid))
    message[draw(st.sampled_from(sorted(message)))] = draw(anything)
    return message


steps = st.lists(
    st.tuples(
        valid | mutated() | anything | st.text(max_size=20) | st.binary(max_size=8),
        st.sampled_from([0.0, 0.1, 0.5, 1.0, 5.0]),
    ),
    max_size=40,
)


def justified(message: Any) -> float:
    """Return the latest session time that a message names, in seconds."""
    if isinstance(message, dict):
        return max((justified(value) for key, value in message.items() if key != "text"), default=0.0)
    if isinstance(message, list):
        return max((justified(value) for value in message), default=0.0)
    usable = isinstance(message, int | float) and not isinstance(message, bool) and 0 <= message <= 86_400_000
    return message / 1000 if usable else 0.0


@given(steps, st.booleans(), st.integers(0, 40))
def test_nothing_that_a_peer_says_breaks_the_promises(script: list, formats: bool, goodbye_at: int) -> None:
    """No exception; one final a turn, never empty; heard only forward, and never beyond what was named."""
    session = Session(formats=formats)
    latest = 0.0
    for place, (message, pause) in enumerate(script):
        if place == goodbye_at:
            session.conversation.goodbye()
        session.now += pause
        session.log += session.conversation.due(session.now)
        session.says(message)
        latest = max(latest, justified(message))
        since = session.conversation.turn_open_since()
        assert since is None or since >= 0
        deadline = session.conversation.deadline()
        assert deadline is None or deadline <= session.now + HOLD_SECONDS
    session.log += session.conversation.closed(clean=False)
    finals = [event for event in session.log if isinstance(event, Final)]
    assert len({event.turn for event in finals}) == len(finals)
    assert all(event.text and event.words for event in finals)
    assert all(0 <= one.start <= one.end for event in finals for one in event.words)
    heard = [event.until for event in session.log if isinstance(event, Heard)]
    assert heard == sorted(set(heard))
    assert all(until <= latest for until in heard)


@given(st.lists(st.tuples(turns, st.sampled_from([0.0, 0.3, 1.0])), max_size=30), st.booleans())
def test_nothing_is_heard_before_its_words_are_final(script: list, formats: bool) -> None:
    """Whatever is pending begins at or after what is heard, unless it first showed itself later than that."""
    session = Session(formats=formats)
    pending: dict[int, float] = {}
    for message, pause in script:
        session.now += pause
        events = session.conversation.due(session.now) + session.says(message)
        before = session.heard
        session.log += [event for event in events if event not in session.log]
        for event in events:
            if isinstance(event, Partial) and event.words:
                pending.setdefault(event.turn, max(before, min(one.start for one in event.words)))
            elif isinstance(event, Final):
                pending.pop(event.turn, None)
            elif isinstance(event, Notice) and event.kind == "withdrawn":
                pending.pop(message["turn_order"], None)
            elif isinstance(event, Heard):
                assert all(event.until <= start for start in pending.values())


@given(anything)
def test_any_json_is_survived(message: Any) -> None:
    """As an object's fields too."""
    session = Session()
    session.says(message)
    session.says({"type": "Turn", "turn_order": 0, "words": message, "transcript": message, "end_of_turn": True})
    session.says({"type": "Begin", "configuration": message}, {"type": "SpeakerRevision", "revisions": message})
