"""A provider as the sessions of all streams know it: its dialect, its key, and how it has behaved.

Its budget and its backoff are the account's, so streams beside each other are one client to it.
"""

import math
from dataclasses import dataclass

from stenod.core.backoff import Backoff, OpeningBudget
from stenod.providers.base import Dialect


@dataclass(slots=True, kw_only=True)
class Provider:
    """A dialect with its key, and how it has behaved."""

    dialect: Dialect
    key: str
    backoff: Backoff
    budget: OpeningBudget
    rate_ratio_max: float
    steps_in_seconds: float = 0.0
    """How long those before it must have been away before it is asked."""
    last_resort: bool = False
    """Asked only when that time is over, whatever the others say: its words would stay."""
    last_rule: str = ""
    """How its last session ended, whichever stream's it was."""
    answered_at: float = -math.inf
    """When it last said anything of anybody's audio."""
