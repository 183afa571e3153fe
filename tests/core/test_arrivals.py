"""What is missing between blocks: drift, bursts, holes, sleep, and what a pipe does."""

import random
from collections.abc import Iterator

import pytest

from stenod.core.arrivals import BURST_SECONDS, Arrival, Arrivals
from stenod.core.clock import Moment
from stenod.core.source import Block
from stenod.core.timeline import Cause, Loss

BLOCK = 0.02
RATE = 1000
AWAKE = Moment(5000.0, 5000.0, 1_795_200_000.0)


class Device:
    """A microphone's child: blocks of 20 ms with their stamps."""

    def __init__(self, pace: float = 1.0, jitter: float = 0.0) -> None:
        self.captured = 0.0
        """Seconds that its converter has taken."""
        self.asleep = 0.0
        self._pace = pace
        self._jitter = jitter
        self._rng = random.Random(1)
        self._arrived = 0.0

    def blocks(self, seconds: float, *, delay: float = 0.0, **first: object) -> Iterator[tuple[Block, Moment]]:
        """So much audio; none arrives before `delay` after the first was captured. `first` is for the first block."""
        begin = self.captured * self._pace
        for _ in range(round(seconds / BLOCK)):
            self.captured += BLOCK
            on_time = self.captured * self._pace + self._rng.uniform(0.0, self._jitter)
            self._arrived = max(self._arrived, on_time, begin + delay if delay else 0.0)
            now = AWAKE.monotonic + self._arrived
            moment = Moment(now, now + self.asleep, AWAKE.wall + self._arrived + self.asleep)
            yield Block(pcm=bytes(2 * round(BLOCK * RATE)), rate=RATE, channels=1, **first), moment
            first = {}

    def lose(self, seconds: float) -> None:
        """Capture, and lose it."""
        self.captured += seconds


class Desk:
    """Takes blocks and keeps what is stored."""

    def __init__(self, *, clocked: bool = True) -> None:
        self.arrivals = Arrivals(AWAKE, clocked=clocked)
        self.stored: list[Arrival] = []
        self.held_seconds_max = 0.0
        self._taken = 0

    def take(self, blocks: Iterator[tuple[Block, Moment]]) -> None:
        for block, moment in blocks:
            self._taken += 1
            self.stored += self.arrivals.take(block, moment)
            self.held_seconds_max = max(self.held_seconds_max, (self._taken - len(self.stored)) * BLOCK)

    @property
    def losses(self) -> list[tuple[float, Loss]]:
        """Where in the run, and what; rounded to milliseconds."""
        found = []
        for one in self.stored:
            start = one.start - sum(loss.seconds for loss in one.losses)
            for loss in one.losses:
                found.append((round(start, 3), Loss(round(loss.seconds, 3), loss.cause)))
                start += loss.seconds
        return found


def hole(at: float, seconds: float) -> tuple[float, Loss]:
    return (pytest.approx(at, abs=0.001), Loss(pytest.approx(seconds, abs=0.02), Cause.OVERFLOW))


@pytest.mark.parametrize("deviation", [100e-6, -100e-6, 300e-6, -300e-6])
def test_drift_is_no_loss(deviation: float) -> None:
    """A crystal that is fast or slow loses nothing, nor does one with jitter; nothing is held for long."""
    device, desk = Device(1.0 + deviation, jitter=0.03), Desk()
    desk.take(device.blocks(1200.0))
    assert desk.losses == []
    assert desk.held_seconds_max < 0.2
    assert desk.arrivals.pace == pytest.approx(1.0 + deviation, abs=2e-5)


@pytest.mark.parametrize("after", [1.0, 100.0, 1000.0])
@pytest.mark.parametrize("seconds", [0.06, 0.3, 1.5, 20.0])
def test_a_hole_is_a_loss_before_the_block_after_it(after: float, seconds: float) -> None:
    """Of the right length, although the crystal is slow and the blocks jitter; told two seconds later."""
    device, desk = Device(1.0001, jitter=0.015), Desk()
    desk.take(device.blocks(after))
    device.lose(seconds)
    desk.take(device.blocks(BURST_SECONDS - 0.1))
    assert desk.losses == []
    desk.take(device.blocks(10.0))
    assert desk.losses == [hole(after, seconds)]
    assert desk.arrivals.settle() == []


@pytest.mark.parametrize("seconds", [0.1, 1.0, 1.9, 30.0])
def test_a_stall_with_its_burst_loses_nothing(seconds: float) -> None:
    """Whatever it was, all came: at once, once it came at all."""
    device, desk = Device(jitter=0.01), Desk()
    desk.take(device.blocks(20.0))
    desk.take(device.blocks(seconds, delay=seconds))
    desk.take(device.blocks(20.0))
    assert desk.losses == []
    assert [pytest.approx(BLOCK * index) for index in range(len(desk.stored))] == [one.start for one in desk.stored]


def test_a_stall_whose_burst_is_not_whole() -> None:
    """Three seconds of pause bring two of audio: one is missing, before the first block after the pause."""
    device, desk = Device(jitter=0.01), Desk()
    desk.take(device.blocks(20.0))
    device.lose(1.0)
    desk.take(device.blocks(2.0, delay=2.0))
    desk.take(device.blocks(20.0))
    assert desk.losses == [hole(20.0, 1.0)]


