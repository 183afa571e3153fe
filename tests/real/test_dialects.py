"""The same speech through each of the four protocols: the same words, times and records, whoever transcribes.

And each provider as a person starts it: with the key in the environment, in a file, in a credential of systemd, with
an endpoint that has a path or none, and as the README says.
"""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from daemon import PROGRAM, RATE, Spoken, Stenod, environment_in, speaks, stenod, together
from sample import check_sample, sample_pcm, sample_truth
from schema import faults as schema_faults
from server import KEY, Emulator, check_words, emulator, fault, quiet_end, speech, talk

pytestmark = [pytest.mark.real, pytest.mark.slow]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a provider is asked for, and how its own good end looks."""

    path: str
    variable: str
    credential: str
    table: str
    goodbye: int = 1000


DIALECTS = {
    "assemblyai": Dialect("/v3/ws", "ASSEMBLYAI_API_KEY", "assemblyai", "assemblyai"),
    "assemblyai-v2": Dialect("/v2/realtime/ws", "ASSEMBLYAI_API_KEY", "assemblyai", "assemblyai_v2"),
    "deepgram": Dialect("/v1/listen", "DEEPGRAM_API_KEY", "deepgram", "deepgram"),
    "deepgram-flux": Dialect("/v2/listen", "DEEPGRAM_API_KEY", "deepgram", "deepgram_flux", goodbye=1005),
}
EVERY = pytest.mark.parametrize("provider", DIALECTS)
TIME_SECONDS_MAX = 0.0016
"""Two protocols give milliseconds, two give seconds with three digits, and records have three: half of one each."""
KEYS = {
    "session": "type stream id session provider provider_session event at code reason verdict audio_seconds "
    "billed_seconds cost",
    "final": "type stream id start end started_at ended_at text words language provider session late doubtful "
    "recovered",
}
"""The names in each record, in their order."""
WORD_KEYS = "text start end confidence speaker"


def script(place: Path) -> str:
    """Return the engine that says the sample's words at the times that its makers state."""
    place.mkdir(parents=True, exist_ok=True)
    words = [{"text": word.text, "start": word.start, "end": word.end} for word in sample_truth()]
    (place / "script.jsonl").write_text("".join(f"{json.dumps(word)}\n" for word in words))
    return f"script:{place / 'script.jsonl'}"


def check_records(daemon: Stenod, provider: str) -> None:
    """One session and its turns, each with the same names in the same order, as the published schema has them."""
    said = [line for line in daemon.lines if line["type"] != "status"]
    assert [] == [fault for line in daemon.lines for fault in schema_faults(line)]
    for line in said:
        assert KEYS[line["type"]] == " ".join(line)
        assert provider == line["provider"]
    assert {WORD_KEYS} == {" ".join(word) for final in daemon.of("final") for word in final["words"]}
    assert ["ready", "ended"] == [record["event"] for record in daemon.of("session")]
    ready, ended = daemon.of("session")
    assert (DIALECTS[provider].goodbye, "reopen") == (ended["code"], ended["verdict"])
    assert ready["provider_session"] == ended["provider_session"] != ""
    assert {ready["session"]} == {line["session"] for line in said}


def check_goodbye(server: Emulator, provider: str, sessions: int = 1) -> None:
    """The server was asked for each end, and said it: no session was left to end by itself."""
    ended = server.of("ended")
    assert [("client", DIALECTS[provider].goodbye)] * sessions == [(end["by"], end["code"]) for end in ended]
    assert sessions == len(server.of("terminate"))
    assert [] == server.of("failed")


def check_script(printed: list[Spoken]) -> None:
    """Each word of the script once, at its time."""
    expected = sample_truth()
    assert [word.text for word in expected] == [word.text for word in printed]
    for wanted, told in zip(expected, printed, strict=True):
        assert abs(wanted.start - told.start) <= TIME_SECONDS_MAX, (wanted, told)
        assert abs(wanted.end - told.end) <= TIME_SECONDS_MAX, (wanted, told)


# Silence, where a server of Deepgram's is impatient: 10 s without a message, 30 s without anything to answer


@pytest.mark.parametrize("provider", ["deepgram", "deepgram-flux"])
@together
async def test_a_start_without_any_audio(place: Path, provider: str) -> None:
    """The recorder is there and gives nothing for 32 s: one session or none yet, and no word is late or lost."""
    seconds = quiet_end(10.0)
    async with emulator(place / "server") as server:
        async with talk(place, server, provider=provider) as daemon:
            await trio.sleep(32.0)
            await daemon.feed(speech(seconds))
            assert 0 == await daemon.end()
        check_words(daemon.words, seconds)
        check_records(daemon, provider)
        await server.stop()
        check_goodbye(server, provider)


