"""One Deepgram session: the shapes that were seen, the ways they vary, and whatever else a peer may say."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.providers.base import Event, Final, Finished, Heard, Notice, Partial, Ready, Refused, SpokenWord
from stenod.providers.deepgram_conversation import (
    CUT_SHORT,
    HOLD_SECONDS,
    NOT_UNDERSTOOD,
    TURN_SECONDS_MAX,
    DeepgramConversation,
)

REQUEST = "11111111-2222-4333-8444-555555555555"
METADATA = {
    "type": "Metadata",
    "transaction_key": "deprecated",
    "request_id": REQUEST,
    "sha256": "ab" * 32,
    "created": "2026-01-01T00:00:00.000Z",
    "duration": 6.0,
    "channels": 1,
}
INCOMPLETE = METADATA | {"sha256": "incomplete"}


def word(text: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    """Return a word as it stands in a message."""
    return {
        "word": text.strip(".").lower(),
        "start": start,
        "end": end,
        "confidence": 0.9,
        "punctuated_word": text,
    } | more


def results(
    start: float, end: float, /, *words: dict[str, Any], final: bool = False, endpoint: bool = False, **more: Any
) -> dict[str, Any]:
    """Return a Results message about a span."""
    transcript = " ".join(one["punctuated_word"] for one in words)
    return {
        "type": "Results",
        "channel_index": [0, 1],
        "start": start,
        "duration": end - start,
        "is_final": final,
        "speech_final": endpoint,
        "from_finalize": False,
        "channel": {"alternatives": [{"transcript": transcript, "confidence": 0.9, "words": list(words)}]},
        "metadata": {"request_id": REQUEST},
    } | more


def silence(start: float, end: float, **more: Any) -> dict[str, Any]:
    """Return a final without a word."""
    return results(start, end, final=True, **more)


def utterance_end(last_word_end: Any) -> dict[str, Any]:
    """Return an UtteranceEnd message."""
    return {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": last_word_end}


OPEN, THE, DOOR = word("Open", 0.4, 0.66), word("the", 0.66, 0.8), word("door.", 0.8, 1.21)
TURN = results(0.0, 1.6, OPEN, THE, DOOR, final=True, endpoint=True)
PIECE = results(0.0, 1.6, OPEN, THE, DOOR, final=True)


class Session:
    """A conversation with its clock, and all that it said."""

    def __init__(self, *, fed: bool = True) -> None:
        self.conversation = DeepgramConversation()
        self.now = 100.0
        self.log: list[Event] = []
        if fed:
            self.conversation.audio(b"\0\0")

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


def types(events: Sequence[Event]) -> list[type]:
    """Return what the events are."""
    return [type(event) for event in events]


def test_a_session_from_the_upgrade_to_the_goodbye() -> None:
    """Interims, one turn, silence, the end of the utterance, the summary."""
    session = Session()
    conversation = session.conversation
    assert [Ready(REQUEST)] == conversation.opened({"dg-request-id": REQUEST, "dg-project-id": "p"})
    first = session.says(results(0.0, 1.02, OPEN, THE))
    spoken = (SpokenWord("Open", 0.4, 0.66, 0.9), SpokenWord("the", 0.66, 0.8, 0.9))
    assert [Partial(0, "Open the", spoken)] == first
    assert 0.4 == conversation.turn_open_since()
    assert [Final(0, "Open the door.", (*spoken, SpokenWord("door.", 0.8, 1.21, 0.9))), Heard(1.6)] == session.says(
        TURN
    )
    assert conversation.turn_open_since() is None
    assert [] == session.says(utterance_end(1.21))
    assert [] == session.says({"type": "SpeechStarted", "channel": [0, 1], "timestamp": 4.1})
    assert [Heard(5.0)] == session.says(silence(1.6, 5.0))
    assert ('{"type":"CloseStream"}',) == conversation.goodbye()
    assert [Finished(complete=True, audio_seconds=6.0)] == session.says(METADATA)
    assert [] == conversation.closed(clean=True)


def test_frames() -> None:
    """Audio goes raw and never empty, the rest as text."""
    conversation = Session().conversation
    assert b"\x01\x02" == conversation.audio(b"\x01\x02")
    assert '{"type":"KeepAlive"}' == conversation.keepalive()
    assert '{"type":"Finalize"}' == conversation.force_end()
    with pytest.raises(AssertionError):
        conversation.audio(b"")


@pytest.mark.parametrize("headers", [{}, {"dg-request-id": ""}, {"x": "y"}])
def test_ready_without_a_name(headers: dict[str, str]) -> None:
    """The upgrade is the acceptance; the name is for the provider's support."""
    assert [Ready(None)] == Session().conversation.opened(headers)


