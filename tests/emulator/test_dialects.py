"""What every dialect has to keep, whatever its words: the log's meaning, each fault, each engine."""

import json
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
import trio
from trio.testing import memory_stream_pair
from trio_websocket import ConnectionClosed, ConnectionRejected

from stenod.emulator import log
from stenod.emulator.dialect import Failure
from stenod.emulator.faults import KINDS, Fault, Scope
from stenod.emulator.options import EmulatorOptions
from stenod.emulator.oracle import words_between
from stenod.emulator.tongues import paths_of, tongue_of

from .raw_client import RATE, STREAMING, connected, emulator


@dataclass(frozen=True)
class Case:
    """How a dialect is dialled, and how a client says goodbye in it."""

    path: str
    key: str
    query: dict[str, Any]
    goodbye: str
    keepalive: str | None = None


RAW = {"encoding": "linear16", "sample_rate": RATE}
CASES = {
    "assemblyai": Case("/v3/ws", "key", STREAMING, '{"type":"Terminate"}', '{"type":"KeepAlive"}'),
    "assemblyai v2": Case("/v2/realtime/ws", "key", {"sample_rate": RATE}, '{"terminate_session":true}'),
    "deepgram": Case(
        "/v1/listen",
        "Token key",
        RAW | {"model": "nova-3", "endpointing": 300},
        '{"type":"CloseStream"}',
        '{"type":"KeepAlive"}',
    ),
    "flux": Case("/v2/listen", "Token key", RAW | {"model": "flux-general-en"}, '{"type":"CloseStream"}'),
}
EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
OPTIONS = EmulatorOptions(v2=True)


@asynccontextmanager
async def talk(server, case):
    """Yield a client of a dialect that reads in the background."""
    async with connected(server, case.query, key=case.key, path=case.path) as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.drain)
        yield client
        nursery.cancel_scope.cancel()


def test_each_path_has_its_tongue():
    """All paths that are told are spoken, and the cases here are all of them."""
    assert {case.path for case in CASES.values()} == set(paths_of(OPTIONS))
    assert all(tongue_of(path, OPTIONS) for path in paths_of(OPTIONS))
    assert paths_of(EmulatorOptions()) == ("/v1/listen", "/v2/listen", "/v3/ws")


@EVERY
def test_each_tongue_has_words_for_every_end(case):
    """No failure is left without a code."""
    tongue = tongue_of(case.path, OPTIONS)
    for kind in Failure:
        violation = tongue.failure(kind, limit=5.0, audio=5.0, elapsed=1.0)
        assert 400 <= violation.code < 5000
        assert "{" not in violation.text


@EVERY
async def test_the_log_tells_what_happened(case, autojump_clock):
    """A session is opened, its words are final once in the order they were said, and it ends by the client."""
    server = emulator(v2=True)
    async with talk(server, case) as client:
        await client.stream(10 * RATE, 60)
        if case.keepalive is not None:
            await client.say(case.keepalive)
        await client.say(case.goodbye)
        await trio.sleep(3)
    kinds = [type(record).__name__ for record in server.log.records]
    assert kinds[:2] == ["Attempt", "Opened"]
    assert kinds[-2:] == ["Heard", "Ended"]
    assert kinds.count("KeepAlive") == (case.keepalive is not None)
    assert kinds.count("Terminate") == 1
    finals = server.log.of(log.Final)
    assert list(range(len(finals))) == [final.turn for final in finals]
    told = [word for final in finals for word in final.words]
    truth = words_between(10 * RATE, 70 * RATE)
    whole = [(text, *span) for text, *span in truth if any(text == word.text for word in told)]
    assert len(whole) >= len(truth) - 2
    assert whole == [(word.text, *word.position) for word in told if word.text.startswith("w")]
    assert all(word.position[0] == word.start + 10 * RATE for word in told if word.text.startswith("w"))
    (ended,) = server.log.of(log.Ended)
    assert (ended.by, ended.audio_samples, ended.billed_seconds) == ("client", 60 * RATE, 60)


