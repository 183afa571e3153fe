"""Positions and UTC as a person needs them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.core.chronology import Anchor
from stenod.core.moments import Moments

NINE = 1_769_850_000.0
"""2026-01-31 09:00 UTC."""
MOMENTS = Moments(1000, [Anchor(position=0, unix=NINE), Anchor(position=60_000, unix=NINE + 3600.0)])
"""A minute from nine o'clock, and on from ten."""


def test_a_position_has_its_time() -> None:
    """By the last anchor at or before it; without any there is none."""
    assert [NINE, NINE + 59.999, NINE + 3600.0, NINE + 3700.0] == [
        MOMENTS.at(position) for position in (0, 59_999, 60_000, 160_000)
    ]
    assert Moments(1000, []).at(5) is None


@pytest.mark.parametrize(
    ("seconds", "position"), [(-5.0, 0), (0.0, 0), (30.0, 30_000), (1800.0, 60_000), (3600.0, 60_000), (3610.5, 70_500)]
)
def test_a_moment_has_its_position(seconds: float, position: int) -> None:
    """One when nobody recorded is where it went on; one before all is the beginning."""
    assert position == MOMENTS.position(NINE + seconds)


@given(st.integers(0, 500_000))
def test_there_and_back(position: int) -> None:
    """What was recorded is found again, whatever the clock was set to later."""
    unix = MOMENTS.at(position)
    assert unix is not None
    assert abs(MOMENTS.position(unix) - position) <= 1
    later = Moments(1000, [*MOMENTS.anchors, Anchor(position=9_000_000, unix=NINE + 9999.0)])
    assert abs(later.position(unix) - position) <= 1


def test_a_device_that_is_fast_is_believed() -> None:
    """Its pace counts both ways."""
    fast = Moments(1000, [Anchor(position=0, unix=NINE, pace=0.5)])
    assert (NINE + 5.0, 10_000) == (fast.at(10_000), fast.position(NINE + 5.0))


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("90.5", 90_500),
        ("0", 0),
        ("2026-01-31T09:00:10Z", 10_000),
        ("2026-01-31 10:00:10+01:00", 10_000),
        ("100s", 70_000 - 10_000),
        ("10s", 60_000 + 100_000 - 10_000),
        ("1.5m", 60_000 + 100_000 - 90_000),
        ("1h", 60_000 - 0),
        ("5d", 0),
        ("yesterday", None),
        ("1w", None),
        ("-5", None),
        ("", None),
        ("0001-01-01T00:00", None),
        ("1970-01-01T00:00Z", 0),
    ],
)
def test_what_a_person_writes(text: str, position: int | None) -> None:
    """Seconds of the timeline, so long ago, or a date."""
    assert position == MOMENTS.named(text, NINE + 3700.0)


def test_a_time_without_a_zone_is_the_machines_own() -> None:
    """As the person's clock shows it."""
    local = datetime.fromtimestamp(NINE + 10.0, tz=UTC).astimezone().replace(tzinfo=None).isoformat()
    assert 10_000 == MOMENTS.named(local, NINE)
