"""AssemblyAI's own SDK as a client of the emulator: it gets what its documentation promises, as its own types."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from daemon import RATE, Spoken, alignment, plain, together
from sample import WRONG_WORDS_MAX, sample_pcm, sample_truth
from server import KEY, Emulator, emulator, fault
from strangers import Peer, check_spoken, plan, require_peer, run, tls

pytestmark = [pytest.mark.real, pytest.mark.slow]

ENGLISH = {"sample_rate": RATE, "speech_model": "universal-streaming-english"}
PRO = {"sample_rate": RATE, "speech_model": "universal-3-5-pro"}
TALK_SECONDS = 8.0
"""Two turns of the oracle, the second of which the end of the session ends."""
MID_TURN_SECONDS = 2.8
"""Between two words of the first."""
both = pytest.mark.parametrize("script", ["assemblyai_sdk", "assemblyai_sdk_asyncio"])
"""The client of threads and the client of asyncio."""


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    require_peer("assemblyai_sdk")


def finals(peer: Peer) -> list[dict[str, Any]]:
    """Return the ends of turns."""
    return [turn for turn in peer.of("Turn") if turn["end_of_turn"]]


def spoken(turns: list[dict[str, Any]]) -> list[Spoken]:
    """Return the words of some turns, with times in seconds."""
    return [Spoken(one["text"], one["start"] / 1000, one["end"] / 1000) for turn in turns for one in turn["words"]]


def check_goodbye(peer: Peer, server: Emulator, seconds: float) -> None:
    """The session ended as it should, and its counts are the server's."""
    (ended,) = server.of("ended")
    assert ("client", 1000) == (ended["by"], ended["code"])
    counts = {"audio_duration_seconds": round(seconds), "session_duration_seconds": ended["billed_seconds"]}
    assert [{"type": "Termination", **counts}] == peer.of("Termination")
    assert "" == peer.told


def check_error(case: str, peer: Peer, code: int | None, text: str) -> None:
    """The SDK told one error, and no orderly end."""
    ((told_code, told_text),) = peer.errors
    assert code == told_code, (case, told_text)
    assert re.search(text, told_text), (case, told_text)
    assert [] == peer.of("Termination"), case


@both
@pytest.mark.parametrize("parameters", [ENGLISH, PRO])
@together
async def test_a_transcript(place: Path, script: str, parameters: dict[str, Any]) -> None:
    """Begin, partials, finals and the counts come as the SDK's types, and not a word is missing."""
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan([["stream", TALK_SECONDS]], parameters))
        check_goodbye(peer, server, TALK_SECONDS)
    (begin,), (opened,) = peer.of("Begin"), server.of("opened")
    assert (opened["id"], parameters["speech_model"]) == (begin["id"], begin["configuration"]["model"])
    assert 10_000 < (datetime.fromisoformat(begin["expires_at"]) - datetime.now(UTC)).total_seconds() < 10_800
    check_spoken(spoken(finals(peer)), TALK_SECONDS)
    assert [0, 1] == [turn["turn_order"] for turn in finals(peer)]
    partials = [turn for turn in peer.of("Turn") if not turn["end_of_turn"]]
    assert len(partials) >= len(spoken(finals(peer)))
    own = {("Begin", "BeginEvent"), ("Turn", "TurnEvent"), ("Termination", "TerminationEvent")}
    pro = {("SpeechStarted", "SpeechStartedEvent")} if parameters is PRO else set()
    assert own | pro == peer.types()


@together
async def test_real_speech(place: Path) -> None:
    """The engine inside hears the sample that comes with stenod; the SDK has its words, each as it was said."""
    pcm = sample_pcm()
    seconds = len(pcm) // 2 // RATE
    async with emulator(place / "server", engine="pocketsphinx") as server:
        (peer,) = await run(place, "assemblyai_sdk", server, plan([["stream", seconds]], PRO), pcm=pcm)
        check_goodbye(peer, server, seconds)
    words = [plain(word.text) for word in spoken(finals(peer))]
    assert [plain(word) for final in server.of("final") for word in final["text"].split()] == words
    expected = [word.text for word in sample_truth()]
    distance, _ = alignment(expected, words)
    assert distance <= WRONG_WORDS_MAX * len(expected), words


