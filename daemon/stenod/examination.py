"""Examining a machine step by step: what a step is, and how they are taken one after the other.

Each step has a deadline, and all together have one, so that a network that swallows everything ends too. A step whose
ground is missing is not taken, and says so in a word. Whatever a step opened is closed when it ends, cancelled or not.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import trio

from stenod.config import Loaded
from stenod.core.diagnosis import SKIPPED, Finding, Mark, skipped, wrong
from stenod.core.log import Log
from stenod.edge.telemetry import MASK, SECRET_CHARACTERS_MIN

EXAMINATION_SECONDS = 28.0
"""For all of it; leaving what is open at the end may take two more."""
STEP_SECONDS = 5.0
NO_TIME = "no time"


@dataclass(slots=True)
class Case:
    """What is examined, and what the steps have found out for each other."""

    loaded: Loaded
    environment: Mapping[str, str]
    offline: bool
    log: Log
    keys: dict[str, str] = field(default_factory=dict)
    """By provider."""
    audio: dict[str, bytes] = field(default_factory=dict)
    """By stream: s16le mono at the stream's rate, about a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to look at."""

    name: str
    waiting: str
    """What it waits for, for whoever watches."""
    examine: Callable[[], Awaitable[Finding]]
    of: str = ""
    """Whose: the provider, where it is one's."""
    needs: Sequence[str] = ()
    """Steps, of the same provider, that must not have failed."""
    lack: str = ""
    """The word for what those that need it lack."""
    seconds: float = STEP_SECONDS
    late: str = "look at it by hand"
    """What to do where it does not end in time."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A step with what it found."""

    step: Step
    finding: Finding


async def walk(
    steps: Sequence[Step],
    *,
    begin: Callable[[Step], None],
    end: Callable[[Examined], None],
    secrets: Callable[[], Sequence[str]] = tuple,
    seconds: float = EXAMINATION_SECONDS,
) -> list[Examined]:
    """Take the steps in their order; `begin` and `end` are told of each. `secrets` are masked in what is found."""
    latest = trio.current_time() + seconds
    examined: list[Examined] = []
    lacking: dict[tuple[str, str], str] = {}
    for step in steps:
        reason = next((lacking[step.of, one] for one in step.needs if (step.of, one) in lacking), None)
        if reason is None and trio.current_time() >= latest:
            reason = NO_TIME
        if reason is None:
            begin(step)
            finding = await _taken(step, latest)
            reason = finding.text.removeprefix(SKIPPED) if finding.mark is Mark.SKIPPED else step.lack
        else:
            finding = skipped(reason)
        if finding.mark in (Mark.WRONG, Mark.SKIPPED):
            lacking[step.of, step.name] = reason
        examined.append(Examined(step, concealed(finding, secrets())))
        end(examined[-1])
    return examined


def concealed(finding: Finding, secrets: Sequence[str]) -> Finding:
    """Return the finding without what must not be shown, should a peer have repeated it."""
    text, remedy = finding.text, finding.remedy
    for secret in secrets:
        if len(secret) >= SECRET_CHARACTERS_MIN:
            text, remedy = text.replace(secret, MASK), remedy.replace(secret, MASK)
    return replace(finding, text=text, remedy=remedy)


async def _taken(step: Step, latest: float) -> Finding:
    seconds = min(step.seconds, latest - trio.current_time())
    with trio.move_on_after(seconds):
        return await step.examine()
    return wrong(f"no end after {seconds:.0f} s: {step.waiting}", step.late)
