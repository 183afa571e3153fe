"""Examining a provider, from its key to its goodbye: key, name, connection, session; and the engine inside.

A session is one as the daemon opens it, by the same dialect over the same parts, with a second of silence: it proves
key, account, model and parameters, and costs a second or two. What a refusal means is the verdict table's word.
"""

import importlib.util
import ipaddress
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

import trio

from stenod import engagement, visit
from stenod.config import state_directory
from stenod.core.diagnosis import Finding, good, odd, of_failure, skipped, wrong
from stenod.core.dialling import dial_failure
from stenod.core.transport import ConnectionEnded
from stenod.core.verdict import Failure, Phase, judge
from stenod.edge import http, websocket
from stenod.edge.dialling import Dialler, addresses
from stenod.edge.secrets import SecretError, SecretMissing
from stenod.edge.soundfile import sample
from stenod.edge.state_directory import holder
from stenod.examination import Case, Step
from stenod.options import LOCAL, key_owner
from stenod.providers.base import Dialect
from stenod.providers.key_forms import oddity
from stenod.services import SERVICES
from stenod.tasks.trial import Outcome, Trial, silence

NAME_SECONDS = 4.0
CONNECTION_SECONDS = 5.0
OPENING_SECONDS = 5.0
DRAIN_SECONDS = 5.0
SESSION_SECONDS = 12.0
ENGINE_SECONDS = 20.0
"""Loading the model takes half a second, on a small machine several, and it may hear slower than one speaks."""
AUDIO_SECONDS = 1.0
SAMPLE_SECONDS = 2.8
"""The sample's first sentence, and a pause behind it."""
ADDRESSES_SHOWN = 3
SWALLOWED = "the network or a firewall swallows it: check the network, and whether the port is allowed out"
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
NO_POCKETSPHINX = "pocketsphinx is not installed, and no provider is configured"


class ProviderExamination:
    """One configured service."""

    def __init__(self, case: Case, name: str) -> None:
        self._case = case
        self._name = name
        self._service = SERVICES[name]
        self._dialect: Dialect = self._service.engaged(case.loaded.options)
        rate = case.loaded.options.capture.rate
        parts = urlsplit(self._dialect.request(key="", rate=rate).url)
        self._tls = parts.scheme in ("wss", "https")
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._dialler = Dialler(case.loaded.options.tls.ca_file)

    def steps(self) -> Iterator[Step]:
        """Return the steps in their order."""
        step = partial(Step, of=self._name)
        yield step(name="key", waiting="reading the key", examine=self.key, lack="no key")
        yield step(
            name="name",
            waiting=f"asking for the address of {self._host}",
            examine=self._online(self.name),
            lack="no network",
            seconds=NAME_SECONDS,
            late="the name server does not answer: check the network",
        )
        yield step(
            name="connection",
            waiting=f"connecting to {self._host}, port {self._port}",
            examine=self._online(self.connection),
            needs=("name",),
            lack="no connection",
            seconds=CONNECTION_SECONDS,
            late=self._beside_proxy(SWALLOWED),
        )
        yield step(
            name="session",
            waiting="holding a session with a second of silence",
            examine=self._online(self.session),
            needs=("connection", "key"),
            seconds=SESSION_SECONDS,
            late="look at the network and the provider's status page",
        )

    async def key(self) -> Finding:
        """Look at the key's form; it is never shown."""
        options = self._case.loaded.options
        needed = self._service.options(options).needs_key
        try:
            key = self._service.key(options, self._case.environment)
        except SecretMissing as missing:
            of_service = visit.remedy(key_owner(self._name), self._case.environment, self._case.loaded.path)
            if not needed:
                none = "none, and a server of your own needs none"
                return odd(none, of_service) if of_service else good(none)
            return wrong(str(missing), of_service, missing.exit_code)
        except SecretError as error:
            return wrong(str(error), exit_code=error.exit_code)
        self._case.keys[self._name] = key.secret.reveal()
        found = f"from {key.origin}, {len(key.secret)} characters"
        if needed and (strange := oddity(key_owner(self._name), key.secret.reveal())):
            clause, _, remedy = strange.partition("; ")
            return odd(f"{found}: {clause}", remedy)
        if key.warning:
            clause, _, remedy = key.warning.partition("; ")
            return odd(f"{found}: {clause}", remedy)
        return good(found)

    async def name(self) -> Finding:
        """Resolve the host's name."""
        try:
            found = await addresses(self._host, self._port)
        except (OSError, UnicodeError) as error:
            return self._failed(dial_failure(self._host, error))
        if _is_address(self._host):
            return good(f"{self._host} is an address")
        more = f" and {len(found) - ADDRESSES_SHOWN} more" if len(found) > ADDRESSES_SHOWN else ""
        return good(f"{self._host} is {', '.join(found[:ADDRESSES_SHOWN])}{more}")

    async def connection(self) -> Finding:
        """Open TCP, and TLS where it is spoken, and close it again."""
        began = trio.current_time()
        try:
            stream = await self._dialler.dial(self._host, self._port, self._tls)
        except (OSError, UnicodeError, trio.BrokenResourceError) as error:
            found = self._failed(dial_failure(self._host, error))
            return replace(found, remedy=self._beside_proxy(found.remedy))
        seconds = trio.current_time() - began
        spoken = f", {stream.version()}" if isinstance(stream, trio.SSLStream) else ", without TLS"
        await trio.aclose_forcefully(stream)
        return good(f"port {self._port} answered in {seconds * 1000:.0f} ms{spoken}")

    async def session(self) -> Finding:
        """Hold a session and leave it by its goodbye."""
        options = self._case.loaded.options
        directory = state_directory(options, self._case.environment)
        if options.supervisor.one_session and directory is not None and holder(directory) is not None:
            return skipped("a running stenod has the account's one session")
        rate = options.capture.rate
        key = self._case.keys.get(self._name, "")
        pcm = silence(AUDIO_SECONDS, rate)
        outcome = await _tried(self._dialect, key, pcm, self._case, self._dialler, rate=rate)
        if outcome.failure is not None:
            return _explained(outcome.failure, self._dialect)
        own = f" (session {outcome.provider_session})" if outcome.provider_session else ""
        assert outcome.opening_seconds is not None, "what ended in good order was ready"
        return good(f"ready after {outcome.opening_seconds * 1000:.0f} ms, ended in good order{own}")

    def _online(self, examine: Callable[[], Awaitable[Finding]]) -> Callable[[], Awaitable[Finding]]:
        """Return the step, or what stands in for it where nothing may be sent."""
        return _offline if self._case.offline else examine

    def _beside_proxy(self, remedy: str) -> str:
        """Return the remedy, with what a person behind a proxy must know."""
        name = next((one for one in PROXIES if self._case.environment.get(one)), None)
        hint = "" if name is None else f"stenod goes through no proxy, and {name} is set"
        return "; ".join(filter(None, (remedy, hint)))

    def _failed(self, ended: ConnectionEnded) -> Finding:
        return _explained(Failure(phase=Phase.OPENING, text=ended.text, local=ended.local), self._dialect)


