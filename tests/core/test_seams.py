"""Seams: where a replay begins, and which of its words are new."""

import json
from dataclasses import replace
from importlib.resources import files
from random import Random

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.seams import (
    AFTER_SECONDS,
    CUT_TRUST_SECONDS,
    OVERLAP_SECONDS,
    Sewn,
    end_seam_at,
    live_start,
    replay_end,
    replay_start,
    seam_at,
    sew,
    sew_end,
)
from stenod.core.turns import PlacedWord, in_order

RATE = 16_000


def word(text: str, start: float, end: float) -> PlacedWord:
    """A word at seconds."""
    return PlacedWord(text, round(start * RATE), round(end * RATE))


def texts(sewn: Sewn) -> list[str]:
    """What is left."""
    return [one.text for one in sewn.kept]


def speech(rng: Random, count: int, pauses: bool) -> list[PlacedWord]:
    """Words that abut, or with short pauses."""
    words, at = [], 1.0
    for index in range(count):
        end = at + rng.uniform(0.2, 0.5)
        words.append(word(f"w{index}", at, end))
        at = end + (rng.uniform(0.06, 0.14) if pauses else 0.0)
    return words


def loud(seconds: float) -> bytes:
    """Audio that is nowhere quiet."""
    return (np.sin(np.arange(round(seconds * RATE))) * 8000).astype("<i2").tobytes()


def quiet(seconds: float) -> bytes:
    """Faint noise."""
    return np.random.default_rng(1).integers(-3, 4, round(seconds * RATE)).astype("<i2").tobytes()


@pytest.mark.parametrize(("torn", "kept"), [(True, ["dow", "is"]), (False, ["win", "dow", "is"])])
def test_a_replay_that_begins_within_speech_may_begin_with_half_a_word(torn: bool, kept: list[str]) -> None:
    """However short its overlap is; what begins in the quiet has none."""
    seam = seam_at([], RATE, round(1.4 * RATE), RATE, torn=torn)
    heard = [word("win", 1.0, 1.2), word("dow", 1.3, 1.5), word("is", 1.5, 1.7)]
    assert texts(sew(seam, heard, RATE)) == kept


def test_a_replay_without_overlap_keeps_every_word() -> None:
    """After a quiet point nothing can be a repetition, whatever its times and texts."""
    printed = [word("yes", 1.0, 1.3)]
    seam = seam_at(printed, RATE * 2, RATE * 2, RATE)
    assert ["yes", "no"] == texts(sew(seam, [word("yes", 2.0, 2.2), word("no", 2.2, 2.4)], RATE))


def test_what_is_printed_is_dropped_and_the_rest_kept() -> None:
    """The overlap's words find their partners; a fragment at the beginning has one too."""
    printed = [word("a", 1, 1.3), word("b", 1.3, 1.6), word("c", 1.7, 2.0), word("d", 2.0, 2.4)]
    seam = seam_at(printed, round(1.1 * RATE), round(2.4 * RATE), RATE)
    heard = [
        word("frag", 1.1, 1.3),
        word("B", 1.3, 1.6),
        word("c,", 1.7, 2.0),
        word("d", 2.0, 2.4),
        word("e", 2.4, 2.8),
    ]
    assert ["e"] == texts(sew(seam, heard, RATE))


def test_a_word_said_twice_is_printed_twice() -> None:
    """Equal words find the partner that lies nearest; the second one is new."""
    seam = seam_at([word("no", 1.0, 1.3)], RATE, round(1.3 * RATE), RATE)
    assert ["no"] == texts(sew(seam, [word("no", 1.0, 1.3), word("no", 1.5, 1.8)], RATE))


def test_a_replay_worded_otherwise_is_one_word_and_a_doubt() -> None:
    """In its very place another text is the same word heard again; an equal one further on is new."""
    seam = seam_at([word("their", 2.0, 2.4)], RATE, round(2.4 * RATE), RATE)
    sewn = sew(seam, [word("there", 2.0, 2.4), word("their", 2.9, 3.1)], RATE)
    assert ["their"] == texts(sewn)
    assert sewn.doubtful


def test_a_word_that_the_first_session_missed_is_kept_and_marked() -> None:
    """In doubt a word comes out of order rather than not at all."""
    seam = seam_at([word("a", 1.0, 1.3), word("c", 2.0, 2.3)], RATE, round(2.3 * RATE), RATE)
    sewn = sew(seam, [word("a", 1.0, 1.3), word("b", 1.5, 1.7), word("c", 2.0, 2.3)], RATE)
    assert (["b"], True) == (texts(sewn), sewn.doubtful)


