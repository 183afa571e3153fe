"""The pacer's promise, which the README repeats: whatever the microphone does, every message carries 50 to 1000 ms of
audio, nothing is sent faster than the rule, and put together they are the recording, sample for sample.
"""

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from fakes.clock import FakeClock
from fakes.connection import FakeConnection
from fakes.dialect import ToyConversation, said
from fakes.journal import Disk
from fakes.source import quiet, speech
from stenod.core.chunking import ChunkRule
from stenod.core.liveness import Liveness, LivenessOptions
from stenod.core.pacing import WINDOW_SECONDS, RateRule
from stenod.core.sentmap import SentMap
from stenod.core.timeline import FOREVER, Cause, State
from stenod.core.transport import ConnectionEnded
from stenod.tasks.hush import Hush, QuietOptions, QuietPolicy
from stenod.tasks.link import Link
from stenod.tasks.pacer import Pacer


class Booth:
    """A pacer between a journal and a connection that takes everything."""

    def __init__(
        self,
        *,
        rate: int = 1000,
        chunk: float = 0.1,
        ratio: float = 1.25,
        start: int = 0,
        share_end: int = FOREVER,
    ) -> None:
        self.rate, self.ratio = rate, ratio
        self.disk = Disk(rate)
        self.clock = FakeClock()
        self.journal = self.disk.journal(self.clock)
        self.connection = FakeConnection()
        self.link = Link(self.connection, Liveness(LivenessOptions(), 0.0), self.clock, 3.0)
        self.conversation = ToyConversation(greets=True, keepalive=None)
        self.sent_map = SentMap(rate, start)
        self.rule = ChunkRule.of(rate=rate, seconds_min=0.05, seconds_wanted=chunk, seconds_max=1.0)
        self.pacer = Pacer(
            journal=self.journal,
            conversation=self.conversation,
            chunk_rule=self.rule,
            rate_rule=RateRule(ratio),
            sent_map=self.sent_map,
            clock=self.clock,
            turn_seconds_max=20.0,
            share_end=share_end,
        )
        self.audio = bytearray()
        """The whole timeline, zeros in the gaps."""

    def record(self, pcm: bytes) -> None:
        """Append audio."""
        self.journal.append(pcm)
        self.audio += pcm

    async def lose(self, count: int) -> None:
        """Append a gap."""
        await self.journal.gap(count, Cause.DEVICE)
        self.audio += bytes(2 * count)

    async def run(self) -> None:
        """Send everything up to the cut."""
        await self.pacer.run(self.link)

    @property
    def messages(self) -> list[tuple[float, float]]:
        """Time and length in seconds of every message."""
        return [(at, len(pcm) / 2 / self.rate) for at, pcm in self.connection.audio]

    def check(self) -> None:
        """Hold the promise."""
        for _, seconds in self.messages:
            assert 0.05 <= seconds <= 1.0
        for first, _ in self.messages:
            window = [seconds for at, seconds in self.messages if first <= at < first + WINDOW_SECONDS - 1e-4]
            assert sum(window) <= self.ratio * WINDOW_SECONDS + 1e-5
        wire = b"".join(pcm for _, pcm in self.connection.audio)
        assert len(wire) == 2 * self.sent_map.sent
        position = 0
        for run in self.sent_map._runs:
            piece = wire[2 * run.session : 2 * (run.session + run.count)]
            if run.stream is None:
                assert piece == bytes(len(piece)), "what is injected is silence"
                continue
            assert run.stream >= position, "nothing twice, nothing backwards"
            position = run.stream + run.count
            assert position <= self.pacer.end
            assert bytes(self.audio[2 * run.stream : 2 * position]) == piece

    def streamed(self) -> list[tuple[int, int]]:
        """Return the spans of the stream that were sent, joined."""
        spans: list[tuple[int, int]] = []
        for span in self.sent_map.covered(1e9):
            if spans and spans[-1][1] == span.start:
                spans[-1] = (spans[-1][0], span.end)
            else:
                spans.append((span.start, span.end))
        return spans


