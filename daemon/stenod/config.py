"""Configuration: defaults, a TOML file, the environment and the command line to one frozen `Options`.

Each source overrides the one before: defaults < file < `STENOD_…` variables < command line. Every value is checked,
also one that a later source overrides, and all that is wrong is reported at once. Every value knows where it came from.

It does not know what options mean (`options`) and reads no keys (`edge/secrets`): a key in here is an error.
"""

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_type_hints
from urllib.parse import urlsplit

from stenod.contradictions import contradictions
from stenod.core.verdict import ExitCode
from stenod.options import LOCAL, Input, InputKind, Options, Parameter, Provider, table_of
from stenod.pathnames import check_directory, check_key_file, check_path
from stenod.sources import Broken, Entry, read_environment, read_file
from stenod.values import Unfit, convert, notation

__all__ = ["ConfigError", "ConfigErrors", "Input", "InputKind", "Loaded", "Options", "Parameter", "Provider", "load"]

FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "stream": "--stream",
        "state_dir": "--state-dir",
        "providers": "--provider",
        "capture.input": "--input",
        "capture.input_rate": "--rate",
        "capture.input_channels": "--channels",
        "journal.keep_audio": "--keep-audio",
        "supervisor.on_fatal": "--on-fatal",
        "output.file": "--output",
        "output.partials": "--partials",
        "logging.level": "--log-level",
        "logging.format": "--log-format",
    }
)
"""What the command line calls an option."""
ENDPOINT = "endpoint"
"""The endpoint of the provider that is used first, whichever that is; the command line has one for all."""
SERVICES = tuple(name for name in get_args(Provider) if name != LOCAL)

WHERE_KEYS_BELONG = (
    "keys never stand in the configuration: use a systemd credential with the provider's name, a file named by its "
    "`key_file`, or its variable (ASSEMBLYAI_API_KEY, DEEPGRAM_API_KEY)"
)
SECRET_NAME = re.compile(r"(?:^|[._-])(?:api_?key|key|token|secret|password|authorization)$", re.IGNORECASE)
SECRET_VALUE = re.compile(r"[0-9a-fA-F]{32,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
"""What the keys and the temporary tokens of services look like."""
CHANNEL_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}", re.ASCII)
CHANNELS_MAX = 32


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One thing that is wrong, and what would be right."""

    option: str
    wrong: str
    allowed: str
    origin: str

    def __str__(self) -> str:
        return f"{self.option}: {self.wrong}; {self.allowed} ({self.origin})"


class ConfigErrors(Exception):
    """Everything that is wrong with the configuration, one line each."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, errors: list[ConfigError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The options and where each came from."""

    options: Options
    origins: Mapping[str, str]
    """By `table.option`: "default", "stenod.toml:12", "variable STENOD_…", "option --rate"."""
    path: Path | None = None
    """The file that was read."""
    overrides: Mapping[str, object] = field(default_factory=dict)
    """What the command line said, for reading everything again."""


def load(
    path: Path | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
    overrides: Mapping[str, object] = MappingProxyType({}),
) -> Loaded:
    """Read all sources and check them. `overrides` is by `table.option`; raises `ConfigErrors` with all that is wrong.

    Without `path` the user's own file is read if there is one, but never by a service.
    """
    if path is None and not is_service(environment):
        path = _user_file(environment)
    kinds = option_paths()
    errors: list[ConfigError] = []
    values: dict[str, Any] = {}
    origins = dict.fromkeys(kinds, "default")
    try:
        entries = read_file(path, kinds) if path is not None else []
    except Broken as broken:
        entries = []
        errors.append(ConfigError(broken.what, broken.wrong, broken.allowed, broken.origin))
    entries += read_environment(environment, kinds)
    asked = [Entry(key, value, _flag_origin(key)) for key, value in overrides.items() if value is not None]
    meant = _endpoint_path([*entries, *asked])
    entries += [replace(one, path=meant) if one.path == ENDPOINT else one for one in asked]
    for entry in entries:
        try:
            values[entry.path] = _checked(entry, kinds)
            origins[entry.path] = entry.origin
        except Unfit as unfit:
            errors.append(ConfigError(entry.path, SECRET_VALUE.sub("****", unfit.wrong), unfit.allowed, entry.origin))
    _choose_by_endpoint(values, origins)
    options = _build(Options, values)
    errors += _contradicted(options, origins)
    if errors:
        raise ConfigErrors(errors)
    return Loaded(options=options, origins=origins, path=path, overrides=dict(overrides))


