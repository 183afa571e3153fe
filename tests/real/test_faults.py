"""The fault matrix: a live talk over a real socket while the line, the server and its answers break in every way.

The server's own log is the truth: what it heard, what it said, how often it was dialled, and when. In each case every
word is printed exactly once and at its time; what a case adds to that is stated with it.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from daemon import RATE, Stenod, pending_seconds, together
from server import (
    TIME_SECONDS_MAX,
    Emulator,
    check_finals,
    check_heard,
    check_order,
    check_words,
    emulator,
    fault,
    quiet_end,
    speech,
    talk,
    truth,
)

pytestmark = [pytest.mark.real, pytest.mark.slow]

BACK_SECONDS_MAX = 2.0
"""From the server's return to the dial that opens the next session, and again from there to its opening."""
DARK_SECONDS_MAX = 5.0
"""From the last sign of life of a connection to its replacement."""
ATTEMPTS_MAX = 8
"""In the first ten seconds of an outage."""
STALLED_SECONDS_MAX = 33.0
"""Speech is sent for 30 s before a session that says nothing counts as stalled."""

Check = Callable[[Stenod, Emulator], None]


@dataclass(frozen=True, slots=True)
class Case:
    """A faults file, how long is spoken, and what must hold besides the words."""

    faults: str = ""
    seconds: float = 40.0
    arguments: tuple[str, ...] = ()
    checks: tuple[Check, ...] = field(default=())
    end_seconds: float = 30.0
    """How long what waited may take at the end."""


def sessions(least: int, most: int) -> Check:
    """So many sessions were opened; after a long outage one more hears the backlog."""

    def check(_daemon: Stenod, server: Emulator) -> None:
        assert least <= len(server.of("opened")) <= most, server.at("opened")

    return check


def attempts(begin: float, end: float, *, most: int = ATTEMPTS_MAX, least: int = 2) -> Check:
    """So many connections were tried in the first ten seconds of an outage."""

    def check(_daemon: Stenod, server: Emulator) -> None:
        tried = [at for at in server.at("attempt") if begin <= at < min(end, begin + 10.0)]
        assert least <= len(tried) <= most, tried

    return check


def back_after(end: float) -> Check:
    """A session was opened soon after the server's return."""

    def check(_daemon: Stenod, server: Emulator) -> None:
        opened = [at for at in server.at("opened") if at >= end]
        assert opened, server.at("opened")
        dialled = max(at for at in server.at("attempt") if at <= opened[0])
        assert dialled - end <= BACK_SECONDS_MAX, (dialled, opened)
        assert opened[0] - max(dialled, end) <= BACK_SECONDS_MAX, (dialled, opened)

    return check


def replaced(kind: str, seconds_max: float) -> Check:
    """Each time that fault struck, another session was opened within so many seconds."""

    def check(_daemon: Stenod, server: Emulator) -> None:
        struck = [record["at"] for record in server.of("struck") if record["kind"] == kind]
        assert struck
        for at in struck:
            later = [opened for opened in server.at("opened") if opened > at]
            assert later, (at, server.at("opened"))
            assert later[0] - at <= seconds_max, (at, later)

    return check


def planned(_daemon: Stenod, server: Emulator) -> None:
    """No session met its limit: the client ended each."""
    assert {"client"} == {record["by"] for record in server.of("ended")}
    assert len(server.of("terminate")) == len(server.of("opened"))


def said(state: str) -> Check:
    """A status record told the person."""

    def check(daemon: Stenod, _server: Emulator) -> None:
        assert state in [record["state"] for record in daemon.of("status")], daemon.of("status")

    return check


