"""AssemblyAI's v2 in the whole daemon, against a server of a few lines that keeps to the rules that end sessions.

The recogniser is a toy: each burst of sound is a word, 0.7 s of quiet end an utterance, and while nobody speaks a
partial says how far it has come. Too short or too long a message, more than a second of audio a second over a minute,
a minute without audio: each ends the session, with its code.
"""

import base64
import json
from collections import deque
from typing import Any

import numpy as np
import pytest
import trio

from fakes.connection import FakeConnection
from fakes.house import LOUD, PERIOD_SECONDS, RATE, WORD_SECONDS, House, hush, talk
from stenod.core.timeline import State
from stenod.core.transport import Frame
from stenod.providers.assemblyai_v2 import AssemblyAIV2, AssemblyAIV2Options
from stenod.tasks.hush import QuietPolicy

GRAIN_SECONDS = 0.1
"""How exactly the toy tells where a word begins."""
UTTERANCE_SECONDS = 0.7
WINDOW_SECONDS = 60.0


class Server(FakeConnection):
    """One connection; after `breaks_after` seconds of audio it is gone."""

    def __init__(self, name: str, nursery: trio.Nursery, breaks_after: float | None) -> None:
        super().__init__()
        self._breaks_after = breaks_after
        self.samples = self._loud_at = 0
        self._loud = False
        self._words: list[dict[str, Any]] = []
        self._taken: deque[tuple[float, float]] = deque()
        self._taken_at = trio.current_time()
        self._tell("SessionBegins", session_id=name, expires_at="2030-01-01T00:00:00.000000")
        nursery.start_soon(self._watch)

    def heard(self, frame: Frame) -> None:
        """Take what the client says."""
        assert isinstance(frame, str)
        fields = json.loads(frame)
        if "audio_data" in fields:
            self._audio(np.frombuffer(base64.b64decode(fields["audio_data"]), dtype="<i2"))
        elif fields == {"force_end_utterance": True}:
            self._final()
        else:
            assert fields == {"terminate_session": True}
            self._final()
            self._tell("SessionInformation", audio_duration_seconds=self.samples / RATE)
            self._tell("SessionTerminated")

    def _audio(self, samples: np.ndarray) -> None:
        now, seconds = trio.current_time(), len(samples) / RATE
        self._taken_at = now
        self._taken.append((now, seconds))
        while self._taken[0][0] < now - WINDOW_SECONDS:
            self._taken.popleft()
        if not 0.1 <= seconds <= 2.0:
            self.end("Audio duration is too short", 4032)
        elif sum(one for _, one in self._taken) > WINDOW_SECONDS + 2.0:
            self.end("Client sent audio too fast", 4029)
        for piece in np.array_split(samples, max(1, len(samples) // (RATE // 10))):
            self._listen(piece)
        if self._breaks_after is not None and self.samples > self._breaks_after * RATE:
            self.end("the network", 1006)

    def _listen(self, samples: np.ndarray) -> None:
        half = 2 * self.samples // RATE
        loud = float(np.sqrt(np.mean(samples.astype(float) ** 2))) > LOUD
        if loud and not self._loud:
            start = round(1000 * self.samples / RATE)
            self._words.append({"text": "w", "start": start, "end": start + round(1000 * WORD_SECONDS)})
        self.samples += len(samples)
        self._loud = loud
        self._loud_at = self.samples if loud else self._loud_at
        if 2 * self.samples // RATE > half:
            self._transcript("PartialTranscript")
        if self._words and self.samples - self._loud_at > UTTERANCE_SECONDS * RATE:
            self._final()

    def _final(self) -> None:
        self._transcript("FinalTranscript")
        self._words = []

    def _transcript(self, kind: str) -> None:
        said = " ".join(word["text"] for word in self._words)
        start = self._words[0]["start"] if self._words else 0
        self._tell(kind, audio_start=start, audio_end=1000 * self.samples // RATE, text=said, words=self._words)

    def _tell(self, kind: str, **fields: Any) -> None:
        self.say(json.dumps({"message_type": kind, **fields}))

    async def _watch(self) -> None:
        while self.closed_at is None:
            await trio.sleep(1.0)
            if trio.current_time() - self._taken_at > 60.0:
                self.end("Session idle for too long", 4031)


class Service:
    """The server's connections. `breaks`: after how much audio each of them breaks."""

    def __init__(self, *breaks: float) -> None:
        self.servers: list[Server] = []
        self._breaks = list(breaks)

    def __call__(self, nursery: trio.Nursery, url: str, headers: tuple[tuple[str, str], ...]) -> Server:
        assert url.startswith("wss://asr.example/v2/realtime/ws?sample_rate=8000&encoding=pcm_s16le")
        assert (("Authorization", "crumb"),) == headers
        self.servers.append(Server(f"r{len(self.servers)}", nursery, self._breaks.pop(0) if self._breaks else None))
        return self.servers[-1]


def house(service: Service, sounds: list[bytes], policy: QuietPolicy = QuietPolicy.SEND) -> House:
    """Return a daemon that uses the service."""
    return House(AssemblyAIV2(AssemblyAIV2Options(endpoint="wss://asr.example")), service, sounds, policy)


def spoken(*spans: tuple[int, int]) -> list[Any]:
    """Return where words were spoken."""
    return [pytest.approx(at, abs=GRAIN_SECONDS) for start, end in spans for at in range(start, end, PERIOD_SECONDS)]


async def test_speech_over_connections_that_break(autojump_clock: trio.abc.Clock) -> None:
    """Every sample is accounted for, every word comes once, and no session is ended for its speed."""
    home = house(Service(61.3, 72.0), [*talk(160), *hush(20), *talk(14)])
    await home.run()
    assert {State.TRANSCRIBED} == {one.state for one in home.journal.settled()}
    assert [] == home.journal.pending(0, home.journal.tail)
    assert spoken((0, 160), (180, 194)) == home.starts
    assert ["connection-lost", "connection-lost", "ended-as-asked"] == home.ends
    assert ["r0", "r1", "r2"] == [line["provider_session"] for line in home.log.of("session.opened")]


async def test_a_pause_holds_the_session(autojump_clock: trio.abc.Clock) -> None:
    """Four quiet minutes: a little silence every 20 s is audio enough; later words stand where they were said."""
    service = Service()
    home = house(service, [*talk(20), *hush(240), *talk(20)], QuietPolicy.PAUSE)
    await home.run()
    assert ["ended-as-asked"] == home.ends
    assert spoken((0, 20), (260, 280)) == home.starts
    assert [] == home.journal.pending(0, home.journal.tail)
    assert 45.0 + 240 / 22 * 0.3 < service.servers[0].samples / RATE < 60.0
