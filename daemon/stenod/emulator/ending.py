"""How a session ends, and how that is said on the wire."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import trio

from stenod.emulator.dialect import Message, Tongue, Violation
from stenod.emulator.websocket import Connection

SAY_SECONDS_MAX = 10.0


class Manner(Enum):
    """How an end is said."""

    ERROR = "error message, then close"
    UNTYPED = "old error message, then close"
    CLOSE = "close"
    RESET = "reset"
    NOTHING = "the client has left"


@dataclass(frozen=True, slots=True)
class End:
    """Why and how a session is over; `by` is client, server, fault or network.

    `last_words` are the dialect's, before the close of a session that ends in an error.
    """

    violation: Violation
    by: str
    manner: Manner = Manner.ERROR
    last_words: Sequence[Message] = ()


async def say(end: End, connection: Connection, tongue: Tongue) -> None:
    """Say an end that the client has to be told; one by reset is left to who owns the stream."""
    if end.manner in (Manner.RESET, Manner.NOTHING):
        return
    reason = end.violation.text
    # A client that reads nothing, or a line that is held, must not hold the server.
    with trio.move_on_after(SAY_SECONDS_MAX):
        try:
            if end.manner is Manner.ERROR:
                for message in end.last_words:
                    await connection.send(json.dumps(message))
                reason = end.violation.text if tongue.close_reason is None else tongue.close_reason
            elif end.manner is Manner.UNTYPED:
                await connection.send(json.dumps({"error": end.violation.text}))
            await connection.close(end.violation.code, reason)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