def test_pieces_make_one_turn() -> None:
    """A long utterance is final piece by piece; the pause ends it, and what is open shows whole."""
    session = Session()
    session.says(results(0.0, 3.0, word("One", 0.5, 0.9), final=True))
    assert [] == session.texts
    (partial,) = session.says(results(3.0, 4.0, word("two", 3.2, 3.5)))
    assert (0, "One two", 2) == (partial.turn, partial.text, len(partial.words))
    assert 0.5 == session.conversation.turn_open_since()
    session.says(results(3.0, 6.0, word("two", 3.2, 3.5), final=True))
    assert 0.0 == session.heard
    session.says(results(6.0, 7.0, word("three.", 6.1, 6.5), final=True, endpoint=True))
    assert ["One two three."] == session.texts
    assert 7.0 == session.heard
    (partial,) = session.says(results(7.0, 8.0, word("Next", 7.2, 7.4)))
    assert 1 == partial.turn


def test_an_empty_final_with_the_pause_ends_the_turn() -> None:
    """The pause may be found in a span of its own."""
    session = Session()
    session.says(PIECE, silence(1.6, 2.2, speech_final=True))
    assert ["Open the door."] == session.texts
    assert 2.2 == session.heard


def test_a_quiet_room_is_heard() -> None:
    """Empty finals count to their end; empty interims may still change."""
    session = Session()
    assert [] == session.says(results(0.0, 1.0), results(0.0, 2.0))
    assert [Heard(3.0)] == session.says(silence(0.0, 3.0))
    assert [] == session.says(silence(0.0, 3.0))
    assert [Heard(6.0)] == session.says(silence(3.0, 6.0))


def test_silence_counts_for_nothing_while_words_are_pending() -> None:
    """Neither while a piece waits nor while a later interim is open."""
    session = Session()
    session.says(PIECE)
    session.says(silence(1.6, 2.0))
    assert 0.0 == session.heard
    session = Session()
    session.says(results(0.0, 4.0, word("late", 3.5, 3.9)), silence(0.0, 3.0))
    assert 0.0 == session.heard
    assert 3.5 == session.conversation.turn_open_since()
    session.says(results(3.0, 4.5, word("late", 3.5, 3.9), final=True, endpoint=True))
    assert 4.5 == session.heard


def test_a_final_may_be_shorter_than_the_interim_before_it() -> None:
    """What is beyond it is open still: the next turn, which holds the line back."""
    session = Session()
    session.says(results(0.0, 4.3, OPEN, THE, DOOR, word("Then", 3.2, 3.6), word("go", 3.7, 4.0)))
    final, heard = session.says(results(0.0, 3.26, OPEN, THE, DOOR, final=True, endpoint=True))
    assert ("Open the door.", Heard(3.2)) == (final.text, heard)
    assert 3.2 == session.conversation.turn_open_since()
    session.says(results(3.26, 4.5, word("Then", 3.27, 3.6), word("go.", 3.7, 4.0), final=True, endpoint=True))
    assert ["Open the door.", "Then go."] == session.texts
    assert 4.5 == session.heard


def test_a_sum_that_is_a_little_short_leaves_no_word_behind() -> None:
    """23.24 and 2.9 make 26.139999999999997, and the last word of that span ends at 26.14: nothing is open."""
    words = word("the", 25.16, 25.56), word("door.", 25.68, 26.14)
    span = {"start": 23.24, "duration": 2.9}
    session = Session()
    session.conversation.goodbye()
    session.says(results(0, 0, *words) | span, results(0, 0, *words, final=True, endpoint=True) | span)
    assert session.heard == pytest.approx(26.14)
    assert session.says(METADATA)[-1] == Finished(complete=True, audio_seconds=METADATA["duration"])


def test_words_that_are_taken_back_are_gone() -> None:
    """An interim is a guess: the next one, or an empty final, may withdraw it."""
    session = Session()
    session.says(results(0.0, 1.0, word("uh", 0.2, 0.4)))
    assert [] == session.says(results(0.0, 2.0))
    assert session.conversation.turn_open_since() is None
    session.says(results(0.0, 2.5, word("uh", 0.2, 0.4)))
    assert [Heard(3.0)] == session.says(silence(0.0, 3.0))
    assert [] == session.texts
    session.conversation.goodbye()
    assert [Finished(complete=True, audio_seconds=6.0)] == session.says(METADATA)


