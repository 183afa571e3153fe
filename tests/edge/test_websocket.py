"""Connections against raw peers: every refusal, every end, every deadline, and nothing left behind.

The peers are written here, byte by byte, on loopback sockets where the network matters and on memory streams where
only time does. Each connection runs in a nursery that must come to its end by itself.
"""

import base64
import hashlib
import itertools
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.lowlevel
import trio.testing
import trustme

from stenod.core import transport
from stenod.core.dialling import Dial
from stenod.core.transport import ConnectionEnded
from stenod.edge import websocket
from stenod.edge.dialling import Dialler
from stenod.edge.websocket import TrioWebsocket, connect

SECONDS = 5.0
"""For what must come at once; no test waits for it."""
ACCEPTED = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n"
)
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

dial_tcp = Dialler().dial
Peer = Callable[[trio.abc.Stream], Awaitable[None]]


def frame(opcode: int, payload: bytes = b"", *, last: bool = True) -> bytes:
    """One frame as a server sends it."""
    size = len(payload)
    length = (
        bytes([size])
        if size < 126
        else b"\x7e" + size.to_bytes(2, "big")
        if size < 65536
        else b"\x7f" + size.to_bytes(8, "big")
    )
    return bytes([opcode | (0x80 if last else 0)]) + length + payload


def closing(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


class Server:
    """The raw side of a connection: bytes in and out, frames of the client unmasked."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.head = b""
        self._held = b""

    async def request(self) -> str:
        """Read the request; return the key's answer."""
        self.head = await self._until(b"\r\n\r\n")
        lines = [line.partition(b": ") for line in self.head.split(b"\r\n")]
        key = next(value for name, _, value in lines if name.lower() == b"sec-websocket-key")
        return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()

    async def accept(self, more: bytes = b"") -> None:
        """Do the handshake, and send `more` in the same breath."""
        await self.stream.send_all(ACCEPTED.format(await self.request()).encode() + more)

    async def frame(self) -> tuple[int, bytes]:
        """Return the next frame of the client."""
        first, second = await self._exactly(2)
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await self._exactly(2 if size == 126 else 8), "big")
        mask = await self._exactly(4)
        payload = await self._exactly(size)
        return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))

    async def _more(self) -> None:
        data = await self.stream.receive_some(65536)
        if not data:
            raise trio.EndOfChannel
        self._held += data

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self._held:
            await self._more()
        before, _, self._held = self._held.partition(mark)
        return before

    async def _exactly(self, count: int) -> bytes:
        while len(self._held) < count:
            await self._more()
        taken, self._held = self._held[:count], self._held[count:]
        return taken


async def polite(stream: trio.abc.Stream) -> None:
    """Echo messages, answer pings and closes."""
    server = Server(stream)
    await server.accept()
    with suppress(trio.EndOfChannel):
        while True:
            opcode, payload = await server.frame()
            await stream.send_all(frame(PONG if opcode == PING else opcode, payload))
            if opcode == CLOSE:
                return


def answering(answer: bytes, *, stay: bool = False) -> Peer:
    """A peer that answers the request with bytes, then hangs up or stays."""

    async def peer(stream: trio.abc.Stream) -> None:
        await Server(stream).request()
        await stream.send_all(answer)
        if stay:
            await trio.sleep_forever()

    return peer


def saying(*parts: bytes, stay: bool = True) -> Peer:
    """A peer that accepts, sends, and then reads whatever comes or hangs up."""

    async def peer(stream: trio.abc.Stream) -> None:
        await Server(stream).accept(b"".join(parts))
        while stay and await stream.receive_some(65536):
            pass

    return peer


