"""What one session was told that means nothing: counted by kind, and the first of a kind is worth a line."""

from stenod.core.log import Log
from stenod.providers.base import Notice

KINDS_MAX = 20


class Notices:
    """`counts` by kind, at most so many kinds."""

    def __init__(self, session: str, log: Log) -> None:
        self.counts: dict[str, int] = {}
        self._session = session
        self._log = log

    def add(self, notice: Notice) -> None:
        """Count it."""
        if notice.kind not in self.counts and len(self.counts) < KINDS_MAX:
            self.counts[notice.kind] = 0
            self._log.debug("message.unusual", session=self._session, kind=notice.kind)
        if notice.kind in self.counts:
            self.counts[notice.kind] += 1