def test_a_neighbour_is_no_partner() -> None:
    """A replay that begins right behind a printed word does not take the next word for it, whatever its text."""
    printed = [word("no", 1.0, 1.3), word("yes", 1.35, 1.6)]
    seam = seam_at(printed, round(1.62 * RATE), round(1.9 * RATE), RATE)
    assert ["yes", "so"] == texts(sew(seam, [word("yes", 1.65, 1.9), word("so", 1.9, 2.1)], RATE))
    padded = seam_at([word("no", 1.0, 1.8)], round(1.62 * RATE), round(1.9 * RATE), RATE)
    assert ["yes"] == texts(sew(padded, [word("yes", 1.65, 2.0)], RATE))


def test_a_second_turn_of_the_overlap_meets_only_what_is_left() -> None:
    """The alignment goes on from turn to turn, in order."""
    printed = [word("a", 1.0, 1.2), word("a", 1.3, 1.5)]
    seam = seam_at(printed, RATE, round(1.5 * RATE), RATE)
    first = sew(seam, [word("a", 1.0, 1.2)], RATE)
    assert [] == texts(first)
    assert ["b"] == texts(sew(first.seam, [word("a", 1.3, 1.5), word("b", 1.6, 1.8)], RATE))


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(0, 10**9), st.booleans())
def test_exact_replays_neither_lose_nor_repeat(seed: int, pauses: bool) -> None:
    """Wherever the replay begins and the words were cut, what is printed in the end is what was said."""
    rng = Random(seed)
    words = speech(rng, 20, pauses)
    last = rng.randrange(8, 15)
    settled = words[last].end
    start = settled - round(OVERLAP_SECONDS * RATE)
    heard = [PlacedWord(one.text, max(one.start, start), one.end) for one in words if one.end > start + RATE // 20]
    cut = rng.randrange(1, len(heard))
    seam = seam_at(words[: last + 1], start, settled, RATE)
    first = sew(seam, heard[:cut], RATE)
    second = sew(first.seam, heard[cut:], RATE)
    assert [one.text for one in words[last + 1 :]] == texts(first) + texts(second)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(0, 10**9), st.booleans())
