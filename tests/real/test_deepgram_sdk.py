"""Deepgram's own SDK as a client of the emulator: /v1/listen and /v2/listen (Flux), as its own types."""

import hashlib
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from daemon import RATE, Spoken, alignment, plain, together
from sample import WRONG_WORDS_MAX, sample_pcm, sample_truth
from server import KEY, Emulator, emulator, fault, speech
from strangers import Peer, check_spoken, plan, require_peer, run

pytestmark = [pytest.mark.real, pytest.mark.slow]

NOVA = {"model": "nova-3", "encoding": "linear16", "sample_rate": RATE, "endpointing": 300, "interim_results": True}
FLUX = {"model": "flux-general-en", "encoding": "linear16", "sample_rate": RATE}
V2 = {"options": {"version": "v2"}}
TALK_SECONDS = 8.0
"""Two turns of the oracle, the second of which the end of the session ends."""
MID_TURN_SECONDS = 2.8
"""Between two words of the first."""
CUT = [["stream", MID_TURN_SECONDS], ["stream", TALK_SECONDS - MID_TURN_SECONDS]]
both = pytest.mark.parametrize("script", ["deepgram_sdk", "deepgram_sdk_asyncio"])
"""The client of threads and the client of asyncio."""


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    require_peer("deepgram_sdk")


def finals(peer: Peer) -> list[dict[str, Any]]:
    """Return the results that are final."""
    return [one for one in peer.of("Results") if one["is_final"]]