def test_the_end_of_the_utterance_ends_the_turn_in_noise() -> None:
    """Where no pause is ever found."""
    session = Session()
    session.says(PIECE, results(1.6, 2.6))
    assert [Final, Heard] == types(session.says(utterance_end(1.21)))
    assert ["Open the door."] == session.texts
    assert 1.6 == session.heard


def test_the_end_of_the_utterance_waits_for_its_last_words() -> None:
    """It is told by interims too; the turn is whole when they are final."""
    session = Session()
    session.says(results(0.0, 1.0, OPEN, final=True), results(1.0, 2.0, word("up.", 1.2, 1.5)))
    assert [] == session.says(utterance_end(1.5))
    session.says(results(1.0, 3.0, word("up.", 1.2, 1.5), final=True))
    assert ["Open up."] == session.texts
    assert 3.0 == session.heard


def test_the_end_of_an_utterance_that_is_over_is_none_of_the_next() -> None:
    """It comes a second after the pause; what is open by then was said later."""
    session = Session()
    session.says(TURN, results(1.6, 3.0, word("Then", 2.0, 2.4)), utterance_end(1.21))
    session.says(results(1.6, 3.5, word("Then", 2.0, 2.4), final=True))
    assert ["Open the door."] == session.texts


@pytest.mark.parametrize("last_word_end", [-1, None, "x", 1e30])
def test_an_end_of_utterance_without_its_time(last_word_end: Any) -> None:
    """It ends what there is."""
    session = Session()
    session.says(PIECE, utterance_end(last_word_end))
    assert ["Open the door."] == session.texts
    assert [] == session.says(utterance_end(last_word_end))


def test_an_end_of_utterance_whose_words_are_withdrawn_ends_nothing_later() -> None:
    """It belonged to them."""
    session = Session()
    session.says(results(0.0, 1.0, word("uh", 0.2, 0.4)), utterance_end(0.4), results(0.0, 2.0))
    session.says(results(0.0, 3.0, word("Now", 2.2, 2.5), final=True))
    assert [] == session.texts


def test_our_finalize_ends_the_turn() -> None:
    """With words or without; whether a pause was found does not matter."""
    session = Session()
    session.says(results(0.0, 1.6, OPEN, THE, DOOR, final=True, from_finalize=True))
    assert ["Open the door."] == session.texts
    session.says(results(1.6, 3.0, word("Yes.", 2.0, 2.3), final=True), silence(3.0, 3.1, from_finalize=True))
    assert ["Open the door.", "Yes."] == session.texts
    assert [Heard(4.0)] == session.says(silence(3.1, 4.0, from_finalize=True))


def test_a_finalize_without_an_answer_hangs_nothing() -> None:
    """The pieces are final whatever it says, and make a turn when nothing has come for a while."""
    session = Session()
    session.says(PIECE)
    session.conversation.force_end()
    assert session.now + HOLD_SECONDS == session.conversation.deadline()
    assert [] == session.conversation.due(session.now + HOLD_SECONDS - 0.1)
    events = session.conversation.due(session.now + HOLD_SECONDS)
    assert [Final, Heard] == types(events)
    assert session.conversation.deadline() is None
    assert [] == session.conversation.due(session.now + 100)


def test_a_rest_is_not_ended_by_waiting() -> None:
    """Its words are a guess until they are final."""
    session = Session()
    session.says(PIECE, results(1.6, 2.5, word("and", 2.0, 2.2)))
    assert session.conversation.deadline() is None


def test_a_turn_that_nobody_ends_is_ended_by_what_follows() -> None:
    """Seconds of audio without a word, whether final or not."""
    session = Session()
    session.says(PIECE, results(1.6, 3.0), silence(1.6, 5.0))
    assert [] == session.texts
    session.says(results(5.0, 5.3))
    assert ["Open the door."] == session.texts
    assert 5.0 == session.heard


def test_a_turn_without_a_pause_ends_between_two_pieces() -> None:
    """However long somebody speaks, only so much waits; no word is cut, since pieces are whole."""
    session = Session()
    finals = []
    for at in range(0, 90, 5):
        piece = results(at, at + 5.0, word(f"w{at}", at + 0.1, at + 4.9), final=True)
        finals += [event for event in session.says(piece) if isinstance(event, Final)]
        assert at + 5.0 - session.heard < TURN_SECONDS_MAX + 5.0
    assert [len(final.words) for final in finals] == [7, 7]