async def test_audio_that_goes_while_it_is_sent(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Retention may take a file from under it, the overlap included: it looks again, and goes on behind the gap."""
    booth = Booth()
    booth.disk.samples_max = 1000
    booth.journal = booth.pacer._journal = booth.disk.journal(booth.clock)
    booth.record(speech(0, 9000))
    await booth.journal.commit([], [(0, 2000, State.TRANSCRIBED, None)])
    booth.pacer._settled = 2000
    nursery.start_soon(booth.run)
    await trio.sleep(0.5)
    assert 0 < booth.pacer.sent < 2000
    del booth.disk.files.contents[1000]
    booth.journal._commits.lose(2000, 5000, Cause.RETENTION)
    for start in (2000, 3000, 4000):
        del booth.disk.files.contents[start]
    booth.journal.finish()
    booth.pacer.cut(9000)
    await trio.sleep(20.0)
    assert booth.pacer.sent == 9000
    assert (5000, 9000) == booth.streamed()[-1]
    assert booth.streamed()[0][1] <= 1000
    booth.check()


async def test_audio_that_is_lost_on_the_disk_ends_nothing(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """A file that somebody deleted is a gap from then on; what comes behind it is sent."""
    booth = Booth()
    booth.disk.samples_max = 1000
    booth.journal = booth.pacer._journal = booth.disk.journal(booth.clock)
    booth.record(speech(0, 5000))
    del booth.disk.files.contents[2000]
    nursery.start_soon(booth.run)
    booth.journal.finish()
    booth.pacer.cut(5000)
    await trio.sleep(20.0)
    assert booth.streamed() == [(0, 2000), (3000, 5000)]
    await booth.journal.flush()
    assert [(2.0, 3.0)] == [(gap["start"], gap["end"]) for gap in booth.disk.lines("gap")]


@pytest.mark.slow
async def test_a_live_minute(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Blocks of 20 ms become messages of 100 ms, each sent as soon as it is full."""
    booth = Booth()
    nursery.start_soon(booth.run)
    for index in range(3000):
        await trio.sleep(0.02)
        booth.record(speech(20 * index, 20))
    await trio.sleep(0.01)
    assert {0.1} == {seconds for _, seconds in booth.messages}
    assert booth.streamed() == [(0, 60_000)]
    assert all(abs(at - 0.1 * (index + 1)) < 0.001 for index, (at, _) in enumerate(booth.messages))
    booth.check()


async def test_behind_it_hurries_in_larger_messages(autojump_clock: trio.abc.Clock) -> None:
    """A backlog goes out in messages of a second at almost the allowed rate: a rest of a window is not used."""
    booth = Booth()
    booth.record(speech(0, 100_000))
    booth.pacer.cut(100_000)
    await booth.run()
    booth.check()
    assert {1.0} == {seconds for _, seconds in booth.messages}
    assert trio.current_time() == pytest.approx(81.5, abs=2.0)
    assert booth.streamed() == [(0, 100_000)]


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1.02, 1.05, 1.25])
async def test_what_is_late_is_caught_up(autojump_clock: trio.abc.Clock, nursery: trio.Nursery, ratio: float) -> None:
    """However little faster than the clock is allowed, a session that is late is not late for good."""
    booth = Booth(ratio=ratio)
    booth.record(speech(0, 5000))
    nursery.start_soon(booth.run)
    for index in range(round(2 * 5.0 / (ratio - 1.0))):
        await trio.sleep(1.0)
        booth.record(speech(5000 + 1000 * index, 1000))
    await trio.sleep(0.5)
    assert booth.journal.tail - booth.pacer.sent <= 1500
    booth.check()


@pytest.mark.parametrize("rest", [1, 49, 50, 51, 99, 100, 199])
async def test_the_rest_is_filled_up_with_silence(autojump_clock: trio.abc.Clock, rest: int) -> None:
    """What is left at a cut is sent whole, never short and never twice."""
    booth = Booth()
    booth.record(speech(0, 1000 + rest))
    booth.pacer.cut(1000 + rest)
    await booth.run()
    booth.check()
    assert booth.streamed() == [(0, 1000 + rest)]
    assert booth.sent_map.injected == max(0, 50 - (1000 + rest) % 50) * (rest < 50)


