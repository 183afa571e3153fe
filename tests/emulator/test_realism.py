"""The untidiness of real providers: seeded, bounded, and never losing a word."""

import pytest
import trio

from stenod.emulator import log
from stenod.emulator.oracle import words_between

from .raw_client import RATE, emulator, session


async def talk(server, start=0, seconds=120):
    """Stream dialogue and say goodbye; return the client."""
    async with session(server) as client:
        await client.stream(start, seconds)
        await client.say("Terminate")
        await trio.sleep(10)
    return client


async def test_padded_times_and_late_finals(autojump_clock):
    """First words start early, last ones end late, finals come 0.3 to 3 s late; no word is lost or moved otherwise."""
    server = emulator(realism=True, seed=3)
    client = await talk(server)
    truth = words_between(0, 120 * RATE)
    told = [word for final in client.finals for word in final["words"]]
    assert [text for text, _, _ in truth] == [word["text"] for word in told]
    times = {text: (round(start / 16), round(end / 16)) for text, start, end in truth}
    for final in client.finals:
        if not final["words"]:
            continue
        first, last = final["words"][0], final["words"][-1]
        assert 0 <= times[first["text"]][0] - first["start"] <= 1000
        assert last["end"] - times[last["text"]][1] == 250
    lateness = [final.at - final.words[-1].position[1] / RATE for final in server.log.of(log.Final) if final.words]
    assert max(lateness) > 2.0
    assert min(lateness) > 0.3


@pytest.mark.slow
async def test_turns_depend_on_where_the_session_began(autojump_clock):
    """The same audio is cut differently in sessions that began elsewhere."""
    cuts = set()
    for start in (0, RATE, 2 * RATE, 3 * RATE):
        client = await talk(emulator(realism=True, seed=3), start)
        cuts.add(tuple(final["words"][-1]["text"] for final in client.finals if final["words"]))
    assert len(cuts) > 1


@pytest.mark.slow
async def test_replayed_words_are_at_times_worded_otherwise(autojump_clock):
    """About one word in twenty that an earlier session heard comes back as another; a first hearing is faithful."""
    server = emulator(realism=True, seed=3)
    first, second = await talk(server), await talk(server)
    texts = [[word["text"] for final in client.finals for word in final["words"]] for client in (first, second)]
    assert all(text.startswith("w") for text in texts[0])
    changed = sum(text.startswith("v") for text in texts[1])
    assert 0.01 < changed / len(texts[1]) < 0.12
    assert [text[1:] for text in texts[0]] == [text[1:] for text in texts[1]]
