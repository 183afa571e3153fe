"""The image, built and run; the Kubernetes manifest, held to the published types and done by hand."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import container
import pytest
import trio
from parts import lack, require_package, require_program
from server import KEY, emulator, speech
from soundserver import SoundServer

from stenod.config import load

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[container.Image]:
    """Build it once."""
    for program in container.PARTS:
        require_program(program)
    if os.getuid() != 0:
        lack("an image is built as root here")
    with container.built(tmp_path_factory.mktemp("image")) as found:
        yield found


def strangers(value: Any, kind: str) -> Iterator[str]:
    """Return what of a manifest the published types do not have, or have otherwise."""
    from kubernetes import client

    if found := re.fullmatch(r"(?:List|list)\[(.*)\]", kind):
        for one in value if isinstance(value, list) else [f"no list: {value}"]:
            yield from strangers(one, found[1])
    elif found := re.fullmatch(r"(?:Dict|dict)[\[(]str, (.*)[\])]", kind):
        for one in value.values():
            yield from strangers(one, found[1])
    elif hasattr(client, kind):
        model = getattr(client, kind)
        names = {outside: inside for inside, outside in model.attribute_map.items()}
        for name, one in value.items():
            if name not in names:
                yield f"{kind} has no {name}"
            else:
                yield from strangers(one, model.openapi_types[names[name]])
    elif type(value).__name__ != {"bool": "bool", "int": "int", "str": "str"}.get(kind, type(value).__name__):
        yield f"{value!r} is no {kind}"


def test_the_manifest_has_what_kubernetes_has() -> None:
    """Each name and type, by the client that is made from the published description; with one replica."""
    found = container.documents()
    assert [] == list(strangers(found["ConfigMap"], "V1ConfigMap")) + list(
        strangers(found["StatefulSet"], "V1StatefulSet")
    )
    assert 1 == found["StatefulSet"]["spec"]["replicas"]


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("spec: {replica: 1}", "V1StatefulSet", "V1StatefulSetSpec has no replica"),
        ("spec: {replicas: one}", "V1StatefulSet", "'one' is no int"),
        ("containers: [{name: a, readinessProbe: {exec: {command: [1]}}}]", "V1PodSpec", "1 is no str"),
        ("securityContext: {runAsNonroot: true}", "V1PodSpec", "V1PodSecurityContext has no runAsNonroot"),
    ],
)
def test_what_kubernetes_does_not_have_is_found(text: str, kind: str, told: str) -> None:
    """The check itself can fail."""
    require_package("kubernetes", "conformance")
    import yaml

    assert [told] == list(strangers(yaml.safe_load(text), kind))


def test_the_configuration_in_the_manifest_is_ready(tmp_path: Path) -> None:
    """It loads, and its audio and what must stay free fit on the volume that the manifest asks for."""
    found = container.documents()
    path = tmp_path / "stenod.toml"
    path.write_text(found["ConfigMap"]["data"]["stenod.toml"])
    journal = load(path).options.journal
    (claim,) = found["StatefulSet"]["spec"]["volumeClaimTemplates"]
    size = int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi")) << 30
    assert journal.audio_bytes_max + journal.free_bytes_min < size


def test_the_image_says_what_it_is(image: container.Image) -> None:
    """Not root; ended by a signal that takes the last words; a health check, a volume and nothing listening."""
    told = image.configuration
    assert ("10001:10001", "SIGTERM", ["stenod"]) == (told["User"], told["StopSignal"], told["Entrypoint"])
    assert ["CMD", "stenod", "health", "--live"] == told["Healthcheck"]["Test"]
    assert {"/var/lib/stenod": {}} == told["Volumes"]
    assert not told.get("ExposedPorts")


def free_port() -> int:
    """Return a port that nobody uses just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def until(condition: Callable[[], object], pod: container.Pod, seconds: float = 30.0) -> None:
    """Return when the condition is met."""
    with trio.move_on_after(seconds):
        while not condition():  # noqa: ASYNC110 - another process changes it
            await trio.sleep(0.1)
        return
    pytest.fail(f"not within {seconds} s; standard error:\n{pod.told.decode()}")


