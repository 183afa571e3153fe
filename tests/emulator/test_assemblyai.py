"""The v3 dialect, rule by rule, over the wire and in virtual time."""

import json
from itertools import pairwise

import numpy as np
import pytest
import trio
from trio.testing import memory_stream_pair
from trio_websocket import ConnectionRejected

from stenod.emulator import log
from stenod.emulator.assemblyai import billed_seconds
from stenod.emulator.faults import Fault
from stenod.emulator.oracle import synthesize, words_between

from .raw_client import PRO, RATE, STREAMING, connected, emulator, session

DETAILS = "See Error message for details"


async def refused(query: dict, code: int, key: str | None = "key", **options: object) -> str:
    """Open a session that is refused by message; return the text."""
    async with connected(emulator(**options), query, key=key) as client:
        closed = await client.drain()
    assert (code, DETAILS) == closed
    (message,) = client.messages
    assert ("Error", code) == (message["type"], message["error_code"])
    return message["error"]


async def broken(*messages: str | bytes, query: dict | None = None) -> tuple[int, str]:
    """Send what ends a session; return code and text of the error."""
    server = emulator()
    async with connected(server, query) as client:
        await client.until("Begin")
        for message in messages:
            await client.socket.send_message(message)
        code, reason = await client.drain()
    assert reason == DETAILS
    assert client.messages[-1]["error_code"] == code
    assert server.log.of(log.Failed) == []
    return code, client.messages[-1]["error"]


async def test_turns_and_termination(autojump_clock):
    """A minute of dialogue comes back word for word, and the goodbye counts the seconds."""
    server = emulator()
    async with session(server) as client:
        await client.stream(0, 60)
        await client.say("Terminate")
        await trio.sleep(2)
    assert client.closed == (1000, "Session Ended")
    told = [word for final in client.finals for word in final["words"]]
    truth = words_between(0, 60 * RATE)
    assert [text for text, _, _ in truth] == [word["text"] for word in told]
    assert [round(start / 16) for _, start, _ in truth] == [word["start"] for word in told]
    assert [round(end / 16) for _, _, end in truth] == [word["end"] for word in told]
    assert list(range(len(client.finals))) == [final["turn_order"] for final in client.finals]
    goodbye = {"type": "Termination", "audio_duration_seconds": 60, "session_duration_seconds": 60}
    assert goodbye == client.messages[-1]


async def test_begin(autojump_clock):
    """Begin names the session, when it expires in Unix seconds, and the configuration in force."""
    async with connected(emulator(session_seconds_max=600.0)) as client:
        begin = await client.until("Begin")
    assert begin["expires_at"] == 1_795_200_600
    assert len(begin["id"]) == 36
    assert begin["configuration"]["model"] == "universal-streaming-english"


async def test_universal_streaming_partials(autojump_clock):
    """A partial's transcript holds the final words only; the first one's is empty beside a word."""
    async with session(emulator()) as client:
        await client.stream(0, 10)
    partials = [m for m in client.messages if m["type"] == "Turn" and not m["end_of_turn"]]
    first = [p for p in partials if p["turn_order"] == 0]
    assert first[0]["transcript"] == ""
    assert first[0]["words"]
    for partial in partials:
        final = [word["text"] for word in partial["words"] if word["word_is_final"]]
        assert final == partial["transcript"].split()
        assert len(final) == len(partial["words"]) - 1
    assert not any(m["turn_is_formatted"] for m in partials)


@pytest.mark.parametrize("truth", [True, "True", "yes"])
async def test_formatted_twin(truth, autojump_clock):
    """With format_turns, however it is spelt, each final has a formatted twin: same turn and times, other texts."""
    async with session(emulator(), STREAMING | {"format_turns": truth}) as client:
        await client.stream(0, 10)
    raw, formatted = client.finals[:2]
    assert [raw["turn_is_formatted"], formatted["turn_is_formatted"]] == [False, True]
    assert raw["turn_order"] == formatted["turn_order"]
    assert [(w["start"], w["end"]) for w in raw["words"]] == [(w["start"], w["end"]) for w in formatted["words"]]
    assert formatted["transcript"] == raw["transcript"].capitalize() + "."