def test_pieces_survive_the_end_of_the_session() -> None:
    """They were promised not to be revised, so that no connection that breaks may lose them; a guess is not."""
    for clean in (True, False):
        session = Session()
        session.says(PIECE, results(1.6, 2.5, word("and", 1.5, 2.2)))
        final, heard = session.conversation.closed(clean=clean)
        assert ("Open the door.", Heard(1.5)) == (final.text, heard)
        assert [] == session.conversation.closed(clean=clean)


def test_the_summary_releases_what_waits() -> None:
    """The words come before the end."""
    session = Session()
    session.conversation.goodbye()
    assert [Final, Heard, Finished] == types(session.says(PIECE, METADATA))[1:]


def test_a_pause_behind_words_that_are_not_final() -> None:
    """An old page shows it: they are a guess until the stream goes on behind them, and final then."""
    session = Session()
    guess = results(0.0, 1.6, OPEN, THE, DOOR, endpoint=True)
    assert [Partial] == types(session.says(guess))
    assert [Final, Heard] == types(session.says(TURN))
    session = Session()
    session.says(guess)
    assert [Final, Heard, Partial] == types(session.says(results(1.6, 3.0, word("Then", 2.0, 2.4))))
    assert (["Open the door."], 1.21) == (session.texts, session.heard)
    session = Session()
    session.says(guess)
    session.conversation.goodbye()
    assert [Final, Heard, Finished] == types(session.says(METADATA))
    assert session.log[-1].complete


def test_words_that_are_forgotten_are_neither_invented_nor_counted() -> None:
    """Nothing past their beginning is heard, and the session is not complete, whatever the summary says."""
    session = Session()
    session.says(results(0.0, 2.0, word("lost", 1.0, 1.4)))
    assert ["overtaken"] == kinds(session.says(results(5.0, 7.0, word("Here.", 5.2, 5.6), final=True, endpoint=True)))
    assert ["Here."] == session.texts
    session.says(silence(7.0, 12.0))
    assert 1.0 == session.heard
    session.conversation.goodbye()
    assert Finished(complete=False, audio_seconds=6.0) == session.says(METADATA)[-1]


def test_a_word_that_is_not_final_at_the_end_is_not_complete() -> None:
    """The end may have cut it."""
    session = Session()
    session.says(results(0.0, 2.0, word("uh", 1.0, 1.4)))
    session.conversation.goodbye()
    assert [Finished(complete=False, audio_seconds=6.0)] == session.says(METADATA)


@pytest.mark.parametrize(
    ("asked", "fed", "message", "complete", "refused"),
    [
        (True, True, METADATA, True, None),
        (True, True, INCOMPLETE, False, CUT_SHORT),
        (True, True, METADATA | {"duration": 0, "channels": 0}, False, NOT_UNDERSTOOD),
        (True, False, METADATA | {"duration": 0, "channels": 0}, True, None),
        (True, False, INCOMPLETE, False, None),
        (True, True, {"type": "Metadata"}, False, CUT_SHORT),
        (False, True, METADATA, False, None),
        (False, True, INCOMPLETE, False, CUT_SHORT),
        (False, True, METADATA | {"duration": 0, "channels": 0}, False, NOT_UNDERSTOOD),
        (False, False, METADATA | {"duration": 0, "channels": 0}, False, None),
        (False, False, INCOMPLETE | {"duration": 0}, False, CUT_SHORT),
    ],
)
def test_what_the_summary_says(asked: bool, fed: bool, message: dict, complete: bool, refused: str | None) -> None:
    """Complete is only what we asked for and what has the hash; what is wrong with it is kept for the verdict."""
    session = Session(fed=fed)
    if asked:
        session.conversation.goodbye()
    events = session.says(message)
    assert complete is events[-1].complete
    assert [Refused(None, refused)] * bool(refused) == events[:-1]
    assert ["malformed"] == kinds(session.says(message))


def test_speakers_and_language() -> None:
    """Labels are texts; a turn of several languages has its first piece's."""
    session = Session()
    piece = results(0.0, 2.0, word("Hola", 0.5, 1.0, speaker=0, language="es"), final=True)
    session.says(piece, results(2.0, 4.0, word("there.", 2.5, 3.0, speaker=1), final=True, endpoint=True))
    (final,) = [event for event in session.log if isinstance(event, Final)]
    assert (["0", "1"], "es") == ([one.speaker for one in final.words], final.language)


