"""Which source an input is, and whether it is the one that was read before."""

from dataclasses import replace
from pathlib import Path

import pytest

from stenod.edge.microphone import Microphone
from stenod.inputs import identity_of, source_of, streams_of
from stenod.options import CaptureOptions, Options
from stenod.tasks.relief import Relief


def options(text: str, **rest: object) -> Options:
    """The configuration with this input."""
    return replace(Options(), capture=CaptureOptions(input=text, **rest))


@pytest.mark.parametrize(
    ("text", "live"), [("mic:USB", True), ("sample", False), ("talk.flac", False), ("command:arecord -q", True)]
)
def test_each_kind_has_its_source(text: str, live: bool) -> None:
    """Live or not, as the contract wants to know."""
    source = source_of(options(text))
    assert source is not None
    assert live is source.live


def test_no_input_is_no_source() -> None:
    """What the journal still has is all."""
    assert source_of(options("none")) is None


def test_a_file_is_known_again_and_another_is_not(tmp_path: Path) -> None:
    """By what it is, not by its name; a file that grew is another one."""
    first, second = tmp_path / "a.wav", tmp_path / "b.wav"
    first.write_bytes(b"1234")
    second.write_bytes(b"1234")
    known = identity_of(options(str(first)))
    assert known == identity_of(options(str(first)))
    assert known != identity_of(options(str(second)))
    first.rename(tmp_path / "c.wav")
    assert known == identity_of(options(str(tmp_path / "c.wav")))
    (tmp_path / "c.wav").write_bytes(b"12345")
    assert known != identity_of(options(str(tmp_path / "c.wav")))


def test_another_channel_is_another_source(tmp_path: Path) -> None:
    """It was not heard yet; all of them mixed are what they were before there was a choice."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"1234")
    assert 3 == len({identity_of(options(str(path), channel=channel)) for channel in (0, 1, 2)})
    assert "channel" not in str(identity_of(options(str(path))))
    assert identity_of(options("sample")) != identity_of(options("sample", channel=1))


def test_a_microphone_knows_its_channel() -> None:
    """It must open the device with enough of them."""
    source = source_of(options("mic:USB", channel=2))
    assert isinstance(source, Relief)
    assert isinstance(source.source, Microphone)
    assert ["2", "0.0", "USB"] == source.source.words[-3:]


def test_a_service_waits_for_its_microphone() -> None:
    """One that is not plugged in yet is no error there."""
    for patient in (False, True):
        source = source_of(options("mic"), patient=patient)
        assert isinstance(source, Relief)
        assert isinstance(source.source, Microphone)
        assert patient == source.source.patient


@pytest.mark.parametrize("text", ["mic", "command:cat", "none", "missing.wav"])
def test_what_is_heard_only_once_has_no_identity(text: str) -> None:
    """There is no place in it to go on from."""
    assert identity_of(options(text)) is None


def test_a_channel_with_a_name_is_a_stream() -> None:
    """With the first channel first, its own source that can be read again, and its share of the disk."""
    whole = replace(options("sample", channel_names=("judge", "2")), stream="court")
    found = streams_of(whole)
    assert [("court-judge", 1), ("court-2", 2)] == [(one.stream, one.capture.channel) for one in found]
    assert 2 == len({identity_of(one) for one in found})
    assert whole.journal.audio_bytes_max == sum(one.journal.audio_bytes_max for one in found)
    assert [Options()] == streams_of(Options())


def test_a_microphone_is_opened_with_all_channels_that_have_names() -> None:
    """Once for all of them."""
    source = source_of(options("mic:USB", channel_names=("a", "b", "c")))
    assert source is not None
    assert isinstance(source, Relief)
    assert isinstance(source.source, Microphone)
    assert ["3", "0.0", "USB"] == source.source.words[-3:]
