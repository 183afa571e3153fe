"""AssemblyAI's streaming protocol, version 3: options to URL and header, limits, and the parts of the dialect.

The server ignores what it does not know, so a misspelt parameter would be a silent loss: unknown names are warnings.
Everything that the rest relies on (model, rate, encoding, heartbeats, inactivity timeout) is always sent, because the
server's defaults have changed before. The key goes into the `Authorization` header as it is; `Bearer` before it is
refused.

It does not know how messages are read (`assemblyai_messages`), what they mean in order (`assemblyai_conversation`),
nor what failures mean (`assemblyai_rules`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlencode, urlsplit

import msgspec

from stenod.core.verdict import Rule
from stenod.providers import endpoint as address
from stenod.providers.assemblyai_conversation import AssemblyAIConversation
from stenod.providers.assemblyai_rules import RULES, V3_ENDPOINT
from stenod.providers.assemblyai_tokens import read_token, token_url
from stenod.providers.base import Errand, Limits, Request, Warned
from stenod.providers.billing import Billing, Measure

ParameterValue = str | int | float | bool | Sequence["ParameterValue"] | Mapping[str, "ParameterValue"]

NAME = "assemblyai"
ENDPOINT = V3_ENDPOINT
PATH = "/v3/ws"
REGIONS = {
    "default": ENDPOINT,
    "eu": "wss://streaming.eu.assemblyai.com/v3/ws",
    "us": "wss://streaming.us.assemblyai.com/v3/ws",
}

SAMPLE_RATE_MIN = 8000
"""Below, the server refuses."""
SESSION_SECONDS_MAX = 10_800.0
"""Three hours, or less where a temporary token says so; `Ready.expires_at` has the last word."""
TOKEN_SESSION_SECONDS_MAX = 10_800
"""What a token allows unless it is made for less."""
KEEPALIVE_SECONDS_MAX = 10.0
"""More often than a third of any sensible timeout: it is also what keeps a NAT's entry alive."""

MODELS = (
    "universal-streaming-english",
    "universal-streaming-multilingual",
    "whisper-rt",
    "u3-rt-pro",
    "u3-rt-pro-beta-1",
    "u3-rt-agent",
    "u3-pro",
    "universal-3-5-pro",
    "universal-3-6-pro",
    "universal-3-6",
    "universal-3-7-preview",
)
"""What the server named in a refusal, and what its own client knows. Another name may be newer than this list."""

RESERVED = ("speech_model", "sample_rate", "encoding", "format_turns", "inactivity_timeout", "session_heartbeat")
"""Parameters that stenod sends itself."""
SECRETS = ("token", "webhook_auth_header_value")

PARAMETERS = (
    "acknowledge_silence", "agent_context", "continuous_partials", "domain", "end_of_turn_confidence_threshold",
    "filter_profanity", "include_partial_turns", "interruption_delay", "keyterms_prompt", "language", "language_code",
    "language_codes", "language_detection", "llm_gateway", "max_speakers", "max_turn_silence",
    "min_end_of_turn_silence_when_confident", "min_turn_silence", "mode", "noise_suppression_model",
    "noise_suppression_threshold", "previous_context_n_turns", "prompt", "redact_pii", "redact_pii_policies",
    "redact_pii_sub", "speaker_labels", "speaker_labels_revision_interval_ms", "turn_left_pad_ms", "vad_threshold",
    "voice_focus", "voice_focus_threshold", "webhook_auth_header_name", "webhook_url",
)  # fmt: skip


def endpoint_error(endpoint: str) -> str | None:
    """Return what is wrong with an endpoint, as a sentence that ends with what to do; None where it is usable."""
    if text := address.endpoint_error(endpoint):
        return text
    if urlsplit(normalized(endpoint)).path.startswith("/v2"):
        return f"cannot use the endpoint {address.shown(endpoint)}: the v2 API has been retired; use {ENDPOINT}"
    return None


