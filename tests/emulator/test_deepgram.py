"""The dialect of /v1/listen, rule by rule, over the wire and in virtual time."""

import hashlib
import json
from contextlib import suppress
from itertools import pairwise

import pytest
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected

from stenod.emulator import log
from stenod.emulator.faults import Fault
from stenod.emulator.oracle import synthesize, words_between

from .raw_client import RATE, connected, emulator, session

PATH = "/v1/listen"
NOVA = {"model": "nova-3", "encoding": "linear16", "sample_rate": RATE, "endpointing": 300}
INTERIM = NOVA | {"interim_results": True}
NET0000 = "Deepgram did not provide a response message within the timeout window. See https://dpgr.am/net0000"
NET0001 = "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001"


def dial(server, query=NOVA, key="Token key", **opening):
    """Return a connection whose handshake is done."""
    return connected(server, query, key=key, path=PATH, **opening)


def listen(server, query=NOVA, **opening):
    """Return a connection that reads in the background; nothing is awaited, for nothing is said."""
    return session(server, query, first=None, key="Token key", path=PATH, **opening)


async def rejected(server, query=NOVA, key="Token key") -> ConnectionRejected:
    """Open a connection that is refused by status; check what every refusal has, and return it."""
    with pytest.RaisesGroup(ConnectionRejected) as caught:
        async with dial(server, query, key):
            pass
    (error,) = caught.value.exceptions
    headers, body = dict(error.headers), json.loads(error.body)
    assert body["request_id"] == headers[b"dg-request-id"].decode()
    assert body["err_msg"] == headers[b"dg-error"].decode()
    assert error.status_code == server.log.of(log.Refused)[-1].status
    assert server.log.of(log.Opened) == []
    return error


def results(client, **marks):
    """Return the results with these marks."""
    return [m for m in client.of("Results") if all(m[name] == value for name, value in marks.items())]


def words(messages):
    """Return all words of these results."""
    return [word for message in messages for word in message["channel"]["alternatives"][0]["words"]]


def transcript(message):
    """Return a result's text."""
    return message["channel"]["alternatives"][0]["transcript"]


async def test_the_101_names_the_request_and_nothing_is_said(autojump_clock):
    """There is no greeting; the request's id is in the handshake, and in the log as the session's."""
    server = emulator()
    async with dial(server) as client:
        with trio.move_on_after(5):
            await client.receive()
        assert client.messages == []
        name = dict(client.socket.handshake_headers)[b"dg-request-id"].decode()
    assert [name] == [opened.id for opened in server.log.of(log.Opened)]


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("Token good", 101),
        ("token good", 101),
        ("Bearer good", 101),
        ("bearer good", 101),
        ("Token bad", 401),
        ("good", 401),
        ("Basic good", 401),
        ("Token", 401),
        ("", 401),
        (None, 401),
    ],
)
async def test_keys(key, status, autojump_clock):
    """A key or a temporary token, each behind its scheme, is judged before the 101."""
    server = emulator(keys=frozenset({"good"}))
    if status == 101:
        async with dial(server, key=key):
            pass
        return
    error = await rejected(server, key=key)
    assert (401, "INVALID_AUTH", "Invalid credentials.") == (
        error.status_code,
        json.loads(error.body)["err_code"],
        json.loads(error.body)["err_msg"],
    )


