"""Entries in systemd's own protocol, on real datagram sockets; what journald makes of them: `real/test_service`."""

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from stenod.edge.journald import NAME_CHARACTERS_MAX, VALUE_BYTES_MAX, Journal, field_name, reads


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[tuple[socket.socket, Journal]]:
    """A socket that listens as the journal's does, and who speaks to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "journal"))
        listening.settimeout(5)
        yield listening, Journal(str(tmp_path / "journal"))


def parsed(entry: bytes) -> dict[str, str]:
    """Return an entry's fields, read as the protocol says."""
    found = {}
    while entry:
        line, _, entry = entry.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack_from("<Q", entry)
            value, end, entry = entry[8 : 8 + length], entry[8 + length : 9 + length], entry[9 + length :]
            assert end == b"\n"
        found[name.decode()] = value.decode()
    return found


def test_an_entry_has_its_priority_and_its_fields(journal: tuple[socket.socket, Journal]) -> None:
    """Names as the journal takes them; a value with newlines, or with an equals sign, is whole."""
    listening, sending = journal
    assert sending.send(4, "two\nlines", {"event": "a.happened", "delay_seconds": "1.5", "reason": "a=b\nc", "é-ß": ""})
    assert {
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "stenod",
        "MESSAGE": "two\nlines",
        "STENOD_EVENT": "a.happened",
        "STENOD_DELAY_SECONDS": "1.5",
        "STENOD_REASON": "a=b\nc",
        "STENOD___SS": "",
    } == parsed(listening.recv(65536))


def test_no_value_steers_an_entry(journal: tuple[socket.socket, Journal]) -> None:
    """What a provider says cannot add a field; half a character does not end the log; what is too long is cut."""
    listening, sending = journal
    assert sending.send(6, "x\nPRIORITY=0", {"text": "\udce9", "long": "x" * 1_000_000})
    entry = parsed(listening.recv(1 << 20))
    assert "6" == entry["PRIORITY"]
    assert "\\udce9" == entry["STENOD_TEXT"]
    assert VALUE_BYTES_MAX == len(entry["STENOD_LONG"])


@pytest.mark.parametrize(
    ("name", "told"), [("stream", "STENOD_STREAM"), ("1st", "STENOD_1ST"), ("a.b-c d", "STENOD_A_B_C_D")]
)
def test_names(name: str, told: str) -> None:
    """Letters, digits and underscores; no longer than the journal keeps."""
    assert told == field_name(name)
    assert NAME_CHARACTERS_MAX == len(field_name("x" * 100))


def test_what_does_not_get_through_is_said(tmp_path: Path) -> None:
    """Nobody there; somebody who does not read; an entry that is too long for a datagram: no wait, no error."""
    missing = Journal(str(tmp_path / "missing"))
    assert not missing.send(6, "a.happened", {})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "missing"))
        assert missing.send(6, "a.happened", {}), "it is back"
        assert not all(missing.send(6, "a.happened", {}) for _ in range(10_000))
        listening.settimeout(5)
        assert "a.happened" == parsed(listening.recv(4096))["MESSAGE"]
        assert not missing.send(6, "a.happened", {str(n): "x" * VALUE_BYTES_MAX for n in range(100)})


def test_whose_stream_it_is(tmp_path: Path) -> None:
    """By device and inode: a variable that was inherited says nothing of a stream that leads elsewhere."""
    with (tmp_path / "log").open("w") as stream:
        status = os.fstat(stream.fileno())
        own = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert reads(stream, own)
        assert not reads(stream, {"JOURNAL_STREAM": "1:2"})
        assert not reads(stream, {})
        assert not reads(None, own)
    assert not reads(stream, own), "it is closed"