async def test_pro_turns(autojump_clock):
    """A Pro model announces speech, shows rewritable words, and says one formatted final."""
    async with session(emulator(), PRO) as client:
        await client.stream(0, 10)
    kinds = [m["type"] for m in client.messages]
    assert kinds[1] == "SpeechStarted"
    assert kinds[2] == "Turn"
    partials = [m for m in client.messages if m["type"] == "Turn" and not m["end_of_turn"]]
    assert not any(word["word_is_final"] for partial in partials for word in partial["words"])
    pairs = [(a["words"], b["words"]) for a, b in pairwise(partials)]
    assert any(a[-1]["text"] != b[len(a) - 1]["text"] for a, b in pairs if len(b) > len(a) > 1)
    orders = [final["turn_order"] for final in client.finals]
    assert sorted(set(orders)) == orders
    assert all(final["turn_is_formatted"] and final["transcript"].endswith(".") for final in client.finals)


async def test_partials_can_be_left_out(autojump_clock):
    """include_partial_turns=false leaves the finals alone."""
    async with session(emulator(), PRO | {"include_partial_turns": False}) as client:
        await client.stream(0, 10)
    assert {"Begin", "Turn"} == {m["type"] for m in client.messages}
    assert all(m.get("end_of_turn", True) for m in client.messages)


async def test_force_endpoint(autojump_clock):
    """ForceEndpoint ends the turn at once, with the word in progress as far as it was heard."""
    async with session(emulator()) as client:
        await client.stream(0, 3.1)
        before = trio.current_time()
        await client.say("ForceEndpoint")
        await trio.sleep(0.3)
        assert len(client.finals) == 1
        assert trio.current_time() - before < 0.5
        assert client.finals[0]["transcript"].split() == ["w0000000", "w0000001", "frag-0000002"]


async def test_empty_final_on_terminate(autojump_clock):
    """Universal-Streaming closes the turn that nobody began with an empty final; Pro says nothing."""
    for query, finals in ((STREAMING, [""]), (PRO, [])):
        async with session(emulator(), query) as client:
            await client.zeros(2)
            await client.say("Terminate")
            await trio.sleep(2)
        assert finals == [final["transcript"] for final in client.finals]
        assert client.closed[0] == 1000


async def test_silence_must_be_heard(autojump_clock):
    """A turn does not end when audio just stops, and ends when silence is heard."""
    async with session(emulator()) as client:
        await client.stream(0, 4.2)
        await trio.sleep(20)
        assert client.finals == []
        await client.zeros(1)
        await trio.sleep(0.2)
        assert len(client.finals) == 1


async def test_a_burst_buys_nothing(autojump_clock):
    """Audio sent at once is processed at 1.25 times real time, and results come no earlier."""
    async with connected(emulator()) as client:
        await client.until("Begin")
        began = trio.current_time()
        for number in range(100):
            await client.say(synthesize(number * RATE, RATE).tobytes())
        await client.say("Terminate")
        await client.until("Termination")
        assert pytest.approx(trio.current_time() - began) == 80.0
    truth = words_between(0, 100 * RATE)
    assert [text for text, _, _ in truth] == [word["text"] for final in client.finals for word in final["words"]]


async def test_rate_rule(autojump_clock):
    """More than 300 s ahead of 1.25 times real time is a violation, and tens of seconds are not."""
    async with connected(emulator()) as client:
        await client.until("Begin")
        for _ in range(299):
            await client.socket.send_message(bytes(2 * RATE))
        with trio.move_on_after(1):
            assert await client.receive() is not None
        for _ in range(3):
            await client.socket.send_message(bytes(2 * RATE))
        code, _ = await client.drain()
    assert code == 3007
    assert (
        "Input Duration Error: Audio Transmission Rate Exceeded: Received 302.0 sec. audio in 1.0"
        in (client.messages[-1]["error"])
    )