async def test_the_key_as_a_subprotocol(autojump_clock):
    """A browser offers `token` and the key as subprotocols; `token` is echoed."""
    server = emulator(keys=frozenset({"good"}))
    async with dial(server, key=None, subprotocols=("token", "good")) as client:
        assert client.socket.subprotocol == "token"
    with pytest.RaisesGroup(ConnectionRejected):
        async with dial(server, key=None, subprotocols=("token", "bad")):
            pass
    assert "good" not in str(server.log.records)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"encoding": "mp3"}, 400, "unknown variant `mp3`, expected one of `linear16`"),
        ({"encoding": "opus"}, 400, "not spoken by the emulator"),
        ({"sample_rate": 0}, 400, "sample_rate: expected a value from 8000 to 48000"),
        ({"sample_rate": "fast"}, 400, "sample_rate: invalid digit"),
        ({"sample_rate": ()}, 400, "`sample_rate` is required when `encoding` is given"),
        ({"channels": 0}, 400, "channels"),
        ({"channels": 2}, 400, "one channel only"),
        ({"model": "flux-general-en"}, 400, "/v2/listen"),
        ({"model": "best"}, 400, "No such model/language/tier combination found."),
        ({"model": "whisper-large"}, 405, "streaming"),
        ({"language": "klingon!"}, 400, "no such model/language"),
        ({"keywords": "Tardis:2"}, 400, "Keywords are not supported for Nova-3"),
        ({"model": "nova-2", "keyterm": "Tardis"}, 400, "only supported for Nova-3"),
        ({"keyterm": ("x " * 250, "y " * 251)}, 400, "500"),
        ({"utterance_end_ms": 1000}, 400, "requires `interim_results=true`"),
        ({"interim_results": "yes"}, 400, "interim_results: expected `true` or `false`"),
        ({"endpointing": "true"}, 400, "endpointing"),
        ({"endpointing": -1}, 400, "endpointing"),
        ({"diarize_model": "v2"}, 400, "`latest` or `v1`"),
        ({"detect_language": True}, 400, "not supported for streaming"),
        ({"tag": "x" * 129}, 400, "128"),
    ],
)
async def test_parameters(change, status, words, autojump_clock):
    """A parameter that is wrong, or does not go with the others, is refused before the 101, in words that name it."""
    error = await rejected(emulator(), NOVA | change)
    assert status == error.status_code
    assert words in json.loads(error.body)["err_msg"]
    assert json.loads(error.body)["err_code"] == ("INVALID_QUERY_PARAMETER" if status == 400 else "Method Not Allowed")


async def test_a_parameter_that_no_header_can_carry(autojump_clock):
    """What a client writes into a parameter is quoted in a header only as far as a header allows."""
    with pytest.RaisesGroup(ConnectionRejected) as caught:
        async with dial(emulator(), NOVA | {"encoding": "ü\r\nx: y"}):
            pass
    (error,) = caught.value.exceptions
    assert b"unknown variant `???x: y`" in dict(error.headers)[b"dg-error"]


async def test_repeated_and_unknown_parameters(autojump_clock):
    """Lists are repeated parameters and all of them arrive; what is unknown is ignored; no key is logged."""
    server = emulator()
    async with dial(server, NOVA | {"keyterm": ("Tardis", "sonic"), "wat": "x"}, key="Token secret"):
        pass
    (opened,) = server.log.of(log.Opened)
    assert opened.parameters["keyterm"] == "Tardis,sonic"
    assert "secret" not in str(server.log.records)


async def test_too_many_streams(autojump_clock):
    """One stream too many is a 429 at the handshake, and accepted once another has ended."""
    server = emulator(sessions_max=1)
    async with listen(server) as first:
        with pytest.RaisesGroup(ConnectionRejected) as caught:
            async with dial(server):
                pass
        (error,) = caught.value.exceptions
        assert (429, "TOO_MANY_REQUESTS") == (error.status_code, json.loads(error.body)["err_code"])
        assert b"dg-request-id" in dict(error.headers)
        await first.say("CloseStream")
        await trio.sleep(1)
        async with dial(server):
            pass


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 408, 429, 499, 500, 502, 503, 504])
async def test_statuses(status, autojump_clock):
    """A fault's status comes with this provider's headers and body; a 503 spells its code differently."""
    server = emulator(faults=(Fault(kind="status", status=status),))
    error = await rejected(server)
    assert status == error.status_code
    assert ("error_code" if status == 503 else "err_code") in json.loads(error.body)
    if status == 402:
        assert json.loads(error.body)["err_code"] == "ASR_PAYMENT_REQUIRED"
    if status == 403:
        assert json.loads(error.body)["err_code"] == "INSUFFICIENT_PERMISSIONS"