@pytest.mark.parametrize("provider", ["deepgram", "deepgram-flux"])
@pytest.mark.parametrize("policy", ["send", "pause"])
@together
async def test_a_muted_microphone(place: Path, provider: str, policy: str) -> None:
    """Exact zeros for 60 s between two stretches of speech: the session lives, and the times count the audio."""
    first, seconds, mute_seconds = quiet_end(8.0), quiet_end(14.0), 60.0
    async with emulator(place / "server") as server:
        quiet = {"STENOD_PACER_QUIET": policy}
        async with talk(place, server, provider=provider, **quiet) as daemon:
            await daemon.feed(speech(first) + bytes(round(mute_seconds * RATE) * 2) + speech(seconds - first, first))
            assert 0 == await daemon.end()
        moved = [
            Spoken(word.text, word.start - mute_seconds, word.end - mute_seconds) if word.start > first else word
            for word in daemon.words
        ]
        check_words(moved, seconds)
        check_records(daemon, provider)
        assert ["muted", "good"] == [status["state"] for status in daemon.of("status")]
        await server.stop()
        check_goodbye(server, provider)
        (ended,) = server.of("ended")
        assert (ended["audio_seconds"] < 40.0) == (policy == "pause")


# The same speech


@EVERY
@together
async def test_the_same_speech_is_the_same_transcript(place: Path, provider: str) -> None:
    """As a person types it: the words, their times to the millisecond, the records' shape, the provider's own end."""
    dialect = DIALECTS[provider]
    async with emulator(place / "server", "--v2", engine=script(place)) as server:
        endpoint = f"ws://127.0.0.1:{server.port}{dialect.path}"
        words = ("run", "--provider", provider, "--endpoint", endpoint, "--input", "sample")
        async with stenod(place, *words, **{dialect.variable: KEY}) as daemon:
            assert 0 == await daemon.end()
        check_script(daemon.words)
        check_records(daemon, provider)
        assert [] == daemon.of("status")
        await server.stop()
        check_goodbye(server, provider)
    assert [] == daemon.sentences


@EVERY
@together
async def test_each_sample_is_heard_and_each_word_is_where_it_was_said(place: Path, provider: str) -> None:
    """The oracle's voice at the pace of the clock: the server hears the very samples, and its times come back."""
    seconds = quiet_end(15.0)
    async with emulator(place / "server", "--v2") as server:
        async with talk(place, server, provider=provider) as daemon:
            await daemon.feed(speech(seconds))
            assert 0 == await daemon.end()
        check_words(daemon.words, seconds)
        check_records(daemon, provider)
        await server.stop()
        check_goodbye(server, provider)
    heard = [one for one in server.of("heard") if one["kind"] == "oracle"]
    assert [(0, round(seconds * RATE), True)] == [(one.get("start", 0), one["end"], one["exact"]) for one in heard]


@pytest.mark.parametrize("provider", ["deepgram", "deepgram-flux"])
@together
async def test_the_recogniser_inside_speaks_it(place: Path, provider: str) -> None:
    """Real speech, recognised: the modest recogniser's words, at their times, however slow the machine is."""
    async with emulator(place / "server", engine="pocketsphinx") as server:
        async with talk(place, server, provider=provider) as daemon:
            await daemon.feed(sample_pcm())
            assert 0 == await daemon.end(120)
        check_sample(daemon)
        await server.stop()
    last = server.of("ended")[-1]
    assert ("client", DIALECTS[provider].goodbye) == (last["by"], last["code"])


# As it is typed


def in_environment(place: Path, provider: str, port: int) -> tuple[tuple[str, ...], dict[str, str]]:
    """The key in a variable, an endpoint without a path on the command line."""
    endpoint = f"ws://127.0.0.1:{port}"
    return ("--provider", provider, "--endpoint", endpoint), {DIALECTS[provider].variable: KEY}


def in_a_file(place: Path, provider: str, port: int) -> tuple[tuple[str, ...], dict[str, str]]:
    """A configuration that names the server, without a path, and the file with the key."""
    (place / "key").write_text(f"{KEY}\n")
    (place / "key").chmod(0o600)
    (place / "stenod.toml").write_text(
        f'providers = ["{provider}"]\n[{DIALECTS[provider].table}]\n'
        f'endpoint = "ws://127.0.0.1:{port}/"\nkey_file = "{place / "key"}"\n'
    )
    return ("--config", str(place / "stenod.toml")), {}


def in_a_credential(place: Path, provider: str, port: int) -> tuple[tuple[str, ...], dict[str, str]]:
    """A credential of systemd, and all else in variables; one of them has a wrong key, which it goes before."""
    dialect = DIALECTS[provider]
    (place / "credentials").mkdir()
    (place / "credentials" / dialect.credential).write_text(KEY)
    endpoint = f"ws://127.0.0.1:{port}{dialect.path}"
    variables = {
        "STENOD_PROVIDERS": provider,
        f"STENOD_{dialect.table.upper()}_ENDPOINT": endpoint,
        "CREDENTIALS_DIRECTORY": str(place / "credentials"),
        dialect.variable: "a-wrong-one",
    }
    return (), variables


