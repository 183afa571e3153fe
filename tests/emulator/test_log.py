"""The log: what its records hold, how stretches merge, and its file."""

import json

import trio

from stenod.emulator import log
from stenod.emulator.oracle import words_between

from .raw_client import RATE, emulator, session


async def test_what_was_heard(autojump_clock):
    """Contiguous audio is one record; injected silence and a jump end it; the records tile the session."""
    server = emulator()
    async with session(server) as client:
        await client.stream(5 * RATE, 3)
        await client.zeros(1)
        await client.stream(8 * RATE, 2)
        assert 3 == len(server.log.heard(0))
        await client.stream(70 * RATE, 2)
        await client.say("Terminate")
        await trio.sleep(1)
    rows = [(h.kind, h.session_start / RATE, h.session_end / RATE, h.start / RATE) for h in server.log.heard(0)]
    expected = [("oracle", 0, 3, 5), ("silence", 3, 4, 0), ("oracle", 4, 6, 8), ("oracle", 6, 8, 70)]
    assert expected == rows
    assert all(h.exact == (h.kind == "oracle") for h in server.log.heard(0))
    (ended,) = server.log.of(log.Ended)
    assert (8 * RATE, RATE, 0) == (ended.audio_samples, ended.injected_samples, ended.unknown_samples)


async def test_finals_know_their_positions(autojump_clock):
    """A final's words carry session times and the oracle's positions."""
    server = emulator()
    async with session(server) as client:
        await client.zeros(1)
        await client.stream(RATE, 6)
    words = [word for final in server.log.of(log.Final) for word in final.words]
    truth = words_between(RATE, 7 * RATE)[: len(words)]
    assert truth == [(word.text, *word.position) for word in words]
    assert truth == [(word.text, word.start, word.end) for word in words]


async def test_a_final_that_was_not_sent_is_not_in_the_log(autojump_clock):
    """What the client had no chance to receive is not held against it."""
    server = emulator(realism=True)
    async with session(server) as client:
        await client.stream(0, 4.9)
    assert [] == server.log.of(log.Final)


async def test_file(autojump_clock, tmp_path):
    """Each record is one JSON line with its type, written at once."""
    server = emulator(log_path=tmp_path / "log.jsonl")
    async with session(server) as client:
        await client.stream(0, 6)
        await client.say("KeepAlive")
        await client.say("Terminate")
        await trio.sleep(1)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    server.close()
    assert ["attempt", "opened", "final", "keepalive", "terminate", "heard", "ended"] == [
        line["type"] for line in lines if line["type"] != "final" or line["turn"] == 0
    ]
    assert {
        "type": "heard",
        "session": 0,
        "kind": "oracle",
        "session_start": 0,
        "session_end": 96_000,
        "end": 96_000,
        "plan": "dialogue",
        "exact": True,
    } == lines[-2]


def test_merging():
    """A stretch continues the last one when kind, plan and both ranges do; rough ones within a tolerance."""
    journal = log.Log()

    def hear(kind, at, count, position=0, *, exact=True, session=0):
        end = position + count if kind == "oracle" else 0
        stretch = log.Heard(
            session=session,
            kind=kind,
            session_start=at,
            session_end=at + count,
            start=position,
            end=end,
            exact=exact and kind == "oracle",
        )
        journal.hear(stretch, 80)

    hear("oracle", 0, 100, 1000)
    hear("oracle", 100, 100, 1100)
    hear("oracle", 200, 100, 1201)
    hear("oracle", 0, 50, 0, session=1)
    hear("oracle", 300, 100, 1301, exact=False)
    hear("oracle", 400, 100, 1403, exact=False)
    hear("oracle", 500, 100, 1600, exact=False)
    rows = [(h.session_start, h.session_end, h.start, h.end) for h in journal.heard(0)]
    assert [(0, 200, 1000, 1200), (200, 300, 1201, 1301), (300, 500, 1301, 1503), (500, 600, 1600, 1700)] == rows
    assert 1 == len(journal.heard(1))
    journal.close()
    assert 5 == len(journal.of(log.Heard))


def test_records_are_bounded():
    """The oldest records go when there are too many."""
    journal = log.Log(records_max=10)
    for attempt in range(100):
        journal.add(log.Attempt(at=0.0, attempt=attempt))
    assert list(range(90, 100)) == [record.attempt for record in journal.of(log.Attempt)]
