"""What can be configured: every option, its type, its limits, its default and its explanation, once and here.

`config/stenod.toml` is this file in TOML: the explanations are its comments, the defaults its values, and a test holds
one against the other. Tables are named as the modules they steer. Where values come from (file, environment, command
line) and what is wrong with them is the business of `config`; what they do is that of the modules.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

Provider = Literal["assemblyai", "assemblyai-v2", "deepgram", "deepgram-flux", "local"]
LOCAL = "local"
"""The engine inside."""
RATES: Mapping[str, tuple[int, ...]] = {"deepgram-flux": (8000, 16000, 24000, 44100, 48000)}
"""The sample rates that a service takes, where it does not take all."""
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
"""How a URL begins, RFC 3986, section 3; a file of that name can be called ./name."""
Parameter = bool | int | float | str | tuple[str, ...]
StreamName = Annotated[
    str,
    Meta(
        pattern=r"^(?!\.+\Z)(?!(?:lock|reserve|words|health\.socket|ledger\.sqlite.*)\Z)[A-Za-z0-9._-]{1,64}\Z",
        description="1 to 64 letters, digits, dots, underscores, hyphens; no name of the journal's own files",
    ),
]
ModelName = Annotated[str, Meta(min_length=1, max_length=100, description="a name of 1 to 100 characters")]


def table_of(provider: str) -> str:
    """Return the table of a service's options."""
    return provider.replace("-", "_")


def key_owner(provider: str) -> str:
    """Return whose key a service takes: the protocols of one company share it."""
    return provider.partition("-")[0]


