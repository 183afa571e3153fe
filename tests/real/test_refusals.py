"""Refusals that only a person can mend, and those that pass: one clear sentence, the right code, no hammering."""

import re
import signal
import subprocess
from pathlib import Path

import pytest
import trio
from daemon import RATE, speaks, stenod, together
from server import ANY_KEY, check_words, emulator, fault, quiet_end, speech, talk, truth

pytestmark = [pytest.mark.real, pytest.mark.slow]

SECRET = "wrong-key-0123456789abcdef"


def holds(folder: Path, text: str) -> list[Path]:
    """Return the files below a folder that contain a text."""
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def command_lines(pid: int) -> str:
    """Return the command lines of a process and of its children."""
    tasks = Path(f"/proc/{pid}/task")
    children = [int(one) for task in tasks.iterdir() for one in (task / "children").read_text().split()]
    return "\n".join(Path(f"/proc/{one}/cmdline").read_text().replace("\0", " ") for one in [pid, *children])


@pytest.mark.parametrize("level", ["info", "debug"])
@together
async def test_a_wrong_key_is_tried_once_and_shown_nowhere(place: Path, level: str) -> None:
    """One attempt, exit 77, a sentence with the remedy; the key is in no output, file or process list."""
    slow = fault(kind="slow-begin", duration=2.0)
    async with emulator(place / "server", "--key", "the-right-one", faults=slow) as server:
        words = ("--state-dir", str(place / "journal"), "--log-level", level)
        async with talk(place, server, *words, ASSEMBLYAI_API_KEY=SECRET) as daemon, trio.open_nursery() as nursery:
            nursery.start_soon(daemon.feed, speech(20.0))
            await server.until("attempt")
            shown = command_lines(daemon.process.pid)
            assert "--state-dir" in shown
            assert SECRET not in shown
            assert 77 == await daemon.end(15)
            nursery.cancel_scope.cancel()
        await trio.sleep(1.5)
        assert 1 == len(server.of("attempt"))
    assert re.search(r"does not know this API key.*Copy the key again", "\n".join(daemon.sentences)), daemon.told
    assert SECRET not in daemon.told + daemon.stdout.decode()
    assert [] == holds(place, SECRET)


@together
async def test_an_account_without_money_is_told_its_remedy(place: Path) -> None:
    """The sentence decides, not the code 1008; the audio that waits is told too."""
    text = "Unauthorized Connection: insufficient account balance"
    async with emulator(place / "server", faults=fault(kind="error", code=1008, text=text)) as server:
        async with talk(place, server) as daemon, trio.open_nursery() as nursery:
            nursery.start_soon(daemon.feed, speech(20.0))
            assert 77 == await daemon.end(15)
            nursery.cancel_scope.cancel()
        assert 1 == len(server.of("attempt"))
    assert re.search(r"no money left.*insufficient account balance.*Add funds", "\n".join(daemon.sentences))


STATUSES = {400: 78, 401: 77, 402: 77, 403: 77, 404: 78, 405: 78, 410: 78, 422: 78}
"""Answers to the upgrade that do not pass by themselves, and the exit code of each."""


@together
async def test_a_status_that_does_not_pass_is_told_with_its_remedy(place: Path) -> None:
    """One attempt (two for 403, which a proxy may say), the exit code that fits; the audio is kept for another run."""
    seconds = quiet_end(4.0)
    journal = ("--state-dir", str(place / "journal"))
    words = ("run", *journal, "--provider", "assemblyai", "--endpoint")
    async with stenod(place, *words, "ws://127.0.0.1:9", "--input", "-", stdin=subprocess.PIPE, **ANY_KEY) as daemon:
        await daemon.feed(speech(seconds), finish=False)
        await trio.sleep(0.5)
        daemon.interrupt()
        assert 0 == await daemon.end(15)
    codes = {}
    answers = [status for status in STATUSES for _ in range(2 if status == 403 else 1)]
    statuses = "".join(fault(kind="status", status=status, attempt=n) for n, status in enumerate(answers))
    async with emulator(place / "server", faults=statuses) as server:
        for status in STATUSES:
            async with stenod(place, *words, server.url, "--input", "none", **ANY_KEY) as daemon:
                codes[status] = await daemon.end(15)
            assert re.search(r"[\d.]+ s of audio .* kept in", daemon.told), (codes, daemon.told)
        assert STATUSES == codes
        assert len(answers) == len(server.of("attempt"))
        async with stenod(place, *words, server.url, "--input", "none", **ANY_KEY) as daemon:
            assert 0 == await daemon.end()
    check_words(daemon.words, seconds)


