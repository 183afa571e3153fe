"""What stenod costs a small machine: memory and processor time of its processes, bytes and syncs that reach the card.

Everything is real: a microphone of a private sound server, the daemon, the engine inside or the emulator as a provider,
a journal in the working directory's file system. Audio is the recording that is shipped, over and over, in real time.

    python tests/bench/small_machine.py work [SECONDS]        # memory, processor time, wake-ups
    python tests/bench/small_machine.py writes [SECONDS]      # bytes and syncs a day, by option; wants strace

Processor time is told beside that of a bare client in the same run, which sends the same audio by the same WebSocket
library and keeps nothing. Bytes are the kernel's count for the process (`write_bytes`, less those of files that were
deleted before they were written): what the file system adds of its own is not in it.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "real"))

from overhead import BARE
from sample import sample_pcm
from soundserver import SoundServer

RATE = 16_000
DAY_SECONDS = 86_400.0
WARM_SECONDS = 20.0
"""Until all is imported, opened and in its stride."""
TICKS = os.sysconf("SC_CLK_TCK")
NAMES = {"stenod.edge.microphone": "microphone", "recogniser_child": "engine inside", "bare.py": "bare client"}
PLAYER = """
import sys, time
audio, began, at = open(sys.argv[1], "rb").read(), time.monotonic(), 0
while True:
    sys.stdout.buffer.write(audio[at % len(audio):][:1280])
    sys.stdout.buffer.flush()
    at += 1280
    time.sleep(max(0.0, began + at / 32000 - time.monotonic()))
