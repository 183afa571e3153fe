"""Leaving a connection: a goodbye where none was said, and the close. Bounded, also when cancelled.

Whatever happens once we are connected, we say goodbye: an open session costs money (law 11).
"""

import trio

from stenod.core import transport
from stenod.core.log import Log
from stenod.core.transport import Connection, ConnectionEnded
from stenod.providers.base import Conversation

CLOSE_SECONDS = 1.0
DEAD_CLOSE_SECONDS = 0.1
"""Nobody is there to answer a close: its replacement does not wait for that."""
GOODBYE_SECONDS = 1.0
UNANSWERING = (transport.PING_DEADLINE, transport.SEND_DEADLINE)


async def part(
    connection: Connection,
    conversation: Conversation,
    end: ConnectionEnded | None,
    *,
    said_goodbye: bool,
    session: str,
    log: Log,
) -> None:
    """Say goodbye if that has not been done, and close. `end`: how the connection ended, None where it did not.

    Before it is ready too: a provider that is slow may still accept what we have given up.
    """
    dead = end is not None and end.local and end.text.startswith(UNANSWERING)
    with trio.CancelScope(shield=True):
        try:
            if not said_goodbye:
                with trio.move_on_after(GOODBYE_SECONDS):
                    for frame in conversation.goodbye(hurried=True):
                        await connection.send(frame, GOODBYE_SECONDS)
        except ConnectionEnded:
            log.debug("goodbye.failed", session=session)
        finally:
            await connection.close(DEAD_CLOSE_SECONDS if dead else CLOSE_SECONDS)
