"""Deepgram's live protocol, v1/listen: options to URL and header, limits, and the parts of the dialect.

All that the rest relies on is always said, because defaults have changed before: the encoding, the rate, interim
results (without them an open turn cannot be seen) and what ends a turn. Lists repeat their parameter. Parameters that
Deepgram does not know it ignores or refuses with a bare 400, so unknown names are warnings.

A key goes into the header as `Token`, a temporary token as `Bearer`. Which of the two it is shows: a token is a JWT,
three parts joined by dots of which the first begins with `eyJ`, and a key is hexadecimal; so there is no option for it.

It does not know how messages are read (`deepgram_messages`), what they mean in order (`deepgram_conversation`), nor
what failures mean (`deepgram_rules`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlencode

from stenod.core.verdict import Rule
from stenod.providers import endpoint as address
from stenod.providers.base import Limits, Request, Warned
from stenod.providers.billing import Billing, Measure
from stenod.providers.deepgram_conversation import DeepgramConversation
from stenod.providers.deepgram_rules import RULES

Scalar = str | int | float | bool
ParameterValue = Scalar | Sequence[Scalar]

NAME = "deepgram"
PATH = "/v1/listen"
ENDPOINT = f"wss://api.deepgram.com{PATH}"
REGIONS: Mapping[str, str] = MappingProxyType(
    {
        "default": ENDPOINT,
        "eu": f"wss://api.eu.deepgram.com{PATH}",
        "au": f"wss://api.au.deepgram.com{PATH}",
        "in": f"wss://api.in.deepgram.com{PATH}",
    }
)

SAMPLE_RATE_MIN = 8000
"""Judgement: no limit is documented; below, nothing recognises speech."""
KEEPALIVE_SECONDS = 4.0
"""Documented: every 3 to 5 s. The idle timer is documented as 10 s and was seen as 12."""
WARM_SECONDS = 20.0
"""The server ends a session in which it has said nothing for about 30 s, and answers no KeepAlive; zeros it answers."""
WARM_FIRST_SECONDS = 3.0
"""Documented: it must have been sent enough audio to say something within 10 s of the opening, and until it has, a
KeepAlive holds nothing. A message comes about every second of audio, so there must be time for several silences."""
UTTERANCE_END_MS_MIN = 1000
"""Interim results come about once a second, so less makes no sense (documented)."""
TAG_CHARACTERS_MAX = 128
KEYTERM_TOKENS_MAX = 500
"""Documented, in all; a word is at least one token."""

TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
"""A temporary token: a JWT, whose first part is the beginning of a JSON object in base64."""

MODEL_FAMILIES = ("nova-3", "nova-2", "nova", "enhanced", "base", "custom")
"""A model is a family, or a family with a use behind it: `nova-3-medical`."""

OPTIONS = MappingProxyType(
    {
        "model": "model",
        "language": "language",
        "endpointing": "endpointing_ms",
        "utterance_end_ms": "utterance_end_ms",
        "smart_format": "smart_format",
        "diarize": "diarize",
        "keyterm": "keyterms",
        "tag": "tag",
    }
)
"""Parameters that have their own option, by its name."""
RESERVED = ("encoding", "sample_rate", "channels", "interim_results", *OPTIONS)
"""Parameters that stenod sends itself."""

REFUSED = MappingProxyType(
    {
        "callback": "Deepgram would send the results there, and nothing would come out here",
        "callback_method": "it belongs to `callback`, which would send the results elsewhere",
        "multichannel": "stenod sends one channel",
        **dict.fromkeys(("token", "access_token", "api_key", "key"), "secrets do not stand in the configuration"),
    }
)
"""Parameters that cannot work, and why."""

PARAMETERS = (
    "detect_entities", "diarize_model", "dictation", "extra", "filler_words", "keywords", "language_hint",
    "measurements", "mip_opt_out", "no_delay", "numerals", "profanity_filter", "punctuate", "redact", "replace",
    "search", "tier", "vad_events", "version",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepgramOptions:
    """What can be chosen. `endpoint` may be empty: the region's own."""

    endpoint: str = ""
    region: Literal["default", "eu", "au", "in"] = "default"
    model: str = "nova-3"
    language: str = "en"
    """BCP 47, or `multi`."""
    endpointing_ms: int = 300
    """The pause that ends a turn. 0: none does, `utterance_end_ms` alone."""
    utterance_end_ms: int = 1000
    """The pause between two words that ends a turn, where noise hides it."""
    smart_format: bool = True
    diarize: bool = False
    keyterms: Sequence[str] = ()
    tag: str = ""
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    price_per_hour: float = 0.0
    """Of audio that is sent; 0: not known."""

    @property
    def url(self) -> str:
        """The endpoint in use: one that was chosen wins over the region."""
        chosen = address.normalized(self.endpoint, PATH) if self.endpoint else ENDPOINT
        return REGIONS[self.region] if chosen == ENDPOINT else chosen

    def errors(self) -> list[Warned]:
        """Return what cannot work, for the configuration to refuse."""
        found = []
        if self.endpoint and (text := address.endpoint_error(self.endpoint)):
            found.append(Warned("endpoint", text))
        elif self.url.endswith("/v2/listen"):
            text = f"v2/listen speaks another protocol, that of the provider `deepgram-flux`; here it is {PATH}"
            found.append(Warned("endpoint", text))
        if self.model.startswith("flux"):
            text = "Flux models speak another protocol (v2/listen): they are the provider `deepgram-flux`"
            found.append(Warned("model", text))
        if self.endpointing_ms < 0:
            found.append(Warned("endpointing_ms", "give it in milliseconds, or 0 for none"))
        if self.utterance_end_ms < UTTERANCE_END_MS_MIN:
            found.append(Warned("utterance_end_ms", f"Deepgram takes {UTTERANCE_END_MS_MIN} and more"))
        if len(self.tag) > TAG_CHARACTERS_MAX:
            found.append(Warned("tag", f"Deepgram takes {TAG_CHARACTERS_MAX} characters at most"))
        found += [Warned(f"parameters.{name}", why) for name, why in REFUSED.items() if name in self.parameters]
        return found