OUTAGE = fault(kind="drop", wall=15.0)
PASSING = (500, 502, 504, 408, 302, 511, 407, 200, 599)
"""HTTP statuses that may pass by themselves."""
CLOSES = (1001, 1011, 1012, 4000)
ERRORS: tuple[dict[str, object], ...] = (
    {"code": 3008},
    {"code": 3007, "text": "Audio transmission rate exceeded"},
    {"code": 3009},
)
CASES = {
    "mute": Case(
        fault(kind="mute", audio=6.0, session=0),
        seconds=60.0,
        checks=(sessions(2, 3), replaced("mute", STALLED_SECONDS_MAX)),
    ),
    "long-refusal": Case(
        OUTAGE + fault(kind="refuse", wall=15.0, duration=14.0),
        seconds=48.0,
        checks=(attempts(15.0, 29.0, least=4), back_after(29.0), said("lost"), said("back")),
    ),
    "black-hole": Case(fault(kind="black-hole", wall=15.0, duration=8.0), seconds=45.0, checks=(back_after(23.0),)),
    "expiry": Case(seconds=45.0, arguments=("--session-seconds-max", "10"), checks=(sessions(6, 9), planned)),
    "nothing": Case(seconds=20.0, checks=(sessions(1, 1), planned)),
    "reset": Case(
        fault(kind="drop", audio=13.0, session=0) + fault(kind="drop", audio=9.7, session=1),
        checks=(sessions(3, 3), replaced("drop", 1.0)),
    ),
    "error-3005": Case(
        fault(kind="error", code=3005, audio=14.0, session=0), checks=(sessions(2, 2), replaced("error", 2.0))
    ),
    "closed": Case(
        fault(kind="close", code=1000, audio=14.3, session=0), checks=(sessions(2, 2), replaced("close", 1.0))
    ),
    "sudden-expiry": Case(fault(kind="expire", audio=10.0), checks=(sessions(4, 8), replaced("expire", 1.0))),
    "refusal": Case(
        OUTAGE + fault(kind="refuse", wall=15.0, duration=6.0), checks=(attempts(15.0, 21.0), back_after(21.0))
    ),
    "deaf": Case(
        fault(kind="deaf", audio=13.0, session=0), checks=(sessions(2, 2), replaced("deaf", DARK_SECONDS_MAX))
    ),
    "status-503": Case(
        OUTAGE + fault(kind="status", status=503, wall=15.0, duration=6.0),
        checks=(attempts(15.0, 21.0), back_after(21.0)),
    ),
    "status-429": Case(
        OUTAGE + fault(kind="status", status=429, wall=15.0, duration=6.0),
        checks=(attempts(15.0, 21.0), back_after(21.0)),
    ),
    "garbage": Case(
        fault(kind="garbage", audio=7.0, repeat=6.0) + fault(kind="huge", audio=16.0, count=1), checks=(sessions(1, 2),)
    ),
    "dies-young": Case(
        fault(kind="begin-then-die", duration=4.0, session=0) + fault(kind="begin-then-die", duration=4.0, session=1),
        checks=(sessions(3, 3),),
    ),
    "errors": Case(
        "".join(fault(kind="error", audio=12.0, session=n, **told) for n, told in enumerate(ERRORS))
        + fault(kind="error-untyped", audio=12.0, session=len(ERRORS)),
        seconds=60.0,
        checks=(sessions(5, 5), replaced("error", 4.0), replaced("error-untyped", 4.0)),
    ),
    "closes": Case(
        "".join(fault(kind="close", code=code, audio=12.0, session=n) for n, code in enumerate(CLOSES)),
        seconds=60.0,
        checks=(sessions(5, 5), replaced("close", 4.0)),
    ),
    # Four quick losses, half a minute of patience, and the last drop may strike a live session and a late one.
    "flapping": Case(
        fault(kind="drop", wall=10.0, repeat=3.0, count=5), seconds=45.0, end_seconds=180.0, checks=(sessions(4, 8),)
    ),
    "minute-of-refusal": Case(
        OUTAGE + fault(kind="refuse", wall=15.0, duration=60.0),
        seconds=85.0,
        end_seconds=120.0,
        checks=(attempts(15.0, 75.0, least=4), said("lost"), said("back")),
    ),
    "minute-of-darkness": Case(
        fault(kind="black-hole", wall=15.0, duration=60.0),
        seconds=85.0,
        end_seconds=120.0,
        checks=(said("lost"), said("back")),
    ),
    "dark-for-a-moment": Case(fault(kind="black-hole", wall=15.0, duration=2.0), checks=(sessions(1, 1), planned)),
    "statuses": Case(
        OUTAGE + "".join(fault(kind="status", status=status, attempt=1 + n) for n, status in enumerate(PASSING)),
        seconds=70.0,
        checks=(sessions(2, 3), attempts(15.0, 40.0, least=4)),
    ),
    "slow-upgrade": Case(
        OUTAGE + fault(kind="slow", wall=15.0, duration=4.0), checks=(sessions(2, 2), back_after(19.0))
    ),
    "no-upgrade": Case(OUTAGE + fault(kind="slow", attempt=1, duration=14.0), seconds=45.0, checks=(sessions(2, 3),)),
    "late-messages": Case(fault(kind="slow-messages", audio=6.0, duration=2.5), checks=(sessions(1, 1), planned)),
    "one-at-a-time": Case(
        seconds=50.0, arguments=("--sessions-max", "1", "--session-seconds-max", "20"), checks=(sessions(3, 4),)
    ),
    "slow-to-begin": Case(OUTAGE + fault(kind="slow-begin", wall=15.0, duration=4.0), checks=(sessions(2, 2),)),
}


