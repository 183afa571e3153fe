"""When a successor opens, and where it takes over (law 5).

A session has a limit: the provider's, a configured one, or what the provider announced, where that is plausible. It
is counted on the monotonic clock from the dial, never on a wall clock. Before it lie three moments: `open_at`, when
the successor is opened; until `cut_by`, the hand-over waits for a quiet point; `limit_at` is never reached, because
the old session is drained from the cut on. Short limits shrink the margin.
"""

from dataclasses import dataclass

MARGIN_SECONDS_MIN = 1.0
ANNOUNCED_SECONDS_MIN = 5.0
"""An expiry sooner than this says more about our clock than about the session."""
MARGIN_RATIO_MAX = 0.4
"""Of the limit: a limit of 10 s opens its successor after 6 s."""
CUT_RATIO = 0.5
"""Of the margin: half for opening and for finding a quiet point, half for the drain."""


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """The moments of one session, monotonic seconds."""

    open_at: float
    cut_by: float
    limit_at: float

    @property
    def alone_by(self) -> float:
        """When the old session is ended even without a successor: what it would say after its limit is lost."""
        return (self.cut_by + self.limit_at) / 2


def plan(
    *,
    dialled_at: float,
    limit_seconds: float | None,
    announced_seconds: float | None,
    configured_seconds: float | None,
    margin_seconds: float,
) -> RotationPlan | None:
    """Return the moments, or None where no limit is known.

    `announced_seconds` is the provider's expiry minus our wall clock at that moment: a wrong clock makes it
    implausible: in the past or at once, and then it does not count; beyond the provider's own limit, that one decides.
    """
    limits = [limit for limit in (limit_seconds, configured_seconds) if limit is not None and limit > 0]
    if announced_seconds is not None and announced_seconds >= ANNOUNCED_SECONDS_MIN:
        limits.append(announced_seconds)
    if not limits:
        return None
    limit = min(limits)
    margin = min(max(margin_seconds, MARGIN_SECONDS_MIN), MARGIN_RATIO_MAX * limit)
    limit_at = dialled_at + limit
    return RotationPlan(limit_at - margin, limit_at - margin * CUT_RATIO, limit_at)
