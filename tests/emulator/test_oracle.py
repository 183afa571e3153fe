"""The oracle's audio, its plans, and the reading of it."""

from itertools import pairwise

import numpy as np
import pytest
import soxr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stenod.emulator.decoder import Decoder, Kind, Piece
from stenod.emulator.oracle import BLOCKS_MAX, block_samples_at, code_of, position_of, synthesize, words_between
from stenod.emulator.plans import PLAN_NAMES, Dice

RATE = 16_000
DAY = 86_400 * RATE


def decode(samples, chunk=1600, rate=RATE) -> list[Piece]:
    """Return the pieces of audio that arrives in chunks, contiguous ones of a kind joined."""
    decoder = Decoder(rate)
    pieces = [piece for at in range(0, len(samples), chunk) for piece in decoder.feed(samples[at : at + chunk])]
    joined: list[Piece] = []
    for piece in [*pieces, *decoder.finish()]:
        last = joined[-1] if joined else None
        if last and (last.kind, last.plan, last.exact) == (piece.kind, piece.plan, piece.exact):
            shift = piece.position - last.position - last.count
            if piece.start == last.start + last.count and (piece.kind is not Kind.ORACLE or shift == 0):
                joined[-1] = Piece(
                    last.kind, last.start, last.count + piece.count, last.position, last.plan, last.exact
                )
                continue
        joined.append(piece)
    return joined


def told(pieces) -> list[tuple[str, int, int, int]]:
    """Return kind, start, count and position of pieces, without the shared samples of ambiguous seams."""
    reached = 0
    rows = []
    for piece in pieces:
        skip = max(0, reached - piece.start)
        if piece.count > skip:
            position = piece.position + skip if piece.kind is Kind.ORACLE else 0
            rows.append((piece.kind.value, piece.start + skip, piece.count - skip, position))
        reached = max(reached, piece.start + piece.count)
    return rows


@pytest.mark.parametrize("plan", PLAN_NAMES)
def test_any_slice_is_the_same(plan):
    """A slice of the signal equals the same slice of a longer one, across pages and from afar."""
    whole = synthesize(35 * DAY, 400_000, plan=plan)
    for start, count in ((0, 1), (123, 1600), (159_990, 20), (159_000, 170_000)):
        assert np.array_equal(whole[start : start + count], synthesize(35 * DAY + start, count, plan=plan))


def test_no_sample_is_zero_and_none_clips():
    """Zero belongs to whoever injects silence."""
    for plan in PLAN_NAMES:
        audio = synthesize(0, 20 * RATE, plan=plan)
        assert not (audio == 0).any()
        assert np.abs(audio.astype(int)).max() < 32_767


def test_speech_is_40_db_louder_than_quiet():
    """Words stand out plainly, and only words are loud."""
    audio = synthesize(0, 60 * RATE).astype(float)
    loud = np.zeros(len(audio), dtype=bool)
    for _, start, end in words_between(0, 60 * RATE):
        loud[start:end] = True
    ratio = np.sqrt((audio[loud] ** 2).mean() / (audio[~loud] ** 2).mean())
    assert 40 < 20 * np.log10(ratio) < 45
    assert np.sqrt((audio[loud] ** 2).mean()) > 3000


def test_dialogue():
    """Words of 200 to 500 ms, small gaps, pauses of 0.6 to 2 s, turns of 3 to 12 words, unique consecutive names."""
    words = words_between(0, 3600 * RATE)
    lengths = [(end - start) / RATE for _, start, end in words]
    gaps = [(after[1] - before[2]) / RATE for before, after in pairwise(words)]
    assert (0.2, 0.5) == (min(lengths), max(lengths))
    assert all(0.06 <= gap <= 0.14 or 0.6 <= gap <= 2.0 for gap in gaps)
    assert [f"w{index:07d}" for index in range(len(words))] == [text for text, _, _ in words]
    turns = np.diff([-1, *(place for place, gap in enumerate(gaps) if gap > 0.5)])
    assert (3, 12) == (turns.min(), turns.max())


def test_continuous():
    """Words abut with no quiet, for ever."""
    words = words_between(10 * DAY, 10 * DAY + 600 * RATE, "continuous")
    assert all(before[2] == after[1] for before, after in pairwise(words))
    assert all(0.2 <= (end - start) / RATE <= 0.5 for _, start, end in words)


