"""The older dialect, /v2/realtime/ws, rule by rule, over the wire and in virtual time."""

import base64
import json
from contextlib import suppress
from itertools import pairwise

import pytest
import trio
from trio_websocket import ConnectionClosed

from stenod.emulator import log
from stenod.emulator.account import Haste
from stenod.emulator.faults import Fault
from stenod.emulator.oracle import synthesize, words_between

from .raw_client import RATE, connected, emulator, session

PATH = "/v2/realtime/ws"
QUERY = {"sample_rate": RATE}


def dial(server=None, query=QUERY, key="key"):
    """Return a connection whose handshake is done."""
    return connected(server or emulator(v2=True), query, key=key, path=PATH)


def talk(server=None, query=QUERY):
    """Return a connection that reads in the background; the first message is the greeting."""
    return session(server or emulator(v2=True), query, first=None, path=PATH)


def said(client, kind):
    """Return the messages of one type."""
    return client.of(kind, "message_type")


TABLE = """
    4000 Sample rate must be a positive integer
    4001 Not Authorized
    4002 Insufficient Funds
    4003 This feature is paid-only and requires you to add a credit card.
    4004 Session not found
    4008 Session Expired
    4010 Session previously closed
    4029 Client sent audio too fast
    4030 Session is handled by another WebSocket
    4031 Session idle for too long
    4032 Audio duration is too short
    4033 Audio duration is too long
    4034 Audio too small to transcode
    4101 Endpoint received a message with an invalid schema
    4102 This account has exceeded the number of allowed streams
    4103 This session has been reconnected. This WebSocket is no longer valid
    4104 Could not parse word boost parameter
"""


@pytest.mark.parametrize("row", TABLE.strip().splitlines())
async def test_each_code_of_the_published_table(row, autojump_clock):
    """A fault that names a code comes in the table's words, in the message and in the close frame."""
    code, _, text = row.strip().partition(" ")
    async with dial(emulator(v2=True, faults=(Fault(kind="error", wall=1.0, code=int(code)),))) as client:
        closed = await client.drain()
    assert closed[0] == int(code)
    assert closed[1].startswith(text)
    assert client.messages[-1]["error"].startswith(text)


async def test_it_has_to_be_asked_for(autojump_clock):
    """Without the option the path is retired; with it the newer interface is spoken as well."""
    server = emulator(v2=True)
    async with dial(server) as client:
        assert (await client.receive())["message_type"] == "SessionBegins"
    async with connected(server) as client:
        await client.until("Begin")


async def test_a_minute_of_dialogue(autojump_clock):
    """Each word comes once, formatted, with whole milliseconds; the goodbye is answered and the socket closed."""
    server = emulator(v2=True)
    async with talk(server) as client:
        await client.stream(0, 60)
        await client.say({"terminate_session": True})
        await trio.sleep(2)
    assert client.closed == (1000, "")
    begin, last = client.messages[0], client.messages[-1]
    assert begin == {
        "message_type": "SessionBegins",
        "session_id": server.log.of(log.Opened)[0].id,
        "expires_at": "2026-11-20T21:40:00.000000",
    }
    assert last == {"message_type": "SessionTerminated"}
    finals = said(client, "FinalTranscript")
    truth = words_between(0, 60 * RATE)
    told = [word for final in finals for word in final["words"]]
    assert [text for text, _, _ in truth] == [word["text"].lower().strip(".") for word in told]
    assert [(round(start / 16), round(end / 16)) for _, start, end in truth] == [(w["start"], w["end"]) for w in told]
    for final in finals:
        assert final["punctuated"] is final["text_formatted"] is True
        assert (final["audio_start"], final["audio_end"]) == (final["words"][0]["start"], final["words"][-1]["end"])
        assert final["text"] == " ".join(word["text"] for word in final["words"])
        assert final["text"].endswith(".")
        assert final["created"].startswith("2026-11-20T18:4")
        assert 0 < final["confidence"] <= 1
    assert [final.text for final in server.log.of(log.Final)] == [f["text"].lower().strip(".") for f in finals]


