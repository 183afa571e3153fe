"""A machine with systemd: a minimal Debian in a folder, booted by systemd-nspawn, with this stenod in /opt/stenod.

It is made once per session of tests (mmdebstrap, some 20 s, and a wheel of this tree with its dependencies for Debian's
Python), boots in half a second, has a network of its own with nothing but loopback, and sees the host's sound server
at /run/sound. Leaving ends it, and removes the folder; only processes that were started here are ended, by number.

Facts, tried with systemd 252 where PID 1 is not systemd: `--register=no` needs `--keep-unit`; the host may have control
groups of version 1, the machine gets version 2, without controllers (so MemoryMax= is not enforced there).
With `--keep-unit` it takes the group that it was started in for its own: two machines in one group would end each
other's processes, so each is started in a new one. `--private-network` has loopback up. The audio plugin for PulseAudio
is taken without its dependencies (it needs libpulse only, the package wants video codecs). Everything that is mounted
is in name spaces of its own, and gone with them.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trio
from daemon import parent_of
from soundserver import SoundServer

ROOT = Path(__file__).parents[2]
PARTS = ("mmdebstrap", "systemd-nspawn", "nsenter")
"""Debian: mmdebstrap, systemd-container, util-linux."""
PACKAGES = (
    "apt",
    "systemd-sysv",
    "dbus",
    "dbus-user-session",
    "libpam-systemd",
    "python3",
    "libportaudio2",
    "libpulse0",
)
PLUGIN = """\
cd "$1/tmp" && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q download libasound2-plugins \
&& dpkg-deb -x libasound2-plugins*.deb "$1" && rm libasound2-plugins*.deb"""
PYTHON = "3.11"
"""Debian 12's."""
PROGRAM = "/opt/stenod/bin/stenod"
IN_GROUP = """\
mount -t cgroup2 none "$1" && mkdir -p "$1/$2" && echo $$ > "$1/$2/cgroup.procs" && umount "$1" &&
shift 2 && exec "$@\""""
"""In a new control group: where the groups may be mounted, the name, the words of a command."""
WITHOUT_GROUP = 'mount -t cgroup2 none "$1" && find "$1/$2" -depth -type d -exec rmdir {} +; umount "$1"'
SCRIPT = "#!/opt/stenod/bin/python\nimport sys\nfrom stenod.__main__ import main\nsys.exit(main())\n"
"""As pip writes it, which does not know that the folder will be /opt/stenod."""
SOUND = "/run/sound"
SOUND_SERVER = f"unix:{SOUND}/native"
BOOT_SECONDS_MAX = 60.0
ROOM_BYTES_MIN = 2_000_000_000
LOOK_SECONDS = 0.1


class NoMachine(Exception):
    """It cannot be made or booted here: no network, no rights."""


