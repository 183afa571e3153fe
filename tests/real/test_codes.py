"""Every documented close, fed through a real socket: it is judged as `stenod codes` says, and that is acted on.

The rows are those of the provider's page on errors and closures, as it is today and as it was in May 2025 (`seeds`).
What other rows mean is in `test_seeds`; here the time until the next attempt and the words are held to it too.
"""

import json
import subprocess
from pathlib import Path

import pytest
import trio
from daemon import PROGRAM, Stenod, environment_in, together
from seeds import ASSEMBLYAI, MAY_2025, SEED_000, Row
from server import Emulator, check_words, emulator, fault, quiet_end, speech, talk

from stenod.core.diagnosis import by_hand

pytestmark = [pytest.mark.real, pytest.mark.slow]

REOPENED_SECONDS_MAX = 0.8
"""A planned opening is at once; a retry has up to 0.25 s of jitter. The rest is a loaded machine's."""
BACKED_OFF_SECONDS = (0.75, 2.5)
TALK_SECONDS = 14.0


BARE = tuple(
    Row("bare", ASSEMBLYAI, code, "", verdict, rule, kind="close", opening=opening)
    for code, verdict, rule, opening in (
        (3005, "backoff", "code-3005", False),
        (3006, "backoff", "code-3006", False),
        (3007, "backoff", "code-3007", False),
        (3008, "reopen", "code-3008", False),
        (3009, "backoff", "code-3009", True),
        (1008, "backoff", "code-1008", True),
        (1011, "backoff", "server-error", False),
    )
)
"""The close frame alone, with the code and no word."""
CLOSES = {row.name: row for row in (*SEED_000, *MAY_2025, *BARE)}


def strike(close: Row) -> str:
    """Return the fault that feeds a close to the first attempt, or into the first session after six seconds."""
    moment = {"attempt": 0} if close.opening else {"audio": 6.0, "session": 0}
    number = {"status": close.code} if close.kind == "status" else {"code": close.code}
    return fault(kind=close.kind, text=close.text, **number, **moment)


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
    assert {close.code for close in SEED_000 + MAY_2025} <= known
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
    rules = [line["rule"] for line in daemon.log("session.ended")]
    assert (close.code, close.verdict, close.rule) == (ended["code"], ended["verdict"], rules[0])
    assert close.verdict in {row["verdict"] for row in told}
    if close.exit_code:
        assert any(by_hand(row["remedy"]) in "\n".join(daemon.sentences) for row in told), daemon.told


def check_acted(close: Row, daemon: Stenod, server: Emulator) -> None:
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
