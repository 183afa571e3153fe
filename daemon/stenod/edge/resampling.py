"""Turn a source's audio into the stream's: s16le mono at one rate. Knows nothing of sources, journal or time.

Invariants:

* One channel at the wanted rate passes bit for bit, be it the only one or a chosen one.
* Positions are kept: sample n of the input comes out at n * rate_out / rate_in. soxr compensates the delay of its
  filter, so there is no constant offset, and the whole output is round(frames * rate_out / rate_in) samples, one more
  or less where that is a tie.
* How the input is cut into blocks does not show in the output.

One channel is chosen, or all are averaged in floating point, so that two loud ones cannot overflow. Resampling is done
in float32 and rounded here, since soxr's own 16-bit output is dithered, that is, not the same twice. Its filter looks
ahead and works in blocks: the converter holds back 20 to 100 ms (measured with soxr 1.1, quality HQ), which `finish`
hands out.
"""

from typing import TYPE_CHECKING, Any

from stenod.core.source import SourceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

EX_CONFIG = 78
NO_CHANNEL = (
    "there is no channel {channel} in the input, it has {channels} (capture.channel); "
    "choose 1 to {channels}, or 0 for all"
)
SAMPLE_MAX = 32767.0
SAMPLE_MIN = -32768.0


class Converter:
    """One contiguous stretch of a source's audio, converted as it comes; a hole in it wants a new converter.

    `channel` counts from 1, 0 is all of them. Raises `SourceError` for one that the audio does not have.
    """

    def __init__(self, rate_in: int, channels_in: int, rate_out: int, *, channel: int = 0) -> None:
        assert rate_in > 0
        assert channels_in > 0
        assert rate_out > 0
        if channel > channels_in:
            raise SourceError(NO_CHANNEL.format(channel=channel, channels=channels_in), EX_CONFIG)
        self._channels = channels_in
        self._channel = channel
        self._stream = _stream(rate_in, rate_out)
        self._finished = False

    def feed(self, pcm: bytes) -> bytes:
        """Convert a block of whole frames; what comes back may be shorter or longer than the block's own time."""
        assert not self._finished, "a finished converter cannot go on"
        assert len(pcm) % (2 * self._channels) == 0, f"{len(pcm)} bytes are not whole frames"
        if self._channels == 1 and self._stream is None:
            return pcm
        if self._channel:
            pcm = _chosen(pcm, self._channels, self._channel)
            if self._stream is None:
                return pcm
        mono = _mono(pcm, 1 if self._channel else self._channels)
        return _pcm(mono if self._stream is None else self._stream.resample_chunk(mono))

    def finish(self) -> bytes:
        """Return what was held back; the converter is used up."""
        import numpy as np

        assert not self._finished, "a finished converter cannot go on"
        self._finished = True
        if self._stream is None:
            return b""
        return _pcm(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))


def _stream(rate_in: int, rate_out: int) -> Any:
    if rate_in == rate_out:
        return None
    import soxr

    return soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality="HQ")


def _chosen(pcm: bytes, channels: int, channel: int) -> bytes:
    """Return one of the channels as it is."""
    import numpy as np

    return np.frombuffer(pcm, "<i2").reshape(-1, channels)[:, channel - 1].tobytes()


def _mono(pcm: bytes, channels: int) -> "Floats":
    """Average the channels; float32 holds every sample and every sum of up to 256 of them exactly."""
    import numpy as np

    frames = np.frombuffer(pcm, "<i2").astype(np.float32).reshape(-1, channels)
    mono: Floats = frames.mean(axis=1, dtype=np.float32)
    return mono


def _pcm(mono: "Floats") -> bytes:
    import numpy as np

    return np.clip(np.rint(mono), SAMPLE_MIN, SAMPLE_MAX).astype("<i2").tobytes()
