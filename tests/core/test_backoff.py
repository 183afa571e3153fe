"""Delays, budget and breaker over many seeds and scripted failures."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.backoff import Backoff, OpeningBudget
from stenod.core.verdict import Verdict

SEEDS = range(1000)


def refusals(seed: int, until: float, start: float = 50.0) -> tuple[list[float], list[float]]:
    """Attempt at once and again after each delay, always refused: return when each was made, and the delays."""
    backoff, now = Backoff(Random(seed)), start
    attempts, delays = [], []
    while now - start <= until:
        attempts.append(now - start)
        delays.append(backoff.refused(now))
        now += delays[-1]
    return attempts, delays


def dies(backoff: Backoff, now: float, verdict: Verdict = Verdict.RETRY, ready_seconds: float = 0.5) -> float:
    """End a session that was ready for a moment and brought nothing."""
    return backoff.ended(now, verdict, ready_seconds=ready_seconds, progressed=False)


def test_an_outage_of_seconds_costs_seconds() -> None:
    """The first delay is a second at most, so a short outage is bridged at once."""
    attempts, delays = refusals(seed=1, until=10.0)
    assert attempts[0] == 0.0
    assert 0.8 <= delays[0] <= 1.0
    assert all(1.44 <= delay <= 1.8 for delay in delays[1:])


def test_ten_seconds_see_eight_attempts() -> None:
    """No seed makes a ninth attempt in the first ten seconds, nor eight in any later ten."""
    for seed in SEEDS:
        attempts, _ = refusals(seed, until=60.0)
        assert len([at for at in attempts if at <= 10.0]) <= 8
        for first in attempts[1:]:
            assert len([at for at in attempts if first <= at <= first + 10.0]) <= 7


def test_openings_side_by_side_are_one_client() -> None:
    """Two that are opened side by side, and refused, make no more attempts than one; neither waits for long."""
    for seed in SEEDS:
        rng = Random(seed)
        backoff, attempts = Backoff(Random(seed)), []
        wakes = [rng.choice((0.0, rng.uniform(0.0, 5.0))) for _ in range(2)]
        while (now := min(wakes)) < 60.0:
            one = wakes.index(now)
            if (wait := backoff.wait_seconds(now)) > 0:
                assert wait <= 2.0
                wakes[one] += wait
                continue
            attempts.append(now)
            backoff.attempted(now)
            wakes[one] = now + backoff.refused(now)
        for first in attempts:
            assert len([at for at in attempts if first <= at <= first + 10.0]) <= 8


def test_the_end_of_a_healthy_session_is_no_leave_to_hurry() -> None:
    """Somebody else was refused just now."""
    backoff = Backoff(Random(1))
    backoff.refused(50.0)
    assert backoff.ended(50.1, Verdict.RETRY, ready_seconds=20.0, progressed=True) <= 0.25
    assert backoff.wait_seconds(50.3) == pytest.approx(0.5)


def test_delays_stay_within_their_bounds() -> None:
    """At most 1.8 s in the first minute, then between 2 s and 30 s."""
    for seed in SEEDS:
        attempts, delays = refusals(seed, until=600.0)
        for at, delay in zip(attempts, delays, strict=True):
            least, most = (0.8, 1.8) if at < 60.0 else (2.0, 30.0)
            assert least <= delay <= most


def test_later_delays_spread() -> None:
    """After the first minute the jitter uses the whole range, so that many clients do not come back together."""
    later = [delay for seed in range(50) for at, delay in zip(*refusals(seed, until=600.0), strict=True) if at >= 61.0]
    assert min(later) < 4.0
    assert max(later) > 28.0


def test_slow_refusals_wait_as_long_as_fast_ones() -> None:
    """Where each attempt takes half a minute to fail, the delay is bounded by the trouble's age, not its count."""
    backoff = Backoff(Random(3))
    assert backoff.refused(0.0) <= 1.0
    assert backoff.refused(59.9) <= 1.8
    assert 2.0 <= backoff.refused(60.0) <= 16.0
    assert 2.0 <= backoff.refused(10_000.0) <= 30.0
    for _ in range(5000):
        assert 2.0 <= backoff.refused(20_000.0) <= 30.0


