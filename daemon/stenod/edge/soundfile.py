"""A file of recorded audio as a source: whatever libsndfile reads, at its own rate and with all its channels.

It has no clock, waits to be read, and ends. Knows nothing of who reads it or how fast.

Facts, tried with libsndfile 1.2 (soundfile 0.14):

* A read as float32 times 32768, rounded, is bit-exact for 16-bit files, and rounds and clips right for all others.
  (Read as int16, a float file comes out as zeros and ones, and 24 bits are cut, not rounded.)
* soundfile seeks to where it is after each read, whereupon an MP3's decoder complains of frames that it lacks, on
  standard error. It does not where the file says that nobody may seek; `seek` itself works all the same.
* A name that ends in .raw is a file without a header to libsndfile, whatever is in it.
* `seek` is sample-exact for WAV, AIFF, FLAC, Ogg and MP3, whose first frames after it may be wrong, as they lean on
  frames before them (9 at most, 0.65 s at 8 kHz); a GSM file refuses it and is read up to the position.
* A truncated WAV or AIFF says its real length, and in libsndfile's own notes what its header says: a writer into a pipe
  cannot know, and writes the largest number. A truncated FLAC or MP3 says its old length and fails, or ends, early. A
  truncated Ogg says its real length; its last page is not the one that ends a stream.

Limits: blocks of a tenth of a second. A read blocks its worker thread for as long as the disk does, and cannot be
cancelled, since nobody may close the file under it.
"""

import os
import re
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from stenod.core.source import Block, Reader, SourceBroken, SourceError

EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE = 65, 66, 69
BLOCKS_A_SECOND = 10
LEANING_SECONDS = 1.0
SHORT_SECONDS = 1.0
"""An MP3 may say a little more than it has."""
PROMISED = re.compile(r"^\s*(?:data|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)
"""In libsndfile's notes on a WAV or AIFF: what its header says, and what is there."""
UNKNOWN_BYTES = 0x7FFF_0000
"""From here on a header says that its writer did not know."""
OGG_PAGE, OGG_KIND_AT, OGG_ENDS, OGG_PAGE_BYTES_MAX = b"OggS", 5, 0x04, 65_307
"""How a page begins, where its kind stands, what that has where a stream ends, how long a page may be (RFC 3533)."""

Offload = Callable[..., Awaitable[Any]]
"""`trio.to_thread.run_sync`, or whatever calls the function that it is given and returns what that returns."""


class SoundFile:
    """A file of audio; see `stenod.core.source.Source`."""

    live = False
    ends = True
    clocked = False

    def __init__(
        self, path: Path, *, description: str | None = None, offload: Offload = trio.to_thread.run_sync
    ) -> None:
        self.path = path
        self.description = description or f"file {path}"
        self._offload = offload

    def open(self, position_seconds: float) -> AbstractAsyncContextManager[Reader]:
        """Open at a position; one at or past the end reads as the end."""
        return self._opened(position_seconds)

    @asynccontextmanager
    async def _opened(self, position_seconds: float) -> AsyncIterator[Reader]:
        handle, frame = await self._offload(_opened_at, self.path, position_seconds)
        try:
            yield _FileReader(self, handle, frame, self._offload)
        finally:
            handle.close()  # it was only read: nothing is flushed


def sample(*, offload: Offload = trio.to_thread.run_sync) -> SoundFile:
    """Return the sample of speech that is shipped with stenod (its words and times are in sample.json)."""
    path = Path(__file__).parents[1] / "data" / "sample.flac"
    return SoundFile(path, description="the sample", offload=offload)


class _FileReader:
    def __init__(self, source: SoundFile, handle: Any, frame: int, offload: Offload) -> None:
        self._source = source
        self._handle = handle
        self._offload = offload
        self._frames = frame
        """Read so far, or passed over."""

    async def read(self) -> Block | None:
        pcm, fault = await self._offload(_next_pcm, self._handle)
        if not pcm:
            short = await self._offload(_shortfall, self._handle, self._frames, 0.0 if fault else SHORT_SECONDS)
            if fault or short:
                reasons = "; ".join(reason for reason in (short, fault) if reason)
                raise SourceBroken(f"{self._source.description} breaks off before its end: {reasons}")
            return None
        self._frames += len(pcm) // (2 * self._handle.channels)
        return Block(pcm=pcm, rate=self._handle.samplerate, channels=self._handle.channels)


def _next_pcm(handle: Any) -> tuple[bytes, str]:
    """Read a tenth of a second as s16le; the second item says why there will be no more, where that is a fault."""
    import numpy as np
    import soundfile

    frames = max(1, handle.samplerate // BLOCKS_A_SECOND)
    try:
        floats = handle.read(frames, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        return b"", error.error_string or "unreadable data"
    sure = np.clip(np.nan_to_num(floats, nan=0.0), -1, 1)  # a damaged float file holds anything
    return np.minimum(np.rint(sure * np.float32(32768)), 32767).astype("<i2").tobytes(), ""


def _shortfall(handle: Any, frames: int, shortest: float) -> str:
    """Return what is missing of a file that was read to its end, or nothing."""
    rate = handle.samplerate
    if handle.frames - frames >= max(1.0, shortest * rate):
        return f"{frames / rate:.1f} s of {handle.frames / rate:.1f} s are there"
    for promised, found in PROMISED.findall(handle.extra_info):
        if int(found) < int(promised) < UNKNOWN_BYTES:
            return f"{int(found)} bytes of {promised} are there, which are {frames / rate:.1f} s"
    if handle.format == "OGG" and not _ends_as_ogg(Path(handle.name)):
        return f"its last page is not there, and {frames / rate:.1f} s are"
    return ""


def _ends_as_ogg(path: Path) -> bool:
    """Return whether the last page says that it is the last; what does not look like Ogg at all is not judged."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - OGG_PAGE_BYTES_MAX))
            end = file.read()
    except OSError:  # somebody took it away while it was read
        return True
    page = end.rfind(OGG_PAGE)
    return page < 0 or any(kind & OGG_ENDS for kind in end[page + OGG_KIND_AT :][:1])


def _opened_at(path: Path, position_seconds: float) -> tuple[Any, int]:
    _check_readable(path)
    try:
        import soundfile
    except OSError as error:
        msg = f"cannot read files of audio: no libsndfile ({error}); run `apt-get install libsndfile1`"
        raise SourceError(msg, EX_UNAVAILABLE) from error
    try:
        handle = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".").lower()
        if "regular file" in reason:  # as libsndfile says it of an MP3 without a whole frame
            reason = "there is no audio in it that can be read"
        remedy = f"convert it first, e.g. `ffmpeg -i {path} {path.stem}-converted.wav`"
        raise SourceError(f"cannot read file {path}: {reason}; {remedy}", EX_DATAERR) from error
    if handle.frames == 0:
        handle.close()
        repair = f"`ffmpeg -i {path} {path.stem}-repaired.wav` finds what is there"
        msg = f"cannot read file {path}: it has no samples; was its recording stopped early? {repair}"
        raise SourceError(msg, EX_DATAERR)
    handle.seekable = lambda: False  # otherwise each read seeks, see above
    frame = min(round(position_seconds * handle.samplerate), handle.frames)
    _move(handle, frame)
    return handle, frame


def _check_readable(path: Path) -> None:
    """Refuse what libsndfile would call "system error", or what would hang it (a FIFO without a writer)."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            msg = f"cannot read file {path}: it is a folder; name a file in it"
            raise SourceError(msg, EX_NOINPUT)
        if not stat.S_ISREG(status.st_mode):
            msg = f"cannot read file {path}: not a regular file; pipe raw audio into `stenod run --input -`"
            raise SourceError(msg, EX_NOINPUT)
        with path.open("rb"):
            pass
    except OSError as error:
        remedy = "let its user read it" if isinstance(error, PermissionError) else "check the path"
        reason = (error.strerror or str(error)).lower()
        raise SourceError(f"cannot read file {path}: {reason}; {remedy}", EX_NOINPUT) from error
    if status.st_size == 0:
        raise SourceError(f"cannot read file {path}: it is empty; was its recording stopped early?", EX_DATAERR)
    if path.suffix.lower() == ".raw":
        remedy = f"`stenod run --input - < {path}` takes 16-bit samples of one channel at capture.rate"
        raise SourceError(f"cannot read file {path}: raw audio does not say what it is; {remedy}", EX_DATAERR)


def _move(handle: Any, frame: int) -> None:
    import soundfile

    before = max(0, frame - round(LEANING_SECONDS * handle.samplerate))
    try:
        if before:
            handle.seek(before)
    except soundfile.LibsndfileError:
        before = 0
    while before < frame:
        passed = len(handle.read(min(frame - before, handle.samplerate), dtype="int16"))
        if passed == 0:
            return
        before += passed
