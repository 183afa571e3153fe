"""Flux in the whole daemon, against a server of a few lines.

The recogniser is a toy: each burst of sound is a word. It tells something with each quarter of a second of audio, ends
a turn after three seconds of quiet or when it is told to, and drops an open turn when the stream is closed.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import trio

from fakes.connection import FakeConnection
from fakes.house import LOUD, PERIOD_SECONDS, RATE, WORD_SECONDS, House, hush, talk
from stenod.core.timeline import State
from stenod.core.transport import Frame
from stenod.providers.deepgram_flux import DeepgramFlux, DeepgramFluxOptions
from stenod.tasks.hush import QuietPolicy

GRAIN_SECONDS = 0.1
"""How exactly the toy tells where a word begins."""
TURN_SECONDS = 3.0


class Server(FakeConnection):
    """One connection. `breaks_after` seconds of audio it is gone; the end of turn `loses` never arrives."""

    def __init__(self, name: str, *, breaks_after: float | None = None, loses: int | None = None) -> None:
        super().__init__()
        self._breaks_after, self._loses = breaks_after, loses
        self.samples = self._number = self._turn = 0
        self._loud_at = 0
        self._loud = False
        self._words: list[dict[str, Any]] = []
        self._taken_at = trio.current_time()
        self._tell({"type": "Connected", "request_id": name})

    def heard(self, frame: Frame) -> None:
        """Take what the client says."""
        self._takes()
        if isinstance(frame, bytes):
            assert 0.02 * RATE <= len(frame) // 2 <= 0.25 * RATE
            samples = np.frombuffer(frame, dtype="<i2")
            for piece in np.array_split(samples, max(1, len(samples) // (RATE // 10))):
                self._listen(piece)
            if self._breaks_after is not None and self.samples > self._breaks_after * RATE:
                self.end("the network", 1006)
        elif json.loads(frame) == {"type": "ForceEndTurn"}:
            self._end_turn()
        else:
            assert json.loads(frame) == {"type": "CloseStream"}
            self.end("", 1005)

    async def ping(self) -> None:
        """Answer."""
        self._takes()
        await super().ping()

    def _takes(self) -> None:
        """Without audio and without a ping for 20 s, the service may end the session."""
        assert trio.current_time() - self._taken_at < 20.0
        self._taken_at = trio.current_time()

    def _listen(self, samples: np.ndarray) -> None:
        quarter = 4 * self.samples // RATE
        loud = float(np.sqrt(np.mean(samples.astype(float) ** 2))) > LOUD
        if loud and not self._loud:
            start = self.samples / RATE
            self._words.append({"word": "w", "start": start, "end": start + WORD_SECONDS, "confidence": 0.9})
        self.samples += len(samples)
        self._loud = loud
        self._loud_at = self.samples if loud else self._loud_at
        if 4 * self.samples // RATE > quarter:
            self._tell(self._info("Update"))
        if self.samples - self._loud_at > TURN_SECONDS * RATE:
            self._end_turn()

    def _end_turn(self) -> None:
        if not self._words:
            return
        message = self._info("EndOfTurn")
        if self._turn == self._loses:
            self._number += 1
        else:
            self._tell(message)
        self._turn, self._words = self._turn + 1, []

    def _info(self, event: str) -> dict[str, Any]:
        return {
            "type": "TurnInfo",
            "event": event,
            "turn_index": self._turn,
            "audio_window_start": 0.0,
            "audio_window_end": self.samples / RATE,
            "transcript": " ".join(word["word"] for word in self._words),
            "words": self._words,
        }

    def _tell(self, message: Mapping[str, Any]) -> None:
        self.say(json.dumps({**message, "sequence_id": self._number}))
        self._number += 1


class Service:
    """The server's connections, each with its own fault."""

    def __init__(self, *faults: dict[str, Any]) -> None:
        self.servers: list[Server] = []
        self._faults = list(faults)

    def __call__(self, _nursery: trio.Nursery, url: str, headers: tuple[tuple[str, str], ...]) -> Server:
        assert url.startswith(
            "wss://api.deepgram.com/v2/listen?encoding=linear16&sample_rate=8000&model=flux-general-en"
        )
        assert (("Authorization", "Token crumb"),) == headers
        fault = self._faults.pop(0) if self._faults else {}
        self.servers.append(Server(f"r{len(self.servers)}", **fault))
        return self.servers[-1]


def house(service: Service, sounds: list[bytes], policy: QuietPolicy = QuietPolicy.SEND) -> House:
    """Return a daemon that uses the service."""
    return House(DeepgramFlux(DeepgramFluxOptions()), service, sounds, policy)


def spoken(*spans: tuple[int, int]) -> list[Any]:
    """Return where words were spoken."""
    return [pytest.approx(at, abs=GRAIN_SECONDS) for start, end in spans for at in range(start, end, PERIOD_SECONDS)]


async def test_speech_over_a_connection_that_breaks(autojump_clock: trio.abc.Clock) -> None:
    """Every sample is accounted for, every word comes once and where it was spoken, the last one too."""
    service = Service({"breaks_after": 31.3}, {"breaks_after": 22.0})
    home = house(service, [*talk(60), *hush(20), *talk(14)])
    await home.run()
    assert {State.TRANSCRIBED} == {one.state for one in home.journal.settled()}
    assert [] == home.journal.pending(0, home.journal.tail)
    assert spoken((0, 60), (80, 94)) == home.starts
    assert ["connection-lost", "connection-lost", "ended-as-asked"] == home.ends
    assert ["r0", "r1", "r2"] == [line["provider_session"] for line in home.log.of("session.opened")]
    assert '{"type":"CloseStream"}' == service.servers[-1].texts[-1]


async def test_an_end_of_a_turn_is_lost(autojump_clock: trio.abc.Clock) -> None:
    """Nothing of that session is believed any more, the next one hears it again, and no word is doubled."""
    service = Service({"loses": 1})
    home = house(service, [*talk(10), *hush(10), *talk(10), *hush(10), *talk(10), *hush(10), *talk(10), *hush(5)])
    await home.run()
    assert spoken((0, 10), (20, 30), (40, 50), (60, 70)) == home.starts
    assert [] == home.journal.pending(0, home.journal.tail)
    assert ["ended-as-asked", "ended-as-asked"] == home.ends


@pytest.mark.parametrize("policy", [QuietPolicy.PAUSE, QuietPolicy.PARK])
async def test_silence_is_not_sent(autojump_clock: trio.abc.Clock, policy: QuietPolicy) -> None:
    """Two quiet minutes in which pings hold the session, or there is none; later words stand where they were said."""
    service = Service()
    home = house(service, [*talk(20), *hush(120), *talk(20)], policy)
    await home.run()
    assert spoken((0, 20), (140, 160)) == home.starts
    assert {State.TRANSCRIBED, State.QUIET} == {one.state for one in home.journal.settled()}
    assert [] == home.journal.pending(0, home.journal.tail)
    assert {"ended-as-asked"} == set(home.ends)
    behind = 5 if policy is QuietPolicy.PAUSE else 60
    assert sum(server.samples for server in service.servers) / RATE < 40 + behind + 10