@together
async def test_a_held_provider_gets_all_of_it_once_it_is_mended(place: Path) -> None:
    """Fatal for the provider is not fatal for the audio: it is kept, and SIGHUP tries again at once."""
    seconds = quiet_end(20.0)
    text = "Unauthorized Connection: insufficient account balance"
    faults = fault(kind="error", code=1008, text=text, count=2)
    async with emulator(place / "server", faults=faults) as server:
        async with talk(place, server, "--on-fatal", "hold") as daemon, trio.open_nursery() as nursery:
            nursery.start_soon(daemon.feed, speech(seconds))
            for count in (1, 2):
                await daemon.until(lambda one, count=count: len(one.of("status")) >= count)
                await trio.sleep(2)
                assert count == len(server.of("attempt"))
                daemon.interrupt(signal.SIGHUP)
            assert 0 == await daemon.end(60)
        check_words(daemon.words, seconds)
    fatal = [record for record in daemon.of("status") if record["state"] == "fatal"]
    assert 2 == len(fatal)
    assert "Add funds" in fatal[0]["remedy"]


@together
async def test_the_right_key_and_a_reload(place: Path) -> None:
    """A wrong key is held; the file is replaced and SIGHUP sent: every word of the meantime arrives, no restart."""
    seconds = quiet_end(25.0)
    key_file = place / "key"
    key_file.write_text("the-wrong-one")
    key_file.chmod(0o600)
    async with emulator(place / "server", "--key", "the-right-one") as server:
        held = {"STENOD_ASSEMBLYAI_KEY_FILE": str(key_file), "STENOD_SUPERVISOR_ON_FATAL": "hold"}
        async with talk(place, server, **held) as daemon, trio.open_nursery() as nursery:
            nursery.start_soon(daemon.feed, speech(seconds))
            await daemon.until(speaks("status", 1))
            daemon.interrupt(signal.SIGHUP)
            await daemon.until(speaks("status", 2))
            await trio.sleep(5)
            key_file.write_text("the-right-one")
            daemon.interrupt(signal.SIGHUP)
            assert 0 == await daemon.end(60)
        check_words(daemon.words, seconds)
    assert ["fatal", "fatal", "back"] == [record["state"] for record in daemon.of("status")]
    assert [False, True] == [line["key_changed"] for line in daemon.log("reload.done")]


