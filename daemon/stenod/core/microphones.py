"""Which microphone is meant: PortAudio's tables as values, and a person's word for one of them matched to it.

Pure. Who asks PortAudio is `edge`. A device's index may change with every start of a process, its name seldom does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from stenod.core.source import SourceError

EX_NOINPUT, EX_UNAVAILABLE = 66, 69
NAMED_MAX = 4
"""How many names a sentence lists."""

NO_PORTAUDIO = "cannot use microphones: no PortAudio library ({reason}); run `apt-get install libportaudio2`"
NO_DEVICE = (
    "no microphone: PortAudio finds no input device; plug one in, or start the sound server"
    " (it must be that of the user whom stenod runs as), and look with `stenod devices`"
)

ENVIRONMENT = frozenset({"HOME", "LANG", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER", "DBUS_SESSION_BUS_ADDRESS"})
ENVIRONMENT_PREFIXES = (
    *("ALSA_", "JACK_", "PA_", "PIPEWIRE_", "PULSE_", "XDG_"),
    *("COVERAGE_", "DYLD_", "LC_", "LD_", "PYTHON"),
)
"""What a process needs to find Python, PortAudio and the sound server; nothing else is handed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Something that PortAudio can record from."""

    index: int
    name: str
    host_api: str
    channels: int
    rate: int
    """Its own, in samples a second."""
    default: bool


def inputs(devices: Sequence[Mapping[str, Any]], host_apis: Sequence[Mapping[str, Any]], default: int) -> list[Device]:
    """Return the input devices of PortAudio's tables (sounddevice's `query_devices`, `query_hostapis`)."""
    return [
        Device(
            index=index,
            name=str(row["name"]),
            host_api=str(host_apis[row["hostapi"]]["name"]),
            channels=int(row["max_input_channels"]),
            rate=round(row["default_samplerate"]),
            default=index == default,
        )
        for index, row in enumerate(devices)
        if row["max_input_channels"] > 0
    ]


def match(devices: Sequence[Device], wanted: str | None) -> Device:
    """Return the device that is meant by None (the default), an index, a name, or a part of just one name.

    A whole name goes before a part, the case as written before any case. Raises `SourceError`.
    """
    if not devices:
        raise SourceError(NO_DEVICE, EX_UNAVAILABLE)
    if wanted is None:
        return next((device for device in devices if device.default), devices[0])
    folded = wanted.casefold()
    tests = (
        lambda device: device.name == wanted,
        lambda device: device.name.casefold() == folded,
        lambda device: wanted.isdecimal() and device.index == int(wanted),
        lambda device: bool(wanted) and not wanted.isdecimal() and folded in device.name.casefold(),
    )
    for test in tests:
        found = [device for device in devices if test(device)]
        if len(found) == 1:
            return found[0]
        if found:
            those = _listed([f"{device.index} '{device.name}'" for device in found])
            msg = f"cannot open microphone '{wanted}': it may be {those}; give the number, or run `stenod devices`"
            raise SourceError(msg, EX_NOINPUT)
    near = _listed([f"'{name}'" for name in _nearest(devices, wanted)])
    msg = f"cannot open microphone '{wanted}': not found; there is {near}; run `stenod devices`"
    raise SourceError(msg, EX_NOINPUT)


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a child that talks with PortAudio may see: no key, token or configuration of ours is in it."""
    return {
        name: value
        for name, value in environment.items()
        if (name in ENVIRONMENT or name.startswith(ENVIRONMENT_PREFIXES)) and not name.endswith("_API_KEY")
    }


def _nearest(devices: Sequence[Device], wanted: str) -> list[str]:
    """Return the names most like the wanted one, or the first ones if none is like it."""
    names = {device.name.casefold(): device.name for device in devices}
    close = get_close_matches(wanted.casefold(), names, n=NAMED_MAX, cutoff=0.4)
    return [names[name] for name in close or list(names)[:NAMED_MAX]]


def _listed(words: Sequence[str]) -> str:
    if len(words) > NAMED_MAX:
        return ", ".join(words[:NAMED_MAX]) + f" or {len(words) - NAMED_MAX} others"
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
