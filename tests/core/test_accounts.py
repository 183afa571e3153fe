"""Accounts of sessions and their sums."""

import pytest

from stenod.core.accounts import Account, Sum, sum_of, summed


def account(provider: str = "a", *, ready: bool = True, cost: float | None = 0.5) -> Account:
    """An account of 10 s of audio, 2 of them overlap, at 1000 Hz."""
    return Account(
        name="room-000001",
        provider=provider,
        opened_at=100.0,
        ready_at=101.0 if ready else None,
        alive_at=120.0,
        ended_at=120.0,
        audio=10_000 if ready else 0,
        overlap=2_000 if ready else 0,
        billed_seconds=19.0 if ready else 0.0,
        cost=cost,
    )


def test_sums_are_by_provider() -> None:
    """In order of their names; an opening that never was ready counts as an opening only."""
    accounts = [account("b"), account("a"), account("a", ready=False, cost=0.0)]
    first, second = summed(sum_of(one, 1000) for one in accounts)
    assert ("a", 2, 1, 10.0, 2.0, 19.0, 0.5, 0.0) == (
        first.provider,
        first.openings,
        first.sessions,
        first.audio_seconds,
        first.overlap_seconds,
        first.billed_seconds,
        first.cost,
        first.unpriced_seconds,
    )
    assert ("b", 1) == (second.provider, second.openings)


@pytest.mark.parametrize(
    ("costs", "cost", "unpriced"),
    [((0.5, 0.25), 0.75, 0.0), ((0.5, None), 0.5, 19.0), ((None, 0.5), 0.5, 19.0), ((None, None), None, 38.0)],
)
def test_what_has_no_price_is_told_apart(costs: tuple[float | None, ...], cost: float | None, unpriced: float) -> None:
    """A sum never claims that it is all."""
    (total,) = summed(sum_of(account(cost=one), 1000) for one in costs)
    assert (cost, unpriced) == (total.cost, total.unpriced_seconds)


def test_nothing_adds_up_to_nothing() -> None:
    """No provider, no sum; a sum of one is itself."""
    assert [] == summed([])
    assert [Sum(provider="a", cost=1.0)] == summed([Sum(provider="a", cost=1.0)])