@asynccontextmanager
async def listening(peer: Peer, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on loopback; yields the port."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]

    async def handle(stream: trio.SocketStream) -> None:
        wrapped = stream if tls is None else trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        try:
            with suppress(trio.BrokenResourceError):
                await peer(wrapped)
        finally:
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield port
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def connected(url: str, dial: Dial = dial_tcp) -> AsyncIterator[TrioWebsocket]:
    """A connection that is closed at the end; its nursery must then be empty."""
    async with trio.open_nursery() as nursery:
        connection = await connect(nursery, url, (), seconds=SECONDS, dial=dial)
        try:
            yield connection
        finally:
            await connection.close(1.0)
            assert 0 == len(nursery.child_tasks)


async def refusal(url: str, *, seconds: float = SECONDS, dial: Dial = dial_tcp, headers=()) -> ConnectionEnded:
    """Fail to connect, with nothing but `ConnectionEnded`, and leave no task."""
    async with trio.open_nursery() as nursery:
        with pytest.raises(ConnectionEnded) as caught:
            await connect(nursery, url, headers, seconds=seconds, dial=dial)
        assert 0 == len(nursery.child_tasks)
    return caught.value


async def refused_by(peer: Peer, *, seconds: float = SECONDS) -> ConnectionEnded:
    async with listening(peer) as port:
        return await refusal(f"ws://127.0.0.1:{port}/", seconds=seconds)


async def to_the_end(connection: TrioWebsocket) -> tuple[list[str | bytes], ConnectionEnded]:
    """All messages, and the end that came after them."""
    messages = []
    try:
        with trio.fail_after(SECONDS):
            while True:
                messages.append(await connection.receive())
    except ConnectionEnded as ended:
        return messages, ended


class Wire:
    """Memory streams instead of the network: `dial` connects to `peer`, and knows whether its end was closed."""

    def __init__(self, nursery: trio.Nursery, peer: Peer, pair=trio.testing.memory_stream_pair) -> None:
        self._nursery = nursery
        self._peer = peer
        self._pair = pair
        self.closed: list[bool] = []

    async def dial(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        ours, theirs = self._pair()
        number = len(self.closed)
        self.closed.append(False)
        aclose = ours.aclose

        async def note() -> None:
            self.closed[number] = True
            await aclose()

        ours.aclose = note
        self._nursery.start_soon(self._serve, theirs)
        return ours

    async def _serve(self, stream: trio.abc.Stream) -> None:
        with suppress(trio.BrokenResourceError, trio.EndOfChannel):
            await self._peer(stream)


@pytest.fixture
def wire(nursery: trio.Nursery) -> Callable[..., Wire]:
    return partial(Wire, nursery)


@pytest.fixture(autouse=True)
def no_socket_is_left():
    """After each test as many descriptors are open as before."""
    before = {entry.name for entry in Path("/proc/self/fd").iterdir()}
    yield
    assert before == {entry.name for entry in Path("/proc/self/fd").iterdir()}


async def test_messages_go_both_ways() -> None:
    """Text stays text, bytes stay bytes, in order, also those that come in pieces."""
    async with listening(polite) as port, connected(f"ws://127.0.0.1:{port}/") as connection:
        for message in ("", "grüß", b"", b"\x00\xff" * 40000):
            await connection.send(message, SECONDS)
            assert message == await connection.receive()
        with trio.fail_after(SECONDS):
            await connection.ping()


async def test_the_request_says_what_it_should() -> None:
    """Path, query, host with its port, and our headers; what stands before an @ in the URL is told to nobody."""
    heads: list[bytes] = []

    async def peer(stream: trio.abc.Stream) -> None:
        server = Server(stream)
        await server.accept()
        heads.append(server.head)
        await stream.receive_some()

    async with listening(peer) as port, trio.open_nursery() as nursery:
        url = f"ws://me:secret@127.0.0.1:{port}/v3/ws?rate=16000&word=a%20b"
        headers = (("Authorization", "key"), ("X-Name", "grün"))
        connection = await connect(nursery, url, headers, seconds=SECONDS, dial=dial_tcp)
        await connection.close(0.0)
    lines = heads[0].split(b"\r\n")
    assert b"GET /v3/ws?rate=16000&word=a%20b HTTP/1.1" == lines[0]
    assert {f"Host: 127.0.0.1:{port}".encode(), b"Authorization: key", "X-Name: grün".encode()} <= set(lines)
    assert b"secret" not in heads[0]


async def test_a_port_where_nothing_listens() -> None:
    """A refused connection is local, with the token that the verdict tables match."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ended = await refusal(f"ws://127.0.0.1:{taken.getsockname()[1]}/")
    assert ended.text.startswith("connection-refused: nothing listens at 127.0.0.1: ")
    assert (True, None, None) == (ended.local, ended.close_code, ended.http_status)


@pytest.mark.parametrize("host", ["stenod-test.invalid", "bad..name", "a" * 70 + ".invalid", "xn--.invalid", ""])
async def test_a_name_that_is_none(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown names and those that no resolver can be asked for are one failure."""
    ended = await refusal(f"ws://{host}:9/", seconds=60.0)
    assert ended.text.startswith(f"{transport.NAME_NOT_RESOLVED}: ")
    assert ended.local


@pytest.mark.parametrize(
    ("error", "token"),
    [
        (OSError(101, "Network is unreachable"), transport.UNREACHABLE),
        (TimeoutError(110, "Connection timed out"), transport.UNREACHABLE),
        (trio.BrokenResourceError(), transport.UNREACHABLE),
        (ConnectionRefusedError(111, "refused"), transport.CONNECTION_REFUSED),
        (socket.gaierror(-3, "Temporary failure"), transport.NAME_NOT_RESOLVED),
        (ssl.SSLError("bad"), transport.TLS_FAILED),
    ],
)
async def test_what_dialling_can_raise(error: Exception, token: str) -> None:
    """Each has its token, also where trio wraps it in an error of its own with a group for a cause."""

    async def plainly(*_: object) -> trio.abc.Stream:
        raise error

    async def wrapped(*_: object) -> trio.abc.Stream:
        raise OSError("all attempts failed") from ExceptionGroup("attempts", [OSError(22, "other"), error])

    for dial in (plainly, wrapped):
        assert token == (await refusal("wss://example.invalid", dial=dial)).text.partition(":")[0]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_tls_with_a_trusted_certificate(authority: trustme.CA, monkeypatch, tmp_path: Path) -> None:
    """The system's certificates decide; here they are the test's."""
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with (
        listening(polite, server_context(authority, "localhost")) as port,
        connected(f"wss://localhost:{port}/") as connection,
    ):
        await connection.send("hello", SECONDS)
        assert "hello" == await connection.receive()


@pytest.mark.parametrize("known", [True, False])
async def test_tls_with_the_wrong_certificate(authority: trustme.CA, monkeypatch, tmp_path: Path, known: bool) -> None:
    """An authority that is not trusted, or a name that is another's, is refused, and the reason is told."""
    if known:
        trusted = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(trusted))
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with listening(polite, server_context(authority, "example.org" if known else "localhost")) as port:
        ended = await refusal(f"wss://localhost:{port}/")
    assert ended.text.startswith("tls: no trusted connection to localhost: ")
    assert ("Hostname mismatch" if known else "certificate verify failed") in ended.text
    assert ended.local


@pytest.mark.parametrize("named", [True, False])
async def test_tls_with_a_file_of_certificates(authority: trustme.CA, tmp_path: Path, named: bool) -> None:
    """Whoever a person names is trusted; then the system's authorities are not."""
    own = tmp_path / "ca.pem"
    (authority if named else trustme.CA()).cert_pem.write_to_path(str(own))
    dial = Dialler(str(own)).dial
    async with listening(polite, server_context(authority, "localhost")) as port:
        if named:
            async with connected(f"wss://localhost:{port}/", dial) as connection:
                await connection.send("hello", SECONDS)
                assert "hello" == await connection.receive()
        else:
            ended = await refusal(f"wss://localhost:{port}/", dial=dial)
            assert ended.text.startswith("tls: no trusted connection to localhost: ")


async def test_tls_where_none_is_spoken() -> None:
    """A plain port, and a host that is no name for a certificate."""

    async def greeting(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.receive_some()

    async with listening(greeting) as port:
        ended = await refusal(f"wss://127.0.0.1:{port}/")
    assert transport.TLS_FAILED == ended.text.partition(":")[0]


async def test_tls_that_never_answers() -> None:
    """The opening's deadline counts for the TLS handshake too, and the socket is closed."""

    async def silent(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    async with listening(silent) as port:
        ended = await refusal(f"wss://127.0.0.1:{port}/", seconds=0.05)
    assert "opening-deadline: no connection to 127.0.0.1 within 0.05 s" == ended.text
    assert ended.local


REFUSALS = {
    "a length": b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 6\r\n\r\nno key",
    "chunks": b"HTTP/1.1 401 Unauthorized\r\ntransfer-encoding: chunked\r\n\r\n6\r\nno key\r\n0\r\n\r\n",
    "the end of the connection": b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\nno key",
    "an old protocol": b"HTTP/1.0 401 Unauthorized\r\n\r\nno key",
    "a length that is never reached": b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 600\r\n\r\nno key",
}


@pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS)
async def test_a_refused_upgrade(answer: bytes) -> None:
    """The status counts and the body says why, however the answer tells its end: a wrong key is not a lost network."""
    ended = await refused_by(answering(answer))
    assert ("no key", 401, None, False) == (ended.text, ended.http_status, ended.close_code, ended.local)


@pytest.mark.parametrize("answer", [REFUSALS["a length that is never reached"], REFUSALS["an old protocol"]])
async def test_a_refusal_that_does_not_end(answer: bytes) -> None:
    """When the deadline comes, what was said until then counts."""
    ended = await refused_by(answering(answer, stay=True), seconds=0.1)
    assert ("no key", 401) == (ended.text, ended.http_status)


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (b"HTTP/1.1 429 Slow\r\ndg-error: Too many\r\ncontent-length: 2\r\n\r\n{}", 429, "Too many {}"),
        (b"HTTP/1.1 402 Pay\r\nDG-Error:  No funds \r\nconnection: close\r\n\r\n", 402, "No funds"),
        (
            b'HTTP/1.1 401 No\r\ndg-error: No key.\r\ndg-request-id: r1\r\nconnection: close\r\n\r\n{"err":"No key."}',
            401,
            '{"err":"No key."} (dg-request-id: r1)',
        ),
        (
            b'HTTP/1.1 429 Slow\r\ndg-request-id: r2\r\ncontent-length: 19\r\n\r\n{"request_id":"r2"}',
            429,
            '{"request_id":"r2"}',
        ),
        (
            b"HTTP/1.1 504 Late\r\ndg-request-id: r3\r\nconnection: close\r\n\r\n",
            504,
            "HTTP status 504 (dg-request-id: r3)",
        ),
        (b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", 503, "HTTP status 503"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://login.example/\r\ncontent-length: 0\r\n\r\n", 302, "HTTP status 302"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\xff!", 200, "\N{REPLACEMENT CHARACTER}!"),
        (b"HTTP/1.1 400 Bad\r\ncontent-length: 3000\r\n\r\n" + b"x" * 3000, 400, "x" * websocket.BODY_CHARACTERS_MAX),
        (b"HTTP/1.1 401 Unauth", 401, "HTTP status 401"),
    ],
)
async def test_what_a_refusal_says(answer: bytes, status: int, text: str) -> None:
    """Deepgram's headers stand beside the body where it does not say the same, a long body is cut, and without any the
    status is the text.
    """
    ended = await refused_by(answering(answer))
    assert (text, status) == (ended.text, ended.http_status)


async def test_a_web_page_is_named_and_not_quoted() -> None:
    """A login page or a proxy's error fills no log and no record."""
    page = b"\n<!DOCTYPE html>\n<html><body>" + b"<p>Log in</p>" * 50
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: " + str(len(page)).encode() + b"\r\n\r\n"
    ended = await refused_by(answering(head + page))
    assert (403, "HTTP status 403, with a web page") == (ended.http_status, ended.text)


async def test_a_refusal_without_end_is_bounded() -> None:
    """A peer that talks on and on does not fill the memory until the deadline."""

    async def flood(stream: trio.abc.Stream) -> None:
        await Server(stream).request()
        await stream.send_all(b"HTTP/1.1 500 Oh\r\n\r\n")
        while True:
            await stream.send_all(b"x" * 65536)

    ended = await refused_by(flood, seconds=60.0)
    assert (500, websocket.BODY_CHARACTERS_MAX) == (ended.http_status, len(ended.text))


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 101 Switching Pro", b"HT"])
async def test_a_peer_that_hangs_up_during_the_handshake(said: bytes) -> None:
    """It is told at once, not at the deadline, and counts as the network's fault."""
    ended = await refused_by(answering(said), seconds=60.0)
    assert ("the peer hung up during the handshake", 1006) == (ended.text, ended.close_code)
    assert ended.http_status is None


async def test_a_peer_that_resets_during_the_handshake() -> None:
    """So is a reset."""

    async def reset(stream: trio.SocketStream) -> None:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    ended = await refused_by(reset, seconds=60.0)
    assert (None, transport.ABNORMAL, False) == (ended.http_status, ended.close_code, ended.local)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        bytes(range(256)),
        b"\r\n\r\n\r\n",
        ACCEPTED.format("bm90IHRoZSBrZXk=").encode(),
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/2 101\r\n\r\n",
    ],
)
async def test_a_peer_that_does_not_speak_websocket(answer: bytes) -> None:
    """Garbage instead of an answer is an error of the protocol, and its beginning is told."""
    ended = await refused_by(answering(answer), seconds=60.0)
    assert (1002, None) == (ended.close_code, ended.http_status)
    assert ended.text.startswith("the peer does not speak WebSocket, it answered b'")