@pytest.mark.parametrize(
    ("verdict", "least", "most"),
    [(Verdict.REOPEN, 0.0, 0.0), (Verdict.RETRY, 0.0, 0.25), (Verdict.BACKOFF, 0.8, 1.0)],
)
def test_delay_after_a_healthy_session(verdict: Verdict, least: float, most: float) -> None:
    """A session that lived is followed by the next as soon as its verdict allows, whatever came before it."""
    for seed in range(100):
        backoff = Backoff(Random(seed))
        for now in range(100):
            backoff.refused(float(now))
        assert least <= backoff.ended(500.0, verdict, ready_seconds=3600.0, progressed=True) <= most


def test_three_quick_deaths_open_the_breaker() -> None:
    """Sessions that open and die at once wait half a minute, doubling to five minutes."""
    for seed in range(200):
        backoff = Backoff(Random(seed))
        assert dies(backoff, 0.0) <= 0.25
        assert 0.8 <= dies(backoff, 1.0) <= 1.0
        assert not backoff.broken
        for ceiling in (30.0, 60.0, 120.0, 240.0, 300.0, 300.0):
            assert 0.8 * ceiling <= dies(backoff, 2.0) <= ceiling
            assert backoff.broken
        for _ in range(2000):
            assert dies(backoff, 2.0) <= 300.0
        backoff.clear()
        assert not backoff.broken


@pytest.mark.parametrize("verdict", [Verdict.RETRY, Verdict.BACKOFF])
def test_the_breaker_comes_before_the_verdict(verdict: Verdict) -> None:
    """However harmless the provider calls it, the third death at once waits."""
    backoff = Backoff(Random(1))
    delays = [dies(backoff, float(now), verdict) for now in range(3)]
    assert max(delays[:2]) <= 1.8
    assert 24.0 <= delays[2] <= 30.0


@pytest.mark.parametrize(("ready_seconds", "progressed"), [(5.0, False), (0.1, True)])
def test_healthy_time_or_progress_clears(ready_seconds: float, progressed: bool) -> None:
    """Five seconds of being ready are enough, without a single word: a quiet room is healthy."""
    backoff = Backoff(Random(1))
    for now in range(0, 120, 2):
        backoff.refused(float(now))
    dies(backoff, 121.0)
    dies(backoff, 122.0)
    backoff.probe()

    backoff.ended(200.0, Verdict.RETRY, ready_seconds=ready_seconds, progressed=progressed)

    assert (backoff.failures, backoff.quick_deaths, backoff.probes, backoff.trouble_since) == (0, 0, 0, None)
    assert backoff.refused(201.0) <= 1.0
    assert backoff.probe() == 600.0


def test_a_moment_of_being_ready_does_not_clear() -> None:
    """A session that was ready for less than five seconds and brought nothing leaves the record as it was."""
    backoff = Backoff(Random(1))
    backoff.refused(0.0)
    dies(backoff, 10.0, ready_seconds=4.99)
    assert (backoff.failures, backoff.quick_deaths, backoff.trouble_since) == (1, 1, 0.0)
    assert backoff.refused(70.0) >= 2.0


def test_probes_are_slow() -> None:
    """A fatal failure is probed after 10 minutes, doubling to 6 hours, for ever."""
    backoff = Backoff(Random(1))
    minutes = [backoff.probe() / 60.0 for _ in range(2000)]
    assert minutes[:8] == [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 360.0, 360.0]
    assert {360.0} == set(minutes[6:])


def test_the_budget_allows_a_burst_and_then_its_rate() -> None:
    """Ten at once, then one each six seconds at ten a minute."""
    budget = OpeningBudget(per_minute=10.0)
    for _ in range(10):
        assert budget.wait_seconds(1000.0) == 0.0
        budget.take(1000.0)
    assert budget.wait_seconds(1000.0) == pytest.approx(6.0)
    assert budget.wait_seconds(1002.0) == pytest.approx(4.0)
    assert budget.wait_seconds(1006.0) == 0.0