async def test_a_minute_of_dialogue(autojump_clock):
    """Each word comes once, in finals whose spans tile the audio; the goodbye has the audio's hash; 1000 ends it."""
    server = emulator()
    async with listen(server) as client:
        await client.stream(0, 60)
        await client.say("CloseStream")
        await trio.sleep(2)
    assert client.closed == (1000, "")
    finals = results(client, is_final=True)
    truth = words_between(0, 60 * RATE)
    assert [text for text, _, _ in truth] == [word["word"] for word in words(finals)]
    assert [start / RATE for _, start, _ in truth] == pytest.approx([word["start"] for word in words(finals)])
    assert [end / RATE for _, _, end in truth] == pytest.approx([word["end"] for word in words(finals)])
    ends = [0.0, *(final["start"] + final["duration"] for final in finals)]
    assert ends[:-1] == pytest.approx([final["start"] for final in finals], abs=1e-5)
    assert ends[-1] == pytest.approx(60)
    assert all(final["is_final"] for final in results(client, speech_final=True))
    (metadata,) = client.of("Metadata")
    assert metadata == client.messages[-1]
    model = metadata["models"][0]
    assert metadata == {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": server.log.of(log.Opened)[0].id,
        "sha256": hashlib.sha256(synthesize(0, 60 * RATE).tobytes()).hexdigest(),
        "created": "2026-11-20T18:40:00.000Z",
        "duration": 60.0,
        "channels": 1,
        "models": [model],
        "model_info": {model: {"name": "general-nova-3", "version": "2025-01-01.1", "arch": "nova-3"}},
    }
    assert server.log.of(log.Failed) == []


async def test_each_piece_is_in_the_log(autojump_clock):
    """A final piece with words is one entry in the log, with times as told and positions as decoded."""
    server = emulator()
    async with listen(server) as client:
        await client.stream(5 * RATE, 30)
        await client.say("CloseStream")
        await trio.sleep(2)
    told = [words([m]) for m in results(client, is_final=True) if words([m])]
    logged = server.log.of(log.Final)
    assert [[word["word"] for word in piece] for piece in told] == [[w.text for w in one.words] for one in logged]
    assert list(range(len(logged))) == [one.turn for one in logged]
    assert [[round(word["start"] * RATE) for word in piece] for piece in told] == [
        [word.start for word in one.words] for one in logged
    ]
    assert all(
        word.position[0] == word.start + 5 * RATE for one in logged for word in one.words if "f" not in word.text
    )


async def test_the_shape_of_a_result(autojump_clock):
    """A result has the documented fields, and its words lie in its span."""
    async with listen(emulator()) as client:
        await client.stream(0, 6)
    message = next(m for m in client.of("Results") if words([m]))
    request_id = message["metadata"]["request_id"]
    assert message["metadata"] == {
        "request_id": request_id,
        "model_info": {"name": "general-nova-3", "version": "2025-01-01.1", "arch": "nova-3"},
        "model_uuid": message["metadata"]["model_uuid"],
    }
    assert (message["channel_index"], message["from_finalize"]) == ([0, 1], False)
    assert set(words([message])[0]) == {"word", "start", "end", "confidence"}
    for one in client.of("Results"):
        for word in words([one]):
            assert one["start"] <= word["start"] <= word["end"] <= one["start"] + one["duration"] + 1e-5


async def test_interim_results(autojump_clock):
    """Only when asked for; an interim may reach further than the final after it."""
    async with listen(emulator()) as client:
        await client.stream(0, 20)
    assert results(client, is_final=False) == []
    async with listen(emulator(), INTERIM) as client:
        await client.stream(0, 20)
    interims = [m for m in results(client, is_final=False) if words([m])]
    assert len(interims) > 10
    assert not any(m["speech_final"] or m["from_finalize"] for m in interims)
    shrinks = [
        (a, b)
        for a, b in pairwise(client.of("Results"))
        if not a["is_final"] and b["is_final"] and b["start"] == a["start"] and b["duration"] < a["duration"]
    ]
    assert shrinks


async def test_a_long_utterance_comes_in_pieces(autojump_clock):
    """Several pieces are final before the one that ends the utterance, so a client has to join them."""
    async with listen(emulator()) as client:
        await client.stream(0, 12, plan="continuous")
        await client.zeros(2)
        await trio.sleep(1)
    spoken = [m for m in results(client, is_final=True) if words([m]) or m["speech_final"]]
    assert [False] * 3 == [m["speech_final"] for m in spoken[:3]]
    assert spoken[-1]["speech_final"]
    told = [word["word"] for word in words(spoken)]
    assert [text for text, _, _ in words_between(0, 12 * RATE, "continuous")][: len(told) - 1] == told[:-1]


