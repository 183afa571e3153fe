"""What is told of sessions: their accounts above all; the rest is in the tests of those who tell."""

from typing import Any

import pytest
import trio

from fakes.dialect import Behaviour
from fakes.theatre import Theatre
from stenod.core.accounts import INTERRUPTED
from stenod.core.transport import OVERSIZED, ConnectionEnded
from stenod.core.verdict import Phase
from stenod.tasks.session_end import joined
from stenod.tasks.session_records import _orphaned


def rows(theatre: Theatre) -> list[dict[str, Any]]:
    """Return the ledger's accounts, in order."""
    cursor = theatre.disk.ledger._commits.execute("SELECT * FROM session ORDER BY name")
    names = [one[0] for one in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


async def test_an_account_from_the_dial_to_the_end(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The record of the end and the ledger's row tell the same; the provider's own figure wins."""
    theatre = Theatre(nursery, Behaviour(dial_seconds=0.5))
    await theatre.record(3.0)
    session = await theatre.sessions.open(nursery)
    session.begin(1000, 500)
    session.cut(2500)
    await theatre.sessions.see_off(session)
    (row,) = rows(theatre)
    ready, ended = theatre.disk.lines("session")
    assert (None, None) == (ready["billed_seconds"], ready["cost"])
    assert (2.0, 1.5, 1.5) == (ended["audio_seconds"], ended["billed_seconds"], ended["cost"])
    (told,) = theatre.log.of("session.ended")
    assert (1.5, 1.5) == (told["billed_seconds"], told["cost"])
    assert (2000, 500, 1.5, 1.5) == (row["audio"], row["overlap"], row["billed_seconds"], row["cost"])
    assert ("toy", "reopen", 1000) == (row["provider"], row["verdict"], row["code"])
    assert 0.5 == pytest.approx(row["ready_at"] - row["opened_at"], abs=1e-6)
    assert session.ended is not None
    assert session.ended.ready_seconds == pytest.approx(row["ended_at"] - row["ready_at"], abs=1e-6)


async def test_an_orphan_may_be_charged_on(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Nobody could say goodbye: it counts until the provider's inactivity limit. One that closed itself does not."""
    for behaviour, more in ((Behaviour(ends_after=5.0), 30.0), (Behaviour(ends_after=5.0, end_code=1012), 0.0)):
        theatre = Theatre(nursery, behaviour)
        session = await theatre.sessions.open(nursery)
        await theatre.sessions.see_off(session)
        assert [pytest.approx(5.0 + more)] == [row["billed_seconds"] for row in rows(theatre)]


async def test_a_goodbye_that_nobody_answered_may_not_have_come(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """Of a provider that is silent to the end nobody knows when it stopped to charge."""
    theatre = Theatre(nursery, Behaviour(finish_seconds=None))
    await theatre.record(1.0)
    session = await theatre.sessions.open(nursery)
    session.begin(0)
    session.cut(1000)
    await theatre.sessions.see_off(session)
    (row,) = rows(theatre)
    assert session.ended is not None
    assert "drain-deadline" == session.ended.failure.text.partition(":")[0]
    assert pytest.approx(session.ended.ready_seconds + 30.0) == row["billed_seconds"]


def test_a_close_of_ours_may_not_have_come() -> None:
    """We answer a message that is too large with a close and no goodbye."""
    end = ConnectionEnded(f"{OVERSIZED}: 5 MB", close_code=1009, local=True)
    assert _orphaned(joined(end, None, Phase.READY))
    assert not _orphaned(joined(ConnectionEnded("", close_code=1009), None, Phase.READY))


async def test_an_opening_that_failed_is_counted(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It costs nothing, and it is known that it was tried."""
    theatre = Theatre(nursery, Behaviour(refuses=ConnectionEnded("HTTP 500", http_status=500)), Behaviour())
    await theatre.sessions.open(nursery)
    assert [(None, 500, 0.0), (theatre.clock.wall(), None, 30.0)] == [
        (row["ready_at"], row["code"], row["billed_seconds"]) for row in rows(theatre)
    ]


async def test_a_session_that_was_open_at_a_crash(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """What the last commit knew stays: its time until then, and the inactivity limit."""
    theatre = Theatre(nursery)
    session = await theatre.sessions.open(nursery)
    session.begin(0)
    await theatre.record(10.5)
    (row,) = rows(theatre)
    assert (None, None) == (row["ended_at"], row["verdict"])
    assert 39.0 <= row["billed_seconds"] <= 41.0
    assert 9_000 <= row["audio"] <= 10_500
    theatre.disk.journal()  # as the next process does
    (left,) = rows(theatre)
    assert (row["alive_at"], INTERRUPTED) == (left["ended_at"], left["verdict"])
    assert row["billed_seconds"] == left["billed_seconds"]
