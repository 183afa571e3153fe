"""Clients that others wrote, run as processes of their own against our server; see `peers/plan.py`.

They bring loops, threads and dependencies which have no place in a process that runs trio's tests. What is judged by
them is the emulator: whatever it says, a stranger must make of it what its documentation promises.
"""

import json
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio
import trustme
from daemon import RATE, Spoken, environment_in, plain
from parts import require_package
from server import KEY, TIME_SECONDS_MAX, Emulator, speech, truth

PEERS = Path(__file__).parent / "peers"
PEER_SECONDS_MAX = 180.0
PACKAGES = {
    "assemblyai_sdk": ("conformance", "assemblyai"),
    "assemblyai_sdk_asyncio": ("conformance", "assemblyai"),
    "deepgram_sdk": ("conformance", "deepgram-sdk"),
    "deepgram_sdk_asyncio": ("conformance", "deepgram-sdk"),
    "sdk_models": ("conformance", "assemblyai", "deepgram-sdk"),
    "livekit_stt": ("agents", "livekit-plugins-assemblyai", "livekit-plugins-deepgram"),
    "pipecat_stt": ("agents", "pipecat-ai"),
}
"""The extra that brings what each peer needs, and what that is."""


@dataclass(frozen=True, slots=True)
class Peer:
    """What became of a peer: its lines, and standard error."""

    lines: Sequence[dict[str, Any]]
    told: str

    def of(self, event: str) -> list[dict[str, Any]]:
        """Return the messages of one kind of event, as the peer's own types have them."""
        return [line["message"] for line in self.lines if line["event"] == event and "message" in line]

    def types(self) -> set[tuple[str, str]]:
        """Return which events came, and as what."""
        return {(line["event"], line["type"]) for line in self.lines}

    @property
    def errors(self) -> list[tuple[int | None, str]]:
        """The errors that the client told: code and text."""
        return [(line["code"], line["message"]) for line in self.lines if line["event"] == "Error" and "code" in line]


def require_peer(script: str) -> None:
    """Skip or fail the test if what a peer needs is not installed."""
    extra, *packages = PACKAGES[script]
    for package in packages:
        require_package(package, extra)


def plan(steps: Sequence[Sequence[Any]], parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return what a peer shall do; see `peers/plan.py` for what else may be said."""
    return {"steps": steps, "parameters": parameters, **more}


async def run(
    place: Path, script: str, server: Emulator, *plans: dict[str, Any], pcm: bytes = b"", **environment: str
) -> list[Peer]:
    """Let a peer play plans, one after the other, with the oracle's dialogue unless there is another recording."""
    longest = max(sum(step[1] for step in one["steps"] if step[0] == "stream") for one in plans)
    recording = place / "recording.raw"
    recording.write_bytes(pcm or speech(longest))
    common = {
        "url": f"ws://127.0.0.1:{server.port}",
        "key": KEY,
        "recording": str(recording),
        "rate": RATE,
        "chunk_seconds": 0.1,
    }
    stdin = json.dumps([common | one for one in plans]).encode()
    lines, told = await ask(place, script, stdin, **environment)
    return [Peer([line for line in lines if line["plan"] == number], told) for number in range(len(plans))]


async def ask(place: Path, script: str, stdin: bytes, **environment: str) -> tuple[list[dict[str, Any]], str]:
    """Run a peer's script to its end, which comes by itself and without a traceback; return its lines and errors."""
    with trio.fail_after(PEER_SECONDS_MAX):
        ended = await trio.run_process(
            [sys.executable, str(PEERS / f"{script}.py")],
            stdin=stdin,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=environment_in(place, PYTHONDONTWRITEBYTECODE="1", **environment),
        )
    told = ended.stderr.decode()
    assert 0 == ended.returncode, told
    assert "Traceback" not in told, told
    return [json.loads(line) for line in ended.stdout.splitlines()], told


@asynccontextmanager
async def tls(place: Path, server: Emulator) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """Stand before the server as `wss://` and `https://`; yield host and port, and the environment that trusts it."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(place / "authority.pem"))
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_ssl_over_tcp, partial(_forward, server.port), 0, context, host="localhost")
        listeners = await nursery.start(serve)
        port = listeners[0].transport_listener.socket.getsockname()[1]
        yield f"localhost:{port}", {"SSL_CERT_FILE": str(place / "authority.pem")}
        nursery.cancel_scope.cancel()


async def _forward(port: int, stream: trio.SSLStream[trio.SocketStream]) -> None:
    async with stream, await trio.open_tcp_stream("127.0.0.1", port) as onward, trio.open_nursery() as nursery:
        nursery.start_soon(_pump, onward, stream, nursery.cancel_scope)
        nursery.start_soon(_pump, stream, onward, nursery.cancel_scope)


async def _pump(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream, both: trio.CancelScope) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async for data in source:
            await sink.send_all(data)
    both.cancel()


def check_spoken(spoken: Sequence[Spoken], seconds: float) -> None:
    """Hold what a client was told to the truth: each word once, in its order, at its time."""
    expected = truth(seconds)
    assert [word.text for word in expected] == [plain(word.text) for word in spoken]
    for wanted, got in zip(expected, spoken, strict=True):
        assert abs(wanted.start - got.start) <= TIME_SECONDS_MAX, (wanted, got)
        assert abs(wanted.end - got.end) <= TIME_SECONDS_MAX, (wanted, got)
