"""A toy provider: a dialect with JSON messages, one key a message, and a server that speaks it.

Server: `{"ready": id}`, `{"final": [turn, [[text, start, end]]]}`, `{"heard": seconds}`, `{"finished": complete}`,
`{"ask": answer}` (to be answered with that), ...
Client: audio as binary; `bye`, `alive` and `force` as text.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import trio

from fakes.connection import FakeConnection
from stenod.core.transport import ConnectionEnded
from stenod.core.verdict import Effect, Rule, Severity, Verdict
from stenod.providers.base import (
    Dialect,
    Event,
    Final,
    Finished,
    Frame,
    Heard,
    Limits,
    Notice,
    Partial,
    Ready,
    Refused,
    Request,
    Revision,
    Say,
    SpokenWord,
    Warned,
)
from stenod.providers.billing import Billing, Measure
from stenod.providers.standard_rules import STANDARD_RULES

BAD_KEY = Rule(
    name="bad-key",
    verdict=Verdict.FATAL,
    severity=Severity.ERROR,
    meaning="The key is wrong.",
    remedy="Get another.",
    texts=("bad key",),
    exit_code=77,
)
TOO_FAST = Rule(
    name="too-fast",
    verdict=Verdict.RETRY,
    severity=Severity.WARNING,
    meaning="Too fast.",
    remedy="None.",
    texts=("too fast",),
    effect=Effect.SLOWER,
)
OLD_TOKEN = Rule(
    name="old-token",
    verdict=Verdict.RETRY,
    severity=Severity.WARNING,
    meaning="The token is old.",
    remedy="None.",
    texts=("old token",),
    effect=Effect.NEW_TOKEN,
)

BILLING = Billing(measure=Measure.SESSION, price_per_hour=3600.0, orphan_seconds=30.0)
"""A second costs one."""


def said(**message: Any) -> str:
    """Return a message of the server."""
    return json.dumps(message)


class ToyConversation:
    """One session's state: which turn is open, and what is held until when."""

    def __init__(self, greets: bool, keepalive: str | None, closes: bool = False) -> None:
        self._greets = greets
        self._keepalive = keepalive
        self._closes = closes
        self._asked = False
        self.clean: bool | None = None
        """How it was said to have been closed."""
        self._open_since: float | None = None
        self._held: tuple[float, list[Event]] | None = None

    def opened(self, headers: Mapping[str, str]) -> list[Event]:
        return [] if self._greets else [Ready(headers.get("toy-session"))]

    def audio(self, pcm: bytes) -> Frame:
        return pcm

    def keepalive(self) -> Frame | None:
        return self._keepalive

    def force_end(self) -> Frame | None:
        return "force"

    def goodbye(self, *, hurried: bool = False) -> list[Frame]:
        self._asked = True
        return ["bye"]

    def receive(self, message: Frame, now: float) -> list[Event]:
        events: list[Event] = []
        for kind, value in json.loads(message).items():
            match kind:
                case "open":
                    self._open_since = value
                case "hold":
                    self._held = (now + value, self._event("final", [0, [["held", 0.0, 0.1]]]))
                case "boom":
                    raise ValueError(value)
                case _:
                    events += self._event(kind, value)
        return events

    def _event(self, kind: str, value: Any) -> list[Event]:
        match kind:
            case "ready":
                return [Ready(*value) if isinstance(value, list) else Ready(value)]
            case "final" | "partial":
                spoken = tuple(SpokenWord(*word) for word in value[1])
                text = " ".join(word.text for word in spoken)
                return [(Final if kind == "final" else Partial)(value[0], text, spoken)]
            case "heard":
                return [Heard(value)]
            case "finished":
                return [Finished(complete=value, billed_seconds=1.5)]
            case "ask":
                return [Say(value)]
            case "refused":
                return [Refused(*value)]
            case "revision":
                return [Revision(value[0], tuple(value[1]))]
            case _:
                return [Notice("unknown", kind)]

    def due(self, now: float) -> list[Event]:
        return self._release()

    def deadline(self) -> float | None:
        return None if self._held is None else self._held[0]

    def closed(self, *, clean: bool) -> list[Event]:
        self.clean = clean
        finished = [Finished(complete=True)] if clean and self._closes and self._asked else []
        return [*self._release(), *finished]

    def reconfigure(self, dialect: Dialect) -> list[Frame] | None:
        changes = getattr(dialect, "changes", None)
        return None if changes is None else [f"change {one}" for one in changes]

    def turn_open_since(self) -> float | None:
        return self._open_since

    def _release(self) -> list[Event]:
        held, self._held = self._held, None
        return [] if held is None else held[1]


