"""Who records from the sound cards themselves, as ALSA tells in /proc/asound. It opens no device.

On plain ALSA one program at a time records from a card, and PortAudio leaves a card out that is in use: the microphone
seems not to be there. Where a sound server has the cards, it is the one program.

Source: the kernel's `sound/designs/procfs`: `pcmXc/subY/status` says `closed`, or the state and `owner_pid`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

CARDS = Path("/proc/asound")
PROCESSES = Path("/proc")
OWNER = re.compile(r"^owner_pid\s*:\s*(\d+)", re.MULTILINE)
NAME = re.compile(r"^name\s*:\s*(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Recording:
    """A card's input that is in use."""

    device: str
    process: int
    """0 where its number is not told."""
    program: str
    """Its name; empty where that is hidden."""


def recordings(cards: Path = CARDS, processes: Path = PROCESSES) -> list[Recording]:
    """Return all inputs that are in use; none where there is no ALSA."""
    found = []
    for status in sorted(cards.glob("card*/pcm*c/sub*/status")):
        said = _read(status)
        if not said or said.strip() == "closed":
            continue
        owner = OWNER.search(said)
        process = int(owner[1]) if owner else 0
        name = NAME.search(_read(status.parent / "info"))
        device = name[1].strip() if name else status.parts[-4]
        found.append(Recording(device, process, _read(processes / str(process) / "comm").strip() if process else ""))
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
