"""Four minutes in which something goes wrong every few seconds: outages that follow each other, backlogs that touch.

A number seeds a world. `STENOD_TEST_STORMS` says how many of them run; 400 take a quarter of an hour of one core.
"""

import os
import random
from collections.abc import Sequence
from typing import Any

import pytest

from fakes.world import DialFault, simulate
from simulation.accounting import account
from stenod.emulator.faults import Fault

SECONDS = 240.0
STORMS = int(os.environ.get("STENOD_TEST_STORMS", "4"))
FOUND = (20, 24, 54, 178, 327, 358)
FOUND_MUMBLING = (6, 76, 89, 90, 107)
"""Those that went wrong once."""


def trouble(chance: random.Random, at: float) -> tuple[list[Fault], list[DialFault], float]:
    """Return what goes wrong at this moment, and when it is over."""
    wall = round(at, 2)
    kind = chance.random()
    if kind < 0.45:
        name = chance.choice(("drop", "drop", "close", "error", "expire"))
        return [Fault(kind=name, wall=wall, count=chance.choice((1, 1, 2)))], [], at
    if kind < 0.7:
        end = at + chance.uniform(14.0, 40.0)
        dial = DialFault(kind=chance.choice(("route", "refuse")), start=at, end=end)
        return [Fault(kind="drop", wall=wall, count=2)], [dial], end
    if kind < 0.85:
        return [Fault(kind="black-hole", wall=wall, duration=round(chance.uniform(1.0, 25.0), 1))], [], at
    if kind < 0.93:
        return [Fault(kind="deaf", wall=wall, count=1)], [], at
    return [Fault(kind="mute", wall=wall, count=1, duration=round(chance.uniform(1.0, 15.0), 1))], [], at


def storm(seed: int) -> dict[str, Any]:
    """Return the conditions of one world."""
    chance = random.Random(seed)
    faults: list[Fault] = []
    dials: list[DialFault] = []
    at = chance.uniform(5.0, 30.0)
    while at < SECONDS - 5.0:
        more_faults, more_dials, at = trouble(chance, at)
        faults += more_faults
        dials += more_dials
        at += chance.choice((chance.uniform(0.2, 3.0), chance.uniform(2.0, 12.0), chance.uniform(10.0, 40.0)))
    manner = chance.random()
    return {
        "seed": seed,
        "seconds": SECONDS,
        "plan": chance.choice(("continuous", "continuous", "continuous", "dialogue")),
        "realism": chance.random() < 0.5,
        "faults": tuple(faults),
        "dial_faults": tuple(dials),
        "limit_seconds": chance.choice((10_800.0, 60.0, 40.0)),
        "latency_seconds": chance.choice((0.0, 0.05, 0.3)),
        "in_order": manner < 0.08,
        "one_session": 0.08 <= manner < 0.16,
        "live": chance.random() < 0.92,
        "speech_model": chance.choice(("universal-streaming-english", "universal-streaming-english", "u3-rt-pro")),
        "block_seconds": chance.choice((0.02, 0.1)),
    }


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_storms() -> None:
    """It ends, no word is lost, none comes twice, none out of its place."""
    weathered(FOUND, mumbles=False)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_storms_over_a_speaker_with_few_words() -> None:
    """Nor where nearly all words are the same, so that a seam has little to go by."""
    weathered(FOUND_MUMBLING, mumbles=True)


def weathered(found: Sequence[int], *, mumbles: bool) -> None:
    """Let the storms pass that went wrong once, and some more."""
    failed = []
    for seed in dict.fromkeys((*found, *range(1000, 1000 + STORMS))):
        try:
            account(simulate(**storm(seed), mumbles=mumbles))
        except Exception as error:
            failed.append(f"storm {seed}: {storm(seed)}\n{type(error).__name__}: {error}")
    assert not failed, f"{len(failed)} worlds failed; the first:\n{failed[0]}"