@both
@together
async def test_switches(place: Path, script: str) -> None:
    """Formatted turns come beside the raw ones, with the same number; a heartbeat comes as its type."""
    switches = ENGLISH | {"format_turns": True, "session_heartbeat": True, "language_detection": False}
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan([["stream", TALK_SECONDS]], switches))
        check_goodbye(peer, server, TALK_SECONDS)
    assert [(0, False), (0, True), (1, False), (1, True)] == [
        (turn["turn_order"], turn["turn_is_formatted"]) for turn in finals(peer)
    ]
    check_spoken(spoken([turn for turn in finals(peer) if turn["turn_is_formatted"]]), TALK_SECONDS)
    assert ("Heartbeat", "HeartbeatEvent") in peer.types()


@both
@together
async def test_speakers(place: Path, script: str) -> None:
    """Who spoke is told with the words of finals, and corrected before the end."""
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan([["stream", TALK_SECONDS]], PRO | {"speaker_labels": True}))
        check_goodbye(peer, server, TALK_SECONDS)
    assert all(isinstance(turn["speaker_label"], str) for turn in finals(peer))
    assert all(isinstance(word["speaker"], str) for turn in finals(peer) for word in turn["words"])
    check_spoken(spoken(finals(peer)), TALK_SECONDS)
    for revision in peer.of("SpeakerRevision"):
        for one in revision["revisions"]:
            assert spoken([one]) == spoken([finals(peer)[one["turn_order"]]])


@both
@together
async def test_silence(place: Path, script: str) -> None:
    """Where it was asked for, stretches without speech are told, and none lies in a word."""
    steps = [["set_params", {"acknowledge_silence": True}], ["stream", TALK_SECONDS]]
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan(steps, PRO))
        check_goodbye(peer, server, TALK_SECONDS)
    assert ("Silence", "SilenceEvent") in peer.types()
    words = spoken(finals(peer))
    for silence in peer.of("Silence"):
        start, end = silence["start_ms"] / 1000, silence["end_ms"] / 1000
        assert start < end
        assert not [word for word in words if word.start < end and start < word.end]


@both
@together
async def test_temporary_tokens(place: Path, script: str) -> None:
    """The SDK's own call mints one over HTTPS; it opens a session over WSS, no longer than was asked for."""
    mint = {"expires_in_seconds": 60, "max_session_duration_seconds": 600}
    async with emulator(place / "server", "--key", KEY) as server, tls(place, server) as (host, trust):
        one = plan([["stream", MID_TURN_SECONDS]], ENGLISH, url=host, options={"mint": mint})
        never = one | {"options": {"mint": {"expires_in_seconds": 0}}}
        peer, stranger, never = await run(place, script, server, one, one | {"key": "another"}, never, **trust)
        check_goodbye(peer, server, MID_TURN_SECONDS)
    assert [("refused", 401)] == [(line["event"], line["code"]) for line in stranger.lines]
    assert [("refused", 422)] == [(line["event"], line["code"]) for line in never.lines]
    (begin,) = peer.of("Begin")
    assert 500 < (datetime.fromisoformat(begin["expires_at"]) - datetime.now(UTC)).total_seconds() < 600
    check_spoken(spoken(finals(peer)), MID_TURN_SECONDS)


@both
@together
async def test_force_endpoint(place: Path, script: str) -> None:
    """A turn ends where the client says so, and no word is lost at the cut."""
    steps = [["stream", MID_TURN_SECONDS], ["force_endpoint", {}], ["stream", TALK_SECONDS - MID_TURN_SECONDS]]
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan(steps, ENGLISH))
        check_goodbye(peer, server, TALK_SECONDS)
    check_spoken(spoken(finals(peer)), TALK_SECONDS)
    assert [0, 1, 2] == [turn["turn_order"] for turn in finals(peer)]
    check_spoken(spoken(finals(peer)[:1]), MID_TURN_SECONDS)


