"""Deepgram in the whole daemon, against a server of a few lines that keeps to the rules that end sessions.

The recogniser is a toy: each burst of sound is a word, of which interims tell first. Three seconds are a final, and
quiet at its end is a pause. The server ends a session that sends it nothing for 10 s, or to which it had nothing to say
for 10 s at the beginning and for 30 s later, as the service does: KeepAlive helps against the first only.
"""

import json
from random import Random
from typing import Any

import numpy as np
import pytest
import trio

from fakes.connection import FakeConnection
from fakes.journal import Disk
from fakes.log import FakeLog
from fakes.source import ScriptedSource, block, quiet, speech
from fakes.world import CollectedOutput, SilentNotifier, VirtualClock, no_signals
from stenod.app import Daemon, Parts
from stenod.core.backoff import Backoff, OpeningBudget
from stenod.core.timeline import State
from stenod.core.transport import Frame
from stenod.edge.resampling import Converter
from stenod.edge.retry import until_open
from stenod.providers.deepgram import Deepgram, DeepgramOptions
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
NET_0000 = "Deepgram did not provide a response message within the timeout window. See https://dpgr.am/net0000"
NET_0001 = (
    "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001"
)
WORD_SECONDS = 0.5
PERIOD_SECONDS = 2
GRAIN_SECONDS = 0.1
"""How exactly the toy tells where a word begins."""
LOUD = 500.0
"""Louder than a quiet block of the fakes, quieter than their speech."""


