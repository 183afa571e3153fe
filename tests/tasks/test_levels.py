"""Levels are told as records and log lines, of the channel that is heard, whatever blocks they come in."""

from typing import Any

import numpy as np
import pytest
import trio

from fakes.clock import FakeClock
from fakes.journal import Disk, troubled
from fakes.log import FakeLog
from stenod.core.source import Block
from stenod.tasks.levels import Levels

RATE = 1000


class Ear:
    """Levels of a journal in memory."""

    def __init__(self, channel: int = 0, disk: Disk | None = None) -> None:
        self.disk, self.log = disk or Disk(), FakeLog()
        clock = FakeClock()
        self.journal = self.disk.journal(clock)
        self._levels = Levels(
            source="microphone 'toy'", channel=channel, journal=self.journal, clock=clock, log=self.log
        )

    async def hear(self, *channels: np.ndarray, size: int = 20, rate: int = RATE) -> list[dict[str, Any]]:
        """Hand over what each channel has, in blocks of so many frames; return all status records."""
        samples = np.stack(channels, axis=1).astype("<i2")
        for start in range(0, len(samples), size):
            pcm = samples[start : start + size].tobytes()
            self._levels.hear(Block(pcm=pcm, rate=rate, channels=len(channels)))
        await self.journal.commit([])
        await self.journal.flush()
        return self.disk.lines("status")


def tone(seconds: float, peak: float, rate: int = RATE) -> np.ndarray:
    """A tone with its peak at this share of full scale; over 1 it is cut off."""
    wave = np.sin(np.arange(int(seconds * rate)) * 0.7) * peak * 32768.0
    return np.clip(np.round(wave), -32768, 32767)


def zeros(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE))


@pytest.mark.parametrize("size", [20, 333, 5000])
async def test_a_mute_is_told_with_its_remedy_and_its_end(autojump_clock: trio.abc.Clock, size: int) -> None:
    """One record each, and one line of the log each, whatever the blocks are."""
    ear = Ear()
    found = await ear.hear(np.concatenate([tone(3, 0.1), zeros(60), tone(3, 0.1)]), size=size)
    assert [("level", "muted"), ("level", "good")] == [(one["subject"], one["state"]) for one in found]
    assert "microphone 'toy' gives nothing but zeros" == found[0]["reason"]
    assert found[0]["remedy"]
    assert not found[1]["remedy"]
    assert ["muted", "good"] == [line["state"] for line in ear.log.of("level.changed")]


async def test_clipping_says_how_much(autojump_clock: trio.abc.Clock) -> None:
    """A tone that is twice too loud spends two thirds of its time at the ends of the scale."""
    (found,) = await Ear().hear(tone(20, 2.0))
    assert "clipping" == found["state"]
    share = float(found["reason"].split("too loud: ")[1].split(" %")[0])
    assert share == pytest.approx(66.7, abs=1.0)
    assert "gain down" in found["remedy"]


async def test_full_scale_without_clipping_is_none(autojump_clock: trio.abc.Clock) -> None:
    """A tone that just fits."""
    assert [] == await Ear().hear(tone(60, 0.999))


async def test_too_quiet_says_how_quiet(autojump_clock: trio.abc.Clock) -> None:
    """Syllables 59 dB below full scale in a room at 80."""
    voice = np.concatenate([tone(0.3, 0.0015), np.round(tone(0.7, 0.0001))] * 200)
    (found,) = await Ear().hear(voice)
    assert "quiet" == found["state"]
    assert "65 dB below full scale" in found["reason"]


@pytest.mark.parametrize(("channel", "states"), [(1, ["muted"]), (2, ["clipping"]), (3, []), (0, ["clipping"])])
async def test_of_several_channels_the_one_that_is_heard_counts(
    autojump_clock: trio.abc.Clock, channel: int, states: list[str]
) -> None:
    """Where all are, an empty one beside others means nothing, and the worst is told."""
    found = await Ear(channel).hear(zeros(20), tone(20, 2.0), tone(20, 0.1))
    assert states == [one["state"] for one in found]


async def test_a_device_that_opens_with_fewer_channels(autojump_clock: trio.abc.Clock) -> None:
    """What was of another format is put aside, and nothing fails."""
    ear = Ear(2)
    await ear.hear(tone(0.5, 0.1), tone(0.5, 0.1))
    assert [] == await ear.hear(tone(20, 0.1, 2000), rate=2000)


async def test_a_converter_that_is_stuck_is_muted(autojump_clock: trio.abc.Clock) -> None:
    """One value for ever is no more than zeros; noise in the last bit is."""
    noise = np.random.default_rng(1).integers(0, 2, 10 * RATE)
    assert [] == await Ear().hear(noise)
    assert ["muted"] == [one["state"] for one in await Ear().hear(np.full(10 * RATE, 1234))]


async def test_a_level_that_is_good_after_a_restart(autojump_clock: trio.abc.Clock) -> None:
    """Three minutes tell that it is not too quiet any more either."""
    ear = Ear(disk=await troubled("level"))
    assert ["lost"] == [one["state"] for one in await ear.hear(tone(179, 0.1))]
    assert ["lost", "good"] == [one["state"] for one in await ear.hear(tone(60, 0.1))]