class Machine:
    """A running machine; see the module."""

    def __init__(self, sound: SoundServer) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stenod-machine-", dir=_roomy()))
        self.root = self.folder / "root"
        self._disk = Path(tempfile.mkdtemp(prefix="stenod-machine-", dir="/var/tmp"))
        """What must lie on a disk: systemd keeps no key of its own in memory."""
        self.sound = sound
        self._process: subprocess.Popen[bytes] | None = None
        self.pid = 0
        """Of its first process."""
        self.units = trio.Lock()
        """For who changes units: systemd reads all of them again then, and forgets that a stop may take longer."""

    def __enter__(self) -> Self:
        try:
            with ThreadPoolExecutor() as side:
                packages = side.submit(self._fetch_stenod)
                self._make_root()
                packages.result()
            self._install_stenod()
            self._boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Switch it off and leave nothing behind."""
        if self._process is not None:
            if self.pid and self._process.poll() is None:
                os.kill(self.pid, signal.SIGRTMIN + 4)  # systemd(1): power off
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process is not None:
            _run(["unshare", "--mount", "sh", "-c", WITHOUT_GROUP, "sh", str(self.folder / "groups"), self.folder.name])
        shutil.rmtree(self.folder)
        shutil.rmtree(self._disk)

    # What is done in it

    def enter(self, *words: str, user: str = "", network_only: bool = False) -> list[str]:
        """Return the command line that runs these words in it, as root or as one of its users."""
        into = ["nsenter", "-t", str(self.pid), "--net" if network_only else "-a"]
        if not user:
            return [*into, *words]
        number = self.uid(user)
        home = [f"HOME=/home/{user}", f"XDG_RUNTIME_DIR=/run/user/{number}", f"USER={user}"]
        return [*into, "setpriv", "--reuid", user, "--regid", user, "--init-groups", "env", *home, *words]

    def uid(self, user: str) -> int:
        """Return a user's number."""
        lines = (self.root / "etc/passwd").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(f"{user}:")).split(":")[2])

    async def run(self, *words: str, user: str = "", given: str = "", check: bool = True) -> str:
        """Run a command in it and return what it said, both streams; `check`: it must end well."""
        done = await trio.run_process(
            self.enter(*words, user=user),
            stdin=given.encode(),
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        )
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0 or not check, f"{' '.join(words)}: {done.returncode}\n{said}"
        return said if check else f"{done.returncode}\n{said}"

    async def show(self, unit: str, user: str = "") -> dict[str, str]:
        """Return what systemd knows of a unit."""
        own = ["--user"] if user else []
        said = await self.run("systemctl", *own, "show", unit, user=user)
        return dict(line.partition("=")[::2] for line in said.splitlines())

    async def journal(self, *words: str, user: str = "") -> list[dict[str, Any]]:
        """Return entries of the journal, oldest first."""
        said = await self.run("journalctl", "--no-pager", "-o", "json", *words, user=user)
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]

    async def printed(self, unit: str, user: str = "") -> list[dict[str, Any]]:
        """Return the records that a service has printed, whole lines only."""
        which = ["--user", "--user-unit", unit] if user else ["-u", unit]
        found = []
        for entry in await self.journal(*which, "_TRANSPORT=stdout", user=user):
            try:
                found.append(json.loads(entry["MESSAGE"]))
            except (json.JSONDecodeError, TypeError):
                continue  # half a line, at a kill; or a word that is no record
        return [one for one in found if isinstance(one, dict)]

    async def until(
        self, unit: str, condition: Callable[[dict[str, str]], Any], *, user: str = "", seconds: float = 60.0
    ) -> dict[str, str]:
        """Return what systemd knows of a unit once that meets a condition."""
        shown: dict[str, str] = {}
        with trio.move_on_after(seconds):
            while not condition(shown := await self.show(unit, user)):  # noqa: ASYNC110 - systemd tells nobody
                await trio.sleep(LOOK_SECONDS)
            return shown
        told = {name: shown.get(name) for name in ("ActiveState", "SubState", "Result", "NRestarts", "StatusText")}
        said = await self.run("journalctl", "--no-pager", "-n", "60", "-o", "cat", check=False)
        raise AssertionError(f"{unit}: not within {seconds} s: {told}\n{said}")

    # How it is made

    def _make_root(self) -> None:
        options = [f"--dpkgopt=path-exclude=/usr/share/{one}/*" for one in ("doc", "man", "locale")]
        options += ["--dpkgopt=force-unsafe-io", '--aptopt=Acquire::Languages "none"']
        words = ["mmdebstrap", "--variant=essential", f"--include={','.join(PACKAGES)}", *options]
        _run([*words, f"--customize-hook={PLUGIN}", "bookworm", str(self.root)])
        _run(["chroot", str(self.root), "python3", "-m", "venv", "--without-pip", "/opt/stenod"])

    def _fetch_stenod(self) -> None:
        """Make a wheel of this tree, and get what it depends on, for the machine's Python."""
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        _run([*pip, "wheel", "--no-deps", str(ROOT), "--wheel-dir", str(self.folder / "wheel")])
        (wheel,) = (self.folder / "wheel").glob("*.whl")
        for_it = ["--python-version", PYTHON, "--only-binary=:all:"]
        _run([*pip, "install", *for_it, "--target", str(self.folder / "packages"), str(wheel)])

    def _install_stenod(self) -> None:
        place = self.root / f"opt/stenod/lib/python{PYTHON}/site-packages"
        place.rmdir()
        (self.folder / "packages").rename(place)
        script = self.root / PROGRAM.lstrip("/")
        script.write_text(SCRIPT)
        script.chmod(0o755)
        (self.root / "etc/asound.conf").write_text("pcm.!default pulse\nctl.!default pulse\n")

    def _boot(self) -> None:
        heard = self.folder / "sound"
        heard.mkdir()
        # A second socket, since every client of the first one closes its folder to all but root.
        door = ["module-native-protocol-unix", "auth-anonymous=1", f"socket={heard / 'native'}"]
        self.sound.control(["load-module", *door])
        for folder in (self.folder, heard):
            folder.chmod(0o755)
        (self.folder / "groups").mkdir()
        words = ["unshare", "--mount", "sh", "-c", IN_GROUP, "sh", str(self.folder / "groups"), self.folder.name]
        words += ["systemd-nspawn", "-q", "-D", str(self.root), "--boot", "--register=no", "--keep-unit"]
        words += ["--private-network", "--console=passive", f"--bind={heard}:{SOUND}"]
        words += [f"--bind={self._disk}:/var/lib/systemd"]
        with (self.folder / "boot.log").open("wb") as log:
            self._process = subprocess.Popen(
                words,
                env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + BOOT_SECONDS_MAX
        while not self._up():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise NoMachine(f"it does not boot: {(self.folder / 'boot.log').read_text(errors='replace')}")
            time.sleep(LOOK_SECONDS)

    def _up(self) -> bool:
        """Whether it has booted; finds its first process, which is the child of nspawn's that stays."""
        assert self._process is not None
        for name in Path("/proc").glob("[0-9]*/comm"):
            pid = int(name.parent.name)
            try:
                first = name.read_text() == "systemd\n" and parent_of(pid) == self._process.pid
            except OSError:
                continue
            if first:
                self.pid = pid
                words = self.enter("systemctl", "is-system-running")
                return subprocess.run(words, capture_output=True, check=False).stdout == b"running\n"
        return False


def _roomy() -> str | None:
    """Return a folder in memory where there is room: a disk takes half a minute to forget twenty thousand files."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > ROOM_BYTES_MIN else None


def _run(words: Sequence[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise NoMachine(f"{words[0]}: {done.stderr.strip()[-500:]}")