def test_a_hand_over_has_a_reserved_place() -> None:
    """With nothing left a hand-over opens at once, the next one does not, and the place is paid back."""
    budget = OpeningBudget(per_minute=10.0, burst=1.0)
    budget.take(0.0)
    assert budget.wait_seconds(0.0) == pytest.approx(6.0)
    assert budget.wait_seconds(0.0, reserved=True) == 0.0
    budget.take(0.0)
    assert budget.wait_seconds(0.0, reserved=True) == pytest.approx(6.0)
    assert budget.wait_seconds(0.0) == pytest.approx(12.0)


def test_healthy_time_refills_no_further_than_the_burst() -> None:
    """A week without an opening is worth ten, not thousands."""
    budget = OpeningBudget(per_minute=10.0)
    budget.take(0.0)
    for _ in range(10):
        assert budget.wait_seconds(7 * 86_400.0) == 0.0
        budget.take(7 * 86_400.0)
    assert budget.wait_seconds(7 * 86_400.0) == pytest.approx(6.0)


def test_halving_doubles_the_wait_down_to_one_a_minute() -> None:
    """Each "too many sessions" halves the rate, but an opening a minute stays."""
    budget = OpeningBudget(per_minute=10.0, burst=1.0)
    budget.take(0.0)
    waits = []
    for _ in range(6):
        budget.halve()
        waits.append(budget.wait_seconds(0.0))
    assert [pytest.approx(wait) for wait in waits] == [12.0, 24.0, 48.0, 60.0, 60.0, 60.0]


def test_long_health_gives_one_halving_back() -> None:
    """Each restoring doubles the rate up to the configured one, and never beyond it."""
    budget = OpeningBudget(per_minute=10.0)
    for _ in range(3):
        budget.halve()
    rates = []
    for _ in range(5):
        budget.restore()
        rates.append(budget.per_minute)
    assert rates == [2.5, 5.0, 10.0, 10.0, 10.0]


def test_restoring_what_was_never_halved_changes_nothing() -> None:
    """A healthy session earns no more than what was configured."""
    budget = OpeningBudget(per_minute=10.0)
    budget.restore()
    assert budget.per_minute == 10.0


@pytest.mark.parametrize("per_minute", [1.0, 3.0, 10.0, 600.0])
def test_halvings_beyond_the_floor_are_given_back_whole(per_minute: float) -> None:
    """However often it was halved, the same number of healthy sessions leads back."""
    budget = OpeningBudget(per_minute=per_minute)
    for _ in range(20):
        budget.halve()
    assert budget.per_minute == 1.0
    for _ in range(20):
        budget.restore()
    assert budget.per_minute == per_minute


def test_a_refused_opening_is_given_back() -> None:
    """Only accepted openings count, but never for more than the burst."""
    budget = OpeningBudget(per_minute=10.0, burst=2.0)
    for now in range(100):
        assert budget.wait_seconds(now * 0.001) == 0.0
        budget.take(now * 0.001)
        budget.refund()
    budget.refund()
    for _ in range(2):
        assert budget.wait_seconds(0.1) == 0.0
        budget.take(0.1)
    assert budget.wait_seconds(0.1) == pytest.approx(6.0)


@given(
    per_minute=st.sampled_from([10.0, 7.0, 5.0, 1.25, 1.0]),
    burst=st.sampled_from([1.0, 2.0, 10.0]),
    start=st.floats(0.0, 1e6),
    openings=st.lists(st.tuples(st.one_of(st.just(0.0), st.floats(0.0, 20.0)), st.booleans()), max_size=40),
)
@settings(derandomize=True, deadline=None, max_examples=300)
def test_no_span_of_time_sees_more_than_the_budget(
    per_minute: float, burst: float, start: float, openings: list[tuple[float, bool]]
) -> None:
    """Between any two openings lie at most the burst, the reserved place and the rate; one wait is always enough."""
    budget, now, taken = OpeningBudget(per_minute, burst), start, []
    for pause, reserved in openings:
        now += pause
        now += budget.wait_seconds(now, reserved=reserved)
        assert budget.wait_seconds(now, reserved=reserved) == 0.0, "waiting once must be enough"
        budget.take(now)
        taken.append(now)
    for first, began in enumerate(taken):
        for last in range(first, len(taken)):
            allowed = burst + 1.0 + (taken[last] - began) * per_minute / 60.0
            assert last - first + 1 <= allowed + 1e-5
