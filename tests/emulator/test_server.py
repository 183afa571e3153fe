"""The server over real sockets: its life and death, abrupt ends, hostile clients."""

import json
import math
import socket
from contextlib import asynccontextmanager

import pytest
import trio
import trio.lowlevel
from trio.testing import lockstep_stream_pair, memory_stream_pair
from trio_websocket import ConnectionClosed, wrap_client_stream

from stenod.emulator import gate, log
from stenod.emulator.engines import EngineChoiceError
from stenod.emulator.faults import Fault
from stenod.emulator.server import Emulator, EmulatorOptions, serve

from .raw_client import RATE, STREAMING, connected, emulator, path_of, session

HEADERS = [(b"Authorization", b"key")]


@asynccontextmanager
async def dialled(server):
    """Yield a WebSocket over a real socket, which is closed whatever the WebSocket has come to."""
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream, trio.open_nursery() as nursery:
        yield await wrap_client_stream(nursery, stream, "localhost", path_of(STREAMING), extra_headers=HEADERS)
        nursery.cancel_scope.cancel()


async def upgraded(server) -> trio.SocketStream:
    """Return a bare stream after a handshake by hand."""
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    lines = (
        f"GET {path_of(STREAMING)} HTTP/1.1",
        "Host: x",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Authorization: key",
    )
    await stream.send_all("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    return stream


async def read_on(receive) -> None:
    """Receive until it raises."""
    while True:
        await receive()


async def repeat(times, send, message, *, pause=20.0) -> None:
    """Send a message again and again."""
    for _ in range(times):
        await send(message)
        await trio.sleep(pause)


async def test_a_session_over_a_socket():
    """A client on a real socket has its session, and cancelling ends the server with nothing left."""
    async with trio.open_nursery() as own:
        server = await own.start(serve, EmulatorOptions(engine="oracle"))
        assert f"ws://127.0.0.1:{server.port}/v3/ws" == server.url == server.urls[-1]
        assert ["/v1/listen", "/v2/listen", "/v3/ws"] == [url.split(str(server.port))[1] for url in server.urls]
        async with dialled(server) as socket_:
            assert "Begin" == json.loads(await socket_.get_message())["type"]
            await socket_.send_message(bytes(RATE // 5))
            await socket_.send_message('{"type":"Terminate"}')
            with pytest.raises(ConnectionClosed) as caught:
                await read_on(socket_.get_message)
            assert (1000, "Session Ended") == (caught.value.reason.code, caught.value.reason.reason)
        own.cancel_scope.cancel()
    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream("127.0.0.1", server.port)
    assert [] == server.log.of(log.Failed)


async def test_cancelling_ends_open_sessions():
    """Cancelling the server ends what is open, and logs its end."""
    with trio.fail_after(5):
        async with trio.open_nursery() as own:
            server = await own.start(serve, EmulatorOptions(engine="oracle"))
            stream = await upgraded(server)
            assert b"101" in await stream.receive_some()
            while not server.log.of(log.Opened):
                await trio.lowlevel.checkpoint()
            own.cancel_scope.cancel()
    assert 1 == len(server.log.of(log.Ended))
    await stream.aclose()


async def test_a_drop_is_a_reset():
    """On a real socket a drop is an RST, not an orderly end."""
    fault = Fault(kind="drop", session=0)
    async with trio.open_nursery() as own:
        server = await own.start(serve, EmulatorOptions(engine="oracle", faults=(fault,)))
        stream = await upgraded(server)
        with pytest.raises(trio.BrokenResourceError) as caught:
            await read_on(stream.receive_some)
        assert isinstance(caught.value.__cause__, ConnectionResetError)
        await stream.aclose()
        own.cancel_scope.cancel()


async def test_port_in_use():
    """A port that is taken is an OSError before the server has started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            await serve(EmulatorOptions(engine="oracle", port=taken.getsockname()[1]))


async def test_engines_are_checked_at_the_start(tmp_path):
    """An unknown engine and a missing script are told before anything listens."""
    for engine in ("whisper", "script:", f"script:{tmp_path / 'none'}"):
        with pytest.raises(EngineChoiceError):
            await serve(EmulatorOptions(engine=engine))


UPGRADE = b"Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
KEY = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"
FIELDS = b"&".join(b"a%d=1" % number for number in range(1500))


@pytest.mark.parametrize(
    "data",
    [
        b"G",
        b"\x00" * 100,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500,
        b"POST /v3/ws HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v3/ws HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v3/ws HTTP/1.1\r\nHost: \xff\xfe\r\n" + KEY + b"\r\n",
        b"GET /v3/ws HTTP/1.1\r\n" + UPGRADE + b"Sec-WebSocket-Version: 12\r\n" + KEY + b"\r\n",
        b"GET /v3/ws?" + FIELDS + b" HTTP/1.1\r\n" + UPGRADE + VERSION + KEY + b"\r\n",
        b"GET //[ HTTP/1.1\r\n" + UPGRADE + VERSION + KEY + b"\r\n",
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
async def test_requests_that_are_none(data, autojump_clock):
    """Whatever arrives instead of an upgrade ends that connection, and nothing is raised or logged as a defect."""
    server = emulator()
    mine, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_stream, theirs)
        await mine.send_all(data)
        await mine.send_stream.aclose()
    assert [] == server.log.of(log.Failed)
    assert 1 == len(server.log.of(log.Refused))


async def test_a_client_that_says_nothing_is_let_go(autojump_clock):
    """A connection without a request ends after five minutes."""
    server = emulator()
    mine, theirs = memory_stream_pair()
    await server.serve_stream(theirs)
    assert 300.0 == trio.current_time()
    assert b"" == await mine.receive_some()


@pytest.mark.slow
async def test_a_message_that_is_too_large(autojump_clock):
    """A message of 100 MB is refused after the first, and other sessions do not notice."""
    server = emulator()
    async with session(server) as other, connected(server) as client:
        await client.until("Begin")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.drain)
            with pytest.raises(ConnectionClosed):
                await repeat(2, client.socket.send_message, bytes(100 << 20))
        assert 1009 == client.closed[0]
        await other.stream(0, 3)
        assert other.closed is None


async def test_frames_that_break_the_protocol(autojump_clock):
    """Bytes that are no frame end the connection with 1002 or without a word, and nothing else."""
    server = emulator()
    async with connected(server) as client:
        await client.until("Begin")
        await client.socket._stream.send_all(b"\xff" * 50)
        code, _ = await client.drain()
    assert 1002 == code
    assert [] == server.log.of(log.Failed)
    assert ["server"] == [ended.by for ended in server.log.of(log.Ended)]


async def test_a_client_that_leaves(autojump_clock):
    """A close without Terminate, and a cut line, are told apart in the log."""
    server = emulator()
    async with connected(server) as client:
        await client.until("Begin")
        await client.socket.aclose(1001, "gone")
    async with connected(server) as client:
        await client.until("Begin")
    ends = [(ended.code, ended.text, ended.by) for ended in server.log.of(log.Ended)]
    assert [(1001, "gone", "client"), (1006, "", "network")] == ends
    assert [] == server.log.of(log.Terminate)


@pytest.mark.slow
async def test_a_flood_of_endpoints(autojump_clock):
    """Commands that pile up behind slow audio cancel the session, not the server."""
    server = emulator()
    async with connected(server) as client:
        await client.until("Begin")
        await client.say(bytes(2 * RATE))
        with pytest.raises(ConnectionClosed):
            await repeat(10_000, client.say, "ForceEndpoint", pause=0.0)
        assert 3005 == (await client.drain())[0]
    assert [] == server.log.of(log.Failed)


async def test_a_client_that_reads_nothing():
    """A client that never reads is ended when messages have piled up; the server lives on."""
    async with trio.open_nursery() as own:
        server = await own.start(
            serve, EmulatorOptions(engine="oracle", faults=(Fault(kind="huge", audio=0.05, repeat=0.05, count=40),))
        )
        stream = await upgraded(server)
        await stream.receive_some()
        frame = b"\x82\xfe" + (3200).to_bytes(2, "big") + bytes(4) + bytes(3200)
        await stream.send_all(frame * 3)
        async with dialled(server) as other:
            with trio.fail_after(5):
                assert "Begin" == json.loads(await other.get_message())["type"]
        await stream.aclose()
        own.cancel_scope.cancel()
    assert [] == server.log.of(log.Failed)


async def test_too_many_connections(autojump_clock):
    """Connections beyond the bound are reset on arrival."""
    server = emulator(connections_max=1)
    async with session(server):
        mine, theirs = memory_stream_pair()
        await server.serve_stream(theirs)
        assert b"" == await mine.receive_some()


async def test_a_defect_ends_one_connection_only(autojump_clock, monkeypatch):
    """What goes wrong inside the server itself is logged with its traceback, and others are served."""
    server = emulator()
    monkeypatch.setattr(server._engines, "open", lambda *_: 1 / 0)
    async with connected(server) as client:
        assert (1006, "") == await client.drain()
    (failed,) = server.log.of(log.Failed)
    assert "ZeroDivisionError" in failed.traceback


async def test_two_runs_are_equal(autojump_clock):
    """Same options, same client: same ids, same log."""
    logs = []
    for _ in range(2):
        server = Emulator(EmulatorOptions(engine="oracle", seed=5, realism=True), wall=lambda: 0.0)
        async with session(server) as client:
            await client.stream(0, 30)
            await client.say("Terminate")
            await trio.sleep(10)
        finals = [(final.turn, final.text, round(final.at, 6)) for final in server.log.of(log.Final)]
        logs.append(([opened.id for opened in server.log.of(log.Opened)], finals))
    assert logs[0] == logs[1]


async def test_what_a_held_line_could_not_send_comes_first(autojump_clock):
    """A send cancelled while the line is held is made up for, in order; one cancelled halfway tears the connection."""
    mine, theirs = memory_stream_pair()
    line = gate.GatedStream(theirs, lambda: 10.0)
    with trio.move_on_after(1):
        await line.send_all(b"first ")
    await line.send_all(b"second")
    assert 10.0 == trio.current_time()
    assert b"first second" == await mine.receive_some()


async def test_half_a_message_is_the_end(autojump_clock):
    """After a send that was cut, nothing more can be sent."""
    mine, theirs = lockstep_stream_pair()
    line = gate.GatedStream(theirs, lambda: -math.inf)
    with trio.move_on_after(1):
        await line.send_all(b"x" * 10)
    with pytest.raises(trio.BrokenResourceError, match="half a message"):
        await line.send_all(b"y")
    await trio.aclose_forcefully(mine)
