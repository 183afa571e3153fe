"""A real `stenod emulate` process for tests, and its log: the truth that a transcript is held against."""

import json
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio
from daemon import PROGRAM, RATE, Spoken, Stenod, environment_in, stenod

from stenod.emulator.oracle import synthesize, words_between

KEY = "a-key-for-tests-6f1d2c"
TIME_SECONDS_MAX = 0.06
"""How far a word's time may be off: a block of the oracle is 20 ms, and a wrong sent map is off by much more."""
START_SECONDS_MAX = 60.0
ANY_KEY = {"ASSEMBLYAI_API_KEY": KEY, "DEEPGRAM_API_KEY": KEY}


@dataclass(slots=True)
class Emulator:
    """A running server."""

    url: str
    port: int
    process: trio.Process
    log_path: Path

    @property
    def log(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The log's records of one type."""
        return [record for record in self.log if record["type"] == kind]

    def at(self, kind: str) -> list[float]:
        """When each record of one type was made, in seconds since the server's start."""
        return [record["at"] for record in self.of(kind)]

    async def stop(self) -> None:
        """End it as a person does; its log is complete then."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        with trio.fail_after(10):
            await self.process.wait()

    async def until(self, kind: str, count: int = 1, seconds: float = 30.0) -> None:
        """Return when it has logged so many records of one type."""
        with trio.fail_after(seconds):
            while len(self.of(kind)) < count:  # noqa: ASYNC110 - a file tells nobody that it grew
                await trio.sleep(0.02)


@asynccontextmanager
async def emulator(
    place: Path,
    *arguments: str,
    faults: str = "",
    engine: str = "oracle",
    port: int = 0,
    through: Sequence[str] = (),
) -> AsyncIterator[Emulator]:
    """Run `stenod emulate` with its files in `place`; leaving ends it. `faults` is the text of a faults file.

    `through`: the words of a program that runs it elsewhere.
    """
    log_path = _folder(place, faults) / "truth.jsonl"
    words = ["emulate", "--engine", engine, "--port", str(port), "--log", str(log_path)]
    words += ["--faults", str(place / "faults.toml"), *arguments]
    start = partial(
        trio.run_process,
        [*through, PROGRAM, *words],
        env=environment_in(place),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        deliver_cancel=_kill,
    )
    async with trio.open_nursery() as nursery:
        process = await nursery.start(start)
        said = b""
        with trio.fail_after(START_SECONDS_MAX):
            while not said.endswith(b"\n"):
                data = await process.stderr.receive_some()
                assert data, f"the emulator ended: {said.decode()}"
                said += data
        nursery.start_soon(_drain, process.stderr)
        url = said.decode().split()[-1]
        try:
            yield Emulator(url, int(url.split(":")[2].split("/")[0]), process, log_path)
        finally:
            nursery.cancel_scope.cancel()


def _folder(place: Path, faults: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    (place / "faults.toml").write_text(faults)
    return place


async def _kill(process: trio.Process) -> None:
    process.kill()


async def _drain(stream: trio.abc.ReceiveStream) -> None:
    async for _ in stream:
        pass


def fault(**fields: object) -> str:
    """Return one table of a faults file."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
    return "\n".join(["[[fault]]", *lines, ""])


def talk(
    place: Path, server: Emulator, *arguments: str, provider: str = "assemblyai", **environment: str
) -> AbstractAsyncContextManager[Stenod]:
    """Return a running stenod that listens to its standard input and speaks to the server, as the provider's client."""
    words = ("run", "--input", "-", "--provider", provider, "--endpoint", f"ws://127.0.0.1:{server.port}", *arguments)
    return stenod(place, *words, stdin=subprocess.PIPE, **(ANY_KEY | environment))


def speech(seconds: float, start: float = 0.0) -> bytes:
    """Return the oracle's dialogue as s16le at 16 kHz."""
    return bytes(synthesize(round(start * RATE), round(seconds * RATE)).astype("<i2").tobytes())


def truth(seconds: float, start: float = 0.0) -> list[Spoken]:
    """Return the words that are whole in that stretch, with times counted from its beginning."""
    first, last = round(start * RATE), round((start + seconds) * RATE)
    return [
        Spoken(text, (begin - first) / RATE, (end - first) / RATE)
        for text, begin, end in words_between(first, last)
        if first <= begin and end <= last
    ]


def quiet_end(seconds: float) -> float:
    """Return the last moment before `seconds` (from 2 s before on) that lies in no word, in steps of a block."""
    spoken = words_between(round((seconds - 2) * RATE), round(seconds * RATE))
    moment = round(seconds * RATE)
    while any(begin < moment < end for _, begin, end in spoken):
        moment -= RATE // 50
    return moment / RATE


def check_words(printed: list[Spoken], seconds: float) -> None:
    """Hold printed words to the truth: each once, at its time; lines that are late come out of order."""
    expected = truth(seconds)
    printed = sorted(printed, key=lambda word: (word.start, word.end))
    told, once = Counter(word.text for word in printed), Counter(word.text for word in expected)
    assert not once - told, f"missing: {sorted(once - told)} of {printed}"
    assert not told - once, f"once too often: {sorted(told - once)} in {printed}"
    assert [word.text for word in expected] == [word.text for word in printed]
    off = max(max(abs(a.start - b.start), abs(a.end - b.end)) for a, b in zip(expected, printed, strict=True))
    assert off <= TIME_SECONDS_MAX, f"a time is {off:.3f} s off"


def check_heard(server: Emulator, seconds: float, *, exact: bool = True) -> None:
    """Hold the server's log to what was said: it heard each word whole, every sample exactly as it was."""
    heard = [one for one in server.of("heard") if one["kind"] == "oracle"]
    assert not exact or all(one.get("exact") for one in heard)
    for word in truth(seconds):
        begin, end = round(word.start * RATE), round(word.end * RATE)
        assert any(one.get("start", 0) <= begin and end <= one["end"] for one in heard), word
    assert [] == server.of("failed")


def check_order(daemon: Stenod) -> None:
    """Live lines come in time order, and so do those of each late session."""
    finals = daemon.of("final")
    lanes = {final["session"] if final["late"] else "" for final in finals}
    for lane in lanes:
        starts = [final["start"] for final in finals if lane == (final["session"] if final["late"] else "")]
        assert starts == sorted(starts), lane


def check_finals(daemon: Stenod, server: Emulator) -> None:
    """Each printed final is one that the server said in that session; at a seam, some of its words in their order.

    Deepgram says pieces of turns.
    """
    ids = {one["session"]: one["id"] for one in server.of("opened")}
    said: dict[str, list[str]] = {}
    for final in server.of("final"):
        said.setdefault(ids[final["session"]], []).append(final["text"])
    names = {one["session"]: one["provider_session"] for one in daemon.of("session") if one["event"] == "ready"}
    for final in daemon.of("final"):
        words = final["text"].casefold().rstrip(".").split()
        texts = said[names[final["session"]]]
        whole = [" ".join(texts)] if final["provider"] == "deepgram" else texts
        turns = [iter(text.split()) for text in whole]
        assert any(all(word in turn for word in words) for turn in turns), final
