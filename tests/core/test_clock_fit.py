"""The clock fit: the lower edge of what arrives, whatever delays it."""

import random
from collections.abc import Callable

import pytest

from stenod.core.clock_fit import EXPECTED_DEVIATION_MAX, PACE_MAX, PACE_MIN, WINDOW_SECONDS, ClockFit

BLOCK = 0.1


def fed(
    seconds: float, delay: Callable[[float], float], *, pace: float = 1.0, expected: float = 1.0, begin: float = 1e6
) -> ClockFit:
    """A fit after so much audio; `delay` is each block's, by its second; none overtakes another."""
    fit, arrived = ClockFit(expected), 0.0
    for index in range(1, round(seconds / BLOCK) + 1):
        audio = index * BLOCK
        arrived = max(arrived, begin + audio * pace + delay(audio))
        fit.add(audio, arrived)
    return fit


def jitter(seed: int = 1) -> Callable[[float], float]:
    """Up to 30 ms each block."""
    rng = random.Random(seed)
    return lambda _: rng.uniform(0.0, 0.03)


@pytest.mark.parametrize("deviation", [0.0, 100e-6, -100e-6, 300e-6, -300e-6])
def test_the_pace_of_the_crystal(deviation: float) -> None:
    """Known to a few millionths after half an hour; where the line lies is known always."""
    fit = fed(1800.0, jitter(), pace=1.0 + deviation)
    assert fit.pace == pytest.approx(1.0 + deviation, abs=5e-6)
    for seconds in (0.1, 5.0, 60.0, 250.0, 350.0, 1800.0):
        fit = fed(seconds, jitter(), pace=1.0 + deviation)
        assert fit.at(seconds) == pytest.approx(1e6 + seconds * (1.0 + deviation), abs=0.03)


def test_bursts_and_pauses_move_nothing() -> None:
    """Seconds without a block and then all at once, again and again."""
    rng = random.Random(2)
    until = 0.0

    def delay(audio: float) -> float:
        nonlocal until
        if audio > until and rng.random() < 0.02:
            until = audio + rng.uniform(0.5, 8.0)
        return max(0.0, until - audio) + rng.uniform(0.0, 0.01)

    fit = fed(3600.0, delay, pace=1.0001)
    assert fit.pace == pytest.approx(1.0001, abs=5e-6)
    assert fit.at(3600.0) == pytest.approx(1e6 + 3600.0 * 1.0001, abs=0.01)


def test_a_delay_that_stays_is_accepted_and_one_that_goes_is_forgotten() -> None:
    """Within two minutes later, at once earlier: never is audio said to be captured after it came."""
    fit = fed(1000.0, lambda audio: 0.04 if audio > 880.0 else 0.0)
    assert fit.at(1000.0) == pytest.approx(1e6 + 1000.04, abs=0.01)
    fit.add(1000.1, 1e6 + 1000.1)
    assert fit.at(1000.1) == pytest.approx(1e6 + 1000.1)


def test_audio_is_never_captured_after_it_came() -> None:
    """At any speed: faster than the clock, slower, and in one moment."""
    for pace in (0.0, 0.3, 0.9, 1.5, 30.0):
        fit = ClockFit()
        for index in range(1, 5000):
            audio, arrived = index * 0.5, 1e6 + index * 0.5 * pace
            fit.add(audio, arrived)
            assert fit.late(audio, arrived) >= -1e-6
            assert PACE_MIN <= fit.pace <= PACE_MAX


def test_memory_is_bounded() -> None:
    """A day keeps half an hour of bins."""
    fit = fed(86_400.0, lambda _: 0.0)
    assert len(fit._points) <= WINDOW_SECONDS / 10.0 + 2


def test_a_pace_that_is_no_crystal_is_not_expected() -> None:
    """What a run before had for other reasons means nothing."""
    assert ClockFit(1.0003).pace == 1.0003
    assert ClockFit(1.0 + 2 * EXPECTED_DEVIATION_MAX).pace == 1.0


def test_blocks_longer_than_a_bin() -> None:
    """Each is a bin of its own."""
    fit, rng = ClockFit(), random.Random(3)
    for index in range(1, 500):
        fit.add(20.0 * index, 20.0 * index * 1.0001 + rng.uniform(0.0, 0.03))
    assert fit.at(20.0 * 499) == pytest.approx(20.0 * 499 * 1.0001, abs=0.03)
    assert fit.late(20.0 * 500, 20.0 * 500 * 1.0001 + 0.5) == pytest.approx(0.5, abs=0.03)
