"""How much was certainly processed, held against a service of which the test knows everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.providers.assemblyai_progress import FALSE_START_SECONDS, ONSET_SECONDS, HeardLine, Progress


def beats(progress: Progress, *totals: float, factor: float | None = 0.99) -> list[float]:
    """Give a heartbeat every 5 s with these totals and return the bound after each."""
    progress.begin(1000.0)
    bounds = []
    for place, received in enumerate(totals, start=1):
        progress.beat(received=received, duration=place * 5.0, factor=factor, now=1000.0 + place * 5.0)
        bounds.append(progress.processed)
    return bounds


def test_fed_at_real_time_the_bound_is_one_heartbeat_behind() -> None:
    """What the heartbeat before had received."""
    assert beats(Progress(), 5, 10, 15, 20) == [0, 5, 10, 15]


def test_a_backlog_counts_at_real_time_only() -> None:
    """60 s at once: the bound moves 5 s a heartbeat, and nothing shows that it may move faster."""
    assert beats(Progress(), 60, 65, 70, 75) == [0, 5, 10, 15]


def test_a_word_closes_the_gap() -> None:
    """What was recognised was processed, and all before it."""
    progress = Progress()
    beats(progress, 60, 65, 70)
    progress.proven(68.0)
    progress.beat(received=75, duration=20.0, factor=1.0, now=1020.0)
    assert progress.processed == 70


def test_nobody_processes_more_than_was_received() -> None:
    """A word beyond the audio has a wrong time."""
    progress = Progress()
    progress.proven(80_000.0)
    progress.beat(received=5, duration=5.0, factor=1.0, now=5.0)
    assert progress.processed == 5


def test_a_late_heartbeat_proves_no_more_than_the_servers_clock() -> None:
    """A stalled network lengthens our wait, not the service's work; jitter adds up to nothing."""
    progress = Progress()
    progress.begin(0.0)
    progress.beat(received=60, duration=5.0, factor=1.0, now=5.0)
    progress.beat(received=65, duration=10.0, factor=1.0, now=40.0)
    assert progress.processed == 5
    progress.beat(received=70, duration=15.0, factor=1.0, now=40.0)
    assert progress.processed == 10


@given(st.lists(st.floats(0, 2), min_size=20, max_size=60))
def test_jitter_does_not_add_up(delays: list[float]) -> None:
    """After any delays on the way, a punctual heartbeat finds the bound where it would have been without them."""
    progress = Progress()
    progress.begin(0.0)
    for place, delay in enumerate([*delays, 0.0, 0.0], start=1):
        progress.beat(received=place * 5.0, duration=place * 5.0, factor=1.0, now=place * 5.0 + delay)
    assert progress.processed == pytest.approx(5.0 * (len(delays) + 1))


def test_a_service_that_lags_slows_the_bound() -> None:
    """It was fed at real time and keeps up with half of it."""
    assert beats(Progress(), 5, 10, 15, 20, factor=0.5) == [0, 2.5, 5.0, 7.5]


def test_a_low_factor_without_audio_says_nothing() -> None:
    """The factor falls by itself when less is sent."""
    assert beats(Progress(), 5, 6, 6, factor=0.69) == [0, 5, 6]


def test_without_duration_our_clock_counts() -> None:
    """An older server says less."""
    progress = Progress()
    for now in (5.0, 10.0, 15.0):
        progress.beat(received=now, duration=None, factor=None, now=now)
    assert progress.processed == 10


@given(
    st.lists(st.tuples(st.floats(0, 30), st.floats(0, 1)), min_size=1, max_size=30),
    st.floats(1.0, 1.25),
    st.floats(0, 3),
)
def test_the_bound_is_below_the_truth(intervals: list[tuple[float, float]], drain: float, delay: float) -> None:
    """Any audio at any moment of the interval, any drain from 1.0x to 1.25x, any delay on the way."""
    progress = Progress()
    progress.begin(0.0)
    received = processed = 0.0
    for place, (audio, moment) in enumerate(intervals, start=1):
        processed = min(received, processed + drain * 5.0 * moment)
        received += audio
        processed = min(received, processed + drain * 5.0 * (1 - moment))
        progress.beat(received=received, duration=place * 5.0, factor=1.0, now=place * 5.0 + delay * (place % 2))
        assert progress.processed <= processed + 1e-6


def test_the_line_only_moves_forward() -> None:
    """And keeps its margin where only silence speaks for it."""
    line = HeardLine()
    assert line.final_until(3.0, ())
    assert not line.final_until(2.0, ())
    line.progress.proven(4.0)
    assert not line.quiet()
    line.progress.proven(10.0)
    assert line.quiet()
    assert line.heard == 10.0 - ONSET_SECONDS


def test_pending_turns_and_announced_speech_hold_the_line() -> None:
    """Whichever comes first."""
    line = HeardLine()
    line.speech_started(8.0, newest_turn=0)
    line.speech_started(9.0, newest_turn=0)
    line.final_until(7.0, [5.0])
    assert line.heard == 5.0
    line.progress.proven(20.0)
    line.quiet()
    assert line.heard == 8.0
    line.turn_came(0)
    assert not line.quiet()
    line.turn_came(1)
    assert line.quiet()


def test_a_false_start_is_forgotten() -> None:
    """Half a minute of audio without its word."""
    line = HeardLine()
    line.speech_started(8.0, newest_turn=-1)
    line.progress.proven(8.0 + FALSE_START_SECONDS)
    line.quiet()
    assert line.heard == 8.0
    line.progress.proven(9.0 + FALSE_START_SECONDS)
    line.quiet()
    assert line.heard == 9.0 + FALSE_START_SECONDS - ONSET_SECONDS
