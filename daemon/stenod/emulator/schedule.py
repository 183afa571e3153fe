"""When each fault strikes.

A pure account of the fault table: what time it is, which attempt and how much audio are told, never asked. It counts
strikes, so that `count` holds over the whole server.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stenod.emulator.faults import Fault, Scope


@dataclass(slots=True)
class _Window:
    """An outage of the whole line that a session's audio set off."""

    kind: str
    until: float


class Schedule:
    """The whole server's faults; `started_at` is the origin of `wall`."""

    def __init__(self, faults: Sequence[Fault], started_at: float, struck: Callable[[str, int | None], None]) -> None:
        self._faults = tuple(enumerate(faults))
        self._started_at = started_at
        self._struck = struck
        self._spent = [0] * len(faults)
        self._windows: list[_Window] = []
        self._noted: dict[int, int] = {}
        self._line = [(n, fault) for n, fault in self._faults if fault.scope is Scope.LINE and fault.audio is None]

    def held_until(self, now: float) -> float:
        """Return when the black hole that is open now ends; the past if none is."""
        return self._line_until("black-hole", now)

    def refusing(self, now: float) -> bool:
        """Tell whether connections are reset on arrival."""
        return self._line_until("refuse", now) > now

    def begin_line(self, fault: Fault, now: float) -> None:
        """Open a line fault's window that a session set off."""
        self._windows = [window for window in self._windows if window.until > now]
        self._windows.append(_Window(fault.kind, now + (fault.seconds or 0.0)))

    def opening(self, attempt: int, now: float) -> list[Fault]:
        """Return the faults that strike this attempt, and count them."""
        chosen = []
        for number, fault in self._faults:
            if fault.scope is not Scope.OPENING or fault.attempt not in (None, attempt):
                continue
            window = math.inf if fault.kind.startswith("slow") or fault.seconds is None else fault.seconds
            if fault.wall is not None and self._occurrence(fault, window, now) is None:
                continue
            if self._spend(number, fault):
                self._struck(fault.kind, None)
                chosen.append(fault)
        return chosen

    def session(self, session: int, now: float) -> "SessionFaults":
        """Return the faults of one session."""
        mine = [
            (number, fault)
            for number, fault in self._faults
            if fault.session in (None, session)
            and (fault.scope is Scope.SESSION or (fault.scope is Scope.LINE and fault.audio is not None))
        ]
        return SessionFaults(mine, self._started_at, now, self._spend)

    def _line_until(self, kind: str, now: float) -> float:
        until = max((w.until for w in self._windows if w.kind == kind), default=-math.inf)
        for number, fault in self._line:
            if fault.kind != kind:
                continue
            place = self._occurrence(fault, fault.seconds or 0.0, now)
            if place is None or (fault.count is not None and place >= fault.count):
                continue
            if self._noted.get(number) != place:
                self._noted[number] = place
                self._struck(kind, None)
            begin = self._started_at + (fault.wall or 0.0) + place * (fault.repeat or 0.0)
            until = max(until, begin + (fault.seconds or 0.0))
        return until

    def _occurrence(self, fault: Fault, window: float, now: float) -> int | None:
        """Return which repetition of a wall fault is open now, from 0, or None."""
        since = now - self._started_at - (fault.wall or 0.0)
        if since < 0:
            return None
        place = int(since // fault.repeat) if fault.repeat else 0
        return place if since - place * (fault.repeat or 0.0) < window else None

    def _spend(self, number: int, fault: Fault) -> bool:
        if fault.count is not None and self._spent[number] >= fault.count:
            return False
        self._spent[number] += 1
        return True


@dataclass(slots=True)
class _Due:
    """One fault's next time in a session, on its own clock."""

    number: int
    fault: Fault
    at: float


class SessionFaults:
    """One session's faults: asked for by its audio, and by the clock."""

    def __init__(
        self,
        faults: Sequence[tuple[int, Fault]],
        started_at: float,
        now: float,
        spend: Callable[[int, Fault], bool],
    ) -> None:
        self._spend = spend
        self._by_audio = [_Due(n, fault, fault.audio or 0.0) for n, fault in faults if fault.wall is None]
        self._by_wall = [_Due(n, fault, started_at + fault.wall) for n, fault in faults if fault.wall is not None]
        for due in self._by_wall:
            if due.at < now:
                _advance(due, now)
        self._audio_next = min((due.at for due in self._by_audio), default=math.inf)

    def due_by_audio(self, seconds: float) -> list[Fault]:
        """Return what strikes now that this much audio has been received."""
        if seconds < self._audio_next:
            return []
        chosen = self._take(self._by_audio, seconds)
        self._audio_next = min((due.at for due in self._by_audio), default=math.inf)
        return chosen

    def wall_next(self) -> float:
        """Return when the next fault by the clock strikes, infinity if none will."""
        return min((due.at for due in self._by_wall), default=math.inf)

    def due_by_wall(self, now: float) -> list[Fault]:
        """Return what strikes by the clock now."""
        return self._take(self._by_wall, now)

    def _take(self, dues: list[_Due], reached: float) -> list[Fault]:
        chosen = []
        for due in sorted(dues, key=lambda due: due.at):
            if due.at > reached:
                continue
            if self._spend(due.number, due.fault):
                chosen.append(due.fault)
            _advance(due, math.nextafter(reached, math.inf))
        return chosen


def _advance(due: _Due, reached: float) -> None:
    """Move to the first repetition from `reached` on, or to never."""
    if due.fault.repeat is None:
        due.at = math.inf
    else:
        due.at += math.ceil((reached - due.at) / due.fault.repeat) * due.fault.repeat
