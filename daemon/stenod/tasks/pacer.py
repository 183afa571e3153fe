"""The pacer: slices a span of the journal into chunks and sends them at the right moments.

It reads at its own place in the journal, so live, behind and replay are one path. It is the last function before the
socket, so the wire rules are checked here (law 4): sizes, nothing empty, the rate rule. Each chunk enters the sent map
before it is sent, because the provider may answer before the send returns.

What was lost is heard as silence, a second of it at most, and a turn that was open there is ended: otherwise what was
said before it and long after would be one sentence that nobody has said.
"""

import math

import trio

from stenod.core.chunking import Chunk, ChunkRule, next_chunk
from stenod.core.clock import Clock
from stenod.core.level import LevelMeter
from stenod.core.pacing import RateRule
from stenod.core.sentmap import SentMap
from stenod.core.timeline import FOREVER, Span
from stenod.core.turns import LOST_SECONDS, force_due
from stenod.providers.base import Conversation
from stenod.tasks.hush import Hush
from stenod.tasks.journal import Journal
from stenod.tasks.link import Link
from stenod.tasks.silence import send_silence
from stenod.tasks.waiting import first_of

REST_SECONDS = 0.8
"""So long without any audio, and a rest that may be sent is: a turn that silence ends next has heard its last word."""
SHORT_REST_SECONDS = 2.0
"""Where the rest is too short it is filled up then: the device has gone, and its return is not waited for."""


