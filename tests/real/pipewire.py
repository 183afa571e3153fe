"""A private PipeWire without a sound card, for tests: as `soundserver.SoundServer`, whose words it understands.

PipeWire, its session manager (WirePlumber), its PulseAudio face (pipewire-pulse, for pactl) and a message bus for them,
in a folder of their own; a process hears it through PipeWire's own ALSA plugin, or through that of PulseAudio. Debian:
pipewire, pipewire-bin, pipewire-pulse, wireplumber, dbus. The plugin's package, pipewire-alsa, cannot be installed
beside pulseaudio, so it is taken out of its package: STENOD_TEST_PIPEWIRE_PLUGIN says where it is.

Facts, tried with PipeWire 0.3.65: it is ready 0.1 s after its start. A pipe source lives in pipewire-pulse. When the
source that is recorded goes away, the recording gets zeros from whatever is the default then, and gets the source back
when one of that name comes. When PipeWire dies, WirePlumber ends; pipewire-pulse stays, and is of no use any more.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from parts import lack
from soundserver import ASOUND as PULSE_ASOUND

PARTS = ("pipewire", "wireplumber", "pipewire-pulse", "dbus-daemon", "pactl")
PLUGIN = "libasound_module_pcm_pipewire.so"
ASOUND = """\
</usr/share/alsa/alsa.conf>
pcm_type.pipewire {{ lib "{plugin}" }}
pcm.pipewire {{ type pipewire  hint.description "PipeWire" }}
pcm.pinned {{ type pipewire  rate 44100  hint.description "One rate only" }}
pcm.!default {{ type pipewire  hint.description "Default (pipewire)" }}
"""
READY_SECONDS_MAX = 15.0
LOOK_SECONDS = 0.02
AHEAD_SECONDS = 0.15
"""How far a speaker is ahead of it, so that a quantum is always there."""


class PipeWire:
    """A running server; see the module."""

    ahead_seconds = AHEAD_SECONDS

    def __init__(self, *, native: bool = True) -> None:
        """`native`: through its own plugin; `lack`s, where there is none."""
        asound = ASOUND.format(plugin=plugin()) if native else PULSE_ASOUND
        self.folder = Path(tempfile.mkdtemp(prefix="stenod-pipewire-", dir="/tmp"))
        run = self.folder / "run"
        run.mkdir(mode=0o700)
        self.environment = {
            "XDG_RUNTIME_DIR": str(run),
            "PIPEWIRE_RUNTIME_DIR": str(run),
            "PULSE_SERVER": f"unix:{run}/pulse/native",
            "PULSE_RUNTIME_PATH": str(run / "pulse"),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={run}/bus",
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "ALSA_CONFIG_PATH": str(self.folder / "asound.conf"),
            "HOME": str(self.folder),
        }
        (self.folder / "asound.conf").write_text(asound)
        self._run = run
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start it, again after a `kill` too, and return when it has a session manager."""
        assert not self._processes
        self._begin("dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={self._run}/bus")
        _until((self._run / "bus").exists)
        self._begin("pipewire")
        _until((self._run / "pipewire-0").exists)
        self._begin("wireplumber")
        self._begin("pipewire-pulse")
        _until(lambda: self._pactl(["info"]).returncode == 0)
        _until(lambda: "Default Source" in self._pactl(["info"]).stdout)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End PipeWire by a signal, and with it all that is of no use without it."""
        for process in self._processes[1:2]:
            process.send_signal(number)
            process.wait(10)
        for process in self._processes:
            process.kill()
            process.wait(10)
        self._processes.clear()
        for left in ("bus", "pipewire-0", "pipewire-0.lock"):
            (self._run / left).unlink(missing_ok=True)

    def pause(self, *, on: bool) -> None:
        """Stop it, or let it go on, as a machine out of breath does."""
        self._processes[1].send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def close(self) -> None:
        """End it and leave nothing behind."""
        self.kill()
        shutil.rmtree(self.folder)

    def fifo(self, name: str = "pmic") -> Path:
        """Return where a pipe source is spoken into."""
        return self.folder / f"{name}.fifo"

    def load_microphone(self, name: str = "pmic", *, rate: int = 48000, channels: int = 1) -> int:
        """Make a pipe source and the default of it; return its module for `unload`."""
        fifo = self.fifo(name)
        fifo.unlink(missing_ok=True)
        about = [f"source_name={name}", f"file={fifo}", "format=s16le", f"rate={rate}", f"channels={channels}"]
        module = int(self.control(["load-module", "module-pipe-source", *about]))
        self.choose(name)
        return module

    def choose(self, name: str) -> None:
        """Make a source the default one, as soon as the session manager knows it."""
        _until(lambda: self._pactl(["set-default-source", name]).returncode == 0)

    def unload(self, module: int) -> None:
        """Unplug a source."""
        self.control(["unload-module", str(module)])

    def control(self, words: Iterable[str]) -> str:
        """Tell the server something with pactl and return the answer."""
        done = self._pactl(words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _begin(self, *words: str) -> None:
        with (self.folder / "pipewire.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    words,
                    env=os.environ | self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _pactl(self, words: Iterable[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["pactl", *words],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )


def plugin() -> Path:
    """Return PipeWire's plugin for ALSA."""
    named = os.environ.get("STENOD_TEST_PIPEWIRE_PLUGIN")
    found = [Path(named)] if named else sorted(Path("/usr/lib").glob(f"*/alsa-lib/{PLUGIN}"))
    if not found or not found[0].is_file():
        lack("PipeWire's ALSA plugin is not there (STENOD_TEST_PIPEWIRE_PLUGIN, or Debian's pipewire-alsa)")
    return found[0]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, "PipeWire does not answer"
        time.sleep(LOOK_SECONDS)
