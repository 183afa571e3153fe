"""`stenod health` asks a real daemon that speaks to a real server, stands still, is killed and comes back."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from daemon import PROGRAM, Stenod, environment_in
from server import ANY_KEY, KEY, emulator, speech, talk

pytestmark = [pytest.mark.real, pytest.mark.slow]


async def asked(place: Path, journal: Path, *words: str) -> tuple[int, str]:
    """Return the exit code and the line of one question."""
    done = await trio.run_process(
        [PROGRAM, "health", "--state-dir", str(journal), *words],
        env=environment_in(place / "probe"),
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    assert b"" == done.stderr
    return done.returncode, done.stdout.decode()


async def becomes(place: Path, journal: Path, daemon: Stenod, code: int, told: str) -> str:
    """Return the line of a readiness probe once it says so."""
    line = ""
    with trio.move_on_after(20):
        while True:
            found, line = await asked(place, journal, "--ready")
            if (found, told in line) == (code, True):
                return line
            await trio.sleep(0.1)
    pytest.fail(f"it says {line}; standard error:\n{daemon.told}")


async def test_a_daemon_is_asked_through_its_life(tmp_path: Path) -> None:
    """Ready, without a provider, stuck, killed, ready again, gone; its directory's name is longer than a socket's."""
    journal = tmp_path / ("long" * 30) / ("name" * 30)
    options = ("--state-dir", str(journal), "--on-fatal", "hold")
    assert 69 == (await asked(tmp_path, journal))[0]
    async with (
        emulator(tmp_path / "server") as server,
        talk(tmp_path, server, *options) as daemon,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(daemon.feed, speech(120.0))
        line = await becomes(tmp_path, journal, daemon, 0, "alive, ready: default: transcribing")
        assert "(assemblyai, default-000001)" in line
        await daemon.until(lambda one: one.of("final"))
        told = (await asked(tmp_path, journal, "--json"))[1]
        (final, *_), (stream,) = daemon.of("final"), json.loads(told)["streams"]
        assert stream["last_final_at"] >= final["ended_at"]
        assert not {KEY, *(word["text"] for word in final["words"])} & set(told.replace('"', " ").split())
        assert KEY not in told
        await server.stop()
        await becomes(tmp_path, journal, daemon, 1, "alive, not ready: ")
        assert 0 == (await asked(tmp_path, journal, "--live"))[0]
        daemon.interrupt(signal.SIGSTOP)
        code, line = await asked(tmp_path, journal)
        assert (69, f"process {daemon.process.pid} runs in {journal} and does not answer") == (
            code,
            line.partition(";")[0],
        )
        daemon.process.kill()
        await daemon.end()
        nursery.cancel_scope.cancel()
    assert (journal / "health.socket").is_socket()
    assert 69 == (await asked(tmp_path, journal))[0]
    async with (
        emulator(tmp_path / "again") as server,
        talk(tmp_path, server, *options) as daemon,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(daemon.feed, speech(60.0))
        await becomes(tmp_path, journal, daemon, 0, "alive, ready: ")
        daemon.interrupt(signal.SIGTERM)
        assert 0 == await daemon.end()
        nursery.cancel_scope.cancel()
    assert not (journal / "health.socket").exists()
    assert (69, f"nothing runs in {journal}") == ((found := await asked(tmp_path, journal))[0], found[1].split(";")[0])


async def test_what_a_held_daemon_says(tmp_path: Path) -> None:
    """A key that is refused: alive, and the line says what to do."""
    journal = tmp_path / "journal"
    options = ("--state-dir", str(journal), "--on-fatal", "hold")
    async with (
        emulator(tmp_path / "server", "--key", "another-key-for-tests-77aa") as server,
        talk(tmp_path, server, *options, **ANY_KEY) as daemon,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(daemon.feed, speech(60.0))
        line = await becomes(tmp_path, journal, daemon, 1, "alive, not ready: default: held: ")
        assert "key" in line
        assert KEY not in line
        assert 0 == (await asked(tmp_path, journal))[0]
        nursery.cancel_scope.cancel()


@pytest.fixture
def small_disk(tmp_path: Path, missing: Callable[[str], None]) -> Iterator[Path]:
    """Mount one of six megabytes; needs root."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        missing("cannot mount a small disk")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


async def test_a_full_disk_is_not_ready(tmp_path: Path, small_disk: Path) -> None:
    """While audio is being lost, with what to do; ready again by itself when there is room."""
    journal, filler = small_disk / "journal", small_disk / "filler"
    async with (
        emulator(tmp_path / "server") as server,
        talk(tmp_path, server, "--state-dir", str(journal)) as daemon,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(daemon.feed, speech(120.0))
        await becomes(tmp_path, journal, daemon, 0, "alive, ready: default: transcribing")
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        line = await becomes(tmp_path, journal, daemon, 1, "alive, not ready: default: ")
        assert "cannot be stored" in line
        assert "make room on the journal's disk" in line
        assert 0 == (await asked(tmp_path, journal, "--live"))[0]
        filler.unlink()
        await becomes(tmp_path, journal, daemon, 0, "alive, ready: default: transcribing")
        daemon.process.kill()
        await daemon.end()
        nursery.cancel_scope.cancel()
