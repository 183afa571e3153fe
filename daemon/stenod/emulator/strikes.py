"""What each kind of fault does to a running session: one table, one small function a kind."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import trio

from stenod.emulator.delivery import OverflowedError
from stenod.emulator.dialect import Failure, Tongue, Violation
from stenod.emulator.ending import Manner
from stenod.emulator.faults import Fault
from stenod.emulator.garbage import garbage, huge

if TYPE_CHECKING:
    from stenod.emulator.session import Session


def violation_of(fault: Fault, tongue: Tongue) -> Violation:
    """Return the code and text that a fault tells: without a code the dialect's catch-all, without a text the usual."""
    code = tongue.failure(Failure.CANCELLED).code if fault.code is None else fault.code
    return Violation(code, tongue.texts.get(code, "") if fault.text is None else fault.text)


def _seconds(fault: Fault) -> float:
    return math.inf if fault.seconds is None else fault.seconds


def _end(manner: Manner) -> "Callable[[Session, Fault], None]":
    def strike(session: "Session", fault: Fault) -> None:
        session.end(violation_of(fault, session.house.tongue), "fault", manner)

    return strike


def _drop(session: "Session", fault: Fault) -> None:  # noqa: ARG001 - every strike takes its fault
    session.end(Violation(1006, ""), "fault", Manner.RESET)


def _expire(session: "Session", fault: Fault) -> None:  # noqa: ARG001
    session.fail(Failure.EXPIRED, "fault")


def _die(session: "Session", fault: Fault) -> None:
    session.timers.death_at = trio.current_time() + _seconds(fault)


def _deafen(session: "Session", fault: Fault) -> None:
    session.stream.deafen(_seconds(fault))


def _mute(session: "Session", fault: Fault) -> None:
    session.deliveries.mute(_seconds(fault))


def _slow(session: "Session", fault: Fault) -> None:
    session.deliveries.slow(_seconds(fault))


def _line(session: "Session", fault: Fault) -> None:
    session.house.schedule.begin_line(fault, trio.current_time())


def _garbage(session: "Session", fault: Fault) -> None:  # noqa: ARG001
    _post(session, *garbage())


def _huge(session: "Session", fault: Fault) -> None:  # noqa: ARG001
    _post(session, huge())


def _post(session: "Session", *messages: str | bytes) -> None:
    try:
        for message in messages:
            session.deliveries.post_raw(message)
    except OverflowedError:
        session.fail(Failure.CANCELLED)


STRIKES: "Mapping[str, Callable[[Session, Fault], None]]" = {
    "black-hole": _line,
    "refuse": _line,
    "drop": _drop,
    "close": _end(Manner.CLOSE),
    "error": _end(Manner.ERROR),
    "error-untyped": _end(Manner.UNTYPED),
    "expire": _expire,
    "begin-then-die": _die,
    "deaf": _deafen,
    "mute": _mute,
    "slow-messages": _slow,
    "garbage": _garbage,
    "huge": _huge,
}