OTHERS = ("assemblyai-v2", "deepgram", "deepgram-flux")
COMMON = ("reset", "refusal", "black-hole", "deaf", "garbage")
"""What depends on the dialect: a goodbye that is not said, words that are sent again, a line that is found dead."""


async def check_talk(daemon: Stenod, server: Emulator, seconds: float, *, within: float = 30.0) -> None:
    """After the end of the audio: exit 0, each word once and at its time, all as the server heard and said it."""
    assert 0 == await daemon.end(within)
    check_words(daemon.words, seconds)
    check_order(daemon)
    await server.stop()
    check_heard(server, seconds)
    check_finals(daemon, server)
    assert not daemon.state_home.exists() or [] == list(daemon.state_home.iterdir())


@pytest.mark.parametrize("name", CASES)
@together
async def test_no_fault_costs_or_repeats_a_word(place: Path, name: str) -> None:
    """Whatever breaks, each word is printed once and at its time, and the server is neither left alone nor hammered."""
    case = CASES[name]
    seconds, journal = quiet_end(case.seconds), place / "journal"
    async with (
        emulator(place / "server", *case.arguments, faults=case.faults) as server,
        talk(place, server, "--state-dir", str(journal)) as daemon,
    ):
        await daemon.feed(speech(seconds))
        await check_talk(daemon, server, seconds, within=case.end_seconds)
        for check in case.checks:
            check(daemon, server)
    assert 0.0 == pending_seconds(journal)


@pytest.mark.parametrize("provider", OTHERS)
@pytest.mark.parametrize("name", COMMON)
@together
async def test_no_fault_costs_or_repeats_a_word_in_another_dialect(place: Path, name: str, provider: str) -> None:
    """The same faults, the same promises; one of the three may not catch up faster than the clock, and ends later."""
    case = CASES[name]
    seconds, journal = quiet_end(case.seconds), place / "journal"
    async with (
        emulator(place / "server", "--v2", faults=case.faults) as server,
        talk(place, server, "--state-dir", str(journal), provider=provider) as daemon,
    ):
        await daemon.feed(speech(seconds))
        await check_talk(daemon, server, seconds, within=case.end_seconds)
        for check in case.checks:
            check(daemon, server)
    assert 0.0 == pending_seconds(journal)


@together
async def test_a_server_process_that_hangs_is_survived(place: Path) -> None:
    """The kernel goes on to take what is sent and to accept connections; nothing answers for 8 s."""
    seconds = quiet_end(40.0)
    async with emulator(place / "server") as server, talk(place, server) as daemon, trio.open_nursery() as nursery:
        nursery.start_soon(daemon.feed, speech(seconds))
        await daemon.until(lambda one: one.fed >= 15 * RATE)
        server.process.send_signal(signal.SIGSTOP)
        await trio.sleep(8)
        server.process.send_signal(signal.SIGCONT)
        returned = trio.current_time()
        count = len(daemon.log("session.opened"))
        await daemon.until(lambda one: len(one.log("session.opened")) > count, 10)
        assert trio.current_time() - returned <= BACK_SECONDS_MAX
        await check_talk(daemon, server, seconds)


