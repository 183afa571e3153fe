"""Zeros and a second opening, on virtual time: it takes over where it hears something, and a mute loses nothing."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio

from fakes.source import RATE, Step, block, played, speech
from stenod.core.source import Block, Reader, SourceError, SourceLost
from stenod.tasks.relief import Relief

SIZE = 20
ZEROS = bytes(2 * SIZE)


class Desk:
    """A source that can be open several times at once: each opening plays its own script, in real time."""

    live = True
    ends = False
    clocked = True
    description = "microphone 'toy'"

    def __init__(self, *openings: Iterator[Step]) -> None:
        self.left = list(openings)
        self.opened_at: list[float] = []
        self.open_now = 0
        self.open_max = 0

    @asynccontextmanager
    async def open(self, position_seconds: float) -> AsyncIterator[Reader]:
        self.opened_at.append(trio.current_time())
        self.open_now += 1
        self.open_max = max(self.open_now, self.open_max)
        try:
            yield Player(self.left.pop(0))
        finally:
            self.open_now -= 1


class Player:
    def __init__(self, steps: Iterator[Step]) -> None:
        self._steps = steps

    async def read(self) -> Block | None:
        return await played(self._steps)


def sound(seconds: float, start: int = 0) -> Iterator[Step]:
    """Samples that tell their position, in blocks as they come."""
    for index in range(round(seconds * RATE / SIZE)):
        yield SIZE / RATE
        yield block(speech(start + SIZE * index, SIZE))


def zeros(seconds: float) -> Iterator[Step]:
    for _ in range(round(seconds * RATE / SIZE)):
        yield SIZE / RATE
        yield block(ZEROS)


def then(*parts: Iterator[Step] | Exception | float) -> Iterator[Step]:
    for part in parts:
        if isinstance(part, Exception | float):
            yield part
        else:
            yield from part


async def heard(relief: Relief, seconds: float) -> bytes:
    """Read for so long."""
    pcm = b""
    with trio.move_on_after(seconds):
        async with relief.open(0.0) as reader:
            while (one := await reader.read()) is not None:
                pcm += one.pcm
    return pcm


async def test_a_mute_loses_nothing(autojump_clock: trio.abc.Clock) -> None:
    """The others hear zeros too: each ends soon, and of the first every block comes, in order."""
    desk = Desk(then(sound(5.0), zeros(100.0), sound(5.0, 105_000)), *(zeros(500.0) for _ in range(20)))
    pcm = await heard(Relief(desk), 120.0)
    assert speech(0, 5000) + bytes(2 * 100_000) + speech(105_000, 5000) == pcm
    assert 2 == desk.open_max
    assert 4 <= len(desk.opened_at) <= 6
    assert 0 == desk.open_now


async def test_a_source_that_is_gone_behind_zeros_is_heard_again(autojump_clock: trio.abc.Clock) -> None:
    """Within two seconds the second opening is asked; from its first sound on it is the one, and alone."""
    desk = Desk(then(sound(5.0), zeros(1000.0)), then(0.3, sound(60.0, 7000)), then(zeros(0.0)))
    relief = Relief(desk)
    pcm = await heard(relief, 20.0)
    assert desk.opened_at[1] - desk.opened_at[0] == pytest.approx(6.5, abs=0.05)
    again = pcm.index(speech(7000, SIZE))
    assert speech(0, 5000) == pcm[:10_000]
    assert bytes(again - 10_000) == pcm[10_000:again]
    assert again / 2 / RATE == pytest.approx(6.5 + 0.32, abs=0.05)
    assert speech(7000, (len(pcm) - again) // 2) == pcm[again:]
    assert len(pcm) / 2 / RATE == pytest.approx(20.0, abs=0.1)
    assert 0 == desk.open_now


async def test_the_one_that_took_over_is_alone_and_may_be_relieved_too(autojump_clock: trio.abc.Clock) -> None:
    """The first is closed at once; a second loss is as good as the first."""
    desk = Desk(
        then(sound(2.0), zeros(1000.0)),
        then(sound(2.0, 10_000), zeros(1000.0)),
        then(sound(50.0, 20_000)),
    )
    relief = Relief(desk)
    async with relief.open(0.0) as reader:
        starts = []
        with trio.move_on_after(12.0):
            while (one := await reader.read()) is not None:
                if one.pcm in (speech(10_000, SIZE), speech(20_000, SIZE)):
                    starts.append(trio.current_time())
                    await trio.testing.wait_all_tasks_blocked()
                    assert 1 == desk.open_now
    assert 2 == len(starts)
    assert 0 == desk.open_now


async def test_sound_ends_a_trial(autojump_clock: trio.abc.Clock) -> None:
    """Somebody has unmuted it: what goes on goes on."""
    desk = Desk(then(sound(1.0), zeros(2.0), sound(5.0, 3000)), then(3.0, sound(50.0, 90_000)))
    pcm = await heard(Relief(desk), 8.0)
    assert speech(0, 1000) + bytes(4000) + speech(3000, 4980) == pcm[: 2 * 7980]
    assert 0 == desk.open_now


@pytest.mark.parametrize("failure", [SourceLost("busy"), SourceError("not there", 66)])
async def test_a_second_opening_that_fails_is_no_failure(autojump_clock: trio.abc.Clock, failure: Exception) -> None:
    """A device that can be open once only."""
    desk = Desk(then(sound(1.0), zeros(30.0)), *(then(failure) for _ in range(20)))
    pcm = await heard(Relief(desk), 60.0)
    assert 31 * RATE == len(pcm) / 2
    assert len(desk.opened_at) > 2


@pytest.mark.parametrize("failure", [SourceLost("gone"), SourceError("wrong", 66)])
@pytest.mark.parametrize("on_trial", [False, True])
async def test_a_loss_is_a_loss(autojump_clock: trio.abc.Clock, failure: Exception, on_trial: bool) -> None:
    """As it was raised, and nothing stays open."""
    desk = Desk(then(sound(1.0), zeros(1.8 if on_trial else 0.0), failure), then(100.0))
    with pytest.raises(type(failure)) as caught:
        await heard(Relief(desk), 60.0)
    assert failure is caught.value
    assert 0 == desk.open_now


async def test_what_never_sounded_is_opened_once(autojump_clock: trio.abc.Clock) -> None:
    """It is muted from the beginning."""
    desk = Desk(zeros(100.0))
    await heard(Relief(desk), 60.0)
    assert 1 == len(desk.opened_at)


async def test_it_is_what_its_source_is() -> None:
    """Live, endless, clocked, by the same name; a file is not relieved."""
    desk = Desk()
    relief = Relief(desk)
    assert (relief.live, relief.ends, relief.clocked, relief.description) == (True, False, True, "microphone 'toy'")
    desk.live = False
    with pytest.raises(AssertionError):
        Relief(desk)