async def test_silence_is_answered(autojump_clock):
    """Silent audio brings empty results, about one a second, and their spans cover it."""
    async with listen(emulator()) as client:
        await client.zeros(20)
    assert 18 <= len(results(client, is_final=True)) <= 21
    assert {""} == {transcript(m) for m in client.of("Results")}
    last = client.of("Results")[-1]
    assert last["start"] + last["duration"] > 18
    async with listen(emulator(), INTERIM) as client:
        await client.zeros(20)
    assert len(results(client, is_final=False)) > len(results(client, is_final=True)) > 4


async def test_an_empty_final_covers_no_word_in_the_making(autojump_clock):
    """What a final span covers has been told whole: a word that has begun lies after it."""
    server = emulator()
    async with listen(server) as client:
        await client.stream(0, 60)
    starts = [start / RATE for _, start, _ in words_between(0, 60 * RATE)]
    told = 0
    for message in results(client, is_final=True):
        told += len(words([message]))
        assert message["start"] + message["duration"] <= starts[told] + 1e-5


async def test_endpointing(autojump_clock):
    """The pause that ends an utterance is the asked one; without one, only pieces become final."""
    counts = []
    for endpointing in (300, 1500, False):
        async with listen(emulator(), NOVA | {"endpointing": endpointing}) as client:
            await client.stream(0, 60)
        counts.append(len(results(client, speech_final=True)))
        assert len(words(results(client, is_final=True))) > 70
    assert counts[0] > counts[1] > counts[2] == 0


async def test_endpointing_is_short_unless_told_otherwise(autojump_clock):
    """By default 10 ms of silence end an utterance, which cuts a sentence to bits."""
    query = {name: value for name, value in NOVA.items() if name != "endpointing"}
    async with listen(emulator(), query) as client:
        await client.stream(0, 20)
    finals = results(client, speech_final=True)
    assert len(finals) == len(words(finals)) > 20


async def test_utterance_end_and_speech_started(autojump_clock):
    """Both come when asked for, in seconds, and only then."""
    async with listen(emulator(), INTERIM | {"utterance_end_ms": 1000, "vad_events": True}) as client:
        await client.stream(0, 30)
    ends, starts = client.of("UtteranceEnd"), client.of("SpeechStarted")
    assert {frozenset(m) for m in ends} == {frozenset({"type", "channel", "last_word_end"})}
    assert {frozenset(m) for m in starts} == {frozenset({"type", "channel", "timestamp"})}
    assert [0, 1] == ends[0]["channel"] == starts[0]["channel"]
    truth = words_between(0, 30 * RATE)
    gaps = [a[2] / RATE for a, b in pairwise(truth) if (b[1] - a[2]) / RATE >= 1.1]
    assert gaps == pytest.approx([m["last_word_end"] for m in ends][: len(gaps)])
    assert starts[0]["timestamp"] == pytest.approx(truth[0][1] / RATE)
    async with listen(emulator(), INTERIM) as client:
        await client.stream(0, 30)
    assert client.of("UtteranceEnd") == client.of("SpeechStarted") == []


async def test_finalize(autojump_clock):
    """What is held is final at once and marked; with little audio waiting there is no answer."""
    async with listen(emulator()) as client:
        await client.stream(0, 3.1)
        await client.say("Finalize")
        await trio.sleep(0.3)
        (answer,) = results(client, from_finalize=True)
        assert transcript(answer).split() == ["w0000000", "w0000001", "frag-0000002"]
        assert answer["is_final"]
        assert answer["start"] + answer["duration"] == pytest.approx(3.1)
        await client.say({"type": "Finalize", "channel": 0})
        await trio.sleep(0.3)
        assert len(results(client, from_finalize=True)) == 1
        await client.zeros(0.8)
        await client.say("Finalize")
        await trio.sleep(0.3)
        assert transcript(results(client, from_finalize=True)[-1]) == ""


