"""Files of audio, good and bad, read through libsndfile itself."""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stenod.core.source import Block, SourceBroken, SourceError
from stenod.edge.soundfile import SoundFile, sample


async def inline(work, *arguments):
    """Do the work at once, as the simulation does."""
    return work(*arguments)


async def blocks_of(source: SoundFile, position_seconds: float = 0.0) -> list[Block]:
    blocks = []
    async with source.open(position_seconds) as reader:
        while (block := await reader.read()) is not None:
            blocks.append(block)
        assert await reader.read() is None
    return blocks


async def samples_of(path: Path, position_seconds: float = 0.0) -> np.ndarray:
    blocks = await blocks_of(SoundFile(path, offload=inline), position_seconds)
    return np.frombuffer(b"".join(block.pcm for block in blocks), "<i2")


def noise(frames: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(7).integers(-32768, 32768, (frames, channels)).astype("<i2")


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "noise.wav"
    soundfile.write(path, noise(16000), 16000)
    return path


@pytest.fixture
def locked(wav: Path) -> Path:
    wav.chmod(0)
    return wav


async def test_a_file_is_read_bit_for_bit_in_tenths_of_a_second(wav: Path) -> None:
    """The default offload (a worker thread) and a 16-bit file: nothing changes on the way."""
    source = SoundFile(wav)
    blocks = await blocks_of(source)

    assert [block.frames for block in blocks] == [1600] * 10
    assert noise(16000).tobytes() == b"".join(block.pcm for block in blocks)
    assert (source.live, source.ends) == (False, True)
    assert f"file {wav}" == source.description
    assert blocks[0].monotonic is None


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "au", "caf"])
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (11025, 6)])
async def test_rates_and_channels_stay_as_they_are(tmp_path: Path, suffix: str, rate: int, channels: int) -> None:
    """Capture resamples; the source only reads."""
    path = tmp_path / f"some.{suffix}"
    soundfile.write(path, noise(rate, channels), rate, subtype="PCM_16")

    blocks = await blocks_of(SoundFile(path, offload=inline))

    assert {(rate, channels)} == {(block.rate, block.channels) for block in blocks}
    assert noise(rate, channels).tobytes() == b"".join(block.pcm for block in blocks)


async def test_float_files_are_scaled_rounded_and_clipped(tmp_path: Path) -> None:
    """A float may lie between two steps, past full scale, or be no number at all."""
    path = tmp_path / "float.wav"
    values = [0.0, 0.5, 100.4 / 32768, 100.6 / 32768, 1.0, 1.5, -1.0, -7.0, math.nan, math.inf, -math.inf, 3e38]
    soundfile.write(path, np.array(values, "float32"), 16000, subtype="FLOAT")

    expected = [0, 16384, 100, 101, 32767, 32767, -32768, -32768, 0, 32767, -32768, 32767]
    assert expected == (await samples_of(path)).tolist()


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [("wav", "PCM_16"), ("flac", "PCM_16"), ("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III"), ("wav", "GSM610")],
)
async def test_a_file_opens_at_a_position(tmp_path: Path, suffix: str, subtype: str) -> None:
    """Reading on after a restart gives the very samples that reading through would have given."""
    path = tmp_path / f"tone.{suffix}"
    tone = np.rint(8000 * np.sin(np.arange(32000) * 0.05 * (1 + np.arange(32000) / 64000))).astype("<i2")
    soundfile.write(path, tone, 16000, subtype=subtype)

    whole = await samples_of(path)
    rest = await samples_of(path, 0.75)

    assert len(whole) - 12000 == len(rest)
    assert np.abs(whole[12000:].astype(int) - rest).max() <= 1


@pytest.mark.parametrize("position_seconds", [1.0, 1.00001, 3600.0])
async def test_a_position_at_or_past_the_end_is_the_end(wav: Path, position_seconds: float) -> None:
    """A file that became shorter, or was read whole, ends without a fault."""
    assert len(await samples_of(wav, position_seconds)) == 0


