"""Messages against the vendors' own types: what the emulator says, and what the providers' tests take for a message."""

import importlib.util
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import pytest
import trio
from daemon import RATE, together
from server import KEY, Emulator, emulator, speech
from strangers import ask, require_peer
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

pytestmark = [pytest.mark.real, pytest.mark.slow]

PROVIDERS = Path(__file__).parent.parent / "providers"
CHUNK_BYTES = RATE // 10 * 2
KNOWN_TO_THE_SERVICE = {
    "assemblyai": {
        "Begin.configuration.domain",
        "Begin.configuration.filter_profanity",
        "Begin.configuration.redact_pii",
        "Begin.configuration.speaker_labels",
        "Begin.configuration.voice_focus",
        "SpeakerRevision.revisions.words.speaker_confidence",
        "SpeechStarted.confidence",
        "Turn.utterance",
        "Turn.words.speaker_confidence",
    },
    "deepgram": {"Metadata.model_info", "Metadata.models"},
    "deepgram_flux": set(),
}
"""Fields that the live services were seen to send, and that the SDKs' types do not have."""


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    require_peer("sdk_models")


class Client:
    """A bare connection, and all messages that came."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket
        self.messages: list[dict[str, Any]] = []

    async def listen(self) -> None:
        """Collect messages to the end."""
        try:
            while True:
                self.messages.append(json.loads(await self._socket.get_message()))
        except ConnectionClosed:
            return

    async def say(self, kind: str, **more: Any) -> None:
        """Send a command, unless the session is over."""
        with suppress(ConnectionClosed):
            await self._socket.send_message(json.dumps({"type": kind, **more}))

    async def stream(self, pcm: bytes) -> None:
        """Send audio in real time."""
        origin = trio.current_time()
        for number, place in enumerate(range(0, len(pcm), CHUNK_BYTES), 1):
            await self._socket.send_message(pcm[place : place + CHUNK_BYTES])
            await trio.sleep_until(origin + number * 0.1)


@asynccontextmanager
async def talking(
    server: Emulator, path: str, parameters: dict[str, Any], authorization: str = KEY
) -> AsyncIterator[Client]:
    """Yield a connection that listens; leaving waits for its end."""
    headers = [(b"Authorization", authorization.encode())]
    resource = f"{path}?{urlencode(parameters)}"
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream, trio.open_nursery() as nursery:
        socket = await wrap_client_stream(nursery, stream, "127.0.0.1", resource, extra_headers=headers)
        client = Client(socket)
        async with trio.open_nursery() as listening:
            listening.start_soon(client.listen)
            yield client
            listening.cancel_scope.deadline = trio.current_time() + 20.0
        nursery.cancel_scope.cancel()


async def judged(place: Path, dialect: str, messages: list[dict[str, Any]]) -> dict[str, str]:
    """Let the SDK's types judge messages: each must have one, and be right; return which types there were."""
    lines = "".join(json.dumps({"dialect": dialect, "message": message}) + "\n" for message in messages)
    told, _ = await ask(place, "sdk_models", lines.encode())
    for message, one in zip(messages, told, strict=True):
        assert one["type"] is not None, message
        assert [] == one["faults"], message
        assert set(one["unknown"]) <= KNOWN_TO_THE_SERVICE[dialect], message
    return {message["type"]: one["type"] for message, one in zip(messages, told, strict=True)}


PRO = {"sample_rate": RATE, "speech_model": "universal-3-5-pro"}
OPTED_IN = {"session_heartbeat": "true", "acknowledge_silence": "true", "speaker_labels": "true"}
ENGLISH = {"sample_rate": RATE, "speech_model": "universal-streaming-english", "format_turns": "true"}


@together
async def test_what_assemblyai_is_made_to_say(place: Path) -> None:
    """Everything that there is to say, and the ways to end."""
    pcm = speech(20.0)
    said: list[dict[str, Any]] = []

    async def talk(parameters: dict[str, Any], audio: bytes, goodbye: str) -> None:
        async with talking(server, "/v3/ws", parameters) as client:
            await client.stream(audio)
            await client.say(goodbye)
        said.extend(client.messages)

    async with emulator(place / "server") as server, trio.open_nursery() as nursery:
        detected = {"language_detection": "true"}
        nursery.start_soon(talk, PRO | OPTED_IN | detected, pcm, "Terminate")
        await server.until("opened")  # the first session's dice say who speaks
        nursery.start_soon(talk, ENGLISH, pcm[: 8 * RATE * 2], "Terminate")
        nursery.start_soon(talk, ENGLISH, pcm[: 5 * RATE * 2], "Unheard of")
        nursery.start_soon(talk, ENGLISH | {"sample_rate": 1}, b"", "Terminate")
    types = await judged(place, "assemblyai", said)
    spoken = {"Begin", "SpeechStarted", "Turn", "Heartbeat", "Silence", "SpeakerRevision", "Termination", "Error"}
    assert spoken == set(types)
    assert "ErrorEvent" == types["Error"]


