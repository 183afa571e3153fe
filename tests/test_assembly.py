"""The real parts: what a stream and a configuration that do not fit come to."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stenod.assembly import _given, _refusal
from stenod.config import load
from stenod.core.accounts import Account
from stenod.core.transaction import Transaction
from stenod.core.verdict import UNKNOWN
from stenod.edge import state_directory
from stenod.edge.ledger import Ledger
from stenod.edge.segments import Segments
from stenod.tasks.sessions import Fatal


def test_the_rate_belongs_to_the_stream(tmp_path: Path) -> None:
    """Another one in the configuration is an error that names both and the way out; the stream stays as it is."""
    directory = state_directory.named(tmp_path / "state")
    ledger = Ledger(directory.ledger)
    before = ledger.open_stream("room", 16_000)
    ledger.close()
    directory.release()
    words = ["run", "--input", "none", "--provider", "assemblyai", "--endpoint", "ws://127.0.0.1:9", "--stream", "room"]
    result = subprocess.run(
        [sys.executable, "-m", "stenod", *words, "--state-dir", str(directory.path)],
        env=os.environ | {"STENOD_CAPTURE_RATE": "8000", "ASSEMBLYAI_API_KEY": "0" * 32},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (78, "") == (result.returncode, result.stdout)
    assert f"the stream 'room' in {directory.path} was recorded at 16000 Hz, the configuration says 8000 Hz" in (
        result.stderr
    )
    assert "set capture.rate = 16000, or use another stream" in result.stderr
    assert "Traceback" not in result.stderr
    again = Ledger(directory.ledger)
    assert before == again.open_stream("room", 16_000)
    again.close()


@pytest.mark.parametrize(
    ("remedy", "told"),
    [
        ("stenod tries again once; if it recurs, report it.", "If it recurs, report it."),
        ("Add funds; the service keeps recording and tries again by itself.", "Add funds."),
        ("Copy the key again.", "Copy the key again."),
    ],
)
def test_who_has_ended_promises_nothing(remedy: str, told: str) -> None:
    """What is done by a service that goes on is no remedy in the foreground."""
    fatal = Fatal(replace(UNKNOWN, meaning="It is refused.", remedy=remedy), "no\nmoney")
    assert rf"It is refused. (no\nmoney) {told}" == _refusal(fatal)


@contextmanager
def refusing(body: bytes) -> Iterator[str]:
    """Yield the address of a server that knows no key, and says so with this body."""
    head = f"HTTP/1.1 401 Unauthorized\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as asked:
                while asked.readline() not in (b"\r\n", b""):
                    pass
                connection.sendall(head + body)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            server.join()


@pytest.mark.parametrize("as_json", [False, True])
def test_what_a_server_says_moves_no_terminal(tmp_path: Path, as_json: bool) -> None:
    """Its words are one line of ours; in a log of JSON each line is an object, the last ones too."""
    with refusing(b"\x1b[31mEVIL\nline\x00") as address:
        words = ["run", "--input", "sample", "--provider", "assemblyai", "--endpoint", address]
        words += ["--state-dir", str(tmp_path / "state"), *(["--log-format", "json"] if as_json else [])]
        result = subprocess.run(
            [sys.executable, "-m", "stenod", *words],
            env=os.environ | {"ASSEMBLYAI_API_KEY": "0" * 32},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert 77 == result.returncode, result.stderr
    assert result.stderr.replace("\n", "").isprintable()
    told = result.stderr.splitlines()
    if as_json:
        said = [one for one in map(json.loads, told) if one["event"] == "process.said"]
        assert ["error", "warning"] == [one["level"] for one in said]
        told = [one["message"] for one in said]
    assert 1 == sum(one.startswith("stenod: ") and r"(\x1b[31mEVIL\nline\x00)" in one for one in told), told


def test_no_other_engine_takes_what_waits_for_a_service(tmp_path: Path) -> None:
    """Without a provider named, audio that a service was transcribing is not given to the engine inside, and stays."""
    directory = state_directory.named(tmp_path / "state")
    ledger = Ledger(directory.ledger)
    ledger.open_stream("room", 16_000)
    used = Account(
        name="room-000001",
        provider="assemblyai",
        opened_at=1.0,
        ready_at=1.0,
        alive_at=2.0,
        ended_at=2.0,
        audio=0,
        overlap=0,
        billed_seconds=0.0,
        cost=None,
    )
    ledger.commit("room", 0, Transaction(sequence=0, session=1, tail=0, accounts=[used]))
    ledger.close()
    segments = Segments(directory.audio("room"), 160_000)
    segments.append(0, bytes(32_000))
    segments.close()
    directory.release()
    result = subprocess.run(
        [sys.executable, "-m", "stenod", "run", "--input", "none", "--stream", "room", "--state-dir", directory.path],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (78, "") == (result.returncode, result.stdout)
    assert "1.0 s of audio in" in result.stderr
    assert "say --provider assemblyai, or --provider local" in result.stderr
    assert f"--state-dir {directory.path} --stream room --provider assemblyai" in result.stderr
    assert list(directory.audio("room").iterdir())


STEREO = np.random.default_rng(3).integers(-10_000, 10_000, (8000, 2)).astype("<i2")


@contextmanager
def recording(place: Path, channel: int = 0, names: str = "") -> Iterator[subprocess.Popen[str]]:
    """The daemon on a file with another voice on each channel; nobody is there to transcribe it."""
    variables = {"STENOD_CAPTURE_CHANNEL": str(channel), "STENOD_CAPTURE_CHANNEL_NAMES": names}
    soundfile.write(place / "two.wav", STEREO, 16_000, subtype="PCM_16")
    words = ["run", "--input", place / "two.wav", "--provider", "assemblyai", "--endpoint", "ws://127.0.0.1:9"]
    process = subprocess.Popen(
        [sys.executable, "-m", "stenod", *words, "--state-dir", place / "state"],
        env=os.environ | variables | {"ASSEMBLYAI_API_KEY": "0" * 32},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_channel_of_a_file_is_what_the_journal_has(tmp_path: Path, channel: int) -> None:
    """What was not chosen leaves no trace, and without a choice both are mixed."""
    wanted = STEREO[:, channel - 1] if channel else np.rint(STEREO.mean(axis=1, dtype=np.float32)).astype("<i2")
    stored, latest = b"", time.monotonic() + 60.0
    with recording(tmp_path, channel):
        while len(stored) < 2 * len(wanted) and time.monotonic() < latest:
            time.sleep(0.05)
            stored = b"".join(path.read_bytes() for path in sorted((tmp_path / "state").rglob("*.s16le")))
    assert wanted.tobytes() == stored


def test_a_channel_that_a_file_does_not_have(tmp_path: Path) -> None:
    """A sentence and an exit code, before anybody is asked to transcribe."""
    with recording(tmp_path, 3) as process:
        out, err = process.communicate(timeout=60.0)
    told = "stenod: there is no channel 3 in the input, it has 2 (capture.channel); choose 1 to 2, or 0 for all"
    assert (78, "") == (process.returncode, out)
    assert told in err.splitlines()
    assert "Traceback" not in err


@pytest.mark.slow
def test_each_channel_that_has_a_name_has_a_journal(tmp_path: Path) -> None:
    """In one state directory, sample by sample what was on its channel; one process keeps them all."""
    folders = [tmp_path / "state" / f"default-{name}" / "audio" for name in ("judge", "counsel")]
    stored, latest = [b"", b""], time.monotonic() + 60.0
    with recording(tmp_path, names="judge,counsel"):
        while {len(one) for one in stored} != {2 * len(STEREO)} and time.monotonic() < latest:
            time.sleep(0.05)
            stored = [b"".join(path.read_bytes() for path in sorted(one.glob("*.s16le"))) for one in folders]
    assert [STEREO[:, place].tobytes() for place in (0, 1)] == stored
    ledger = Ledger(tmp_path / "state" / "ledger.sqlite")
    assert [("default-counsel", 16_000), ("default-judge", 16_000)] == ledger.streams()
    ledger.close()


@pytest.mark.parametrize("names", ["judge", "judge,counsel,clerk"])
def test_each_channel_of_a_file_needs_a_name(tmp_path: Path, names: str) -> None:
    """Too few and too many are the same sentence, said once."""
    with recording(tmp_path, names=names) as process:
        out, err = process.communicate(timeout=60.0)
    count = len(names.split(","))
    told = f"stenod: the input has 2 channels, and capture.channel_names has {count}; give each channel one name"
    assert (78, "") == (process.returncode, out)
    assert 1 == err.splitlines().count(told)
    assert "Traceback" not in err


def test_what_said_where_the_provider_is(tmp_path: Path) -> None:
    """The configuration file and the command line's endpoint and output, for the commands that go on with a run."""
    path = tmp_path / "stenod.toml"
    path.write_text("")
    given = {"providers": ["deepgram"], "endpoint": "ws://asr:8080", "output.partials": True, "output.file": "a b"}
    words = ["--config", str(path), "--endpoint", "ws://asr:8080", "--output", "a b"]
    assert words == _given(load(path, {}, given))
    assert _given(load(None, {})) == []
