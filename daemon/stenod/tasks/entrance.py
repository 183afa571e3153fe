"""Into a session: the connection, and before it whatever must be fetched to be let in.

Both share one deadline. What is fetched is a secret for one session: should the peer repeat it in an error, it is
masked, and no URL is ever part of one.
"""

from typing import Protocol

import trio

from stenod.core import transport
from stenod.core.transport import Connection, ConnectionEnded
from stenod.providers.base import Dialect, Errand, Request
from stenod.tasks.link import Connect

MASK = "****"


class Fetch(Protocol):
    """See `edge.http.fetch`."""

    async def __call__(self, url: str, headers: tuple[tuple[str, str], ...], *, seconds: float) -> tuple[int, str]:
        """Return status and body of the answer or raise `ConnectionEnded`."""


class Entrance:
    """One session's way in."""

    def __init__(self, *, dialect: Dialect, key: str, rate: int, connect: Connect, fetch: Fetch) -> None:
        self.key = key
        self._dialect = dialect
        self._rate = rate
        self._connect = connect
        self._fetch = fetch
        self._secret = ""

    async def open(self, nursery: trio.Nursery, *, seconds: float) -> Connection:
        """Return the connection, within so many seconds, or raise `ConnectionEnded`."""
        latest = trio.current_time() + seconds
        asked = self._dialect.request(key=self.key, rate=self._rate)
        request = await self._errand(asked, seconds) if isinstance(asked, Errand) else asked
        self._secret = request.secret
        left = latest - trio.current_time()
        if left <= 0:
            raise ConnectionEnded(f"{transport.OPENING_DEADLINE}: no time is left to connect", local=True)
        return await self._connect(nursery, request.url, request.headers, seconds=left)

    def masked(self, text: str) -> str:
        """Return the text without what lets us in."""
        return text.replace(self._secret, MASK) if self._secret else text

    async def _errand(self, errand: Errand, seconds: float) -> Request:
        status, body = await self._fetch(errand.url, errand.headers, seconds=seconds)
        return errand.request(status, body)