@together
async def test_what_deepgram_is_made_to_say(place: Path) -> None:
    """Results of every kind, the detector's events, answers to changes and to what cannot be read, the metadata."""
    audio = {"encoding": "linear16", "sample_rate": RATE}
    switches = dict.fromkeys(("interim_results", "vad_events", "smart_format", "diarize"), "true")
    said: list[dict[str, Any]] = []

    async def talk(parameters: dict[str, Any]) -> None:
        async with talking(server, "/v1/listen", parameters, f"Token {KEY}") as client:
            await client.stream(speech(8.0))
            await client.say("Configure", keyterms=["stenod"])
            await client.say("Unheard of")
            await client.say("Finalize")
            await client.stream(speech(2.0, 8.0))
            await client.say("CloseStream")
        said.extend(client.messages)

    async with emulator(place / "server") as server, trio.open_nursery() as nursery:
        nursery.start_soon(talk, audio | switches | {"model": "nova-3", "utterance_end_ms": 1000, "endpointing": 300})
        nursery.start_soon(talk, audio | {"model": "nova-2", "language": "multi"})
    assert {
        "Results",
        "SpeechStarted",
        "UtteranceEnd",
        "ConfigureSuccess",
        "ConfigureFailure",
        "Error",
        "Metadata",
    } == set(await judged(place, "deepgram", said))


@together
async def test_what_flux_is_made_to_say(place: Path) -> None:
    """Turns, answers to changes, and the fatal error."""
    audio = {"encoding": "linear16", "sample_rate": RATE}
    said: list[dict[str, Any]] = []

    async def talk(parameters: dict[str, Any], goodbye: str) -> None:
        async with talking(server, "/v2/listen", audio | parameters, f"Token {KEY}") as client:
            await client.stream(speech(6.0))
            await client.say("Configure", thresholds={"eot_timeout_ms": 2000}, keyterms=["stenod"])
            await client.say("Configure", thresholds={"eot_threshold": 7})
            await client.stream(speech(1.0, 6.0))
            await client.say("ForceEndTurn")
            await client.say(goodbye)
        said.extend(client.messages)

    async with emulator(place / "server") as server, trio.open_nursery() as nursery:
        nursery.start_soon(talk, {"model": "flux-general-en", "eager_eot_threshold": 0.4}, "CloseStream")
        nursery.start_soon(talk, {"model": "flux-general-multi", "language_hint": "en"}, "Unheard of")
    assert {"Connected", "TurnInfo", "ConfigureSuccess", "ConfigureFailure", "Error"} == set(
        await judged(place, "deepgram_flux", said)
    )
    events = {message["event"] for message in said if message["type"] == "TurnInfo"}
    assert {"StartOfTurn", "Update", "EagerEndOfTurn", "EndOfTurn"} <= events


def completed(dialect: str, message: dict[str, Any]) -> dict[str, Any]:
    """Return a test's message with what the tests leave out: the number that Flux counts, the model of results."""
    if dialect == "deepgram_flux":
        return {"sequence_id": 0} | message
    if message["type"] == "Results":
        model = {
            "model_info": {"name": "general-nova-3", "version": "2025-01-01.1", "arch": "nova-3"},
            "model_uuid": "",
        }
        return message | {"metadata": model | message["metadata"]}
    return message


def module_of(path: Path) -> ModuleType:
    """Return a test's module, loaded once more."""
    spec = importlib.util.spec_from_file_location(f"fixtures_of_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fixtures(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the messages among a module's constants."""
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from fixtures(item)


@pytest.mark.parametrize("dialect", [path.stem[5:-13] for path in sorted(PROVIDERS.glob("test_*_conversation.py"))])
@together
async def test_what_the_providers_are_tested_with(place: Path, dialect: str) -> None:
    """The messages that our tests are made of are such as the SDKs read, but for what the tests leave out."""
    constants = vars(module_of(PROVIDERS / f"test_{dialect}_conversation.py")).values()
    messages = [completed(dialect, one) for value in constants for one in fixtures(value)]
    assert messages
    await judged(place, dialect, messages)
