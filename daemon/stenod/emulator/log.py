"""What the server saw, said and did: the truth that a client's transcript is held against.

Records are frozen; `Log.records` holds the latest of them (a stated number) in the order in which things happened,
and `--log` writes each as one JSON line with its `type`. `at` is seconds since the server started, on its own clock.

`Heard` tiles a session's audio: its sample ranges follow each other from 0 without a hole, each either `oracle`
(with the range on the oracle's timeline and whether it was equal to the last bit), `silence` (exact zeros that
somebody injected) or `unknown`. Contiguous stretches are one record, which enters the log when the stretch ends;
`Log.heard` shows the one that is still growing too. Audio that was received but not yet processed when a session
ended was not heard: `Ended.audio_samples` may be more than the tiles. (At a jump between two exact runs that agree
by chance in the samples at the seam, both records contain those: the next begins up to 16 samples before the last
one ended.) Only the oracle engine knows positions, so only its sessions have these records.

`Final` enters when its message has been handed to the socket, so a client may be held to it if the line was whole.
"""

from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO, TypeVar

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower, omit_defaults=True):
    """What every record is; the tag is the class's name in lower case."""


class Attempt(Record, frozen=True, kw_only=True):
    """A connection arrived; `attempt` counts from 0."""

    at: float
    attempt: int


class Refused(Record, frozen=True, kw_only=True):
    """An attempt that became no session: an HTTP `status`, a close `code`, or neither (reset, left, no handshake).

    A page that was asked for, and given, is one too, with its status.
    """

    at: float
    attempt: int
    text: str
    status: int | None = None
    code: int | None = None


class Opened(Record, frozen=True, kw_only=True):
    """A session was accepted; `session` counts from 0, `id` is what the client was told, in a message or a header."""

    at: float
    attempt: int
    session: int
    id: str
    sample_rate: int
    parameters: Mapping[str, str]


class Heard(Record, frozen=True, kw_only=True):
    """A contiguous stretch of a session's audio; see the module."""

    session: int
    kind: str
    session_start: int
    session_end: int
    start: int = 0
    end: int = 0
    plan: str = ""
    exact: bool = False


class FinalWord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A final's word: text as recognised, `start` and `end` in session samples as told, `position` as decoded."""

    text: str
    start: int
    end: int
    position: tuple[int, int] | None = None


class Final(Record, frozen=True, kw_only=True):
    """A turn's final, or a piece of one that will not be revised, was sent; `turn` counts them from 0 in each session.

    The words are those of this message alone.
    """

    at: float
    session: int
    turn: int
    text: str
    words: tuple[FinalWord, ...]


class KeepAlive(Record, frozen=True, kw_only=True):
    """The client asked to hold the session open."""

    at: float
    session: int


class Terminate(Record, frozen=True, kw_only=True):
    """The client asked for the session's end."""

    at: float
    session: int


class Struck(Record, frozen=True, kw_only=True):
    """A fault struck; `session` is None for one of the whole server or of an opening."""

    at: float
    kind: str
    session: int | None = None


class Ended(Record, frozen=True, kw_only=True):
    """A session is over. `by` is client, server, fault or network.

    Code 1006 means without a close frame, 1005 with one that has no code. What is billed is the session's time or the
    audio, as the provider does.
    """

    at: float
    session: int
    code: int
    text: str
    by: str
    audio_samples: int
    audio_seconds: float
    billed_seconds: int
    injected_samples: int = 0
    unknown_samples: int = 0


class Failed(Record, frozen=True, kw_only=True):
    """The server itself failed while it served a connection: a defect, with its traceback."""

    at: float
    attempt: int
    traceback: str


R = TypeVar("R", bound=Record)


class Log:
    """Keep the latest records in memory, and write all of them to a file if there is one."""

    def __init__(self, path: Path | None = None, records_max: int = 200_000) -> None:
        self.records: deque[Record] = deque(maxlen=records_max)
        self._growing: dict[int, Heard] = {}
        self._samples: dict[int, Counter[str]] = {}
        self._encode = msgspec.json.Encoder().encode
        self._file: TextIO | None = path.open("a", buffering=1, encoding="utf-8") if path else None

    def add(self, record: Record) -> None:
        """Enter a record."""
        self.records.append(record)
        if self._file is not None:
            self._file.write(self._encode(record).decode() + "\n")

    def of(self, kind: type[R], session: int | None = None) -> list[R]:
        """Return the records of one kind, of one session if given."""
        chosen = [record for record in self.records if isinstance(record, kind)]
        return chosen if session is None else [r for r in chosen if getattr(r, "session", None) == session]

    def hear(self, stretch: Heard, tolerance_samples: int) -> None:
        """Enter a stretch of audio; it is merged with the one before when it continues it."""
        counts = self._samples.setdefault(stretch.session, Counter())
        counts[stretch.kind] += stretch.session_end - stretch.session_start
        last = self._growing.get(stretch.session)
        if last is not None and _continues(last, stretch, tolerance_samples):
            self._growing[stretch.session] = msgspec.structs.replace(
                last, session_end=stretch.session_end, end=stretch.end
            )
            return
        self._close_heard(stretch.session)
        self._growing[stretch.session] = stretch

    def end_heard(self, session: int) -> Mapping[str, int]:
        """Enter the stretch that was still growing; return the session's samples of each kind."""
        self._close_heard(session)
        return self._samples.pop(session, {})

    def _close_heard(self, session: int) -> None:
        last = self._growing.pop(session, None)
        if last is not None:
            self.add(last)

    def heard(self, session: int) -> list[Heard]:
        """Return what a session has heard so far."""
        growing = self._growing.get(session)
        return self.of(Heard, session) + ([growing] if growing else [])

    def close(self) -> None:
        """Enter what is still growing and close the file."""
        for session in tuple(self._growing):
            self._close_heard(session)
        if self._file is not None:
            self._file.close()
            self._file = None


def _continues(last: Heard, stretch: Heard, tolerance_samples: int) -> bool:
    if stretch.session_start != last.session_end:
        return False
    if (stretch.kind, stretch.plan, stretch.exact) != (last.kind, last.plan, last.exact):
        return False
    return stretch.kind != "oracle" or abs(stretch.start - last.end) <= (0 if stretch.exact else tolerance_samples)
