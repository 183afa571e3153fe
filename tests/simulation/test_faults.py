"""Every fault alone, on dialogue: nothing is lost, nothing is said twice, nobody is hammered."""

import pytest

from fakes.world import DIAL_FAULTS, DialFault, simulate
from simulation.accounting import account
from stenod.emulator.faults import KINDS, Fault

OLD_TOO_MANY = "Unauthorized connection: Too many concurrent sessions"
UNTIL = {
    "no fault": 0.0,
    "seconds": 10.0,
    "a minute": 70.0,
    "a breaker": 1500.0,
}
"""How long after the end of the audio the last word may come, at most."""


def line_is_cut(*faults: Fault) -> tuple[Fault, ...]:
    """Return the faults with a reset of whatever is open at 30 s."""
    return (Fault(kind="drop", wall=30.0, count=1), *faults)


FAULTS: dict[str, tuple[str, tuple[Fault, ...]]] = {
    "reset": ("seconds", (Fault(kind="drop", audio=20.0),)),
    "reset often": ("a minute", (Fault(kind="drop", audio=12.0),)),
    "reset at once, ten times": ("a breaker", (Fault(kind="drop", audio=1.0, count=10),)),
    "error and close": ("seconds", (Fault(kind="error", audio=21.7, code=3005, count=3),)),
    "an old server's error": ("seconds", (Fault(kind="error-untyped", audio=21.7, code=3005, count=3),)),
    "expire every 10 s of audio": ("a minute", (Fault(kind="expire", audio=10.0),)),
    "expire every 10 s": ("a minute", (Fault(kind="expire", wall=10.0, repeat=10.0),)),
    "refused for 6 s": ("seconds", line_is_cut(Fault(kind="refuse", wall=30.0, duration=6.0))),
    "refused for a minute": ("a minute", line_is_cut(Fault(kind="refuse", wall=30.0, duration=60.0))),
    "black hole of 2 s": ("no fault", (Fault(kind="black-hole", wall=30.0, duration=2.0),)),
    "black hole of 8 s": ("seconds", (Fault(kind="black-hole", wall=30.0, duration=8.0),)),
    "black hole of 30 s": ("a minute", (Fault(kind="black-hole", wall=30.0, duration=30.0),)),
    "deaf": ("seconds", (Fault(kind="deaf", audio=20.0, count=1),)),
    "deaf for 2 s": ("no fault", (Fault(kind="deaf", audio=20.0, count=1, duration=2.0),)),
    "a stalled model": ("a minute", (Fault(kind="mute", audio=20.0, count=1),)),
    "a model that stalls for 10 s": ("seconds", (Fault(kind="mute", audio=20.0, count=1, duration=10.0),)),
    "slow handshake": ("seconds", line_is_cut(Fault(kind="slow", duration=5.0, attempt=1))),
    "handshake that takes too long": ("a minute", line_is_cut(Fault(kind="slow", duration=15.0, attempt=1))),
    "late Begin, always": ("seconds", line_is_cut(Fault(kind="slow-begin", duration=6.0))),
    "a Begin that comes too late": ("a minute", line_is_cut(Fault(kind="slow-begin", duration=15.0, attempt=1))),
    "late messages": ("seconds", (Fault(kind="slow-messages", audio=10.0, duration=2.0),)),
    "late messages, then a reset": (
        "seconds",
        (Fault(kind="slow-messages", audio=10.0, duration=2.0), Fault(kind="drop", audio=30.0)),
    ),
    "garbage": ("no fault", (Fault(kind="garbage", audio=10.0, repeat=7.0),)),
    "huge": ("seconds", (Fault(kind="huge", audio=20.0, count=2),)),
    "begin, then die": ("a breaker", (Fault(kind="begin-then-die", audio=0.0, count=5),)),
    "begin, then die at once": ("a breaker", (Fault(kind="begin-then-die", audio=0.0, count=6, duration=0.5),)),
    "too many sessions": ("seconds", (Fault(kind="error", code=3009, count=3),)),
    "too many sessions, of old": ("seconds", (Fault(kind="close", code=1008, text=OLD_TOO_MANY, count=3),)),
}