async def test_audio_in_text(autojump_clock):
    """Audio as base64 in JSON is the same as raw binary."""
    server = emulator(v2=True)
    async with talk(server) as client:
        for number in range(20):
            pcm = synthesize(number * RATE // 2, RATE // 2).tobytes()
            await client.say({"audio_data": base64.b64encode(pcm).decode()})
            await trio.sleep(0.5)
    assert said(client, "FinalTranscript")
    assert [160_000] == [ended.audio_samples for ended in server.log.of(log.Ended)]


async def test_partials(autojump_clock):
    """A partial holds the utterance so far; without words it is routine in silence; none when disabled."""
    async with talk() as client:
        await client.stream(0, 10)
        await client.zeros(10)
    partials = said(client, "PartialTranscript")
    assert not any("punctuated" in partial for partial in partials)
    spoken = [partial["text"] for partial in partials if partial["text"]]
    assert any(later.startswith(earlier + " ") for earlier, later in pairwise(spoken))
    assert len([partial for partial in partials if not partial["text"]]) >= 8
    async with talk(query=QUERY | {"disable_partial_transcripts": True}) as client:
        await client.stream(0, 10)
    assert said(client, "PartialTranscript") == []
    assert said(client, "FinalTranscript")


async def test_session_information(autojump_clock):
    """Asked for, it says how much audio came, before the last message."""
    async with talk(query=QUERY | {"enable_extra_session_information": True}) as client:
        await client.stream(0, 2.5)
        await client.say({"terminate_session": True})
        await trio.sleep(1)
    assert client.messages[-2:] == [
        {"message_type": "SessionInformation", "audio_duration_seconds": 2.5},
        {"message_type": "SessionTerminated"},
    ]


async def test_forced_ends_and_their_threshold(autojump_clock):
    """An utterance can be ended at once, and the silence that ends one can be changed."""
    async with talk() as client:
        await client.stream(0, 3.1)
        await client.say({"force_end_utterance": True})
        await trio.sleep(0.3)
        assert [final["text"] for final in said(client, "FinalTranscript")] == ["W0000000 w0000001 frag-0000002."]
    counts = []
    for silence_ms in (200, 1900):
        async with talk() as client:
            await client.say({"end_utterance_silence_threshold": silence_ms})
            await client.stream(0, 60)
        counts.append(len(said(client, "FinalTranscript")))
    assert counts[0] > counts[1]


OPENINGS = [
    ({}, None, 4001, "Not Authorized"),
    (QUERY, "bad", 4001, "Not Authorized"),
    ({"token": "bad"} | QUERY, None, 4001, "Not Authorized"),
    ({}, "good", 4000, "Sample rate must be a positive integer"),
    ({"sample_rate": 0}, "good", 4000, "Sample rate must be a positive integer"),
    ({"sample_rate": "-8000"}, "good", 4000, "Sample rate must be a positive integer"),
    ({"sample_rate": "fast"}, "good", 4000, "Sample rate must be a positive integer"),
    ({"sample_rate": "²"}, "good", 4000, "Sample rate must be a positive integer"),
    (QUERY | {"word_boost": "x"}, "good", 4104, "Could not parse word boost parameter"),
    (QUERY | {"word_boost": [1]}, "good", 4104, "Could not parse word boost parameter"),
]


@pytest.mark.parametrize(("query", "key", "code", "text"), OPENINGS)
async def test_openings_that_are_refused(query, key, code, text, autojump_clock):
    """Key and parameters are judged after the upgrade, with the table's codes and words."""
    server = emulator(v2=True, keys=frozenset({"good"}))
    async with dial(server, query, key) as client:
        assert await client.drain() == (code, text)
    assert client.messages == [{"error": text}]
    assert [code] == [refused.code for refused in server.log.of(log.Refused)]


async def test_openings_that_are_accepted(autojump_clock):
    """A key comes in the header, a token in the query; words may be boosted."""
    for query, key in ((QUERY | {"word_boost": ["Tardis"]}, "good"), (QUERY | {"token": "good"}, None)):
        async with dial(emulator(v2=True, keys=frozenset({"good"})), query, key) as client:
            assert (await client.receive())["message_type"] == "SessionBegins"


async def test_too_many_streams(autojump_clock):
    """One stream too many is refused by message."""
    server = emulator(v2=True, sessions_max=1)
    async with talk(server), dial(server) as client:
        assert await client.drain() == (4102, "This account has exceeded the number of allowed streams")


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        (bytes(2 * 1599), 4032, "Audio duration is too short"),
        (bytes(2 * 32_001), 4033, "Audio duration is too long"),
        (b"", 4034, "Audio too small to transcode"),
        (bytes(3201), 4101, "Endpoint received a message with an invalid schema"),
        (json.dumps({"audio_data": base64.b64encode(bytes(200)).decode()}), 4032, "Audio duration is too short"),
        (json.dumps({"audio_data": "*"}), 4101, "Endpoint received a message with an invalid schema"),
        (json.dumps({"audio_data": 7}), 4101, "Endpoint received a message with an invalid schema"),
        ("{", 4100, "Endpoint received invalid JSON"),
        ("[]", 4101, "Endpoint received a message with an invalid schema"),
        ('{"type":"KeepAlive"}', 4101, "Endpoint received a message with an invalid schema"),
        ('{"end_utterance_silence_threshold":20001}', 4101, "Endpoint received a message with an invalid schema"),
        ('{"end_utterance_silence_threshold":true}', 4101, "Endpoint received a message with an invalid schema"),
        ('{"terminate_session":false}', 4101, "Endpoint received a message with an invalid schema"),
    ],
)
async def test_messages_that_are_wrong(message, code, text, autojump_clock):
    """What is wrong with a message has its code."""
    async with dial() as client:
        await client.receive()
        await client.socket.send_message(message)
        assert await client.drain() == (code, text)
    assert client.messages[-1] == {"error": text}