@pytest.mark.parametrize("seconds", [0.05, 1.0])
async def test_chunk_limits_are_inclusive(seconds, autojump_clock):
    """Chunks of 50 and of 1000 ms are accepted."""
    async with session(emulator()) as client:
        await client.stream(0, 3, chunk=seconds)
        assert client.closed is None


@pytest.mark.parametrize(
    ("samples", "shown"), [(0, "0.0"), (320, "20.0"), (799, "49.9"), (16_001, "1000.1"), (19_200, "1200.0")]
)
async def test_chunk_violation(samples, shown, autojump_clock):
    """A chunk outside 50 to 1000 ms ends the session with its duration in the text."""
    text = f"Input Duration Error: Input Duration Violation: {shown} ms. Expected between 50 and 1000 ms"
    assert (3007, text) == await broken(bytes(2 * samples))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("{", "User Input Validation Error: Invalid JSON: {"),
        ("", "User Input Validation Error: Invalid JSON: "),
        ("[" * 90_000, "User Input Validation Error: Invalid JSON: " + "[" * 200 + "..."),
        ("[]", "User Input Validation Error: Invalid Message: []"),
        ("7", "User Input Validation Error: Invalid Message: 7"),
        ('{"a":1}', 'User Input Validation Error: Invalid Message Type: {"a":1}'),
        ('{"type":"Dance"}', "User Input Validation Error: Invalid Message Type: Dance"),
        ('{"type":"\\ud800"}', "User Input Validation Error: Invalid Message Type: ?"),
        ('{"type":["KeepAlive"]}', "User Input Validation Error: Invalid Message Type: ['KeepAlive']"),
    ],
)
async def test_messages_that_are_wrong(message, text, autojump_clock):
    """What is no JSON, no object or no known type is a validation error that quotes it."""
    assert (3006, text) == await broken(message)


async def test_odd_bytes(autojump_clock):
    """Half a sample cannot be decoded."""
    assert (await broken(bytes(3201)))[0] == 3006


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (None, "Unauthorized Connection: Missing Authorization header"),
        ("", "Unauthorized Connection: Missing Authorization header"),
        ("Bearer good", "Unauthorized Connection: Invalid API key"),
        ("other", "Unauthorized Connection: Invalid API key"),
    ],
)
async def test_keys(key, text, autojump_clock):
    """The key is judged after the upgrade: missing, prefixed and unknown ones get a 1008 by message."""
    assert text == await refused(STREAMING, 1008, key, keys=frozenset({"good"}))


async def test_any_key_will_do_without_keys(autojump_clock):
    """An emulator without keys takes any that is not empty, in the header or as a token, and logs none."""
    for key, query in (("whatever", STREAMING), (None, STREAMING | {"token": "secret"})):
        server = emulator()
        async with connected(server, query, key=key) as client:
            await client.until("Begin")
        (opened,) = server.log.of(log.Opened)
        assert "secret" not in str(opened)


