"""Crashes of the real process: SIGKILL at any moment, readers that die, files that cannot grow.

The truth is what the journal held at each kill (`room`): every word that is whole in it is printed once, in the end.
A reader splits at newlines, skips what is no whole line, and drops the ids that it has.
"""

import json
import os
import random
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import trio
from daemon import PROGRAM, Stenod, environment_in, pending_seconds, sound, stenod, together
from printed import NOWHERE, filled
from room import Pipe, Room, check_room, once, reading
from server import ANY_KEY, emulator

pytestmark = [pytest.mark.real, pytest.mark.slow]

KILLS = int(os.environ.get("STENOD_TEST_KILLS", "20"))
ROTATION = {"STENOD_ROTATION_SESSION_SECONDS_MAX": "3", "STENOD_ROTATION_MARGIN_SECONDS": "1.5"}
ALIVE_SECONDS_MAX = 3.0
MOMENT_SECONDS_MAX = 4.0
"""How long what a kill waits for may take."""
ROUND_SECONDS_MAX = ALIVE_SECONDS_MAX + MOMENT_SECONDS_MAX + 2.0
REST_SECONDS_MAX = 60.0 + 3.0 * KILLS
"""What many short runs leave is heard at no more than the rate rule allows."""
SLOW = 120.0
"""Bytes a second: a third of what is printed, so that the pipe is full and most kills land in mid-print."""


def whole(lines: Sequence[bytes]) -> list[dict]:
    """Return the records among some lines; the others are halves that a kill left."""
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


async def moment(dice: random.Random, daemon: Stenod, output: Pipe) -> None:
    """Return some time later, or when a line begins to come, or about when a session opens or hands over."""
    await trio.sleep(dice.uniform(0.3, ALIVE_SECONDS_MAX))
    kind = dice.choice(["time", "time", "line", "session.opened", "session.rotated"])
    got, logged = len(output.got), len(daemon.log(kind))

    def came() -> bool:
        return len(output.got) > got if kind == "line" else len(daemon.log(kind)) > logged

    with trio.move_on_after(0.0 if kind == "time" else MOMENT_SECONDS_MAX):
        while not came():  # noqa: ASYNC110 - to the millisecond, whatever it is that comes
            await trio.sleep(0.001)
        await trio.sleep(dice.choice([0.0, dice.uniform(0.0, 0.3)]))


async def follow(place: Path, room: Room, seen: bytearray, leaving: trio.Event) -> None:
    """Follow the journal with `stenod tail`; it is killed now and then, and goes on behind its last whole line."""
    dice = random.Random(3)
    while not leaving.is_set():
        since = ("--since", whole(seen.splitlines())[-1]["id"]) if seen else ()
        async with stenod(place / "tail", "tail", "--state-dir", str(room.journal), "--follow", *since) as tail:
            with trio.move_on_after(dice.uniform(1.0, 12.0)):
                await leaving.wait()
                await tail.until(partial(_caught_up, room, bytes(seen)))
            tail.process.kill()
            await tail.end()
        seen += bytes(tail.stdout).rpartition(b"\n")[0] + b"\n"


def _caught_up(room: Room, seen: bytes, tail: Stenod) -> bool:
    return (seen + tail.stdout).endswith(sound(room.journal).lines[-1][2])


@pytest.mark.parametrize("slow", [False, True], ids=["reader-waits", "reader-is-slow"])
@together
async def test_no_kill_costs_or_repeats_a_word(place: Path, slow: bool) -> None:
    """Killed again and again in one stream: the joined output holds each captured word once, a follower's too."""
    dice = random.Random(7 + slow)
    room = Room(place, KILLS * ROUND_SECONDS_MAX)
    rotation = {} if slow else ROTATION
    followed, leaving = bytearray(), trio.Event()
    async with emulator(place / "server") as server, trio.open_nursery() as nursery:
        words = ("run", "--state-dir", str(room.journal), "--provider", "assemblyai", "--endpoint", server.url)
        async with reading(SLOW if slow else None) as output:
            for _ in range(KILLS):
                hear = ("--input", room.input)
                async with stenod(place, *words, *hear, stdout=output.writing, **ANY_KEY, **rotation) as daemon:
                    await moment(dice, daemon, output)
                    daemon.process.kill()
                    await daemon.end()
                if room.remember() and not followed and not slow and sound(room.journal).lines:
                    followed += sound(room.journal).lines[0][2]
                    nursery.start_soon(follow, place, room, followed, leaving)
            output.bytes_a_second = None
            async with stenod(place, *words, "--input", "none", stdout=output.writing, **ANY_KEY) as daemon:
                assert 0 == await daemon.end(REST_SECONDS_MAX)
            leaving.set()
        lines = whole(output.lines)
        assert len(lines) == len(output.lines)
        assert len(lines) - len(once(lines)) <= KILLS
        check_room(room, once(lines), server)
        assert sound(room.journal).lines[-1][2] == output.lines[-1] + b"\n"
        assert 0.0 == pending_seconds(room.journal)
    assert slow or once(lines) == whole(followed.splitlines())


