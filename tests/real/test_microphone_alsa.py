"""Plain ALSA without a sound server and without a card: PortAudio on a chain of ALSA's own plugins.

The chain reads a file in place of a converter. It has no clock: it gives audio as fast as it is read, so what is shown
here is how a device is found, opened and read, not its pace. A card that is unplugged, and an overrun of its buffer,
cannot be tried without one.
"""

from pathlib import Path

import numpy as np
import pytest
import trio
from counted import counted, position_of

from stenod.core.source import Block, Reader, SourceError, SourceLost
from stenod.edge.devices import list_devices
from stenod.edge.microphone import Microphone

pytestmark = [pytest.mark.real, pytest.mark.slow]

CHAIN = """\
</usr/share/alsa/alsa.conf>
pcm.tape {{ type file  slave.pcm null  file /dev/null  infile {tape}  format raw  hint.description "Tape" }}
pcm.!default {{ type plug  slave.pcm tape  hint.description "Default" }}
"""
RATE = 48000
TAPE_SECONDS = 5


class Bench:
    """A folder with the chain and its tape."""

    def __init__(self, folder: Path) -> None:
        self._tape = folder / "tape.raw"
        self._tape.write_bytes(counted(0, TAPE_SECONDS * RATE).tobytes())
        self._configuration = folder / "asound.conf"
        self.plug()

    def plug(self) -> None:
        """Make the devices known."""
        self._configuration.write_text(CHAIN.format(tape=self._tape))

    def unplug(self) -> None:
        """Leave ALSA without a device."""
        self._configuration.write_text("</usr/share/alsa/alsa.conf>\npcm.!default { type hw card 31 }\n")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """ALSA for this process and its children; no server answers them."""
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nobody")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(tmp_path))
    return Bench(tmp_path)


async def heard(reader: Reader, count: int) -> list[Block]:
    """Read so many blocks."""
    with trio.fail_after(20):
        return [block for _ in range(count) if (block := await reader.read()) is not None]


def test_the_devices_of_a_chain_are_listed(bench: Bench) -> None:
    """Nothing else is there, and nothing waits for a server."""
    assert {"tape", "default"} == {device.name for device in list_devices()}
    assert ["default"] == [device.name for device in list_devices() if device.default]


async def test_a_part_of_one_name_is_enough_and_the_bits_are_those_of_the_device(bench: Bench) -> None:
    """Read without a server between, in blocks of 20 ms."""
    async with Microphone("ape", rate=RATE).open(0.0) as reader:
        blocks = await heard(reader, 20)
    got = np.concatenate([np.frombuffer(block.pcm, "<i2") for block in blocks])
    assert {(RATE, 1, RATE // 50, 0)} == {(one.rate, one.channels, one.frames, one.dropped) for one in blocks}
    assert 0 == position_of(got)
    assert np.array_equal(counted(0, len(got)), got)


async def test_a_device_that_is_not_there_is_waited_for(bench: Bench) -> None:
    """At first a person must say what is wrong; a service goes on looking, and finds it within two seconds."""
    bench.unplug()
    with pytest.raises(SourceError, match="no microphone: PortAudio finds no input device"):
        async with Microphone(None, rate=RATE).open(0.0) as reader:
            await reader.read()

    source = Microphone("tape", rate=RATE, patient=True)
    with pytest.raises(SourceLost):
        async with source.open(0.0) as reader:
            await reader.read()
    async with source.open(0.0) as reader, trio.open_nursery() as nursery:
        blocks: list[Block] = []

        async def read() -> None:
            blocks.append(await reader.read())

        nursery.start_soon(read)
        with trio.move_on_after(1.5):
            while not blocks:  # noqa: ASYNC110 - nothing should come
                await trio.sleep(0.05)
        assert not blocks
        assert source.tried
        bench.plug()
        plugged_at = trio.current_time()
        with trio.fail_after(5):
            while not blocks:  # noqa: ASYNC110 - a list tells nobody that it grew
                await trio.sleep(0.01)
        assert trio.current_time() - plugged_at < 2.0