@both
@together
async def test_update_configuration(place: Path, script: str) -> None:
    """What is changed on the way counts from then on: a longer pause makes one turn of two, and heartbeats come."""
    change = {"min_turn_silence": 5000, "session_heartbeat": True, "keyterms_prompt": ["stenod"]}
    steps = [["set_params", change], ["stream", TALK_SECONDS]]
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan(steps, ENGLISH))
        check_goodbye(peer, server, TALK_SECONDS)
    assert [0] == [turn["turn_order"] for turn in finals(peer)]
    check_spoken(spoken(finals(peer)), TALK_SECONDS)
    assert ("Heartbeat", "HeartbeatEvent") in peer.types()


@both
@together
async def test_keep_alive(place: Path, script: str) -> None:
    """It holds a session that sends no audio beyond the inactivity limit that was asked for."""
    pause = [["wait", 3], ["keep_alive", {}], ["wait", 3], ["keep_alive", {}], ["wait", 3]]
    steps = [["stream", MID_TURN_SECONDS], *pause]
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan(steps, ENGLISH | {"inactivity_timeout": 6}))
        check_goodbye(peer, server, MID_TURN_SECONDS)
        assert 2 == len(server.of("keepalive"))
    check_spoken(spoken(finals(peer)), MID_TURN_SECONDS)


ONCE = [["stream", 1.0], ["wait", 30]]
REFUSALS: dict[str, tuple[dict[str, Any], int, str]] = {
    "wrong key": (plan(ONCE, ENGLISH, key="another"), 1008, "Invalid API key"),
    "sample rate": (plan(ONCE, ENGLISH | {"sample_rate": 4000}), 3006, "Invalid 'sample_rate'.*at least 8,000 Hz"),
    "terms": (plan(ONCE, ENGLISH | {"keyterms_prompt": ["a"] * 101}), 3006, "Invalid 'keyterms_prompt'.*100"),
    "mode": (plan(ONCE, ENGLISH | {"mode": "balanced"}), 3006, "Invalid 'mode'"),
    "inactivity": (plan(ONCE, ENGLISH | {"inactivity_timeout": 4}), 3006, "Invalid 'inactivity_timeout'"),
    "too many sessions": (plan(ONCE, ENGLISH), 3009, "Too many concurrent sessions"),
}


@both
@together
async def test_refusals(place: Path, script: str) -> None:
    """Before Begin, once, with the server's own words and code."""
    async with emulator(place / "server", "--key", KEY, "--sessions-max", "0") as server:
        peers = await run(place, script, server, *(one for one, _, _ in REFUSALS.values()))
        assert len(REFUSALS) == len(server.of("attempt"))
    for (case, (_, code, text)), peer in zip(REFUSALS.items(), peers, strict=True):
        check_error(case, peer, code, text)
        assert [] == peer.of("Begin")


FAULTS: dict[str, tuple[dict[str, Any], int | None, str]] = {
    "drop": ({"kind": "drop"}, 1006, "1006"),
    "going away": ({"kind": "close", "code": 1001, "text": "going away"}, 1001, "^going away$"),
    "internal": ({"kind": "close", "code": 1011, "text": "Internal error"}, 1011, "^Internal error$"),
    "close": ({"kind": "close", "code": 3005, "text": "Session Cancelled: An error occurred"}, 3005, "^Server error$"),
    "error": ({"kind": "error", "code": 3005}, 3005, "^Session Cancelled: An error occurred$"),
    "untyped": ({"kind": "error-untyped", "code": 3005}, None, "^Session Cancelled: An error occurred$"),
    "expired": ({"kind": "expire"}, 3008, "^Session Expired: Maximum session duration exceeded$"),
}
"""What may strike, and what the SDK says of it; of a close alone with a code it knows, it says its own words."""