@together
async def test_too_many_sessions_are_waited_for(place: Path) -> None:
    """Two on an account for one: the second backs off without hammering, and comes in when the first has gone."""
    first_seconds, seconds = quiet_end(12.0), quiet_end(20.0)
    async with emulator(place / "server", "--sessions-max", "1") as server:
        async with (
            talk(place / "first", server) as first,
            talk(place / "second", server) as second,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(first.feed, speech(first_seconds))
            await server.until("opened")
            nursery.start_soon(second.feed, speech(seconds))
            assert 0 == await first.end()
            gone = trio.current_time()
            await second.until(speaks("session", 2))
            await second.until(lambda one: "ready" in [record["event"] for record in one.of("session")])
            assert trio.current_time() - gone <= 3.0
            assert 0 == await second.end()
        check_words(first.words, first_seconds)
        check_words(second.words, seconds)
        refused = server.of("refused")
        assert {3009} == {record["code"] for record in refused}
        assert len([one for one in refused if one["at"] - refused[0]["at"] < 10.0]) <= 8
    assert "too-many-sessions" in {line["rule"] for line in second.log("retry.scheduled")}


@together
async def test_a_missing_engine_is_told_how_to_install(place: Path) -> None:
    """Without pocketsphinx the engine inside cannot start: exit 69, and the command that mends it."""
    (place / "without").mkdir()
    (place / "without" / "sitecustomize.py").write_text("import sys\nsys.modules['pocketsphinx'] = None\n")
    async with stenod(place, "run", "--input", "sample", PYTHONPATH=str(place / "without")) as daemon:
        assert 69 == await daemon.end()
    assert ["pip install 'stenod[local]'"] == [line.split(": ")[-1] for line in daemon.sentences]
    assert b"" == daemon.stdout
    assert [] == list(daemon.state_home.iterdir())


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "ws://", "wss://api.assemblyai.com/v2/realtime/ws", "a b"])
@together
async def test_a_wrong_endpoint_is_a_wrong_configuration(place: Path, endpoint: str) -> None:
    """Exit 78 before anything is recorded or sent, with what to write instead."""
    words = ("run", "--input", "sample", "--provider", "assemblyai", "--endpoint", endpoint)
    async with stenod(place, *words, **ANY_KEY) as daemon:
        assert 78 == await daemon.end()
    assert re.search("endpoint", "\n".join(daemon.sentences))
    assert re.search(r"wss?://|use ", "\n".join(daemon.sentences))
    assert b"" == daemon.stdout
    assert not daemon.state_home.exists() or [] == list(daemon.state_home.iterdir())


@together
async def test_a_missing_key_is_told_where_to_put_it(place: Path) -> None:
    """Exit 78 and the three places, without a connection."""
    async with stenod(place, "run", "--input", "sample", "--provider", "assemblyai") as daemon:
        assert 78 == await daemon.end()
    assert re.search("credential.*key_file.*ASSEMBLYAI_API_KEY", "\n".join(daemon.sentences))
    assert [] == list(daemon.state_home.iterdir())


@pytest.mark.parametrize("endpoint", ["ws://stenod.invalid:9", "ws://127.0.0.1:9"])
@together
async def test_a_host_that_cannot_be_reached_is_waited_for(place: Path, endpoint: str) -> None:
    """It may come back: stenod records, says what is wrong, and at Ctrl-C where the audio is and how to go on."""
    words = ("run", "--input", "-", "--provider", "assemblyai", "--endpoint", endpoint)
    async with stenod(place, *words, stdin=subprocess.PIPE, **ANY_KEY) as daemon, trio.open_nursery() as nursery:
        nursery.start_soon(daemon.feed, speech(30.0))
        await daemon.until(
            lambda one: one.fed >= 7 * RATE and len(one.log("retry.scheduled")) >= 2 and one.of("status")
        )
        tried, captured = len(daemon.log("retry.scheduled")), daemon.fed / RATE
        daemon.interrupt()
        assert 0 == await daemon.end(15)
        nursery.cancel_scope.cancel()
    lost = [record for record in daemon.of("status") if record["state"] == "lost"]
    assert 1 == len(lost)
    assert lost[0]["remedy"]
    assert tried <= 8
    told = re.search(r"([\d.]+) s of audio that was not transcribed are kept in (\S+);", daemon.told)
    assert told is not None, daemon.told
    assert captured - 1.0 <= float(told[1]) <= captured + 2.0

    async with emulator(place / "server") as server:
        again = ("run", "--input", "none", "--state-dir", told[2], "--provider", "assemblyai", "--endpoint", server.url)
        async with stenod(place, *again, **ANY_KEY) as daemon:
            assert 0 == await daemon.end()
    whole = [word.text for word in truth(6.0)]
    assert whole == [word.text for word in daemon.words][: len(whole)]
