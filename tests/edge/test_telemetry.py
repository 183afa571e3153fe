"""Log lines: their form, what they never show, and that nothing they meet stops the daemon."""

import io
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.core.log import Log
from stenod.edge.telemetry import Line, Logger, Repeats, Telemetry, configure

KEY = 'k3y/with"quotes\\and+more'


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def json_log(level: str = "info", stream: TextIO | None = None) -> tuple[Telemetry, io.StringIO, Clock]:
    """Return a log that writes JSON into memory, and its clock."""
    written, clock = io.StringIO(), Clock()
    return configure(level, "json", stream or written, clock), written, clock


def lines(stream: io.StringIO) -> list[dict]:
    """Return the JSON lines that were written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def raised(text: str) -> ValueError:
    """Return an error that was raised, with its traceback."""
    with pytest.raises(ValueError, match=r".") as caught:
        raise ValueError(text)
    return caught.value


def test_a_line_is_json_with_time_level_event_and_fields() -> None:
    """One object a line, in this order, with what is bound to the log."""
    telemetry, written, _ = json_log()
    log: Log = telemetry.get_logger(stream="hall")
    log.info("session.opened", delay_seconds=0.5, provider="assemblyai")
    (line,) = lines(written)
    assert list(line) == ["timestamp", "level", "event", "stream", "delay_seconds", "provider"]
    assert (line["level"], line["event"], line["stream"], line["delay_seconds"]) == (
        "info",
        "session.opened",
        "hall",
        0.5,
    )
    assert line["timestamp"].endswith("Z")
    assert len(line["timestamp"]) == len("2026-01-01T00:00:00.000000Z")


def test_a_bound_log_adds_its_fields() -> None:
    """What is bound later wins; the first log stays as it was."""
    telemetry, written, _ = json_log()
    log = telemetry.get_logger(stream="hall")
    assert isinstance(log, Logger)
    log.bind(session="s1").info("a.happened", reason="x")
    log.info("b.happened")
    first, second = lines(written)
    assert (first["session"], first["reason"]) == ("s1", "x")
    assert "session" not in second


@pytest.mark.parametrize(
    ("level", "expected"),
    [("debug", "dbg inf war err"), ("info", "inf war err"), ("warning", "war err"), ("error", "err")],
)
def test_lines_under_the_level_are_not_written(level: str, expected: str) -> None:
    """The level is the least that is logged."""
    telemetry, written, _ = json_log(level)
    log = telemetry.get_logger()
    log.debug("dbg")
    log.info("inf")
    log.warning("war")
    log.error("err")
    assert " ".join(line["event"] for line in lines(written)) == expected


@pytest.mark.parametrize(
    ("rendering", "stream", "is_json", "is_coloured"),
    [
        ("auto", io.StringIO, True, False),
        ("auto", Terminal, False, True),
        ("json", Terminal, True, False),
        ("console", io.StringIO, False, False),
    ],
)
def test_people_get_text_and_programs_json(rendering: str, stream: type, is_json: bool, is_coloured: bool) -> None:
    """Colour only on a terminal."""
    written = stream()
    configure("info", rendering, written).get_logger().info("session.opened", lag_seconds=1.5)
    text = written.getvalue()
    assert is_json == text.startswith("{")
    assert is_coloured == ("\x1b[" in text)
    assert "session.opened" in text
    assert "1.5" in text


def test_exceptions_are_in_the_line() -> None:
    """With their traceback, in one line of JSON."""
    telemetry, written, _ = json_log()
    telemetry.get_logger().error("session.failed", exc_info=raised("broken"))
    (line,) = lines(written)
    assert line["exception"].startswith("Traceback (most recent call last)")
    assert line["exception"].endswith("ValueError: broken")


def say_everywhere(telemetry: Telemetry) -> None:
    """Log the key in all the places where it could get."""
    log = telemetry.get_logger(bound=KEY)
    event, error = f"event {KEY}", raised(f"refused {KEY}")
    log.info(event, text=f"a {KEY} b", nested={"x": [KEY, KEY.encode()]}, pair=(KEY,))
    log.error("x.failed", exc_info=error, error=error, url="wss://host/?token=k3y%2Fwith%22quotes%5Cand%2Bmore")


@pytest.mark.parametrize("rendering", ["json", "console"])
def test_secrets_are_masked_wherever_they_stand(rendering: str) -> None:
    """In events, fields, containers, bytes, exceptions and URLs."""
    written = io.StringIO()
    say_everywhere(configure("debug", rendering, written))
    assert "quotes" in written.getvalue()
    written = io.StringIO()
    telemetry = configure("debug", rendering, written)
    telemetry.conceal(KEY)
    say_everywhere(telemetry)
    assert "quotes" not in written.getvalue()
    assert written.getvalue().count("****") >= 8


def test_what_is_too_short_to_be_a_secret_does_not_tear_lines_apart() -> None:
    """An empty or tiny key masks nothing."""
    telemetry, written, _ = json_log()
    telemetry.conceal("")
    telemetry.conceal("e")
    telemetry.get_logger().info("event.seen")
    assert lines(written)[0]["event"] == "event.seen"


class Unshowable:
    """Something whose repr fails."""

    def __repr__(self) -> str:
        """Fail."""
        raise RuntimeError("no repr")


def test_what_cannot_be_shown_does_not_stop_anything() -> None:
    """The event is written with the error's name; fields that collide with ours or are odd do not matter."""
    telemetry, written, _ = json_log()
    log = telemetry.get_logger()
    log.info("a.happened", bad=Unshowable())
    log.info("b.happened", event="x", level="y", timestamp=1)
    log.info("c.happened", ratio=float("nan"), wait_seconds=float("inf"), thing=object, text="\udc80")
    first, second, third = lines(written)
    assert (first["event"], first["log_error"]) == ("a.happened", "RuntimeError")
    assert (second["event"], second["log_error"]) == ("b.happened", "TypeError")
    assert (third["ratio"], third["wait_seconds"]) == (None, None)