@pytest.mark.parametrize("seconds", [0.1, 2.0])
async def test_chunk_limits_are_inclusive(seconds, autojump_clock):
    """Chunks of 100 and of 2000 ms are accepted."""
    async with talk() as client:
        await client.stream(0, 6, chunk=seconds)
        assert client.closed is None


async def test_idle(autojump_clock):
    """A minute without audio is too long, whatever else is said."""
    async with talk() as client:
        await client.stream(0, 1)
        for _ in range(5):
            await trio.sleep(10)
            await client.say({"end_utterance_silence_threshold": 700})
        await trio.sleep(9)
        assert client.closed is None
        await trio.sleep(2)
        assert client.closed == (4031, "Session idle for too long")


async def test_expiry(autojump_clock):
    """The session's time limit has its own code."""
    async with dial(emulator(v2=True, session_seconds_max=20.0)) as client:
        assert await client.drain() == (4008, "Session Expired")
    assert trio.current_time() == pytest.approx(20.0)


async def test_too_fast(autojump_clock):
    """Faster than real time for longer than a minute is too fast; a burst is not."""
    async with talk() as client:
        for number in range(10):
            await client.say(synthesize(number * RATE, RATE).tobytes())
        await client.stream(10 * RATE, 120)
        assert client.closed is None
    async with talk() as client:
        began = trio.current_time()
        with suppress(ConnectionClosed):
            for _ in range(200):
                await client.say(bytes(2 * RATE))
                await trio.sleep(0.8)
        await trio.sleep(1)
        assert client.closed == (4029, "Client sent audio too fast")
        assert 60 < trio.current_time() - began < 75


def test_haste():
    """Only periods that follow each other count, and one that is not hasty clears them."""
    haste = Haste(60.0, 0.0)
    assert not any(haste.receive(1.0, second * 1.0) for second in range(500))
    haste = Haste(60.0, 0.0)
    assert not any(haste.receive(1.25 if second % 50 < 40 else 1.0, second * 1.0) for second in range(500))
    haste = Haste(60.0, 0.0)
    assert next(second for second in range(500) if haste.receive(1.25, second * 1.0)) == 70


@pytest.mark.parametrize(
    ("fault", "closed"),
    [
        (Fault(kind="error", audio=1.0, code=4002), (4002, "Insufficient Funds")),
        (Fault(kind="error", audio=1.0, code=4103, text="x"), (4103, "x")),
        (Fault(kind="close", audio=1.0), (1013, "Temporary server condition forced blocking client's request")),
        (Fault(kind="expire", audio=1.0), (4008, "Session Expired")),
        (
            Fault(kind="begin-then-die", duration=1.0),
            (1013, "Temporary server condition forced blocking client's request"),
        ),
        (Fault(kind="drop", audio=1.0), (1006, "")),
    ],
)
async def test_faults_that_end_a_session(fault, closed, autojump_clock):
    """Each end is in this interface's words."""
    async with talk(emulator(v2=True, faults=(fault,))) as client:
        with suppress(ConnectionClosed):
            await client.zeros(3)
    assert closed == client.closed
    told = [message for message in client.messages if "error" in message]
    assert told == ([] if fault.kind in ("close", "drop") else [{"error": closed[1]}])


async def test_realism(autojump_clock):
    """With padded times and late finals each word still comes once."""
    async with talk(emulator(v2=True, realism=True)) as client:
        await client.stream(0, 60)
        await client.say({"terminate_session": True})
        await trio.sleep(10)
    told = [word["text"].lower().strip(".") for final in said(client, "FinalTranscript") for word in final["words"]]
    assert [text for text, _, _ in words_between(0, 60 * RATE)] == told
