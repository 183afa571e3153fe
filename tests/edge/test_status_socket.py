"""A real socket in a real directory, with clients that are slow, many, rude or gone."""

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from fakes.log import FakeLog
from stenod.edge import status_socket
from stenod.edge.status_socket import NAME, REST_SECONDS, ask, serve


@asynccontextmanager
async def served(directory: Path, answer: bytes = b"{}\n") -> AsyncIterator[FakeLog]:
    """Serve, from when it listens on."""
    log = FakeLog()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, directory, lambda: answer, log)
        with trio.fail_after(10):
            while not log.lines and not (directory / NAME).is_socket():  # noqa: ASYNC110 - it says it nowhere else
                await trio.sleep(0.01)
        yield log
        nursery.cancel_scope.cancel()


async def answer_in(directory: Path) -> bytes:
    """Ask as a program does."""
    return await trio.to_thread.run_sync(ask, directory)


async def test_whoever_connects_gets_the_line(tmp_path: Path) -> None:
    """Each time as it is then; and nothing is left behind."""
    told = iter([b"1\n", b"2\n"])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, tmp_path, lambda: next(told), FakeLog())
        await trio.testing.wait_all_tasks_blocked()
        assert [b"1\n", b"2\n"] == [await answer_in(tmp_path), await answer_in(tmp_path)]
        nursery.cancel_scope.cancel()
    assert not (tmp_path / NAME).exists()
    with pytest.raises(FileNotFoundError):
        ask(tmp_path)


async def test_a_directory_with_a_long_name(tmp_path: Path) -> None:
    """A socket's path holds 107 bytes; this one is longer, and so are many."""
    directory = tmp_path / ("d" * 200) / ("e" * 200)
    directory.mkdir(parents=True)
    async with served(directory, b"far\n"):
        assert b"far\n" == await answer_in(directory)


async def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    """Its socket is there and nobody listens."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / NAME))
    with pytest.raises(ConnectionRefusedError):
        ask(tmp_path)
    log = FakeLog()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, tmp_path, lambda: b"new\n", log)
        await trio.testing.wait_all_tasks_blocked()
        assert b"new\n" == await answer_in(tmp_path)
        nursery.cancel_scope.cancel()
    assert [] == log.lines


async def test_a_client_that_takes_nothing_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    """An answer that fits into no buffer: whoever does not read it is left, and the next one is asked."""
    monkeypatch.setattr(status_socket, "ANSWER_BYTES_MAX", 1 << 26)
    answer = b"x" * (1 << 22) + b"\n"
    async with served(tmp_path, answer):
        began = trio.current_time()
        with socket.socket(socket.AF_UNIX) as mute:
            mute.connect(str(tmp_path / NAME))
            await trio.sleep(status_socket.TAKE_SECONDS + 3 * REST_SECONDS)
            autojump_clock.autojump_threshold = 1e9
            assert answer == await answer_in(tmp_path)
        assert trio.current_time() - began < 1.0


async def test_many_clients_cost_little(tmp_path: Path) -> None:
    """So many a second are answered, and no more, however many ask; those who leave at once are no error."""
    answers = 0

    def answer() -> bytes:
        nonlocal answers
        answers += 1
        return b"{}\n"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, tmp_path, answer, FakeLog())
        await trio.testing.wait_all_tasks_blocked()
        began = time.monotonic()
        while time.monotonic() < began + 0.3:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            if client.connect_ex(str(tmp_path / NAME)) == 0:
                client.send(b"GET / HTTP/1.1\r\n\r\n")
            client.close()
            await trio.lowlevel.checkpoint()
        took = time.monotonic() - began
        with trio.fail_after(10):
            while True:  # those that still wait are answered before it
                try:
                    assert b"{}\n" == await answer_in(tmp_path)
                    break
                except BlockingIOError:
                    await trio.sleep(REST_SECONDS)
        nursery.cancel_scope.cancel()
    assert 1 < answers <= took / REST_SECONDS + status_socket.BACKLOG + 3


async def test_where_there_can_be_no_socket(tmp_path: Path) -> None:
    """Something else has the name: the log says so, and nothing stops for it."""
    (tmp_path / NAME).mkdir()
    log = FakeLog()
    with trio.fail_after(10):
        await serve(tmp_path, lambda: b"", log)
    assert 1 == len(log.of("status_socket.unusable"))


def test_one_who_listens_and_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that stands still: whoever asks does not."""
    monkeypatch.setattr(status_socket, "ANSWER_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.bind(str(tmp_path / NAME))
        stuck.listen()
        with pytest.raises(TimeoutError):
            ask(tmp_path)