class Deepgram:
    """The dialect with its options."""

    rules: Sequence[Rule] = RULES

    def __init__(self, options: DeepgramOptions) -> None:
        self.name = NAME
        """In records and logs."""
        self.options = options
        self.billing = Billing(measure=Measure.AUDIO, price_per_hour=options.price_per_hour)
        self.limits = Limits(
            chunk_seconds_min=0.05,
            chunk_seconds_max=1.0,
            chunk_seconds=0.1,
            rate_ratio_max=1.25,
            session_seconds_max=None,
            keepalive_seconds=KEEPALIVE_SECONDS,
            warm_seconds=WARM_SECONDS,
            warm_first_seconds=WARM_FIRST_SECONDS,
            drain_seconds_max=10.0,
            reports_silence=True,
        )

    def request(self, *, key: str, rate: int) -> Request:
        """Return URL and header; an empty key (a server of one's own) is not sent.

        Raises ValueError for options with `errors()`, and for a rate under 8000 Hz.
        """
        if rate < SAMPLE_RATE_MIN:
            raise ValueError(f"cannot send {rate} Hz to Deepgram: it takes {SAMPLE_RATE_MIN} Hz and more")
        if errors := self.options.errors():
            raise ValueError(errors[0].text)
        options = self.options
        sent: dict[str, ParameterValue] = {
            "encoding": "linear16",
            "sample_rate": rate,
            "channels": 1,
            "model": options.model,
            "language": options.language,
            "interim_results": True,
            "endpointing": options.endpointing_ms or False,
            "utterance_end_ms": options.utterance_end_ms,
            "smart_format": options.smart_format,
            "diarize": options.diarize,
        }
        own = {name: value for name, value in options.parameters.items() if name not in RESERVED}
        own |= {"keyterm": options.keyterms} if options.keyterms else {}
        own |= {"tag": options.tag} if options.tag else {}
        # What a person wrote (terms, names, labels) is nobody's business; numbers and switches help to see why.
        shown = {name: value if isinstance(value, int | float) else "hidden" for name, value in own.items()}
        scheme = "Bearer" if TOKEN.fullmatch(key) else "Token"
        return Request(
            url=f"{options.url}?{_query(sent | own)}",
            headers=(("Authorization", f"{scheme} {key}"),) if key else (),
            public_url=f"{options.url}?{_query(sent | shown)}",
        )

    def conversation(self) -> DeepgramConversation:
        """Return the state machine of one new session."""
        return DeepgramConversation(
            utterance_end_seconds=self.options.utterance_end_ms / 1000,
            opening=replace(self.options, endpoint=self.options.url, region="default", price_per_hour=0.0),
        )

    def errors(self) -> Sequence[Warned]:
        """Return what cannot work."""
        return self.options.errors()

    def warnings(self) -> list[Warned]:
        """Return what the server would ignore or refuse without a word beforehand."""
        options = self.options
        known = (*PARAMETERS, *REFUSED)
        found = [_misnamed(name) for name in options.parameters if name not in known]
        found += _odd_model(options)
        if options.keyterms and not options.model.startswith("nova-3"):
            found.append(Warned("keyterms", "Deepgram takes them with nova-3 only; older models have `keywords`"))
        if sum(len(term.split()) for term in options.keyterms) > KEYTERM_TOKENS_MAX:
            found.append(
                Warned("keyterms", f"Deepgram takes {KEYTERM_TOKENS_MAX} tokens in all, and these are more words")
            )
        if text := address.unencrypted_warning(options.url):
            found.append(Warned("endpoint", text))
        if options.region != "default" and options.url != REGIONS[options.region]:
            found.append(Warned("region", "without effect: the endpoint names another server"))
        return found


def _query(parameters: Mapping[str, ParameterValue]) -> str:
    return urlencode({name: _parameter_texts(value) for name, value in parameters.items()}, doseq=True)


def _parameter_texts(value: ParameterValue) -> list[str]:
    """Return what a parameter is sent as: once for each of a list."""
    values = [value] if isinstance(value, Scalar) else value
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in values]


def _misnamed(name: str) -> Warned:
    if name in RESERVED:
        option = f", from its option {OPTIONS[name]}" if name in OPTIONS else ""
        return Warned(f"parameters.{name}", f"without effect: stenod sends it itself{option}")
    if name == "detect_language":
        return Warned(f"parameters.{name}", "Deepgram has it for recordings only; set language to `multi`")
    text = f"Deepgram has no such parameter that stenod knows{address.nearest(name, (*PARAMETERS, *RESERVED))}"
    return Warned(f"parameters.{name}", text)


def _odd_model(options: DeepgramOptions) -> list[Warned]:
    model = options.model
    if model.startswith("whisper"):
        return [Warned("model", "Deepgram has it for recordings only, and refuses it live (HTTP 405)")]
    if model.startswith("nova-3") and "keywords" in options.parameters:
        return [Warned("parameters.keywords", "nova-3 refuses them (HTTP 400); use keyterms")]
    if any(model == family or model.startswith(f"{family}-") for family in MODEL_FAMILIES) or options.endpoint:
        return []
    return [Warned("model", f"not a model that stenod knows{address.nearest(model, MODEL_FAMILIES)}")]
