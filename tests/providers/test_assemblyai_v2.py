"""AssemblyAI's v2 protocol: how a session is opened, and what one says."""

import base64
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.providers.assemblyai import AssemblyAI, AssemblyAIOptions
from stenod.providers.assemblyai_v2 import ONSET_SECONDS, AssemblyAIV2, AssemblyAIV2Conversation, AssemblyAIV2Options
from stenod.providers.base import (
    Conversation,
    Dialect,
    Event,
    Final,
    Finished,
    Heard,
    Notice,
    Partial,
    Ready,
    Refused,
    SpokenWord,
)
from stenod.providers.billing import Billing, Measure

KEY = "0123456789abcdef0123456789abcdef"
OWN = "wss://asr.example"
BEGINS = {
    "message_type": "SessionBegins",
    "session_id": "0b8f6a1e-51d2-4c7e-9d55-2f1f7c0a9e01",
    "expires_at": "2026-11-20T12:00:00.000000",
}
INFORMATION = {"message_type": "SessionInformation", "audio_duration_seconds": 4.5}
TERMINATED = {"message_type": "SessionTerminated"}


def word(text: str, start: int, end: int) -> dict[str, Any]:
    """Return a word as it stands in a message, times in milliseconds."""
    return {"text": text, "start": start, "end": end, "confidence": 0.9}


def transcript(kind: str, text: str, words: Sequence[dict[str, Any]], end: int | None, start: int = 0) -> dict:
    """Return a transcript message."""
    return {
        "message_type": f"{kind}Transcript",
        "audio_start": start,
        "audio_end": end,
        "confidence": 0.9,
        "text": text,
        "words": list(words),
        "created": "2026-11-20T10:00:00.000000",
    }


def partial(text: str = "", words: Sequence[dict[str, Any]] = (), end: int | None = 0) -> dict:
    """Return a partial."""
    return transcript("Partial", text, words, end)


def final(text: str = "", words: Sequence[dict[str, Any]] = (), end: int | None = 0) -> dict:
    """Return a final."""
    return transcript("Final", text, words, end) | {"punctuated": True, "text_formatted": True}


HELLO = [word("hello", 1200, 1500), word("world", 1600, 2000)]


def says(conversation: AssemblyAIV2Conversation, *said: Any) -> list[Event]:
    """Receive messages and return their events."""
    return [
        event
        for message in said
        for event in conversation.receive(message if isinstance(message, str | bytes) else json.dumps(message), 0.0)
    ]


def begun(partials: bool = True) -> AssemblyAIV2Conversation:
    """Return a conversation that is ready."""
    conversation = AssemblyAIV2Conversation(partials=partials)
    says(conversation, BEGINS)
    return conversation


