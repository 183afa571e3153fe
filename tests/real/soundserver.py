"""A private PulseAudio without a sound card, for tests that want a real microphone.

It lives in a folder of its own (socket, FIFOs, configuration, log), finds nobody else's server and is found by nobody
else: a process sees it only with `environment`. Root may run it. Leaving the context ends it and removes the folder;
only the process that was started here is ended, by its number.

Facts, tried with PulseAudio 16.1: it is ready 0.1 s after its start. A pipe source takes s16le from a FIFO, bit for
bit, as it comes: no writer, no audio. A null sink's monitor runs by itself and needs up to 1.8 s for its first block.
Its dbus and root warnings are harmless. The path of a socket holds 107 bytes at most, so the folder is in /tmp.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trio

PARTS = ("pulseaudio", "pactl")
"""The programs without which there is no sound server (Debian: pulseaudio, pulseaudio-utils, libasound2-plugins)."""

ASOUND = """\
</usr/share/alsa/alsa.conf>
pcm.pulse { type pulse }
ctl.pulse { type pulse }
pcm.!default { type pulse  hint.description "Default (pulse)" }
ctl.!default { type pulse }
"""
STEP_SECONDS = 0.02
READY_SECONDS_MAX = 10.0


class Playing:
    """Audio that is being written to a FIFO in real time by a thread."""

    def __init__(self, fifo: Path, pcm: bytes, bytes_a_second: int) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._play, args=(fifo, pcm, bytes_a_second), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when all of it is written."""
        self._thread.join()

    def stop(self) -> None:
        """Fall silent, as a stalled microphone does."""
        self._stopped.set()
        self._thread.join()

    def _play(self, fifo: Path, pcm: bytes, bytes_a_second: int) -> None:
        step = max(2, int(bytes_a_second * STEP_SECONDS))
        started = time.monotonic()
        with fifo.open("r+b", buffering=0) as pipe:  # "+": a source that goes away is no SIGPIPE, and no hang at open
            os.set_blocking(pipe.fileno(), False)
            for number, start in enumerate(range(0, len(pcm), step)):
                if self._stopped.wait(max(0.0, started + number * STEP_SECONDS - time.monotonic())):
                    return
                self._write(pipe.fileno(), pcm[start : start + step])

    def _write(self, fd: int, rest: bytes) -> None:
        while rest and not self._stopped.is_set():
            try:
                rest = rest[os.write(fd, rest) :]
            except BlockingIOError:
                time.sleep(STEP_SECONDS / 4)


class SoundServer:
    """A running server; see the module."""

    ahead_seconds = 0.0
    """How far `counted.Speaker` must be ahead of it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stenod-sound-", dir="/tmp"))
        self.process: subprocess.Popen[bytes] | None = None
        self._playing: list[Playing] = []
        self._fifo_rates: dict[Path, int] = {}
        socket = self.folder / "pulse" / "native"
        self._address = f"unix:{socket}"
        self.environment = {
            "XDG_RUNTIME_DIR": str(self.folder),
            "PULSE_RUNTIME_PATH": str(socket.parent),
            "PULSE_SERVER": self._address,
            "PULSE_COOKIE": str(self.folder / "cookie"),
            "ALSA_CONFIG_PATH": str(self.folder / "asound.conf"),
            "HOME": str(self.folder),
        }
        socket.parent.mkdir(mode=0o700)
        (self.folder / "asound.conf").write_text(ASOUND)
        auth = f"load-module module-native-protocol-unix auth-anonymous=1 socket={socket}\n"
        (self.folder / "pulse.pa").write_text(auth)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start it, again after a `kill` too, and return when it answers."""
        assert self.process is None
        command = ["pulseaudio", "-n", "-F", str(self.folder / "pulse.pa"), "--daemonize=no", "--exit-idle-time=-1"]
        command += ["--use-pid-file=no", "--realtime=no", "--high-priority=no", "--log-level=notice"]
        with (self.folder / "pulse.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_SECONDS_MAX
        while self._pactl(["info"]).returncode != 0:
            assert self.process.poll() is None, (self.folder / "pulse.log").read_text()
            assert time.monotonic() < deadline, "the sound server does not answer"
            time.sleep(0.02)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it by a signal."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(10)
            self.process = None

    def pause(self, *, on: bool) -> None:
        """Stop it, or let it go on, as a machine out of breath does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def close(self) -> None:
        """End it and leave nothing behind."""
        for playing in self._playing:
            playing.stop()
        self.kill()
        shutil.rmtree(self.folder)

    def load_microphone(self, name: str = "pmic", *, rate: int = 16000, channels: int = 1) -> int:
        """Make a pipe source and the default of it; return its module for `unload`."""
        fifo = self.fifo(name)
        fifo.unlink(missing_ok=True)  # the module makes it, and refuses one that is there
        self._fifo_rates[fifo] = rate * channels * 2
        about = [f"source_name={name}", f"file={fifo}", "format=s16le", f"rate={rate}", f"channels={channels}"]
        module = self._load(["module-pipe-source", *about])
        self.choose(name)
        return module

    def fifo(self, name: str = "pmic") -> Path:
        """Return where a pipe source is spoken into."""
        return self.folder / f"{name}.fifo"

    def choose(self, name: str) -> None:
        """Make a source the default one."""
        self.control(["set-default-source", name])

    def load_null_sink(self, name: str = "vmic", *, rate: int = 48000) -> int:
        """Make a sink whose monitor is the default source: a microphone that hears what `paplay` plays."""
        module = self._load(["module-null-sink", f"sink_name={name}", f"rate={rate}", "channels=1"])
        self.control(["set-default-source", f"{name}.monitor"])
        return module

    def unload(self, module: int) -> None:
        """Unplug a source."""
        self.control(["unload-module", str(module)])

    def play(self, pcm: bytes, name: str = "pmic") -> Playing:
        """Speak into a pipe source, in real time, while the test goes on."""
        fifo = self.fifo(name)
        playing = Playing(fifo, pcm, self._fifo_rates[fifo])
        self._playing.append(playing)
        return playing

    def control(self, words: Iterable[str]) -> str:
        """Tell the server something with pactl and return the answer."""
        done = self._pactl(words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _load(self, words: Iterable[str]) -> int:
        return int(self.control(["load-module", *words]))

    def _pactl(self, words: Iterable[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["pactl", "--server", self._address, *words],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )


async def listening(server: SoundServer) -> None:
    """Return when somebody records from the server."""
    with trio.fail_after(20):
        while not await trio.to_thread.run_sync(server.control, ["list", "short", "source-outputs"]):  # noqa: ASYNC110
            await trio.sleep(0.1)


def sound_of(server: Any) -> dict[str, str]:
    """Return what a process needs to find a server; its directories stay its own."""
    return {name: value for name, value in server.environment.items() if name != "HOME" and not name.startswith("XDG_")}