async def test_token_must_be_known(autojump_clock):
    """A token in the query is held against the keys."""
    query = STREAMING | {"token": "bad"}
    assert await refused(query, 1008, None, keys=frozenset({"good"})) == "Unauthorized Connection: Invalid API key"
    async with connected(emulator(keys=frozenset({"good"})), STREAMING | {"token": "good"}, key=None) as client:
        await client.until("Begin")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sample_rate": 7999}, "Invalid 'sample_rate': Value error, sample_rate must be at least 8,000 Hz"),
        ({"sample_rate": 96_001}, "Invalid 'sample_rate': Value error, sample_rate must be at most 96,000 Hz"),
        ({"sample_rate": "fast"}, "Invalid 'sample_rate': Input should be a valid integer"),
        ({"encoding": "flac"}, "Invalid 'encoding': 'flac' is not a valid Encoding"),
        ({"encoding": "opus"}, "Invalid 'encoding': 'opus' is not spoken by the emulator, only 'pcm_s16le'"),
        ({"speech_model": "best"}, "Invalid 'speech_model': 'best' is not a valid SpeechModel"),
        ({"inactivity_timeout": 4}, "Invalid 'inactivity_timeout': Input should be greater than or equal to 5"),
        ({"inactivity_timeout": 3601}, "Invalid 'inactivity_timeout': Input should be less than or equal to 3600"),
        ({"inactivity_timeout": 5.5}, "Invalid 'inactivity_timeout': Input should be a valid integer"),
        ({"format_turns": "perhaps"}, "Invalid 'format_turns': Input should be a valid boolean"),
        ({"vad_threshold": 1.5}, "Invalid 'vad_threshold': Input should be between 0 and 1"),
        ({"keyterms_prompt": ["x"] * 101}, "Invalid 'keyterms_prompt': Max 100 items"),
        ({"keyterms_prompt": {"x": 1}}, "Invalid 'keyterms_prompt': Input should be a valid list of strings"),
        ({"prompt": "x" * 1751}, "Invalid 'prompt': Value exceeds maximum length of 1750 characters"),
        ({"max_speakers": 11}, "Invalid 'max_speakers': Input should be less than or equal to 10"),
        ({"mode": "balanced"}, "Invalid 'mode': not supported by the model 'universal-streaming-english'"),
        ({"mode": "best"}, "Invalid 'mode': 'best' is not a valid Mode"),
    ],
)
async def test_parameters(change, text, autojump_clock):
    """A parameter out of its range is refused after the upgrade, before Begin."""
    assert f"User Input Validation Error: {text}" == await refused(STREAMING | change, 3006)


async def test_sample_rate_is_required(autojump_clock):
    """Raw PCM without a sample rate cannot be read."""
    assert await refused({}, 3006) == "User Input Validation Error: Invalid 'sample_rate': Field required"


async def test_unknown_parameters_are_ignored(autojump_clock):
    """A misspelt parameter is neither an error nor a warning."""
    async with connected(emulator(), STREAMING | {"format_turn": "true", "inactivity": 1, "ünknown": "x"}) as client:
        await client.until("Begin")
        assert len(client.messages) == 1


@pytest.mark.parametrize(("path", "status"), [("/v2/realtime/ws", 410), ("/", 404), ("/v3/wss", 404)])
async def test_paths(path, status, autojump_clock):
    """The retired interface is gone by HTTP status, with its successor in the body; other paths are unknown."""
    server = emulator()
    with pytest.RaisesGroup(pytest.RaisesExc(ConnectionRejected, check=lambda e: e.status_code == status)) as caught:
        async with connected(server, path=path):
            pass
    body = json.loads(caught.value.exceptions[0].body)
    assert ("wss://streaming.assemblyai.com/v3/ws" in body["error"]) == (status == 410)
    assert [status] == [refusal.status for refusal in server.log.of(log.Refused)]


async def test_inactivity(autojump_clock):
    """Without a message for the asked time the session ends; KeepAlive and audio count, pings do not."""
    server = emulator()
    async with session(server, STREAMING | {"inactivity_timeout": 5}) as client:
        await trio.sleep(4.9)
        await client.say("KeepAlive")
        await trio.sleep(4.9)
        await client.stream(0, 0.1)
        began = trio.current_time()
        for _ in range(4):
            await client.socket.ping()
            await trio.sleep(1)
        assert client.closed is None
        await trio.sleep(1.1)
        assert client.closed[0] == 3006
        assert trio.current_time() - began < 5.2
    text = "Session terminated due to inactivity: No messages received for 5 seconds"
    assert text == client.messages[-1]["error"]
    assert len(server.log.of(log.KeepAlive)) == 1


