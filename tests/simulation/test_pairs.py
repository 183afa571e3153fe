"""Every fault alone, and every two of them where the second meets the recovery from the first.

A world is a row of the matrix: two troubles, a plan, exact or untidy. Its number seeds everything else about it: when
the troubles begin, which of the two clocks strikes, how long the audio goes on. `STENOD_TEST_PAIRS=all` runs the whole
matrix (an hour and a half of one core for each dialect), a number that many of them; without it a fixed choice of them
runs, fewer of the dialects that share all but their own file with the first.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations_with_replacement
from typing import Any

import pytest

from fakes.world import DIAL_FAULTS, DialFault, simulate
from simulation.accounting import account
from stenod.emulator.faults import KINDS, Fault, Scope
from stenod.services import SERVICES

PLANS = ("dialogue", "continuous", "silence", "music")
FIRST_SECONDS = {"dialogue": 20.0, "continuous": 20.0, "silence": 62.0, "music": 20.0}
"""When things begin to go wrong: in the quiet plan around its first words."""
SPOKEN_SECONDS = {"dialogue": 12.0, "continuous": 12.0, "silence": 8.0, "music": 12.0}
"""The first trouble begins within so long."""
AFTER_SECONDS = 40.0
"""The audio ends at most this long after the second trouble began: at times before the recovery."""
CHOSEN_DEFAULT = 120
CHOSEN_OTHERS = 40
BATCHES = 8


@dataclass(frozen=True, slots=True)
class Trouble:
    """One entry of the list, with all its times counted from its beginning."""

    seconds: float
    """How long it and the recovery from it last: where a second one meets it."""
    faults: tuple[Fault, ...] = ()
    dials: tuple[DialFault, ...] = ()
    conditions: dict[str, Any] = field(default_factory=dict)

    def beginning(self, at: float) -> "Trouble":
        """Return it with its times counted from the world's beginning."""
        faults = tuple(fault if fault.wall is None else replace(fault, wall=fault.wall + at) for fault in self.faults)
        dials = tuple(replace(dial, start=dial.start + at, end=dial.end + at) for dial in self.dials)
        return replace(self, faults=faults, dials=dials)

    def striking(self, audio: float, session: int) -> "Trouble":
        """Return it by the clock of one session's audio, where it can be."""
        if len(self.faults) != 1 or self.faults[0].scope is not Scope.SESSION or self.dials:
            return self
        return replace(self, faults=(replace(self.faults[0], wall=None, audio=audio, session=session, repeat=None),))


def struck(kind: str, **fields: Any) -> Fault:
    """Return a fault that strikes one session at the trouble's beginning."""
    return Fault(kind=kind, wall=0.0, count=1, **fields)


RESET = struck("drop")
RULES = [rule for service in SERVICES.values() for rule in service.rules]
STATUSES = sorted({min(rule.statuses) for rule in RULES if rule.statuses} | {502, 503, 504})

TROUBLES: dict[str, Trouble] = {
    "RST": Trouble(4.0, (RESET,)),
    "RST of two": Trouble(4.0, (replace(RESET, count=2),)),
    "deaf, then RST": Trouble(8.0, (struck("deaf"), Fault(kind="drop", wall=1.7, count=1))),
    "error and close": Trouble(4.0, (struck("error", code=3005),)),
    "an old server's error": Trouble(4.0, (struck("error-untyped", code=3005),)),
    "clean close": Trouble(4.0, (struck("close", code=1000),)),
    "close of a server that restarts": Trouble(4.0, (struck("close", code=1012),)),
    "too fast": Trouble(10.0, (struck("error", code=3007),)),
    "expire": Trouble(4.0, (struck("expire"),)),
    "refuse 6 s": Trouble(14.0, (RESET, Fault(kind="refuse", wall=0.0, duration=6.0))),
    "refuse 60 s": Trouble(100.0, (RESET, Fault(kind="refuse", wall=0.0, duration=60.0))),
    **{
        f"HTTP {status}": Trouble(14.0, (RESET, Fault(kind="status", wall=0.0, duration=6.0, status=status)))
        for status in STATUSES
    },
    "black hole of one": Trouble(14.0, (struck("deaf", duration=9.0),)),
    "black hole of all": Trouble(14.0, (Fault(kind="black-hole", wall=0.0, duration=9.0),)),
    "a short black hole": Trouble(4.0, (Fault(kind="black-hole", wall=0.0, duration=2.5),)),
    "dark and back": Trouble(
        70.0, (Fault(kind="black-hole", wall=0.0, duration=40.0),), (DialFault(kind="route", start=0.0, end=40.0),)
    ),
    "half open for good": Trouble(12.0, (struck("deaf"),)),
    "a stalled model": Trouble(45.0, (struck("mute"),)),
    "a model that stalls for 10 s": Trouble(14.0, (struck("mute", duration=10.0),)),
    "late messages": Trouble(20.0, (struck("slow-messages", duration=2.0),)),
    "slow handshake": Trouble(12.0, (RESET, Fault(kind="slow", wall=0.0, duration=7.0, count=2))),
    "late Begin": Trouble(12.0, (RESET, Fault(kind="slow-begin", wall=0.0, duration=7.0, count=2))),
    "a Begin that comes too late": Trouble(30.0, (RESET, Fault(kind="slow-begin", wall=0.0, duration=14.0, count=2))),
    "begin, then die": Trouble(10.0, (RESET, Fault(kind="begin-then-die", wall=1.5, count=2, duration=2.0))),
    "one session at a time": Trouble(20.0, (RESET,), conditions={"sessions_max": 1, "limit_seconds": 60.0}),
    "one session, for good": Trouble(
        20.0, (RESET,), conditions={"sessions_max": 1, "one_session": True, "limit_seconds": 60.0}
    ),
    "a hand-over": Trouble(20.0, conditions={"limit_seconds": 60.0}),
    "slow reader": Trouble(40.0, (RESET,), conditions={"write_seconds": 2.0}),
    "garbage": Trouble(10.0, (struck("garbage"), Fault(kind="garbage", wall=2.0, repeat=1.0, count=5))),
    "huge": Trouble(6.0, (struck("huge"),)),
    "flapping": Trouble(25.0, (Fault(kind="drop", wall=0.0, repeat=3.0, count=5),)),
    **{f"dial: {kind}": Trouble(25.0, (RESET,), (DialFault(kind=kind, start=0.0, end=13.0),)) for kind in DIAL_FAULTS},
}


