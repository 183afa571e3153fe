"""What the journal and its ledger exchange: a stream's stored state, and what one commit writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stenod.core.accounts import Account
from stenod.core.chronology import Anchor
from stenod.core.timeline import Change, Settled


class LedgerStalled(Exception):
    """The ledger cannot do it now (a full disk, somebody else's lock); nothing was written, and it may be tried again.

    `remedy` says what a person can do.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class StreamState:
    """What the ledger knows of a stream when it is opened."""

    rate: int
    epoch: int
    sequence: int
    session: int
    tail: int
    spans: tuple[Settled, ...]
    anchors: tuple[Anchor, ...]
    recovered_until: int = 0
    """Audio before it was known to an earlier ledger, which is lost."""
    troubles: frozenset[str] = frozenset()
    """Subjects whose last status record is bad news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """How a stream begins that the ledger does not know: at zero, or where a ledger that was lost had come to."""

    rate: int | None = None
    """None: as is asked for."""
    epoch: int = 0
    session: int = 0
    tail: int = 0
    spans: Sequence[Settled] = ()
    anchors: Sequence[Anchor] = ()
    recovered_until: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What one commit writes."""

    changes: Sequence[Change] = ()
    lines: Sequence[tuple[int, bytes]] = ()
    """Outbox records: sequence and line."""
    spoken: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """By sequence, the samples that a line's words lie in, so that the words around a seam can be found again."""
    sequence: int
    session: int
    tail: int
    accounts: Sequence[Account] = ()
    """Of sessions, written anew as they stand."""
    anchors: tuple[int, Sequence[Anchor]] | None = None
    """The chronology from that position on, where it changed."""
