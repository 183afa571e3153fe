"""Sewing: what a session said is joined to what others have printed before its share, and behind it.

The words of others come from the outbox, so a seam is the same after a restart; see `core.seams`.
"""

from collections.abc import Sequence

from stenod.core import records
from stenod.core.seams import OVERLAP_SECONDS, TOLERANCE_SECONDS, EndSeam, Seam, end_seam_at, seam_at, sew, sew_end
from stenod.core.turns import PlacedWord
from stenod.tasks.journal import Journal
from stenod.tasks.session import Session

Words = tuple[PlacedWord, ...]
PADDING_SECONDS = 0.3
"""Providers let a turn end up to 0.25 s late."""


class Sewing:
    """One session's seams: made when its first final comes, and when one comes near the end of its share."""

    def __init__(self, session: Session, journal: Journal) -> None:
        self._session = session
        self._journal = journal
        self._seam: Seam | None = None
        self._end_seam: EndSeam | None = None

    async def sew(self, words: Words) -> tuple[Words, bool]:
        """Return what of a turn nobody else has said, and whether that is in doubt."""
        share_end, rate = self._session.share_end, self._journal.rate
        if self._seam is None:
            self._seam = await self._seam_at_start()
        sewn = sew(self._seam, words, rate)
        self._seam = sewn.seam
        if not sewn.kept or sewn.kept[-1].end < share_end - self._reach:
            return sewn.kept, sewn.doubtful
        if self._end_seam is None:
            self._end_seam = end_seam_at(await self._words_behind(), share_end, self._session.end)
        # The whole turn again: without the words that one seam has found, the other would find their neighbours.
        ended = sew_end(self._end_seam, words, rate)
        self._end_seam = ended.seam
        return tuple(word for word in sewn.kept if word in ended.kept), sewn.doubtful or ended.doubtful

    @property
    def _reach(self) -> int:
        return round((OVERLAP_SECONDS + TOLERANCE_SECONDS) * self._journal.rate)

    async def _seam_at_start(self) -> Seam:
        origin, start = self._session.sent_map.origin, self._session.start
        around = await self._words_around(start, origin, start) if origin < start else ()
        # A short share is over before the reach of its start: what was said behind it is no repetition.
        printed = [word for word in around if word.start < self._session.share_end]
        return seam_at(printed, origin, start, self._journal.rate, torn=self._session.torn)

    async def _words_behind(self) -> Sequence[PlacedWord]:
        """Return the words near the end of the share of those who went on there.

        They began to hear before it. A line of theirs that ends before it too (the audio ended there) is told from
        one of those who were before us, whose audio ends where our share begins: its beginning or its end lies in that.
        """
        share_start, share_end = self._session.start, self._session.share_end
        heard_from = share_end - round(OVERLAP_SECONDS * self._journal.rate)
        return await self._words_around(share_end, max(share_start, heard_from), self._session.end, since=share_start)

    async def _words_around(self, place: int, start: int, end: int, *, since: int = 0) -> Sequence[PlacedWord]:
        """Return the words of other sessions whose lines reach into [start, end), as far as they are near the place.

        What was heard ahead of a hand-over reaches back further than a replay: to `start`. `since`: only lines that
        begin there or later, or end behind it, padding aside.
        """
        rate = self._journal.rate
        first, last = min(place - self._reach, start - round(TOLERANCE_SECONDS * rate)), place + self._reach
        older_until = min(place, since + round(PADDING_SECONDS * rate))
        found = []
        for line in await self._journal.spoken(start, end + round(TOLERANCE_SECONDS * rate)):
            record = records.parsed(line)
            if record["session"] == self._session.name:
                continue
            if round(record["start"] * rate) < since and round(record["end"] * rate) <= older_until:
                continue
            for word in record["words"]:
                placed = PlacedWord(word["text"], round(word["start"] * rate), round(word["end"] * rate))
                if placed.end > first and placed.start < last:
                    found.append(placed)
        return sorted(found, key=lambda word: word.start)
