"""A source that several captures hear: one opening for all, and nobody waits for another where audio would be lost."""

from collections.abc import Iterator

import pytest
import trio
import trio.testing

from fakes.clock import FakeClock
from fakes.journal import Disk
from fakes.log import FakeLog
from fakes.source import ScriptedSource, Step, block, speech
from stenod.core.source import Block, Source, SourceBroken, SourceError, SourceLost
from stenod.core.timeline import Cause, State
from stenod.tasks.capture import Capture
from stenod.tasks.sharing import BLOCKS_MAX, SharedSource

LOST = SourceLost("it is unplugged")


def microphone(start: int, count: int) -> Iterator[Step]:
    """Play so many blocks of a tenth of a second in real time, stamped as the real one does."""
    for index in range(count):
        yield 0.1
        yield block(speech(start + 100 * index, 100), monotonic=trio.current_time())


def then(*parts: object) -> Iterator[Step]:
    """Play one after the other."""
    for part in parts:
        if isinstance(part, Exception | float | Block):
            yield part
        else:
            yield from part


class Plain:
    """A converter for audio that fits already."""

    def __init__(self, *_format: int) -> None:
        pass

    def feed(self, pcm: bytes) -> bytes:
        """Pass it on."""
        return pcm

    def finish(self) -> bytes:
        """Hold nothing."""
        return b""


def captures(source: Source, nursery: trio.Nursery, number: int = 2) -> list[Capture]:
    """Return captures that share the source, each with a journal of its own."""
    shared = SharedSource(source, number)
    nursery.start_soon(shared.run)
    clock = FakeClock()
    return [
        Capture(source=share, journal=Disk().journal(clock), converter=Plain, clock=clock, log=FakeLog())
        for share in shared.shares
    ]


def told(capture: Capture) -> list[tuple[int, int, Cause | None]]:
    """The gaps of a capture's timeline."""
    return [(one.start, one.end, one.cause) for one in capture._journal.settled() if one.state is State.GAP]


async def test_it_is_opened_once_for_all(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Every block reaches each of them, at the same place, with the same time."""
    source = ScriptedSource([microphone(0, 50)], ends=True, clocked=True)
    async with trio.open_nursery() as running:
        found = captures(source, nursery, 3)
        for capture in found:
            running.start_soon(capture.run)
    assert len(source.opened_at) == 1
    for capture in found:
        assert speech(0, 5000) == capture._journal.read(0, 5000)
        assert capture._journal.chronology.at(0) == found[0]._journal.chronology.at(0)


async def test_a_loss_is_the_same_gap_for_all(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Each opens it again when it likes; whoever asks first opens it, and what came meanwhile waits for the others."""
    source = ScriptedSource(
        [then(microphone(0, 10), LOST), [LOST], then(7.0, microphone(0, 1000))], clocked=True, description="toy"
    )
    found = captures(source, nursery)
    for capture in found:
        nursery.start_soon(capture.run)
    await trio.sleep(30.0)
    nursery.cancel_scope.cancel()
    assert len(source.opened_at) == 3
    gap = round((0.25 + 0.5 + 7.0) * 1000)
    assert [[(1000, 1000 + gap, Cause.DEVICE)]] * 2 == [told(capture) for capture in found]
    for capture in found:
        assert speech(0, 20_000) == capture._journal.read(1000 + gap, 20_000)


@pytest.mark.parametrize("clocked", [True, False])
async def test_one_that_does_not_come_holds_up_a_pipe_only(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, clocked: bool
) -> None:
    """Of a device the others lose nothing, and it itself is told how much it has missed; a pipe waits."""
    blocks = BLOCKS_MAX + 100
    source = ScriptedSource([microphone(0, blocks)], ends=True, clocked=clocked)
    shared = SharedSource(source, 2)
    nursery.start_soon(shared.run)
    prompt, slow = shared.shares
    got: list[Block] = []

    async def read_all() -> None:
        async with prompt.open(0.0) as reader:
            while (one := await reader.read()) is not None:
                got.append(one)

    nursery.start_soon(read_all)
    await trio.sleep(1000.0)
    assert len(got) == (blocks if clocked else BLOCKS_MAX + 1)
    async with slow.open(0.0) as reader:
        rest = [one async for one in everything(reader)]
    assert b"".join(one.pcm for one in rest) == speech(0, 100 * (BLOCKS_MAX if clocked else blocks))
    assert {0} == {one.dropped for one in rest}
    await trio.testing.wait_all_tasks_blocked()
    assert len(got) == blocks


async def everything(reader: object):
    """Yield all that a reader has."""
    while (one := await reader.read()) is not None:
        yield one


async def test_what_was_dropped_is_told_with_the_next_block(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """Frames, those that the device had lost itself included."""
    script = then(
        microphone(0, BLOCKS_MAX), block(speech(0, 100), dropped=7), block(speech(0, 100)), 1.0, microphone(0, 1)
    )
    shared = SharedSource(ScriptedSource([script], ends=True, clocked=True), 1)
    nursery.start_soon(shared.run)
    async with shared.shares[0].open(0.0) as reader:
        await trio.sleep(BLOCKS_MAX / 10 + 0.5)
        rest = [one.dropped async for one in everything(reader)]
    assert [0] * BLOCKS_MAX + [207] == rest


@pytest.mark.parametrize("failure", [LOST, SourceError("no such device", 78), SourceBroken("cut off")])
async def test_each_is_told_of_a_failure(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, failure: Exception
) -> None:
    """As if it were alone, with the exit code where a person must act."""
    shared = SharedSource(ScriptedSource([then(microphone(0, 3), failure)]), 2)
    nursery.start_soon(shared.run)
    for share in shared.shares:
        async with share.open(0.0) as reader:
            assert [300] == [sum([len(one.pcm) // 2 for one in [await reader.read() for _ in range(3)]])]
            with pytest.raises(type(failure), match=str(failure)) as raised:
                await reader.read()
            assert getattr(raised.value, "exit_code", None) == getattr(failure, "exit_code", None)


async def test_it_is_closed_when_nobody_listens(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """With the last of them, at once, though the device is silent; one alone closes nothing."""
    closed: list[float] = []

    class Device(ScriptedSource):
        def open(self, position_seconds: float):
            inner = super().open(position_seconds)

            class Watched:
                async def __aenter__(self) -> object:
                    return await inner.__aenter__()

                async def __aexit__(self, *error: object) -> object:
                    closed.append(trio.current_time())
                    return await inner.__aexit__(*error)

            return Watched()

    found = captures(Device([then(microphone(0, 10), 1e9)]), nursery)
    async with trio.open_nursery() as running:
        for seconds, capture in zip((5.0, 9.0), found, strict=True):

            async def run(seconds: float = seconds, capture: Capture = capture) -> None:
                with trio.move_on_after(seconds):
                    await capture.run()

            running.start_soon(run)
    await trio.testing.wait_all_tasks_blocked()
    assert [9.0] == closed