@EVERY
@pytest.mark.parametrize("kind", [kind for kind, row in KINDS.items() if row.scope in (Scope.SESSION, Scope.END)])
async def test_each_fault_strikes(case, kind, autojump_clock):
    """Each kind strikes a session of each dialect; what ends it ends it, and the server survives all of them."""
    duration = 2.0 if KINDS[kind].needs or kind in ("deaf", "mute", "begin-then-die") else None
    server = emulator(v2=True, faults=(Fault(kind=kind, audio=1.0, duration=duration, session=0),))
    async with talk(server, case) as client:
        with suppress(ConnectionClosed):
            await client.stream(0, 8.0)
        ends = KINDS[kind].scope is Scope.END or kind in ("expire", "begin-then-die", "huge")
        assert ends == (client.closed is not None)
    assert [kind] == [struck.kind for struck in server.log.of(log.Struck)]
    assert server.log.of(log.Failed) == []
    async with talk(server, case) as client:
        await client.stream(0, 3.0)
        assert client.closed is None


@EVERY
async def test_each_opening_can_be_disturbed(case, autojump_clock):
    """Statuses, slow openings, ends before a session and a refused line, one after the other."""
    server = emulator(
        v2=True,
        faults=(
            Fault(kind="status", status=503, attempt=0),
            Fault(kind="close", code=1011, attempt=1),
            Fault(kind="error", code=1011, attempt=2),
            Fault(kind="slow", duration=3.0, attempt=3),
            Fault(kind="slow-begin", duration=3.0, attempt=4),
            Fault(kind="refuse", wall=100.0, duration=10.0),
        ),
    )
    with pytest.RaisesGroup(ConnectionRejected) as caught:
        async with talk(server, case):
            pass
    assert caught.value.exceptions[0].status_code == 503
    for _ in range(2):
        async with connected(server, case.query, key=case.key, path=case.path) as client:
            assert (await client.drain())[0] == 1011
    for _ in range(2):
        began = trio.current_time()
        async with talk(server, case) as client:
            while not server.log.of(log.Opened, session=len(server.log.of(log.Ended))):  # noqa: ASYNC110
                await trio.sleep(0.1)
            assert 3.0 <= trio.current_time() - began < 3.2
    await trio.sleep_until(105.0)
    mine, theirs = memory_stream_pair()
    await server.serve_stream(theirs)
    assert await mine.receive_some() == b""
    assert [503, None, None, None] == [refused.status for refused in server.log.of(log.Refused)]
    assert [0, 1] == [opened.session for opened in server.log.of(log.Opened)]


@EVERY
async def test_an_outage_of_the_line(case, autojump_clock):
    """A black hole holds a session, and afterwards it goes on with all that was sent meanwhile."""
    server = emulator(v2=True, faults=(Fault(kind="black-hole", wall=2.0, duration=4.0),))
    async with talk(server, case) as client:
        await client.stream(0, 20)
        await client.say(case.goodbye)
        await trio.sleep(5)
    assert client.closed is not None
    assert 20 * RATE == server.log.of(log.Ended)[0].audio_samples


@EVERY
async def test_a_script(case, autojump_clock, tmp_path):
    """The words of a script are heard in every dialect."""
    words = [{"text": "hello", "start": 0.5, "end": 0.9}, {"text": "again", "start": 3.0, "end": 3.5}]
    (tmp_path / "words.json").write_text(json.dumps(words))
    server = emulator(v2=True, engine=f"script:{tmp_path / 'words.json'}")
    async with talk(server, case) as client:
        await client.zeros(6)
        await client.say(case.goodbye)
        await trio.sleep(3)
    assert ["hello", "again"] == [word.text for final in server.log.of(log.Final) for word in final.words]
    spans = [(word.start / RATE, word.end / RATE) for final in server.log.of(log.Final) for word in final.words]
    assert spans == [(0.5, 0.9), (3.0, 3.5)]


@EVERY
async def test_two_runs_are_equal(case, autojump_clock):
    """The same seed and the same client: the same messages."""
    runs = []
    for _ in range(2):
        server = emulator(v2=True, realism=True, seed=5)
        async with talk(server, case) as client:
            await client.stream(0, 20)
            await client.say(case.goodbye)
            await trio.sleep(8)
        runs.append([{k: v for k, v in message.items() if k != "created"} for message in client.messages])
    assert runs[0] == runs[1]