def is_service(environment: Mapping[str, str]) -> bool:
    """Return whether systemd started this very process.

    `INVOCATION_ID` alone is inherited by every shell of a desktop that systemd started; newer versions say whose it is.
    """
    if environment.get("NOTIFY_SOCKET"):
        return True
    owner = environment.get("SYSTEMD_EXEC_PID")
    return bool(environment.get("INVOCATION_ID")) and (owner is None or owner == str(os.getpid()))


def holds_on_fatal(options: Options, environment: Mapping[str, str]) -> bool:
    """Return whether to keep recording when only a person can help."""
    if options.supervisor.on_fatal == "auto":
        return is_service(environment)
    return options.supervisor.on_fatal == "hold"


def state_directory(options: Options, environment: Mapping[str, str]) -> Path | None:
    """Return where the journal lives; None: in a temporary directory."""
    chosen = options.state_dir or environment.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(chosen).expanduser() if chosen else None


def option_paths() -> dict[str, Any]:
    """Return the type of each option, by `table.option`, in the order of the file."""
    return dict(_leaves(Options))


def value_at(options: Options, path: str) -> object:
    """Return the value of `table.option`."""
    value: object = options
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _leaves(kind: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(kind, include_extras=True)
    for one in fields(kind):
        if is_dataclass(hints[one.name]):
            yield from _leaves(hints[one.name], f"{one.name}.")
        else:
            yield prefix + one.name, hints[one.name]


def _user_file(environment: Mapping[str, str]) -> Path | None:
    home = environment.get("XDG_CONFIG_HOME") or (f"{environment['HOME']}/.config" if environment.get("HOME") else "")
    path = Path(home) / "stenod" / "stenod.toml"
    with suppress(OSError):  # of somebody else, as under `sudo -u` with the caller's HOME: it is not this user's
        return path if home and path.is_file() else None
    return None


def _flag_origin(path: str) -> str:
    if path.rpartition(".")[2] == ENDPOINT:
        return f"option --{ENDPOINT}"
    return f"option {FLAGS[path]}" if path in FLAGS else "command line"


def _checked(entry: Entry, kinds: Mapping[str, Any]) -> Any:
    """Return the entry's value as its option holds it, or raise `Unfit`."""
    if SECRET_NAME.search(entry.path) and entry.path not in kinds:
        raise Unfit("a key stands here", WHERE_KEYS_BELONG)
    tables = {path.partition(".")[0] for path in kinds if "." in path}
    if entry.path in tables:
        raise Unfit(f"{notation(entry.value)} is no table", f"allowed: a table [{entry.path}]")
    if entry.path not in kinds:
        raise Unfit("unknown", _nearest(entry, kinds))
    value = convert(kinds[entry.path], entry.value, variable=entry.is_variable)
    check = CHECKS.get(entry.path)
    if check is not None:
        check(value)
    return value


def _nearest(entry: Entry, kinds: Mapping[str, Any]) -> str:
    """Return a sentence with the name that was probably meant: alike as a whole, or alike but in another table."""
    names = {entry.spelling(path): path for path in kinds}
    alike = difflib.get_close_matches(entry.path, names, n=1, cutoff=0.75)
    if not alike:
        last = entry.path.rpartition(".")[2]
        found = difflib.get_close_matches(last, [path.rpartition(".")[2] for path in kinds], n=1, cutoff=0.8)
        alike = [entry.spelling(path) for path in kinds if found and path.rpartition(".")[2] == found[0]]
    return f"did you mean {' or '.join(f'`{one}`' for one in alike)}?" if alike else "no option has a name like it"


def _check_input(value: str) -> None:
    try:
        Input.parse(value)
    except ValueError as error:
        raise Unfit(
            f"{notation(value)} {error}", "allowed: mic, mic:NAME, mic:INDEX, sample, -, command:WORDS, none, or a path"
        ) from error


def _check_input_rate(value: int) -> None:
    if 0 < value < 4000:
        raise Unfit(f"{value} is out of range", "allowed: 0, or a whole number from 4000 to 384000 (Hz, not kHz)")


def _check_channel_names(value: tuple[str, ...]) -> None:
    allowed = f"allowed: up to {CHANNELS_MAX} names, each once, of 1 to 32 letters, digits, dots, underscores, hyphens"
    if len(set(value)) != len(value) or len(value) > CHANNELS_MAX or not all(map(CHANNEL_NAME.fullmatch, value)):
        raise Unfit(f"{notation(value)} does not name channels", allowed)


def _check_chunk_ms(value: int) -> None:
    if 0 < value < 50:
        raise Unfit(f"{value} is out of range", "allowed: 0, or a whole number from 50 to 1000")


def _check_endpoint(value: str) -> None:
    allowed = "allowed: wss://host or ws://host:port, without a key"
    try:
        parts = urlsplit(value)
        sane = not value or (parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        sane = False
    if not sane or any(character.isspace() for character in value):
        raise Unfit(f"{notation(value)} is no address of a server", allowed)
    if value and (parts.username or parts.password or parts.query or parts.fragment):
        raise Unfit("more than a server's address stands here", allowed)


def _check_parameters(value: Mapping[str, Parameter]) -> None:
    for name in value:
        if SECRET_NAME.search(name):
            raise Unfit(f"`{name}` is a key", WHERE_KEYS_BELONG)


def _check_providers(value: tuple[Provider, ...]) -> None:
    if len(set(value)) != len(value):
        raise Unfit(f"{notation(value)} names one twice", "allowed: each once")


CHECKS: Mapping[str, Callable[[Any], None]] = {
    "providers": _check_providers,
    "state_dir": check_directory,
    "output.file": check_path,
    "tls.ca_file": check_path,
    "capture.input": _check_input,
    "capture.input_rate": _check_input_rate,
    "capture.channel_names": _check_channel_names,
    "pacer.chunk_ms": _check_chunk_ms,
    **{f"{table_of(name)}.{ENDPOINT}": _check_endpoint for name in SERVICES},
    **{f"{table_of(name)}.key_file": check_key_file for name in SERVICES},
    **{f"{table_of(name)}.parameters": _check_parameters for name in SERVICES},
}
"""What a type cannot say about a value."""


def _endpoint_path(entries: Sequence[Entry]) -> str:
    """Return whose endpoint the command line means: the first service that is chosen, else the first there is."""
    chosen = [one.value for one in entries if one.path == "providers"]
    names = chosen[-1] if chosen and isinstance(chosen[-1], list | tuple) else ()
    services = [name for name in names if name in SERVICES]
    return f"{table_of((services or SERVICES)[0])}.{ENDPOINT}"


def _choose_by_endpoint(values: dict[str, Any], origins: dict[str, str]) -> None:
    """Let `--endpoint` choose the provider it is for where nothing else chose one."""
    for name in SERVICES:
        path = f"{table_of(name)}.{ENDPOINT}"
        if origins[path] == _flag_origin(path) and not values.get("providers"):
            values["providers"] = (name,)
            origins["providers"] = origins[path]


def _build(kind: type[Any], values: Mapping[str, Any], prefix: str = "") -> Any:
    """Return the options with these values, defaults elsewhere."""
    hints = get_type_hints(kind)
    given = {}
    for one in fields(kind):
        if is_dataclass(hints[one.name]):
            given[one.name] = _build(hints[one.name], values, f"{one.name}.")
        elif prefix + one.name in values:
            given[one.name] = values[prefix + one.name]
    return kind(**given)


def _contradicted(options: Options, origins: Mapping[str, str]) -> Iterator[ConfigError]:
    """Return what is wrong between options that are fine each by itself."""
    asked = {one for one, origin in origins.items() if origin == _flag_origin(ENDPOINT)}
    for one in contradictions(options, asked=asked):
        yield ConfigError(one.option, one.wrong, one.allowed, origins[one.option])
