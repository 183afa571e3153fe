"""What a provider charges for: each measure, and prices that are not known."""

import pytest

from stenod.providers.billing import FREE, Billing, Measure

SESSION = Billing(measure=Measure.SESSION, price_per_hour=0.15, orphan_seconds=30.0)
AUDIO = Billing(measure=Measure.AUDIO, price_per_hour=0.26)


@pytest.mark.parametrize(
    ("billing", "said", "orphaned", "billed"),
    [
        (SESSION, None, False, 100.0),
        (SESSION, 101.0, False, 101.0),
        (SESSION, None, True, 130.0),
        (SESSION, 101.0, True, 101.0),
        (AUDIO, None, False, 80.0),
        (AUDIO, 79.5, False, 79.5),
        (AUDIO, None, True, 80.0),
        (FREE, None, False, 0.0),
        (FREE, 101.0, True, 0.0),
    ],
)
def test_a_hundred_seconds_with_eighty_of_audio(
    billing: Billing, said: float | None, orphaned: bool, billed: float
) -> None:
    """By the rule, or what the provider said; an orphan is charged on until the provider notices."""
    found = billing.billed_seconds(open_seconds=100.0, audio_seconds=80.0, said_seconds=said, orphaned=orphaned)
    assert billed == found


def test_costs() -> None:
    """By the hour; a price that is not known makes no cost, and what is free costs nothing."""
    assert 0.3 == pytest.approx(SESSION.cost(7200.0))
    assert 0.0 == SESSION.cost(0.0)
    assert Billing(measure=Measure.SESSION).cost(7200.0) is None
    assert 0.0 == FREE.cost(7200.0)
