"""List the microphones. Knows nothing of recording.

PortAudio lists devices once per process and prints to descriptors 1 and 2 while it does: so a fresh child process lists
them each time, and answers with one line of JSON. Run: `python -m stenod.edge.devices`.

Limits: ten seconds. Errors: `SourceError` where there is no PortAudio, or where listing fails; no device is no error.
"""

import dataclasses
import json
import os
import subprocess
import sys

from stenod.core.microphones import NO_PORTAUDIO, Device, child_environment, inputs
from stenod.core.source import SourceError

EX_UNAVAILABLE = 69
LIST_SECONDS = 10.0
"""A sound server that does not answer holds PortAudio up for as long as it likes."""


LISTER = (sys.executable, "-P", "-m", "stenod.edge.devices")
HANGS = "cannot list microphones: no answer in {seconds:.0f} s; does the sound server hang?"


def list_devices() -> list[Device]:
    """Return what can be recorded from; takes a tenth of a second, and blocks."""
    try:
        done = subprocess.run(  # noqa: S603 - it is this module
            LISTER,
            env=child_environment(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=LIST_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(HANGS.format(seconds=LIST_SECONDS), EX_UNAVAILABLE) from error
    return _read(done)


async def listed(seconds: float = LIST_SECONDS) -> list[Device]:
    """Return the same without blocking, within `seconds`; whoever is cancelled leaves no lister behind."""
    import trio

    async def kill(process: trio.Process) -> None:
        process.kill()  # one that hangs in PortAudio hears nothing else

    with trio.move_on_after(seconds):
        done = await trio.run_process(
            LISTER,
            env=child_environment(os.environ),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            deliver_cancel=kill,
        )
        return _read(done)
    raise SourceError(HANGS.format(seconds=seconds), EX_UNAVAILABLE)


def _read(done: "subprocess.CompletedProcess[bytes]") -> list[Device]:
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        told = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        msg = f"cannot list microphones: the lister ended with status {done.returncode} {' '.join(told)}".rstrip()
        raise SourceError(f"{msg}; look at the sound server", EX_UNAVAILABLE) from error
    if "error" in answer:
        raise SourceError(answer["error"], EX_UNAVAILABLE)
    return [Device(**row) for row in answer["devices"]]


def _answer() -> dict[str, object]:
    try:
        import sounddevice
    except OSError as error:
        return {"error": NO_PORTAUDIO.format(reason=error)}
    found = inputs(sounddevice.query_devices(), sounddevice.query_hostapis(), sounddevice.default.device[0])
    return {"devices": [dataclasses.asdict(device) for device in found]}


if __name__ == "__main__":
    answer_fd = os.dup(1)
    os.dup2(2, 1)  # what PortAudio prints to its standard output is not our answer
    os.write(answer_fd, json.dumps(_answer()).encode())
