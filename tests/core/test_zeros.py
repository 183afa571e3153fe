"""When zeros are worth a second opening: soon, then ever more seldom, and never where nothing ever sounded."""

from itertools import pairwise

import pytest

from stenod.core.zeros import SOUND_SECONDS, WAIT_SECONDS, ZeroWatch, is_zeros

BLOCK = 0.02
SOUND, ZEROS = b"\0\0\1\0", bytes(4)


def doubts(watch: ZeroWatch, pcm: bytes, seconds: float) -> list[float]:
    """Go on for so long; return when it was time."""
    return [round(n * BLOCK, 2) for n in range(1, round(seconds / BLOCK) + 1) if watch.add(pcm, BLOCK)]


@pytest.mark.parametrize(("pcm", "answer"), [(b"", True), (ZEROS, True), (SOUND, False), (b"\0\x80", False)])
def test_zeros_are_exact(pcm: bytes, answer: bool) -> None:
    """One bit is none."""
    assert answer == is_zeros(pcm)


def test_what_never_sounded_is_not_doubted() -> None:
    """It is muted, or nobody plays: another opening could not be better."""
    assert [] == doubts(ZeroWatch(), ZEROS, 3600.0)


def test_a_mute_is_doubted_ever_more_seldom() -> None:
    """The first time within two seconds; a day costs a hundred openings."""
    watch = ZeroWatch()
    doubts(watch, SOUND, 60.0)
    at = doubts(watch, ZEROS, 86_400.0)
    assert WAIT_SECONDS[0] == pytest.approx(at[0], abs=0.03)
    assert at[0] < 2.0
    assert 100 <= len(at) <= 105
    assert [900.0] * 10 == [pytest.approx(later - earlier, abs=0.03) for earlier, later in pairwise(at)][-10:]


def test_a_noise_gate_costs_little() -> None:
    """Talk with two seconds of zeros after each four: one doubt, until its pauses are longer than all before."""
    watch = ZeroWatch()
    found = [len(doubts(watch, SOUND, 4.0) + doubts(watch, ZEROS, 2.0)) for _ in range(90)]
    assert sum(found) == 1


def test_after_long_sound_the_next_doubt_comes_soon() -> None:
    """What was a mute once is forgotten."""
    watch = ZeroWatch()
    doubts(watch, SOUND, 1.0)
    assert len(doubts(watch, ZEROS, 7.0)) == 2
    doubts(watch, SOUND, SOUND_SECONDS + 1.0)
    assert [pytest.approx(WAIT_SECONDS[0], abs=0.03)] == doubts(watch, ZEROS, 2.0)


def test_after_a_relief_the_next_doubt_comes_soon() -> None:
    """The zeros were a fault once, so they may be again."""
    watch = ZeroWatch()
    doubts(watch, SOUND, 1.0)
    doubts(watch, ZEROS, 7.0)
    watch.relieved()
    assert [pytest.approx(WAIT_SECONDS[0], abs=0.03)] == doubts(watch, ZEROS, 2.0)
