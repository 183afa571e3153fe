"""Repeated attempts to open something, with tenacity.

tenacity drives the loop; how long to wait, and whether to try at all, is decided elsewhere and handed in. The life of
what was opened is not its business.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import tenacity
import trio

T = TypeVar("T")


async def until_open(
    attempt: Callable[[], Awaitable[T]],
    *,
    failures: type[Exception],
    delay: Callable[[Exception], float | None],
) -> T:
    """Call `attempt` until it succeeds.

    After each exception of the type `failures`, `delay` says how many seconds to wait, or None to give up: then that
    exception is raised. Other exceptions are raised at once.
    """
    delays: dict[int, float | None] = {}

    def wanted(error: BaseException) -> bool:
        if not isinstance(error, failures):
            return False
        delays[id(error)] = seconds = delay(error)
        return seconds is not None

    def wait(state: tenacity.RetryCallState) -> float:
        assert state.outcome is not None
        seconds = delays.pop(id(state.outcome.exception()), None)
        assert seconds is not None
        return seconds

    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(wanted),
        wait=wait,
        stop=tenacity.stop_never,
        sleep=trio.sleep,
        reraise=True,
    )
    return await retrying(attempt)
