"""Repeated attempts: when they end, and how long they wait, on virtual time."""

from collections.abc import Callable

import pytest
import trio
import trio.testing

from stenod.edge.retry import until_open


class Refused(Exception):
    """What is tried again."""


class Attempts:
    """Fails as told, then opens; notes when it was called."""

    def __init__(self, *failures: BaseException) -> None:
        self._failures = list(failures)
        self.times: list[float] = []

    async def __call__(self) -> str:
        self.times.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if self._failures:
            raise self._failures.pop(0)
        return "open"


def delays(*seconds: float | None) -> Callable[[Exception], float | None]:
    """Answer one after the other."""
    left = list(seconds)
    return lambda error: left.pop(0)


def since_first(attempts: Attempts) -> list[float]:
    return [round(time - attempts.times[0], 9) for time in attempts.times]


async def test_it_succeeds_in_the_end(autojump_clock: trio.testing.MockClock) -> None:
    """Each failure is shown to `delay`, which says how long to wait before the next attempt."""
    failures = [Refused("a"), Refused("b"), Refused("c")]
    attempts = Attempts(*failures)
    shown: list[Exception] = []

    def delay(error: Exception) -> float:
        shown.append(error)
        return 10.0 ** len(shown)

    assert "open" == await until_open(attempts, failures=Refused, delay=delay)
    assert [0, 10, 110, 1110] == since_first(attempts)
    assert failures == shown


async def test_the_first_attempt_may_succeed() -> None:
    """Then nothing is asked and nothing waited for."""
    assert "open" == await until_open(Attempts(), failures=Refused, delay=delays())


async def test_no_delay_is_an_answer_too(autojump_clock: trio.testing.MockClock) -> None:
    """Zero seconds is the next attempt at once, not the end."""
    attempts = Attempts(Refused(), Refused())
    assert "open" == await until_open(attempts, failures=Refused, delay=delays(0, 0.0))
    assert [0, 0, 0] == since_first(attempts)


async def test_it_gives_up_when_told(autojump_clock: trio.testing.MockClock) -> None:
    """None ends it with the very exception that was judged."""
    last = Refused("last")
    with pytest.raises(Refused) as caught:
        await until_open(Attempts(Refused("first"), last), failures=Refused, delay=delays(5.0, None))
    assert last is caught.value


@pytest.mark.parametrize("error", [ValueError("defect"), ExceptionGroup("many", [Refused()]), KeyboardInterrupt()])
async def test_what_is_no_failure_is_raised_at_once(error: BaseException) -> None:
    """A defect is not tried again, and `delay` does not hear of it."""
    attempts = Attempts(error)
    with pytest.raises(type(error)) as caught:
        await until_open(attempts, failures=Refused, delay=delays())
    assert error is caught.value
    assert 1 == len(attempts.times)


async def test_the_same_exception_again(autojump_clock: trio.testing.MockClock) -> None:
    """One object raised each time is judged each time."""
    same = Refused()
    attempts = Attempts(same, same, same)
    assert "open" == await until_open(attempts, failures=Refused, delay=delays(1, 2, 3))
    assert [0, 1, 3, 6] == since_first(attempts)


async def test_a_subclass_is_a_failure(autojump_clock: trio.testing.MockClock) -> None:
    """The type given stands for its subclasses."""

    class RefusedAgain(Refused):
        pass

    assert "open" == await until_open(Attempts(RefusedAgain()), failures=Refused, delay=delays(1))


async def test_cancelled_while_it_waits(autojump_clock: trio.testing.MockClock) -> None:
    """The wait ends at once, and no further attempt is made."""
    attempts = Attempts(Refused(), Refused())
    began = trio.current_time()
    with trio.move_on_after(100) as scope:
        await until_open(attempts, failures=Refused, delay=delays(60, 600))
    assert scope.cancelled_caught
    assert (100, [0, 60]) == (trio.current_time() - began, since_first(attempts))


async def test_cancelled_during_an_attempt(autojump_clock: trio.testing.MockClock) -> None:
    """A cancellation is no failure to be judged."""
    with trio.move_on_after(5) as scope:
        await until_open(trio.sleep_forever, failures=Exception, delay=delays())
    assert scope.cancelled_caught


async def test_two_at_once_do_not_mix(autojump_clock: trio.testing.MockClock) -> None:
    """A live session and a late one are opened side by side, each with delays of its own."""
    first, second = Attempts(Refused(), Refused()), Attempts(Refused())
    async with trio.open_nursery() as nursery:
        for attempts, seconds in ((first, (1, 1)), (second, (10,))):
            nursery.start_soon(
                lambda attempts, seconds: until_open(attempts, failures=Refused, delay=delays(*seconds)),
                attempts,
                seconds,
            )
    assert ([0, 1, 2], [0, 10]) == (since_first(first), since_first(second))
