"""Flux, Deepgram's recogniser for conversations (v2/listen): options to URL and header, limits, parts of the dialect.

Flux tells the end of a turn from what is said, not from silence alone. It has no message that holds a session open and
none that only flushes: the pings of the connection do the one, the end of a turn the other. A list is one parameter
repeated. What stenod relies on (model, encoding, rate) is always sent, and so are the thresholds, whose defaults have
changed before.

The key, and how it stands in the header, are those of Deepgram's other protocol (`deepgram`), as are the regions.

It does not know how messages are read (`deepgram_flux_messages`), what they mean in order
(`deepgram_flux_conversation`), nor what failures mean (`deepgram_flux_rules`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from stenod.core.verdict import Rule
from stenod.providers import deepgram
from stenod.providers import endpoint as address
from stenod.providers.base import Limits, Request, Warned
from stenod.providers.billing import Billing, Measure
from stenod.providers.deepgram_flux_conversation import DeepgramFluxConversation
from stenod.providers.deepgram_flux_rules import RULES

ParameterValue = str | float | bool | Sequence[str]

NAME = "deepgram-flux"
PATH = "/v2/listen"
REGIONS = {name: url.removesuffix(deepgram.PATH) + PATH for name, url in deepgram.REGIONS.items()}
MODELS = ("flux-general-en", "flux-general-multi")
MULTILINGUAL = "flux-general-multi"
RATES = (8000, 16_000, 24_000, 44_100, 48_000)
"""What Flux takes as raw audio; it suits 16000 best."""
STALL_SECONDS = 10.0
"""An `Update` comes with every quarter of a second of audio, whatever is in it; sessions that answer pings and nothing
else have been seen. The rest is room for a slow network."""
EAGER_THRESHOLD_MIN, EAGER_THRESHOLD_MAX = 0.3, 0.9

PARAMETERS = ("mip_opt_out", "numerals", "profanity_filter", "redact")
RESERVED = (
    "model", "encoding", "sample_rate", "eot_threshold", "eager_eot_threshold", "eot_timeout_ms", "keyterm",
    "language_hint", "tag",
)  # fmt: skip
"""Parameters that stenod sends itself."""
SHOWN = ("model", "encoding")
"""Texts that are no secret."""
NOT_OF_FLUX = (
    "channels", "diarize", "endpointing", "interim_results", "language", "multichannel", "punctuate", "smart_format",
    "utterance_end_ms", "vad_events",
)  # fmt: skip
"""Parameters of Deepgram's other models: Flux refuses the session over them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepgramFluxOptions:
    """What can be chosen. `endpoint` may be empty: the region's own."""

    endpoint: str = ""
    region: Literal["default", "eu", "au", "in"] = "default"
    model: str = "flux-general-en"
    eot_threshold: float = 0.7
    """0.5 to 1."""
    eager_eot_threshold: float = 0.0
    """0.3 to 0.9; 0: no eager ends."""
    eot_timeout_ms: int = 5000
    """500 to 60000."""
    keyterms: tuple[str, ...] = ()
    language_hints: tuple[str, ...] = ()
    tag: str = ""
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    price_per_hour: float = 0.0
    """Of audio; 0: not known."""

    @property
    def url(self) -> str:
        """The endpoint in use: one that was chosen wins over the region."""
        return address.normalized(self.endpoint, PATH) if self.endpoint else REGIONS[self.region]

    def errors(self) -> list[Warned]:
        """Return what cannot work, for the configuration to refuse."""
        found = []
        if self.endpoint and (text := address.endpoint_error(self.endpoint)):
            found.append(Warned("endpoint", text))
        elif self.url.endswith(deepgram.PATH):
            found.append(Warned("endpoint", f"v1/listen speaks another protocol; here it is {PATH}"))
        if not self.model.startswith("flux"):
            text = "only Flux models speak this protocol (v2/listen); for others use the provider deepgram"
            found.append(Warned("model", text))
        if self.eager_eot_threshold and not EAGER_THRESHOLD_MIN <= self.eager_eot_threshold <= EAGER_THRESHOLD_MAX:
            text = f"Flux takes {EAGER_THRESHOLD_MIN} to {EAGER_THRESHOLD_MAX}, or 0 for none"
            found.append(Warned("eager_eot_threshold", text))
        return found


