"""What the microphone's child writes to its parent: a header, then the payload. Both sides have it from here.

Pure. It knows neither PortAudio nor pipes.
"""

import struct

MAGIC = b"mic\n"
VERSION = 2
STARTED, BLOCK, OVERFLOWED_BLOCK, FAILURE = range(4)
"""The device is open; audio; audio before which the device says that it lost some; why there is no more (JSON)."""
HEADER = struct.Struct("<4sBBHIIQddd")
"""Magic, version, kind, channels, rate, bytes that follow, frames dropped before, the clocks of a `Moment`."""
PAYLOAD_BYTES_MAX = 1 << 20
NO_MOMENT = (0.0, 0.0, 0.0)
EX_CONFIG = 78
"""A failure that no waiting mends."""


def packed(
    kind: int,
    payload: bytes = b"",
    *,
    channels: int = 0,
    rate: int = 0,
    dropped: int = 0,
    clocks: tuple[float, float, float] = NO_MOMENT,
) -> bytes:
    """Return one message."""
    return HEADER.pack(MAGIC, VERSION, kind, channels, rate, len(payload), dropped, *clocks) + payload
