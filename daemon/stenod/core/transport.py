"""What a connection is: the contract between `edge/websocket.py` and the session task.

A connection carries whole messages both ways. Everything that can go wrong is one exception, `ConnectionEnded`, which
holds what was observed and interprets nothing.
"""

from collections.abc import Mapping
from typing import Protocol

Frame = str | bytes

# Stable tokens: the first word of `ConnectionEnded.text` where the failure is ours or the network's, not the
# provider's. The shared rows of the verdict tables match them.
PING_DEADLINE = "ping-deadline"
SEND_DEADLINE = "send-deadline"
OPENING_DEADLINE = "opening-deadline"
STALLED = "stalled"
DRAIN_DEADLINE = "drain-deadline"
CONNECTION_REFUSED = "connection-refused"
NAME_NOT_RESOLVED = "name-not-resolved"
TLS_FAILED = "tls"
UNREACHABLE = "unreachable"
OVERSIZED = "oversized-message"
DEFECT = "defect"
NORMAL = 1000
ABNORMAL = 1006
"""RFC 6455: no close frame was seen."""
CLEAN_CODES = (NORMAL, 1005)
"""RFC 6455: the purpose is fulfilled, or the close frame has no code. Going away (1001) fulfils nothing."""


class ConnectionEnded(Exception):
    """The connection is over, or was never made."""

    def __init__(
        self, text: str, *, close_code: int | None = None, http_status: int | None = None, local: bool = False
    ) -> None:
        super().__init__(text)
        self.text = text
        self.close_code = close_code
        self.http_status = http_status
        self.local = local

    @property
    def clean(self) -> bool:
        """Whether the peer ended it with a close frame that names no trouble."""
        return not self.local and self.close_code in CLEAN_CODES


class Connection(Protocol):
    """An open WebSocket."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the upgrade's response, names in lower case; one that came twice is joined with a comma."""

    async def send(self, frame: Frame, seconds: float) -> None:
        """Send one message; a send that takes longer than `seconds` has ended the connection."""

    async def receive(self) -> Frame:
        """Return the next message; messages that came before the end are still delivered."""

    async def ping(self) -> None:
        """Send a ping and wait for its pong, for ever if need be."""

    async def close(self, seconds: float) -> None:
        """Close politely within `seconds`, then by force. Never raises; idempotent."""