@dataclass(frozen=True, slots=True)
class Row:
    """One world of the matrix."""

    number: int
    names: tuple[str, ...]
    plan: str
    realism: bool
    provider: str = "assemblyai"

    def conditions(self) -> dict[str, Any]:
        """Return what makes this world."""
        chance = random.Random(self.number)
        names = list(self.names)
        chance.shuffle(names)
        at = FIRST_SECONDS[self.plan] + chance.uniform(0.0, SPOKEN_SECONDS[self.plan])
        begun = []
        for place, name in enumerate(names):
            trouble = TROUBLES[name]
            if place and chance.random() < 0.4:
                trouble = trouble.striking(chance.uniform(0.1, 12.0), chance.choice((1, 1, 2)))
            begun.append(trouble.beginning(round(at, 2)))
            if place + 1 < len(names):
                at += chance.uniform(0.0, trouble.seconds)
        conditions: dict[str, Any] = {}
        for trouble in begun:
            conditions |= trouble.conditions
        return {
            "seed": self.number,
            "provider": self.provider,
            "seconds": round(at + chance.uniform(3.0, AFTER_SECONDS), 1),
            "plan": self.plan,
            "realism": self.realism,
            "faults": tuple(fault for trouble in begun for fault in trouble.faults),
            "dial_faults": tuple(dial for trouble in begun for dial in trouble.dials),
            "latency_seconds": chance.choice((0.0, 0.0, 0.05, 0.3)),
            **conditions,
        }


def matrix() -> Iterator[Row]:
    """Yield every world: each trouble alone and each two, with every plan, exact and untidy."""
    number = 0
    for names in [*((name,) for name in TROUBLES), *combinations_with_replacement(TROUBLES, 2)]:
        for plan in PLANS:
            for realism in (False, True):
                yield Row(number, names, plan, realism)
                number += 1


def chosen(provider: str = "assemblyai", default: int = CHOSEN_DEFAULT) -> list[Row]:
    """Return the worlds that this run is to see; in an order that mixes them, another one for each dialect."""
    rows = [replace(row, provider=provider) for row in matrix()]
    random.Random(provider).shuffle(rows)
    wanted = os.environ.get("STENOD_TEST_PAIRS", str(default))
    return rows if wanted == "all" else rows[: int(wanted)]


def failures(rows: list[Row]) -> Iterator[str]:
    """Run these worlds; yield for each that failed what was wrong and what it takes to see it again."""
    for row in rows:
        try:
            account(simulate(**row.conditions()))
        except Exception as error:
            yield f"{row}: {row.conditions()}\n{type(error).__name__}: {error}"


def test_every_kind_of_fault_is_in_the_matrix() -> None:
    """The table above knows all that emulator and network can do wrong, and every refusal that the dialect knows."""
    assert {fault.kind for trouble in TROUBLES.values() for fault in trouble.faults} == set(KINDS)
    assert {dial.kind for trouble in TROUBLES.values() for dial in trouble.dials} == set(DIAL_FAULTS)
    assert all(set(rule.statuses) & set(STATUSES) for rule in RULES if rule.statuses)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_faults_that_meet(batch: int) -> None:
    """No word is lost, none comes twice, none out of its place, and the journal is sound."""
    failed = list(failures(chosen()[batch::BATCHES]))
    assert not failed, f"{len(failed)} worlds failed; the first:\n{failed[0]}"


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("provider", [name for name in SERVICES if name != "assemblyai"])
def test_faults_that_meet_another_dialect(provider: str) -> None:
    """What holds for one dialect holds for each: each trouble alone with speech, and some of all pairs."""
    alone = [replace(row, provider=provider) for row in matrix() if len(row.names) == 1 and row.plan == "dialogue"]
    rows = alone[:: 1 if "STENOD_TEST_PAIRS" in os.environ else 2] + chosen(provider, CHOSEN_OTHERS)
    failed = list(failures(rows))
    assert not failed, f"{len(failed)} worlds failed; the first:\n{failed[0]}"
