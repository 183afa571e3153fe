"""One question over HTTP against raw peers on loopback: every answer, every end, every deadline."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trustme

from stenod.core.transport import ConnectionEnded
from stenod.edge.dialling import Dialler
from stenod.edge.http import BODY_BYTES_MAX, fetch

SECONDS = 5.0
"""For what must come at once; no test waits for it."""
Peer = Callable[[trio.abc.Stream], Awaitable[None]]


@asynccontextmanager
async def listening(peer: Peer, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on loopback; yields the port."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def handle(stream: trio.SocketStream) -> None:
        wrapped = stream if tls is None else trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        try:
            await peer(wrapped)
        except trio.BrokenResourceError:
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def answering(*parts: bytes, heads: list[bytes] | None = None, stay: bool = False) -> Peer:
    """A peer that reads the request and says the parts, then hangs up or stays."""

    async def peer(stream: trio.abc.Stream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some()
        if heads is not None:
            heads.append(head)
        for part in parts:
            await stream.send_all(part)
            await trio.sleep(0.001)
        if stay:
            await trio.sleep_forever()

    return peer


async def answer_of(peer: Peer, seconds: float = SECONDS) -> tuple[int, str]:
    """Ask the peer."""
    async with listening(peer) as port:
        return await fetch(f"http://127.0.0.1:{port}/v3/token?a=1", (), seconds=seconds, dial=Dialler().dial)


async def failure_of(peer: Peer, seconds: float = SECONDS) -> ConnectionEnded:
    """Ask the peer in vain."""
    async with listening(peer) as port:
        with pytest.raises(ConnectionEnded) as caught:
            await fetch(f"http://127.0.0.1:{port}/v3/token?a=1", (), seconds=seconds, dial=Dialler().dial)
    return caught.value


async def test_what_is_asked() -> None:
    """A GET with the headers it was given, on a connection of its own."""
    heads: list[bytes] = []
    async with listening(answering(b"HTTP/1.1 204 No\r\n\r\n", heads=heads)) as port:
        url = f"http://me:secret@127.0.0.1:{port}/v3/token?expires_in_seconds=60"
        found = await fetch(url, (("Authorization", "key"),), seconds=SECONDS, dial=Dialler().dial)
    assert (204, "") == found
    first, *lines = heads[0].removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert b"GET /v3/token?expires_in_seconds=60 HTTP/1.1" == first
    assert {f"Host: 127.0.0.1:{port}".encode(), b"Authorization: key", b"Connection: close"} <= set(lines)
    assert b"secret" not in heads[0]


@pytest.mark.parametrize(
    "parts",
    [
        (b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 6\r\n\r\nno key",),
        (b"HTTP/1.1 401 Unauthorized\r\ntransfer-encoding: chunked\r\n\r\n3\r\nno \r\n", b"3\r\nkey\r\n0\r\n\r\n"),
        (b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\nno", b" key"),
        (b"HTTP/1.0 401 Unauthorized\r\n\r\nno key",),
        (b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 600\r\n\r\nno key",),
        (b"HTTP/1.1 103 Early\r\n\r\n", b"HTTP/1.1 401 Unauth", b"orized\r\ncontent-length: 6\r\n\r\nno key"),
    ],
    ids=["length", "chunks", "the end", "old", "cut off", "in pieces"],
)
async def test_every_kind_of_answer(parts: tuple[bytes, ...]) -> None:
    """However it ends: with its length, in chunks, with the connection, or too early."""
    assert (401, "no key") == await answer_of(answering(*parts))


async def test_an_answer_that_does_not_end() -> None:
    """When the deadline comes, what was said until then counts."""
    peer = answering(b"HTTP/1.1 503 Busy\r\ncontent-length: 600\r\n\r\nbusy", stay=True)
    assert (503, "busy") == await answer_of(peer, seconds=0.1)


async def test_an_answer_that_is_too_long() -> None:
    """It is cut off, and the rest is not waited for."""
    peer = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n" + b"x" * (BODY_BYTES_MAX + 1), stay=True)
    assert (200, "x" * BODY_BYTES_MAX) == await answer_of(peer)


async def test_bytes_that_are_no_text() -> None:
    """They are replaced, not raised."""
    body = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\xff!"
    assert (200, "\N{REPLACEMENT CHARACTER}!") == await answer_of(answering(body))


@pytest.mark.parametrize(
    ("parts", "text", "code"),
    [
        ((), "the peer hung up before it answered", 1006),
        ((b"HTTP/1.1 2",), "the peer hung up before it answered", 1006),
        ((b"SSH-2.0-OpenSSH_9.2\r\n\r\n",), "the peer does not speak HTTP: ", 1002),
        ((b"HTTP/1.1 200 OK\r\nx: " + b"y" * 40_000,), "the peer does not speak HTTP: ", 1002),
    ],
    ids=["nothing", "half", "ssh", "an endless head"],
)
async def test_what_is_no_answer(parts: tuple[bytes, ...], text: str, code: int) -> None:
    """The same codes as for a WebSocket, so that the same rows judge them."""
    ended = await failure_of(answering(*parts))
    assert ended.text.startswith(text)
    assert (code, None, False) == (ended.close_code, ended.http_status, ended.local)


async def test_a_peer_that_keeps_silent() -> None:
    """The deadline is the opening's; the text has neither path nor query."""
    ended = await failure_of(answering(stay=True), seconds=0.05)
    assert ("opening-deadline: no answer from 127.0.0.1 within 0.05 s", True) == (ended.text, ended.local)


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("http://127.0.0.1:1/", "connection-refused"),
        ("http://bad..name/", "name-not-resolved"),
        ("http://127.0.0.1:1/\u00fc", "name-not-resolved"),
        ("http://127.0.0.1:1/a b", "defect"),
    ],
)
async def test_where_nobody_can_be_asked(url: str, token: str) -> None:
    """Dialling has its tokens, and what cannot be asked at all is an end too."""
    with pytest.raises(ConnectionEnded) as caught:
        await fetch(url, (), seconds=SECONDS, dial=Dialler().dial)
    assert (token, True) == (caught.value.text.partition(":")[0], caught.value.local)


async def test_over_tls(tmp_path: Path) -> None:
    """With the certificates that a person trusts, and with no others."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    peer = answering(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}")
    async with listening(peer, context) as port:
        url = f"https://localhost:{port}/v3/token"
        assert (200, "{}") == await fetch(url, (), seconds=SECONDS, dial=Dialler(str(tmp_path / "ca.pem")).dial)
        with pytest.raises(ConnectionEnded, match=r"^tls: no trusted connection to localhost: "):
            await fetch(url, (), seconds=SECONDS, dial=Dialler().dial)