async def test_no_inactivity_limit_unless_asked_for(autojump_clock):
    """A silent session stays open to its time limit, which is billed whole and said without Termination."""
    server = emulator()
    async with session(server) as client:
        await trio.sleep(10_799)
        assert client.closed is None
        await trio.sleep(2)
        assert client.closed[0] == 3008
    assert client.messages[-1]["error"] == "Session Expired: Maximum session duration exceeded"
    assert [m["type"] for m in client.messages] == ["Begin", "Error"]
    (ended,) = server.log.of(log.Ended)
    assert (ended.billed_seconds, ended.by) == (10_800, "server")


async def test_time_scale(autojump_clock):
    """The server's own timers can be run faster than they are told."""
    async with session(emulator(time_scale=0.01), STREAMING | {"inactivity_timeout": 5}) as client:
        await trio.sleep(0.06)
        assert client.closed[0] == 3006
    assert "5 seconds" in client.messages[-1]["error"]


async def test_heartbeat(autojump_clock):
    """Asked for, a heartbeat says every five seconds what was received."""
    async with session(emulator(), STREAMING | {"session_heartbeat": True}) as client:
        await client.stream(0, 10)
        await trio.sleep(5.5)
    beats = [m for m in client.messages if m["type"] == "Heartbeat"]
    assert [beat["total_duration_ms"] for beat in beats] == [5000, 10_000, 15_000]
    assert [beat["total_audio_received_ms"] for beat in beats[1:]] == [10_000] * 2
    assert beats[2]["realtime_factor"] < 0.1 < 0.9 < beats[0]["realtime_factor"]


async def test_update_configuration(autojump_clock):
    """UpdateConfiguration is taken without an answer, and an impossible value ends the session."""
    async with session(emulator()) as client:
        await client.say({"type": "UpdateConfiguration", "session_heartbeat": True, "min_turn_silence": 700, "x": 1})
        await client.say({"type": "UpdateConfiguration", "sample_rate": 1})
        await trio.sleep(6.5)
        assert [m["type"] for m in client.messages] == ["Begin", "Heartbeat"]
        await client.say({"type": "UpdateConfiguration", "vad_threshold": 2})
        await trio.sleep(1)
        assert client.closed[0] == 3006


async def test_pause_setting(autojump_clock):
    """A longer turn silence joins what a shorter one cuts."""
    counts = []
    for silence in (300, 1500):
        async with session(emulator(), STREAMING | {"min_turn_silence": silence}) as client:
            await client.stream(0, 60)
        counts.append(len(client.finals))
    assert counts[0] > counts[1] > 0


async def test_sessions_at_once(autojump_clock):
    """One session too many is refused with 3009, and accepted once another has ended."""
    server = emulator(sessions_max=1)
    async with session(server) as first:
        async with connected(server) as second:
            assert (await second.drain())[0] == 3009
        assert second.messages[-1]["error"] == "Unauthorized Connection: Too many concurrent sessions"
        await first.say("Terminate")
        await trio.sleep(1)
        async with connected(server) as third:
            await third.until("Begin")


async def test_openings_per_minute(autojump_clock):
    """Openings are counted over a rolling minute."""
    server = emulator(openings_per_minute_max=2)
    codes = []
    for _ in range(3):
        async with connected(server) as client:
            codes.append((await client.receive())["type"])
    await trio.sleep(61)
    async with connected(server) as client:
        codes.append((await client.receive())["type"])
    assert codes == ["Begin", "Begin", "Error", "Begin"]


async def test_after_terminate_nothing_is_heard(autojump_clock):
    """What a client sends after Terminate is neither counted nor judged."""
    async with session(emulator()) as client:
        await client.stream(0, 1)
        await client.say("Terminate")
        await client.say(b"x")
        await client.say("{")
        await trio.sleep(2)
    assert client.closed == (1000, "Session Ended")
    assert client.messages[-1]["audio_duration_seconds"] == 1