class InputKind(StrEnum):
    """What the audio comes from."""

    MICROPHONE = "mic"
    SAMPLE = "sample"
    """The recording that comes with stenod."""
    STDIN = "stdin"
    COMMAND = "command"
    FILE = "file"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Input:
    """The parsed `capture.input`."""

    kind: InputKind
    argument: str = ""
    """The microphone's name or index (empty: the default one), the file's path, or the command as it was written."""
    words: tuple[str, ...] = ()
    """The command's words."""

    @property
    def raw(self) -> bool:
        """Whether it delivers bare s16le, whose rate and channels only the configuration knows."""
        return self.kind in (InputKind.STDIN, InputKind.COMMAND)

    @classmethod
    def parse(cls, text: str) -> "Input":
        """Return what `text` names; `ValueError` says what is wrong with it."""
        head, colon, tail = text.partition(":")
        if text in ("mic", "sample", "none"):
            return cls(InputKind(text))
        if text == "-":
            return cls(InputKind.STDIN)
        if colon and head == "mic":
            if not tail.strip():
                raise ValueError("has no name or index after the colon")
            return cls(InputKind.MICROPHONE, tail.strip())
        if colon and head == "command":
            try:
                words = tuple(shlex.split(tail))
            except ValueError as error:
                raise ValueError(f"cannot be split into words ({str(error).lower()})") from error
            if not words:
                raise ValueError("has no command after the colon")
            return cls(InputKind.COMMAND, tail.strip(), words)
        if not text.strip() or "\0" in text:
            raise ValueError("is no path")
        if ADDRESS.match(text):
            opening = f"command:ffmpeg -v error -i {shlex.quote(text)} -f s16le -ac 1 -ar 16000 -"
            raise ValueError(f"is an address, which a program must open, for example `{opening}`")
        return cls(InputKind.FILE, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureOptions:
    """Where the audio comes from."""

    input: str = "mic"
    """`mic` (the default microphone), `mic:NAME` or `mic:INDEX` (see `stenod devices`), `sample` (the recording that
    comes with stenod), `-` (s16le on standard input), `command:WORDS` (a program that writes s16le to its standard
    output, started again when it ends), `none` (nothing new: what the journal still has), or the path of a file."""
    rate: Annotated[int, Meta(ge=8000, le=48000)] = 16000
    """Samples a second of the stream: what is kept in the journal and sent. Other rates are converted to it."""
    input_rate: Annotated[int, Meta(ge=0, le=384000)] = 0
    """Samples a second of raw input (`-` and `command:`). 0: the same as `rate`."""
    input_channels: Annotated[int, Meta(ge=1, le=32)] = 1
    """Channels of raw input (`-` and `command:`); they are mixed to one, unless `channel` says which."""
    channel: Annotated[int, Meta(ge=0, le=256)] = 0
    """The one channel that is heard of a microphone, a file or raw input, counted from 1. 0: all, mixed to one."""
    channel_names: tuple[str, ...] = ()
    """Hear each channel by itself, as a stream of its own: with `["judge", "counsel"]` the stream `court` becomes two,
    `court-judge` (the first channel) and `court-counsel`, each with its own timeline, sessions and lines. Each channel
    of the input gets a name; of a microphone the first ones do. Each is paid for. Empty: one stream."""

    @property
    def source(self) -> Input:
        """The input, parsed."""
        return Input.parse(self.input)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOptions:
    """What is kept on the disk."""

    keep_audio: bool = False
    """Keep audio that has been transcribed, as long as there is room; otherwise it goes once its words are safe."""
    quiet_hours: Annotated[float, Meta(ge=0.0, le=8760.0)] = 24.0
    """How long audio is kept that was not sent because nobody spoke in it, should that have been a mistake."""
    audio_bytes_max: Annotated[int, Meta(ge=33_554_432, le=10**15)] = 4_000_000_000
    """The most that all audio may take, several streams alike. Past it the oldest goes: what is kept, then quiet, then
    what was still to be transcribed, which is printed as a gap. 4 GB are 34 hours at 16000 samples a second."""
    audio_hours_max: Annotated[float, Meta(ge=1.0, le=87600.0)] = 168.0
    """The oldest audio that is kept, for a provider that is away or because of `keep_audio`."""
    free_bytes_min: Annotated[int, Meta(ge=0, le=10**15)] = 200_000_000
    """The room that is left on the disk: with less, old audio goes, but never that of the last two minutes."""
    segment_seconds: Annotated[int, Meta(ge=1, le=60)] = 10
    """Length of one audio file. Audio is deleted by whole files."""
    sync_seconds: Annotated[float, Meta(ge=0.05, le=60.0)] = 1.0
    """How often audio is forced to the disk: what a power cut can cost at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacerOptions:
    """How fast audio is sent."""

    chunk_ms: Annotated[int, Meta(ge=0, le=1000, description="0, or a whole number from 50 to 1000")] = 0
    """Audio in one message while live: 50 to 1000. It grows to 1000 while catching up. 0: what suits the provider: 100,
    Flux 80."""
    rate_ratio_max: Annotated[float, Meta(ge=1.0, le=4.0)] = 1.25
    """Seconds of audio sent in a second while catching up. Providers take about this much; more may end the session."""
    quiet: Literal["send", "pause", "park"] = "send"
    """What becomes of a live source's quiet. `send`: it is sent like all, unless one session alone has to catch up
    (`output.order`, `supervisor.one_session`), which skips it. `pause`: nothing is sent, and the session is held open.
    `park`: the session is ended, and one is opened when there is something to hear. What a day costs with each is on
    the provider's page. What was taken for quiet is kept for `journal.quiet_hours`; `stenod retranscribe` has it heard
    after all."""
    quiet_after_seconds: Annotated[float, Meta(ge=0.0, le=86400.0)] = 0.0
    """How long it must have been no louder than the room. 0: 5 to pause, 60 to park."""
    preroll_seconds: Annotated[float, Meta(ge=0.2, le=30.0)] = 1.0
    """How much of the quiet before a sound is sent with it, so that no first syllable is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessOptions:
    """When a session counts as dead."""

    ping_seconds: Annotated[float, Meta(ge=0.1, le=60.0)] = 1.0
    """How often the connection is pinged."""
    pong_seconds: Annotated[float, Meta(ge=0.1, le=60.0)] = 3.0
    """How long the answer to a ping may take before the connection is given up."""
    send_seconds: Annotated[float, Meta(ge=0.1, le=60.0)] = 3.0
    """How long sending one message may take before the connection is given up."""
    stall_seconds: Annotated[float, Meta(ge=1.0, le=600.0)] = 30.0
    """How long a session that is sent speech may say nothing at all before it is replaced; with Flux, which always says
    something, 10 at most. After two sessions that brought nothing it is twice as long, after three four times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """Whose certificates count. Connections to providers are always encrypted, unless an `endpoint` says `ws://`, and
    certificates always verified."""

    ca_file: str = ""
    """A file with the certificates of authorities in PEM that are trusted instead of the system's: for a server of your
    own, or a proxy that looks into TLS. It is read at the start. Empty: the system's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationOptions:
    """When a session hands over to its successor, before the provider's limit ends it."""

    session_seconds_max: Annotated[float, Meta(ge=0.0, le=86400.0)] = 0.0
    """The longest a session may last, more than the margin below. 0: the provider's limit."""
    margin_seconds: Annotated[float, Meta(ge=0.0, le=3600.0)] = 300.0
    """How long before its limit a session's successor is opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorOptions:
    """How sessions are opened and ended, and what happens when none can be."""

    opening_seconds: Annotated[float, Meta(ge=0.1, le=120.0)] = 10.0
    """How long opening a session may take, up to the provider's word that it is ready."""
    drain_seconds: Annotated[float, Meta(ge=0.0, le=120.0)] = 10.0
    """How long the last words are waited for after our goodbye."""
    on_fatal: Literal["auto", "exit", "hold"] = "auto"
    """What to do when only a person can help (a wrong key, no balance, no microphone). `exit`: end, with a code for
    it. `hold`: keep recording or wait, say so, and go on once it is fixed. `auto`: hold as a service, else exit."""
    late_after_seconds: Annotated[float, Meta(ge=0.0, le=86400.0)] = 15.0
    """When more audio than this waits after an outage, live audio goes to a session at once and what waits to a second
    one, whose lines are marked `late`. Less is caught up with in one."""
    one_session: bool = False
    """Never two sessions at once, where the provider allows or you want to pay one only. After an outage all comes
    later then, and a hand-over is a short interruption that the journal covers."""
    failover_seconds: Annotated[float, Meta(ge=0.0, le=86400.0)] = 60.0
    """With several providers: how long the one in use may be unreachable before the next is asked. A refusal for good
    moves on at once; where none answers, nobody does, and the audio waits."""
    local_after_seconds: Annotated[float, Meta(ge=0.0, le=86400.0)] = 0.0
    """With `local` behind other providers: how long none of them may have answered before the engine inside takes over.
    Its words stay, and it is a modest recogniser. 0: never."""
    turn_seconds_max: Annotated[float, Meta(ge=1.0, le=600.0)] = 20.0
    """A turn that runs longer is ended at a quiet point, so that little is ever at stake."""
    openings_per_minute_max: Annotated[int, Meta(ge=1, le=600)] = 10
    """Sessions opened in a minute at most, hand-overs aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is printed."""

    file: str = ""
    """A file that lines are appended to instead of standard output, made if missing. When it is moved away or removed,
    lines go on in a new one of that name, at once on SIGHUP: config/stenod.logrotate is for logrotate. A service of the
    system may write below /var/log/stenod only. Empty: standard output."""
    partials: bool = False
    """Print unfinished turns too, each time they change."""
    outbox_days: Annotated[float, Meta(ge=1.0, le=3650.0)] = 7.0
    """How long printed lines stay in the journal, for `stenod tail`; by the days that were recorded."""
    order: Literal["live", "time"] = "live"
    """`live`: what is said now comes at once, also while what was said during an outage is still being transcribed.
    `time`: what was said in its order, for an archive rather than captions; a `gap` comes when it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingOptions:
    """What is logged, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged. Spoken words are logged at `debug` only."""
    format: Literal["auto", "console", "json"] = "auto"
    """`console`: for people. `json`: one object a line, what is said to a person too; only what is wrong with the
    command line or the configuration itself is said in plain lines. `auto`: console on a terminal, fields in systemd's
    journal, json otherwise, with what is said to a person in plain lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssemblyaiOptions:
    """AssemblyAI's streaming service. The key comes from a systemd credential, `key_file` or ASSEMBLYAI_API_KEY."""

    endpoint: str = ""
    """Another server that speaks the same protocol, as `wss://host` or `ws://host:port`. Empty: AssemblyAI's own."""
    region: Literal["default", "eu", "us"] = "default"
    """Where the audio is processed. `default`: the nearest; `eu`, `us`: nowhere else."""
    speech_model: ModelName = "universal-streaming-english"
    """The recogniser. AssemblyAI's documentation lists them."""
    format_turns: bool = True
    """Finished turns with punctuation and capital letters."""
    inactivity_timeout_seconds: Annotated[int, Meta(ge=5, le=3600)] = 30
    """When AssemblyAI ends a session that it gets no audio from: what one we could not end costs at most."""
    price_per_hour: Annotated[float, Meta(ge=0.0, le=1000.0)] = 0.0
    """What an hour of an open session costs you, in your currency: `session` records and `stenod status` then tell
    costs. 0: not known, and no cost is told."""
    key_file: str = ""
    """A file with nothing but the key in it, readable by stenod's user only."""
    temporary_tokens: bool = False
    """Open each session with a temporary token, which is made with the key just before, in place of the key."""
    token_seconds: Annotated[int, Meta(ge=1, le=600)] = 60
    """How long a temporary token opens a session. Too short for a clock that is wrong or a slow network costs a try."""
    token_session_seconds_max: Annotated[int, Meta(ge=60, le=10800)] = 10800
    """How long a session lasts at most that was opened with a temporary token: AssemblyAI itself ends it then, whatever
    has become of stenod. A successor is opened before."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """More of AssemblyAI's own parameters, handed on as they are: `{ keyterms_prompt = ["stenod"] }`."""

    @property
    def needs_key(self) -> bool:
        """Whether there is no use in trying without a key; a server of one's own may do without."""
        return not self.endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class AssemblyaiV2Options:
    """A server that still speaks version 2 of AssemblyAI's protocol; AssemblyAI's own is retired. The key is that of
    [assemblyai], or the one in `key_file`; a server that wants none gets none."""

    endpoint: str = ""
    """The server, as `wss://host` or `ws://host:port`. There is no other, so it must be given."""
    temporary_token: bool = False
    """The key is a temporary token: it goes into the address instead of the header. A new one is read on SIGHUP."""
    word_boost: tuple[str, ...] = ()
    """Words that are more likely than the recogniser would think: names, terms."""
    rate_ratio_max: Annotated[float, Meta(ge=1.0, le=4.0)] = 1.0
    """Seconds of audio sent in a second while catching up, if `pacer.rate_ratio_max` allows as much. The protocol
    forbids more than 1 over a minute; a server that does not look catches up at 1.25."""
    price_per_hour: Annotated[float, Meta(ge=0.0, le=1000.0)] = 0.0
    """What an hour of an open session costs you. 0: not known, and no cost is told."""
    key_file: str = ""
    """A file with nothing but the key in it, readable by stenod's user only."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """More of the server's own parameters, handed on as they are: `{ disable_partial_transcripts = true }`."""

    @property
    def needs_key(self) -> bool:
        """Whether there is no use in trying without a key: the server is never AssemblyAI's own."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepgramOptions:
    """Deepgram's live service (v1/listen: the Nova models). The key comes from a systemd credential, `key_file` or
    DEEPGRAM_API_KEY; a temporary token does in its place."""

    endpoint: str = ""
    """Another server that speaks the same protocol, as `wss://host` or `ws://host:port`. Empty: Deepgram's own."""
    region: Literal["default", "eu", "au", "in"] = "default"
    """Where the audio is processed. `default`: anywhere; `eu`, `au`, `in`: nowhere else."""
    model: ModelName = "nova-3"
    """The recogniser. Deepgram's documentation lists them."""
    language: ModelName = "en"
    """What is spoken, as `en`, `de`, `pt-BR`; `multi` where it changes. Not every model has every language."""
    endpointing_ms: Annotated[int, Meta(ge=0, le=10000)] = 300
    """The pause that ends a turn. 0: none does, only `utterance_end_ms`."""
    utterance_end_ms: Annotated[int, Meta(ge=1000, le=5000)] = 1000
    """The pause between two words that ends a turn where noise fills it."""
    smart_format: bool = True
    """Punctuation and capital letters; dates, sums and the like as they are written."""
    diarize: bool = False
    """Tell who speaks. Labels are good for one session."""
    keyterms: tuple[str, ...] = ()
    """Names and terms to be recognised, with nova-3."""
    tag: Annotated[str, Meta(max_length=128, description="a label of at most 128 characters")] = ""
    """A label for Deepgram's own reports on usage."""
    price_per_hour: Annotated[float, Meta(ge=0.0, le=1000.0)] = 0.0
    """What an hour of audio costs you, in your currency: `session` records and `stenod status` then tell costs. 0: not
    known, and no cost is told."""
    key_file: str = ""
    """A file with nothing but the key in it, readable by stenod's user only."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """More of Deepgram's own parameters, handed on as they are: `{ numerals = true, redact = ["pci"] }`."""

    @property
    def needs_key(self) -> bool:
        """Whether there is no use in trying without a key; a server of one's own may do without."""
        return not self.endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepgramFluxOptions:
    """Flux, Deepgram's recogniser for conversations (v2/listen). The key is that of [deepgram], or the one in
    `key_file`. It takes audio of 8000, 16000 (best), 24000, 44100 and 48000 samples a second."""

    endpoint: str = ""
    """Another server that speaks the same protocol, as `wss://host` or `ws://host:port`. Empty: Deepgram's own."""
    region: Literal["default", "eu", "au", "in"] = "default"
    """Where the audio is processed. `default`: anywhere; `eu`, `au`, `in`: nowhere else."""
    model: ModelName = "flux-general-en"
    """The recogniser: `flux-general-en`, or `flux-general-multi` for several languages."""
    eot_threshold: Annotated[float, Meta(ge=0.5, le=1.0)] = 0.7
    """How sure Flux must be that a turn has ended. 1: only a pause of `eot_timeout_ms` ends one."""
    eager_eot_threshold: Annotated[float, Meta(ge=0.0, le=0.9)] = 0.0
    """From where on Flux says early that a turn may end, 0.3 to 0.9: a partial that comes sooner. 0: never."""
    eot_timeout_ms: Annotated[int, Meta(ge=500, le=60000)] = 5000
    """The pause that ends a turn in any case."""
    keyterms: tuple[str, ...] = ()
    """Names and terms to be recognised."""
    language_hints: tuple[str, ...] = ()
    """The languages that are spoken, for `flux-general-multi`: `["de", "en"]`."""
    tag: Annotated[str, Meta(max_length=128, description="a label of at most 128 characters")] = ""
    """A label for Deepgram's own reports on usage."""
    price_per_hour: Annotated[float, Meta(ge=0.0, le=1000.0)] = 0.0
    """What an hour of audio costs you, in your currency. 0: not known, and no cost is told."""
    key_file: str = ""
    """A file with nothing but the key in it, readable by stenod's user only."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """More of Flux's own parameters, handed on as they are: `{ numerals = true, redact = ["numbers"] }`."""

    @property
    def needs_key(self) -> bool:
        """Whether there is no use in trying without a key; a server of one's own may do without."""
        return not self.endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions:
    """The engine inside: what transcribes when no provider is configured. Nothing leaves the machine."""

    engine: Literal["pocketsphinx"] = "pocketsphinx"
    """The recogniser. English, modest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """stenod's configuration."""

    stream: StreamName = "default"
    """Name of the stream, in every record and log line. One stream has one timeline, for good."""
    state_dir: str = ""
    """Where the journal lives. Empty: what systemd provides (StateDirectory=), else a temporary directory."""
    providers: tuple[Provider, ...] = ()
    """Who transcribes, in order of preference: `assemblyai`, `assemblyai-v2` (a server that speaks AssemblyAI's older
    protocol), `deepgram`, `deepgram-flux`, `local` (the engine inside). Empty: the engine inside."""
    capture: CaptureOptions = CaptureOptions()
    journal: JournalOptions = JournalOptions()
    pacer: PacerOptions = PacerOptions()
    liveness: LivenessOptions = LivenessOptions()
    tls: TlsOptions = TlsOptions()
    rotation: RotationOptions = RotationOptions()
    supervisor: SupervisorOptions = SupervisorOptions()
    output: OutputOptions = OutputOptions()
    logging: LoggingOptions = LoggingOptions()
    assemblyai: AssemblyaiOptions = field(default_factory=AssemblyaiOptions)
    assemblyai_v2: AssemblyaiV2Options = field(default_factory=AssemblyaiV2Options)
    deepgram: DeepgramOptions = field(default_factory=DeepgramOptions)
    deepgram_flux: DeepgramFluxOptions = field(default_factory=DeepgramFluxOptions)
    local: LocalOptions = LocalOptions()