def test_a_providers_text_does_not_steer_the_terminal() -> None:
    """Control characters are escaped for people; JSON escapes them anyway."""
    written = Terminal()
    configure("info", "console", written).get_logger().info("a.happened", reason="\x1b]0;owned\x07\rx")
    assert "\x1b]0" not in written.getvalue()
    assert "\r" not in written.getvalue()


@contextmanager
def pipe() -> Iterator[tuple[int, TextIO]]:
    """Yield the reading descriptor of a pipe and a stream that writes to it."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        yield reading, stream


def test_a_reader_that_is_gone_stops_nothing() -> None:
    """EPIPE costs the lines."""
    with pipe() as (reading, stream):
        os.close(reading)
        log = configure("info", "json", stream).get_logger()
        log.info("a.happened")
        log.error("b.happened")


def test_a_full_disk_and_a_closed_stream_stop_nothing() -> None:
    """ENOSPC, a closed stream, no stream at all."""
    with Path("/dev/full").open("w") as full:
        configure("info", "json", full).get_logger().info("a.happened")
    configure("info", "json", full).get_logger().info("a.happened")
    configure("info", "json", None).get_logger().info("a.happened")


def test_a_pipe_that_nobody_empties_blocks_nothing_and_the_loss_is_told() -> None:
    """Lines are lost and counted; when it flows again, each line is whole, and the count is said."""
    with pipe() as (reading, stream):
        log = configure("info", "json", stream).get_logger()
        began = time.monotonic()
        for _ in range(200):
            log.info("a.happened", text="x" * 10_000)
        assert time.monotonic() - began < 30
        os.set_blocking(reading, False)
        while True:
            try:
                os.read(reading, 1 << 20)
            except BlockingIOError:
                break
        log.info("b.happened")
        text = os.read(reading, 1 << 20).decode()
        happened, lost = (json.loads(line) for line in text.splitlines() if line)
        assert happened["event"] == "b.happened"
        assert (lost["event"], lost["level"]) == ("log.lost", "warning")
        assert 150 < lost["lines"] < 200
        os.close(reading)


class FakeJournal:
    """systemd's, with a memory; `up`: whether it takes anything."""

    def __init__(self) -> None:
        self.up = True
        self.entries: list[tuple[int, str, dict[str, str]]] = []

    def send(self, priority: int, message: str, fields: Mapping[str, str]) -> bool:
        """See `edge.journald.Journal`."""
        self.entries.append((priority, message, dict(fields)))
        return self.up


