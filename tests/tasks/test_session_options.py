"""What the configuration means within a provider's limits."""

import pytest

from stenod.providers.base import Limits
from stenod.tasks.session_options import SessionOptions


@pytest.mark.parametrize(("chosen", "wanted"), [(0.0, 0.08), (0.2, 0.2), (5.0, 1.0), (0.01, 0.05)])
def test_the_length_of_a_chunk(chosen: float, wanted: float) -> None:
    """What was chosen, within what the provider takes; where nothing was, what suits it best."""
    limits = Limits(chunk_seconds_min=0.05, chunk_seconds_max=1.0, chunk_seconds=0.08)
    assert round(wanted * 16000) == SessionOptions(chunk_seconds=chosen).chunk_rule(16000, limits).wanted


def test_when_a_session_counts_as_dead_or_cold() -> None:
    """Half of it is configured, half the provider's own."""
    limits = Limits(
        chunk_seconds_min=0.05, chunk_seconds_max=1.0, keepalive_seconds=4.0, warm_seconds=8.0, warm_first_seconds=3.0
    )
    found = SessionOptions(stall_seconds=12.0).liveness(limits)
    assert (12.0, 4.0, 8.0) == (found.stall_seconds, found.keepalive_seconds, found.warm_seconds)
    assert 3.0 == found.warm_first_seconds


@pytest.mark.parametrize(("configured", "own", "seconds"), [(30.0, None, 30.0), (30.0, 10.0, 10.0), (5.0, 10.0, 5.0)])
def test_a_provider_that_always_answers_stalls_sooner(configured: float, own: float | None, seconds: float) -> None:
    """The shorter of what is configured and what is known of it."""
    limits = Limits(chunk_seconds_min=0.05, chunk_seconds_max=1.0, stall_seconds=own)
    options = SessionOptions(stall_seconds=configured)
    assert seconds == options.liveness(limits).stall_seconds
    assert 2 * seconds == options.liveness(limits, patience=2).stall_seconds