def normalized(endpoint: str) -> str:
    """Return a usable endpoint in full: a bare host is `wss`, and without a path it is the protocol's own."""
    return address.normalized(endpoint, PATH)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssemblyAIOptions:
    """What can be chosen. `endpoint` may be empty: the region's own."""

    endpoint: str = ENDPOINT
    region: Literal["default", "eu", "us"] = "default"
    speech_model: str = "universal-streaming-english"
    format_turns: bool = True
    inactivity_timeout_seconds: int = 30
    """5 to 3600: how long an orphan of ours can cost money."""
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    price_per_hour: float = 0.0
    """Of an open session; 0: not known."""
    temporary_tokens: bool = False
    """Each session is opened with a token of its own, in place of the key."""
    token_seconds: int = 60
    """1 to 600: how long a token opens a session."""
    token_session_seconds_max: int = TOKEN_SESSION_SECONDS_MAX
    """60 to 10800: how long a session lasts at most that was opened with a token."""

    @property
    def url(self) -> str:
        """The endpoint in use: one that was chosen wins over the region."""
        chosen = normalized(self.endpoint) if self.endpoint else ENDPOINT
        return REGIONS[self.region] if chosen == ENDPOINT else chosen

    @property
    def session_seconds_max(self) -> float:
        """How long a session may last."""
        return float(self.token_session_seconds_max) if self.temporary_tokens else SESSION_SECONDS_MAX

    @property
    def shows_partials(self) -> bool:
        """Whether an open turn shows: some parameters suppress all partials."""
        hidden = _truth(self.parameters.get("redact_pii", False))
        return _truth(self.parameters.get("include_partial_turns", True)) and not hidden

    def errors(self) -> list[Warned]:
        """Return what cannot work, for the configuration to refuse."""
        found = []
        if self.endpoint and (text := endpoint_error(self.endpoint)):
            found.append(Warned("endpoint", text))
        if not 5 <= self.inactivity_timeout_seconds <= 3600:
            found.append(Warned("inactivity_timeout_seconds", "AssemblyAI takes 5 to 3600 seconds"))
        if not 1 <= self.token_seconds <= 600:
            found.append(Warned("token_seconds", "AssemblyAI takes 1 to 600 seconds"))
        if not 60 <= self.token_session_seconds_max <= 10_800:
            found.append(Warned("token_session_seconds_max", "AssemblyAI takes 60 to 10800 seconds"))
        found += [
            Warned(f"parameters.{name}", f"{name} is a secret, and secrets do not stand in the configuration")
            for name in SECRETS
            if name in self.parameters
        ]
        return found