"""
VARIANTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "as it comes": ("talk", {}),
    "sync_seconds = 10": ("talk", {"STENOD_JOURNAL_SYNC_SECONDS": "10"}),
    "segment_seconds = 60": ("talk", {"STENOD_JOURNAL_SEGMENT_SECONDS": "60"}),
    "both": ("talk", {"STENOD_JOURNAL_SYNC_SECONDS": "10", "STENOD_JOURNAL_SEGMENT_SECONDS": "60"}),
    "both, rate = 8000": (
        "talk",
        {
            "STENOD_JOURNAL_SYNC_SECONDS": "10",
            "STENOD_JOURNAL_SEGMENT_SECONDS": "60",
            "STENOD_CAPTURE_RATE": "8000",
            "STENOD_CAPTURE_INPUT_RATE": "16000",
        },
    ),
    "state directory in memory": ("talk", {"STENOD_STATE_DIR": "/dev/shm"}),
    "quiet room": ("quiet", {}),
    "quiet room, quiet = park": ("quiet", {"STENOD_PACER_QUIET": "park", "STENOD_PACER_QUIET_AFTER_SECONDS": "5"}),
    "quiet room, park, both": (
        "quiet",
        {
            "STENOD_PACER_QUIET": "park",
            "STENOD_PACER_QUIET_AFTER_SECONDS": "5",
            "STENOD_JOURNAL_SYNC_SECONDS": "10",
            "STENOD_JOURNAL_SEGMENT_SECONDS": "60",
        },
    ),
}


@dataclass(frozen=True)
class Count:
    """What one process has used so far."""

    seconds: float
    wakes: int
    resident: float
    """MiB, its share of what it has in common with others included once for each."""
    proportional: float
    """MiB, shared memory divided by who shares it."""


def processes(number: int) -> Iterator[tuple[str, int]]:
    """Return a process and all below it, with what they are called here."""
    words = Path(f"/proc/{number}/cmdline").read_text().replace("\0", " ")
    yield next((name for part, name in NAMES.items() if part in words), "daemon"), number
    for task in Path(f"/proc/{number}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from processes(int(child))


def counted(number: int) -> Count:
    """Read what a process has used."""
    place = Path(f"/proc/{number}")
    used = (place / "stat").read_text().rpartition(")")[2].split()
    memory = dict(line.split(":") for line in (place / "smaps_rollup").read_text().splitlines()[1:])
    wakes = 0
    for task in (place / "task").iterdir():
        status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        wakes += int(status["voluntary_ctxt_switches"])
    resident, proportional = (int(memory[name].split()[0]) / 1024 for name in ("Rss", "Pss"))
    return Count((int(used[11]) + int(used[12])) / TICKS, wakes, resident, proportional)


def written(number: int) -> int:
    """Return the bytes that a process has had written to a disk."""
    told = dict(line.split(": ") for line in Path(f"/proc/{number}/io").read_text().splitlines())
    return int(told["write_bytes"]) - int(told["cancelled_write_bytes"])


@contextmanager
def running(*words: object, environment: Mapping[str, str] | None = None, **rest: object) -> Iterator[subprocess.Popen]:
    """Run a program; leaving ends it as a service manager does."""
    process = subprocess.Popen(
        [str(word) for word in words], env=os.environ | dict(environment or {}), stderr=subprocess.DEVNULL, **rest
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def provider() -> Iterator[str]:
    """Run the emulator and return its address."""
    words = [sys.executable, "-m", "stenod", "emulate", "--engine", "oracle"]
    server = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        yield server.stderr.readline().split()[-1]
    finally:
        server.terminate()
        server.communicate()


def used_by(begun: Mapping[int, tuple[str, Count]], seconds: float) -> Iterator[tuple[str, Count]]:
    """Return what each process has used since, a second of audio."""
    for number, (name, before) in begun.items():
        now = counted(number)
        spent = Count((now.seconds - before.seconds) / seconds, round((now.wakes - before.wakes) / seconds), 0, 0)
        yield name, Count(spent.seconds, spent.wakes, now.resident, now.proportional)


def work(seconds: float) -> None:
    """Print what each process of three daemons costs, one after the other."""
    audio = sample_pcm()
    with tempfile.TemporaryDirectory(dir=".") as folder, SoundServer() as sound, provider() as url:
        place = Path(folder)
        sound.load_microphone()
        playing = sound.play(audio * round(10 * (WARM_SECONDS + seconds) * 4 * RATE / len(audio) + 1))
        (place / "talk").write_bytes(audio)
        (place / "player.py").write_text(PLAYER)
        (place / "bare.py").write_text(BARE)
        stenod = [sys.executable, "-m", "stenod", "run", "--input", "mic"]
        service = ["--provider", "assemblyai", "--endpoint", url]
        rows: list[tuple[str, str, Count]] = []
        for title, words in (("a provider", service), ("engine inside", ["--provider", "local"])):
            state = place / title.replace(" ", "-")
            own = {"ASSEMBLYAI_API_KEY": "any"} | {k: v for k, v in sound.environment.items() if k != "HOME"}
            out = subprocess.DEVNULL
            with running(*stenod, *words, "--state-dir", state, environment=own, stdout=out) as process:
                rows += [(title, *row) for row in watched(process.pid, seconds)]
        player = subprocess.Popen([sys.executable, place / "player.py", place / "talk"], stdout=subprocess.PIPE)
        with running(sys.executable, place / "bare.py", url, stdin=player.stdout, stdout=subprocess.DEVNULL) as bare:
            rows += [("bare client", *row) for row in watched(bare.pid, seconds)]
        player.kill()
        player.communicate()
        playing.stop()
    base = rows[-1][2].seconds
    heads = f"{'RSS MiB':>9}{'PSS MiB':>9}{'CPU ms / s':>12}{'ratio':>7}{'wakes / s':>11}"
    print(f"{'transcribed by':16}{'process':16}{heads}")
    for title, name, one in rows:
        cost = f"{one.seconds * 1000:>12.1f}{one.seconds / base:>7.2f}{one.wakes:>11}"
        print(f"{title:16}{name:16}{one.resident:>9.1f}{one.proportional:>9.1f}{cost}")


def watched(number: int, seconds: float) -> list[tuple[str, Count]]:
    """Return what the processes below one use in so many seconds, once they are in their stride."""
    time.sleep(WARM_SECONDS)
    begun = {one: (name, counted(one)) for name, one in processes(number)}
    time.sleep(seconds)
    return list(used_by(begun, seconds))


def writes(seconds: float) -> None:
    """Print what reaches the card in a day, for each set of options; all run side by side."""
    assert shutil.which("strace"), "strace counts the syncs: install it"
    with tempfile.TemporaryDirectory(dir=".") as folder, provider() as url:
        place = Path(folder)
        (place / "player.py").write_text(PLAYER)
        (place / "talk").write_bytes(spoken())
        (place / "quiet").write_bytes(room())
        started = [begun(place / f"{index}", place, url, *one) for index, one in enumerate(VARIANTS.values())]
        time.sleep(WARM_SECONDS)
        before = [(written(daemon), syncs(trace)) for _, daemon, trace in started]
        time.sleep(seconds)
        after = [(written(daemon), syncs(trace)) for _, daemon, trace in started]
        for tracer, daemon, _ in started:
            os.kill(daemon, signal.SIGTERM)
            tracer.wait(60)
        for state in place.glob("*/state"):
            shutil.rmtree(state.resolve())
    print(f"{'':28}{'GB / day':>9}{'bytes / byte of audio':>23}{'syncs / s':>11}{'syncs / day':>13}")
    for (title, (_, options)), first, last in zip(VARIANTS.items(), before, after, strict=True):
        count, synced = ((last[place] - first[place]) / seconds for place in (0, 1))
        audio = 2.0 * int(options.get("STENOD_CAPTURE_RATE", RATE))
        day = f"{count * DAY_SECONDS / 1e9:>9.2f}{count / audio:>23.2f}"
        print(f"{title:28}{day}{synced:>11.2f}{round(synced * DAY_SECONDS):>13}")


def begun(
    own: Path, place: Path, url: str, audio: str, options: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], int, Path]:
    """Start a daemon under strace; return both, and where its syncs are written down."""
    own.mkdir()
    state = own / "state"
    if "STENOD_STATE_DIR" in options:
        state.symlink_to(tempfile.mkdtemp(dir=options["STENOD_STATE_DIR"]))
    player = shlex.join([sys.executable, str(place / "player.py"), str(place / audio)])
    trace = own / "syncs"
    strace = ["strace", "--follow-forks", "--seccomp-bpf", "-qq", "--trace=fsync,fdatasync", "--output", str(trace)]
    stenod = [sys.executable, "-m", "stenod", "run", "--input", f"command:{player}", "--provider", "assemblyai"]
    words = [*strace, *stenod, "--endpoint", url, "--state-dir", str(state), "--output", str(own / "lines")]
    process = subprocess.Popen(
        words, env=os.environ | {"ASSEMBLYAI_API_KEY": "any"} | dict(options), stderr=subprocess.DEVNULL
    )
    lock = state / "lock"
    while not lock.exists() or not lock.read_text().strip():
        time.sleep(0.05)
    return process, int(lock.read_text()), trace


def syncs(trace: Path) -> int:
    """Return how often something was forced to the disk so far."""
    return sum("sync(" in line for line in trace.read_text().splitlines())


def spoken() -> bytes:
    """Return ten minutes of the emulator's own speech: nothing is repeated."""
    from stenod.emulator.oracle import synthesize

    return synthesize(0, 600 * RATE).astype("<i2").tobytes()


def room() -> bytes:
    """Return ten seconds of a room's hiss."""
    import numpy as np

    return np.random.default_rng(1).normal(0.0, 8.0, 10 * RATE).astype("<i2").tobytes()


def main() -> None:
    """Do what was asked."""
    tables = {"work": work, "writes": writes}
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in tables:
        sys.exit(__doc__)
    tables[sys.argv[1]](float(sys.argv[2]) if len(sys.argv) == 3 else 60.0)


if __name__ == "__main__":
    main()
