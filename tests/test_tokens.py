"""Temporary tokens from the option to the session: the real dialect, HTTP and WebSocket, on memory streams."""

import base64
import hashlib
import json
import struct
from functools import partial
from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest
import trio
import trio.testing

from fakes.clock import FakeClock
from fakes.journal import Disk
from fakes.log import FakeLog
from stenod.config import load
from stenod.core.backoff import Backoff, OpeningBudget
from stenod.edge import http, websocket
from stenod.edge.retry import until_open
from stenod.services import SERVICES
from stenod.tasks.provider import Provider
from stenod.tasks.session_options import SessionOptions
from stenod.tasks.sessions import Fatal, Sessions
from stenod.tasks.transcript import Transcript

KEY = "0123456789abcdef0123456789abcdef"
BEGIN = json.dumps({"type": "Begin", "id": "s1"})
EXPIRED = json.dumps({"type": "Error", "error_code": 1008, "error": "Unauthorized Connection: Signature has expired"})
CLOSED = struct.pack("!BBH", 0x88, 2, 1008)


def text(message: str) -> bytes:
    """Return a short message as a server sends it."""
    return bytes([0x81, len(message)]) + message.encode()


class Mint:
    """A server that makes tokens and opens sessions to them; `said` is what each session is told."""

    def __init__(self, nursery: trio.Nursery, *said: bytes, status: int = 200) -> None:
        self.asked: list[tuple[str, dict[str, list[str]], bool]] = []
        """For each request its path, its query and whether the key came with it."""
        self._nursery = nursery
        self._said = list(said)
        self._status = status
        self._tokens = 0

    async def dial(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        """See `core.dialling.Dial`."""
        await trio.lowlevel.checkpoint()
        assert ("streaming.assemblyai.com", 443, True) == (host, port, tls)
        near, far = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self._serve, far)
        return near

    async def _serve(self, stream: trio.abc.Stream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some()
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        target = urlsplit(lines[0].split()[1])
        self.asked.append((target.path, parse_qs(target.query), headers.get("authorization") == KEY))
        if target.path == "/v3/token":
            self._tokens += 1
            body = json.dumps({"token": f"token-{self._tokens}", "expires_in_seconds": 60})
            await stream.send_all(f"HTTP/1.1 {self._status} -\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
            return
        accept = hashlib.sha1(headers["sec-websocket-key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        answer = f"Sec-WebSocket-Accept: {base64.b64encode(accept).decode()}\r\n\r\n".encode()
        upgrade = b"HTTP/1.1 101 -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        await stream.send_all(upgrade + answer + self._said.pop(0))
        while await stream.receive_some():
            pass


class Counter:
    """What opens sessions at the mint."""

    def __init__(self, nursery: trio.Nursery, mint: Mint) -> None:
        self.log, self.disk = FakeLog(), Disk(8000)
        journal = self.disk.journal(log=self.log)
        transcript = Transcript(journal)
        nursery.start_soon(transcript.run)
        options = load(None, {}, {"assemblyai.temporary_tokens": True, "assemblyai.token_seconds": 30}).options
        self.sessions = Sessions(
            provider=Provider(
                dialect=SERVICES["assemblyai"].engaged(options),
                key=KEY,
                backoff=Backoff(Random(7)),
                budget=OpeningBudget(10.0),
                rate_ratio_max=1.25,
            ),
            journal=journal,
            transcript=transcript,
            options=SessionOptions(),
            clock=FakeClock(),
            connect=partial(websocket.connect, dial=mint.dial),
            fetch=partial(http.fetch, dial=mint.dial),
            until_open=until_open,
            log=self.log,
        )

    def told(self) -> str:
        """Return all that was logged and written."""
        return f"{self.log.lines} {self.disk.lines()}"


async def test_a_token_that_has_expired_is_replaced_once(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Another is made at once and opens the session; the key goes to the mint only, and no token is told anybody."""
    mint = Mint(nursery, text(EXPIRED) + CLOSED, text(BEGIN))
    counter = Counter(nursery, mint)
    session = await counter.sessions.open(nursery)
    assert "s1" == session.provider_session
    assert ["/v3/token", "/v3/ws", "/v3/token", "/v3/ws"] == [path for path, _, _ in mint.asked]
    assert [True, False, True, False] == [keyed for _, _, keyed in mint.asked]
    asked = {"expires_in_seconds": ["30"], "max_session_duration_seconds": ["10800"]}
    assert [asked, asked] == [query for path, query, _ in mint.asked if path == "/v3/token"]
    assert [["token-1"], ["token-2"]] == [query["token"] for path, query, _ in mint.asked if path == "/v3/ws"]
    assert ["token-expired"] == [line["rule"] for line in counter.log.of("session.ended")]
    assert not any(secret in counter.told() for secret in (KEY, "token-1", "token-2"))


async def test_a_second_token_that_has_expired(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Then it is the clock, and a person's business."""
    counter = Counter(nursery, Mint(nursery, text(EXPIRED) + CLOSED, text(EXPIRED) + CLOSED))
    with pytest.raises(Fatal) as caught:
        await counter.sessions.open(nursery)
    assert "token-expired" == caught.value.rule.name


async def test_a_token_that_is_repeated_is_not_told(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A peer may say what it likes."""
    said = json.dumps({"type": "Error", "error": "Invalid API key token-1"})
    counter = Counter(nursery, Mint(nursery, text(said) + CLOSED))
    with pytest.raises(Fatal, match="key"):
        await counter.sessions.open(nursery)
    assert "Invalid API key ****" in counter.told()
    assert "token-1" not in counter.told()


async def test_no_token_is_made(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """What the mint refuses is judged like a refused upgrade, and no session is tried."""
    mint = Mint(nursery, status=401)
    counter = Counter(nursery, mint)
    with pytest.raises(Fatal) as caught:
        await counter.sessions.open(nursery)
    assert ("http-unauthorized", ["/v3/token"]) == (caught.value.rule.name, [path for path, _, _ in mint.asked])
