"""The dialect of /v2/listen (Flux), rule by rule, over the wire and in virtual time."""

import json
from contextlib import suppress
from itertools import pairwise

import pytest
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected

from stenod.emulator import log
from stenod.emulator.faults import Fault
from stenod.emulator.oracle import words_between

from .raw_client import RATE, connected, emulator, session

PATH = "/v2/listen"
FLUX = {"model": "flux-general-en", "encoding": "linear16", "sample_rate": RATE}
EAGER = FLUX | {"eager_eot_threshold": 0.3, "eot_threshold": 0.9}


def dial(server, query=FLUX, key="Token key"):
    """Return a connection whose handshake is done."""
    return connected(server, query, key=key, path=PATH)


def listen(server, query=FLUX):
    """Return a connection that has seen `Connected`, and reads in the background."""
    return session(server, query, first="Connected", key="Token key", path=PATH)


def turns(client, *events):
    """Return the messages of some events."""
    return [m for m in client.of("TurnInfo") if m["event"] in events]


async def test_connected_and_numbers(autojump_clock):
    """A greeting with number 0 comes at once, and each message after it has the next."""
    server = emulator()
    async with listen(server) as client:
        await client.stream(0, 20)
        await client.say({"type": "Configure", "keyterms": ["Tardis"]})
        await client.stream(20 * RATE, 5)
    (opened,) = server.log.of(log.Opened)
    assert client.messages[0] == {"type": "Connected", "request_id": opened.id, "sequence_id": 0}
    assert dict(client.socket.handshake_headers)[b"dg-request-id"].decode() == opened.id
    assert list(range(len(client.messages))) == [m["sequence_id"] for m in client.messages]
    assert {opened.id} == {m["request_id"] for m in client.messages}


async def test_a_minute_of_dialogue(autojump_clock):
    """Each turn begins once, is told whole each time and ends once; no word is lost or repeated."""
    server = emulator()
    async with listen(server) as client:
        await client.stream(0, 60)
        await client.say("ForceEndTurn")
        await trio.sleep(1)
        await client.say("CloseStream")
        await trio.sleep(1)
    ends = turns(client, "EndOfTurn")
    assert [text for text, _, _ in words_between(0, 60 * RATE)] == [w["word"] for m in ends for w in m["words"]]
    starts = [start / RATE for _, start, _ in words_between(0, 60 * RATE)]
    assert starts == pytest.approx([w["start"] for m in ends for w in m["words"]])
    assert (
        list(range(len(ends)))
        == [m["turn_index"] for m in ends]
        == [m["turn_index"] for m in turns(client, "StartOfTurn")]
    )
    for before, after in pairwise(client.of("TurnInfo")):
        assert after["turn_index"] == before["turn_index"] + (before["event"] == "EndOfTurn")
        if before["turn_index"] == after["turn_index"]:
            assert before["audio_window_start"] == after["audio_window_start"]
    assert [m["transcript"] for m in ends] == [final.text for final in server.log.of(log.Final)]
    assert {"model", "manual"} >= {m["trigger"] for m in ends}
    assert not any("trigger" in m for m in turns(client, "StartOfTurn", "Update"))
    assert server.log.of(log.Failed) == []


async def test_updates_come_with_the_audio(autojump_clock):
    """An update comes for each quarter of a second of transcribed audio, spoken or not, and not without audio."""
    async with listen(emulator()) as client:
        await client.zeros(20)
        await trio.sleep(1)
        count = len(turns(client, "Update"))
        assert 76 <= count <= 80
        await trio.sleep(30)
        assert count == len(turns(client, "Update"))
        await client.stream(0, 10)
    windows = [m["audio_window_end"] for m in client.of("TurnInfo")]
    assert max(after - before for before, after in pairwise(windows)) < 1.0
    assert {""} == {m["transcript"] for m in turns(client, "Update")[:70]}


