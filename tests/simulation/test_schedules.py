"""Faults in any combination: a sweep of seeds over everything, and a property that shrinks to the smallest schedule."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.world import simulate
from simulation.accounting import account
from stenod.emulator.faults import Fault

SEEDS = range(96)
BATCHES = 8
CODES = (1000, 1001, 1011, 1012, 1013, 3005, 3008, 3009)
STATUSES = (408, 429, 500, 502, 503)
ENDS = ("drop", "close", "error", "expire", "begin-then-die", "deaf", "mute", "slow-messages", "garbage", "huge")
LINES = ("black-hole", "refuse")
OPENINGS = ("status", "slow", "slow-begin")


def tenths(chance: random.Random, low: float, high: float) -> float:
    """Return a number of seconds to the tenth."""
    return round(chance.uniform(low, high), 1)


def random_fault(chance: random.Random) -> Fault:
    """Return some fault at some moment of the first 100 s."""
    kind = chance.choice((*ENDS, *LINES, *OPENINGS))
    fields: dict[str, Any] = {}
    if kind in ENDS:
        clock, longest = ("audio", 50.0) if chance.random() < 0.5 else ("wall", 100.0)
        fields = {clock: tenths(chance, 0.5, longest), "count": chance.randint(1, 3)}
        if chance.random() < 0.3:
            fields["repeat"] = tenths(chance, 5.0, 30.0)
    if kind in ("close", "error"):
        fields["code"] = chance.choice(CODES)
    if kind in ("deaf", "mute") and chance.random() < 0.5:
        fields["duration"] = tenths(chance, 1.0, 40.0)
    if kind == "slow-messages":
        fields["duration"] = tenths(chance, 0.1, 4.0)
    if kind in LINES:
        fields = {"wall": tenths(chance, 5.0, 100.0), "duration": tenths(chance, 0.5, 30.0)}
    if kind == "status":
        fields = {
            "wall": tenths(chance, 5.0, 100.0),
            "duration": tenths(chance, 1.0, 20.0),
            "status": chance.choice(STATUSES),
        }
    if kind.startswith("slow") and kind in OPENINGS:
        fields = {"duration": tenths(chance, 0.1, 15.0), "count": chance.randint(1, 3)}
    return Fault(kind=kind, **fields)


def random_conditions(seed: int) -> dict[str, Any]:
    """Return a world with one to three faults, and some of what else makes a difference."""
    chance = random.Random(seed)
    conditions: dict[str, Any] = {
        "seed": seed,
        "seconds": 90.0,
        "faults": tuple(random_fault(chance) for _ in range(chance.choice((1, 2, 2, 3)))),
        "realism": chance.random() < 0.3,
        "live": chance.random() < 0.8,
        "lockstep": chance.random() < 0.2,
        "partials": chance.random() < 0.2,
        "block_seconds": chance.choice((0.02, 0.1, 0.1)),
        "speech_model": chance.choice(("universal-streaming-english", "universal-streaming-english", "u3-rt-pro")),
    }
    if chance.random() < 0.4:
        # A realistic server needs up to three seconds for its last words: more than the margin of a short limit.
        conditions["limit_seconds"] = 60.0 if conditions["realism"] else float(chance.choice((20, 30, 60)))
    if not conditions["lockstep"]:
        conditions["latency_seconds"] = chance.choice((0.0, 0.0, 0.02, 0.15, 0.4))
    return conditions


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
def test_faults_of_all_kinds_together(batch: int) -> None:
    """Each seed is a world of its own; its number is all that is needed to see it again."""
    for seed in SEEDS[batch::BATCHES]:
        conditions = random_conditions(seed)
        try:
            account(simulate(**conditions))
        except BaseException as error:
            error.add_note(f"seed {seed}: {conditions}")
            raise


seconds = st.integers(5, 500).map(lambda tenths: tenths / 10)
durations = st.integers(1, 150).map(lambda tenths: tenths / 10)
counts = st.integers(1, 3)
faults = st.one_of(
    st.builds(
        Fault, kind=st.sampled_from(("drop", "expire", "deaf", "mute", "garbage", "huge")), audio=seconds, count=counts
    ),
    st.builds(Fault, kind=st.sampled_from(("drop", "expire", "deaf", "mute")), wall=seconds, count=counts),
    st.builds(
        Fault, kind=st.sampled_from(("close", "error")), audio=seconds, count=counts, code=st.sampled_from(CODES)
    ),
    st.builds(Fault, kind=st.sampled_from(LINES), wall=seconds, duration=durations),
    st.builds(Fault, kind=st.sampled_from(("slow", "slow-begin")), duration=durations, count=counts),
    st.builds(Fault, kind=st.just("status"), wall=seconds, duration=durations, status=st.sampled_from(STATUSES)),
)


@pytest.mark.slow
@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    schedule=st.lists(faults, max_size=4).map(tuple),
    limit_seconds=st.sampled_from((20.0, 60.0, 10_800.0)),
    latency_seconds=st.sampled_from((0.0, 0.15)),
    seed=st.integers(0, 3),
)
def test_any_schedule(schedule: tuple[Fault, ...], limit_seconds: float, latency_seconds: float, seed: int) -> None:
    """Whatever goes wrong in which order, the account is the same."""
    account(
        simulate(seconds=50.0, faults=schedule, limit_seconds=limit_seconds, latency_seconds=latency_seconds, seed=seed)
    )