@together
async def test_a_server_that_reads_slowly_is_survived(place: Path) -> None:
    """For 12 s its process runs a fifth of the time, half a second at most in one."""
    seconds = quiet_end(40.0)
    async with emulator(place / "server") as server, talk(place, server) as daemon, trio.open_nursery() as nursery:
        nursery.start_soon(daemon.feed, speech(seconds))
        await daemon.until(lambda one: one.fed >= 15 * RATE)
        for _ in range(20):
            server.process.send_signal(signal.SIGSTOP)
            await trio.sleep(0.5)
            server.process.send_signal(signal.SIGCONT)
            await trio.sleep(0.1)
        await check_talk(daemon, server, seconds)
        assert 1 == len(server.of("opened"))


@pytest.mark.parametrize("deaf_seconds", [0.0, 2.0])
@together
async def test_a_server_process_that_dies_is_survived(place: Path, deaf_seconds: float) -> None:
    """Killed in mid-speech, and started again on the same port 6 s later: connections are refused meanwhile.

    Deaf before, it has not read what it was sent, and its connections are reset.
    """
    seconds = quiet_end(40.0)
    async with trio.open_nursery() as nursery, emulator(place / "first") as first, talk(place, first) as daemon:
        nursery.start_soon(daemon.feed, speech(seconds))
        await daemon.until(lambda one: one.fed >= 15 * RATE)
        first.process.send_signal(signal.SIGSTOP)
        await trio.sleep(deaf_seconds)
        first.process.kill()
        await trio.sleep(6)
        async with emulator(place / "second", port=first.port) as second:
            returned = trio.current_time()
            await second.until("opened", seconds=10)
            assert trio.current_time() - returned <= BACK_SECONDS_MAX
            assert 0 == await daemon.end(60)
            check_words(daemon.words, seconds)
            check_order(daemon)
            assert "connection-refused" in {line["rule"] for line in daemon.log("retry.scheduled")}


@pytest.mark.parametrize("seed", [0, 1, 2])
@together
async def test_an_untidy_server_makes_no_word_twice(place: Path, seed: int) -> None:
    """Times padded by up to a second, late finals, replays that are cut and worded otherwise: each word still once."""
    seconds = quiet_end(40.0)
    faults = fault(kind="drop", audio=13.0, session=0) + fault(kind="drop", audio=9.7, session=1)
    faults += fault(kind="error", code=3005, audio=8.1, session=2)
    realistic = ("--realism", "--seed", str(seed))
    async with emulator(place / "server", *realistic, faults=faults) as server, talk(place, server) as daemon:
        await daemon.feed(speech(seconds))
        assert 0 == await daemon.end(30)
        assert 4 == len(server.of("opened"))
    # A word that is heard again may be worded otherwise, but keeps its number.
    assert [word.text[1:] for word in truth(seconds)] == [word.text[1:] for word in daemon.words]
    for expected, printed in zip(truth(seconds), daemon.words, strict=True):
        assert -1.1 <= printed.start - expected.start <= TIME_SECONDS_MAX, (expected, printed)


@together
async def test_a_daemon_that_was_stopped_for_a_while_goes_on(place: Path) -> None:
    """A machine out of breath: for 7 s the process does not run, and its recorder waits; nothing is lost."""
    seconds = quiet_end(22.0)
    async with emulator(place / "server") as server, talk(place, server) as daemon, trio.open_nursery() as nursery:
        nursery.start_soon(daemon.feed, speech(seconds))
        await daemon.until(lambda one: one.fed >= 10 * RATE)
        daemon.process.send_signal(signal.SIGSTOP)
        await trio.sleep(7)
        daemon.process.send_signal(signal.SIGCONT)
        await check_talk(daemon, server, seconds)
    assert [] == daemon.of("gap")
