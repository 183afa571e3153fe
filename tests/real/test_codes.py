"""Every documented close, fed through a real socket: it is judged as `stenod codes` says, and that is acted on.

The tables are copied from the provider's page on errors and closures, as it is today and as it was in May 2025.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from daemon import PROGRAM, Stenod, environment_in, together
from server import Emulator, check_words, emulator, fault, quiet_end, speech, talk

pytestmark = [pytest.mark.real, pytest.mark.slow]

REOPENED_SECONDS_MAX = 0.8
"""A planned opening is at once; a retry has up to 0.25 s of jitter. The rest is a loaded machine's."""
BACKED_OFF_SECONDS = (0.75, 2.5)
TALK_SECONDS = 14.0


@dataclass(frozen=True, slots=True)
class Close:
    """One row of a page, when it strikes, and what it means to us."""

    code: int
    text: str
    verdict: str
    opening: bool = False
    exit_code: int = 0
    bare: bool = False
    """The close frame alone, with the code and no word."""

    @property
    def name(self) -> str:
        """Name the case."""
        return f"{self.code}-{'bare' if self.bare else self.text[:30].strip().replace(' ', '-')}"


TODAY = (
    Close(3008, "Session Expired: Maximum session duration exceeded", "reopen"),
    Close(3007, "Input duration violation: 20 ms. Expected between 50 and 1000 ms", "retry"),
    Close(3006, "Invalid Message Type: Hello", "fatal", exit_code=76),
    Close(3006, 'Invalid JSON: {"type"', "fatal", exit_code=76),
    Close(3006, "Invalid Message: []", "fatal", exit_code=76),
    Close(3006, "Session terminated due to inactivity: No messages received for 30 seconds", "reopen"),
    Close(3007, "Audio Transmission Rate Exceeded: Received 12.5 sec. audio in 10.0 sec", "retry"),
    Close(3005, "Session Cancelled: An error occurred", "backoff"),
    Close(3009, "Unauthorized Connection: Too many concurrent sessions", "backoff", opening=True),
    Close(1008, "Unauthorized Connection: Missing Authorization header", "fatal", opening=True, exit_code=77),
    Close(1008, "Unauthorized Connection: insufficient account balance", "fatal", opening=True, exit_code=77),
    Close(1008, "Unauthorized Connection: account temporarily disabled", "fatal", opening=True, exit_code=77),
    Close(1008, "Unauthorized Connection: a reason of its own", "fatal", opening=True, exit_code=77),
    Close(1011, "Internal error", "backoff", opening=True),
    Close(410, "Deprecated endpoint", "fatal", opening=True, exit_code=78),
)
MAY_2025 = (
    Close(3005, "Session Expired: Maximum session duration exceeded", "reopen"),
    Close(3005, "Input duration violation: 20 ms. Expected between 50 and 1000 ms", "retry"),
    Close(3005, "Audio Transmission Rate Exceeded: Received 12.5 sec. audio in 10.0 sec", "retry"),
    Close(3005, "Invalid Message Type: Hello", "fatal", exit_code=76),
    Close(1008, "Unauthorized Connection: Too many concurrent sessions", "backoff", opening=True),
    Close(1008, "Unauthorized Connection: Missing Authorization header", "fatal", opening=True, exit_code=77),
)
BARE = (
    Close(3005, "", "backoff", bare=True),
    Close(3006, "", "backoff", bare=True),
    Close(3007, "", "backoff", bare=True),
    Close(3008, "", "reopen", bare=True),
    Close(3009, "", "backoff", bare=True, opening=True),
    Close(1008, "", "backoff", bare=True, opening=True),
    Close(1011, "", "backoff", bare=True),
)
CLOSES = {f"{page}-{close.name}": close for page, of in (("new", TODAY), ("old", MAY_2025), ("", BARE)) for close in of}


def strike(close: Close) -> str:
    """Return the fault that feeds a close to the first attempt, or into the first session after six seconds."""
    moment = {"attempt": 0} if close.opening else {"audio": 6.0, "session": 0}
    if close.code < 1000:
        return fault(kind="status", status=close.code, text=close.text, **moment)
    return fault(kind="close" if close.bare else "error", code=close.code, text=close.text, **moment)


def explained(place: Path, *words: str) -> list[dict]:
    """Return what `stenod codes --json` answers."""
    done = subprocess.run(
        [PROGRAM, "codes", "--json", "--provider", "assemblyai", *words],
        env=environment_in(place),
        capture_output=True,
        check=True,
        timeout=30,
    )
    return json.loads(done.stdout)


def test_every_documented_code_is_in_the_table(tmp_path: Path) -> None:
    """The answer for machines has every code of both pages, each with all that it needs to be of use."""
    rows = explained(tmp_path)
    known = {code for row in rows for code in (*row["codes"], *row["statuses"])}
    assert {close.code for close in TODAY + MAY_2025} <= known
    for row in rows:
        assert {"reopen", "retry", "backoff", "fatal"} >= {row["verdict"]}
        assert {"normal", "warning", "error"} >= {row["severity"]}
        assert row["meaning"]
        assert row["remedy"]
        assert row["retry_safe"] == (row["verdict"] != "fatal")


@pytest.mark.parametrize("name", CLOSES)
@together
async def test_a_close_is_judged_as_told_and_acted_on(place: Path, name: str) -> None:
    """What may be tried again is, as soon as its verdict says, and no word is lost; what may not ends with its code."""
    close = CLOSES[name]
    told = await trio.to_thread.run_sync(explained, place, str(close.code), *close.text.split())
    seconds = quiet_end(TALK_SECONDS)
    async with emulator(place / "server", faults=strike(close)) as server, talk(place, server) as daemon:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.feed, speech(seconds))
            assert close.exit_code == await daemon.end(40)
            nursery.cancel_scope.cancel()
        check_acted(close, daemon, server)
        if close.exit_code == 0:
            check_words(daemon.words, seconds)
    ended = next(record for record in daemon.of("session") if record["event"] == "ended")
    assert (close.code, close.verdict) == (ended["code"], ended["verdict"])
    assert close.verdict in {row["verdict"] for row in told}
    if close.exit_code:
        assert any(row["remedy"] in "\n".join(daemon.sentences) for row in told), daemon.told


def check_acted(close: Close, daemon: Stenod, server: Emulator) -> None:
    """Hold the time until the next attempt, by the server's own clock, to the verdict."""
    tried = server.at("attempt")
    if close.verdict == "fatal":
        assert 1 == len(tried), tried
        return
    assert 2 == len(tried), tried
    ends = server.of("refused") if close.opening else server.of("ended")
    wait = tried[1] - ends[0]["at"]
    if close.verdict == "backoff":
        assert BACKED_OFF_SECONDS[0] <= wait <= BACKED_OFF_SECONDS[1], wait
    else:
        assert wait <= REOPENED_SECONDS_MAX, wait
