"""Which source of a sound server is heard: by a name in ALSA's configuration, or by a variable, as the page says.

Two sources, of which the default one is silent and the other speaks. The lines are those of systemd/README.md.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
from counted import Speaker, tone, zeros
from pipewire import PARTS as PIPEWIRE_PARTS
from pipewire import PipeWire
from soundserver import PARTS as PULSE_PARTS
from soundserver import SoundServer

from stenod.core.source import SourceLost
from stenod.edge.devices import list_devices
from stenod.edge.microphone import Microphone

pytestmark = [pytest.mark.real, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
RATE = 48000
HEARD_SECONDS = 0.5
LOUD = 2000
"""Of the tone, whose peak is 8192; the silent source has zeros."""
SERVERS: dict[str, tuple[Callable[[], Any], tuple[str, ...], str, str]] = {
    "pulseaudio": (SoundServer, PULSE_PARTS, "pulse", "PULSE_SOURCE"),
    "pipewire": (PipeWire, PIPEWIRE_PARTS, "pipewire", "PIPEWIRE_NODE"),
    "pipewire-pulse": (partial(PipeWire, native=False), PIPEWIRE_PARTS, "pulse", "PULSE_SOURCE"),
}
"""How it is started, what it needs, the way to it by ALSA's name for it, and the variable that says which source."""


@pytest.fixture(params=SERVERS)
def server(
    request: pytest.FixtureRequest, require: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The name of one that runs, with both sources."""
    begin, parts, way, _ = SERVERS[request.param]
    for part in parts:
        require(part)
    with closing(begin()) as server:
        server.start()
        server.load_microphone("speaking", rate=RATE)
        server.load_microphone("silent", rate=RATE)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        with Path(server.environment["ALSA_CONFIG_PATH"]).open("a") as file:
            file.write(line(way, "speaking"))
        ahead = server.ahead_seconds
        with (
            Speaker(server.fifo("speaking"), ahead_seconds=ahead, say=tone),
            Speaker(server.fifo("silent"), ahead_seconds=ahead, say=zeros),
        ):
            yield request.param


def line(way: str, source: str) -> str:
    """Return the page's line for this way, with the name of a source between its quotes."""
    page = (ROOT / "systemd/README.md").read_text()
    (found,) = re.findall(rf"^    (pcm\.hall {{ type {way} .*)$", page, re.MULTILINE)
    return re.sub('".*"', f'"{source}"', found) + "\n"


async def peak(name: str) -> int:
    """Return the loudest sample of a microphone, which is given a while to begin."""
    pcm = b""
    with trio.fail_after(20):
        async with Microphone(name, rate=RATE).open(0.0) as reader:
            while len(pcm) < 2 * RATE * HEARD_SECONDS:
                pcm += (await reader.read()).pcm
    return int(np.abs(np.frombuffer(pcm, "<i2").astype(int)).max())


async def test_a_source_is_chosen(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name in ALSA's configuration, which is listed; by the variable; without either it is the default one."""
    _, _, way, variable = SERVERS[server]
    assert {"hall", way} <= {device.name for device in list_devices()}
    assert await peak(way) < LOUD
    assert await peak("hall") > LOUD
    monkeypatch.setenv(variable, "speaking")
    assert await peak(way) > LOUD
    monkeypatch.setenv(variable, "nowhere")
    if server == "pulseaudio":
        with pytest.raises(SourceLost):
            await peak(way)
    else:
        assert await peak(way) < LOUD