async def test_punctuation_and_speakers(autojump_clock):
    """Asked for, words have a punctuated form that the transcript is made of, and a speaker."""
    async with listen(emulator(), NOVA | {"smart_format": True, "diarize": True}) as client:
        await client.stream(0, 60)
    finals = [m for m in results(client, is_final=True) if words([m])]
    for message in finals:
        assert transcript(message) == " ".join(word["punctuated_word"] for word in words([message]))
        assert not any(word["word"].endswith(".") for word in words([message]))
    ended = results(client, speech_final=True)[0]
    assert transcript(ended).startswith("W")
    assert transcript(ended).endswith(".")
    assert {0, 1} == {word["speaker"] for word in words(finals)}


async def test_keepalive_does_not_advance_the_times(autojump_clock):
    """A pause that only KeepAlives fill is no audio: what comes after it is timed as if it followed at once."""
    server = emulator()
    async with listen(server) as client:
        await client.zeros(1)
        for _ in range(4):
            await trio.sleep(5)
            await client.say("KeepAlive")
        await client.stream(RATE, 10)
    first = words(results(client, is_final=True))[0]
    assert first["start"] == pytest.approx(words_between(RATE, 11 * RATE)[0][1] / RATE)
    assert len(server.log.of(log.KeepAlive)) == 4


async def test_nothing_received(autojump_clock):
    """Ten seconds without a message: last results, a Metadata without a hash, and 1011 in prose; pings do not count."""
    server = emulator()
    async with listen(server) as client:
        await client.stream(0, 3.1)
        began = trio.current_time()
        for _ in range(9):
            await trio.sleep(1)
            await client.socket.ping()
        assert client.closed is None
        await trio.sleep(1.5)
        assert client.closed == (1011, NET0001)
        assert trio.current_time() - began < 11
    result, metadata = client.messages[-2:]
    assert transcript(result).split() == ["w0000000", "w0000001", "frag-0000002"]
    assert (metadata["type"], metadata["sha256"], metadata["duration"]) == ("Metadata", "incomplete", 3.1)
    (ended,) = server.log.of(log.Ended)
    assert (ended.code, ended.by) == (1011, "server")


async def test_nothing_at_all_received(autojump_clock):
    """Without any audio the last Metadata knows no channels and no models."""
    async with dial(emulator()) as client:
        assert await client.drain() == (1011, NET0001)
        assert trio.current_time() == pytest.approx(10.0)
    (metadata,) = client.messages
    assert (metadata["duration"], metadata["channels"]) == (0, 0)
    assert "models" not in metadata


async def test_an_incomplete_metadata_as_it_was_published(autojump_clock):
    """The fields of a Metadata that a user of Nova-2 published are those of ours, and so are the model's names."""
    published = json.loads(
        """{"type":"Metadata","transaction_key":"deprecated","request_id":"b281833c-ed89-4732-84fc-43ced55440b0",
        "sha256":"incomplete","created":"2024-06-26T14:58:21.908Z","duration":55.78,"channels":1,
        "models":["c0d1a568-ce81-4fea-97e7-bd45cb1fdf3c"],"model_info":{"c0d1a568-ce81-4fea-97e7-bd45cb1fdf3c":
        {"name":"2-general-nova","version":"2024-01-18.26916","arch":"nova-2"}}}"""
    )
    async with listen(emulator(), NOVA | {"model": "nova-2"}) as client:
        await client.zeros(5)
        await trio.sleep(12)
    (metadata,) = client.of("Metadata")
    assert list(published) == list(metadata)
    assert list(published["model_info"].values()) == list(metadata["model_info"].values())
    assert {name: published[name] for name in ("transaction_key", "sha256", "channels")} == {
        name: metadata[name] for name in ("transaction_key", "sha256", "channels")
    }
    assert len(published["created"]) == len(metadata["created"])


async def test_nothing_sent(autojump_clock):
    """KeepAlives alone do not hold a session: after 30 s without a message of its own the server gives up."""
    async with listen(emulator()) as client:
        for _ in range(9):
            await client.say("KeepAlive")
            await trio.sleep(3)
        assert client.closed is None
        await client.say("KeepAlive")
        await trio.sleep(4)
        assert client.closed == (1011, NET0000)
    assert ["incomplete"] == [m["sha256"] for m in client.messages]