async def test_loud_nonsense_is_no_word(autojump_clock):
    """Noise that the oracle did not make is unknown, and no word."""
    server = emulator()
    noise = np.random.default_rng(1).integers(-9000, 9000, RATE).astype(np.int16).tobytes()
    async with session(server) as client:
        for _ in range(5):
            await client.say(noise)
            await trio.sleep(1)
    assert client.finals == []
    (ended,) = server.log.of(log.Ended)
    assert ended.unknown_samples > 4.8 * RATE


@pytest.mark.parametrize(("seconds", "billed"), [(0.0, 0), (0.1, 1), (6.0, 6), (6.4, 7)])
def test_billing(seconds, billed):
    """Every second begun is billed."""
    assert billed == billed_seconds(seconds)


# Temporary tokens


async def page(server, query: str = "expires_in_seconds=60", key: str | None = "good", path: str = "/v3/token"):
    """Ask for a page over plain HTTP; return status and body."""
    mine, theirs = memory_stream_pair()
    header = "" if key is None else f"Authorization: {key}\r\n"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_stream, theirs)
        await mine.send_all(f"GET {path}?{query} HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode())
        data = b""
        while more := await mine.receive_some():
            data += more
    head, _, body = data.partition(b"\r\n\r\n")
    assert server.log.of(log.Failed) == []
    return int(head.split()[1]), json.loads(body) if body else None


async def test_a_token_opens_sessions_until_it_expires(autojump_clock):
    """A token is minted for a key, opens more than one session in its time, and none after it."""
    server = emulator(keys=frozenset({"good"}))
    status, minted = await page(server)
    assert (status, minted["expires_in_seconds"], set(minted)) == (200, 60, {"token", "expires_in_seconds"})
    query = STREAMING | {"token": minted["token"]}
    for _ in range(2):
        async with connected(server, query, key=None) as client:
            await client.until("Begin")
    async with connected(server, key=minted["token"]) as client:
        await client.until("Begin")
    await trio.sleep(60)
    async with connected(server, query, key=None) as client:
        assert await client.drain() == (1008, DETAILS)
    assert client.messages[0]["error"] == "Unauthorized Connection: Signature has expired"
    assert minted["token"] not in str(server.log.records)


async def test_a_token_caps_the_session(autojump_clock):
    """A token's longest session shows in Begin and is enforced."""
    server = emulator(keys=frozenset({"good"}))
    _, minted = await page(server, "expires_in_seconds=600&max_session_duration_seconds=90")
    async with connected(server, STREAMING | {"token": minted["token"]}, key=None) as client:
        began = trio.current_time()
        begin = await client.until("Begin")
        assert begin["expires_at"] == 1_795_200_090
        assert (await client.drain())[0] == 3008
        assert trio.current_time() - began == pytest.approx(90.0)


async def test_an_expired_token_is_refused_where_any_key_will_do(autojump_clock):
    """Without keys any text opens the door, but a token of our own is held to its expiry."""
    server = emulator()
    _, minted = await page(server, "expires_in_seconds=1", key="any")
    await trio.sleep(2)
    async with connected(server, STREAMING | {"token": minted["token"]}, key=None) as client:
        assert (await client.drain())[0] == 1008


@pytest.mark.parametrize(
    ("query", "key", "status", "location"),
    [
        ("", "good", 422, ["query", "expires_in_seconds"]),
        ("expires_in_seconds=0", "good", 422, ["query", "expires_in_seconds"]),
        ("expires_in_seconds=601", "good", 422, ["query", "expires_in_seconds"]),
        ("expires_in_seconds=x", "good", 422, ["query", "expires_in_seconds"]),
        (
            "expires_in_seconds=60&max_session_duration_seconds=59",
            "good",
            422,
            ["query", "max_session_duration_seconds"],
        ),
        (
            "expires_in_seconds=60&max_session_duration_seconds=10801",
            "good",
            422,
            ["query", "max_session_duration_seconds"],
        ),
        ("expires_in_seconds=60", None, 422, ["header", "authorization"]),
        ("expires_in_seconds=60", "bad", 401, None),
        ("expires_in_seconds=60", "Bearer good", 401, None),
    ],
)
async def test_requests_for_tokens_that_are_wrong(query, key, status, location, autojump_clock):
    """Bad values and a missing header are told in detail; a wrong key is not."""
    told, body = await page(emulator(keys=frozenset({"good"})), query, key)
    assert status == told
    if location is None:
        assert body == {"error": "Invalid API key"}
    else:
        (detail,) = body["detail"]
        assert detail["loc"] == location
        assert {"type", "msg", "input"} <= set(detail)


async def test_the_token_page_can_fail_and_others_do_not_exist(autojump_clock):
    """A status that a fault asks for is the page's too; any other plain request is told to upgrade."""
    assert (503, {"error": "down"}) == await page(emulator(faults=(Fault(kind="status", status=503, text="down"),)))
    assert (await page(emulator(), path="/v3/ws"))[0] == 400


# What else can be asked for


async def test_speakers(autojump_clock):
    """Finals and their words have speakers, partials have none, and a revision corrects some before the end."""
    for query in (STREAMING, PRO):
        server = emulator()
        async with session(server, query | {"speaker_labels": True}) as client:
            await client.stream(0, 120)
            await client.say("Terminate")
            await trio.sleep(2)
        assert client.messages[0]["configuration"]["speaker_labels"] is True
        assert not any("speaker_label" in turn for turn in client.of("Turn") if not turn["end_of_turn"])
        told = {final["turn_order"]: final for final in client.finals if final["words"]}
        assert {"A", "B"} <= {final["speaker_label"] for final in told.values()} <= {"A", "B", "UNKNOWN"}
        for final in told.values():
            assert {final["speaker_label"]} == {word["speaker"] for word in final["words"]}
        revision, termination = client.messages[-2:]
        assert (revision["type"], termination["type"]) == ("SpeakerRevision", "Termination")
        for change in revision["revisions"]:
            before = told[change["turn_order"]]
            assert change["speaker_label"] != before["speaker_label"]
            assert [word["text"] for word in change["words"]] == [word["text"] for word in before["words"]]
            assert [word["start"] for word in change["words"]] == [word["start"] for word in before["words"]]
            assert {change["speaker_label"]} == {word["speaker"] for word in change["words"]}


async def test_speakers_can_be_limited(autojump_clock):
    """One speaker is never two."""
    async with session(emulator(), STREAMING | {"speaker_labels": True, "max_speakers": 1}) as client:
        await client.stream(0, 60)
    assert {"A", "UNKNOWN"} >= {final["speaker_label"] for final in client.finals}


async def test_languages(autojump_clock):
    """The language is named on finals only, when asked for."""
    async with session(emulator(), STREAMING | {"language_detection": True}) as client:
        await client.stream(0, 10)
    for turn in client.of("Turn"):
        assert (turn.get("language_code") == "en") == turn["end_of_turn"] == ("language_confidence" in turn)


async def test_acknowledged_silence(autojump_clock):
    """A Pro model acknowledges silence about once a second, in ranges that hold no word; others do not."""
    async with session(emulator(), PRO | {"acknowledge_silence": True}) as client:
        await client.zeros(10)
        assert 8 <= len(client.of("Silence")) <= 10
        await client.stream(0, 20)
    words = [word for final in client.finals for word in final["words"]]
    for silence in client.of("Silence"):
        assert silence["end_ms"] - silence["start_ms"] >= 1000
        assert not any(w["start"] < silence["end_ms"] and w["end"] > silence["start_ms"] for w in words)
    for query in (PRO, STREAMING | {"acknowledge_silence": True}):
        async with session(emulator(), query) as client:
            await client.zeros(5)
        assert client.of("Silence") == []
