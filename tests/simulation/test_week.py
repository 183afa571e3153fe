"""A week without a network, and a disk that holds nine hours: what goes is told, what is left is transcribed.

Sixteen times fewer samples a second than a microphone has, and a limit as much lower: the same hours.
"""

import gc

import pytest
import trio

from fakes.dialect import Behaviour
from fakes.journal import RATE, STREAM, Disk
from fakes.theatre import Theatre
from stenod.core.audit import Stock, audit
from stenod.core.retention import STEP_SECONDS, RetentionLimits
from stenod.core.timeline import State
from stenod.core.transport import ConnectionEnded
from stenod.tasks.stored_audio import Keeping

DAY_SECONDS = 86_400
BLOCK_SECONDS = 60
BYTES_MAX = 10**9 // 16
SAMPLE_BYTES = 2
NO_NETWORK = Behaviour(dial_seconds=60.0, refuses=ConnectionEnded("no-route: nobody", local=True))


async def record(theatre: Theatre, seconds: int) -> None:
    """Record in blocks of a minute: this is not about capture."""
    for _ in range(seconds // BLOCK_SECONDS):
        await trio.sleep(BLOCK_SECONDS)
        theatre.journal.append(bytes(SAMPLE_BYTES * BLOCK_SECONDS * RATE))


def held(theatre: Theatre) -> tuple[int, int]:
    """Return the bytes of all audio, and how many objects of ours there are."""
    theatre.log.lines.clear()
    gc.collect()
    # Some classes of C have a descriptor there.
    ours = sum(str(type(one).__module__).startswith("stenod.") for one in gc.get_objects())
    return sum(len(content) for content in theatre.disk.files.contents.values()), ours


@pytest.mark.slow
async def test_a_week_without_a_network(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Disk and memory are bounded, the gaps are exactly what was dropped, and the newest nine hours come out."""
    disk = Disk(samples_max=BLOCK_SECONDS * RATE)
    disk.keeping = Keeping(limits=RetentionLimits(bytes_max=BYTES_MAX))
    theatre = Theatre(nursery, NO_NETWORK, disk=disk)
    nursery.start_soon(theatre.journal.maintain, 600.0)
    nursery.start_soon(theatre.supervise)
    objects = []
    for _ in range(7):
        await record(theatre, DAY_SECONDS)
        stored, count = held(theatre)
        assert stored <= BYTES_MAX + 2 * SAMPLE_BYTES * BLOCK_SECONDS * RATE
        objects.append(count)
    gaps = disk.lines("gap")
    steps = 7 * DAY_SECONDS / STEP_SECONDS
    assert {"retention"} == {gap["cause"] for gap in gaps}
    assert steps / 2 < len(gaps) <= steps
    assert objects[6] - objects[1] < len(gaps), "one for each gap, none for each second or attempt"

    theatre.server.choose = lambda _: Behaviour()
    await trio.sleep(400.0)
    theatre.journal.finish()
    await theatre.returned.wait()
    gaps = disk.lines("gap")
    lost = sum(round((gap["end"] - gap["start"]) * RATE) for gap in gaps)
    settled = theatre.journal.settled()
    assert lost == sum(one.end - one.start for one in settled if one.state is State.GAP)
    heard = sum(one.end - one.start for one in settled if one.state is State.TRANSCRIBED)
    assert lost + heard == theatre.journal.tail == 7 * DAY_SECONDS * RATE
    assert heard >= BYTES_MAX // SAMPLE_BYTES - 2 * STEP_SECONDS * RATE
    state = disk.ledger.open_stream(STREAM, RATE)
    stock = Stock(
        stream=STREAM,
        rate=RATE,
        tail=state.tail,
        sequence=state.sequence,
        spans=state.spans,
        stored=disk.journal()._audio._segments.spans(),
        lines=disk.ledger.unprinted(STREAM, "audit", 1_000_000),
    )
    assert audit(stock).faults == ()
