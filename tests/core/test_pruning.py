"""What leaves the outbox: from the front, old, and nowhere near what is still to be transcribed."""

import json

import pytest

from stenod.core.pruning import Row, last_prunable

BATCH = 6


def rows(*ends: float | None) -> list[Row]:
    """Return records that end there, a second long each; None for one without a place."""
    found = []
    for sequence, end in enumerate(ends):
        record = {"type": "status"} if end is None else {"type": "final", "start": end - 1.0, "end": end}
        found.append((2, sequence, json.dumps(record).encode()))
    return found


def last(*ends: float | None, pending: float = 1e9) -> int | None:
    """Decide, where 100 seconds are old and there is pending audio from somewhere on."""
    found = last_prunable(rows(*ends), batch=BATCH, oldest_seconds=100.0, near_pending=lambda _, end: end > pending)
    assert found is None or found[0] == 2
    return None if found is None else found[1]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((), None),
        ((10.0,), 0),
        ((100.0,), 0),
        ((100.1,), None),
        ((10.0, 20.0, 101.0, 30.0), 1),
        ((None, 10.0, None, 20.0, None), 3),
        ((None, None), None),
        ((10.0, None, 101.0), 0),
        ((None, 101.0), None),
        ((None,) * BATCH, BATCH - 1),
        ((None,) * (BATCH - 1) + (101.0,), None),
    ],
)
def test_only_the_front_goes(ends: tuple[float | None, ...], expected: int | None) -> None:
    """Up to the first that is young; what has no place goes with what follows, or as a whole batch."""
    assert expected == last(*ends)


def test_near_pending_audio_all_stays() -> None:
    """And what comes behind it too, so that there is never a hole."""
    assert last(10.0, 20.0, 30.0, 40.0, pending=25.0) == 1
    assert last(10.0, pending=5.0) is None
