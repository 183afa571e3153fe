"""What the daemon costs, beside the least that could be called a client: processor time and memory for the same audio.

Both are fed the same synthetic speech in real time and talk to the same emulator. The bare loop keeps nothing on the
disk, notices nothing and replays nothing.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

RATE = 16_000
SECONDS = 30
BARE = """
import sys, trio, trio_websocket
async def main():
    headers = [(b"Authorization", b"any")]
    url = sys.argv[1] + "?sample_rate=16000&speech_model=universal-streaming-english&encoding=pcm_s16le"
    async with trio_websocket.open_websocket_url(url, extra_headers=headers) as socket, trio.open_nursery() as nursery:
        async def receive():
            try:
                while True:
                    sys.stdout.write(await socket.get_message() + "\\n")
            except trio_websocket.ConnectionClosed:
                pass
        nursery.start_soon(receive)
        stream = trio.lowlevel.FdStream(__import__("os").dup(0))
        pending = b""
        async for data in stream:
            pending += data
            while len(pending) >= 3200:
                await socket.send_message(pending[:3200])
                pending = pending[3200:]
        await socket.send_message('{"type":"Terminate"}')
trio.run(main)
"""


def measured(command: Sequence[str], audio: bytes, environment: dict[str, str]) -> tuple[float, float]:
    """Feed the command in real time; return its processor seconds and peak resident MiB."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    assert process.stdin is not None
    block = RATE // 50 * 2
    begun = time.monotonic()
    for index in range(0, len(audio), block):
        process.stdin.write(audio[index : index + block])
        process.stdin.flush()
        time.sleep(max(0.0, begun + (index + block) / (2 * RATE) - time.monotonic()))
    process.stdin.close()
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    from stenod.emulator.oracle import synthesize

    audio = synthesize(0, SECONDS * RATE).astype("<i2").tobytes()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, "-m", "stenod", "emulate", "--engine", "oracle"], stderr=subprocess.PIPE, text=True
        )
        assert server.stderr is not None
        url = server.stderr.readline().split()[-1]
        environment = dict(os.environ, ASSEMBLYAI_API_KEY="any", XDG_STATE_HOME=folder)
        daemon = [sys.executable, "-m", "stenod", "run", "--input", "-", "--provider", "assemblyai", "--endpoint", url]
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        try:
            rows = [
                ("bare loop", measured([sys.executable, str(bare), url], audio, environment)),
                ("stenod run", measured(daemon, audio, environment)),
            ]
        finally:
            server.terminate()
            server.wait()
    base = rows[0][1]
    print(f"{'':12}{'CPU s / stream-minute':>24}{'ratio':>8}{'peak MiB':>12}{'ratio':>8}")
    for name, (seconds, memory) in rows:
        minute = seconds * 60 / SECONDS
        print(f"{name:12}{minute:>24.2f}{seconds / base[0]:>8.2f}{memory:>12.1f}{memory / base[1]:>8.2f}")


if __name__ == "__main__":
    main()
