"""Who transcribes: from the configuration to providers with their dialects and keys, in order of preference.

What a person must be told is `NotPossible` or a `SecretError`; a service that holds on starts without a usable key too,
and is given one by a reload.
"""

import random
import secrets as tokens
from collections.abc import Mapping, Sequence

import trio

from stenod.config import holds_on_fatal
from stenod.core.backoff import Backoff, OpeningBudget
from stenod.core.log import Log
from stenod.core.verdict import ExitCode
from stenod.edge import secrets
from stenod.options import LOCAL, Options, table_of
from stenod.providers.assemblyai import AssemblyAI, AssemblyAIOptions
from stenod.providers.base import Dialect
from stenod.providers.billing import FREE
from stenod.services import SERVICES
from stenod.tasks.provider import Provider


class NotPossible(Exception):
    """What was asked for cannot be done; one sentence with the remedy."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


async def engaged(
    options: Options, environment: Mapping[str, str], nursery: trio.Nursery, log: Log
) -> Sequence[Provider]:
    """Return all that are configured; the engine inside, where it is one of them, is started in `nursery`."""
    found = []
    for name in options.providers or (LOCAL,):
        dialect, key = (
            await _engine_inside(options, nursery) if name == LOCAL else remote(options, environment, name, log)
        )
        found.append(
            Provider(
                dialect=dialect,
                key=key,
                backoff=Backoff(random.Random()),
                budget=OpeningBudget(float(options.supervisor.openings_per_minute_max)),
                rate_ratio_max=options.pacer.rate_ratio_max,
                steps_in_seconds=_steps_in_seconds(options, name),
                last_resort=name == LOCAL,
            )
        )
    return found


def remote(options: Options, environment: Mapping[str, str], name: str, log: Log) -> tuple[Dialect, str]:
    """Return a service's dialect and its key, empty where none is usable and we hold on, or none is needed."""
    service = SERVICES[name]
    dialect = service.engaged(options)
    for wrong in dialect.errors():
        raise NotPossible(f"{table_of(name)}.{wrong.option}: {wrong.text}", ExitCode.CONFIGURATION)
    for warned in dialect.warnings():
        log.warning("configuration.odd", option=f"{table_of(name)}.{warned.option}", reason=warned.text)
    try:
        key = service.key(options, environment)
    except secrets.SecretError as error:
        if isinstance(error, secrets.SecretMissing) and not service.options(options).needs_key:
            return dialect, ""
        if not holds_on_fatal(options, environment):
            raise
        log.error("key.unusable", reason=str(error))
        return dialect, ""
    if key.warning:
        log.warning("key.exposed", reason=key.warning)
    return dialect, key.secret.reveal()


def _steps_in_seconds(options: Options, name: str) -> float:
    """How long those before it must have been away before it is asked."""
    return options.supervisor.local_after_seconds if name == LOCAL else options.supervisor.failover_seconds


async def _engine_inside(options: Options, nursery: trio.Nursery) -> tuple[Dialect, str]:
    """Start the emulator on loopback with a key of this run's own."""
    from stenod.emulator.options import EmulatorOptions
    from stenod.emulator.server import EngineUnavailableError, serve

    key = tokens.token_hex(16)
    emulator = EmulatorOptions(engine=options.local.engine, keys=frozenset({key}))
    try:
        server = await nursery.start(serve, emulator)
    except EngineUnavailableError as error:
        raise NotPossible(f"the engine inside cannot start: {error}", ExitCode.UNAVAILABLE) from error
    return AssemblyAI(AssemblyAIOptions(endpoint=server.url), name=LOCAL, billing=FREE), key