@both
@together
async def test_ends_in_the_middle(place: Path, script: str) -> None:
    """One error with its code, and the SDK's session is over; it neither connects again nor says goodbye."""
    faults = [fault(audio=1.0, session=number, **one) for number, (one, _, _) in enumerate(FAULTS.values())]
    async with emulator(place / "server", faults="".join(faults)) as server:
        peers = await run(place, script, server, *[plan([["stream", 2.0], ["wait", 30]], ENGLISH)] * len(FAULTS))
        assert len(FAULTS) == len(server.of("attempt"))
        assert [] == server.of("failed")
    for (case, (_, code, text)), peer in zip(FAULTS.items(), peers, strict=True):
        check_error(case, peer, code, text)
        assert 1 == len(peer.of("Begin")), case


RULES: dict[str, tuple[dict[str, Any], int, str]] = {
    "short": (plan([["stream", 2.0], ["wait", 30]], ENGLISH, chunk_seconds=0.02), 3007, "Violation: 20.0 ms"),
    "long": (plan([["stream", 2.4], ["wait", 30]], ENGLISH, chunk_seconds=1.2), 3007, "Violation: 1200.0 ms"),
    "idle": (plan(ONCE, ENGLISH | {"inactivity_timeout": 5}), 3006, "inactivity.*5 seconds"),
    "change": (plan([["set_params", {"vad_threshold": 2.0}], *ONCE], ENGLISH), 3006, "Invalid 'vad_threshold'"),
}


@both
@together
async def test_broken_rules(place: Path, script: str) -> None:
    """Chunks too short and too long, no sign of life, a change out of range: the error says what was wrong."""
    async with emulator(place / "server") as server:
        peers = await run(place, script, server, *(one for one, _, _ in RULES.values()))
    for (case, (_, code, text)), peer in zip(RULES.items(), peers, strict=True):
        check_error(case, peer, code, text)


STATUSES = (401, 403, 429, 503)


@both
@together
async def test_an_upgrade_that_is_refused(place: Path, script: str) -> None:
    """The HTTP status is the error's code, and there is one attempt only."""
    faults = [fault(kind="status", status=status, attempt=number) for number, status in enumerate(STATUSES)]
    async with emulator(place / "server", faults="".join(faults)) as server:
        peers = await run(place, script, server, *[plan(ONCE, ENGLISH)] * len(STATUSES))
        assert len(STATUSES) == len(server.of("attempt"))
    for status, peer in zip(STATUSES, peers, strict=True):
        check_error(str(status), peer, status, rf"^WebSocket handshake rejected \(HTTP {status}\)$")


@both
@together
async def test_a_handshake_that_hangs(place: Path, script: str) -> None:
    """The SDK gives up, tries again, and has its session."""
    async with emulator(place / "server", faults=fault(kind="slow", duration=60.0, attempt=0)) as server:
        one = plan([["stream", MID_TURN_SECONDS]], ENGLISH, options={"connect_seconds": 10.0})
        (peer,) = await run(place, script, server, one)
        assert 2 == len(server.of("attempt"))
        assert 1 == len(server.of("opened"))
    check_spoken(spoken(finals(peer)), MID_TURN_SECONDS)
    assert [] == peer.errors


@both
@together
async def test_leaving_without_a_goodbye(place: Path, script: str) -> None:
    """A close without Terminate is the client's end: no counts, nothing amiss."""
    async with emulator(place / "server") as server:
        one = plan([["stream", MID_TURN_SECONDS]], ENGLISH, options={"terminate": False})
        (peer,) = await run(place, script, server, one)
        await server.until("ended")
        assert [("client", 1000)] == [(one["by"], one["code"]) for one in server.of("ended")]
        assert [] == server.of("failed")
    assert [] == peer.of("Termination") + peer.errors
