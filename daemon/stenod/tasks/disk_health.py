"""The health of the journal's disk: its parts fail and work again, and a person is told once of each change.

One status record says `lost` when the first part fails, another one when audio is lost too, and one `back` when all
work again. They go into the outbox with the next commit that the disk takes; the log has them at once.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from stenod.core import records
from stenod.core.clock import Clock
from stenod.core.log import Log
from stenod.core.outage import Outage

SUBJECT = "journal"


class Part(StrEnum):
    """What may fail by itself."""

    AUDIO = "audio"
    READ = "read"
    SYNC = "sync"
    LEDGER = "ledger"


LOSSES = {
    Part.AUDIO: "audio cannot be stored and is being lost",
    Part.READ: "stored audio cannot be read and is lost",
    Part.SYNC: "audio cannot be made durable",
    Part.LEDGER: "the transcript cannot be stored and waits",
}
WAITING = "audio cannot be stored, and its source waits"


class Reserve(Protocol):
    """See `edge.reserve.Reserve`."""

    def take(self) -> None: ...
    def give(self) -> bool: ...


AUDIO_WAIT_SECONDS_MAX = 2.0
"""Live audio is lost as long as nobody tries."""


class DiskHealth:
    """`note` takes the status records; `reserve` is room for the ledger, None where none is held.

    `told`: an earlier run ended with bad news, which nobody has taken back.
    """

    def __init__(
        self,
        *,
        stream: str,
        clock: Clock,
        log: Log,
        note: Callable[[records.Status], None],
        reserve: Reserve | None = None,
        told: bool = False,
    ) -> None:
        self._reserve = reserve
        self._stream = stream
        self._clock = clock
        self._log = log
        self._note = note
        self._outages = {part: Outage() for part in Part}
        self._outages[Part.AUDIO].wait_seconds_max = AUDIO_WAIT_SECONDS_MAX
        self._told = told
        self._worst: Part | None = None
        self.trouble = ("", "")
        """What is wrong now and what to do; empty where all is well."""

    def failed(self, part: Part, reason: str, remedy: str, *, waits: bool = False) -> None:
        """Note that a part did not work; `waits`: nothing is lost by it."""
        outage = self._outages[part]
        if not outage.out:
            self._log.error("journal.lost", part=part.value, reason=reason, remedy=remedy)
        outage.failed(self._clock.now())
        worse = part is Part.AUDIO and self._worst is not Part.AUDIO
        if worse or self._worst is None:
            self._worst = part
            self.trouble = (f"{WAITING if waits else LOSSES[part]}: {reason}", remedy)
        if worse or not self._told:
            self._told = True
            self._tell("lost", *self.trouble)

    def worked(self, part: Part) -> None:
        """Note that a part worked."""
        outage = self._outages[part]
        if outage.out:
            outage.worked()
            self._log.info("journal.back", part=part.value)
        if self._worst is not None and not any(one.out for one in self._outages.values()):
            self._worst, self.trouble = None, ("", "")
        if self._told and not any(one.out for one in self._outages.values()) and self._room_held():
            self._told = False
            self._tell("back", "the journal's disk takes everything again", "")

    def room_made(self) -> bool:
        """Give the ledger's reserve up; return whether there was one, so that it may be tried again at once."""
        return self._reserve is not None and self._reserve.give()

    def hold_room(self) -> None:
        """Hold the ledger's reserve, before audio is written; raises `OSError` where there is no room for it."""
        if self._reserve is not None:
            self._reserve.take()

    def out(self, part: Part) -> bool:
        """Whether it did not work when it was tried last."""
        return self._outages[part].out

    def due(self, part: Part) -> bool:
        """Whether it may be tried now."""
        return self._outages[part].due(self._clock.now())

    def wait_seconds(self, part: Part) -> float:
        """How long to wait before the next try."""
        return self._outages[part].wait_seconds

    def _room_held(self) -> bool:
        try:
            self.hold_room()
        except OSError:
            return False
        return True

    def _tell(self, state: str, reason: str, remedy: str) -> None:
        at = records.rfc3339(self._clock.wall())
        self._note(
            records.Status(stream=self._stream, at=at, subject=SUBJECT, state=state, reason=reason, remedy=remedy)
        )