class AssemblyAI:
    """The dialect with its options."""

    rules: Sequence[Rule] = RULES

    def __init__(self, options: AssemblyAIOptions, *, name: str = NAME, billing: Billing | None = None) -> None:
        """`name` and `billing` are the engine inside's, which speaks this dialect and costs nothing."""
        self.name = name
        """In records and logs."""
        self.options = options
        self.billing = billing or Billing(
            measure=Measure.SESSION,
            price_per_hour=options.price_per_hour,
            orphan_seconds=float(options.inactivity_timeout_seconds),
        )
        self.limits = Limits(
            chunk_seconds_min=0.05,
            chunk_seconds_max=1.0,
            rate_ratio_max=1.25,
            session_seconds_max=options.session_seconds_max,
            keepalive_seconds=min(KEEPALIVE_SECONDS_MAX, options.inactivity_timeout_seconds / 3),
            drain_seconds_max=10.0,
            reports_silence=options.shows_partials,
        )

    def request(self, *, key: str, rate: int) -> Request | Errand:
        """Return URL and header; an empty key (a server of one's own) is not sent.

        With temporary tokens, return how one is made: the session is then opened with it, and without the key. Raises
        ValueError for options with `errors()`, and for a rate under 8000 Hz.
        """
        if rate < SAMPLE_RATE_MIN:
            raise ValueError(f"cannot send {rate} Hz to AssemblyAI: it takes {SAMPLE_RATE_MIN} Hz and more")
        if errors := self.options.errors():
            raise ValueError(errors[0].text)
        sent = self._reserved() | {"sample_rate": rate}
        own = self._own()
        # What a person wrote (prompts, terms, addresses) is nobody's business; numbers and switches help to see why.
        shown = {name: value if isinstance(value, int | float) else "hidden" for name, value in own.items()}
        request = Request(
            url=f"{self.options.url}?{_query(sent | own)}",
            headers=(("Authorization", key),) if key else (),
            public_url=f"{self.options.url}?{_query(sent | shown)}",
        )
        return self._token_errand(request) if key and self.options.temporary_tokens else request

    def _reserved(self) -> dict[str, ParameterValue]:
        """Return what stenod sends itself, but for the rate."""
        return {
            "speech_model": self.options.speech_model,
            "encoding": "pcm_s16le",
            "format_turns": self.options.format_turns,
            "inactivity_timeout": self.options.inactivity_timeout_seconds,
            "session_heartbeat": True,
        }

    def _own(self) -> dict[str, ParameterValue]:
        """Return what a person wrote."""
        return {name: value for name, value in self.options.parameters.items() if name not in RESERVED}

    def _token_errand(self, request: Request) -> Errand:
        """Return how a token for this session is made."""

        def opened_with_token(status: int, body: str) -> Request:
            token = read_token(status, body)
            return replace(request, url=f"{request.url}&{_query({'token': token})}", headers=(), secret=token)

        url = token_url(
            self.options.url,
            token_seconds=self.options.token_seconds,
            session_seconds_max=self.options.token_session_seconds_max,
        )
        return Errand(url=url, request=opened_with_token, headers=request.headers)

    def conversation(self) -> AssemblyAIConversation:
        """Return the state machine of one new session."""
        options = self.options
        entrance = {"endpoint": options.url, "session_seconds_max": options.session_seconds_max}
        return AssemblyAIConversation(
            formats=options.format_turns,
            partials=options.shows_partials,
            opening=entrance | self._reserved() | self._own(),
        )

    def errors(self) -> Sequence[Warned]:
        """Return what cannot work."""
        return self.options.errors()

    def warnings(self) -> list[Warned]:
        """Return what the server would ignore or refuse without a word beforehand."""
        options = self.options
        found = [_misnamed(name) for name in options.parameters if name not in PARAMETERS and name not in SECRETS]
        if options.speech_model not in MODELS:
            found.append(
                Warned("speech_model", f"not a model that stenod knows{address.nearest(options.speech_model, MODELS)}")
            )
        if text := address.unencrypted_warning(options.url):
            found.append(Warned("endpoint", text))
        if options.region != "default" and options.url != REGIONS[options.region]:
            found.append(Warned("region", "without effect: the endpoint names another server"))
        if options.token_session_seconds_max != TOKEN_SESSION_SECONDS_MAX and not options.temporary_tokens:
            found.append(Warned("token_session_seconds_max", "without effect: temporary_tokens is off"))
        return found


def _query(parameters: Mapping[str, ParameterValue]) -> str:
    return urlencode({name: _parameter_text(value) for name, value in parameters.items()})


def _parameter_text(value: ParameterValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else msgspec.json.encode(value).decode()


def _truth(value: ParameterValue) -> bool:
    return value.casefold() in ("true", "1") if isinstance(value, str) else bool(value)


def _misnamed(name: str) -> Warned:
    if name in RESERVED:
        return Warned(f"parameters.{name}", "without effect: stenod sends it itself, from its own option")
    text = f"AssemblyAI ignores parameters that it does not know{address.nearest(name, (*PARAMETERS, *RESERVED))}"
    return Warned(f"parameters.{name}", text)
