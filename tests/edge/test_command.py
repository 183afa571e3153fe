"""Commands as sources: real children, ended in every way that there is."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio

from stenod.core.source import Reader, SourceError, SourceLost
from stenod.edge.command import Command

pytestmark = pytest.mark.real


def command(*words: str, rate: int = 16000, channels: int = 1) -> Command:
    return Command(words, rate=rate, channels=channels)


def shell(script: str, *, channels: int = 1) -> Command:
    return command("sh", "-c", script, channels=channels)


async def until_lost(reader: Reader) -> tuple[bytes, str]:
    """Read to the loss; return the audio and what was said."""
    pcm = b""
    while True:
        try:
            pcm += (await reader.read()).pcm
        except SourceLost as lost:
            return pcm, str(lost)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie, which an init that reaps late leaves for a moment, does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(pid: int) -> None:
    """Return when a process is no more."""
    with trio.fail_after(5):
        while alive(pid):  # noqa: ASYNC110 -- nothing tells of the end of somebody else's child
            await trio.sleep(0.005)


async def test_what_a_command_writes_is_its_audio() -> None:
    """Blocks of a tenth of a second at most, in order, each with its time; the end is a loss, with the status."""
    source = shell("head -c 8000 /dev/zero; echo done >&2; exit 3")
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    async with source.open(99.0) as reader:
        block = await reader.read()
        pcm, reason = await until_lost(reader)

    assert (source.live, source.ends, source.description) == (True, False, "command 'sh'")
    assert 0 < block.frames <= 1600
    assert before <= block.monotonic <= time.clock_gettime(time.CLOCK_MONOTONIC)
    assert len(block.pcm + pcm) == 8000
    assert reason == "command 'sh' ended with status 3: done"


async def test_it_can_be_opened_again() -> None:
    """A loss is not the end: the next opening starts the command anew."""
    source = shell("printf abcd")
    for _ in range(2):
        async with source.open(0.0) as reader:
            assert await until_lost(reader) == (b"abcd", "command 'sh' ended with status 0")


async def test_frames_stay_whole_across_reads(tmp_path: Path) -> None:
    """A write that ends within a frame shifts nothing; what is left at the end is dropped."""
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    async with shell(f"printf lLrRl; cat {fifo}; printf LrRx", channels=2).open(0.0) as reader:
        assert (await reader.read()).pcm == b"lLrR"
        await trio.to_thread.run_sync(fifo.write_bytes, b"")
        assert (await reader.read()).pcm == b"lLrR"
        assert (await until_lost(reader))[0] == b""


async def test_the_last_complaints_explain_the_end_without_passwords() -> None:
    """ffmpeg repeats the address of the stream, with the password in it."""
    script = "for n in 1 2 3 4 5; do echo line $n >&2; done; echo rtsp://me:secret@camera/1: refused >&2; kill -9 $$"
    async with shell(script).open(0.0) as reader:
        _, reason = await until_lost(reader)

    assert reason == "command 'sh' was ended by SIGKILL: line 4 / line 5 / rtsp://***@camera/1: refused"


@pytest.mark.slow
async def test_a_command_that_complains_without_end_is_not_held_up() -> None:
    """A full pipe of complaints would stop the audio: they are read, and only the end is kept."""
    script = "for n in $(seq 20); do head -c 20000 /dev/zero | tr '\\0' x >&2; done; printf abcd"
    async with shell(script).open(0.0) as reader:
        with trio.fail_after(20):
            pcm, reason = await until_lost(reader)

    assert pcm == b"abcd"
    assert len(reason) < 5000


@pytest.mark.slow
async def test_a_command_that_closes_its_output_and_stays_is_lost() -> None:
    """No output can come any more, whatever else it does."""
    async with shell("exec >&-; sleep 100").open(0.0) as reader:
        assert await until_lost(reader) == (b"", "command 'sh' closed its output")


async def test_a_command_that_stands_still_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last words say why, where it has any; as long as something comes now and then, it goes on."""
    monkeypatch.setattr("stenod.edge.command.STALL_SECONDS", 1.0)
    script = "for n in 1 2 3; do head -c 320 /dev/zero; sleep 0.5; done; echo no route >&2; exec sleep 60"
    async with shell(script).open(0.0) as reader:
        pcm, reason = await until_lost(reader)
    assert 3 * 320 == len(pcm)
    assert "command 'sh' has written no audio for 1 s: no route" == reason