def test_a_piece_without_its_words_is_not_lost() -> None:
    """Its text is spread over its span."""
    session = Session()
    message = results(1.0, 3.0, final=True, endpoint=True)
    message["channel"]["alternatives"] = [{"transcript": "two words"}]
    session.says(message)
    (final, heard) = session.log
    assert [("two", 1.0, 2.0), ("words", 2.0, 3.0)] == [(one.text, one.start, one.end) for one in final.words]
    assert Heard(3.0) == heard


def test_a_piece_without_its_times_proves_nothing() -> None:
    """It has its words, but is not heard before something else proves it."""
    session = Session()
    message = results(1.0, 3.0, final=True, endpoint=True, start=None, duration=None)
    message["channel"]["alternatives"] = [{"transcript": "no times"}]
    assert [Final] == types(session.says(message))
    assert [Heard(4.0)] == session.says(silence(3.0, 4.0))


def test_one_bad_word_does_not_lose_the_others() -> None:
    """It is counted."""
    session = Session()
    message = results(0.0, 1.6, OPEN, THE, DOOR, final=True, endpoint=True)
    message["channel"]["alternatives"][0]["words"][1:2] = [5, {"start": 1}]
    notice, final, _ = session.says(message)
    assert Notice("malformed", "a Results with 2 words that are none") == notice
    assert ("Open the door.", ["Open", "door."]) == (final.text, [one.text for one in final.words])


def test_another_channel_is_not_ours() -> None:
    """Mono audio has one; nothing of the other counts."""
    session = Session()
    assert ["channel"] == kinds(session.says(TURN | {"channel_index": [1, 2]}))
    assert ([], 0.0) == (session.texts, session.heard)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            {"type": "Error", "variant": "SchemaError", "description": "could not parse", "message": "{}"},
            [Notice("error", "SchemaError: could not parse"), Refused(None, "SchemaError: could not parse")],
        ),
        ({"type": "Error"}, [Notice("error", ""), Refused(None, "")]),
        ({"type": "Warning", "code": "X", "description": "soon"}, [Notice("warning", "Warning: X: soon")]),
        ({"type": "ConfigureSuccess", "keyterms": []}, [Notice("warning", "ConfigureSuccess")]),
        (
            {"type": "ConfigureFailure", "code": "CONFIGURE_ALREADY_PENDING"},
            [Notice("warning", "ConfigureFailure: CONFIGURE_ALREADY_PENDING")],
        ),
        ({"type": "SomethingNew", "x": 1}, [Notice("unknown", "SomethingNew")]),
        ({"type": "TurnInfo"}, [Notice("unknown", "TurnInfo")]),
        ({"x": 1}, [Notice("malformed", "no type")]),
        ({"type": ["Results"]}, [Notice("malformed", "no type")]),
        (b"\x00", [Notice("malformed", "a binary message")]),
        ("not JSON", [Notice("malformed", "not a JSON object")]),
        ("", [Notice("malformed", "not a JSON object")]),
        ("[" * 100_000, [Notice("malformed", "not a JSON object")]),
        ({"type": "Results"}, []),
        ({"type": "Results", "is_final": "yes", "start": "0", "duration": None}, []),
        ({"type": "SpeechStarted"}, []),
        ({"type": "UtteranceEnd"}, []),
        ('{"type":"Results","start":NaN,"duration":Infinity,"is_final":true}', []),
        ({"type": "Results", "start": 1e30, "duration": 10**400, "is_final": True}, []),
    ],
)
def test_whatever_else_is_said_is_an_event(message: Any, expected: list[Event]) -> None:
    """Errors, news, nonsense; nothing of it counts as heard."""
    assert expected == Session().says(message)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