async def test_the_pod_of_the_manifest_transcribes_a_microphone(
    image: container.Image, tmp_path: Path, sound: SoundServer
) -> None:
    """Its probes tell how it is, the signal of a cluster ends it with the last words, and the next pod goes on."""
    sound.load_microphone()
    port = free_port()
    network = ["module-native-protocol-tcp", f"port={port}", "auth-anonymous=1", "listen=127.0.0.1"]
    sound.control(["load-module", *network])
    async with emulator(tmp_path / "server", "--key", KEY) as server:
        (tmp_path / "pod").mkdir()
        place = container.Place(
            image,
            tmp_path / "pod",
            {"assemblyai": KEY},
            PULSE_SERVER=f"tcp:127.0.0.1:{port}",
            STENOD_ASSEMBLYAI_ENDPOINT=server.url,
        )
        probes = {
            kind: place.container[f"{kind}Probe"]["exec"]["command"] for kind in ("startup", "liveness", "readiness")
        }
        async with place.pod() as pod:
            told = pod.execute(probes["startup"], place.settings)
            assert told.returncode in (0, 69), told
            await until(lambda: pod.execute(probes["startup"], place.settings).returncode == 0, pod)
            assert 1 == pod.execute(probes["readiness"], place.settings).returncode
            playing = sound.play(speech(60.0))
            await until(lambda: pod.execute(probes["readiness"], place.settings).returncode == 0, pod)
            await until(lambda: sum(line["type"] == "final" for line in pod.lines) >= 2, pod)
            check_confined(pod.first)
            assert 0 == pod.execute(["sh", "-c", "kill -HUP 1"], place.settings).returncode
            await until(lambda: b"reload.done" in pod.told, pod)
            await server.stop()
            await until(lambda: pod.execute(probes["readiness"], place.settings).returncode == 1, pod)
            assert 0 == pod.execute(probes["liveness"], place.settings).returncode
            os.kill(pod.first, signal.SIGTERM)
            began = time.monotonic()
            await until(lambda: pod.process.poll() is not None, pod, place.template["terminationGracePeriodSeconds"])
            assert time.monotonic() - began < place.template["terminationGracePeriodSeconds"] / 2 + 5
            assert 0 == pod.process.returncode
            await trio.sleep(0.2)
        assert {"lost+found", "journal"} == {path.name for path in place.state.iterdir()}
        assert KEY.encode() not in pod.told
    async with emulator(tmp_path / "again", "--key", KEY, port=server.port) as server, place.pod() as pod:
        await until(lambda: any(line["type"] == "final" for line in pod.lines), pod)
        playing.stop()


def check_confined(number: int) -> None:
    """Hold a process to what the manifest says of it."""
    told = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{number}/status").read_text().splitlines() if ":\t" in line
    )
    assert ["10001"] * 4 == told["Uid"].split()
    assert ["10001"] * 4 == told["Gid"].split()
    assert "1" == told["NoNewPrivs"]
    assert {0} == {int(told[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    assert "1" == told["NSpid"].split()[-1]
    root = next(
        line.split() for line in Path(f"/proc/{number}/mountinfo").read_text().splitlines() if line.split()[4] == "/"
    )
    assert "ro" in root[5].split(",")


def test_the_engine_inside_transcribes_in_the_image(image: container.Image) -> None:
    """As it comes: no key, no configuration, no microphone, the recording that is shipped, up to its first line."""
    settings = [
        f"--userspec={image.configuration['User']}",
        image.root,
        "/usr/bin/env",
        "-i",
        *image.configuration["Env"],
    ]
    process = subprocess.Popen(
        ["chroot", *settings, "stenod", "run", "--input", "sample"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        while '"type":"final"' not in (line := process.stdout.readline()):
            assert line, process.communicate()
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=30)
        assert 0 == process.returncode, told
    finally:
        process.kill()
        process.communicate()