class Server(FakeConnection):
    """One connection; `breaks_after` seconds of audio it is gone without a word."""

    def __init__(self, name: str, nursery: trio.Nursery, breaks_after: float | None) -> None:
        super().__init__()
        self.headers = {"dg-request-id": name}
        self.breaks_after = breaks_after
        self.samples = self.done = 0
        self.words: list[dict[str, Any]] = []
        self.loud = False
        self.opened_at = self.taken_at = self.told_at = trio.current_time()
        self.told_any = False
        nursery.start_soon(self._watch)

    def heard(self, frame: Frame) -> None:
        """Take what the client says."""
        self.taken_at = trio.current_time()
        if isinstance(frame, bytes):
            assert frame, "an empty message ends the session"
            self._audio(np.frombuffer(frame, dtype="<i2"))
        elif frame == '{"type":"Finalize"}':
            self._results(final=True, finalized=True)
        elif frame == '{"type":"CloseStream"}':
            self._results(final=True)
            self._tell({"type": "Metadata", "sha256": "ab" * 32, "duration": self.samples / RATE, "channels": 1})
            self.end("", 1000)
        else:
            assert frame == '{"type":"KeepAlive"}'

    def _audio(self, samples: np.ndarray) -> None:
        for piece in np.array_split(samples, max(1, len(samples) // (RATE // 10))):
            self._listen(piece)
        if self.breaks_after is not None and self.samples > self.breaks_after * RATE:
            self.end("the network", 1006)

    def _listen(self, samples: np.ndarray) -> None:
        second = self.samples // RATE
        self.samples += len(samples)
        loud = float(np.sqrt(np.mean(samples.astype(float) ** 2))) > LOUD
        if loud and not self.loud:
            start = (self.samples - len(samples)) / RATE
            self.words.append({"word": "w", "start": start, "end": start + WORD_SECONDS})
        self.loud = loud
        if self.samples // RATE > second:
            final = self.samples - self.done >= 3 * RATE
            self._results(final=final, endpoint=final and not loud)

    def _results(self, *, final: bool, endpoint: bool = False, finalized: bool = False) -> None:
        start, end = self.done / RATE, self.samples / RATE
        listed = [word for word in self.words if not final or word["end"] <= end]
        if final:
            self.words, self.done = [word for word in self.words if word["end"] > end], self.samples
        transcript = " ".join(word["word"] for word in listed)
        message = {"type": "Results", "channel_index": [0, 1], "start": start, "duration": end - start}
        message |= {"is_final": final, "speech_final": endpoint, "from_finalize": finalized}
        self._tell(message | {"channel": {"alternatives": [{"transcript": transcript, "words": listed}]}})

    def _tell(self, message: dict[str, Any]) -> None:
        self.told_at, self.told_any = trio.current_time(), True
        self.say(json.dumps(message))

    async def _watch(self) -> None:
        while self.closed_at is None:
            await trio.sleep(0.5)
            now = trio.current_time()
            if now - self.taken_at > 10.0:
                self.end(NET_0001, 1011)
            elif now - self.told_at > (30.0 if self.told_any else 10.0):
                self.end(NET_0000 if self.told_any else NET_0001, 1011)


class House:
    """The daemon, and the connections that it made. `breaks`: after how much audio each of them breaks."""

    def __init__(self, sounds: list[bytes], policy: QuietPolicy, breaks: tuple[float, ...] = ()) -> None:
        self.servers: list[Server] = []
        self._breaks = list(breaks)
        self.clock, self.log, self.output = VirtualClock(), FakeLog(), CollectedOutput(0.0)
        self.journal = Disk(RATE).journal(log=self.log)
        steps = [step for sound in sounds for step in (block(sound, rate=RATE), len(sound) / 2 / RATE)]
        self._source = ScriptedSource([steps], ends=True)
        self._hush = Hush(self.journal, QuietOptions(policy=policy))

    async def run(self) -> None:
        """Run it to its end."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            with trio.fail_after(3600.0):
                assert 0 == (await Daemon(self._parts()).run()).exit_code
            nursery.cancel_scope.cancel()

    async def _connect(self, nursery: trio.Nursery, url: str, headers: object, *, seconds: float) -> Server:
        assert url.startswith("wss://api.deepgram.com/v1/listen?encoding=linear16&sample_rate=8000&")
        assert (("Authorization", "Token crumb"),) == headers
        breaks_after = self._breaks.pop(0) if self._breaks else None
        self.servers.append(Server(f"r{len(self.servers)}", self._nursery, breaks_after))
        return self.servers[-1]

    def _parts(self) -> Parts:
        journal, clock, log = self.journal, self.clock, self.log
        transcript = Transcript(journal)
        provider = Provider(
            dialect=Deepgram(DeepgramOptions()),
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
            until_open=until_open,
            log=log,
            hush=self._hush,
        )
        roster = Roster([sessions], clock=clock, log=log)
        supervisor = Supervisor(
            journal=journal,
            roster=roster,
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
            notifier=SilentNotifier(),
            clock=clock,
            log=log,
            drain_seconds=10.0,
            signals=no_signals,
        )


def talk(seconds: int) -> list[bytes]:
    """Return blocks with a word at the beginning of every other second."""
    sound = speech(0, round(WORD_SECONDS * RATE)) + quiet(round((PERIOD_SECONDS - WORD_SECONDS) * RATE))
    step = RATE // 10 * 2
    return [sound[at : at + step] for _ in range(seconds // PERIOD_SECONDS) for at in range(0, len(sound), step)]


def hush(seconds: int) -> list[bytes]:
    """Return blocks of a quiet room."""
    return [quiet(RATE // 10)] * (seconds * 10)


def starts(house: House) -> list[float]:
    """Return where the words that were printed begin."""
    return [word["start"] for line in house.output.of("final") for word in line["words"]]


async def test_speech_over_a_connection_that_breaks(autojump_clock: trio.abc.Clock) -> None:
    """Every sample is accounted for, every word comes once and where it was spoken, the last one too."""
    house = House([*talk(60), *hush(20), *talk(7 * PERIOD_SECONDS)], QuietPolicy.SEND, breaks=(31.3, 22.0))
    await house.run()
    assert {State.TRANSCRIBED} == {one.state for one in house.journal.settled()}
    assert [] == house.journal.pending(0, house.journal.tail)
    expected = [*range(0, 60, PERIOD_SECONDS), *range(80, 94, PERIOD_SECONDS)]
    assert expected == [pytest.approx(start, abs=GRAIN_SECONDS) for start in starts(house)]
    assert ["connection-lost", "connection-lost", "ended-as-asked"] == [
        line["rule"] for line in house.log.of("session.ended")
    ]
    assert ["r0", "r1", "r2"] == [line["provider_session"] for line in house.log.of("session.opened")]
    assert '{"type":"CloseStream"}' == house.servers[-1].texts[-1]


@pytest.mark.parametrize("breaks", [(), (26.5,)])
async def test_a_pause_holds_the_session(autojump_clock: trio.abc.Clock, breaks: tuple[float, ...]) -> None:
    """Ten quiet minutes: the server ends nothing, since it is told that we are there and given something to answer, as
    is a session that is opened when nobody speaks. It costs little, and later words stand where they were said.
    """
    house = House([*talk(20), *hush(600), *talk(20)], QuietPolicy.PAUSE, breaks)
    await house.run()
    ends = [line["rule"] for line in house.log.of("session.ended")]
    assert [*("connection-lost" for _ in breaks), "ended-as-asked"] == ends
    expected = [*range(0, 20, PERIOD_SECONDS), *range(620, 640, PERIOD_SECONDS)]
    assert expected == [pytest.approx(start, abs=GRAIN_SECONDS) for start in starts(house)]
    assert {State.TRANSCRIBED, State.QUIET} == {one.state for one in house.journal.settled()}
    assert [] == house.journal.pending(0, house.journal.tail)
    assert sum(server.texts.count('{"type":"KeepAlive"}') for server in house.servers) > 90
    sent = sum(server.samples for server in house.servers) / RATE
    assert 40.0 + 600 / 20 * 0.3 < sent < 50.0 + 600 / 20 * 1.5