async def test_a_stalled_model_runs_into_the_second_timer(autojump_clock):
    """A server that is mute gives up on itself after 30 s, though audio comes."""
    async with listen(emulator(faults=(Fault(kind="mute", audio=5.0),))) as client:
        await client.stream(0, 34)
        assert client.closed is None
        with suppress(ConnectionClosed):
            await client.zeros(3)
        assert client.closed == (1011, NET0000)


async def test_timers_can_be_scaled(autojump_clock):
    """The server's own timers can be run faster than they are told."""
    async with dial(emulator(time_scale=0.01)) as client:
        assert await client.drain() == (1011, NET0001)
        assert trio.current_time() == pytest.approx(0.1, abs=0.02)


async def test_an_empty_message_is_a_goodbye(autojump_clock):
    """An empty binary message ends the stream like CloseStream, without an error."""
    server = emulator()
    async with listen(server) as client:
        await client.stream(0, 3)
        await client.say(b"")
        await trio.sleep(2)
    assert client.closed == (1000, "")
    assert client.messages[-1]["sha256"] == hashlib.sha256(synthesize(0, 3 * RATE).tobytes()).hexdigest()
    assert len(server.log.of(log.Terminate)) == 1


async def test_closing_without_audio(autojump_clock):
    """A goodbye right after the opening gets its Metadata, without channels."""
    async with listen(emulator()) as client:
        await client.say("CloseStream")
        await trio.sleep(1)
    assert client.closed == (1000, "")
    assert [(m["type"], m["duration"], m["channels"]) for m in client.messages] == [("Metadata", 0, 0)]


@pytest.mark.parametrize(
    ("query", "message"),
    [(NOVA, bytes(3201)), ({"model": "nova-3"}, bytes(3200)), ({"model": "nova-3", "sample_rate": RATE}, bytes(3200))],
)
async def test_undecodable_audio(query, message, autojump_clock):
    """Half a sample, and raw audio where a container is expected, are no audio."""
    async with listen(emulator(), query) as client:
        await client.say(message)
        await trio.sleep(1)
        assert client.closed == (1008, "Deepgram could not decode the payload as audio. See https://dpgr.am/data0000")


@pytest.mark.parametrize("text", ['{"type":"Keepalive"}', "{", "[]", "{}", '{"type":7}'])
async def test_text_that_cannot_be_parsed(text, autojump_clock):
    """A text message that means nothing is answered with an error that quotes it, and the session lives."""
    async with listen(emulator()) as client:
        await client.socket.send_message(text)
        await client.stream(0, 5)
        assert client.closed is None
    error = client.messages[0]
    assert ("Error", "SchemaError", text) == (error["type"], error["variant"], error["message"])
    assert error["description"]
    assert client.of("Results")


async def test_configure(autojump_clock):
    """Keyterms can be changed on Nova-3, with one answer each; other models and excess are failures."""
    async with listen(emulator()) as client:
        await client.say({"type": "Configure", "keyterms": ["Tardis"], "features": {"numerals": True}})
        await client.say({"type": "Configure", "keyterms": ["x"] * 501})
        await client.say({"type": "Configure", "keyterms": None, "features": {"numerals": False}})
        await trio.sleep(1)
    success, excess, kept = client.messages
    assert (success["type"], success["keyterms"]) == ("ConfigureSuccess", ["Tardis"])
    assert (excess["type"], excess["code"]) == ("ConfigureFailure", "CONFIGURE_KEYTERM_LIMIT_EXCEEDED")
    assert (kept["type"], "keyterms" in kept) == ("ConfigureSuccess", False)
    async with listen(emulator(), NOVA | {"model": "nova-2"}) as client:
        await client.say({"type": "Configure", "keyterms": ["Tardis"]})
        await trio.sleep(1)
    assert client.messages[0]["code"] == "CONFIGURE_KEYTERMS_NOT_SUPPORTED"


async def test_a_burst_is_late_and_no_more(autojump_clock):
    """Audio that comes at once is processed at 1.25 times real time; no closure for it is known."""
    async with dial(emulator()) as client:
        began = trio.current_time()
        for number in range(100):
            await client.say(synthesize(number * RATE, RATE).tobytes())
        await client.say("CloseStream")
        assert await client.drain() == (1000, "")
        assert trio.current_time() - began == pytest.approx(80, abs=1)


