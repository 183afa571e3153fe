"""The colours of a session over scripted times."""

import pytest

from stenod.core.liveness import SPEECH_SECONDS_MIN, Health, Liveness, LivenessOptions

OPTIONS = LivenessOptions(ping_seconds=1.0, pong_seconds=3.0, stall_seconds=30.0, keepalive_seconds=5.0)
ALIVE, WAITING, DEAD, STALLED = Health.ALIVE, Health.WAITING, Health.DEAD, Health.STALLED


def opened(at: float = 100.0) -> Liveness:
    """Return the detector of a session that opened then."""
    return Liveness(OPTIONS, at)


def test_an_ordinary_minute() -> None:
    """Audio goes out, pongs and turns come in: alive all the time, waiting between ping and pong."""
    session = opened(0.0)
    for second in range(60):
        session.said(float(second), speech_seconds=0.1)
        assert session.ping_at() <= second + 1.0
        session.asked(second + 0.1)
        assert session.health(second + 0.2) is WAITING
        session.answered(second + 0.3)
        if second % 20 == 19:
            session.heard(second + 0.4)
        assert session.health(second + 0.9) is ALIVE


@pytest.mark.parametrize(
    ("script", "now", "colour"),
    [
        ([], 1000.0, ALIVE),
        ([("asked", 101.0)], 101.0, WAITING),
        ([("asked", 101.0)], 103.999, WAITING),
        ([("asked", 101.0)], 104.0, DEAD),
        ([("asked", 101.0), ("asked", 103.0)], 104.0, DEAD),
        ([("asked", 101.0), ("answered", 103.9)], 104.0, ALIVE),
        ([("asked", 101.0), ("heard", 103.9)], 104.0, ALIVE),
        ([("asked", 101.0), ("answered", 102.0), ("asked", 103.0)], 105.9, WAITING),
        ([("asked", 101.0), ("answered", 102.0), ("asked", 103.0)], 106.0, DEAD),
        ([("speech", 110.0)], 139.999, ALIVE),
        ([("speech", 110.0)], 140.0, STALLED),
        ([("silence", 110.0)], 1000.0, ALIVE),
        ([("speech", 110.0), ("silence", 111.0)], 140.0, STALLED),
        ([("silence", 110.0), ("speech", 120.0)], 149.9, ALIVE),
        ([("speech", 110.0), ("speech", 139.0)], 140.0, STALLED),
        ([("speech", 110.0), ("heard", 139.0)], 1000.0, ALIVE),
        ([("speech", 110.0), ("heard", 139.0), ("speech", 140.0)], 169.9, ALIVE),
        ([("speech", 110.0), ("heard", 139.0), ("speech", 140.0)], 170.0, STALLED),
        ([("speech", 110.0), ("answered", 139.0)], 140.0, STALLED),
        ([("speech", 110.0), ("asked", 138.0)], 140.0, STALLED),
        ([("speech", 110.0), ("asked", 138.0)], 141.0, DEAD),
    ],
)
def test_colours(script: list[tuple[str, float]], now: float, colour: Health) -> None:
    """Dead, stalled, quiet and slow are four things."""
    session = opened()
    for what, at in script:
        match what:
            case "speech" | "silence":
                session.said(at, speech_seconds=1.0 if what == "speech" else 0.0)
            case _:
                getattr(session, what)(at)
    assert colour is session.health(now)


def test_a_message_is_as_good_as_a_pong() -> None:
    """A pong may queue behind a large message, so the message answers the ping and puts off the next."""
    session = opened()
    session.asked(101.0)
    session.heard(103.5)
    assert session.health(103.6) is ALIVE
    assert session.ping_at() == 104.5


def test_a_pong_proves_the_connection_but_not_the_model() -> None:
    """Pongs keep coming while speech gets no message at all: that is stalled, not dead."""
    session = opened(0.0)
    session.said(0.0, speech_seconds=1.0)
    for second in range(30):
        session.asked(second + 0.5)
        session.answered(second + 0.6)
    assert session.health(30.0) is STALLED


def test_the_first_ping_is_due_after_the_opening() -> None:
    """The opening itself counts as an answer, and as something that we said."""
    assert opened().ping_at() == 101.0
    assert opened().keepalive_at() == 105.0