def test_replays_as_real_providers_say_them(seed: int, pauses: bool) -> None:
    """A turn's first word comes up to 1 s early and its last 0.25 s late, and one word in twenty is another."""
    rng = Random(seed)
    words = speech(rng, 20, pauses)
    last = rng.randrange(8, 15)
    printed = [
        *words[:last],
        PlacedWord(words[last].text, words[last].start, words[last].end + rng.randrange(RATE // 4)),
    ]
    settled = printed[-1].end
    start = settled - round(OVERLAP_SECONDS * RATE)
    heard = [PlacedWord(one.text, max(one.start, start), one.end) for one in words if one.end > start + RATE // 20]
    heard[0] = PlacedWord(heard[0].text, max(start, heard[0].start - rng.randrange(RATE)), heard[0].end)
    reworded = {one.text for one in heard if rng.random() < 0.05}
    spoken = [PlacedWord(f"x{one.text}" if one.text in reworded else one.text, one.start, one.end) for one in heard]
    left = [text.removeprefix("x") for text in texts(sew(seam_at(printed, start, settled, RATE), spoken, RATE))]
    assert [one.text for one in words[last + 1 :]] == left


def test_a_word_that_is_padded_into_the_quiet_is_not_torn() -> None:
    """A replay that begins in a pause cuts no word: what is said to begin there is what comes after it."""
    printed = [word("a", 3.0, 3.4)]
    seam = seam_at(printed, round(3.5 * RATE), 4 * RATE, RATE)
    assert ["b"] == texts(sew(seam, [word("b", 3.5, 3.95)], RATE))


def test_half_a_word_at_the_beginning_of_a_replay_is_left_out() -> None:
    """It is in the place of the word whose half it is, or of the next one, padded; it is neither."""
    printed = [word("a", 1.69, 1.98), word("b", 1.69, 2.32), word("c", 2.45, 3.87)]
    seam = seam_at(printed, round(1.87 * RATE), round(3.87 * RATE), RATE)
    first = sew(seam, [word("frag", 1.87, 2.15)], RATE)
    assert ([], []) == (texts(first), texts(sew(first.seam, [word("b", 1.87, 2.32), word("c", 2.45, 3.82)], RATE)))


def test_a_long_word_across_the_beginning_of_the_share_is_kept() -> None:
    """Nobody else has said it whole, wherever it is said to begin."""
    seam = seam_at([word("a", 0.8, 1.05)], RATE, 3 * RATE, RATE)
    assert ["long"] == texts(sew(seam, [word("long", 1.1, 3.2)], RATE))


def turns_of(words: list[PlacedWord], rng: Random, earliest: int, real: bool) -> list[list[PlacedWord]]:
    """Cut words into turns, with the edges that real providers give them, and one in twenty worded otherwise."""
    turns = []
    while words:
        count = rng.randrange(1, 9)
        turn, words = list(words[:count]), words[count:]
        if real:
            turn[0] = replace(turn[0], start=turn[0].start - rng.randrange(RATE))
            turn[-1] = replace(turn[-1], end=turn[-1].end + rng.randrange(RATE // 4))
        turns.append(list(in_order(turn, earliest)))
        earliest = turns[-1][-1].start
    return turns


def missing_and_twice(seed: int, vocabulary: int, real: bool) -> tuple[int, int]:
    """Replay speech from within it, in turns, with all that may be untidy; count what the seam lost and repeated."""
    rng = Random(seed)
    words = [
        replace(one, text=f"w{rng.randrange(vocabulary)}" if vocabulary else one.text, speaker=str(index))
        for index, one in enumerate(speech(rng, 30, pauses=seed % 2 == 0))
    ]
    last = rng.randrange(8, 20)
    printed = [one for turn in turns_of(words[: last + 1], rng, 0, real) for one in turn]
    settled = printed[-1].end
    start = settled - round(OVERLAP_SECONDS * RATE)
    heard = [one for one in words if one.start >= start - RATE // 20]
    halves = [one for one in words if one.start < start - RATE // 20 and one.end > start + RATE // 20]
    if rng.random() < 0.5:
        heard = [replace(one, text="half", start=start) for one in halves] + heard
    seam, kept = seam_at(printed, start, settled, RATE), []
    for turn in turns_of(heard, rng, start, real):
        said = [replace(one, text=f"x{one.text}") if real and rng.random() < 0.05 else one for one in turn]
        sewn = sew(seam, said, RATE)
        seam, kept = sewn.seam, kept + [str(one.speaker) for one in sewn.kept]
    wanted = {str(index) for index in range(last + 1, len(words))}
    if [words[int(one)].text for one in kept] == [words[int(one)].text for one in sorted(wanted, key=int)]:
        return 0, 0  # the other one of two equal words
    return len(wanted - set(kept)), len(set(kept) - wanted)


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", [0, 8, 2, 1])
def test_exact_replays_in_turns_neither_lose_nor_repeat(vocabulary: int) -> None:
    """Also where all words are the same one, and half a word comes first."""
    assert {(0, 0)} == {missing_and_twice(seed, vocabulary, real=False) for seed in range(300)}


@pytest.mark.slow
@pytest.mark.parametrize(("vocabulary", "missing_max", "twice_max"), [(0, 2, 12), (8, 6, 20)])
def test_untidy_replays_seldom_do(vocabulary: int, missing_max: int, twice_max: int) -> None:
    """Of 2000 seams within speech, where every turn is padded: padded and worded otherwise at once is what is left."""
    found = [missing_and_twice(seed, vocabulary, real=True) for seed in range(2000)]
    assert sum(missing for missing, _ in found) <= missing_max
    assert sum(twice for _, twice in found) <= twice_max


def test_a_replay_begins_in_the_last_quiet_point() -> None:
    """In the middle of the pause before what was not final."""
    audio = loud(1.0) + quiet(0.2) + loud(0.8)
    assert round(3.1 * RATE) == replay_start(audio, b"", 4 * RATE, RATE)


def test_a_replay_begins_where_it_is_quiet_after_the_last_final() -> None:
    """Nothing is heard twice where speech had just ended."""
    assert 4 * RATE == replay_start(loud(2.0), quiet(AFTER_SECONDS), 4 * RATE, RATE)


def test_a_replay_does_not_begin_in_a_word_that_ends_soon() -> None:
    """The quiet behind it is no place to begin before it: the word would be heard from its middle, and never whole."""
    audio = loud(1.0) + quiet(0.2) + loud(0.8)
    assert round(3.1 * RATE) == replay_start(audio, loud(0.02) + quiet(0.18), 4 * RATE, RATE)
    assert 2 * RATE == replay_start(loud(2.0), loud(0.02) + quiet(0.18), 4 * RATE, RATE)


def test_a_replay_does_not_begin_where_a_word_may_have_begun() -> None:
    """Blocks of quiet are 20 ms long, and the last one may hold the first samples of a word."""
    audio = loud(1.8) + quiet(0.2)
    assert round(3.98 * RATE) == replay_start(audio[:-8] + loud(1.0)[:8], loud(0.1), 4 * RATE, RATE)


def test_a_replay_without_quiet_overlaps_by_all_there_is() -> None:
    """Two seconds, or what the journal still has."""
    assert 2 * RATE == replay_start(loud(2.0), loud(0.1), 4 * RATE, RATE)
    assert round(3.5 * RATE) == replay_start(loud(0.5), b"", 4 * RATE, RATE)


def test_silence_alone_needs_no_overlap() -> None:
    """A quiet night is one long quiet point."""
    assert 4 * RATE == replay_start(quiet(2.0), quiet(0.1), 4 * RATE, RATE)


def test_a_plosive_is_no_quiet_point() -> None:
    """A closure of 160 ms lies within a word."""
    assert 2 * RATE == replay_start(loud(1.0) + quiet(0.16) + loud(0.84), loud(0.1), 4 * RATE, RATE)


@pytest.mark.parametrize(
    ("audio", "found"),
    [
        (loud(1.8) + quiet(0.2), 3.91),
        (loud(1.0) + quiet(1.0), 3.91),
        (loud(1.0) + quiet(0.2) + loud(0.8), 3.11),
        (loud(1.9) + quiet(0.1), None),
        (loud(2.0), None),
    ],
)
def test_where_a_live_session_parts_from_the_late_one(audio: bytes, found: float | None) -> None:
    """Within the quiet, not at its end: the sound of a stop may be about to come, and each would hear half of it."""
    assert (None if found is None else round(found * RATE)) == live_start(audio, 4 * RATE, RATE)


def test_no_replay_of_real_speech_begins_in_the_quiet_within_a_word() -> None:
    """Wherever the last final ended, the replay begins between words, or two seconds before.

    The sample's words have stops with closures of 60 to 160 ms; what is soft at a word's edge is no closure.
    """
    pcm, words = sample_audio()
    overlap, after = round(OVERLAP_SECONDS * RATE), round(AFTER_SECONDS * RATE)
    begun = 0
    for settled in range(overlap, len(pcm) // 2 - after, RATE // 20):
        before, behind = pcm[2 * (settled - overlap) : 2 * settled], pcm[2 * settled : 2 * (settled + after)]
        start = replay_start(before, behind, settled, RATE)
        if start > settled - overlap:
            begun += 1
            assert not [one.text for one in words if one.start + RATE // 10 < start < one.end - RATE // 10]
    assert begun > 200


def test_a_live_session_begins_before_the_sound_of_a_stop() -> None:
    """Wherever the tail is: at least a twentieth before a word's loud sound, so that it is heard whole."""
    pcm, words = sample_audio()
    overlap = round(OVERLAP_SECONDS * RATE)
    begun, torn = 0, []
    for tail in range(overlap, len(pcm) // 2, RATE // 100):
        start = live_start(pcm[2 * (tail - overlap) : 2 * tail], tail, RATE)
        if start is not None:
            begun += 1
            torn += [one.text for one in words if one.start + RATE // 20 < start < one.end - RATE // 20]
    assert begun > 1000
    assert [] == torn


def sample_audio() -> tuple[bytes, list[PlacedWord]]:
    """The shipped speech and its words."""
    data = files("stenod") / "data"
    pcm, rate = soundfile.read(str(data / "sample.flac"), dtype="int16")
    told = json.loads((data / "sample.json").read_text())
    assert rate == RATE
    return pcm.tobytes(), [
        word(one["text"], one["start"], one["end"]) for sentence in told["sentences"] for one in sentence["words"]
    ]


@settings(derandomize=True, deadline=None, max_examples=1000)
@given(st.integers(0, 10**9), st.booleans(), st.booleans())
def test_a_late_session_meets_those_who_went_on(seed: int, pauses: bool, real: bool) -> None:
    """Whoever went on at a place within speech said its words; the late one says all before, none twice, none torn."""
    rng = Random(seed)
    words = speech(rng, 30, pauses)
    boundary = rng.randrange(words[12].start, words[20].end)
    overlap = round(OVERLAP_SECONDS * RATE)
    follower = [
        PlacedWord(one.text, max(one.start, boundary - overlap), one.end)
        for one in words
        if one.end > boundary - overlap
    ]
    first = sew(seam_at([], boundary - overlap, boundary, RATE), follower, RATE)
    printed = list(first.kept)
    if real:
        earliest = max(boundary - overlap, printed[0].start - rng.randrange(RATE))
        printed[0] = PlacedWord(printed[0].text, earliest, printed[0].end)
    late = [
        PlacedWord(one.text, one.start, min(one.end, boundary + overlap))
        for one in words
        if one.start < boundary + overlap
    ]
    trusted = [one for one in late if one.end <= boundary + overlap - round(CUT_TRUST_SECONDS * RATE)]
    turns, seam, kept = rng.randrange(1, len(trusted)), end_seam_at(printed, boundary), []
    for turn in (trusted[:turns], trusted[turns:]):
        sewn = sew_end(seam, turn, RATE)
        seam, kept = sewn.seam, kept + [one.text for one in sewn.kept]
    assert kept + [one.text for one in printed] == [one.text for one in words]


def test_the_last_word_of_a_late_turn_is_not_its_padded_neighbour() -> None:
    """What others printed is padded over the word before it: only that word's own text says where they began."""
    seam = end_seam_at([word("b", 5.67, 6.29), word("c", 6.29, 6.68)], round(7.6 * RATE))
    first = sew_end(seam, [word("a", 5.59, 6.05)], RATE)
    second = sew_end(first.seam, [word("b", 6.05, 6.29), word("c", 6.29, 6.68)], RATE)
    assert (["a"], []) == ([one.text for one in first.kept], [one.text for one in second.kept])


@pytest.mark.parametrize("moved", [0.0, 0.05])
def test_a_last_word_that_is_heard_otherwise(moved: float) -> None:
    """In the very place of a printed one it is that one, though nothing behind it says so."""
    seam = end_seam_at([word("b", 2.9, 3.3), word("c", 3.9, 4.2), word("d", 4.2, 4.5)], round(4.4 * RATE))
    late = [word("a", 2.5, 2.9), word("b", 2.9, 3.3), word("see", 3.9 + moved, 4.2)]
    sewn = sew_end(seam, late, RATE)
    assert (["a"], True) == ([one.text for one in sewn.kept], sewn.doubtful)


def test_a_last_word_that_is_heard_otherwise_at_the_end_of_all_that_was_heard() -> None:
    """Others say that it ends later: they heard what comes behind it."""
    end = round(4.4 * RATE)
    printed, late = [word("b", 3.5, 3.8), word("c.", 4.0, 4.51)], [word("b", 3.5, 3.8), word("see.", 4.0, 4.4)]
    assert ["see."] == [one.text for one in sew_end(end_seam_at(printed, end), late, RATE).kept]
    sewn = sew_end(end_seam_at(printed, end, heard_until=end), late, RATE)
    assert ([], True) == ([one.text for one in sewn.kept], sewn.doubtful)


def test_those_who_began_in_a_quiet_point_repeat_nothing() -> None:
    """An equal word right behind the pause is another word."""
    seam = end_seam_at([word("no", 2.0, 2.2)], round(1.9 * RATE))
    assert ["no"] == [one.text for one in sew_end(seam, [word("no", 1.6, 1.8)], RATE).kept]


def test_where_a_late_session_stops_hearing() -> None:
    """At its share's end where that is quiet, in the next pause, or after all there is, and then not believed."""
    end = 4 * RATE
    assert replay_end(loud(1.0) + quiet(0.5), quiet(0.5) + loud(1.0), end, RATE)[0] == end
    heard, believed = replay_end(loud(2.0), loud(1.0) + quiet(0.2) + loud(0.8), end, RATE)
    assert heard == round(5.1 * RATE)
    assert believed > heard
    assert (6 * RATE, round(5.7 * RATE)) == replay_end(loud(2.0), loud(2.0), end, RATE)
    assert (end, end) == replay_end(loud(2.0), b"", end, RATE)
