"""Silence for a provider that would take ours for the end."""

import pytest
import trio

from fakes.clock import FakeClock
from fakes.connection import FakeConnection
from fakes.dialect import ToyConversation
from stenod.core.liveness import Liveness, LivenessOptions
from stenod.core.pacing import RateRule
from stenod.core.sentmap import SentMap
from stenod.providers.base import Limits
from stenod.tasks.link import Link
from stenod.tasks.warmth import Warmth


class Stove:
    """A cold provider, and what warms it."""

    def __init__(self, warm_seconds: float | None = 8.0) -> None:
        clock = FakeClock()
        self.connection = FakeConnection()
        self.link = Link(self.connection, Liveness(LivenessOptions(warm_seconds=warm_seconds), 0.0), clock, 3.0)
        self.sent_map, self.rate_rule, self.wanted = SentMap(1000, 0), RateRule(1.25), True
        self.warmth = Warmth(
            conversation=ToyConversation(greets=True, keepalive=None),
            limits=Limits(chunk_seconds_min=0.05, chunk_seconds_max=1.0, warm_chunk_seconds=0.2),
            sent_map=self.sent_map,
            rate_rule=self.rate_rule,
            clock=clock,
            wanted=lambda: self.wanted,
        )

    @property
    def due_at(self) -> float | None:
        """When the next silence is due."""
        return self.warmth.due_at(self.link)


async def test_when_it_is_due(autojump_clock: trio.abc.Clock) -> None:
    """When the provider is cold, where the session takes audio, and as the rate rule allows."""
    stove = Stove()
    assert 8.0 == stove.due_at
    stove.wanted = False
    assert stove.due_at is None
    stove.wanted = True
    await trio.sleep(8.0)
    stove.rate_rule.sent(8.0, 12.5)
    assert stove.due_at == pytest.approx(18.0)


async def test_a_provider_that_needs_none(autojump_clock: trio.abc.Clock) -> None:
    """It is never due."""
    assert Stove(None).due_at is None


async def test_what_is_sent(autojump_clock: trio.abc.Clock) -> None:
    """Zeros, entered as injected and counted; another try follows a second later, until the provider says something."""
    stove = Stove()
    await trio.sleep(8.0)
    await stove.warmth.give(stove.link)
    assert [(8.0, bytes(2 * 200))] == stove.connection.sent
    assert (200, 200) == (stove.sent_map.sent, stove.sent_map.injected)
    assert stove.rate_rule.allowed_at(8.0, 0.1) == pytest.approx(8.16)
    assert 9.0 == stove.due_at
    stove.link.liveness.heard(8.5)
    assert 16.5 == stove.due_at


def test_a_dialect_whose_silence_is_no_chunk() -> None:
    """That is a mistake in the dialect, told before anything is sent."""
    with pytest.raises(AssertionError):
        Warmth(
            conversation=ToyConversation(greets=True, keepalive=None),
            limits=Limits(chunk_seconds_min=0.05, chunk_seconds_max=0.1),
            sent_map=SentMap(1000, 0),
            rate_rule=RateRule(1.25),
            clock=FakeClock(),
            wanted=lambda: True,
        )
