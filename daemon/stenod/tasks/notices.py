"""What is unusual about a session's messages: counted by kind, and worth a line the first time."""

from stenod.core.log import Log
from stenod.providers.base import Notice

KINDS_MAX = 20
"""No flood of kinds fills the memory."""


class Notices:
    """The counts of one session."""

    def __init__(self, session: str, log: Log) -> None:
        self.counts: dict[str, int] = {}
        self._session = session
        self._log = log

    def add(self, notice: Notice) -> None:
        """Count one."""
        if notice.kind not in self.counts and len(self.counts) < KINDS_MAX:
            self.counts[notice.kind] = 0
            self._log.debug("message.unusual", session=self._session, kind=notice.kind)
        if notice.kind in self.counts:
            self.counts[notice.kind] += 1