def words_of(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the words of some results."""
    return [word for one in results for word in one["channel"]["alternatives"][0]["words"]]


def spoken(words: list[dict[str, Any]]) -> list[Spoken]:
    """Return words as the SDK has them."""
    return [Spoken(word["word"], word["start"], word["end"]) for word in words]


def check_goodbye(peer: Peer, server: Emulator, pcm: bytes, *, tail_seconds: float = 0.03) -> None:
    """The session ended as it should: every final follows the one before, and the metadata is that of the audio."""
    (ended,), (opened,), (metadata,) = server.of("ended"), server.of("opened"), peer.of("Metadata")
    seconds = len(pcm) / 2 / RATE
    assert ("client", 1000) == (ended["by"], ended["code"])
    told = {name: metadata[name] for name in ("request_id", "sha256", "duration", "channels")}
    sha256 = hashlib.sha256(pcm).hexdigest()
    assert {"request_id": opened["id"], "sha256": sha256, "duration": seconds, "channels": 1} == told
    reached = 0.0
    for final in finals(peer):
        assert reached == pytest.approx(final["start"], abs=1e-6)
        reached = final["start"] + final["duration"]
    assert seconds == pytest.approx(reached, abs=tail_seconds)
    assert ["Metadata", "CLOSE"] == [line["event"] for line in peer.lines[-2:]]
    assert [] == peer.of("ERROR")
    assert "" == peer.told


def check_end(case: str, peer: Peer, code: int | None, text: str) -> None:
    """The client told the end as an error with the close code, then that it is closed."""
    (line,) = [line for line in peer.lines if line["event"] == "ERROR"]
    assert code == line["code"], (case, line)
    assert re.search(text, line["message"]), (case, line)
    assert "CLOSE" == peer.lines[-1]["event"], case


@both
@together
async def test_a_transcript(place: Path, script: str) -> None:
    """Results, interim and final, the detector's events and the metadata come as the SDK's types."""
    parameters = NOVA | {"smart_format": True, "vad_events": True, "utterance_end_ms": 1000, "diarize": True}
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan([["stream", TALK_SECONDS]], parameters))
        check_goodbye(peer, server, speech(TALK_SECONDS))
    assert {
        ("OPEN", "NoneType"),
        ("SpeechStarted", "ListenV1SpeechStarted"),
        ("Results", "ListenV1Results"),
        ("UtteranceEnd", "ListenV1UtteranceEnd"),
        ("Metadata", "ListenV1Metadata"),
        ("CLOSE", "NoneType"),
    } == peer.types()
    check_spoken(spoken(words_of(finals(peer))), TALK_SECONDS)
    utterances = [one["channel"]["alternatives"][0]["transcript"] for one in finals(peer) if one["speech_final"]]
    assert ["W0000000 w0000001 w0000002 w0000003 w0000004 w0000005.", "W0000006 w0000007 w0000008."] == utterances
    assert len(peer.of("Results")) - len(finals(peer)) >= len(words_of(finals(peer)))
    assert {int} == {type(word["speaker"]) for word in words_of(finals(peer))}


@together
async def test_real_speech(place: Path) -> None:
    """The engine inside hears the sample that comes with stenod; the SDK has its words, each as it was said."""
    seconds = len(sample_pcm()) // 2 // RATE
    pcm = sample_pcm()[: seconds * RATE * 2]
    async with emulator(place / "server", engine="pocketsphinx") as server:
        (peer,) = await run(place, "deepgram_sdk", server, plan([["stream", seconds]], NOVA), pcm=pcm)
        check_goodbye(peer, server, pcm, tail_seconds=1.0)
    words = [plain(word["word"]) for word in words_of(finals(peer))]
    assert [plain(word) for final in server.of("final") for word in final["text"].split()] == words
    expected = [word.text for word in sample_truth()]
    distance, _ = alignment(expected, words)
    assert distance <= WRONG_WORDS_MAX * len(expected), words


@both
@together
async def test_finalize(place: Path, script: str) -> None:
    """What was heard so far becomes final when the client says so, and no word is lost at the cut."""
    steps = [CUT[0], ["wait", 0.5], ["send_finalize", {}], ["wait", 0.5], CUT[1]]
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan(steps, NOVA))
        check_goodbye(peer, server, speech(TALK_SECONDS))
    check_spoken(spoken(words_of(finals(peer))), TALK_SECONDS)
    (forced,) = [one for one in finals(peer) if one["from_finalize"]]
    check_spoken(spoken(words_of([forced])), MID_TURN_SECONDS)


@both
@together
async def test_keep_alive(place: Path, script: str) -> None:
    """It holds a session beyond the 10 s without audio, and the pause does not count in the times."""
    pause = [["wait", 4], ["send_keep_alive", {}], ["wait", 4], ["send_keep_alive", {}], ["wait", 4]]
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan([CUT[0], *pause, CUT[1]], NOVA))
        check_goodbye(peer, server, speech(TALK_SECONDS))
        assert 2 == len(server.of("keepalive"))
    check_spoken(spoken(words_of(finals(peer))), TALK_SECONDS)


@both
@together
async def test_configure(place: Path, script: str) -> None:
    """Terms can be changed on Nova-3, and what is left out stays; on older models the refusal has its code."""
    steps = [
        ["stream", 0.5],
        ["send_configure", {"keyterms": ["stenod"]}],
        ["wait", 0.5],
        ["send_configure", {"keyterms": ["word"] * 501}],
        ["wait", 0.5],
    ]
    async with emulator(place / "server") as server:
        old = NOVA | {"model": "nova-2"}
        new, older = await run(place, script, server, plan(steps, NOVA), plan(steps[:3], old))
    assert ("ConfigureSuccess", "ListenV1ConfigureSuccess") in new.types()
    assert [["stenod"]] == [one["keyterms"] for one in new.of("ConfigureSuccess")]
    assert ["CONFIGURE_KEYTERM_LIMIT_EXCEEDED"] == [one["code"] for one in new.of("ConfigureFailure")]
    assert ("ConfigureFailure", "ListenV1ConfigureFailure") in older.types()
    assert ["CONFIGURE_KEYTERMS_NOT_SUPPORTED"] == [one["code"] for one in older.of("ConfigureFailure")]


@together
async def test_configure_of_features(place: Path) -> None:
    """A change that leaves the terms alone says nothing of them."""
    changes = [["send_configure", {"features": {"numerals": True}}], ["send_configure", {"keyterms": None}]]
    async with emulator(place / "server") as server:
        steps = [["stream", 0.5], ["send_configure", {"keyterms": ["stenod"]}], *changes, ["wait", 0.5]]
        (peer,) = await run(place, "deepgram_sdk", server, plan(steps, NOVA))
    assert [["stenod"], None, None] == [one.get("keyterms") for one in peer.of("ConfigureSuccess")]


ONCE = [["stream", 1.0], ["wait", 30]]
REFUSALS: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "wrong key": (plan(ONCE, NOVA, key="another"), 401, "INVALID_AUTH", "Invalid credentials"),
    "terms": (plan(ONCE, NOVA | {"keywords": ["a:2"]}), 400, "INVALID_QUERY_PARAMETER", "Nova-3"),
    "flux": (plan(ONCE, NOVA | {"model": "flux-general-en"}), 400, "INVALID_QUERY_PARAMETER", "/v2/listen"),
    "encoding": (plan(ONCE, NOVA | {"encoding": "mp3"}), 400, "INVALID_QUERY_PARAMETER", "encoding"),
    "nova": (plan(ONCE, FLUX | {"model": "nova-3"}, **V2), 400, "INVALID_QUERY_PARAMETER", "odel"),
    "threshold": (plan(ONCE, FLUX | {"eot_threshold": 0.4}, **V2), 400, "INVALID_QUERY_PARAMETER", "eot_threshold"),
    "too many": (plan(ONCE, NOVA), 429, "TOO_MANY_REQUESTS", "Too many requests"),
    "too many, by a token": (plan(ONCE, NOVA, options={"token": True}), 429, "TOO_MANY_REQUESTS", "Too many requests"),
    "too many for flux": (plan(ONCE, FLUX, **V2), 429, "TOO_MANY_REQUESTS", "Too many requests"),
}
"""What is asked for, and the answer to the upgrade; the client of asyncio lets only its status through."""


@both
@together
async def test_refusals(place: Path, script: str) -> None:
    """The upgrade is refused once, with the status; where the client shows more, it is Deepgram's answer."""
    async with emulator(place / "server", "--key", KEY, "--sessions-max", "0") as server:
        peers = await run(place, script, server, *(one[0] for one in REFUSALS.values()))
        assert len(REFUSALS) == len(server.of("attempt"))
    for (case, (_, status, name, text)), peer in zip(REFUSALS.items(), peers, strict=True):
        (line,) = peer.lines
        assert ("refused", status) == (line["event"], line["code"]), (case, line)
        if line["type"] == "InvalidStatus":
            assert name == line["body"]["err_code"], (case, line)
            assert text in line["headers"]["dg-error"], (case, line)
            assert line["body"]["request_id"] == line["headers"]["dg-request-id"]


GONE = {"kind": "close", "code": 1011, "text": "Deepgram did not provide a response message. dpgr.am/net0000"}
ENDS: dict[str, tuple[dict[str, Any], dict[str, Any], int | None, str]] = {
    "drop": ({"kind": "drop"}, plan(ONCE, NOVA), None, "no close frame"),
    "close": (GONE, plan(ONCE, NOVA), 1011, "net0000"),
    "error": ({"kind": "error", "code": 1011}, plan(ONCE, NOVA), 1011, "net0000"),
    "drop of flux": ({"kind": "drop"}, plan(ONCE, FLUX, **V2), None, "no close frame"),
    "error of flux": ({"kind": "error", "code": 1011}, plan(ONCE, FLUX, **V2), 1011, "internal"),
}


@both
@together
async def test_ends_in_the_middle(place: Path, script: str) -> None:
    """One error with the close code where there is one; the client neither connects again nor says goodbye."""
    faults = [fault(audio=0.5, session=number, **one[0]) for number, one in enumerate(ENDS.values())]
    async with emulator(place / "server", faults="".join(faults)) as server:
        peers = await run(place, script, server, *(one[1] for one in ENDS.values()))
        assert len(ENDS) == len(server.of("attempt"))
        assert [] == server.of("failed")
    for (case, (_, _, code, text)), peer in zip(ENDS.items(), peers, strict=True):
        check_end(case, peer, code, text)
    incomplete = [one["sha256"] for peer in peers for one in peer.of("Metadata")]
    assert ["incomplete"] == incomplete
    (fatal,) = peers[-1].of("Error")
    assert ("Error", "ListenV2FatalError") in peers[-1].types()
    assert "INTERNAL_SERVER_ERROR" == fatal["code"]


RULES: dict[str, tuple[dict[str, Any], int, str]] = {
    "idle": (plan(ONCE, NOVA), 1011, "did not receive audio.*net0001"),
    "no audio": (plan(ONCE, {"model": "nova-3"}), 1008, "data0000"),
}


@both
@together
async def test_broken_rules(place: Path, script: str) -> None:
    """No audio for 10 s, or bytes that are no audio: the metadata is incomplete, and the reason says why."""
    async with emulator(place / "server") as server:
        peers = await run(place, script, server, *(one for one, _, _ in RULES.values()))
    for (case, (_, code, text)), peer in zip(RULES.items(), peers, strict=True):
        check_end(case, peer, code, text)
        assert ["incomplete"] == [one["sha256"] for one in peer.of("Metadata")], case


@both
@together
async def test_a_server_that_goes_away(place: Path, script: str) -> None:
    """The library takes 1001 for an orderly end: nothing but a close without metadata tells of it."""
    async with emulator(place / "server", faults=fault(kind="close", code=1001, audio=0.5)) as server:
        v1, v2 = await run(place, script, server, plan(ONCE, NOVA), plan(ONCE, FLUX, **V2))
    for peer in (v1, v2):
        assert "CLOSE" == peer.lines[-1]["event"]
        assert [] == peer.of("ERROR") + peer.of("Metadata")


# Flux


def turns(peer: Peer, *events: str) -> list[dict[str, Any]]:
    """Return what was told of turns, by event."""
    return [turn for turn in peer.of("TurnInfo") if turn["event"] in events]


def check_flux(peer: Peer, server: Emulator) -> list[Spoken]:
    """Every message has the next number, each turn begins and ends in its order; return the words of all turns."""
    numbered = [line["message"]["sequence_id"] for line in peer.lines if "message" in line]
    assert list(range(len(numbered))) == numbered
    assert {opened["id"] for opened in server.of("opened")} == {one["request_id"] for one in peer.of("Connected")}
    words: list[Spoken] = []
    for index, group in itertools.groupby(peer.of("TurnInfo"), key=lambda turn: turn["turn_index"]):
        told = list(group)
        events = "".join({"Update": "u", "StartOfTurn": "S", "EagerEndOfTurn": "E"}.get(t["event"], "r") for t in told)
        ended = [turn for turn in told if turn["event"] == "EndOfTurn"]
        assert re.fullmatch("u*(S[uEr]*)?", events), (index, events)
        assert ended == told[len(told) - len(ended) :]
        assert {"trigger"} & set(told[-1]) == ({"trigger"} if ended else set())
        words += spoken(told[-1]["words"])
    assert "CLOSE" == peer.lines[-1]["event"]
    assert [] == peer.of("ERROR") + peer.of("Error")
    assert "" == peer.told
    return words


@both
@together
async def test_flux_turns(place: Path, script: str) -> None:
    """Turns come as the SDK's types, a guess before each end, and what is open at the end in the last update."""
    eager = FLUX | {"eager_eot_threshold": 0.4}
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan([["stream", TALK_SECONDS]], eager, **V2))
        assert [1005] == [one["code"] for one in server.of("ended")]
    check_spoken(check_flux(peer, server), TALK_SECONDS)
    assert {
        ("OPEN", "NoneType"),
        ("Connected", "ListenV2Connected"),
        ("TurnInfo", "ListenV2TurnInfo"),
        ("CLOSE", "NoneType"),
    } == peer.types()
    assert [(0, "model")] == [(turn["turn_index"], turn["trigger"]) for turn in turns(peer, "EndOfTurn")]
    assert turns(peer, "EndOfTurn")[0]["transcript"] == turns(peer, "EagerEndOfTurn")[0]["transcript"]
    assert "Update" == peer.of("TurnInfo")[-1]["event"]