@together
async def test_a_reader_that_dies_misses_nothing(place: Path) -> None:
    """The daemon stops with it, exit 0; the next reader asks `stenod tail` for what the last one had not read."""
    dice = random.Random(11)
    room = Room(place, KILLS * ROUND_SECONDS_MAX)
    lines: list[dict] = []
    async with emulator(place / "server") as server:
        words = ("run", "--state-dir", str(room.journal), "--provider", "assemblyai", "--endpoint", server.url)
        for number in range(KILLS + 1):
            output, last = Pipe(bytes_a_second=dice.choice([None, SLOW])), number == KILLS
            async with (
                stenod(
                    place,
                    *words,
                    "--input",
                    "none" if last else room.input,
                    stdout=output.writing,
                    **ANY_KEY,
                    **ROTATION,
                ) as daemon,
                trio.open_nursery() as nursery,
            ):
                output.finish()
                nursery.start_soon(output.read)
                if not last:
                    await trio.sleep(dice.uniform(0.3, ALIVE_SECONDS_MAX))
                    nursery.cancel_scope.cancel()
                    output.close()
                assert 0 == await daemon.end(REST_SECONDS_MAX)
            lines += whole(output.lines[:-1] if output.got[-1:] != b"\n" else output.lines)
            if not room.remember():
                continue
            since = ("--since", lines[-1]["id"]) if lines else ()
            missed = await trio.run_process(
                [PROGRAM, "tail", "--state-dir", str(room.journal), *since],
                env=environment_in(place / "tail"),
                capture_stdout=True,
            )
            lines += whole(missed.stdout.splitlines())
        output.close()
        check_room(room, once(lines), server)


@together
async def test_half_a_line_stands_on_a_line_of_its_own(place: Path) -> None:
    """Killed when a reader has got so many bytes, mostly in mid-line: newlines part what is whole from what is not."""
    dice = random.Random(5)
    printed = filled(place / "journal", [dice.choice([100, 4000, 20_000]) for _ in range(3 * KILLS)])
    words = ("run", "--state-dir", str(place / "journal"), *NOWHERE)
    output = Pipe()
    for _ in range(KILLS):
        async with stenod(place, *words, stdout=output.writing, **ANY_KEY) as daemon:
            with trio.fail_after(30):
                await output.take(dice.randint(1, 30_000))
            daemon.process.kill()
            await daemon.end()
    async with stenod(place, *words, stdout=output.writing, **ANY_KEY) as daemon:
        output.finish()
        await output.read()
        assert 0 == await daemon.end()
    output.close()
    lines = [line + b"\n" for line in output.lines]
    halves = [line for line in lines if line not in printed]
    assert halves
    assert all(any(line.startswith(half[:-1]) for line in printed) for half in halves)
    complete = [line for line in lines if line in printed]
    assert printed == list(dict.fromkeys(complete))
    assert len(complete) - len(printed) + len(halves) <= KILLS


@together
async def test_a_line_that_a_full_file_cut_is_completed(place: Path) -> None:
    """Exit 73; with more room the next run goes on within the line, so the file holds whole lines only."""
    printed = filled(place / "journal", [1500] * 10)
    output = place / "talk.jsonl"
    output.write_bytes(b"{}\n" * (200 * 1024 // 3 - 1000))
    before = output.read_bytes()
    run = shlex.join([PROGRAM, "run", "--state-dir", str(place / "journal"), *NOWHERE])
    codes = []
    for limit in ("200", "unlimited"):
        script = f"ulimit -f {limit}; exec {run} >> {shlex.quote(str(output))}"
        done = await trio.run_process(
            ["bash", "-c", script], env=environment_in(place, **ANY_KEY), capture_stderr=True, check=False
        )
        codes.append(done.returncode)
        assert b"Traceback" not in done.stderr
        if limit == "200":
            assert b"make room" in done.stderr
            assert 200 * 1024 == output.stat().st_size
    assert [73, 0] == codes
    assert before + b"".join(printed) == output.read_bytes()
