"""Silence for a provider that would take ours for the end: sent now and then while no audio goes out.

What keeps an idle session open is a keepalive; some providers also end a session in which they had nothing to answer
for too long, whatever we said. A little silence is something to answer. It is audio, so it obeys what holds for audio
(`tasks.silence`).

It does not know when a provider counts as cold (`core.liveness`), nor when audio may be sent at all: that is handed in.
"""

from collections.abc import Callable

from stenod.core.clock import Clock
from stenod.core.pacing import RateRule
from stenod.core.sentmap import SentMap
from stenod.providers.base import Conversation, Limits
from stenod.tasks.link import Link
from stenod.tasks.silence import send_silence


class Warmth:
    """`wanted`: whether silence may be sent now: it is ready, has not said goodbye, and no audio waits to be sent.

    Between two chunks that the rate rule keeps apart lies speech, and a word that silence parts is heard by nobody.
    """

    def __init__(
        self,
        *,
        conversation: Conversation,
        limits: Limits,
        sent_map: SentMap,
        rate_rule: RateRule,
        clock: Clock,
        wanted: Callable[[], bool],
    ) -> None:
        assert limits.chunk_seconds_min <= limits.warm_chunk_seconds <= limits.chunk_seconds_max, limits
        self._conversation = conversation
        self._seconds = limits.warm_chunk_seconds
        self._sent_map = sent_map
        self._rate_rule = rate_rule
        self._clock = clock
        self._wanted = wanted

    def due_at(self, link: Link) -> float | None:
        """Return when the next silence is due; None: not as things are."""
        at = link.liveness.warm_at()
        if at is None or not self._wanted():
            return None
        return max(at, self._rate_rule.allowed_at(self._clock.now(), self._seconds))

    async def give(self, link: Link) -> None:
        """Send a little silence."""
        await send_silence(
            round(self._seconds * self._sent_map.rate),
            link,
            conversation=self._conversation,
            sent_map=self._sent_map,
            rate_rule=self._rate_rule,
            clock=self._clock,
        )