@pytest.mark.parametrize(
    ("suffix", "told"),
    [
        ("wav", "64000 bytes of 128000 are there, which are 2.0 s"),
        ("aiff", "are there, which are 2.0 s"),
        ("flac", "s of 4.0 s are there; Error : flac decoder lost sync"),
        ("mp3", "s of 4.0 s are there"),
    ],
)
async def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path: Path, suffix: str, told: str) -> None:
    """A recording that broke off loses its end (at most a block of what is there), and says what is missing."""
    path = tmp_path / f"broken.{suffix}"
    soundfile.write(path, noise(64000), 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 + 22])
    got, said = b"", ""
    async with SoundFile(path, offload=inline).open(0.0) as reader:
        try:
            while (block := await reader.read()) is not None:
                got += block.pcm
        except SourceBroken as broken:
            said = str(broken)
    assert "breaks off before its end: " in said
    assert told in said
    assert 32000 - 4096 - 1600 <= len(got) // 2 <= 32000
    if suffix != "mp3":
        assert noise(64000).tobytes()[: len(got)] == got


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
async def test_an_ogg_that_breaks_off_says_so(tmp_path: Path, subtype: str) -> None:
    """It knows no length that it should have: what tells is that its last page is not the one that ends it."""
    path = tmp_path / "broken.ogg"
    soundfile.write(path, noise(64000), 16000, format="OGG", subtype=subtype)
    assert 64000 == len(await samples_of(path))
    whole = path.read_bytes()
    for bytes_there in (len(whole) * 2 // 3, whole.rindex(b"OggS") + 4):
        path.write_bytes(whole[:bytes_there])
        with pytest.raises(SourceBroken, match=r"its last page is not there, and [123]\.\d s are"):
            await samples_of(path)


def rewrite_length(wav: Path, promised: int) -> None:
    content = wav.read_bytes()
    at = content.index(b"data") + 4
    wav.write_bytes(content[:at] + promised.to_bytes(4, "little") + content[at + 4 :])


@pytest.mark.parametrize("promised", [0xFFFF_FFFF, 0x7FFF_FFFF])
async def test_a_file_whose_writer_did_not_know_its_length_is_whole(wav: Path, promised: int) -> None:
    """A recorder that writes into a pipe cannot go back to the header."""
    rewrite_length(wav, promised)
    assert 16000 == len(await samples_of(wav))


async def test_a_decoder_has_nothing_to_say(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Standard error is the log's: that of an MP3 complains of every frame that is read by seeking to it."""
    path = tmp_path / "noise.mp3"
    soundfile.write(path, noise(32000), 16000, format="MP3")
    whole = await samples_of(path)
    assert 32000 == len(whole) == len(soundfile.read(path)[0])
    assert ("", "") == capfd.readouterr()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


BAD = [
    (lambda folder: folder / "none.wav", 66, "no such file", "check the path"),
    (lambda folder: folder, 66, "a folder", "name a file in it"),
    (lambda folder: written(folder / "empty.wav", b""), 65, "it is empty", "stopped early"),
    (lambda folder: written(folder / "notes.txt", b"hello\n" * 99), 65, "format not recognised", "ffmpeg -i"),
    (lambda folder: written(folder / "talk.RAW", b"hello\n" * 99), 65, "does not say what it is", "--input - < "),
    (lambda _: Path("/dev/null"), 66, "not a regular", "pipe"),
    (lambda folder: folder / ("n" * 300), 66, "name too long", "check the path"),
]


@pytest.mark.parametrize(("make", "exit_code", "cause", "remedy"), BAD)
async def test_a_file_that_cannot_be_read_says_why_and_what_to_do(
    tmp_path: Path, make, exit_code: int, cause: str, remedy: str
) -> None:
    """Each failure is one sentence with the path, the cause and the remedy, and an exit code of its kind."""
    path = make(tmp_path)

    with pytest.raises(SourceError) as caught:
        await samples_of(path)

    assert exit_code == caught.value.exit_code
    for part in (f"cannot read file {path}: ", cause, remedy):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    """A header alone is a recording that was never made, not a transcript without words."""
    soundfile.write(tmp_path / "none.wav", noise(0), 16000)

    with pytest.raises(SourceError, match="no samples") as caught:
        await samples_of(tmp_path / "none.wav")
    assert caught.value.exit_code == 65


@pytest.fixture
def nobody(locked: Path) -> Iterator[None]:
    """Be somebody who may not read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.mark.usefixtures("nobody")
async def test_a_file_of_somebody_else_is_refused(locked: Path) -> None:
    """The remedy for a forbidden file is its permission, not its path."""
    with pytest.raises(SourceError, match="permission denied; let its user read it") as caught:
        await samples_of(locked)
    assert caught.value.exit_code == 66


async def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    """Opening one without a writer would hang a thread for good."""
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(SourceError, match="not a regular file"):
        await samples_of(tmp_path / "fifo")


async def test_the_sample_is_what_its_description_says() -> None:
    """Length, rate, and speech where the words are, near silence between the sentences."""
    source = sample(offload=inline)
    told = json.loads(source.path.with_name("sample.json").read_text())
    samples = await samples_of(source.path)

    def loudness(start: float, end: float) -> float:
        part = samples[round(start * told["rate"]) : round(end * told["rate"])].astype(float)
        return 20 * math.log10(np.sqrt(np.mean(part**2)) / 32768)

    assert told["samples"] == len(samples)
    assert source.path.stat().st_size <= 300_000
    edges = [0.0]
    for sentence in told["sentences"]:
        assert -35 < loudness(sentence["start"], sentence["end"]) < -25
        assert loudness(edges[-1] + 0.1, sentence["start"] - 0.1) < -60
        assert [w["text"] for w in sentence["words"]] == sentence["text"].strip(".").split()
        edges.append(sentence["end"])
    assert told["text"] == " ".join(sentence["text"] for sentence in told["sentences"])
    words = [word for sentence in told["sentences"] for word in sentence["words"]]
    times = [time for word in words for time in (word["start"], word["end"])]
    assert sorted(times) == times
