"""What the conversation wants to say by itself, sent in its order by one task.

An answer to the provider, a second goodbye: whoever took the message that asks for it (the receiver, above all) must
not wait for a send. The queue is bounded; a peer that asks faster than it takes our answers is no peer of ours.

It does not know what is said: see `providers.base.Say`.
"""

from collections import deque

import trio

from stenod.core import transport
from stenod.core.transport import ConnectionEnded, Frame
from stenod.tasks.link import Link

WAITING_MAX = 64
"""Far more than any protocol has questions that can be open at once."""


class Answers:
    """The messages that wait, and the task that sends them."""

    def __init__(self) -> None:
        self._waiting: deque[Frame] = deque()
        self._more = trio.Event()

    @property
    def room(self) -> bool:
        """Whether what is said now goes out soon."""
        return not self._waiting

    def say(self, frame: Frame) -> None:
        """Let it be sent, behind those before it; raises `ConnectionEnded` where too many wait."""
        if len(self._waiting) >= WAITING_MAX:
            raise ConnectionEnded(
                f"{transport.SEND_DEADLINE}: the provider takes none of our {WAITING_MAX} answers",
                close_code=transport.ABNORMAL,
                local=True,
            )
        self._waiting.append(frame)
        self._more.set()

    async def run(self, link: Link) -> None:
        """Send what waits, each with the deadline of any message. Runs for ever."""
        while True:
            while self._waiting:
                await link.send(self._waiting.popleft())
            self._more = trio.Event()
            await self._more.wait()