async def test_the_whole_group_is_ended_on_leaving() -> None:
    """A pipeline's members go with it, by SIGTERM."""
    async with shell("sleep 100 & sleep 100 | sleep 100 & echo $$; echo $!; wait").open(0.0) as reader:
        pids = b""
        while pids.count(b"\n") < 2:
            pids += (await reader.read()).pcm + reader._rest
        leader, member = (int(pid) for pid in pids.split())
        assert alive(leader)
        assert alive(member)
        started = trio.current_time()

    assert trio.current_time() - started < 0.9
    assert not alive(leader)
    await gone(member)


@pytest.mark.slow
async def test_a_command_that_ignores_the_end_is_killed() -> None:
    """One that refuses SIGTERM has a second, cancelled or not."""
    with trio.CancelScope() as scope:
        async with shell("trap '' TERM; printf 'ok'; while :; do sleep 0.1; done").open(0.0) as reader:
            await reader.read()
            pid = reader._process.pid
            started = trio.current_time()
            scope.cancel()
            await trio.sleep_forever()

    assert 0.9 < trio.current_time() - started < 2.5
    assert not alive(pid)


async def test_a_cancelled_read_loses_nothing() -> None:
    """Half a sample that came before the cancellation is there after it."""
    async with shell("printf abc; sleep 0.1; printf d; sleep 100").open(0.0) as reader:
        assert (await reader.read()).pcm == b"ab"
        with trio.move_on_after(0.02):
            await reader.read()
        assert (await reader.read()).pcm == b"cd"


@pytest.mark.parametrize(
    ("words", "exit_code", "cause"),
    [
        (["/no/such/program"], 69, "no such file or directory; install it"),
        (["/etc/passwd"], 69, "permission denied; install it"),
        ([], 64, "it has no words"),
    ],
)
async def test_a_command_that_cannot_start_is_an_error(words: list[str], exit_code: int, cause: str) -> None:
    """Trying it again would not help before a person acts."""
    with pytest.raises(SourceError, match=cause) as caught:
        async with command(*words).open(0.0):
            pass
    assert exit_code == caught.value.exit_code


async def test_it_gets_neither_our_keys_nor_our_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command sees its own world, and no secret of ours."""
    monkeypatch.setenv("ASSEMBLYAI_API_KEY", "secret")
    monkeypatch.setenv("STENOD_DEEPGRAM_KEY", "secret")
    monkeypatch.setenv("CAMERA", "kitchen")
    async with shell("env; cat").open(0.0) as reader:
        said, _ = await until_lost(reader)

    assert b"secret" not in said
    assert b"CAMERA=kitchen" in said


@pytest.mark.slow
async def test_it_does_not_outlive_a_killed_parent() -> None:
    """Nobody ends it then, but its next write does."""
    program = """
import trio
from stenod.edge.command import Command
async def main():
    async with Command(["sh", "-c", "echo $$ >&2; exec cat /dev/zero"], rate=16000, channels=1).open(0.0) as reader:
        await reader.read()
        print(reader._process.pid, flush=True)
        await trio.sleep_forever()
trio.run(main)
"""
    parent = await trio.lowlevel.open_process([sys.executable, "-c", program], stdout=subprocess.PIPE)
    async with parent.stdout:
        pid = int(await parent.stdout.receive_some(100))
        assert alive(pid)
        parent.kill()
        await parent.wait()
    await gone(pid)
