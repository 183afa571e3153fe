"""Three clocks read as one instant."""

from collections.abc import Callable, Iterator

import pytest

from stenod.core.clock import ATTEMPTS_MAX, read_moment


def clocks(rests: list[float]) -> tuple[Callable[[], float], Callable[[], float], Callable[[], float]]:
    """Three clocks of a process that rests for so long before each reading."""
    now = 0.0
    resting: Iterator[float] = iter(rests)

    def read(offset: float) -> float:
        nonlocal now
        now += next(resting, 0.0)
        return now + offset

    return lambda: read(0.0), lambda: read(100.0), lambda: read(1000.0)


@pytest.mark.parametrize(
    "rests", [[], [5.0], [0.0, 5.0], [0.0, 0.0, 5.0], [0.0, 0.0, 0.0, 5.0], [0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 5.0]]
)
def test_a_rest_between_two_clocks_is_no_step(rests: list[float]) -> None:
    """They are read again until they were read at once."""
    moment = read_moment(*clocks(rests))
    assert (100.0, 1000.0) == (moment.asleep, moment.wall - moment.monotonic)


def test_it_does_not_read_for_ever() -> None:
    """A machine that always rests gets what there is."""
    moment = read_moment(*clocks([0.01] * 1000))
    assert pytest.approx(0.04 * ATTEMPTS_MAX - 0.03) == moment.monotonic