async def test_an_answer_that_never_comes(wire: Callable[..., Wire], autojump_clock) -> None:
    """The deadline holds to the second, and the stream is closed."""

    async def silent(stream: trio.abc.Stream) -> None:
        await Server(stream).request()
        await trio.sleep_forever()

    began = trio.current_time()
    through = wire(silent)
    ended = await refusal("ws://peer/", seconds=10.0, dial=through.dial)
    assert "opening-deadline: no connection to peer within 10 s" == ended.text
    assert (10.0, [True], True) == (trio.current_time() - began, through.closed, ended.local)


async def test_a_request_that_cannot_be_made_tells_no_secret() -> None:
    """A header that HTTP forbids is a defect of ours; its value stands in no text."""
    async with listening(polite) as port:
        ended = await refusal(f"ws://127.0.0.1:{port}/", headers=(("Authorization", "top\nsecret"),))
    assert ended.text.startswith("defect: no request could be made: ")
    assert "secret" not in ended.text
    assert ended.local


async def test_messages_come_before_the_end() -> None:
    """However many are queued when the peer closes, all are delivered, then its code and reason."""
    words = [frame(TEXT, str(number).encode()) for number in range(500)]
    peer = saying(*words, closing(4008, "Session limit"))
    async with listening(peer) as port, connected(f"ws://127.0.0.1:{port}/") as connection:
        messages, ended = await to_the_end(connection)
        assert [str(number) for number in range(500)] == messages
        assert ("Session limit", 4008, None, False) == (ended.text, ended.close_code, ended.http_status, ended.local)
        for call in (connection.receive, partial(connection.send, "x", SECONDS), connection.ping):
            with pytest.raises(ConnectionEnded, match="Session limit"):
                await call()


