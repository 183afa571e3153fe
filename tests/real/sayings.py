"""A server in the test's own process that does one thing to a client and then no more: the emulator, or a raw one.

The raw one says what the emulator refuses to say: any bytes of a close frame, any body of a refusal.
"""

import base64
import hashlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio
from seeds import ASSEMBLYAI, FLUX, V2, Raw, Row

from stenod.emulator.faults import Fault
from stenod.emulator.options import EmulatorOptions
from stenod.emulator.server import serve

PATHS = {ASSEMBLYAI: "/v3/ws", V2: "/v2/realtime/ws", "deepgram": "/v1/listen", FLUX: "/v2/listen"}
GREETINGS = {
    ASSEMBLYAI: '{"type":"Begin","id":"0b8f6a1e-51d2-4c7e-9d55-2f1f7c0a9e01","expires_at":4102444800}',
    FLUX: '{"type":"Connected","request_id":"11111111-2222-4333-8444-555555555555","sequence_id":0}',
}
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE = 0x81, 0x88
STAY_SECONDS_MAX = 120.0


@asynccontextmanager
async def saying(row: Row) -> AsyncIterator[str]:
    """Yield the address of a server that says what the row has, to the first who asks."""
    async with trio.open_nursery() as nursery:
        if row.kind == "raw":
            first = iter([True])
            answer = partial(_answer, row, first)
            (listener,) = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
            port = listener.socket.getsockname()[1]
        else:
            server = await nursery.start(serve, EmulatorOptions(engine="oracle", v2=True, faults=(_fault(row),)))
            port = server.port
        yield f"ws://127.0.0.1:{port}{PATHS[row.provider]}"
        nursery.cancel_scope.cancel()


def _fault(row: Row) -> Fault:
    when = {"attempt": 0} if row.opening else {"session": 0}
    if row.kind == "drop":
        return Fault(kind=row.kind, **when)
    what = {"status": row.code} if row.kind == "status" else {"code": row.code}
    return Fault(kind=row.kind, text=row.text, **what, **when)


async def _answer(row: Row, first: "AsyncIterator[bool]", stream: trio.SocketStream) -> None:
    """Say it to the first connection; any other gets no answer."""
    with trio.move_on_after(STAY_SECONDS_MAX):
        if next(first, False):
            key = await _asked(stream)
            await stream.send_all(_refused(row.raw) if row.raw.status else _accepted(row, key))
        async for _ in stream:
            pass


async def _asked(stream: trio.SocketStream) -> str:
    """Return the key of a request for an upgrade."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += await stream.receive_some()
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")]
    return next(value for name, _, value in lines if name.lower() == "sec-websocket-key")


def _refused(raw: Raw) -> bytes:
    headers = [*raw.headers, ("Content-Length", str(len(raw.body))), ("Connection", "close")]
    lines = [f"HTTP/1.1 {raw.status} Refused", *(f"{name}: {value}" for name, value in headers), "", raw.body]
    return "\r\n".join(lines).encode()


def _accepted(row: Row, key: str) -> bytes:
    proof = base64.b64encode(hashlib.sha1((key + MAGIC).encode()).digest()).decode()
    headers = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {proof}")
    greeting = GREETINGS.get(row.provider)
    messages = ([] if greeting is None or row.opening else [greeting]) + list(row.raw.messages)
    code = b"" if row.raw.code is None else struct.pack("!H", row.raw.code) + row.raw.reason.encode()
    upgrade = "\r\n".join(["HTTP/1.1 101 Switching Protocols", *headers, "", ""]).encode()
    return upgrade + b"".join(_frame(TEXT, message.encode()) for message in messages) + _frame(CLOSE, code)


def _frame(kind: int, payload: bytes) -> bytes:
    size = len(payload)
    return bytes([kind, size]) + payload if size < 126 else bytes([kind, 126]) + struct.pack("!H", size) + payload
