"""What the oracle hears: whole words, fragments, holes and replays."""

import numpy as np
import pytest

from stenod.emulator.engine import EngineError
from stenod.emulator.oracle import synthesize, words_between
from stenod.emulator.oracle_engine import OracleEngine

RATE = 16_000
FIRST = words_between(0, 4 * RATE)[0]  # w0000000, from 1.9 s to 2.28 s


async def hear(*parts, chunk=1600) -> list[tuple[str, int, int]]:
    """Return the words of all turns in audio joined from parts."""
    engine = OracleEngine(RATE, 0.5, lambda piece: None)
    audio = np.concatenate(parts)
    hypotheses = []
    for at in range(0, len(audio), chunk):
        hypotheses += await engine.hear(audio[at : at + chunk].tobytes())
    hypotheses += await engine.end_turn()
    return [(word.text, word.start, word.end) for one in hypotheses if one.ended for word in one.words]


async def test_whole_words():
    """A minute of dialogue is heard as it was planned, at the session's own times."""
    expected = [(text, start - 777, end - 777) for text, start, end in words_between(777, 60 * RATE)]
    assert expected == await hear(synthesize(777, 60 * RATE - 777))


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "w0000000"), (0.5, "frag-0000000"), (0.59, "frag-0000000"), (0.7, None)]
)
async def test_a_word_cut_at_the_beginning(share, text):
    """A session that begins inside a word hears a fragment if enough of it is left."""
    _, start, end = FIRST
    cut = start + int(share * (end - start))
    words = await hear(synthesize(cut, 1200 + end - cut))
    assert ([text] if text else []) == [word[0] for word in words]
    assert all(word[1:] == (0, end - cut) for word in words)


@pytest.mark.parametrize(("share", "text"), [(0.3, None), (0.45, "frag-0000000"), (1.0, "w0000000")])
async def test_a_word_cut_at_the_end(share, text):
    """A session that ends inside a word hears a fragment if enough of it came."""
    _, start, end = FIRST
    words = await hear(synthesize(0, start + int(share * (end - start))))
    assert ([text] if text else []) == [word[0] for word in words]


async def test_one_missing_sample_makes_a_fragment():
    """Where the audio is exact, whole means every sample."""
    _, start, end = FIRST
    middle = (start + end) // 2
    words = await hear(synthesize(0, middle), synthesize(middle + 1, RATE))
    assert words[0][0] == "frag-0000000"


async def test_silence_inside_a_word():
    """Injected silence in a word leaves a fragment, with times that span it."""
    _, start, end = FIRST
    middle = (start + end) // 2
    words = await hear(synthesize(0, middle), np.zeros(800, np.int16), synthesize(middle, 6000))
    assert ("frag-0000000", start, end + 800) == words[0]


async def test_a_replay_is_heard_again():
    """A word whose audio is sent twice is said twice."""
    _, start, end = FIRST
    clip = synthesize(start - 3000, end - start + 6000 - 2000)
    assert ["w0000000", "w0000000"] == [word[0] for word in await hear(clip, clip)]


async def test_a_tail_lost_to_a_jump():
    """A word that is left for another place is given up on, and the next is heard."""
    _, start, end = FIRST
    other = words_between(60 * RATE, 70 * RATE)[0]
    words = await hear(synthesize(0, start + (end - start) // 2), synthesize(other[1] - 1600, 12_000))
    assert ["frag-0000000", other[0]] == [word[0] for word in words][:2]


async def test_music_is_no_word():
    """Music carries positions and never words."""
    pieces = []
    engine = OracleEngine(RATE, 0.5, pieces.append)
    assert [] == await engine.hear(synthesize(0, RATE, plan="music").tobytes())
    assert [("music", 0, RATE, True)] == [(p.plan, p.position, p.count, p.exact) for p in pieces]


def test_a_rate_that_has_no_blocks():
    """The oracle cannot read every rate, and says so."""
    with pytest.raises(EngineError, match="11025"):
        OracleEngine(11_025, 0.5, lambda piece: None)