def test_silence_and_music():
    """Minutes without a word, and sound without a word."""
    words = words_between(0, 3600 * RATE, "silence")
    gaps = [(after[1] - before[2]) / RATE for before, after in pairwise(words)]
    assert all(gap < 0.2 or 60 < gap < 300 for gap in gaps)
    assert len(words) == 120
    assert [] == words_between(0, 3600 * RATE, "music")
    assert np.sqrt((synthesize(0, RATE, plan="music").astype(float) ** 2).mean()) > 3000


def test_words_at_the_edges():
    """A word is told when one sample of it is in the range, and not when it only touches it."""
    (text, start, end), *_ = words_between(0, 4 * RATE)
    assert [] == words_between(0, start)
    assert [(text, start, end)] == words_between(0, start + 1)
    assert text == words_between(end - 1, end)[0][0]
    assert [] == words_between(end, end + 1)
    assert [] == words_between(5, 5)


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000])
def test_other_rates(rate):
    """Plans are the same at every rate, and the exact reading works."""
    audio = synthesize(7 * rate, 5 * rate, rate=rate)
    (piece,) = decode(audio, rate // 10, rate)
    assert (7 * rate, 5 * rate, True) == (piece.position, piece.count, piece.exact)
    scaled = [(text, start * rate // RATE, end * rate // RATE) for text, start, end in words_between(0, 60 * RATE)]
    assert scaled == words_between(0, 60 * rate, rate=rate)


def test_limits():
    """Rates that do not divide into blocks, and positions beyond the range, are errors."""
    with pytest.raises(ValueError, match="multiple of 50"):
        synthesize(0, 10, rate=11_025)
    with pytest.raises(ValueError, match="positions run"):
        synthesize(BLOCKS_MAX * 320, 10)
    assert BLOCKS_MAX * 320 > 40 * DAY


@given(block=st.integers(0, BLOCKS_MAX - 1), plan=st.sampled_from(PLAN_NAMES))
def test_code_is_reversible(block, plan):
    """A code names plan and block."""
    (code,) = code_of(np.array([block]), plan)
    assert (plan, block) == position_of(int(code))


def test_a_wrong_code_is_noticed():
    """Three codes in four are none."""
    dice = Dice(1)
    valid = sum(position_of(dice.between(0, 2**32 - 1)) is not None for _ in range(4000))
    assert 800 < valid < 1200


SEGMENT = st.tuples(st.sampled_from(["zeros", *PLAN_NAMES]), st.integers(0, 40 * DAY), st.integers(1000, 12_000))


@settings(max_examples=60, deadline=None)
@given(segments=st.lists(SEGMENT, min_size=1, max_size=6), chunk=st.integers(800, 16_000))
def test_jumps_are_read_to_the_sample(segments, chunk):
    """Whatever is joined to whatever, and however it is cut into messages, the exact runs come back."""
    assume(all(after[1] != before[1] + before[2] for before, after in pairwise(segments)))
    audio, truth, at = [], [], 0
    for plan, position, length in segments:
        count = length
        if plan == "zeros":
            audio.append(np.zeros(count, np.int16))
            if truth and truth[-1][0] == "silence":
                count += truth[-1][2]
                at -= truth.pop()[2]
            truth.append(("silence", at, count, 0))
        else:
            audio.append(synthesize(position, count, plan=plan))
            truth.append(("oracle", at, count, position))
        at += count
    rows = told(decode(np.concatenate(audio), chunk))
    assert [row[0] for row in truth] == [row[0] for row in rows]
    for expected, row in zip(truth, rows, strict=True):
        # At a seam samples may agree by chance, and then belong to both.
        assert abs(expected[1] - row[1]) <= 4
        if expected[0] == "oracle":
            assert expected[3] - expected[1] == row[3] - row[1]


@pytest.mark.parametrize("level", [1.0, 0.3, 0.03, -0.5])
@pytest.mark.parametrize("start", [33 * RATE + 77, 39 * DAY + 12_345])
def test_positions_survive_resampling(start, level):
    """16 kHz to 44.1 kHz stereo and back, louder or quieter: positions within 5 ms, and known not to be exact."""
    audio = synthesize(start, 20 * RATE).astype(np.float32) / 32_768
    stereo = np.stack([soxr.resample(audio, RATE, 44_100)] * 2, axis=1) * level
    wide = np.clip(np.rint(stereo * 32_767), -32_768, 32_767).astype(np.int16)
    back = soxr.resample(wide.astype(np.float32).mean(axis=1) / 32_768, 44_100, RATE)
    pieces = [piece for piece in decode(np.rint(back * 32_767).astype(np.int16)) if piece.kind is Kind.ORACLE]
    assert sum(piece.count for piece in pieces) > 19.5 * RATE
    assert not any(piece.exact for piece in pieces)
    assert all(abs(piece.position - piece.start - start) <= RATE // 200 for piece in pieces)


def test_noise_is_unknown():
    """What nobody coded has no position, and what comes after it is found again."""
    noise = np.random.default_rng(0).integers(-5000, 5000, RATE).astype(np.int16)
    rows = told(decode(np.concatenate((noise, synthesize(5 * RATE, RATE)))))
    assert ["unknown", "oracle"] == [row[0] for row in rows]
    assert rows[1][1] == pytest.approx(RATE, abs=4)


@pytest.mark.parametrize("size", [100, 319, 500])
def test_a_short_piece_is_given_up(size):
    """Audio too short to hold a whole block is unknown, and accounted for all the same."""
    rows = told(decode(synthesize(5, size)))
    assert size == sum(row[2] for row in rows)


def test_decoder_keeps_little():
    """At most 80 ms of what cannot be read waits for more."""
    decoder = Decoder(RATE)
    noise = np.random.default_rng(0).integers(-5000, 5000, 10 * RATE).astype(np.int16)
    for at in range(0, len(noise), 1600):
        decoder.feed(noise[at : at + 1600])
        assert at + 1600 - decoder.resolved <= 4 * block_samples_at(RATE)


def quieter(samples, level=0.4):
    """Return the samples at another level, which is not exact any more."""
    return np.rint(samples * level).astype(np.int16)


def test_rough_runs_end_where_something_else_begins():
    """Jumps, silence and noise are found in audio that is not exact too, within a block."""
    noise = np.random.default_rng(0).integers(-3000, 3000, 8000).astype(np.int16)
    audio = np.concatenate(
        (
            quieter(synthesize(5 * RATE, RATE)),
            quieter(synthesize(90 * RATE + 123, RATE)),
            np.zeros(4000, np.int16),
            quieter(synthesize(7 * RATE, RATE)),
            noise,
            quieter(synthesize(30 * RATE, RATE)),
        )
    )
    pieces = [piece for piece in decode(audio) if piece.kind is Kind.ORACLE]
    offsets = {round(piece.position - piece.start) for piece in pieces}
    truth = {5 * RATE, 89 * RATE + 123, 7 * RATE - 36_000, 30 * RATE - 60_000}
    assert all(min(abs(offset - expected) for expected in truth) <= 80 for offset in offsets)
    assert sum(piece.count for piece in pieces) > 4 * RATE - 8 * 320
    assert sum(piece.count for piece in decode(audio) if piece.kind is Kind.SILENCE) == pytest.approx(4000, abs=16)
    assert not any(piece.exact for piece in pieces)


def test_a_change_of_level_is_followed():
    """Audio that turns quieter in mid-stream stays at its position, and is exact again when it is loud again."""
    parts = (synthesize(0, RATE), quieter(synthesize(RATE, RATE)), synthesize(2 * RATE, RATE))
    pieces = [piece for piece in decode(np.concatenate(parts)) if piece.kind is Kind.ORACLE]
    assert all(abs(piece.position - piece.start) <= 1 for piece in pieces)
    assert [True, False, True] == [piece.exact for piece in pieces if piece.count > RATE // 2]


def test_a_rough_tail_is_accounted_for():
    """What is left of a rough run at the end is part of it."""
    samples = quieter(synthesize(50 * RATE, 1700))
    assert 1700 == sum(piece.count for piece in decode(samples) if piece.kind is Kind.ORACLE)
