"""What sessions were sent and what they cost: one account a session, and sums of them.

Audio in samples of its stream, times in Unix seconds. An account is written with every commit while its session is
open, as if the session had been lost just then: so a crash leaves the best estimate behind, and an end replaces it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

INTERRUPTED = "interrupted"
"""The verdict about a session whose process died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One session, from the dial to the end."""

    name: str
    provider: str
    opened_at: float
    """The dial."""
    ready_at: float | None
    """None: it never was."""
    alive_at: float
    """When this was written."""
    ended_at: float | None
    """None: it is open, or was when its process died."""
    audio: int
    """Samples sent, injected ones included."""
    overlap: int
    """Samples of them that lie before where its share begins: sent only for a sound seam."""
    billed_seconds: float
    cost: float | None
    """None: the price is not known."""
    verdict: str | None = None
    code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Several accounts with one provider."""

    provider: str
    openings: int = 0
    sessions: int = 0
    """Openings that became ready."""
    audio_seconds: float = 0.0
    overlap_seconds: float = 0.0
    billed_seconds: float = 0.0
    cost: float | None = None
    """Of what has a price; None where nothing has."""
    unpriced_seconds: float = 0.0
    """Billed, at a price that is not known: they are not in `cost`."""


def summed(parts: Iterable[Sum]) -> list[Sum]:
    """Add up by provider, in order of their names."""
    sums: dict[str, Sum] = {}
    for part in parts:
        other = sums.get(part.provider)
        sums[part.provider] = part if other is None else _added(other, part)
    return [sums[provider] for provider in sorted(sums)]


def sum_of(account: Account, rate: int) -> Sum:
    """Return one account as a sum."""
    return Sum(
        provider=account.provider,
        openings=1,
        sessions=int(account.ready_at is not None),
        audio_seconds=account.audio / rate,
        overlap_seconds=account.overlap / rate,
        billed_seconds=account.billed_seconds,
        cost=account.cost,
        unpriced_seconds=account.billed_seconds if account.cost is None else 0.0,
    )


def _added(one: Sum, other: Sum) -> Sum:
    costs = [cost for cost in (one.cost, other.cost) if cost is not None]
    return Sum(
        provider=one.provider,
        openings=one.openings + other.openings,
        sessions=one.sessions + other.sessions,
        audio_seconds=one.audio_seconds + other.audio_seconds,
        overlap_seconds=one.overlap_seconds + other.overlap_seconds,
        billed_seconds=one.billed_seconds + other.billed_seconds,
        cost=sum(costs) if costs else None,
        unpriced_seconds=one.unpriced_seconds + other.unpriced_seconds,
    )