async def test_what_an_update_between_turns_covers(autojump_clock):
    """An update without words, and the end of a turn, reach no further than words are told."""
    async with listen(emulator()) as client:
        await client.stream(0, 60)
    starts = [start / RATE for _, start, _ in words_between(0, 60 * RATE)]
    told = 0
    for message in client.of("TurnInfo"):
        told += len(message["words"]) if message["event"] == "EndOfTurn" else 0
        if message["event"] == "EndOfTurn" or not message["words"]:
            assert message["audio_window_end"] <= starts[told] + 1e-5


async def test_eager_ends(autojump_clock):
    """With an eager threshold a guess precedes each end, word for word, and is taken back when it was wrong."""
    async with listen(emulator(), EAGER) as client:
        await client.stream(0, 60)
    messages = turns(client, "EagerEndOfTurn", "TurnResumed", "EndOfTurn")
    for before, after in pairwise(messages):
        if after["event"] == "EndOfTurn":
            assert (before["event"], before["transcript"]) == ("EagerEndOfTurn", after["transcript"])
        if after["event"] == "TurnResumed":
            assert before["event"] == "EagerEndOfTurn"
    assert turns(client, "TurnResumed")
    assert all(m["transcript"] for m in turns(client, "EagerEndOfTurn"))
    async with listen(emulator()) as client:
        await client.stream(0, 60)
    assert turns(client, "EagerEndOfTurn", "TurnResumed") == []


async def test_thresholds_cut_turns(autojump_clock):
    """A lower threshold ends more turns; at 1 only the timeout does, and says so."""
    counts = []
    for change in ({"eot_threshold": 0.6}, {"eot_threshold": 1.0, "eot_timeout_ms": 1500}):
        async with listen(emulator(), FLUX | change) as client:
            await client.stream(0, 60)
        counts.append(turns(client, "EndOfTurn"))
    assert len(counts[0]) > len(counts[1]) > 0
    assert ({"model"}, {"timeout"}) == tuple({m["trigger"] for m in ends} for ends in counts)


async def test_force_end_turn(autojump_clock):
    """An open turn ends at once; without one the message is ignored."""
    async with listen(emulator()) as client:
        await client.zeros(1)
        await client.say("ForceEndTurn")
        await trio.sleep(1)
        assert turns(client, "EndOfTurn") == []
        await client.stream(0, 3.1)
        await client.say("ForceEndTurn")
        await trio.sleep(0.3)
    (end,) = turns(client, "EndOfTurn")
    assert (end["trigger"], end["transcript"]) == ("manual", "w0000000 w0000001 frag-0000002")


async def test_closing_loses_the_end_of_the_turn(autojump_clock):
    """After CloseStream the open turn gets one more update and no end; the close frame has no code."""
    server = emulator()
    async with listen(server) as client:
        await client.stream(0, 3.1)
        await client.say("CloseStream")
        await trio.sleep(1)
    assert client.closed == (1005, "")
    assert turns(client, "EndOfTurn") == client.of("Metadata") == []
    last = client.messages[-1]
    assert (last["event"], last["transcript"]) == ("Update", "w0000000 w0000001 frag-0000002")
    assert [last["transcript"]] == [final.text for final in server.log.of(log.Final)]
    (ended,) = server.log.of(log.Ended)
    assert (ended.code, ended.by, ended.billed_seconds) == (1005, "client", 4)


async def test_closing_in_silence(autojump_clock):
    """Without an open turn nothing is final, and the end is the same."""
    server = emulator()
    async with listen(server) as client:
        await client.zeros(1.1)
        await client.say("CloseStream")
        await trio.sleep(1)
    assert client.closed == (1005, "")
    assert client.messages[-1]["audio_window_end"] == pytest.approx(1.1)
    assert server.log.of(log.Final) == []


@pytest.mark.parametrize("text", ['{"type":"KeepAlive"}', '{"type":"Finalize"}', "{", "[]", ""])
async def test_messages_that_are_not_known(text, autojump_clock):
    """There is no KeepAlive: what is not known is fatal, with a code that is a string."""
    async with listen(emulator()) as client:
        await client.socket.send_message(text)
        await trio.sleep(1)
    error = client.messages[-1]
    assert (error["type"], error["code"], error["sequence_id"]) == ("Error", "UNPARSABLE_CLIENT_MESSAGE", 1)
    assert error["description"]
    assert client.closed == (1005, "")