@dataclass
class ToyDialect:
    """`greets`: it says when it is ready, else the upgrade is enough. `closes`: its close answers a goodbye."""

    limits: Limits = field(
        default_factory=lambda: Limits(chunk_seconds_min=0.05, chunk_seconds_max=1.0, drain_seconds_max=6.0)
    )
    rules: tuple[Rule, ...] = (BAD_KEY, TOO_FAST, OLD_TOKEN, *STANDARD_RULES)
    name: str = "toy"
    greets: bool = True
    keepalive: str | None = None
    closes: bool = False
    changes: tuple[str, ...] | None = None
    """What an open session of an older dialect is told, to be one of this; None: that is not possible."""
    billing: Billing = BILLING
    conversations: list[ToyConversation] = field(default_factory=list)

    def request(self, *, key: str, rate: int) -> Request:
        return Request(url=f"ws://toy/{rate}", headers=(("key", key),), public_url="ws://toy")

    def conversation(self) -> ToyConversation:
        self.conversations.append(ToyConversation(self.greets, self.keepalive, self.closes))
        return self.conversations[-1]

    def errors(self) -> list[Warned]:
        return []

    def warnings(self) -> list[Warned]:
        return []


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What the server does with one connection."""

    refuses: ConnectionEnded | None = None
    """The dial fails."""
    dial_seconds: float = 0.0
    ready_seconds: float | None = 0.0
    """None: never ready."""
    expires_at: float | None = None
    """Unix seconds."""
    error: tuple[int | None, str] | None = None
    """An error message instead of ready, then the close."""
    turn_seconds: float | None = 1.0
    """A word and its proof for each second of audio; None: deaf."""
    ends_after: float | None = None
    """Closes itself so long after it was ready."""
    end_code: int = 1006
    end_text: str = ""
    finish_seconds: float | None = 0.1
    """From our goodbye to its last words; None: never."""
    pong_seconds: float | None = 0.05
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the upgrade's response."""
    finishes: bool = True
    """Answers a goodbye in words and closes with 1000, else only with a close of this code."""
    finish_code: int | None = 1005


class ToySession(FakeConnection):
    """The server's side of one connection."""

    def __init__(self, index: int, behaviour: Behaviour, nursery: trio.Nursery, rate: int) -> None:
        super().__init__()
        self.index = index
        self.behaviour = behaviour
        self.opened_at = trio.current_time()
        self.bye_at: float | None = None
        self.pong_seconds = behaviour.pong_seconds
        self.headers = dict(behaviour.headers)
        self._nursery = nursery
        self._rate = rate
        self._samples = 0
        self._turns = 0
        nursery.start_soon(self._live)

    @property
    def pcm(self) -> bytes:
        """All audio it was sent."""
        return b"".join(frame for _, frame in self.audio)

    def heard(self, frame: Frame) -> None:
        if isinstance(frame, bytes):
            self._samples += len(frame) // 2
            turn = self.behaviour.turn_seconds
            while turn is not None and self._samples >= (self._turns + 1) * turn * self._rate:
                self._turn(self._turns * turn, (self._turns + 1) * turn)
        elif frame == "bye":
            assert self.bye_at is None, "said goodbye twice"
            self.bye_at = trio.current_time()
            self._nursery.start_soon(self._finish)

    def _turn(self, start: float, end: float) -> None:
        self.say(said(final=[self._turns, [[f"s{self.index}t{self._turns}", start, end]]], heard=end))
        self._turns += 1

    async def _live(self) -> None:
        behaviour = self.behaviour
        if behaviour.error is not None:
            self.say(said(refused=list(behaviour.error)))
            self.end("", behaviour.end_code)
        elif behaviour.ready_seconds is not None:
            await trio.sleep(behaviour.ready_seconds)
            self.say(said(ready=[f"p{self.index}", behaviour.expires_at]))
            if behaviour.ends_after is not None:
                await trio.sleep(behaviour.ends_after)
                self.end(behaviour.end_text, behaviour.end_code)

    async def _finish(self) -> None:
        if self.behaviour.finish_seconds is None:
            return
        await trio.sleep(self.behaviour.finish_seconds)
        turn = self.behaviour.turn_seconds
        if turn is not None and self._samples > self._turns * turn * self._rate:
            self._turn(self._turns * turn, self._samples / self._rate)
        if self.behaviour.finishes:
            self.say(said(finished=True))
        self.end("", 1000 if self.behaviour.finishes else self.behaviour.finish_code)


class ToyServer:
    """Each connection gets the next behaviour; the last one repeats, or `choose` says."""

    def __init__(self, nursery: trio.Nursery, *behaviours: Behaviour, rate: int = 1000) -> None:
        self.behaviours = list(behaviours) or [Behaviour()]
        self.choose: Callable[[int], Behaviour] = lambda index: self.behaviours[min(index, len(self.behaviours) - 1)]
        self.dials: list[float] = []
        self.sessions: list[ToySession] = []
        self._nursery = nursery
        self._rate = rate

    async def connect(
        self, nursery: trio.Nursery, url: str, headers: tuple[tuple[str, str], ...], *, seconds: float
    ) -> ToySession:
        """See `tasks.link.Connect`."""
        behaviour = self.choose(len(self.dials))
        index = len(self.dials)
        self.dials.append(trio.current_time())
        with trio.move_on_after(seconds) as scope:
            await trio.sleep(behaviour.dial_seconds)
        if scope.cancelled_caught:
            raise ConnectionEnded("opening-deadline: no connection", local=True)
        if behaviour.refuses is not None:
            raise behaviour.refuses
        session = ToySession(index, behaviour, self._nursery, self._rate)
        self.sessions.append(session)
        return session
