"""A provider is one file: here is one, with its server, in the whole daemon, and nothing else of it knows them.

The protocol is as unlike the others as it may be. The upgrade is the acceptance, and its headers name the session.
Lines of text come back: `word TURN START END TEXT`, `heard SECONDS`, `who?` (to be answered `me`, or it hangs up). The
goodbye is `so long`, and the only answer to it is the close, without a code.
"""

from collections.abc import Mapping, Sequence
from random import Random

import trio

from fakes.connection import FakeConnection, fetch_nothing
from fakes.journal import Disk
from fakes.log import FakeLog
from fakes.source import ScriptedSource, block, quiet, speech
from fakes.world import CollectedOutput, SilentNotifier, VirtualClock, no_signals
from stenod.app import Daemon
from stenod.core.backoff import Backoff, OpeningBudget
from stenod.core.timeline import State
from stenod.core.verdict import Rule, Severity, Verdict
from stenod.edge.resampling import Converter
from stenod.edge.retry import until_open
from stenod.providers.base import (
    Dialect,
    Event,
    Final,
    Finished,
    Frame,
    Heard,
    Limits,
    Notice,
    Ready,
    Request,
    Say,
    SpokenWord,
    Warned,
)
from stenod.providers.billing import FREE
from stenod.providers.standard_rules import STANDARD_RULES
from stenod.stream import Parts, Stream
from stenod.tasks.capture import Capture
from stenod.tasks.printer import Printer
from stenod.tasks.provider import Provider
from stenod.tasks.roster import Roster
from stenod.tasks.session_options import SessionOptions
from stenod.tasks.sessions import Sessions
from stenod.tasks.supervisor import Supervisor, SupervisorOptions
from stenod.tasks.transcript import Transcript

RATE = 1000
CROWDED = Rule(
    name="crowded",
    verdict=Verdict.BACKOFF,
    severity=Severity.WARNING,
    texts=("no perch is free",),
    meaning="Too many parrots.",
    remedy="Nothing: they come and go.",
)


class ParrotConversation:
    """One session: what the lines mean."""

    def __init__(self) -> None:
        self._asked = False

    def opened(self, headers: Mapping[str, str]) -> list[Event]:
        return [Ready(headers["parrot-name"])]

    def audio(self, pcm: bytes) -> Frame:
        return pcm

    def keepalive(self) -> Frame | None:
        return None

    def force_end(self) -> Frame | None:
        return None

    def goodbye(self, *, hurried: bool = False) -> Sequence[Frame]:
        self._asked = True
        return ("so long",)

    def receive(self, message: Frame, now: float) -> list[Event]:
        match str(message).split():
            case ["word", turn, start, end, text]:
                return [Final(int(turn), text, (SpokenWord(text, float(start), float(end)),))]
            case ["heard", seconds]:
                return [Heard(float(seconds))]
            case ["who?"]:
                return [Say("me")]
            case _:
                return [Notice("unknown")]

    def due(self, now: float) -> list[Event]:
        return []

    def deadline(self) -> float | None:
        return None

    def closed(self, *, clean: bool) -> list[Event]:
        return [Finished(complete=True)] if clean and self._asked else []

    def reconfigure(self, dialect: Dialect) -> Sequence[Frame] | None:
        return None

    def turn_open_since(self) -> float | None:
        return None


class Parrot:
    """The dialect."""

    name, rules, billing = "parrot", (CROWDED, *STANDARD_RULES), FREE
    limits = Limits(chunk_seconds_min=0.02, chunk_seconds_max=0.5, chunk_seconds=0.2)

    def request(self, *, key: str, rate: int) -> Request:
        return Request(url=f"wss://parrot/{rate}", headers=(("x-cracker", key),), public_url="wss://parrot")

    def conversation(self) -> ParrotConversation:
        return ParrotConversation()

    def errors(self) -> Sequence[Warned]:
        return ()

    def warnings(self) -> Sequence[Warned]:
        return ()


class Perch(FakeConnection):
    """The server's side: repeats a word for each second of sound, and goes after so many."""

    def __init__(self, name: str, words_max: int) -> None:
        super().__init__()
        self.headers = {"parrot-name": name}
        self.words_max = words_max
        self.words = self.samples = 0
        self.say("who?")

    def heard(self, frame: Frame) -> None:
        if isinstance(frame, bytes):
            self.samples += len(frame) // 2
            while self.samples >= (self.words + 1) * RATE and self.words < self.words_max:
                self.say(f"word {self.words} {self.words} {self.words + 0.9} polly", f"heard {self.words + 1}")
                self.words += 1
            if self.words == self.words_max:
                self.end("no perch is free", 4000)
        elif frame == "so long":
            self.end("", 1005)


async def test_a_provider_nobody_knows(autojump_clock: trio.abc.Clock) -> None:
    """Speech, quiet and a session that breaks: every sample is accounted for, every word comes once, its questions are
    answered, and all that the daemon knows of it is the dialect.
    """
    perches: list[Perch] = []

    async def connect(nursery: trio.Nursery, url: str, headers: object, *, seconds: float) -> Perch:
        assert ("wss://parrot/1000", (("x-cracker", "crumb"),)) == (url, headers)
        perches.append(Perch(f"polly{len(perches)}", words_max=20 if not perches else 10_000))
        return perches[-1]

    sounds = [block(speech(at, 100) if at < 60_000 else quiet(100)) for at in range(0, 90_000, 100)]
    source = ScriptedSource([[step for one in sounds for step in (one, 0.1)]], ends=True)
    clock, log, disk, output = VirtualClock(), FakeLog(), Disk(RATE), CollectedOutput(0.0)
    journal = disk.journal(log=log)
    transcript = Transcript(journal)
    provider = Provider(
        dialect=Parrot(), key="crumb", backoff=Backoff(Random(7)), budget=OpeningBudget(10.0), rate_ratio_max=1.25
    )
    sessions = Sessions(
        provider=provider,
        journal=journal,
        transcript=transcript,
        options=SessionOptions(),
        clock=clock,
        connect=connect,
        fetch=fetch_nothing,
        until_open=until_open,
        log=log,
    )
    supervisor = Supervisor(
        journal=journal,
        roster=Roster([sessions], clock=clock, log=log),
        options=SupervisorOptions(),
        clock=clock,
        log=log,
        live=True,
    )
    parts = Parts(
        journal=journal,
        capture=Capture(source=source, journal=journal, converter=Converter, clock=clock, log=log),
        transcript=transcript,
        printer=Printer(journal, output),
        supervisor=supervisor,
        clock=clock,
        log=log,
        drain_seconds=10.0,
    )
    daemon = Daemon([Stream(parts)], notifier=SilentNotifier(), log=log, signals=no_signals)
    with trio.fail_after(1000.0):
        assert 0 == (await daemon.run()).exit_code
    assert [] == journal.pending(0, journal.tail)
    assert {State.TRANSCRIBED} == {one.state for one in journal.settled()}
    assert ["crowded", "ended-as-asked"] == [line["rule"] for line in log.of("session.ended")]
    assert [["me"], ["me", "so long"]] == [perch.texts for perch in perches]
    assert ["polly0", "polly1"] == [line["provider_session"] for line in log.of("session.opened")]
    starts = [line["start"] for line in output.of("final")]
    assert len(starts) == len({round(start) for start in starts}) == 90
