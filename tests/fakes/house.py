"""The whole daemon with one provider, and a room with a word every other second; times are virtual.

It knows no protocol: a test brings the dialect and the server's side of a connection.
"""

from collections.abc import Callable
from random import Random

import trio

from fakes.connection import FakeConnection, fetch_nothing
from fakes.journal import Disk
from fakes.log import FakeLog
from fakes.source import ScriptedSource, block, quiet, speech
from fakes.world import CollectedOutput, SilentNotifier, VirtualClock, no_signals
from stenod.app import Daemon
from stenod.core.backoff import Backoff, OpeningBudget
from stenod.edge.resampling import Converter
from stenod.edge.retry import until_open
from stenod.providers.base import Dialect
from stenod.stream import Parts, Stream
from stenod.tasks.capture import Capture
from stenod.tasks.hush import Hush, QuietOptions, QuietPolicy
from stenod.tasks.printer import Printer
from stenod.tasks.provider import Provider
from stenod.tasks.roster import Roster
from stenod.tasks.session_options import SessionOptions
from stenod.tasks.sessions import Sessions
from stenod.tasks.supervisor import Supervisor, SupervisorOptions
from stenod.tasks.transcript import Transcript

RATE = 8000
WORD_SECONDS = 0.5
PERIOD_SECONDS = 2
LOUD = 500.0
"""Louder than a quiet block of the fakes, quieter than their speech."""

Serve = Callable[[trio.Nursery, str, tuple[tuple[str, str], ...]], FakeConnection]
"""(nursery, URL, headers) to the server's side of a new connection."""


class House:
    """The daemon, what it prints and what it logs."""

    def __init__(self, dialect: Dialect, serve: Serve, sounds: list[bytes], policy: QuietPolicy) -> None:
        self.clock, self.log, self.output = VirtualClock(), FakeLog(), CollectedOutput(0.0)
        self.journal = Disk(RATE).journal(log=self.log)
        self._dialect = dialect
        self._serve = serve
        steps = [step for sound in sounds for step in (block(sound, rate=RATE), len(sound) / 2 / RATE)]
        self._source = ScriptedSource([steps], ends=True)
        self._hush = Hush(self.journal, QuietOptions(policy=policy))

    async def run(self) -> None:
        """Run it to its end."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            with trio.fail_after(3600.0):
                stream = Stream(self._parts())
                daemon = Daemon([stream], notifier=SilentNotifier(), log=self.log, signals=no_signals)
                assert 0 == (await daemon.run()).exit_code
            nursery.cancel_scope.cancel()

    @property
    def starts(self) -> list[float]:
        """Where the words that were printed begin."""
        return [word["start"] for line in self.output.of("final") for word in line["words"]]

    @property
    def ends(self) -> list[str]:
        """How the sessions ended."""
        return [line["rule"] for line in self.log.of("session.ended")]

    async def _connect(
        self, nursery: trio.Nursery, url: str, headers: tuple[tuple[str, str], ...], *, seconds: float
    ) -> FakeConnection:
        return self._serve(self._nursery, url, headers)

    def _parts(self) -> Parts:
        journal, clock, log = self.journal, self.clock, self.log
        transcript = Transcript(journal)
        provider = Provider(
            dialect=self._dialect,
            key="crumb",
            backoff=Backoff(Random(7)),
            budget=OpeningBudget(10.0),
            rate_ratio_max=1.25,
        )
        sessions = Sessions(
            provider=provider,
            journal=journal,
            transcript=transcript,
            options=SessionOptions(),
            clock=clock,
            connect=self._connect,
            fetch=fetch_nothing,
            until_open=until_open,
            log=log,
            hush=self._hush,
        )
        supervisor = Supervisor(
            journal=journal,
            roster=Roster([sessions], clock=clock, log=log),
            options=SupervisorOptions(),
            clock=clock,
            log=log,
            live=True,
            hush=self._hush,
        )
        return Parts(
            journal=journal,
            capture=Capture(source=self._source, journal=journal, converter=Converter, clock=clock, log=log),
            transcript=transcript,
            printer=Printer(journal, self.output),
            supervisor=supervisor,
            clock=clock,
            log=log,
            drain_seconds=10.0,
        )


def talk(seconds: int) -> list[bytes]:
    """Return blocks with a word at the beginning of every other second."""
    sound = speech(0, round(WORD_SECONDS * RATE)) + quiet(round((PERIOD_SECONDS - WORD_SECONDS) * RATE))
    step = RATE // 10 * 2
    return [sound[at : at + step] for _ in range(seconds // PERIOD_SECONDS) for at in range(0, len(sound), step)]


def hush(seconds: int) -> list[bytes]:
    """Return blocks of a quiet room."""
    return [quiet(RATE // 10)] * (seconds * 10)
