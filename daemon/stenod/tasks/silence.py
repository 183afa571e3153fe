"""Silence that is sent as audio: entered in the sent map as injected, so that times stay right, and counted for pace.

Between those two and the connection's own queue nothing waits, here as in the pacer, so that the order of the map is
the order on the wire. Whether it may be sent now, and how much of it, is for whoever sends it.
"""

from stenod.core.clock import Clock
from stenod.core.pacing import RateRule
from stenod.core.sentmap import SentMap
from stenod.providers.base import Conversation
from stenod.tasks.link import Link


async def send_silence(
    samples: int, link: Link, *, conversation: Conversation, sent_map: SentMap, rate_rule: RateRule, clock: Clock
) -> None:
    """Send so many samples of it, as one message."""
    sent_map.add(None, samples)
    rate_rule.sent(clock.now(), samples / sent_map.rate)
    await link.send(conversation.audio(bytes(2 * samples)), speech_seconds=0.0)
