"""The emulator's options, with their defaults and what they mean."""

from dataclasses import dataclass
from pathlib import Path

from stenod.emulator.faults import Fault

ENGINES = ("pocketsphinx", "oracle", "script:FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """How the emulator serves.

    `engine` is `pocketsphinx`, `oracle` or `script:FILE`. `keys` None accepts any key that is not empty. `v2` serves
    AssemblyAI's retired interface too.
    `session_seconds_max` None leaves each dialect its own limit (AssemblyAI three hours, Deepgram none). `time_scale`
    multiplies the server's own timers (inactivity, session limit, heartbeat, openings window), not the rate at which
    audio is processed and not the times of faults: 0.01 makes a 5 s inactivity limit 50 ms. `drain_ratio` and
    `ahead_seconds_max` are what was inferred of the live service.
    """

    host: str = "127.0.0.1"
    port: int = 0
    engine: str = "pocketsphinx"
    faults: tuple[Fault, ...] = ()
    keys: frozenset[str] | None = None
    v2: bool = False
    realism: bool = False
    seed: int = 0
    session_seconds_max: float | None = None
    sessions_max: int | None = None
    openings_per_minute_max: int | None = None
    drain_ratio: float = 1.25
    ahead_seconds_max: float = 300.0
    time_scale: float = 1.0
    log_path: Path | None = None
    log_records_max: int = 200_000
    connections_max: int = 1_000