class DeepgramFlux:
    """The dialect with its options."""

    name = NAME
    rules: Sequence[Rule] = RULES

    def __init__(self, options: DeepgramFluxOptions) -> None:
        self.options = options
        self.billing = Billing(measure=Measure.AUDIO, price_per_hour=options.price_per_hour)
        self.limits = Limits(
            chunk_seconds_min=0.05,
            chunk_seconds_max=0.25,
            chunk_seconds=0.08,
            rate_ratio_max=1.25,
            warm_chunk_seconds=0.08,
            stall_seconds=STALL_SECONDS,
            drain_seconds_max=10.0,
            reports_silence=True,
        )

    def request(self, *, key: str, rate: int) -> Request:
        """Return URL and header; an empty key (a server of one's own) is not sent.

        Raises ValueError for options with `errors()`, and for a rate that Flux does not take.
        """
        if rate not in RATES:
            raise ValueError(f"cannot send {rate} Hz to Flux: it takes {', '.join(map(str, RATES))} Hz")
        if errors := self.options.errors():
            raise ValueError(errors[0].text)
        url = self.options.url
        sent: dict[str, ParameterValue] = {"encoding": "linear16", "sample_rate": rate, **self._parameters()}
        # What a person wrote (terms, names) is nobody's business; numbers and switches help to see why.
        shown = {
            name: value if name in SHOWN or isinstance(value, int | float) or not value else "hidden"
            for name, value in sent.items()
        }
        scheme = "Bearer" if deepgram.TOKEN.fullmatch(key) else "Token"
        return Request(
            url=f"{url}?{_query(sent)}",
            headers=(("Authorization", f"{scheme} {key}"),) if key else (),
            public_url=f"{url}?{_query(shown)}",
        )

    def conversation(self) -> DeepgramFluxConversation:
        """Return the state machine of one new session."""
        return DeepgramFluxConversation(opening={"endpoint": self.options.url, **self._parameters()})

    def _parameters(self) -> dict[str, ParameterValue]:
        """Return what is said at the opening, but for the audio."""
        options = self.options
        eager = {"eager_eot_threshold": options.eager_eot_threshold} if options.eager_eot_threshold else {}
        return {
            "model": options.model,
            "eot_threshold": options.eot_threshold,
            "eot_timeout_ms": options.eot_timeout_ms,
            **eager,
            "language_hint": options.language_hints,
            "keyterm": options.keyterms,
            "tag": options.tag or (),
            **{name: value for name, value in options.parameters.items() if name not in RESERVED},
        }

    def errors(self) -> Sequence[Warned]:
        """Return what cannot work."""
        return self.options.errors()

    def warnings(self) -> list[Warned]:
        """Return what Flux would refuse, or what would have no effect."""
        options = self.options
        found = [_misnamed(name) for name in options.parameters if name not in PARAMETERS]
        if options.model not in MODELS:
            unknown = f"not a model of Flux that stenod knows{address.nearest(options.model, MODELS)}"
            found.append(Warned("model", unknown))
        if options.language_hints and options.model != MULTILINGUAL:
            found.append(Warned("language_hints", f"only {MULTILINGUAL} takes them"))
        if options.eager_eot_threshold > options.eot_threshold:
            found.append(Warned("eager_eot_threshold", "above eot_threshold, so that no turn would end early"))
        if text := address.unencrypted_warning(options.url):
            found.append(Warned("endpoint", text))
        if options.region != "default" and options.url != REGIONS[options.region]:
            found.append(Warned("region", "without effect: the endpoint names another server"))
        return found


def _query(parameters: Mapping[str, ParameterValue]) -> str:
    return urlencode([(name, text) for name, value in parameters.items() for text in _texts(value)])


def _texts(value: ParameterValue) -> Sequence[str]:
    """Return a parameter's values: a list is the parameter repeated."""
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return (f"{value}",) if isinstance(value, str | int | float) else value


def _misnamed(name: str) -> Warned:
    if name in RESERVED:
        return Warned(f"parameters.{name}", "without effect: stenod sends it itself, from its own option")
    if name in NOT_OF_FLUX:
        return Warned(f"parameters.{name}", "a parameter of Deepgram's other models; Flux may refuse the session")
    text = f"not a parameter of Flux that stenod knows{address.nearest(name, (*PARAMETERS, *RESERVED))}"
    return Warned(f"parameters.{name}", text)
