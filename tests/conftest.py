"""What holds for all tests: no example has a deadline, and how they are shared out over processes (`pytest -n 2`).

Tests with real parts have deadlines, and some look at what the whole machine does: they run one after the other in one
process. A simulation takes long and needs nobody, so each is shared out alone; of the rest, a file stays together.
"""

from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("stenod", deadline=None, derandomize=True)
settings.load_profile("stenod")  # Machines are noisy: how long an example takes says nothing.

REAL = "tests/real/"
ALONE = "tests/simulation/"


def scope(nodeid: str) -> str:
    """Return the name of what must stay in one process with this test."""
    if nodeid.startswith(REAL):
        return REAL
    return nodeid if nodeid.startswith(ALONE) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out what `scope` holds together, the longest first."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope(nodeid)

    return Scheduling(config, log)