@pytest.mark.parametrize(("query", "message"), [(FLUX, bytes(3)), ({"model": "flux-general-en"}, bytes(3200))])
async def test_undecodable_audio(query, message, autojump_clock):
    """Half a sample, and raw audio where a container is expected, are fatal."""
    async with listen(emulator(), query) as client:
        await client.say(message)
        await trio.sleep(1)
    assert client.messages[-1]["code"] == "UNPARSABLE_CLIENT_MESSAGE"


async def test_pings_hold_the_session(autojump_clock):
    """A minute without message or ping is too long; a ping is enough."""
    server = emulator()
    async with listen(server) as client:
        for _ in range(6):
            await trio.sleep(50)
            await client.socket.ping()
        await trio.sleep(59)
        assert client.closed is None
        await trio.sleep(2)
    assert client.closed == (1005, "")
    assert (client.messages[-1]["type"], client.messages[-1]["code"]) == ("Error", "INACTIVE_CLIENT")


async def test_configure(autojump_clock):
    """What is given replaces, what is left out stays; what is out of range is answered and changes nothing."""
    async with listen(emulator()) as client:
        await client.say({"type": "Configure", "thresholds": {"eot_threshold": 0.8}, "keyterms": ["Tardis"]})
        await client.say({"type": "Configure", "thresholds": {"eager_eot_threshold": 0.5}})
        await client.say({"type": "Configure", "thresholds": {"eot_threshold": 2}})
        await client.say({"type": "Configure", "thresholds": {"eager_eot_threshold": None}})
        for wrong in ({"thresholds": 5}, {"keyterms": "x"}, {"language_hints": ["es"]}):
            await client.say({"type": "Configure"} | wrong)
        await trio.sleep(1)
        assert client.closed is None
    _, first, second, third, fourth, *wrong = client.messages
    assert first["type"] == second["type"] == fourth["type"] == "ConfigureSuccess"
    assert first["thresholds"] == {"eot_threshold": 0.8, "eot_timeout_ms": 5000}
    assert second["thresholds"] == first["thresholds"] | {"eager_eot_threshold": 0.5}
    assert fourth["thresholds"] == first["thresholds"]
    assert second["keyterms"] == ["Tardis"]
    assert third["type"] == "ConfigureFailure"
    assert "eot_threshold" in third["description"]
    assert ["ConfigureFailure"] * 3 == [m["type"] for m in wrong]


async def test_configure_moves_the_pause(autojump_clock):
    """A threshold that is changed on the way cuts from then on."""
    async with listen(emulator(), FLUX | {"eot_threshold": 1.0, "eot_timeout_ms": 60_000}) as client:
        await client.stream(0, 30)
        assert turns(client, "EndOfTurn") == []
        await client.say({"type": "Configure", "thresholds": {"eot_threshold": 0.6}})
        await client.stream(30 * RATE, 10)
        assert turns(client, "EndOfTurn")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": ()}, "missing field `model`"),
        ({"model": "nova-3"}, "unknown variant `nova-3`"),
        ({"encoding": "flac"}, "unknown variant `flac`"),
        ({"encoding": "opus"}, "not spoken by the emulator"),
        ({"encoding": ()}, "missing field `encoding`"),
        ({"sample_rate": ()}, "sample_rate"),
        ({"sample_rate": 11_025}, "sample_rate: expected one of 8000"),
        ({"eot_threshold": 0.4}, "eot_threshold: expected a value from 0.5 to 1.0"),
        ({"eot_threshold": "high"}, "eot_threshold"),
        ({"eager_eot_threshold": 0.2}, "eager_eot_threshold: expected a value from 0.3 to 0.9"),
        ({"eager_eot_threshold": 0.8}, "at most eot_threshold"),
        ({"eot_timeout_ms": 400}, "eot_timeout_ms: expected a value from 500 to 60000"),
        ({"language_hint": "es"}, "only supported for flux-general-multi"),
        ({"keyterm": ("x " * 501,)}, "500"),
        ({"numerals": "yes"}, "numerals"),
    ],
)
async def test_parameters(change, words, autojump_clock):
    """A parameter that is wrong is a 400 before the 101, in words that name it."""
    server = emulator()
    with pytest.RaisesGroup(ConnectionRejected) as caught:
        async with dial(server, FLUX | change):
            pass
    (error,) = caught.value.exceptions
    body = json.loads(error.body)
    assert (error.status_code, body["err_code"]) == (400, "INVALID_QUERY_PARAMETER")
    assert words in body["err_msg"] == dict(error.headers)[b"dg-error"].decode()