class EngineExamination:
    """The engine inside, which needs no network."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def steps(self) -> Iterator[Step]:
        """Return the one step."""
        yield Step(
            name="engine",
            of=LOCAL,
            waiting="having the engine inside hear a sentence",
            examine=self.engine,
            seconds=ENGINE_SECONDS,
            late="the machine is too slow or too busy for it: name a provider",
        )

    async def engine(self) -> Finding:
        """Start it and let it hear the sample's first sentence."""
        options = self._case.loaded.options
        if importlib.util.find_spec("pocketsphinx") is None and options.local.engine == "pocketsphinx":
            return wrong(NO_POCKETSPHINX, "`pip install 'stenod[local]'`, or name one with --provider")
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            alone = replace(options, providers=())
            try:
                (engine,) = await engagement.engaged(alone, self._case.environment, nursery, self._case.log)
            except engagement.NotPossible as error:
                return wrong(str(error), exit_code=error.exit_code)
            started = trio.current_time() - began
            pcm, rate = await _sentence()
            outcome = await _tried(
                engine.dialect, engine.key, pcm, self._case, Dialler(), rate=rate, seconds=ENGINE_SECONDS
            )
            nursery.cancel_scope.cancel()
        if outcome.failure is not None:
            return _explained(outcome.failure, engine.dialect)
        if not outcome.words:
            remedy = "`pip install --force-reinstall pocketsphinx`, or name a provider"
            return wrong("the engine inside heard nothing in the sample", remedy)
        return good(f'the engine inside started in {started:.1f} s and heard "{" ".join(outcome.words)}"')


async def _offline() -> Finding:
    return skipped("offline")


async def _tried(
    dialect: Dialect,
    key: str,
    pcm: bytes,
    case: Case,
    dialler: Dialler,
    *,
    rate: int,
    seconds: float | None = None,
) -> Outcome:
    """Hold the session; `seconds` instead of the usual deadlines."""
    trial = Trial(
        dialect=dialect,
        key=key,
        rate=rate,
        pcm=pcm,
        connect=partial(websocket.connect, dial=dialler.dial),
        fetch=partial(http.fetch, dial=dialler.dial),
        opening_seconds=seconds or min(OPENING_SECONDS, case.loaded.options.supervisor.opening_seconds),
        drain_seconds=seconds or DRAIN_SECONDS,
        log=case.log,
    )
    return await trial.run()


def _explained(failure: Failure, dialect: Dialect) -> Finding:
    return of_failure(judge(failure, dialect.rules), failure.text)


async def _sentence() -> tuple[bytes, int]:
    """Return the beginning of the sample, and its rate."""
    pcm, rate = bytearray(), 1
    async with sample().open(0.0) as reader:
        while len(pcm) < 2 * SAMPLE_SECONDS * rate and (block := await reader.read()) is not None:
            pcm += block.pcm
            rate = block.rate
    return bytes(pcm[: 2 * round(SAMPLE_SECONDS * rate)]), rate


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
