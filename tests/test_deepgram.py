"""Deepgram in the whole daemon, against a server of a few lines that keeps to the rules that end sessions.

The recogniser is a toy: each burst of sound is a word, of which interims tell first. Three seconds are a final, and
quiet at its end is a pause. The server ends a session that sends it nothing for 10 s, or to which it had nothing to say
for 10 s at the beginning and for 30 s later, as the service does: KeepAlive helps against the first only.
"""

import json
from typing import Any

import numpy as np
import pytest
import trio

from fakes.connection import FakeConnection
from fakes.house import LOUD, PERIOD_SECONDS, RATE, WORD_SECONDS, House, hush, talk
from stenod.core.timeline import State
from stenod.core.transport import Frame
from stenod.providers.deepgram import Deepgram, DeepgramOptions
from stenod.tasks.hush import QuietPolicy

NET_0000 = "Deepgram did not provide a response message within the timeout window. See https://dpgr.am/net0000"
NET_0001 = (
    "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001"
)
GRAIN_SECONDS = 0.1
"""How exactly the toy tells where a word begins."""


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


class Service:
    """The server's connections. `breaks`: after how much audio each of them breaks."""

    def __init__(self, breaks: tuple[float, ...] = ()) -> None:
        self.servers: list[Server] = []
        self._breaks = list(breaks)

    def __call__(self, nursery: trio.Nursery, url: str, headers: tuple[tuple[str, str], ...]) -> Server:
        assert url.startswith("wss://api.deepgram.com/v1/listen?encoding=linear16&sample_rate=8000&")
        assert (("Authorization", "Token crumb"),) == headers
        breaks_after = self._breaks.pop(0) if self._breaks else None
        self.servers.append(Server(f"r{len(self.servers)}", nursery, breaks_after))
        return self.servers[-1]


async def test_speech_over_a_connection_that_breaks(autojump_clock: trio.abc.Clock) -> None:
    """Every sample is accounted for, every word comes once and where it was spoken, the last one too."""
    service = Service(breaks=(31.3, 22.0))
    sounds = [*talk(60), *hush(20), *talk(7 * PERIOD_SECONDS)]
    house = House(Deepgram(DeepgramOptions()), service, sounds, QuietPolicy.SEND)
    await house.run()
    assert {State.TRANSCRIBED} == {one.state for one in house.journal.settled()}
    assert [] == house.journal.pending(0, house.journal.tail)
    expected = [*range(0, 60, PERIOD_SECONDS), *range(80, 94, PERIOD_SECONDS)]
    assert expected == [pytest.approx(start, abs=GRAIN_SECONDS) for start in house.starts]
    assert ["connection-lost", "connection-lost", "ended-as-asked"] == house.ends
    assert ["r0", "r1", "r2"] == [line["provider_session"] for line in house.log.of("session.opened")]
    assert '{"type":"CloseStream"}' == service.servers[-1].texts[-1]


@pytest.mark.parametrize("breaks", [(), (26.5,)])
async def test_a_pause_holds_the_session(autojump_clock: trio.abc.Clock, breaks: tuple[float, ...]) -> None:
    """Ten quiet minutes: the server ends nothing, since it is told that we are there and given something to answer, as
    is a session that is opened when nobody speaks. It costs little, and later words stand where they were said.
    """
    service = Service(breaks)
    sounds = [*talk(20), *hush(600), *talk(20)]
    house = House(Deepgram(DeepgramOptions()), service, sounds, QuietPolicy.PAUSE)
    await house.run()
    assert [*("connection-lost" for _ in breaks), "ended-as-asked"] == house.ends
    expected = [*range(0, 20, PERIOD_SECONDS), *range(620, 640, PERIOD_SECONDS)]
    assert expected == [pytest.approx(start, abs=GRAIN_SECONDS) for start in house.starts]
    assert {State.TRANSCRIBED, State.QUIET} == {one.state for one in house.journal.settled()}
    assert [] == house.journal.pending(0, house.journal.tail)
    assert sum(server.texts.count('{"type":"KeepAlive"}') for server in service.servers) > 90
    sent = sum(server.samples for server in service.servers) / RATE
    assert 40.0 + 600 / 20 * 0.3 < sent < 50.0 + 600 / 20 * 1.5