async def test_keys_and_crowds(autojump_clock):
    """Keys and the number of streams are judged as on /v1/listen."""
    server = emulator(keys=frozenset({"good"}), sessions_max=1)
    async with dial(server, key="Bearer good"):
        for key, status in (("Token bad", 401), ("Token good", 429)):
            with pytest.RaisesGroup(ConnectionRejected) as caught:
                async with dial(server, key=key):
                    pass
            assert status == caught.value.exceptions[0].status_code
    assert [401, 429] == [refused.status for refused in server.log.of(log.Refused)]


async def test_several_languages(autojump_clock):
    """The multilingual model names the languages it heard and those it was told."""
    query = FLUX | {"model": "flux-general-multi", "language_hint": ("en", "es")}
    async with listen(emulator(), query) as client:
        await client.stream(0, 5)
    message = client.of("TurnInfo")[-1]
    assert (message["languages"], message["languages_hinted"]) == (["en"], ["en", "es"])


@pytest.mark.parametrize(
    ("fault", "closed", "code"),
    [
        (Fault(kind="error", audio=1.0), (1011, "An internal server error occurred."), "INTERNAL_SERVER_ERROR"),
        (Fault(kind="error", audio=1.0, code=1005, text="x"), (1005, ""), "INTERNAL_SERVER_ERROR"),
        (
            Fault(kind="begin-then-die", duration=1.0),
            (1011, "An internal server error occurred."),
            "INTERNAL_SERVER_ERROR",
        ),
        (Fault(kind="close", audio=1.0, code=1012, text="restart"), (1012, "restart"), None),
        (Fault(kind="expire", audio=1.0), (1001, ""), None),
        (Fault(kind="drop", audio=1.0), (1006, ""), None),
    ],
)
async def test_faults_that_end_a_session(fault, closed, code, autojump_clock):
    """Each end is in this provider's words."""
    async with listen(emulator(faults=(fault,))) as client:
        with suppress(ConnectionClosed):
            await client.zeros(3)
    assert closed == client.closed
    assert [m["code"] for m in client.of("Error")] == ([] if code is None else [code])


async def test_a_stalled_model(autojump_clock):
    """A mute server answers pings and says nothing, not even an update; later it says everything in order."""
    async with listen(emulator(faults=(Fault(kind="mute", audio=5.0, duration=20.0),))) as client:
        await client.stream(0, 20)
        await client.socket.ping()
        assert client.messages[-1]["audio_window_end"] < 5.1
        await client.stream(20 * RATE, 10)
        assert client.closed is None
    assert list(range(len(client.messages))) == [m["sequence_id"] for m in client.messages]


async def test_an_error_instead_of_a_session(autojump_clock):
    """An opening that a fault turns away by message has no greeting."""
    async with dial(emulator(faults=(Fault(kind="error"),))) as client:
        assert (await client.drain())[0] == 1011
    assert [("Error", 0)] == [(m["type"], m["sequence_id"]) for m in client.messages]


@pytest.mark.parametrize("seed", range(3))
async def test_realism(seed, autojump_clock):
    """With padded times and late ends each word still comes once."""
    async with listen(emulator(realism=True, seed=seed), EAGER) as client:
        await client.stream(0, 60)
        await client.say("CloseStream")
        await trio.sleep(10)
    finals = [*turns(client, "EndOfTurn"), *turns(client, "Update")[-1:]]
    told = [word["word"] for message in finals for word in message["words"]]
    assert [text for text, _, _ in words_between(0, 60 * RATE)] == told