@both
@together
async def test_flux_forced_end(place: Path, script: str) -> None:
    """A turn ends where the client says so, and no word is lost at the cut."""
    steps = [CUT[0], ["wait", 0.5], ["send_force_end_turn", {}], ["wait", 0.5], CUT[1]]
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan([*steps, ["send_force_end_turn", {}]], FLUX, **V2))
    check_spoken(check_flux(peer, server), TALK_SECONDS)
    ends = turns(peer, "EndOfTurn")
    assert ["manual", "model", "manual"] == [turn["trigger"] for turn in ends]
    check_spoken(spoken(ends[0]["words"]), MID_TURN_SECONDS)


@both
@together
async def test_flux_configure(place: Path, script: str) -> None:
    """Thresholds count from then on: without a judgement, the time alone ends a turn; what is wrong is refused."""
    change = {"thresholds": {"eot_threshold": 1.0, "eot_timeout_ms": 1000}, "keyterms": ["stenod"]}
    steps = [["send_configure", change], ["send_configure", {"thresholds": {"eot_threshold": 0.1}}]]
    async with emulator(place / "server") as server:
        (peer,) = await run(place, script, server, plan([*steps, ["stream", TALK_SECONDS]], FLUX, **V2))
    check_spoken(check_flux(peer, server), TALK_SECONDS)
    (success,) = peer.of("ConfigureSuccess")
    assert {"eot_threshold": 1.0, "eot_timeout_ms": 1000} == success["thresholds"]
    assert ["stenod"] == success["keyterms"]
    assert {("ConfigureSuccess", "ListenV2ConfigureSuccess"), ("ConfigureFailure", "ListenV2ConfigureFailure")} < (
        peer.types()
    )
    assert ["timeout"] == [turn["trigger"] for turn in turns(peer, "EndOfTurn")]