def query(url: str) -> dict[str, str]:
    """Return the parameters of a URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}


def test_a_session_from_hello_to_goodbye() -> None:
    """Partials, one final, what was sent, and the end."""
    conversation: Conversation = AssemblyAIV2Conversation(partials=True)
    assert conversation.opened({}) == []
    assert says(conversation, BEGINS) == [Ready("0b8f6a1e-51d2-4c7e-9d55-2f1f7c0a9e01", 1795176000.0)]
    assert says(conversation, partial("hello", HELLO[:1], 1700)) == [
        Partial(0, "hello", (SpokenWord("hello", 1.2, 1.5, 0.9),))
    ]
    assert conversation.turn_open_since() == 1.2
    found = says(conversation, final("Hello world.", [word("Hello", 1200, 1500), word("world.", 1600, 2000)], 2700))
    words = (SpokenWord("Hello", 1.2, 1.5, 0.9), SpokenWord("world.", 1.6, 2.0, 0.9))
    assert found == [Final(0, "Hello world.", words), Heard(2.0)]
    assert conversation.turn_open_since() is None
    assert [event.turn for event in says(conversation, partial("next", [word("next", 4000, 4200)], 4300))] == [1]
    says(conversation, final("Next.", [word("Next.", 4000, 4200)], 4300))
    assert conversation.goodbye() == ('{"terminate_session":true}',)
    assert says(conversation, INFORMATION, TERMINATED) == [Finished(complete=True, audio_seconds=4.5)]
    assert conversation.closed(clean=True) == []


def test_frames() -> None:
    """All are JSON texts; audio goes in base64, and nothing is ever due."""
    conversation = begun()
    assert json.loads(conversation.audio(b"\x01\x02\xff\xfe")) == {
        "audio_data": base64.b64encode(b"\x01\x02\xff\xfe").decode()
    }
    assert json.loads(conversation.force_end()) == {"force_end_utterance": True}
    assert (conversation.keepalive(), conversation.deadline(), conversation.due(9.0)) == (None, None, [])


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("2026-11-20T12:00:00.000000", 1795176000.0),
        ("2026-11-20T12:00:00", 1795176000.0),
        ("2026-11-20T12:00:00Z", 1795176000.0),
        ("2026-11-20T13:00:00+01:00", 1795176000.0),
        ("tomorrow", None),
        ("", None),
        (1795176000, None),
        (None, None),
        ("0001-01-01T00:00:00", None),
        ("9999-12-31T23:59:59-23:59", None),
    ],
)
def test_when_a_session_expires(given_: Any, expected: float | None) -> None:
    """A date without a zone is UTC; what is no date is not known, and the session is ready all the same."""
    conversation = AssemblyAIV2Conversation(partials=True)
    (ready,) = says(conversation, BEGINS | {"expires_at": given_})
    assert ready.expires_at == expected


def test_empty_transcripts_prove_silence() -> None:
    """Up to a margin before their end, only forward, and only where they have one."""
    conversation = begun()
    assert says(conversation, partial(end=1000)) == []
    assert says(conversation, partial(end=5000), final(end=6000), partial(end=5500), partial(end=None)) == [
        Heard(5.0 - ONSET_SECONDS),
        Heard(6.0 - ONSET_SECONDS),
    ]


def test_an_open_utterance_holds_silence_back() -> None:
    """An empty partial beside it proves nothing about it."""
    conversation = begun()
    says(conversation, partial("hello", HELLO[:1], 1700))
    assert says(conversation, partial(end=9000)) == []
    assert conversation.turn_open_since() == 1.2
    assert [type(event) for event in says(conversation, final("Hello.", HELLO[:1], 9000))] == [Final, Heard]
    assert says(conversation, partial(end=9500)) == [Heard(7.5)]


def test_an_empty_final_takes_a_guess_back() -> None:
    """It proves nothing by itself; the next empty transcript does, and the next utterance has its own number."""
    conversation = begun()
    says(conversation, partial("uh", [word("uh", 3000, 3100)], 3200))
    assert says(conversation, final(end=8000)) == [Notice("withdrawn", "an utterance took its words back")]
    assert says(conversation, partial(end=8100)) == [Heard(6.1)]
    assert says(conversation, final("Yes.", [word("Yes.", 8500, 8800)], 9000))[0].turn == 1


def test_words_that_vanish_after_our_goodbye_are_not_counted() -> None:
    """The end of the audio may have cut them."""
    conversation = begun()
    says(conversation, partial("uh", [word("uh", 3000, 3100)], 3200))
    conversation.goodbye()
    assert [event.kind for event in says(conversation, final(end=8000))] == ["cut"]
    assert says(conversation, TERMINATED) == [Finished(complete=False)]


def test_hidden_partials_make_silence_prove_nothing() -> None:
    """An utterance may be open that nobody sees; finals and the end still count."""
    conversation = begun(partials=False)
    assert says(conversation, final(end=9000)) == []
    assert [type(event) for event in says(conversation, final("Hello.", HELLO[:1], 9500))] == [Final, Heard]
    conversation.goodbye()
    assert says(conversation, TERMINATED) == [Finished(complete=True)]


@pytest.mark.parametrize(
    ("message", "times", "heard"),
    [
        # Without times of its own, a word shares the space that the message names, and that is what is heard.
        (final("a b", [], 3000) | {"audio_start": 1000}, [(1.0, 2.0), (2.0, 3.0)], [3.0]),
        (final("a b", [{"text": "a"}, {"text": "b"}], 3000) | {"audio_start": 1000}, [(1.0, 2.0), (2.0, 3.0)], [3.0]),
        # Nothing is known of its place: the words are kept, and prove nothing.
        (final("a", [], None), [(0.0, 0.0)], []),
        # A word that ends behind its own utterance: the smaller one counts.
        (final("a", [word("a", 1000, 5000)], 3000), [(1.0, 5.0)], [3.0]),
        (final("a", [word("a", 1000, 2000)], None), [(1.0, 2.0)], [2.0]),
        (final("", [word("a", 1000, 2000)], 2500), [(1.0, 2.0)], [2.0]),
        (final("a", ["a", 5, {"text": ""}, word("a", 1000, 2000)], 2500), [(1.0, 2.0)], [2.0]),
    ],
)
def test_times_that_are_not_whole(message: dict, times: list, heard: list) -> None:
    """No word is lost for them, and nothing is heard that nobody said."""
    events = says(begun(), message)
    assert isinstance(events[0], Final)
    assert [(one.start, one.end) for one in events[0].words] == times
    assert [event.until for event in events if isinstance(event, Heard)] == heard


def test_a_final_without_words_keeps_the_times_of_its_partial() -> None:
    """Where they are as many."""
    conversation = begun()
    says(conversation, partial("hello world", HELLO, 2100))
    made, heard = says(conversation, final("Hello, world.", [], 2700))
    assert [(one.text, one.start, one.end) for one in made.words] == [("Hello,", 1.2, 1.5), ("world.", 1.6, 2.0)]
    assert heard == Heard(2.0)


def test_an_utterance_stays_the_same_where_its_beginning_moves() -> None:
    """It is told from the next by where it was first said to begin; a partial without words keeps those before."""
    conversation = begun()
    says(
        conversation, partial("hello", HELLO[:1], 1700), partial("oh hello", [word("oh", 900, 1000), *HELLO[:1]], 1800)
    )
    assert conversation.turn_open_since() == 1.2
    (shown,) = says(conversation, partial("Oh hello", [], 1900))
    assert [one.start for one in shown.words] == [0.9, 1.2]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"error": "Not Authorized"}, Refused(None, "Not Authorized")),
        ({"error": None}, Refused(None, "")),
        ({"message_type": "Weather"}, Notice("unknown", "Weather")),
        ({"message_type": 5}, Notice("malformed", "no message_type")),
        ({"type": "Begin"}, Notice("malformed", "no message_type")),
        ([], Notice("malformed", "not a JSON object")),
        ("{", Notice("malformed", "not a JSON object")),
        (b"\x00", Notice("malformed", "a binary message")),
        (BEGINS, Notice("malformed", "a second SessionBegins")),
        (TERMINATED, Finished(complete=False)),
    ],
)
def test_whatever_else_is_said_is_an_event(message: Any, expected: Event) -> None:
    """Errors, news, nonsense, and an end that we did not ask for."""
    assert says(begun(), message) == [expected]


def test_the_end_comes_once() -> None:
    """What comes behind it is counted."""
    conversation = begun()
    conversation.goodbye()
    assert says(conversation, TERMINATED, TERMINATED) == [
        Finished(complete=True),
        Notice("malformed", "a second SessionTerminated"),
    ]


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({}, True),
        ({"price_per_hour": 0.5}, True),
        ({"word_boost": ("stenod",)}, False),
        ({"parameters": {"level": 3}}, False),
        ({"endpoint": "wss://other.example"}, False),
    ],
)
def test_an_open_session_cannot_be_changed(options: dict, same: bool) -> None:
    """It is as wanted already, or another one is needed; so it is when the protocol is another."""
    conversation = AssemblyAIV2(AssemblyAIV2Options(endpoint=OWN)).conversation()
    found = conversation.reconfigure(AssemblyAIV2(AssemblyAIV2Options(**{"endpoint": OWN, **options})))
    assert (() if same else None) == found
    assert conversation.reconfigure(AssemblyAI(AssemblyAIOptions())) is None


def test_opens_a_session() -> None:
    """Rate and encoding are said, and the duration at the end is asked for; the key goes raw into the header."""
    dialect: Dialect = AssemblyAIV2(AssemblyAIV2Options(endpoint=OWN))
    request = dialect.request(key=KEY, rate=16_000)
    assert request.url.split("?")[0] == "wss://asr.example/v2/realtime/ws"
    assert query(request.url) == {
        "sample_rate": "16000",
        "encoding": "pcm_s16le",
        "enable_extra_session_information": "true",
    }
    assert request.headers == (("Authorization", KEY),)
    assert request.public_url == request.url
    assert (dialect.name, dialect.errors(), dialect.warnings()) == ("assemblyai-v2", [], [])
    assert dialect.request(key="", rate=16_000).headers == ()
    assert isinstance(dialect.conversation(), AssemblyAIV2Conversation)


def test_a_temporary_token_goes_into_the_address_and_into_no_log() -> None:
    """As the protocol wants it."""
    request = AssemblyAIV2(AssemblyAIV2Options(endpoint=OWN, temporary_token=True)).request(key=KEY, rate=16_000)
    assert query(request.url)["token"] == KEY
    assert request.headers == ()
    assert KEY not in request.public_url
    assert query(request.public_url)["token"] == "hidden"
    assert request.secret == KEY


def test_parameters_pass_through() -> None:
    """Lists as JSON; what a person wrote is not logged, and what stenod sends itself is not replaced."""
    options = AssemblyAIV2Options(
        endpoint=OWN,
        word_boost=("stenod", "Größe & more"),
        parameters={"disable_partial_transcripts": True, "sample_rate": 8000, "level": 3},
    )
    request = AssemblyAIV2(options).request(key=KEY, rate=16_000)
    found = query(request.url)
    assert found["word_boost"] == '["stenod","Größe & more"]'
    assert (found["disable_partial_transcripts"], found["sample_rate"], found["level"]) == ("true", "16000", "3")
    assert "stenod" not in request.public_url
    assert [one.option for one in AssemblyAIV2(options).warnings()] == ["parameters.sample_rate"]
    assert not options.shows_partials
    assert says(AssemblyAIV2(options).conversation(), final(end=9000)) == []


@pytest.mark.parametrize(
    ("endpoint", "part"),
    [
        ("", "retired"),
        ("wss://api.assemblyai.com/v2/realtime/ws", "retired"),
        ("wss://AssemblyAI.com", "retired"),
        ("https://asr.example", "scheme"),
    ],
)
def test_a_server_is_needed(endpoint: str, part: str) -> None:
    """The hosted one is retired, so there is no default, and the sentence says what to do."""
    dialect = AssemblyAIV2(AssemblyAIV2Options(endpoint=endpoint))
    (wrong,) = dialect.errors()
    assert wrong.option == "endpoint"
    assert part in wrong.text
    with pytest.raises(ValueError, match=part):
        dialect.request(key=KEY, rate=16_000)


def test_who_could_listen_in_is_told() -> None:
    """Audio and key in the open, to another machine."""
    (warned,) = AssemblyAIV2(AssemblyAIV2Options(endpoint="ws://10.0.0.7:80")).warnings()
    assert (warned.option, "unencrypted" in warned.text) == ("endpoint", True)


def test_limits() -> None:
    """The wire rules: never faster than real time, and silence before the idle limit of a minute."""
    limits = AssemblyAIV2(AssemblyAIV2Options(endpoint=OWN)).limits
    assert (limits.chunk_seconds_min, limits.chunk_seconds_max, limits.rate_ratio_max) == (0.1, 2.0, 1.0)
    assert limits.warm_seconds is not None
    assert limits.warm_seconds * 3 <= 60.0
    assert limits.chunk_seconds_min <= limits.warm_chunk_seconds <= limits.chunk_seconds_max
    assert (limits.keepalive_seconds, limits.reports_silence) == (None, False)
    assert AssemblyAIV2(AssemblyAIV2Options(endpoint=OWN, rate_ratio_max=1.25)).limits.rate_ratio_max == 1.25


def test_what_is_charged_for() -> None:
    """The open session; an orphan until the idle limit."""
    dialect = AssemblyAIV2(AssemblyAIV2Options(endpoint=OWN, price_per_hour=0.5))
    assert Billing(measure=Measure.SESSION, price_per_hour=0.5, orphan_seconds=60.0) == dialect.billing


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4) | st.just("text"), inner, max_size=4)
    ),
    max_leaves=8,
)
times = st.integers(0, 60_000)
words = st.builds(word, st.sampled_from(["a", "be", "Sea.", "", " "]), times, times)
transcripts = st.builds(
    transcript,
    st.sampled_from(["Partial", "Final"]),
    st.sampled_from(["", "a", "a be", "A be Sea."]),
    st.lists(words, max_size=3),
    st.none() | times,
    times,
)
valid = transcripts | st.sampled_from([BEGINS, INFORMATION, TERMINATED, {"error": "x"}])


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """Return a valid message of which one field is anything."""
    message = dict(draw(valid))
    message[draw(st.sampled_from(sorted(message)))] = draw(anything)
    return message


@given(
    st.lists(valid | mutated() | anything | st.text(max_size=20) | st.binary(max_size=8), max_size=40), st.booleans()
)
def test_nothing_that_a_peer_says_breaks_the_promises(script: list, partials: bool) -> None:
    """No exception; finals are never empty, each is an utterance of its own; heard only moves forward."""
    conversation = AssemblyAIV2Conversation(partials=partials)
    events = says(conversation, *script)
    finals = [event for event in events if isinstance(event, Final)]
    assert len({event.turn for event in finals}) == len(finals)
    assert all(event.text and event.words for event in finals)
    assert all(0 <= one.start <= one.end for event in finals for one in event.words)
    heard = [event.until for event in events if isinstance(event, Heard)]
    assert heard == sorted(set(heard))
    assert len([event for event in events if isinstance(event, Finished)]) <= 1


@given(st.lists(transcripts, max_size=30))
def test_nothing_is_heard_before_its_words_are_final(script: list) -> None:
    """No word is lost or doubled: each non-empty final is one, and while an utterance is open nothing is heard."""
    conversation = begun()
    for message in script:
        events = says(conversation, message)
        said = bool(message["text"]) or any(one["text"].strip() for one in message["words"])
        ends = message["message_type"] == "FinalTranscript"
        assert (ends and said) == any(isinstance(event, Final) for event in events)
        assert conversation.turn_open_since() is None or not any(isinstance(event, Heard) for event in events)
        latest = 60.0 if message["audio_end"] is None else message["audio_end"] / 1000
        assert all(event.until <= latest for event in events if isinstance(event, Heard))