@pytest.mark.parametrize(
    ("said", "code", "text"),
    [
        (closing(1000), 1000, ""),
        (closing(1011, "grüße"), 1011, "grüße"),
        (closing(3005, "x" * 123), 3005, "x" * 123),
        (frame(CLOSE), 1005, ""),
        (closing(410, "gone"), 1002, "CLOSE with invalid code"),
        (closing(1006, "abnormal"), 1002, "remote CLOSE with local-only reason"),
        (frame(CLOSE, b"\x03"), 1002, "CLOSE with 1 byte payload"),
        (frame(TEXT, b"\xff\xfe"), 1007, "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (frame(15, b"?"), 1002, "Invalid opcode 0xf"),
        (b"\xc1\x01x", 1002, "Reserved bit set unexpectedly"),
        (frame(PING, b"x" * 126), 1002, "Control frame with payload len > 125"),
    ],
)
async def test_how_a_peer_ends(said: bytes, code: int, text: str) -> None:
    """Codes and reasons as they came; what breaks the protocol, such as a code of 410, is said by its standard code."""
    async with (
        listening(saying(frame(TEXT, b"word"), said)) as port,
        connected(f"ws://127.0.0.1:{port}/") as connection,
    ):
        messages, ended = await to_the_end(connection)
    assert (["word"], code, text) == (messages, ended.close_code, ended.text)
    assert not ended.local


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_is_cut(reset: bool) -> None:
    """Without a close frame the code is 1006, for an end of the stream and for a reset alike."""
    go_on = trio.Event()

    async def cut(stream: trio.SocketStream) -> None:
        await Server(stream).accept(frame(TEXT, b"word"))
        await go_on.wait()
        if reset:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with listening(cut) as port, connected(f"ws://127.0.0.1:{port}/") as connection:
        assert "word" == await connection.receive()
        go_on.set()
        messages, ended = await to_the_end(connection)
        assert ([], 1006, False) == (messages, ended.close_code, ended.local)
        with pytest.raises(ConnectionEnded) as caught:
            await connection.send("more", SECONDS)
    assert 1006 == caught.value.close_code


async def test_a_message_over_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of just the limit is taken; one byte more, in however many frames, ends the connection with 1009."""
    monkeypatch.setattr(websocket, "MESSAGE_BYTES_MAX", 1000)
    go_on = trio.Event()

    async def peer(stream: trio.abc.Stream) -> None:
        await Server(stream).accept(frame(BINARY, bytes(1000)))
        await go_on.wait()
        await stream.send_all(frame(BINARY, bytes(600), last=False) + frame(0, bytes(401)))
        await stream.receive_some()

    async with listening(peer) as port, connected(f"ws://127.0.0.1:{port}/") as connection:
        assert bytes(1000) == await connection.receive()
        go_on.set()
        messages, ended = await to_the_end(connection)
    text = "oversized-message: Exceeded maximum message size: 1000 bytes"
    assert ([], 1009, text, True) == (messages, ended.close_code, ended.text, ended.local)


async def test_a_peer_with_a_smaller_limit_speaks_for_itself() -> None:
    """Its close is the provider's, not ours, in whatever words."""
    said = "Exceeded maximum message size: 1000 bytes"
    async with (
        listening(saying(closing(1009, said))) as port,
        connected(f"ws://127.0.0.1:{port}/") as connection,
    ):
        ended = (await to_the_end(connection))[1]
    assert (1009, said, False) == (ended.close_code, ended.text, ended.local)


async def test_a_large_message_right_after_the_upgrade() -> None:
    """What follows the handshake at once is no part of it, however long it is."""
    size = 4 * websocket.ANSWER_BYTES_MAX
    async with (
        listening(saying(frame(BINARY, bytes(size)), closing(1000))) as port,
        connected(f"ws://127.0.0.1:{port}/") as connection,
    ):
        assert [bytes(size)] == (await to_the_end(connection))[0]


async def dial_narrow(host: str, port: int, tls: bool) -> trio.abc.Stream:
    """A socket whose kernel takes little ahead of the peer."""
    stream = await dial_tcp(host, port, tls)
    assert isinstance(stream, trio.SocketStream)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return stream


async def test_a_peer_that_stops_reading() -> None:
    """A send that takes too long ends the connection, for the receiver and the pings as well."""

    async def deaf(stream: trio.abc.Stream) -> None:
        await Server(stream).accept()
        await trio.sleep_forever()

    async with (
        listening(deaf) as port,
        connected(f"ws://127.0.0.1:{port}/", dial_narrow) as connection,
    ):
        ends = []

        async def receive() -> None:
            ends.append((await to_the_end(connection))[1])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            with pytest.raises(ConnectionEnded) as caught:
                await connection.send(bytes(8 * 1024 * 1024), 0.1)
        assert "send-deadline: a message took over 0.1 s to send" == caught.value.text
        assert (True, 1006, 1006) == (caught.value.local, caught.value.close_code, ends[0].close_code)
        for call in (partial(connection.send, "x", SECONDS), connection.ping):
            with pytest.raises(ConnectionEnded):
                await call()


async def test_a_ping_to_a_deaf_peer_waits(wire: Callable[..., Wire], autojump_clock) -> None:
    """Its deadline is the caller's; given up, it leaves the connection as it was, and late pongs hurt nobody."""

    async def late(stream: trio.abc.Stream) -> None:
        server = Server(stream)
        await server.accept()
        pings = [await server.frame() for _ in range(2)]
        await trio.sleep(100)
        for _, payload in (*pings, (PONG, b"never asked")):
            await stream.send_all(frame(PONG, payload))
        await stream.send_all(frame(TEXT, b"here"))

    async with connected("ws://peer/", wire(late).dial) as connection:
        for _ in range(2):
            with trio.move_on_after(3.0) as scope:
                await connection.ping()
            assert scope.cancelled_caught
        assert "here" == await connection.receive()


async def test_a_ping_of_the_peer_is_answered() -> None:
    """With its own payload, while we only receive."""
    answers = []

    async def asking(stream: trio.abc.Stream) -> None:
        server = Server(stream)
        await server.accept(frame(PING, b"42"))
        answers.append(await server.frame())
        await stream.send_all(closing(1000))

    async with listening(asking) as port, connected(f"ws://127.0.0.1:{port}/") as connection:
        await to_the_end(connection)
    assert [(PONG, b"42")] == answers


async def test_close_is_polite(wire: Callable[..., Wire], autojump_clock) -> None:
    """A close frame with 1000, then the peer's answer, then nothing; a second call does nothing."""
    frames = []

    async def peer(stream: trio.abc.Stream) -> None:
        server = Server(stream)
        await server.accept()
        frames.append(await server.frame())
        await trio.sleep(0.5)
        await stream.send_all(closing(1000))

    through = wire(peer)
    began = trio.current_time()
    async with connected("ws://peer/", through.dial) as connection:
        await connection.close(1.0)
        assert 0.5 == trio.current_time() - began
        await connection.close(1.0)
        for call in (connection.receive, partial(connection.send, "x", 1.0), connection.ping):
            with pytest.raises(ConnectionEnded):
                await call()
    assert [(CLOSE, struct.pack("!H", 1000))] == frames
    assert (0.5, [True]) == (trio.current_time() - began, through.closed)


async def deaf_after_upgrade(stream: trio.abc.Stream) -> None:
    await Server(stream).accept()
    await trio.sleep_forever()


async def flooding(stream: trio.abc.Stream) -> None:
    """Many more messages than anybody waits for, and not a byte is read."""
    await Server(stream).accept()
    await stream.send_all(frame(TEXT, b"word") * 10 * websocket.MESSAGES_WAITING_MAX)
    await trio.sleep_forever()


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("peer", [deaf_after_upgrade, flooding])
@pytest.mark.parametrize("pair", [trio.testing.memory_stream_pair, trio.testing.lockstep_stream_pair])
async def test_close_is_bounded(wire: Callable[..., Wire], autojump_clock, pair, peer: Peer, cancelled: bool) -> None:
    """Against a peer that does not answer, or does not even read, or talks all the time; also when cancelled."""
    through = wire(peer, pair)
    async with trio.open_nursery() as nursery:
        connection = await connect(nursery, "ws://peer/", (), seconds=SECONDS, dial=through.dial)
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        with trio.CancelScope() as scope:
            if cancelled:
                scope.cancel()
            await connection.close(2.0)
    assert trio.current_time() - began <= 2.0
    assert [True] == through.closed


async def test_sends_do_not_mix() -> None:
    """Two tasks that send large messages at once deliver whole messages."""
    async with listening(polite) as port, connected(f"ws://127.0.0.1:{port}/") as connection:
        messages = [bytes([number]) * 100_000 for number in range(1, 6)]
        async with trio.open_nursery() as nursery:
            for message in messages:
                nursery.start_soon(connection.send, message, SECONDS)
        assert set(messages) == {await connection.receive() for _ in messages}


class CancelAt(trio.abc.Instrument):
    """Cancels a scope before the nth step of a task."""

    def __init__(self, step: int) -> None:
        self.scope = trio.CancelScope()
        self._task = trio.lowlevel.current_task()
        self._left = step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._left -= 1
            if self._left == 0:
                self.scope.cancel()


async def whole_life(dial: Dial) -> None:
    """Connect, talk, close: what a session does."""
    async with trio.open_nursery() as nursery:
        connection = await connect(nursery, "ws://peer/", (), seconds=SECONDS, dial=dial)
        try:
            await connection.send("word", SECONDS)
            assert "word" == await connection.receive()
            await connection.ping()
        finally:
            await connection.close(1.0)


@pytest.mark.parametrize(
    "peer", [polite, deaf_after_upgrade, answering(b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n")]
)
async def test_cancelled_at_every_step(wire: Callable[..., Wire], autojump_clock, peer: Peer) -> None:
    """Wherever a cancellation strikes, the nursery comes to its end and the stream is closed."""
    for step in itertools.count(1):
        through = wire(peer)
        instrument = CancelAt(step)
        trio.lowlevel.add_instrument(instrument)
        try:
            with suppress(ConnectionEnded), instrument.scope, trio.move_on_after(60.0):
                try:
                    await whole_life(through.dial)
                except ExceptionGroup as group:
                    raise group.exceptions[0] from group
        finally:
            trio.lowlevel.remove_instrument(instrument)
        assert all(through.closed), step
        if not instrument.scope.cancel_called:
            break
    assert step > 5


async def test_the_headers_of_the_response() -> None:
    """Names in lower case, values in order; what the provider says of the session there is not lost."""

    async def answering_with_headers(stream: trio.abc.Stream) -> None:
        server = Server(stream)
        head = ACCEPTED.format(await server.request()).removesuffix("\r\n")
        await stream.send_all(f"{head}DG-Request-Id: r1\r\nx-two: a\r\nX-Two: b\r\n\r\n".encode())
        with suppress(trio.EndOfChannel):
            await server.frame()

    async with listening(answering_with_headers) as port, connected(f"ws://127.0.0.1:{port}/") as connection:
        assert ("r1", "a, b") == (connection.headers["dg-request-id"], connection.headers["x-two"])
