"""The rate rule, checked over every window that ends at a message."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.core.pacing import TOLERANCE_SECONDS, WINDOW_SECONDS, RateRule

CHUNK = 0.1
lengths = st.one_of(st.sampled_from([0.05, 0.1, 0.25, 1.0]), st.floats(0.05, 1.0))
pauses = st.one_of(st.just(0.0), st.floats(0.0, 0.3), st.floats(0.0, 15.0))
starts = st.sampled_from([0.0, 3.7, 1e6 + 1 / 3])


class Sender:
    """Sends as soon as the rule allows and checks the rule itself on each message."""

    def __init__(self, ratio: float, now: float = 0.0) -> None:
        self.rule = RateRule(ratio)
        self.now = now
        self.log: list[tuple[float, float]] = []

    def send(self, seconds: float, wished_at: float) -> float:
        """Return when the message went out."""
        wished_at = max(wished_at, self.now)
        self.now = self.rule.allowed_at(wished_at, seconds)
        assert wished_at <= self.now
        assert self.now == self.rule.allowed_at(self.now, seconds), "waiting once must be enough"
        self.rule.sent(self.now, seconds)
        self.log.append((self.now, seconds))
        # Windows are half open; the nanosecond keeps a message of exactly 10 s ago out of a rounded one.
        window = sum(length for at, length in self.log if at > self.now - WINDOW_SECONDS + 1e-9)
        assert window <= self.rule.ratio * WINDOW_SECONDS + 1e-6
        return self.now


def test_paces_a_backlog() -> None:
    """Behind, chunks of a second go out 0.8 s apart at 1.25x."""
    sender = Sender(1.25)
    assert [pytest.approx(sender.send(1.0, 0.0), abs=1e-5) for _ in range(4)] == [0.0, 0.8, 1.6, 2.4]


def test_an_idle_time_saves_nothing_up() -> None:
    """After a quiet minute a backlog goes out as smoothly as ever, not as one burst of a window."""
    sender = Sender(1.25)
    sender.send(1.0, 0.0)
    assert [pytest.approx(sender.send(1.0, 60.0), abs=1e-5) for _ in range(3)] == [60.0, 60.8, 61.6]


@given(ratio=st.floats(0.5, 3.0), start=starts, wishes=st.lists(st.tuples(pauses, lengths), max_size=60))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_no_window_exceeds_the_ratio(ratio: float, start: float, wishes: list[tuple[float, float]]) -> None:
    """Whatever is wished whenever, no 10 s carry more than ratio times 10 s of audio."""
    sender = Sender(ratio, start)
    for pause, seconds in wishes:
        sender.send(seconds, sender.now + pause)


@given(
    ratios=st.lists(st.floats(0.5, 3.0), min_size=2, max_size=4).map(lambda ratios: sorted(ratios, reverse=True)),
    wishes=st.lists(st.tuples(pauses, lengths), min_size=5, max_size=30),
)
@settings(derandomize=True, deadline=None, max_examples=100)
def test_a_lowered_ratio_holds_at_once(ratios: list[float], wishes: list[tuple[float, float]]) -> None:
    """From the moment of lowering on, windows that reach back into the faster time count as well."""
    sender = Sender(ratios[0])
    for ratio in ratios:
        sender.rule.ratio = ratio
        for pause, seconds in wishes:
            sender.send(seconds, sender.now + pause)


def test_lowering_waits_until_the_window_has_room() -> None:
    """After a full window at 1.25x the rule of 1.0x lets nothing out before 2.5 s and the next chunk have left it."""
    sender = Sender(1.25)
    while sender.now < 20.0:
        sender.send(CHUNK, sender.now)
    before, sender.rule.ratio = sender.now, 1.0

    assert sender.send(CHUNK, before) - before == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("ratio", [1.0, 1.25, 2.0])
@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.25, 1.0])
def test_a_backlog_uses_the_ratio(ratio: float, seconds: float) -> None:
    """Behind, at least 95 % of what the rule allows is used."""
    sender = Sender(ratio)
    total = 0.0
    while sender.send(seconds, sender.now) < 60.0:
        total += seconds
    assert 0.95 * ratio * 60.0 <= total <= ratio * (60.0 + WINDOW_SECONDS)


@given(ratio=st.floats(1.0, 2.0), seconds=st.floats(0.05, 1.0))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_a_backlog_is_short_of_the_ratio_by_a_part_of_a_chunk(ratio: float, seconds: float) -> None:
    """A window holds whole chunks only: that many in 10 s, and no fewer."""
    sender = Sender(ratio)
    whole = int((ratio * WINDOW_SECONDS + TOLERANCE_SECONDS) / seconds)
    sent = 0
    while sender.send(seconds, sender.now) < 40.0:
        sent += 1
    assert 4 * whole - 1 <= sent


@given(jitters=st.lists(st.floats(0.0, 0.08), min_size=20, max_size=150), start=starts)
@settings(derandomize=True, deadline=None, max_examples=40)
def test_a_live_stream_at_the_clock_is_late_by_its_greatest_jitter(jitters: list[float], start: float) -> None:
    """At 1.0x no lateness is made up, but none is added either: the greatest jitter so far is the lateness."""
    sender, greatest = Sender(1.0, start), 0.0
    for index, jitter in enumerate(jitters):
        due = start + index * CHUNK
        greatest = max(greatest, jitter)
        assert sender.send(CHUNK, due + jitter) - due <= greatest + 1e-5


def test_a_live_stream_at_the_clock_does_not_drift() -> None:
    """An hour of punctual chunks at 1.0x piles up no delay from rounding."""
    rule = RateRule(1.0)
    for index in range(36_000):
        due = index * CHUNK
        at = rule.allowed_at(due, CHUNK)
        assert at - due <= 1e-5
        rule.sent(at, CHUNK)


@given(jitters=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=20))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_a_live_stream_with_headroom_recovers(jitters: list[float]) -> None:
    """At 1.25x the lateness of any jitter is gone after five times its length (and a window)."""
    sender = Sender(1.25)
    due = 0.0
    for jitter in jitters:
        assert sender.send(CHUNK, due + jitter) - due <= max(jitters) + 1e-5
        due += CHUNK
    for _ in range(200):
        late = sender.send(CHUNK, due) - due
        due += CHUNK
    assert late <= 1e-5


def test_a_chunk_that_no_window_can_hold_is_a_mistake() -> None:
    """Empty chunks and chunks above the whole window would wait for ever; one that just fills it goes."""
    assert RateRule(1.0).allowed_at(7.0, 10.0) == 7.0
    for seconds in (0.0, -1.0, 10.1):
        with pytest.raises(AssertionError):
            RateRule(1.0).allowed_at(0.0, seconds)


def test_memory_is_one_window() -> None:
    """What left the window is forgotten, sum included, so that a long session neither grows nor drifts."""
    sender = RateRule(1.25)
    for index in range(5000):
        sender.sent(index * CHUNK, CHUNK)
    assert len(sender._sent) <= 101
    assert sum(seconds for _, seconds in sender._sent) == pytest.approx(sender._sum, abs=1e-9)
    sender.allowed_at(10_000.0, CHUNK)
    assert sender._sum == 0.0


@pytest.mark.parametrize("ratio", [1.001, 1.02, 1.05, 1.1, 1.25, 2.0, 4.0])
def test_whole_chunks_still_gain_on_the_clock(ratio: float) -> None:
    """As many of the longest chunks as fit into a window are half as much faster than real time as is allowed."""
    seconds = min(1.0, RateRule(ratio).chunk_seconds_max)
    fit = (ratio * WINDOW_SECONDS + 1e-9) // seconds
    assert fit * seconds / WINDOW_SECONDS >= 1.0 + (ratio - 1.0) / 2.0 - 1e-9


def test_at_real_time_nothing_can_be_gained() -> None:
    """There chunks need not be short."""
    assert RateRule(1.0).chunk_seconds_max == WINDOW_SECONDS