def test_a_device_that_says_so_is_believed_sooner() -> None:
    """30 ms are nothing, unless it says that it lost something; and what it says is nothing if nothing is missing."""
    for told in (False, True):
        device, desk = Device(), Desk()
        desk.take(device.blocks(20.0))
        device.lose(0.03)
        desk.take(device.blocks(20.0, overflowed=told))
        desk.take(device.blocks(1.0, overflowed=told))
        assert desk.losses == ([hole(20.0, 0.03)] if told else [])


def test_what_was_counted_is_missing_at_once() -> None:
    """By the source's own count, and nothing is held."""
    device, desk = Device(), Desk()
    desk.take(device.blocks(20.0))
    device.lose(5.0)
    desk.take(device.blocks(20.0, dropped=5000))
    assert desk.losses == [hole(20.0, 5.0)]
    assert desk.held_seconds_max == 0.0


@pytest.mark.parametrize("clocked", [True, False])
@pytest.mark.parametrize("seconds", [1.0, 30_000.0])
def test_a_machine_that_slept(seconds: float, clocked: bool) -> None:
    """The boot clock says for how long; what the device needs to start again is an overflow of a device."""
    device, desk = Device(), Desk(clocked=clocked)
    desk.take(device.blocks(20.0))
    device.asleep += seconds
    desk.take(device.blocks(20.0))
    assert [(20.0, Loss(seconds, Cause.SUSPEND))] == desk.losses
    device.asleep += seconds
    device.lose(0.7)
    desk.take(device.blocks(20.0))
    again = 40.0 + seconds
    starting = [hole(again + seconds, 0.7)] if clocked else []
    assert desk.losses[1:] == [(again, Loss(seconds, Cause.SUSPEND)), *starting]


def test_a_source_that_waits_sleeps_without_a_loss() -> None:
    """A file in a pipe has time."""
    device, desk = Device(), Desk()
    desk.arrivals.patient = True
    desk.take(device.blocks(20.0))
    device.asleep += 100.0
    device.lose(100.0)
    desk.take(device.blocks(20.0))
    assert desk.losses == []
    assert desk.held_seconds_max == 0.0


def test_a_pipe_that_rests_loses_nothing() -> None:
    """Its time goes on with the clock: within two minutes what it says is when the audio came."""
    device, desk = Device(), Desk(clocked=False)
    desk.take(device.blocks(100.0))
    device.lose(60.0)
    desk.take(device.blocks(120.0))
    assert desk.losses == []
    assert desk.held_seconds_max == 0.0
    assert desk.arrivals.at(220.0) == pytest.approx(AWAKE.boottime + 280.0)


def test_a_pipe_with_a_backlog() -> None:
    """What came at once in the beginning was captured before."""
    device, desk = Device(), Desk(clocked=False)
    desk.take(device.blocks(10.0, delay=10.0))
    desk.take(device.blocks(5.0))
    assert desk.arrivals.at(0.0) == pytest.approx(AWAKE.boottime)


def test_what_is_held_at_the_end() -> None:
    """Nothing more will come: what is missing is a loss."""
    device, desk = Device(), Desk()
    desk.take(device.blocks(20.0))
    device.lose(5.0)
    desk.take(device.blocks(1.0))
    assert len(desk.stored) == 1000
    desk.stored += desk.arrivals.settle()
    assert desk.losses == [hole(20.0, 5.0)]
    assert len(desk.stored) == 1050


@pytest.mark.parametrize(
    ("away", "asleep", "losses"),
    [
        (10.0, 0.0, [Loss(10.0, Cause.DEVICE)]),
        (0.0, 0.0, [Loss(0.0, Cause.DEVICE)]),
        (-1.0, 0.0, [Loss(0.0, Cause.DEVICE)]),
        (100.0, 90.0, [Loss(90.0, Cause.SUSPEND), Loss(10.0, Cause.DEVICE)]),
        (100.0, 200.0, [Loss(100.0, Cause.SUSPEND), Loss(0.0, Cause.DEVICE)]),
    ],
)
def test_between_two_runs(away: float, asleep: float, losses: list[Loss]) -> None:
    """From the end of one to the beginning of the next; asleep, and then without a device."""
    device, desk = Device(), Desk()
    desk.take(device.blocks(20.0))
    began = AWAKE.boottime + 20.0 + away
    moment = Moment(began + 0.1 - asleep, began + 0.1, AWAKE.wall)
    found = desk.arrivals.absence(began, moment)
    assert [(pytest.approx(loss.seconds), loss.cause) for loss in losses] == [(one.seconds, one.cause) for one in found]


def test_all_of_it_in_turns() -> None:
    """Holes, stalls and sleep on a slow crystal: all losses are found and nothing else, and time stays true."""
    rng = random.Random(7)
    device, desk = Device(1.0001, jitter=0.02), Desk()
    desk.take(device.blocks(20.0))
    expected = []
    for _ in range(60):
        kind, seconds = rng.choice(["hole", "stall", "sleep"]), rng.uniform(0.6, 5.0)
        if kind == "stall":
            desk.take(device.blocks(seconds, delay=seconds))
        elif kind == "hole":
            device.lose(seconds)
            expected.append(Loss(pytest.approx(seconds, abs=0.02), Cause.OVERFLOW))
        else:
            device.asleep += seconds
            expected.append(Loss(pytest.approx(seconds, abs=0.02), Cause.SUSPEND))
        desk.take(device.blocks(rng.uniform(5.0, 60.0)))
        truth = AWAKE.boottime + device.captured * 1.0001 + device.asleep
        assert desk.arrivals.at(desk.stored[-1].end) == pytest.approx(truth, abs=0.02)
    assert expected == [loss for _, loss in desk.losses]
