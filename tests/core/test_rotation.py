"""The moments before a session's limit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.rotation import RotationPlan, plan

limits = st.one_of(st.none(), st.floats(1.0, 1e6))
announcements = st.one_of(st.none(), st.floats(-1e6, 1e7), st.sampled_from([0.0, float("nan")]))


def moments(
    *,
    limit: float | None = None,
    announced: float | None = None,
    configured: float | None = None,
    margin: float = 300.0,
    dialled: float = 1000.0,
) -> RotationPlan | None:
    """Plan with what matters to a test."""
    return plan(
        dialled_at=dialled,
        limit_seconds=limit,
        announced_seconds=announced,
        configured_seconds=configured,
        margin_seconds=margin,
    )


def test_a_session_of_three_hours() -> None:
    """The successor opens five minutes before the limit, and half of that is left for the drain."""
    assert RotationPlan(1000.0 + 10_500.0, 1000.0 + 10_650.0, 1000.0 + 10_800.0) == moments(limit=10_800.0)


@given(
    dialled=st.floats(0.0, 1e8),
    limit=limits,
    announced=announcements,
    configured=limits,
    margin=st.floats(0.5, 3600.0),
)
@settings(derandomize=True, deadline=None, max_examples=500)
def test_the_moments_are_in_order(
    dialled: float, limit: float | None, announced: float | None, configured: float | None, margin: float
) -> None:
    """A plan opens after the dial, cuts after opening and before the limit, and trusts no more than a known limit."""
    made = moments(limit=limit, announced=announced, configured=configured, margin=margin, dialled=dialled)
    known = [seconds for seconds in (limit, configured) if seconds is not None]
    if made is None:
        assert known == []
        return
    assert dialled < made.open_at < made.cut_by < made.limit_at
    for seconds in known:
        assert made.limit_at <= dialled + seconds


@pytest.mark.parametrize(
    ("announced", "limit"),
    [
        (3000.0, 3000.0),
        (5.0, 5.0),
        (4.999, 10_800.0),
        (1.0, 10_800.0),
        (float("nan"), 10_800.0),
        (float("inf"), 10_800.0),
        (float("-inf"), 10_800.0),
        (10_800.5, 10_800.0),
        (10_860.0, 10_800.0),
        (10_861.0, 10_800.0),
        (86_400.0, 10_800.0),
        (0.0, 10_800.0),
        (-5.0, 10_800.0),
        (None, 10_800.0),
    ],
)
def test_an_announcement_counts_where_it_is_plausible(announced: float | None, limit: float) -> None:
    """A shorter expiry is believed; one of the past, at once, or beyond the provider's own limit is a wrong clock's."""
    made = moments(limit=10_800.0, announced=announced)
    assert made is not None
    assert 1000.0 + limit == made.limit_at


def test_an_announcement_alone_is_a_limit() -> None:
    """Where no limit is documented, what the provider announces is all there is."""
    made = moments(announced=7200.0)
    assert made is not None
    assert made.limit_at == 1000.0 + 7200.0


def test_the_shortest_limit_wins() -> None:
    """A configured limit shortens the provider's, and never lengthens it."""
    for configured, expected in ((600.0, 600.0), (20_000.0, 10_800.0), (0.0, 10_800.0)):
        made = moments(limit=10_800.0, configured=configured)
        assert made is not None
        assert 1000.0 + expected == made.limit_at


@pytest.mark.parametrize("announced", [None, 0.0, -1.0, 4.9, float("nan")])
def test_no_limit_is_no_plan(announced: float | None) -> None:
    """Without any limit a session is kept for as long as it lives."""
    assert moments(announced=announced) is None
    assert moments(announced=announced, limit=0.0, configured=-1.0) is None


def test_short_limits_shrink_the_margin() -> None:
    """A session of ten seconds still lives for six of them before its successor opens."""
    assert RotationPlan(1006.0, 1008.0, 1010.0) == moments(limit=10.0)
    assert RotationPlan(1008.0, 1009.0, 1010.0) == moments(limit=10.0, margin=2.0)