class Pacer:
    """Sends the pending audio of [start, end) of the journal, and before it the overlap from the sent map's origin on.

    What lies between `share_end` and `end` is overlap too: it is sent where what comes before it was. A share with an
    end is sent whole, also what others settle of it meanwhile.

    `end` may be set while it runs, never behind `sent`.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        conversation: Conversation,
        chunk_rule: ChunkRule,
        rate_rule: RateRule,
        sent_map: SentMap,
        clock: Clock,
        turn_seconds_max: float,
        start: int | None = None,
        share_end: int = FOREVER,
        hush: Hush | None = None,
    ) -> None:
        self._journal = journal
        self._conversation = conversation
        self._chunk_rule = chunk_rule.shortened(int(rate_rule.chunk_seconds_max * journal.rate))
        self._rate_rule = rate_rule
        self._sent_map = sent_map
        self._clock = clock
        self._turn_seconds_max = turn_seconds_max
        self._forced_turn: float | None = None
        self._bridged = -1
        """Where what was lost has been heard as silence."""
        self._cut = trio.Event()
        self._wanted_pause_seconds: float | None = None
        self._pause_found = trio.Event()
        self.meter = LevelMeter(journal.rate)
        self._settled = sent_map.origin if start is None else start
        self._share_end = share_end
        self._hears_through = share_end < FOREVER
        """Whether what others settle meanwhile of the share is sent all the same: nothing ends in a word."""
        self._hush = hush
        self.sent = sent_map.origin
        self.end = FOREVER
        self.idle = False
        """Nothing waits to be sent: not even for the rate rule."""

    def share(self, start: int) -> None:
        """Take it that all before `start` is overlap, and what follows is its own."""
        self._settled = start

    def cut(self, end: int) -> None:
        """Send nothing at or after `end`, and finish when all before it is sent."""
        assert end >= self.sent, (end, self.sent)
        self.end = end
        self._cut.set()

    def cut_in_pause(self, seconds: float) -> trio.Event:
        """Cut where a pause has lasted so long, in what was not sent yet; the event is set when that is done."""
        self._wanted_pause_seconds = seconds
        if self.meter.pause_seconds >= seconds:
            self._cut_at_pause(self.sent)
        return self._pause_found

    async def run(self, link: Link) -> None:
        """Return when everything before `end` has been sent."""
        rested = False
        while self.sent < self.end:
            pulse = self._journal.pulse()
            more = self._hush is not None and await self._hush.listen(self.sent)
            await self._bridge(link)
            run = self._next_run()
            if run is not None:
                self.sent = run.start
                if self._finds_pause(run):
                    continue
                chunk = next_chunk(run.count, last=self._is_last(run), rule=self._chunk_rule)
                if chunk is None and rested:
                    chunk = self._rest(run.count)
                rested = False
                if chunk is not None:
                    await self._send(chunk, link)
                    continue
            elif more:
                continue
            elif self.end < FOREVER and self._journal.tail >= min(self.end, self._share_end):
                break
            await self._end_turn_in_quiet(link)
            self.idle = True
            with trio.move_on_after(math.inf if run is None else self._rest_seconds(run.count)) as rest:
                await (pulse.wait() if self._cut.is_set() else first_of(pulse, self._cut))
            rested = rest.cancelled_caught
            self.idle = False

    def _rest(self, count: int) -> Chunk | None:
        """Return a rest as a chunk, filled up where it is too short."""
        return Chunk(count) if count >= self._chunk_rule.least else next_chunk(count, last=True, rule=self._chunk_rule)

    def _rest_seconds(self, count: int) -> float:
        return REST_SECONDS if count >= self._chunk_rule.least else SHORT_REST_SECONDS

    def _is_last(self, run: Span) -> bool:
        """Whether nothing follows the run at once, so that its rest must not wait for more."""
        if run.end == self.end or self._journal.finished:
            return True
        follows = self._hush is not None and run.end == self._hush.open_until and not self._hush.asleep
        return run.end < self._journal.tail and not follows

    def _next_run(self) -> Span | None:
        """What is to be sent next: the overlap with what is settled and what is pending right behind it, in one."""
        if self._share_end <= self.sent < self.end:
            return Span(self.sent, min(self.end, self._journal.tail))
        limit = min(self.end, self._share_end, self._journal.tail)
        if self._hush is not None:
            limit = min(limit, self._hush.open_until)
        if limit <= self.sent:
            return None
        pending = self._journal.pending_run(max(self.sent, self._settled), limit, through=self._hears_through)
        if pending is not None and pending.end == self._share_end:
            pending = Span(pending.start, min(self.end, self._journal.tail))
        if self.sent >= self._settled:
            return pending
        touches = pending is not None and pending.start == self._settled
        return Span(self.sent, pending.end if pending is not None and touches else min(self._settled, limit))

    def _finds_pause(self, run: Span) -> bool:
        """Look ahead for the quiet that was asked for, as far as one chunk may reach."""
        if self._wanted_pause_seconds is None:
            return False
        pcm = self._journal.read(run.start, min(run.count, self._chunk_rule.most))
        samples = self.meter.pause_after(pcm, self._wanted_pause_seconds)
        if samples is None:
            return False
        self._cut_at_pause(run.start + samples)
        return True

    def _cut_at_pause(self, end: int) -> None:
        self._wanted_pause_seconds = None
        if end < self.end:
            self.cut(end)
        self._pause_found.set()

    async def _send(self, chunk: Chunk, link: Link) -> None:
        rate = self._journal.rate
        size = chunk.samples + chunk.padding
        # Looked at again after each wait: silence may have been sent meanwhile, and counts too.
        while (pause := self._rate_rule.allowed_at(self._clock.now(), size / rate) - self._clock.now()) > 0:
            await trio.sleep(pause)
            if self.sent + chunk.samples > self.end:
                return
        pcm = self._journal.read(self.sent, chunk.samples)
        if len(pcm) < 2 * chunk.samples:
            await self._go_without()
            return
        assert self._chunk_rule.least <= size <= self._chunk_rule.most, (chunk, self._chunk_rule)
        loud = self.meter.loud_seconds
        self.meter.add(pcm)
        self._sent_map.add(self.sent, chunk.samples)
        if chunk.padding:
            self._sent_map.add(None, chunk.padding)
            pcm += bytes(2 * chunk.padding)
        self._rate_rule.sent(self._clock.now(), size / rate)
        self.sent += chunk.samples
        await link.send(self._conversation.audio(pcm), speech_seconds=self.meter.loud_seconds - loud)
        await self._bound_turn(link)

    async def _bridge(self, link: Link) -> None:
        """Let silence stand for what was lost right behind what was sent, once it is known how much that is."""
        lost = self._journal.lost_from(self.sent)
        known = self.sent == self._bridged or self.sent >= self._share_end or self._sent_map.sent == 0
        if lost == 0 or known:
            return
        most = round(LOST_SECONDS * self._journal.rate)
        if self.sent + lost >= self._journal.tail and (lost < most or self._journal.finished):
            return
        samples = max(self._chunk_rule.least, min(lost, most, self._chunk_rule.most))
        seconds = samples / self._journal.rate
        while (pause := self._rate_rule.allowed_at(self._clock.now(), seconds) - self._clock.now()) > 0:
            await trio.sleep(pause)
            if self.sent >= min(self.end, self._share_end):
                return
        self._bridged = self.sent
        await send_silence(
            samples,
            link,
            conversation=self._conversation,
            sent_map=self._sent_map,
            rate_rule=self._rate_rule,
            clock=self._clock,
        )
        since = self._conversation.turn_open_since()
        if lost >= most and since is not None and since != self._forced_turn:
            await self._force(since, link)

    async def _go_without(self) -> None:
        """Audio is gone: what was pending is a gap since, and an overlap with what is settled can be spared."""
        await trio.lowlevel.checkpoint()
        if self.sent >= self._share_end:
            self.cut(self.sent)
        self._hears_through = False
        self._settled = min(self._settled, self.sent)

    async def _end_turn_in_quiet(self, link: Link) -> None:
        """Nothing more is sent for now: what was said must not wait for the next sound to be final."""
        since = self._conversation.turn_open_since()
        if self._hush is not None and self._hush.asleep and since is not None and since != self._forced_turn:
            await self._force(since, link)

    async def _bound_turn(self, link: Link) -> None:
        """End a monologue, once a turn, so that little is ever at stake."""
        since = self._conversation.turn_open_since()
        if since is None or since == self._forced_turn:
            return
        if force_due(self._sent_map.seconds - since, self.meter.pause_seconds, self._turn_seconds_max):
            await self._force(since, link)

    async def _force(self, since: float, link: Link) -> None:
        frame = self._conversation.force_end()
        self._forced_turn = since
        if frame is not None:
            await link.send(frame)
