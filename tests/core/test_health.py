"""What counts as alive and as ready, and what is told of it."""

import json
from dataclasses import replace

import pytest

from stenod.core.health import Device, Health, Held, StreamHealth, line

WELL = StreamHealth(
    name="room",
    alive=True,
    up=True,
    state="transcribing",
    device=Device.UP,
    provider="assemblyai",
    session="room-000001",
    lag_seconds=0.5,
    pending_seconds=0.5,
    held=None,
    disk=None,
    last_final_at=None,
)


@pytest.mark.parametrize(
    ("changes", "alive", "ready"),
    [
        ({}, True, True),
        ({"session": None, "state": "parked until there is something to hear"}, True, True),
        ({"device": Device.NONE}, True, True),
        ({"device": Device.ENDED}, True, True),
        ({"device": Device.LOST}, True, False),
        ({"device": Device.OPENING}, True, False),
        ({"up": False}, True, False),
        ({"held": Held(reason="no balance", remedy="top it up")}, True, False),
        ({"disk": Held(reason="audio is lost", remedy="make room")}, True, False),
        ({"alive": False}, False, False),
    ],
)
def test_alive_and_ready(changes: dict[str, object], alive: bool, ready: bool) -> None:
    """A provider that is away, a device that is gone: no restart mends that; what stands still is neither."""
    for streams in ([replace(WELL, **changes)], [WELL, replace(WELL, **changes)]):
        health = Health(streams=streams, stopping=False, uptime_seconds=1.0)
        assert (alive, ready) == (health.alive, health.ready)


def test_whoever_stops_is_not_ready() -> None:
    """It will not be, and it is alive until it has ended."""
    health = Health(streams=[WELL], stopping=True, uptime_seconds=1.0)
    assert (True, False) == (health.alive, health.ready)


def test_it_is_one_line() -> None:
    """With everything that a program may want, held or not."""
    held = replace(WELL, held=Held(reason="no balance", remedy="top it up"))
    told = line(Health(streams=[WELL, held], stopping=False, uptime_seconds=7.5), pid=12, version="1.0")
    assert (1, True) == (told.count(b"\n"), told.endswith(b"\n"))
    answer = json.loads(told)
    first, second = answer.pop("streams")
    expected = {"alive": True, "ready": False, "stopping": False, "pid": 12, "version": "1.0", "uptime_seconds": 7.5}
    assert expected == answer
    assert (True, False) == (first["ready"], second["ready"])
    assert (None, {"reason": "no balance", "remedy": "top it up"}) == (first["held"], second["held"])
    assert ("up", "room-000001", 0.5) == (first["device"], first["session"], first["lag_seconds"])
