"""LiveKit's and Pipecat's speech-to-text plugins as clients of the emulator: whole frameworks, pointed at loopback."""

from pathlib import Path
from typing import Any

import pytest
from daemon import plain, together
from server import emulator, fault, truth
from strangers import plan, require_peer, run

pytestmark = [pytest.mark.real, pytest.mark.slow]

MODELS = {"assemblyai": "universal-3-5-pro", "deepgram": "nova-3", "deepgram_flux": "flux-general-en"}
TALK_SECONDS = 6.0
"""One turn of the oracle, and quiet enough to end it: Flux says nothing final of a turn that is open at the end."""
frameworks = pytest.mark.parametrize("script", ["livekit_stt", "pipecat_stt"])
FINAL = {"livekit_stt": "FINAL_TRANSCRIPT", "pipecat_stt": "TranscriptionFrame"}
INTERIM = {"livekit_stt": "INTERIM_TRANSCRIPT", "pipecat_stt": "InterimTranscriptionFrame"}


def plans(seconds: float, **more: Any) -> list[dict[str, Any]]:
    """Return a plan for each provider that a framework knows."""
    return [
        plan([["stream", seconds]], {"model": model}, options={"provider": provider}, **more)
        for provider, model in MODELS.items()
    ]


@frameworks
@together
async def test_transcripts(place: Path, script: str) -> None:
    """Each provider's plugin shows what is being said, gives every word as final, and ends its session."""
    require_peer(script)
    async with emulator(place / "server") as server:
        peers = await run(place, script, server, *plans(TALK_SECONDS))
        assert len(MODELS) == len(server.of("opened"))
        # Pipecat's process may be gone before its close frame is out.
        abrupt = {"network"} if script == "pipecat_stt" else set()
        assert {"client"} == {ended["by"] for ended in server.of("ended")} - abrupt
        assert [] == server.of("refused") + server.of("failed")
    for provider, peer in zip(MODELS, peers, strict=True):
        words = [plain(word) for text in peer.of(FINAL[script]) for word in text.split()]
        assert [word.text for word in truth(TALK_SECONDS)] == words, provider
        assert len(peer.of(INTERIM[script])) > 3, provider
        assert [] == peer.of("ERROR"), provider


@frameworks
@together
async def test_wrong_keys(place: Path, script: str) -> None:
    """Each plugin tells an error, and there is no transcript."""
    require_peer(script)
    async with emulator(place / "server", "--key", "the-right-one") as server:
        peers = await run(place, script, server, *plans(2.0))
        assert [] == server.of("opened") + server.of("failed")
    for provider, peer in zip(MODELS, peers, strict=True):
        assert peer.of("ERROR"), provider
        assert [] == peer.of(FINAL[script]), provider
    if script == "livekit_stt":
        assert [[1008], [401], [401]] == [[line["code"] for line in peer.lines] for peer in peers]


@frameworks
@together
async def test_a_line_that_is_cut(place: Path, script: str) -> None:
    """LiveKit, told not to try again, says so; Pipecat opens another session by itself."""
    require_peer(script)
    cuts = "".join(fault(kind="drop", audio=1.0, count=1, session=number) for number in (0, 1, 2))
    livekit = script == "livekit_stt"
    faults = cuts if livekit else fault(kind="drop", audio=1.0, session=0)
    some = plans(3.0) if livekit else plans(3.0)[2:]
    async with emulator(place / "server", faults=faults) as server:
        peers = await run(place, script, server, *some)
        assert [] == server.of("failed")
        assert (3 if livekit else 2) == len(server.of("opened"))
    for peer in peers if livekit else ():
        assert 1 == len(peer.of("ERROR"))
