"""The real parts: what a stream and a configuration that do not fit come to."""

import os
import subprocess
import sys
from pathlib import Path

from stenod.edge import state_directory
from stenod.edge.ledger import Ledger


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
