"""Which records may leave the outbox: old ones that every reader has, from the front, so that it never has holes.

A record is as old as its end on the timeline. Those without a place there (a session, a status) go with what follows
them. A record near pending audio stays: what is transcribed there must find what was printed around it.
"""

from collections.abc import Callable, Sequence

from stenod.core import records

Row = tuple[int, int, bytes]
"""Epoch, sequence, line."""


def last_prunable(
    rows: Sequence[Row], *, batch: int, oldest_seconds: float, near_pending: Callable[[float, float], bool]
) -> tuple[int, int] | None:
    """Return the last record (epoch, sequence) of those that may go; None where none may.

    `rows` are the first of the outbox, `batch` at most. What ends at `oldest_seconds` of the timeline or before is old.
    """
    last = None
    for epoch, sequence, line in rows:
        record = records.parsed(line)
        if "end" not in record:
            continue
        if record["end"] > oldest_seconds or near_pending(record["start"], record["end"]):
            return last
        last = epoch, sequence
    if last is None and len(rows) == batch:
        # Nothing but sessions and statuses: a provider that has refused for long.
        last = rows[-1][:2]
    return last
