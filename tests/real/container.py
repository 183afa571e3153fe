"""The container's image, really built, and a pod as the Kubernetes manifest wants it, without a cluster.

The base is made by mmdebstrap and the packages come from a folder of wheels, so that no registry of images is needed.
A pod runs the image as the manifest says: as that user, without capabilities, on a file system that it cannot write,
as process 1, with the volumes where they belong. What only a cluster has (scheduling, seccomp, limits) it has not.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from parts import require_package

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "config" / "container"
MANIFEST = FOLDER / "kubernetes.yaml"
PACKAGES = "python3,python3-venv,libportaudio2,libpulse0,ca-certificates"
"""What the image asks apt for: in the base it is there already, and the build is short."""
SUITE, PYTHON = "bookworm", "3.11"
PARTS = ("buildah", "mmdebstrap", "unshare", "nsenter")


@dataclass(frozen=True)
class Image:
    """A built image: its root file system, and what it says about itself."""

    root: Path
    configuration: Mapping[str, Any]


def run(*words: object, **rest: Any) -> str:
    """Run a program and return what it printed; fail with what it complained about."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **rest)
    assert done.returncode == 0, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()


def wheels(place: Path) -> Path:
    """Fetch the wheels of all that the image needs, for its Python, and return their folder."""
    pip = (sys.executable, "-m", "pip")
    fits = ("--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp")
    machine = os.uname().machine
    fits += tuple(f"--platform={tags}_{machine}" for tags in ("manylinux2014", "manylinux_2_28"))
    run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", place / "own", ROOT)
    into = ("--dest", place / "wheels", "--find-links", place / "own")
    run(*pip, "download", "--quiet", *fits, *into, "stenod[local]", "hatchling")
    for path in (place / "wheels").glob("stenod-*"):
        path.unlink()  # it is built from its source
    return place / "wheels"


@contextmanager
def built(place: Path) -> Iterator[Image]:
    """Build the image; its storage is in the folder, and is gone when it is left."""
    base = place / "base.tar"
    run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", SUITE, base)
    buildah = ("buildah", "--root", place / "storage", "--runroot", place / "run")
    environment = os.environ | {"BUILDAH_ISOLATION": "chroot"}

    def build(*words: object) -> str:
        return run(*buildah, *words, env=environment)

    scratch = build("from", "scratch")
    build("add", "--quiet", scratch, base, "/")
    build("commit", "--quiet", "--rm", scratch, "localhost/base")
    base.unlink()
    offline = ("PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels", "BASE=localhost/base")
    words = ["--format", "docker", "--pull=never", "--file", FOLDER / "Containerfile", "--tag", "localhost/stenod"]
    words += [word for one in offline for word in ("--build-arg", one)]
    build("build", *words, "--volume", f"{wheels(place)}:/wheels:ro", ROOT)
    told = json.loads(build("inspect", "--type", "image", "localhost/stenod"))
    container = build("from", "--pull=never", "localhost/stenod")
    try:
        yield Image(Path(build("mount", container)), told["Docker"]["config"])
    finally:
        build("rm", container)
        build("rmi", "--all", "--force")


def documents() -> dict[str, dict[str, Any]]:
    """Return the manifest's objects, by kind; needs what comes with Kubernetes' own client."""
    require_package("kubernetes", "conformance")
    import yaml

    return {one["kind"]: one for one in yaml.safe_load_all(MANIFEST.read_text())}