def test_keepalive_follows_what_we_said() -> None:
    """Only what we send puts off the keepalive; what comes in does not hold an idle session open."""
    session = opened()
    session.said(103.0, speech_seconds=0.0)
    session.heard(107.0)
    session.answered(107.5)
    assert session.keepalive_at() == 108.0


def test_no_keepalive_where_none_is_needed() -> None:
    """A provider without an idle limit gets none."""
    session = Liveness(LivenessOptions(), 0.0)
    session.said(3.0, speech_seconds=1.0)
    assert session.keepalive_at() is None


def test_no_warmth_where_none_is_needed() -> None:
    """Most providers let an idle session be."""
    assert opened().warm_at() is None


@pytest.mark.parametrize(
    ("script", "at"),
    [
        ([], 108.0),
        ([("heard", 103.0)], 111.0),
        ([("audio", 103.0)], 108.0),
        ([("audio", 107.5)], 108.5),
        ([("audio", 120.0)], 121.0),
        ([("audio", 120.0), ("heard", 120.2)], 128.2),
        ([("text", 107.5)], 108.0),
        ([("answered", 107.5)], 108.0),
    ],
)
def test_when_a_provider_is_cold(script: list[tuple[str, float]], at: float) -> None:
    """It has said nothing for eight seconds, and no audio is on its way; pongs and our words warm nobody."""
    session = Liveness(LivenessOptions(warm_seconds=8.0), 100.0)
    for what, moment in script:
        match what:
            case "audio":
                session.said(moment, speech_seconds=0.0)
            case "text":
                session.said(moment)
            case _:
                getattr(session, what)(moment)
    assert at == session.warm_at()


@pytest.mark.parametrize(
    ("script", "at"), [([], 103.0), ([102.5], 103.5), ([104.0], 105.0), ([102.5, None], 112.5), ([104.0, None], 114.0)]
)
def test_one_that_has_said_nothing_yet_may_have_less_time(script: list[float | None], at: float) -> None:
    """Until its first message; audio on its way is waited for all the same."""
    session = Liveness(LivenessOptions(warm_seconds=8.0, warm_first_seconds=3.0), 100.0)
    for moment in script:
        if moment is None:
            session.heard(at - 8.0)
        else:
            session.said(moment, speech_seconds=0.0)
    assert at == session.warm_at()


def test_messages_that_are_no_audio_are_no_speech() -> None:
    """They put off the keepalive and nothing else."""
    session = opened()
    session.said(103.0)
    assert (108.0, ALIVE) == (session.keepalive_at(), session.health(1000.0))


@pytest.mark.parametrize(
    ("pieces", "now", "colour"),
    [
        ([(0.0, 0.28)], 1000.0, ALIVE),
        ([(0.0, 0.02)] * 14, 1000.0, ALIVE),
        ([(0.0, SPEECH_SECONDS_MIN)], 29.9, ALIVE),
        ([(0.0, SPEECH_SECONDS_MIN)], 30.0, STALLED),
        ([(0.0, 0.1), (20.0, 0.1), (40.0, 0.15)], 69.9, ALIVE),
        ([(0.0, 0.1), (20.0, 0.1), (40.0, 0.15)], 70.0, STALLED),
    ],
)
def test_a_click_is_no_speech(pieces: list[tuple[float, float]], now: float, colour: Health) -> None:
    """Loud pieces count together, and the wait begins when they are as long as a word."""
    session = opened(0.0)
    for at, seconds in pieces:
        session.said(at, speech_seconds=seconds)
    assert colour is session.health(now)


def test_a_message_forgives_what_was_loud_before_it() -> None:
    """After each message of the provider, speech is counted from nothing."""
    session = opened(0.0)
    for second in range(100):
        session.said(float(second), speech_seconds=0.25)
        session.heard(second + 0.5)
    session.said(100.0, speech_seconds=0.25)
    assert session.health(1000.0) is ALIVE
    session.said(1000.0, speech_seconds=0.05)
    assert session.health(1029.9) is ALIVE
    assert session.health(1030.0) is STALLED


def test_a_pong_does_not_forgive() -> None:
    """What was loud before a pong still counts."""
    session = opened(0.0)
    session.said(0.0, speech_seconds=0.2)
    session.answered(1.0)
    session.said(2.0, speech_seconds=0.2)
    assert session.health(32.0) is STALLED
