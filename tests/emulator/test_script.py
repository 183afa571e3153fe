"""The engine that reads from a script."""

import json

import msgspec
import pytest

from stenod.emulator.script import load_script, parse_script

from .raw_client import emulator, session

WORDS = [
    {"text": "hello", "start": 0.5, "end": 0.9},
    {"text": "world", "start": 1.0, "end": 1.4},
    {"text": "again", "start": 3.0, "end": 3.5},
]

BACKWARDS = [
    b'{"text":"a","start":2,"end":1}',
    b'[{"text":"a","start":-1,"end":1}]',
    b'[[{"text":"a","start":1,"end":1e300}]]',
]


async def test_words_at_their_times(autojump_clock, tmp_path):
    """Words come when the audio has passed them, whatever it is, in turns that pauses end."""
    path = tmp_path / "words.jsonl"
    path.write_text("\n".join(map(json.dumps, WORDS)))
    server = emulator(engine=f"script:{path}")
    for _ in range(2):
        async with session(server) as client:
            await client.zeros(5)
        assert ["hello world", "again"] == [final["transcript"] for final in client.finals]
        assert (500, 900) == (client.finals[0]["words"][0]["start"], client.finals[0]["words"][0]["end"])


async def test_one_list_a_session():
    """A list of lists is one a session; later sessions hear nothing."""
    script = parse_script(json.dumps([WORDS[:1], WORDS[1:]]).encode())
    texts = []
    for number in range(3):
        engine = script.engine(number, 16_000, 0.5)
        hypotheses = [*await engine.hear(bytes(2 * 16_000 * 10)), *await engine.end_turn()]
        texts.append([word.text for one in hypotheses if one.ended for word in one.words])
    assert [["hello"], ["world", "again"], []] == texts


async def test_one_document():
    """A list of words serves every session."""
    engine = parse_script(json.dumps(WORDS).encode()).engine(7, 8000, 0.5)
    engine.set_pause(5.0)
    hypotheses = [*await engine.hear(bytes(2 * 8000 * 10)), *await engine.end_turn()]
    assert ["hello", "world", "again"] == [word.text for word in hypotheses[-1].words]


@pytest.mark.parametrize(
    "data", [b"{", b'[{"text":"x"}]', b"[[],3]", b'[[],{"text":"a","start":0,"end":1}]', *BACKWARDS]
)
def test_scripts_that_are_wrong(data, tmp_path):
    """A file that is no script is named, with the cause."""
    with pytest.raises(msgspec.DecodeError):
        parse_script(data)
    (tmp_path / "bad.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"cannot read script .*bad\.json"):
        load_script(tmp_path / "bad.json")
