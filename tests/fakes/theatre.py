"""Sessions and supervisor as in the daemon, before a toy provider and a journal in memory."""

from random import Random
from typing import Any

import trio

from fakes.clock import FakeClock
from fakes.connection import fetch_nothing
from fakes.dialect import Behaviour, ToyDialect, ToyServer
from fakes.journal import Disk
from fakes.log import FakeLog
from fakes.source import quiet, speech
from stenod.core.backoff import Backoff, OpeningBudget
from stenod.core.timeline import State
from stenod.edge.retry import until_open
from stenod.providers.base import Limits
from stenod.tasks.provider import Provider
from stenod.tasks.roster import Roster
from stenod.tasks.session_options import SessionOptions
from stenod.tasks.sessions import Fatal, Sessions
from stenod.tasks.supervisor import Supervisor, SupervisorOptions
from stenod.tasks.transcript import Transcript

KEY = "sk-secret"


class Theatre:
    """`limit_seconds` is the provider's session limit; the other arguments are the supervisor's.

    `beside`: another stream of the same process, with the same provider.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        *behaviours: Behaviour,
        live: bool = True,
        hold: bool = False,
        limit_seconds: float | None = None,
        margin_seconds: float = 20.0,
        per_minute: float = 10.0,
        disk: Disk | None = None,
        transcribes: bool = True,
        beside: "Theatre | None" = None,
    ) -> None:
        self.clock = FakeClock()
        self.log = FakeLog()
        self.disk = disk or Disk()
        self.journal = self.disk.journal(self.clock)
        self.server = ToyServer(nursery, *behaviours) if beside is None else beside.server
        limits = Limits(
            chunk_seconds_min=0.05, chunk_seconds_max=1.0, drain_seconds_max=6.0, session_seconds_max=limit_seconds
        )
        self.provider = (
            Provider(
                dialect=ToyDialect(limits=limits),
                key=KEY,
                backoff=Backoff(Random(7)),
                budget=OpeningBudget(per_minute),
                rate_ratio_max=1.25,
            )
            if beside is None
            else beside.provider
        )
        self.transcript = Transcript(self.journal)
        if transcribes:
            nursery.start_soon(self.transcript.run)
        self.sessions = Sessions(
            provider=self.provider,
            journal=self.journal,
            transcript=self.transcript,
            options=SessionOptions(),
            clock=self.clock,
            connect=self.server.connect,
            fetch=fetch_nothing,
            until_open=until_open,
            log=self.log,
        )
        self.roster = Roster([self.sessions], clock=self.clock, log=self.log)
        self.supervisor = Supervisor(
            journal=self.journal,
            roster=self.roster,
            options=SupervisorOptions(hold=hold, margin_seconds=margin_seconds),
            clock=self.clock,
            log=self.log,
            live=live,
            relieved=lambda: self.relieved_at.append(trio.current_time()),
        )
        self.relieved_at: list[float] = []
        self.outcome: Fatal | None = None
        self.returned_at: float | None = None
        self.returned = trio.Event()
        self.recorded = 0

    async def record(self, seconds: float, *, talk: float = 2.0, pause: float = 0.5) -> None:
        """Let a microphone record for so long, talking and pausing."""
        for _ in range(round(seconds * 10)):
            await trio.sleep(0.1)
            at = self.journal.tail
            talking = at / 1000 % (talk + pause) < talk
            self.journal.append(speech(at, 100) if talking else quiet(100))
            self.recorded += 100

    async def play(self, seconds: float, **rest: float) -> None:
        """Record, and then end the source."""
        await self.record(seconds, **rest)
        self.journal.finish()

    async def supervise(self) -> None:
        """Run the supervisor to its end."""
        self.outcome = await self.supervisor.run()
        self.returned_at = trio.current_time()
        self.returned.set()

    def states(self, subject: str = "provider") -> list[str]:
        """Return what the status records say."""
        return [line["state"] for line in self.disk.lines("status") if line["subject"] == subject]

    @property
    def finals(self) -> list[dict[str, Any]]:
        """The finals of the outbox, in order."""
        return self.disk.lines("final")

    def check_all_transcribed(self) -> None:
        """Every sample is settled as transcribed, each was sent, and the lines are in order."""
        assert self.journal.pending(0, self.journal.tail) == []
        assert {State.TRANSCRIBED} == {one.state for one in self.journal.settled()}
        prompt = [line["start"] for line in self.finals if not line["late"]]
        assert prompt == sorted(prompt)

    def check_server(self, limit_seconds: float | None = None) -> None:
        """Every connection was ended in order, once, and none was open beyond its limit."""
        for session in self.server.sessions:
            assert session.closed_at is not None
            if session.behaviour.ends_after is None and session.behaviour.error is None:
                assert session.bye_at is not None, session.index
            if limit_seconds is not None:
                assert session.closed_at - session.opened_at <= limit_seconds
