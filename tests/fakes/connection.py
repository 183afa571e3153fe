"""A scripted connection: what the peer says is queued by the test, what we say is kept with its time."""

import trio

from stenod.core.transport import ConnectionEnded, Frame


class FakeConnection:
    """Delivers what was queued before it ends, like the real one; `send` fails once the end is known."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        """Of the upgrade's response."""
        self.sent: list[tuple[float, Frame]] = []
        self.pings: list[float] = []
        self.closed_at: float | None = None
        self.pong_seconds: float | None = 0.05
        """None: no pong ever."""
        self.send_seconds = 0.0
        self.receive_seconds = 0.0
        self._queue: list[Frame] = []
        self._end: ConnectionEnded | None = None
        self._changed = trio.Event()

    def say(self, *frames: Frame) -> None:
        """Let the peer say something."""
        self._queue += frames
        self._notify()

    def end(self, text: str = "", close_code: int | None = 1000) -> None:
        """Let the peer close; what it said before is still delivered."""
        self._end = self._end or ConnectionEnded(text, close_code=close_code)
        self._notify()

    async def send(self, frame: Frame, seconds: float) -> None:
        """Keep the frame with the time at which it was given; it takes `send_seconds`."""
        given_at = trio.current_time()
        with trio.move_on_after(seconds) as scope:
            await trio.sleep(self.send_seconds)
        if scope.cancelled_caught:
            raise ConnectionEnded(f"send-deadline: over {seconds:g} s", close_code=1006, local=True)
        if self._end is not None:
            raise self._end
        assert self.closed_at is None
        self.sent.append((given_at, frame))
        self.heard(frame)

    def heard(self, frame: Frame) -> None:
        """Do what the peer does about a frame."""

    async def receive(self) -> Frame:
        """Return the next message."""
        await trio.sleep(self.receive_seconds)
        while not self._queue:
            if self._end is not None:
                raise self._end
            await self._changed.wait()
        return self._queue.pop(0)

    async def ping(self) -> None:
        """Answer in `pong_seconds`."""
        self.pings.append(trio.current_time())
        await trio.sleep(self.pong_seconds if self.pong_seconds is not None else float("inf"))
        if self._end is not None:
            raise self._end

    async def close(self, seconds: float) -> None:
        """Note when."""
        await trio.lowlevel.checkpoint()
        if self.closed_at is None:
            self.closed_at = trio.current_time()

    @property
    def texts(self) -> list[Frame]:
        """What we said besides audio."""
        return [frame for _, frame in self.sent if isinstance(frame, str)]

    @property
    def audio(self) -> list[tuple[float, bytes]]:
        """The audio, with the time of each message."""
        return [(at, frame) for at, frame in self.sent if isinstance(frame, bytes)]

    def _notify(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()


async def fetch_nothing(url: str, headers: tuple[tuple[str, str], ...], *, seconds: float) -> tuple[int, str]:
    """Fail: most dialects know at once how to open a session."""
    raise AssertionError(f"nobody should have asked for {url}")