moments = st.integers(0, 200).map(lambda tenths: tenths / 10)
words = st.builds(word, st.sampled_from(["a", "be", "Sea."]), moments, moments)
loose = st.builds(
    lambda start, end, spoken, final, endpoint, more: results(
        start, end, *spoken, final=final, endpoint=endpoint, **more
    ),
    moments,
    moments,
    st.lists(words, max_size=3),
    st.booleans(),
    st.booleans(),
    st.sampled_from([{}, {}, {"from_finalize": True}, {"start": None}, {"duration": None}]),
)
others = st.one_of(
    st.builds(utterance_end, moments | st.just(-1)),
    st.sampled_from([METADATA, INCOMPLETE, {"type": "Error", "variant": "SchemaError"}, {"type": "SpeechStarted"}]),
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """Return a message of which one field is anything."""
    message = dict(draw(loose | others))
    message[draw(st.sampled_from(sorted(message)))] = draw(anything)
    return message


def spoken_in(message: Any) -> list[str]:
    """Return the words of a final message, where it is one of ours."""
    if message.get("type") != "Results" or not message["is_final"]:
        return []
    return [one["punctuated_word"] for one in message["channel"]["alternatives"][0]["words"]]


def drained(session: Session) -> list[str]:
    """End the session, and return all words that became final, in order."""
    session.log += session.conversation.closed(clean=False)
    return [one.text for event in session.log if isinstance(event, Final) for one in event.words]


@given(st.lists(st.tuples(loose | others | mutated() | anything | st.binary(max_size=8), moments), max_size=30))
def test_nothing_that_a_peer_says_breaks_the_promises(script: list) -> None:
    """No exception; turns counted in order and never empty; heard only forward; a deadline only ahead."""
    session = Session()
    for message, pause in script:
        session.now += pause
        session.log += session.conversation.due(session.now)
        session.says(message)
        since = session.conversation.turn_open_since()
        assert since is None or since >= 0
        deadline = session.conversation.deadline()
        assert deadline is None or deadline <= session.now + HOLD_SECONDS
    drained(session)
    finals = [event for event in session.log if isinstance(event, Final)]
    assert list(range(len(finals))) == [event.turn for event in finals]
    assert all(event.text and event.words for event in finals)
    assert all(0 <= one.start <= one.end for event in finals for one in event.words)
    heard = [event.until for event in session.log if isinstance(event, Heard)]
    assert sorted(set(heard)) == heard


@given(st.lists(loose | others, max_size=30), st.booleans())
def test_no_word_of_a_final_is_lost(script: list, asked: bool) -> None:
    """In whatever order interims, finals and ends come: each once and in order, and nothing that was only a guess."""
    session = Session()
    if asked:
        session.conversation.goodbye()
    session.says(*script)
    expected = [text for message in script for text in spoken_in(message)]
    found = drained(session)
    remaining = iter(found)
    assert all(text in remaining for text in expected)
    if not any(message.get("speech_final") and not message["is_final"] for message in script):
        assert expected == found


@st.composite
def conforming(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return what a server may say that keeps to the protocol: finals follow each other, interims lie behind them.

    Times come in hundredths: what is closer than the rounding of a span's end is in one place with it.
    """
    done, script = 0.0, []
    for number in range(draw(st.integers(0, 25))):
        until = round(done + draw(st.integers(1, 30)) / 10, 1)
        hundredths = st.integers(round(100 * done), round(100 * until))
        edges = sorted(one / 100 for one in draw(st.lists(hundredths, max_size=6)))
        spoken = [word(f"w{number}-{at}", *edges[at : at + 2]) for at in range(0, len(edges) - 1, 2)]
        final = draw(st.booleans())
        script.append(results(done, until, *spoken, final=final, endpoint=final and draw(st.booleans())))
        if draw(st.integers(0, 4)) == 0:
            script.append(utterance_end(draw(st.sampled_from([done, until, -1]))))
        done = until if final else done
    return script


@given(conforming())
def test_nothing_is_heard_before_its_words_are_final(script: list) -> None:
    """A word that waits or may still become final begins at or after what is heard; what is heard is final."""
    session = Session()
    waiting: dict[str, float] = {}
    guessed: list[dict[str, Any]] = []
    done = 0.0
    for message in script:
        if message["type"] == "Results":
            listed = message["channel"]["alternatives"][0]["words"]
            if message["is_final"]:
                done = message["start"] + message["duration"]
                waiting |= {one["punctuated_word"]: one["start"] for one in listed}
                guessed = [one for one in guessed if one["end"] > done]
            else:
                guessed = [one for one in listed if one["end"] > done]
        for event in session.says(message):
            if isinstance(event, Final):
                for one in event.words:
                    del waiting[one.text]
            elif isinstance(event, Heard):
                assert event.until <= done
                assert all(event.until <= start for start in waiting.values())
                assert all(event.until <= one["start"] for one in guessed)
    assert [] == kinds(session.log)


@given(conforming())
def test_a_session_that_ends_as_asked_is_complete(script: list) -> None:
    """When the last span is final, nothing waits, and all is heard."""
    session = Session()
    session.conversation.goodbye()
    done = max(
        (message["start"] + message["duration"] for message in script if message["type"] == "Results"), default=0
    )
    session.says(*script, silence(0.0, done + 1.0), METADATA)
    assert session.log[-1].complete
    assert done + 1.0 == session.heard
    assert session.conversation.turn_open_since() is None