@pytest.mark.parametrize("way", [in_environment, in_a_file, in_a_credential], ids=lambda one: one.__name__)
@EVERY
@together
async def test_the_key_is_found_wherever_it_stands(place: Path, provider: str, way: Callable) -> None:
    """A server that takes this one key alone, once; and `stenod check` shows where the key is, never the key."""
    async with emulator(place / "server", "--v2", "--key", KEY) as server:
        words, variables = way(place, provider, server.port)
        async with stenod(place, "run", *words, "--input", "-", stdin=subprocess.PIPE, **variables) as daemon:
            await daemon.feed(speech(quiet_end(3.0)))
            assert 0 == await daemon.end()
        check_words(daemon.words, quiet_end(3.0))
        assert 1 == len(server.of("attempt"))
        await server.stop()
        check_goodbye(server, provider)
    if "--endpoint" not in words:
        async with stenod(place, "check", *words, **variables) as check:
            assert 0 == await check.end()
        assert provider in check.stdout.decode()
        assert KEY not in check.stdout.decode() + check.told


README = Path(__file__).parents[2] / "README.md"
REHEARSAL_SECONDS_MAX = 120.0


@together
async def test_the_rehearsal_of_the_readme(place: Path) -> None:
    """Its lines as they stand, with a port of our own: an outage of 8 s is survived, every sentence comes out."""
    block = next(one for one in README.read_text().split("\n\n") if "kill %1" in one)
    async with emulator(place / "port") as server:
        await server.stop()
    lines = [re.sub(r"\b8765\b", str(server.port), line.strip()) for line in block.splitlines()]
    begin = next(number for number, line in enumerate(lines) if line.startswith("stenod emulate"))
    wait = f"until (echo > /dev/tcp/127.0.0.1/{server.port}) 2> /dev/null; do sleep 0.05; done"
    (place / "rehearse.sh").write_text("\n".join(["set -m", *lines[: begin + 1], wait, *lines[begin + 1 :]]))
    own = environment_in(place)
    with trio.fail_after(REHEARSAL_SECONDS_MAX):
        result = await trio.run_process(
            ["bash", str(place / "rehearse.sh")],
            env=own | {"PATH": f"{Path(PROGRAM).parent}:{own['PATH']}"},
            cwd=place,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    records = [json.loads(line) for line in result.stdout.decode().splitlines() if line.startswith("{")]
    finals = [record for record in records if record["type"] == "final"]
    assert "local" not in {record["provider"] for record in finals}
    assert finals[-1]["end"] > sample_truth()[-1].start, result.stderr.decode()
    lost = [record for record in records if record["type"] == "session" and record["event"] == "ended"]
    assert ["retry", "reopen"] == [lost[0]["verdict"], lost[-1]["verdict"]]


# Credit


@pytest.mark.parametrize("provider", ["deepgram", "deepgram-flux"])
@together
async def test_a_project_without_credit_is_told_its_remedy(place: Path, provider: str) -> None:
    """In the foreground: one attempt, exit 77, the provider's sentence and what to do; the audio is kept."""
    async with emulator(place / "server", faults=fault(kind="status", status=402)) as server:
        async with talk(place, server, provider=provider) as daemon, trio.open_nursery() as nursery:
            nursery.start_soon(daemon.feed, speech(20.0))
            assert 77 == await daemon.end(30)
            nursery.cancel_scope.cancel()
        assert 1 == len(server.of("attempt"))
    told = "\n".join(daemon.sentences)
    assert re.search(r"no credit left.*does not have enough credits.*Add credit in the console", told), daemon.told
    assert re.search(r"[\d.]+ s of audio .* kept in", told), daemon.told


@pytest.mark.parametrize("provider", ["deepgram", "deepgram-flux"])
@together
async def test_a_project_without_credit_is_held(place: Path, provider: str) -> None:
    """As a service: recorded meanwhile, not asked again until told to, and every word once there is credit again."""
    seconds = quiet_end(20.0)
    faults = fault(kind="status", status=402, attempt=0)
    async with emulator(place / "server", faults=faults) as server:
        async with (
            talk(place, server, "--on-fatal", "hold", provider=provider) as daemon,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(daemon.feed, speech(seconds))
            await daemon.until(speaks("status"))
            await daemon.until(lambda one: one.fed >= 8 * RATE)
            assert 1 == len(server.of("attempt"))
            daemon.interrupt(1)
            assert 0 == await daemon.end(90)
        check_words(daemon.words, seconds)
        await server.stop()
        check_goodbye(server, provider, len(server.of("opened")))
    assert ["fatal", "back"] == [record["state"] for record in daemon.of("status")]
    assert "Add credit" in daemon.of("status")[0]["remedy"]