def test_the_journal_gets_entries() -> None:
    """Priority, a sentence, each field as text; secrets are masked in all of it, and no line is written beside."""
    journal, written = FakeJournal(), io.StringIO()
    telemetry = configure("debug", "auto", written, journal=journal)
    telemetry.conceal("a-secret-key")
    log = telemetry.get_logger(stream="hall")
    log.info("session.opened", lag_seconds=1.5, options=["a"], cost=None, text="with a-secret-key\x1b")
    log.error("uplink.failed", exc_info=raised("a-secret-key"))
    (info, sentence, fields), (error, told, _) = journal.entries
    assert (6, 3) == (info, error)
    assert 'session.opened stream=hall lag_seconds=1.5 options=["a"] text=with ****\\x1b' == sentence
    assert {"event", "stream", "lag_seconds", "options", "text"} == set(fields)
    assert "with ****\\x1b" == fields["text"]
    assert told.startswith("uplink.failed stream=hall\nTraceback")
    assert "secret" not in told
    assert "" == written.getvalue()


def test_json_was_asked_for() -> None:
    """Then the message is what a program expects."""
    journal = FakeJournal()
    configure("info", "json", io.StringIO(), journal=journal).get_logger().info("a.happened", wait_seconds=1)
    ((_, message, fields),) = journal.entries
    assert "a.happened" == json.loads(message)["event"]
    assert {"event": "a.happened", "wait_seconds": "1"} == fields


def test_a_journal_that_takes_nothing() -> None:
    """Lines are written instead; each says its level as sd-daemon wants it, also in tracebacks."""
    journal, written = FakeJournal(), io.StringIO()
    journal.up = False
    log = configure("debug", "console", written, journal=journal).get_logger()
    log.debug("a.happened")
    log.info("a.happened")
    log.warning("a.happened")
    log.error("a.happened", exception="two\nlines")
    assert ["<7>", "<6>", "<4>", "<3>", "<3>", "<3>"] == [line[:3] for line in written.getvalue().splitlines()]


def test_repeats_are_held_back_and_told_once() -> None:
    """Within 10 s a warning that says the same is written once, then once more with its number and latest values."""
    telemetry, written, clock = json_log()
    log = telemetry.get_logger(stream="hall")
    for second in range(10):
        clock.now = second * 0.9
        log.warning("keepalive.missed", reason="timeout", session=f"s{second}", age_seconds=second)
    log.warning("keepalive.missed", reason="other")
    assert len(lines(written)) == 2
    clock.now = 11
    log.info("other.happened")
    *_, repeated, _ = lines(written)
    assert (repeated["repeated"], repeated["age_seconds"], repeated["reason"]) == (9, 9, "timeout")
    clock.now = 30
    log.warning("keepalive.missed", reason="timeout")
    assert "repeated" not in lines(written)[-1]
    assert len(lines(written)) == 5


def test_the_end_tells_what_was_held_back() -> None:
    """Nothing stays untold."""
    telemetry, written, _ = json_log()
    log = telemetry.get_logger()
    log.error("a.failed")
    log.error("a.failed")
    telemetry.flush()
    telemetry.flush()
    assert [line.get("repeated") for line in lines(written)] == [None, 1]


def test_life_cycle_lines_are_never_held_back() -> None:
    """Info and debug are rare or wanted."""
    telemetry, written, _ = json_log()
    telemetry.get_logger().info("a.happened")
    telemetry.get_logger().info("a.happened")
    assert len(lines(written)) == 2


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 20)), max_size=60), st.integers(1, 3))
def test_no_line_is_lost_by_holding_it_back(steps: list[tuple[str, float]], keys_max: int) -> None:
    """Written lines and the numbers of those held back make up all that was said, whatever the times."""
    repeats = Repeats(seconds=10, keys_max=keys_max)
    now, told = 0.0, 0
    for event, wait in steps:
        now += wait
        told += sum(int(str(line.fields["repeated"])) for line in repeats.due(now))
        told += repeats.admit(Line("warning", event, {}), now)
    told += sum(int(str(line.fields["repeated"])) for line in repeats.due(float("inf")))
    assert told == len(steps)
