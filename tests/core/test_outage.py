"""When something that fails is tried again, and what a person is told to do."""

import errno

import pytest

from stenod.core.outage import CHECK, HEALTHY_SECONDS, ROOM, WAIT_SECONDS, Outage, remedy


def test_what_works_is_always_due() -> None:
    """There is nothing to wait for."""
    outage = Outage()
    assert outage.due(0.0)
    outage.worked()
    assert not outage.out
    assert outage.due(5.0)


def test_the_waits_grow_to_their_last() -> None:
    """Each failure makes the next try later; not before its time, and at it."""
    outage, now, waits = Outage(), 100.0, []
    for _ in range(7):
        outage.failed(now)
        assert outage.out
        waits.append(outage.wait_seconds)
        assert not outage.due(now + outage.wait_seconds - 0.01)
        now += outage.wait_seconds
        assert outage.due(now)
    assert tuple(waits[: len(WAIT_SECONDS)]) == WAIT_SECONDS
    assert set(waits[len(WAIT_SECONDS) :]) == {WAIT_SECONDS[-1]}


def test_only_a_healthy_minute_makes_the_waits_short_again() -> None:
    """What fails every other second is not tried as if it had never failed."""
    outage = Outage()
    outage.failed(100.0)
    outage.worked()
    outage.failed(102.0)
    assert outage.wait_seconds == WAIT_SECONDS[1]
    outage.worked()
    outage.failed(103.0 + HEALTHY_SECONDS)
    assert outage.wait_seconds == WAIT_SECONDS[0]


def test_what_loses_something_meanwhile_is_tried_sooner() -> None:
    """Live audio is dropped as long as nobody tries."""
    outage, waits = Outage(wait_seconds_max=2.0), []
    for now in range(5):
        outage.failed(float(now))
        waits.append(outage.wait_seconds)
    assert waits == [1.0, 2.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, ROOM),
        (errno.EDQUOT, ROOM),
        (errno.EIO, CHECK),
        (errno.EROFS, CHECK),
        (errno.ENOENT, CHECK),
        (None, CHECK),
    ],
)
def test_every_error_has_a_remedy(number: int | None, text: str) -> None:
    """A full disk wants room, everything else a look."""
    assert text == remedy(number)