async def test_a_gap_is_not_waited_for(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """What lies before a gap goes out at once, and its time is not sent."""
    booth = Booth()
    nursery.start_soon(booth.run)
    booth.record(speech(0, 130))
    await trio.sleep(1.0)
    assert booth.streamed() == [(0, 100)]
    await booth.lose(5000)
    booth.record(speech(5130, 100))
    await trio.sleep(1.0)
    assert booth.streamed() == [(0, 130), (5130, 5230)]
    booth.check()


async def test_a_turn_ends_where_audio_was_lost(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A second of silence and the end of the turn, as soon as the gap is that long: not when the device is back."""
    booth = Booth()
    nursery.start_soon(booth.run)
    booth.record(speech(0, 3000))
    await trio.sleep(3.0)
    booth.conversation.receive(said(open=1.0), 0.0)
    await booth.lose(900)
    await trio.sleep(5.0)
    assert (0, []) == (booth.sent_map.injected, booth.connection.texts)
    await booth.lose(200)
    await trio.sleep(1.0)
    assert (1000, ["force"]) == (booth.sent_map.injected, booth.connection.texts)
    assert ("force", bytes(2000)) == (booth.connection.sent[-1][1], booth.connection.audio[-1][1])
    await booth.lose(7000)
    booth.record(speech(11_100, 1000))
    await trio.sleep(2.0)
    assert (1000, ["force"]) == (booth.sent_map.injected, booth.connection.texts)
    assert (3000, 11_100) == (booth.sent_map.position(3.4, end=True), booth.sent_map.position(3.4))
    booth.check()


@pytest.mark.parametrize(("lost", "silent"), [(10, 50), (300, 300), (999, 999), (1000, 1000), (60_000, 1000)])
async def test_what_was_lost_is_heard_as_silence(autojump_clock: trio.abc.Clock, lost: int, silent: int) -> None:
    """Of its length, up to a second; a turn goes on over a short one. Nothing before the first sample or the last."""
    booth = Booth()
    booth.conversation.receive(said(open=0.0), 0.0)
    await booth.lose(2000)
    booth.record(speech(2000, 2000))
    await booth.lose(lost)
    booth.record(speech(4000 + lost, 2000))
    await booth.lose(2000)
    booth.journal.finish()
    booth.pacer.cut(booth.journal.tail)
    await booth.run()
    assert [(2000, 4000), (4000 + lost, 6000 + lost)] == booth.streamed()
    assert silent == booth.sent_map.injected
    assert (["force"] if lost >= 1000 else []) == booth.connection.texts
    booth.check()


async def test_what_is_settled_is_not_sent_again(autojump_clock: trio.abc.Clock) -> None:
    """A replay skips what another session has transcribed."""
    booth = Booth(start=500)
    booth.record(speech(0, 3000))
    await booth.journal.commit([], [(0, 700, State.TRANSCRIBED, None), (1000, 2000, State.TRANSCRIBED, None)])
    booth.pacer.cut(2500)
    await booth.run()
    assert booth.streamed() == [(700, 1000), (2000, 2500)]
    booth.check()


async def test_an_empty_span_sends_nothing(autojump_clock: trio.abc.Clock) -> None:
    """A cut where it begins is the end."""
    booth = Booth(start=100)
    booth.record(speech(0, 1000))
    booth.pacer.cut(100)
    await booth.run()
    assert booth.messages == []


async def test_a_cut_in_the_future_is_waited_for(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """It ends when the audio before the cut has come, and sends nothing after it."""
    booth = Booth()
    booth.record(speech(0, 250))
    booth.pacer.cut(470)
    done = trio.Event()

    async def run() -> None:
        await booth.run()
        done.set()

    nursery.start_soon(run)
    await trio.sleep(5.0)
    assert not done.is_set()
    booth.record(speech(250, 1000))
    await trio.sleep(1.0)
    assert done.is_set()
    assert booth.streamed() == [(0, 470)]
    booth.check()


async def test_a_cut_while_it_waits_for_the_rate_rule(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """A chunk that was planned beyond the cut is planned anew."""
    booth = Booth(ratio=1.0)
    booth.record(speech(0, 10_000))
    nursery.start_soon(booth.run)
    await trio.sleep(3.5)
    sent = booth.pacer.sent
    booth.pacer.cut(sent + 130)
    await trio.sleep(5.0)
    assert booth.streamed() == [(0, sent + 130)]
    booth.check()


async def test_a_cut_behind_what_was_sent_is_a_mistake(autojump_clock: trio.abc.Clock) -> None:
    """What is on its way cannot be called back."""
    booth = Booth()
    booth.record(speech(0, 1000))
    booth.pacer.cut(1000)
    await booth.run()
    with pytest.raises(AssertionError):
        booth.pacer.cut(booth.pacer.sent - 1)


async def test_a_broken_connection_ends_it(autojump_clock: trio.abc.Clock) -> None:
    """What the connection says is handed up, and the journal is as it was."""
    booth = Booth()
    booth.record(speech(0, 1000))
    booth.connection.end("gone", 1006)
    with pytest.raises(ConnectionEnded, match="gone"):
        await booth.run()
    assert booth.journal.cursor == 0


async def test_the_sent_map_is_ahead_of_the_answer(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """While a send has not returned, its audio is in the map: the provider may answer first."""
    booth = Booth()
    booth.connection.send_seconds = 2.0
    booth.record(speech(0, 150))
    nursery.start_soon(booth.run)
    await trio.sleep(1.0)
    assert booth.connection.audio == []
    assert booth.sent_map.seconds == pytest.approx(0.1)


@pytest.mark.parametrize(("pause_at", "forced_at"), [(35.0, 35.0), (22.0, 22.0), (19.95, 20.1)])
async def test_a_monologue_is_ended_once(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, pause_at: float, forced_at: float
) -> None:
    """A turn over twenty seconds is ended in the next pause; once, though it stays open."""
    booth = Booth()
    nursery.start_soon(booth.run)
    booth.record(quiet(1000))
    booth.conversation.receive(said(open=1.0), 0.0)
    for index in range(100, 600):
        await trio.sleep(0.1)
        pausing = pause_at <= index / 10 - 9.0 - 1.0 + 0.001 <= pause_at + 0.3
        booth.record(quiet(100) if pausing else speech(100 * index, 100))
    forced = [at for at, frame in booth.connection.sent if frame == "force"]
    assert len(forced) == 1
    assert forced[0] == pytest.approx(forced_at, abs=0.5)


async def test_every_monologue_is_ended(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """The next turn has its own bound."""
    booth = Booth()
    nursery.start_soon(booth.run)
    for index in range(1000):
        await trio.sleep(0.1)
        if index in (10, 350, 700):
            booth.conversation.receive(said(open=index / 10), 0.0)
        booth.record(quiet(100) if index % 100 < 3 else speech(100 * index, 100))
    assert ["force"] * 3 == booth.connection.texts


async def test_speech_without_a_pause_is_not_ended(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Within a word it would be two halves: it is left alone, however long."""
    booth = Booth()
    nursery.start_soon(booth.run)
    booth.conversation.receive(said(open=0.0), 0.0)
    for index in range(600):
        await trio.sleep(0.1)
        booth.record(speech(100 * index, 100))
    assert [] == booth.connection.texts


async def test_a_turn_in_time_is_left_alone(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Short turns and no turns are ended by nobody."""
    booth = Booth()
    nursery.start_soon(booth.run)
    for index in range(1000):
        await trio.sleep(0.1)
        booth.conversation.receive(said(open=index // 150 * 15.0 if index % 150 < 140 else None), 0.0)
        booth.record(speech(100 * index, 100))
    assert booth.connection.texts == []


blocks = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.sampled_from([1, 19, 20, 49, 50, 51, 100, 101, 333, 2000, 15_000])),
        st.tuples(st.just("hush"), st.sampled_from([20, 100, 400])),
        st.tuples(st.just("gap"), st.sampled_from([1, 30, 700])),
        st.tuples(st.just("wait"), st.sampled_from([1, 20, 100, 1000, 20_000])),
        st.tuples(st.just("stall"), st.sampled_from([0, 50, 1500])),
    ),
    max_size=25,
)


@pytest.mark.slow
@given(
    rate=st.sampled_from([1000, 8000, 11_025]),
    chunk=st.sampled_from([0.05, 0.06, 0.1, 0.25, 0.7, 1.0]),
    ratio=st.sampled_from([1.0, 1.02, 1.25, 4.0]),
    script=blocks,
    cut=st.one_of(st.none(), st.tuples(st.integers(0, 24), st.integers(0, 3000))),
    start=st.sampled_from([0, 0, 77, 1000]),
)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_the_promise(
    rate: int, chunk: float, ratio: float, script: list[tuple[str, int]], cut: tuple[int, int] | None, start: int
) -> None:
    """Whatever blocks, pauses, gaps, slow sends, cuts, rates and settings: sizes, rate, and every sample once."""

    async def main() -> None:
        booth = Booth(rate=rate, chunk=chunk, ratio=ratio, start=start)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(booth.run)
            for index, (what, amount) in enumerate(script):
                if cut is not None and cut[0] == index:
                    booth.pacer.cut(booth.pacer.sent + cut[1] * rate // 1000)
                match what:
                    case "record":
                        booth.record(speech(booth.journal.tail, amount * rate // 1000))
                    case "hush":
                        booth.record(quiet(amount * rate // 1000))
                    case "gap":
                        await booth.lose(amount * rate // 1000)
                    case "wait":
                        await trio.sleep(amount / 1000)
                    case "stall":
                        booth.connection.send_seconds = amount / 1000
            booth.journal.finish()
            booth.pacer.cut(max(booth.pacer.sent, min(booth.pacer.end, booth.journal.tail)))
        booth.check()
        owed = booth.journal.pending(start, max(start, min(booth.pacer.end, booth.journal.tail)))
        assert booth.streamed() == [(span.start, span.end) for span in owed]

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_what_lies_behind_the_share_is_sent_in_one_with_it(autojump_clock: trio.abc.Clock) -> None:
    """A late session hears a little beyond its share, without a seam and without padding between."""
    booth = Booth()
    booth.record(speech(0, 8000))
    await booth.journal.commit([], [(3170, 8000, State.TRANSCRIBED, None)])
    booth.pacer._share_end = 3170
    booth.pacer.cut(5000)
    await booth.run()
    assert bytes(booth.audio[:10_000]) == b"".join(pcm for _, pcm in booth.connection.audio)
    assert booth.sent_map.injected == 0


async def test_a_share_is_heard_to_its_end(autojump_clock: trio.abc.Clock) -> None:
    """Also where others settle the middle or the end of it meanwhile; what is quiet or lost there is not sent."""
    for settled, heard in (((1500, 2500), 5000), ((3000, 8000), 5000)):
        booth = Booth(share_end=4000)
        booth.record(speech(0, 8000))
        await booth.journal.commit([], [(500, 900, State.QUIET, None), (*settled, State.TRANSCRIBED, None)])
        booth.pacer.cut(heard)
        await booth.run()
        sent = b"".join(pcm for _, pcm in booth.connection.audio)
        assert bytes(booth.audio[:1000] + booth.audio[1800 : 2 * heard]) == sent


async def test_audio_that_is_gone_is_not_waited_for(autojump_clock: trio.abc.Clock) -> None:
    """Others have settled it, and its file was deleted: the share ends there."""
    booth = Booth(share_end=4000)
    booth.record(speech(0, 4000))
    await booth.journal.commit([], [(2000, 4000, State.TRANSCRIBED, None)])
    read = booth.journal.read
    booth.journal.read = lambda start, count: read(start, min(count, max(0, 2000 - start)))  # type: ignore[method-assign]
    booth.pacer.cut(4000)
    with trio.fail_after(60.0):
        await booth.run()
    assert 2000 == booth.pacer.sent


async def test_a_rest_too_short_to_be_sent_goes_out_with_silence(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """The device may have gone in the midst of a word: it ends before any other silence is heard."""
    booth = Booth()
    booth.record(speech(0, 130))
    nursery.start_soon(booth.run)
    await trio.sleep(1.9)
    assert 100 == booth.pacer.sent
    await trio.sleep(1.0)
    assert (130, 20) == (booth.pacer.sent, booth.sent_map.injected)


async def test_what_lies_behind_the_share_is_nothing_to_wait_for(autojump_clock: trio.abc.Clock) -> None:
    """Where the audio behind the share is gone, it ends there."""
    gone = Booth()
    gone.record(speech(0, 4000))
    await gone.journal.gap(2000, Cause.DEVICE)
    gone.pacer._share_end = 4000
    gone.pacer.cut(5000)
    with trio.fail_after(60.0):
        await gone.run()
    assert 4000 == gone.pacer.sent


async def test_a_turn_does_not_wait_through_the_quiet(autojump_clock: trio.abc.Clock, nursery: trio.Nursery) -> None:
    """Where nothing more is sent, the open turn is ended, once: its words are wanted now."""
    booth = Booth()
    booth.pacer._hush = Hush(booth.journal, QuietOptions(policy=QuietPolicy.PAUSE, hold_seconds=2.0))
    booth.record(speech(0, 3000))
    booth.record(quiet(9000))
    booth.conversation.receive(said(open=0.5), 0.0)
    nursery.start_soon(booth.run)
    await trio.sleep(20.0)
    assert [frame for _, frame in booth.connection.sent if frame == "force"] == ["force"]
    assert booth.pacer.sent < 6000
    nursery.cancel_scope.cancel()


async def test_whoever_waits_for_the_rate_rule_is_not_idle(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """It is once all is sent, between the chunks of a live source too."""
    booth = Booth()
    booth.record(speech(0, 30_000))
    nursery.start_soon(booth.run)
    idle = []
    for _ in range(60):
        await trio.sleep(0.5)
        idle.append((booth.pacer.idle, booth.pacer.sent < 30_000))
    assert {(False, True), (True, False)} == set(idle)


async def test_silence_that_is_sent_while_it_waits_counts(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    """Whoever else sends audio obeys the same rule, and a chunk that waited for its moment looks again."""
    booth = Booth()
    booth.record(speech(0, 60_000))
    booth.journal.finish()
    booth.pacer.cut(60_000)
    nursery.start_soon(booth.run)
    for _ in range(20):
        await trio.sleep(0.3)
        while (at := booth.pacer._rate_rule.allowed_at(trio.current_time(), 0.3)) > trio.current_time():  # noqa: ASYNC110
            await trio.sleep_until(at)
        booth.sent_map.add(None, 300)
        booth.pacer._rate_rule.sent(trio.current_time(), 0.3)
        await booth.link.send(bytes(2 * 300), speech_seconds=0.0)
    await trio.sleep(100.0)
    assert (60_000, 20 * 300) == (booth.pacer.sent, booth.sent_map.injected)
    booth.check()


@pytest.mark.parametrize(("rest", "sent"), [(49, 1000), (50, 1050), (99, 1099)])
async def test_the_rest_does_not_wait_for_a_source_that_rests(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery, rest: int, sent: int
) -> None:
    """Silence may be heard next and end the turn: the last word is whole by then, as far as no filling is needed."""
    booth = Booth()
    nursery.start_soon(booth.run)
    booth.record(speech(0, 1000 + rest))
    await trio.sleep(0.7)
    assert booth.streamed() == [(0, 1000)]
    await trio.sleep(0.3)
    assert booth.streamed() == [(0, sent)]
    booth.record(speech(1000 + rest, 150))
    await trio.sleep(0.3)
    assert booth.pacer.sent == sent + 100
    booth.check()