@dataclass(slots=True)
class Pod:
    """A running pod."""

    process: subprocess.Popen[bytes]
    first: int
    """The number, here, of the process that is number 1 there."""
    lines: list[dict[str, Any]] = field(default_factory=list)
    told: bytearray = field(default_factory=bytearray)

    def execute(self, command: Sequence[str], settings: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        """Run a command beside it, as a probe does."""
        enter = ("nsenter", "--target", str(self.first), "--mount", "--pid", "--root", "--wd=/")
        return subprocess.run([*enter, *settings, *command], capture_output=True, text=True, check=False, timeout=30)


class Place:
    """The volumes of one pod, and the image it runs."""

    def __init__(self, image: Image, place: Path, secrets: Mapping[str, str], **environment: str) -> None:
        found = documents()
        self.template = found["StatefulSet"]["spec"]["template"]["spec"]
        (self.container,) = self.template["containers"]
        self._image = image
        self.state = place / "state"
        sources = {"state": self.state}
        for volume in self.template["volumes"]:
            sources[volume["name"]] = place / volume["name"]
        for folder in sources.values():
            folder.mkdir()
        fill(sources["configuration"], found["ConfigMap"]["data"], 0o444)
        fill(sources["key"], secrets, 0o440)
        self.mounts = {one["mountPath"]: (sources[one["name"]], one) for one in self.container["volumeMounts"]}
        variables = dict(one.split("=", 1) for one in image.configuration["Env"])
        variables |= {one["name"]: one["value"] for one in self.container["env"]} | environment
        user, group = (self.template["securityContext"][name] for name in ("runAsUser", "runAsGroup"))
        # As a cluster leaves a volume that has a group: its root is not ours, and a file system has a lost+found.
        (self.state / "lost+found").mkdir(mode=0o700)
        os.chown(self.state, 0, self.template["securityContext"]["fsGroup"])
        self.state.chmod(0o2775)
        os.chown(sources["key"] / next(iter(secrets)), 0, group)
        self.settings = [
            *("/usr/bin/setpriv", f"--reuid={user}", f"--regid={group}", f"--groups={group}"),
            *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
            *("/usr/bin/env", "-i", *(f"{name}={value}" for name, value in variables.items())),
        ]

    def script(self) -> str:
        """Return what makes the file system of the pod, and becomes its first process."""
        root = self._image.root
        lines = ["set -e", "mount --make-rprivate /", f"mount --bind {root} {root}"]
        lines += [f"mount -t proc proc {root}/proc", f"mount --rbind /dev {root}/dev"]
        for inside, (outside, one) in self.mounts.items():
            lines += [f"mkdir -p {root}{inside}", f"mount --bind {shlex.quote(str(outside))} {root}{inside}"]
            lines += [f"mount -o remount,bind,ro {root}{inside}"] if one.get("readOnly") else []
        lines += [f"mount -o remount,bind,ro {root}"]
        command = [*self._image.configuration["Entrypoint"], *self.container["args"]]
        return "\n".join([*lines, f"exec chroot {root} {shlex.join([*self.settings, *command])}"])

    @asynccontextmanager
    async def pod(self) -> AsyncIterator[Pod]:
        """Run it; leaving kills it."""
        words = ("unshare", "--mount", "--pid", "--ipc", "--fork", "bash", "-c", self.script())
        process = _started(words)
        first = 0
        try:
            with trio.fail_after(10):
                while not (first := _confined(process.pid)):
                    assert process.poll() is None, process.communicate()
                    await trio.sleep(0.01)
            pod = Pod(process, first)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_collect_lines, pod)
                nursery.start_soon(_collect_told, pod)
                yield pod
                nursery.cancel_scope.cancel()
        finally:
            # What changes its user outlives its parent, whatever was agreed before.
            with suppress(ProcessLookupError):
                os.kill(first or process.pid, signal.SIGKILL)
            process.kill()
            process.communicate()


def fill(folder: Path, files: Mapping[str, str], mode: int) -> None:
    """Write files as a volume has them."""
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(mode)


def _started(words: Sequence[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _confined(number: int) -> int:
    """Return the child that has the image's root, 0 before it has."""
    for child in Path(f"/proc/{number}/task/{number}/children").read_text().split():
        if Path(f"/proc/{child}/root").readlink() != Path("/"):
            return int(child)
    return 0


async def _collect_lines(pod: Pod) -> None:
    assert pod.process.stdout is not None
    async with trio.lowlevel.FdStream(os.dup(pod.process.stdout.fileno())) as stream:
        rest = b""
        async for data in stream:
            *lines, rest = (rest + data).split(b"\n")
            pod.lines += [json.loads(line) for line in lines]


async def _collect_told(pod: Pod) -> None:
    assert pod.process.stderr is not None
    async with trio.lowlevel.FdStream(os.dup(pod.process.stderr.fileno())) as stream:
        async for data in stream:
            pod.told += data
