"""Hush: listens ahead of a live session, and settles as quiet what nobody needs to send.

What is sent is a question of policy: `send` sends all, but skips long quiet stretches while one session catches up;
`pause` stops sending in the quiet and holds the session; `park` ends the session too (the supervisor's part).
"""

from dataclasses import dataclass
from enum import StrEnum

import trio

from stenod.core.quiet import QuietGate
from stenod.core.timeline import FOREVER, Span, State
from stenod.tasks.journal import Journal

AHEAD_SECONDS = 30.0
"""How far ahead of what is sent it listens at once."""
TELL_SECONDS = 10.0
"""How much quiet is settled in one commit, as long as it lasts: an SD card is spared one a second."""


class QuietPolicy(StrEnum):
    """What becomes of quiet stretches."""

    SEND = "send"
    PAUSE = "pause"
    PARK = "park"


HOLD_SECONDS = {QuietPolicy.SEND: 3.0, QuietPolicy.PAUSE: 5.0, QuietPolicy.PARK: 60.0}
"""How long it must have been quiet, by default: ending a session for each breath would cost more than it spares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietOptions:
    """`behind_seconds`: with `send`, quiet is skipped by a session that is this far behind; None: never."""

    policy: QuietPolicy = QuietPolicy.SEND
    hold_seconds: float | None = None
    preroll_seconds: float = 1.0
    behind_seconds: float | None = None


class Hush:
    """One live stream's ear, over all its sessions."""

    def __init__(self, journal: Journal, options: QuietOptions) -> None:
        self._journal = journal
        self._policy = options.policy
        self._behind_seconds = options.behind_seconds
        hold = HOLD_SECONDS[options.policy] if options.hold_seconds is None else options.hold_seconds
        self._gate = QuietGate(journal.rate, hold, options.preroll_seconds)
        self._listens = options.policy is not QuietPolicy.SEND
        self._quiet: list[Span] = []
        """Quiet, and not settled yet."""

    def skip_behind(self, seconds: float) -> None:
        """With `send` too, skip what is quiet while further behind than this."""
        if self._behind_seconds is None:
            self._behind_seconds = seconds

    def parks(self, position: int) -> bool:
        """Whether no session is needed for what is pending from a position on: there is nothing but quiet."""
        asleep = self._policy is QuietPolicy.PARK and self._gate.asleep
        return asleep and self._journal.first_pending(position) >= self._gate.open_until

    @property
    def asleep(self) -> bool:
        """Whether nothing more is to be sent for now."""
        return self._listens and self._gate.asleep

    @property
    def open_until(self) -> int:
        """Up to where audio may be sent."""
        return self._gate.open_until if self._listens else FOREVER

    async def listen(self, sent: int) -> bool:
        """Listen on, at most so far ahead of what was sent; returns whether there is more to listen to at once."""
        journal, gate = self._journal, self._gate
        if not self._wanted(sent):
            return False
        if gate.heard_until < sent:
            gate.begin(sent)
        until = min(journal.tail, max(sent, gate.open_until) + round(AHEAD_SECONDS * journal.rate))
        if gate.asleep:
            until = min(journal.tail, gate.heard_until + round(AHEAD_SECONDS * journal.rate))
        if not journal.finished:
            until -= max(0, until - gate.heard_until) % gate.block
        while gate.heard_until < until:
            pcm = journal.read(gate.heard_until, until - gate.heard_until)
            gate.hear(pcm)
            if not pcm:
                gate.begin(self._behind_hole(gate.heard_until, until))
        await self._settle(ended=journal.finished and gate.heard_until >= journal.tail)
        # Less than a block is nothing to listen to, until more has come: who asked again at once would ask for ever.
        more = gate.asleep and journal.tail - gate.heard_until >= (1 if journal.finished else gate.block)
        if more:
            await trio.lowlevel.checkpoint()
        return more

    async def sound(self, leaving: trio.Event) -> None:
        """Return when there is something to send again, when the audio has ended, or we are leaving."""
        while not leaving.is_set():
            pulse = self._journal.pulse()
            more = await self.listen(self._gate.open_until)
            if not self._gate.asleep or (self._journal.finished and not more):
                return
            if not more:
                await pulse.wait()

    def _wanted(self, sent: int) -> bool:
        """Whether quiet matters now; with `send`, only while far behind."""
        if self._policy is QuietPolicy.SEND:
            behind = (self._journal.tail - sent) / self._journal.rate
            was, self._listens = self._listens, self._behind_seconds is not None and behind > self._behind_seconds
            if self._listens and not was:
                self._quiet.clear()
                self._gate.begin(sent)
        return self._listens

    def _behind_hole(self, position: int, until: int) -> int:
        """Return the first pending sample behind audio that is gone."""
        run = self._journal.pending_run(position, until)
        return until if run is None or run.start == position else run.start

    async def _settle(self, *, ended: bool) -> None:
        self._quiet += self._gate.quiet(ended=ended)
        count = sum(span.count for span in self._quiet)
        enough = count >= TELL_SECONDS * self._journal.rate or not self._gate.asleep or ended
        if self._quiet and enough:
            settled, self._quiet = self._quiet, []
            await self._journal.commit([], [(span.start, span.end, State.QUIET, None) for span in settled])
