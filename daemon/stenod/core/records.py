"""The JSON lines: one frozen type per record, `type` first.

Times come twice: seconds on the stream's timeline, and UTC as RFC 3339 with milliseconds. `id` is stream, epoch and
sequence; it is given when the record enters the outbox and never changes.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

ID_UNSET = ""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One word of a turn; seconds on the stream's timeline."""

    text: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None


class _Timed(msgspec.Struct, frozen=True, kw_only=True):
    """What every record with a place on the timeline has."""

    stream: str
    id: str = ID_UNSET
    start: float
    end: float
    started_at: str
    ended_at: str


class Final(_Timed, frozen=True, kw_only=True, tag_field="type", tag="final"):
    """A turn, never revised."""

    text: str
    words: tuple[Word, ...]
    language: str | None = None
    provider: str
    session: str
    late: bool = False
    doubtful: bool = False
    """A seam lies in it where two sessions did not agree: a word may be there twice."""
    recovered: bool = False
    """It was recorded before a ledger was lost: the same words may stand in lines of an earlier epoch."""


class Partial(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="partial"):
    """The current state of an unfinished turn. Never in the outbox."""

    stream: str
    start: float
    end: float
    started_at: str
    ended_at: str
    text: str
    words: tuple[Word, ...]
    language: str | None = None
    provider: str
    session: str
    late: bool = False


class Gap(_Timed, frozen=True, kw_only=True, tag_field="type", tag="gap"):
    """Audio that will never be transcribed, and why."""

    cause: str
    estimated: bool = False


class Session(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="session"):
    """A session began, handed over, or ended."""

    stream: str
    id: str = ID_UNSET
    session: str
    provider: str
    provider_session: str | None = None
    event: str
    at: str
    code: int | None = None
    reason: str | None = None
    verdict: str | None = None
    audio_seconds: float | None = None
    billed_seconds: float | None = None
    cost: float | None = None


class Revision(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="revision"):
    """A provider corrected who spoke: `revises` is the id of the final; one speaker a word."""

    stream: str
    id: str = ID_UNSET
    revises: str
    speakers: tuple[str | None, ...]


class Status(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="status"):
    """Something changed that a person should know."""

    stream: str
    id: str = ID_UNSET
    at: str
    subject: str
    """`provider`, `device`, `level`, `journal`, ..."""
    state: str
    """`lost`, `back`, `fatal`, ...; of a level `muted`, `clipping`, `quiet`, `good`."""
    reason: str
    remedy: str = ""


Record = Final | Gap | Session | Revision | Status
"""What enters the outbox."""


def record_id(stream: str, epoch: int, sequence: int) -> str:
    """The identity of a record, sortable as text within one stream."""
    return f"{stream}-{epoch:04d}-{sequence:010d}"


def line(record: Record | Partial) -> bytes:
    """Return the record as one JSON line."""
    return msgspec.json.encode(record) + b"\n"


def rfc3339(unix_seconds: float) -> str:
    """Return UTC with milliseconds: `2026-01-31T09:00:00.000Z`."""
    moment = datetime.fromtimestamp(round(unix_seconds, 3), tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parsed(text: bytes) -> dict[str, Any]:
    """Decode one line (for readers and tests)."""
    value = msgspec.json.decode(text)
    assert isinstance(value, dict), value
    return value
