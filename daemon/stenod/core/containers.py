"""How files of audio begin, so that what is no raw audio is not taken for it.

First bytes decide. Those of the table read as samples of 16 bits would be a step from nothing to half of full scale or
so. An MPEG frame's header could be quiet audio, so there must be a second one where the first says that its frame ends
(ISO/IEC 11172-3, 2.4.1.3, and 13818-3 for the lower rates; MPEG 2.5 is a common extension of that).
"""

MARKS = {
    b"RIFF": "WAV",
    b"RF64": "WAV",
    b"FORM": "AIFF",
    b"caff": "CAF",
    b".snd": "AU",
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"ID3": "MP3",
    b"\x1aE\xdf\xa3": "Matroska or WebM",
}
MP4_MARK, MP4_MARK_AT, MP4_BYTES = b"ftyp", 4, 8
"""Behind the length of the first box, which is a short one."""
HEADER_BYTES = 4
"""Of a frame; no mark is longer."""
LAYER_III = 1
MPEG_1 = 3
VERSIONS = {MPEG_1: 1, 2: 2, 0: 4}
"""By its two bits: what the sampling rates are divided by. 1 is reserved."""
RATES = (44_100, 48_000, 32_000)
KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
KBPS_LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""By the index less one: 0 is a rate that is not said, 15 is none. The lower ones are of MPEG-2 and 2.5."""


def container(start: bytes) -> str | None:
    """Return what a file is that begins so, as far as that can be told; None: raw audio, or what looks like it."""
    if start[MP4_MARK_AT:].startswith(MP4_MARK):
        return "MP4"
    size = _frame_bytes(start)
    if size and _is_one_stream(start, start[size:]):
        return "MP3"
    return next((name for mark, name in MARKS.items() if start.startswith(mark)), None)


def bytes_needed(start: bytes) -> int:
    """Return how many bytes from the beginning `container` must have where these are the first of them."""
    size = _frame_bytes(start)
    if size:
        return size + HEADER_BYTES
    return MP4_BYTES if start.startswith(bytes(3)) else HEADER_BYTES


def _frame_bytes(start: bytes) -> int:
    """Return how long the MP3 frame is that begins here; 0: none does."""
    if len(start) < HEADER_BYTES or start[0] != 0xFF or start[1] & 0xE0 != 0xE0:
        return 0
    version, layer = start[1] >> 3 & 3, start[1] >> 1 & 3
    kbps, rate, padding = start[2] >> 4, start[2] >> 2 & 3, start[2] >> 1 & 1
    if version not in VERSIONS or layer != LAYER_III or not 0 < kbps <= len(KBPS) or rate >= len(RATES):
        return 0
    bits = 1000 * (KBPS if version == MPEG_1 else KBPS_LOW)[kbps - 1]
    samples = 1152 if version == MPEG_1 else 576
    return samples // 8 * bits * VERSIONS[version] // RATES[rate] + padding


def _is_one_stream(first: bytes, second: bytes) -> bool:
    """Return whether two headers are of one stream: alike in version, layer and sampling rate."""
    return _frame_bytes(second) > 0 and first[1] == second[1] and first[2] & 0x0C == second[2] & 0x0C