async def test_audio_is_billed(autojump_clock):
    """What costs is the audio, not the time: silent waiting is free."""
    server = emulator()
    async with listen(server) as client:
        await client.stream(0, 5)
        await trio.sleep(8)
        await client.say("CloseStream")
        await trio.sleep(1)
    assert [5] == [ended.billed_seconds for ended in server.log.of(log.Ended)]


@pytest.mark.parametrize(
    ("fault", "closed"),
    [
        (Fault(kind="close", audio=1.0), (1011, NET0000)),
        (Fault(kind="close", audio=1.0, code=1000), (1000, "")),
        (Fault(kind="error", audio=1.0, code=1011, text="x NET-0002 x"), (1011, "x NET-0002 x")),
        (Fault(kind="error-untyped", audio=1.0), (1011, NET0000)),
        (Fault(kind="expire", audio=1.0), (1001, "")),
        (Fault(kind="begin-then-die", duration=1.0), (1011, NET0000)),
        (Fault(kind="drop", audio=1.0), (1006, "")),
    ],
)
async def test_faults_that_end_a_session(fault, closed, autojump_clock):
    """Each end is in this provider's words; only an error has last words."""
    async with listen(emulator(faults=(fault,))) as client:
        with suppress(ConnectionClosed):
            await client.zeros(3)
    assert closed == client.closed
    assert [m["sha256"] for m in client.of("Metadata")] == (
        ["incomplete"] if fault.kind in ("error", "begin-then-die") else []
    )


async def test_faults_of_an_opening(autojump_clock):
    """An end without a time comes right after the 101, before there is a session; slow ones only wait."""
    server = emulator(faults=(Fault(kind="close", code=1011, count=1), Fault(kind="slow-begin", duration=3.0, count=2)))
    async with dial(server) as client:
        assert await client.drain() == (1011, NET0000)
    assert [1011] == [refused.code for refused in server.log.of(log.Refused)]
    async with listen(server) as client:
        await client.zeros(5)
        assert client.of("Results")
    assert server.log.of(log.Opened)[0].session == 0


@pytest.mark.slow
async def test_sessions_have_no_longest_time(autojump_clock):
    """No maximum is documented: three hours and more are nothing, unless the server was told a limit."""
    async with listen(emulator(), NOVA) as client:
        for _ in range(3 * 360 + 36):
            await client.say(bytes(2 * RATE // 10))
            await client.say("KeepAlive")
            await trio.sleep(9)
            await client.say(bytes(2 * RATE))
            await trio.sleep(1)
        assert client.closed is None
    async with dial(emulator(session_seconds_max=5.0)) as client:
        assert await client.drain() == (1001, "")


async def test_other_engines(autojump_clock, tmp_path):
    """The words of a script come in the same shapes; untidiness loses none of them."""
    spoken = [{"text": "hello", "start": 0.5, "end": 0.9}, {"text": "again", "start": 3.0, "end": 3.5}]
    (tmp_path / "words.json").write_text(json.dumps(spoken))
    for realism in (False, True):
        async with listen(emulator(engine=f"script:{tmp_path / 'words.json'}", realism=realism)) as client:
            await client.zeros(6)
            await client.say("CloseStream")
            await trio.sleep(10)
        assert ["hello", "again"] == [word["word"] for word in words(results(client, is_final=True))]
        assert client.closed == (1000, "")


@pytest.mark.parametrize("seed", range(3))
async def test_realism(seed, autojump_clock):
    """With padded times and late finals each word still comes once, and spans stay in order."""
    async with listen(emulator(realism=True, seed=seed)) as client:
        await client.stream(0, 60)
        await client.say("CloseStream")
        await trio.sleep(10)
    finals = results(client, is_final=True)
    assert [text for text, _, _ in words_between(0, 60 * RATE)] == [word["word"] for word in words(finals)]
    for before, after in pairwise(finals):
        assert after["start"] == pytest.approx(before["start"] + before["duration"], abs=1e-5)
