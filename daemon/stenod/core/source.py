"""What a source of audio is: the contract between `edge` (which opens them) and the capture task (which reads).

A source is opened at a position, read block by block, and ends, fails or is lost:

* `read()` returns a `Block`; blocks follow each other without a hole unless one says `dropped`.
* `read()` returns None: the source has ended for good (end of a file, of standard input).
* `SourceBroken`: it has ended for good, and before its time (a file that was cut off); what came is all there is.
* `SourceLost`: it stopped, and opening it again may help (an unplugged microphone, a child that died).
* `SourceError`: opening it again cannot help before a person acts; it carries the remedy and the exit code.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

READ_AHEAD_SECONDS = 60.0
"""How far ahead of the clock a live source may run: standard input is then taken for a file, a command is held back."""
WAITING_SECONDS_MAX = 120.0
"""How far a source that is not live is read ahead of the transcript. A session that settles nothing for a minute is
handed over, and looks for a pause for some time before that: it must not be without audio meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Contiguous audio as the source delivers it: `pcm` is s16le, interleaved, at the source's own rate."""

    pcm: bytes
    rate: int
    channels: int
    monotonic: float | None = None
    """CLOCK_MONOTONIC when the last sample of the block was read, in seconds; None where the source has no clock."""
    boottime: float | None = None
    """CLOCK_BOOTTIME at the same moment: it runs on through a suspend, the other does not."""
    wall: float | None = None
    """CLOCK_REALTIME at the same moment, Unix seconds; may be wrong and may jump."""
    dropped: int = 0
    """Frames (samples a channel) that were lost just before this block, counted by whoever dropped them."""
    overflowed: bool = False
    """The device said that it lost audio before this block, without saying how much."""

    @property
    def frames(self) -> int:
        """Samples a channel."""
        return len(self.pcm) // (2 * self.channels)


class SourceLost(Exception):
    """The source stopped delivering; opening it again may bring it back. The text says what happened."""


class SourceBroken(Exception):
    """The source ended before its end. The text says where, and what was promised."""


class SourceError(Exception):
    """The source cannot be opened until a person acts.

    `str(error)` is one sentence with what failed, why, and what to do; `exit_code` is from sysexits.h.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Reader(Protocol):
    """An open source."""

    async def read(self) -> Block | None:
        """Return the next block, or None at the end; see the module for the errors."""


class Source(Protocol):
    """Something that can be opened, again and again."""

    description: str
    """For a person: "microphone 'USB PnP'", "file talk.flac"."""
    live: bool
    """Whether audio that is not read in time is lost (a microphone), or waits (a file)."""
    ends: bool
    """Whether the end of a reading is the end of the source (file, stdin) or a loss (microphone, command)."""
    clocked: bool
    """Whether its blocks are stamped where the device is read, so that audio missing against the clock is lost. In a
    pipe it may still come, and whoever writes it may have rested."""

    def open(self, position_seconds: float) -> AbstractAsyncContextManager[Reader]:
        """Open for reading; a file starts at `position_seconds`, a live source ignores it."""
