"""Journals with lines to print and nothing to transcribe, for tests of how lines come out."""

from collections.abc import Sequence
from pathlib import Path

from stenod.core import records
from stenod.core.transaction import Transaction
from stenod.edge.ledger import Ledger

NOWHERE = ("--input", "none", "--provider", "assemblyai", "--endpoint", "ws://127.0.0.1:9")
"""With such a journal `stenod run` prints its lines and ends."""


def filled(place: Path, sizes: Sequence[int]) -> list[bytes]:
    """Make a journal with lines of about these sizes that nobody has printed; return them."""
    place.mkdir()
    ledger = Ledger(place / "ledger.sqlite")
    ledger.open_stream("default", 16_000)
    lines = [
        records.line(
            records.Status(
                stream="default",
                id=records.record_id("default", 0, sequence),
                at="",
                subject="provider",
                state="lost",
                reason="x" * size,
            )
        )
        for sequence, size in enumerate(sizes)
    ]
    transaction = Transaction(lines=list(enumerate(lines)), sequence=len(lines), session=0, tail=0)
    ledger.commit("default", 0, transaction)
    ledger.close()
    return lines