CODES = (1000, 1001, 1002, 1003, 1007, 1009, 1011, 1012, 1013, 1014, 3000, 3005, 3007, 3008, 3009, 4000)
STATUSES = (408, 429, 500, 502, 503, 504)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_alone(name: str) -> None:
    """Each of the emulator's faults, once or for good."""
    until, faults = FAULTS[name]
    world = simulate(seconds=90.0, faults=faults)
    account(world)
    assert world.ended_at - 90.0 < UNTIL[until] + 2.0


def test_every_kind_of_fault_is_tried() -> None:
    """The table above knows all that the emulator can do wrong; the rest is in the tests below."""
    tried = {fault.kind for _, faults in FAULTS.values() for fault in faults}
    assert set(KINDS) - tried == {"status"}


@pytest.mark.slow
@pytest.mark.parametrize("code", CODES)
def test_a_close_with_every_code(code: int) -> None:
    """An unasked close costs a moment, whatever its code, the normal one included."""
    world = simulate(seconds=60.0, faults=(Fault(kind="close", audio=13.3, code=code, count=2),))
    account(world)
    assert world.ended_at < 72.0


@pytest.mark.slow
@pytest.mark.parametrize("status", STATUSES)
def test_an_upgrade_refused_for_seconds(status: int) -> None:
    """Six seconds of HTTP refusals cost seconds, and a few attempts only."""
    faults = (Fault(kind="drop", wall=20.0, count=1), Fault(kind="status", status=status, wall=20.0, duration=6.0))
    world = simulate(seconds=60.0, faults=faults)
    account(world)
    assert world.ended_at < 72.0
    assert len(world.seen.dials) <= 8


@pytest.mark.slow
@pytest.mark.parametrize("kind", DIAL_FAULTS)
def test_a_network_that_is_away(kind: str) -> None:
    """Names, routes, ports and silence: the dial itself fails for 13 s."""
    world = simulate(
        seconds=80.0,
        faults=(Fault(kind="drop", wall=20.0, count=1),),
        dial_faults=(DialFault(kind=kind, start=19.0, end=32.0),),
    )
    account(world)
    assert world.ended_at < 92.0
    assert len(world.seen.dials) <= 12


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["Unauthorized Connection: Invalid API key", "Unauthorized Connection: Account balance"]
)
def test_a_refusal_for_good_is_held(text: str) -> None:
    """A holding service records on, asks again after ten minutes, and has every word in the end."""
    world = simulate(seconds=60.0, faults=(Fault(kind="error", code=1008, text=text, count=1),))
    account(world)
    assert 2 == len(world.seen.dials)
    assert ["fatal", "back"] == [line["state"] for line in world.output.of("status")]


@pytest.mark.slow
def test_a_lost_device_is_a_gap() -> None:
    """What was said while there was no device is a gap of that length; the words around it are all there."""
    world = simulate(seconds=120.0, device_outages=((30.0, 37.0), (80.0, 80.5)))
    account(world)
    gaps = [(line["start"], line["end"], line["cause"]) for line in world.output.of("gap")]
    assert ["device", "device"] == [cause for _, _, cause in gaps]
    assert gaps[0][0] == pytest.approx(30.0, abs=0.11)
    assert gaps[0][1] == pytest.approx(37.0, abs=1.1)


@pytest.mark.slow
@pytest.mark.parametrize("latency_seconds", [0.02, 0.15, 0.4])
def test_an_outage_on_a_line_with_latency(latency_seconds: float) -> None:
    """Goodbyes that cross each other on a line that was held are no failure of either side."""
    faults = (Fault(kind="black-hole", wall=47.4, duration=21.8),)
    account(simulate(seconds=60.0, limit_seconds=60.0, latency_seconds=latency_seconds, faults=faults))


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="slow-begin", duration=14.7, count=1),
        Fault(kind="black-hole", wall=20.0, duration=8.0),
        Fault(kind="deaf", wall=20.0, count=1),
    ],
)
def test_a_line_without_a_buffer_that_stops(fault: Fault) -> None:
    """Where a message is half sent when the line is given up, nothing is sent after it, a goodbye neither."""
    account(simulate(seconds=40.0, lockstep=True, faults=(fault,)))
