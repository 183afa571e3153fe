"""Keys of providers: from a systemd credential, a file, or the environment, and never shown.

The first place that has one wins, in that order: what was set up for the service goes before what a shell happened
to export. Reading again (after a SIGHUP) is calling `read_key` again. A key that cannot be one (empty, with spaces or
control characters inside) is an error that does not show it; nor is one shown that stands where its file's name should.
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stenod.core.pasting import resembles_key
from stenod.core.verdict import ExitCode

PASTED = "what is given as its name looks like the key itself; name a file that holds it"
KEY_BYTES_MAX = 4096
"""More than any provider's keys and temporary tokens."""


class SecretError(Exception):
    """A key is there but cannot be used; one sentence, without the key."""

    exit_code = ExitCode.CONFIGURATION


class SecretMissing(SecretError):
    """There is no key; the text names the places where one could stand."""


class Secret:
    """A text that is not shown: not by `str`, not by `repr`, not in a traceback's locals."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself: for the header that carries it, and nothing else."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "****"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Key:
    """A provider's key and where it came from."""

    secret: Secret
    origin: str
    """For a person: "environment ASSEMBLYAI_API_KEY", "file /etc/stenod/key"."""
    warning: str = ""
    """What is odd about the place, in a sentence."""


def read_key(provider: str, environment: Mapping[str, str], key_file: str = "") -> Key:
    """Return the provider's key from the first place that has one; raises `SecretError`."""
    names = (provider, f"{provider}-api-key")
    variable = f"{provider.upper()}_API_KEY"
    directory = environment.get("CREDENTIALS_DIRECTORY", "")
    for name in names if directory else ():
        path = Path(directory) / name
        if path.exists():
            return Key(read_file(path), f"systemd credential {name}")
    if key_file:
        path = Path(key_file).expanduser()
        return Key(read_file(path), f"file {path}", _exposure(path))
    if value := environment.get(variable, "").strip():
        return Key(usable(value, f"environment {variable}"), f"environment {variable}")
    raise SecretMissing(
        f"cannot find the key of {provider}: there is no systemd credential `{names[0]}`, "
        f"no `{provider}.key_file` and no environment variable {variable}; provide one of the three"
    )


def read_file(path: Path) -> Secret:
    """Return the key that a file holds, of which no more is read than a key has; raises `SecretError`."""
    try:
        with path.open("rb") as file:
            return bounded(file.read(KEY_BYTES_MAX + 1), str(path))
    except OSError as error:
        if resembles_key(str(path)):
            raise SecretError(f"cannot read the key file: {PASTED}") from None
        raise SecretError(f"cannot read the key file {path}: {error.strerror}; check the path and its owner") from error


def bounded(raw: bytes, place: str) -> Secret:
    """Return the key in what was read of some place, no more than a byte beyond `KEY_BYTES_MAX`."""
    if len(raw) > KEY_BYTES_MAX:
        raise SecretError(f"cannot use the key in {place}: it is no key, it is over {KEY_BYTES_MAX} bytes long")
    return usable(raw.decode("utf-8", "replace").strip(), place)


def usable(value: str, place: str) -> Secret:
    """Return a key that was found in some place; raises `SecretError` where it can be none."""
    if not value:
        raise SecretError(f"cannot use the key in {place}: it is empty; put the key there and nothing else")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise SecretError(
            f"cannot use the key in {place}: it has spaces, control or other characters that no key has; "
            "put the key there and nothing else"
        )
    return Secret(value)


def _exposure(path: Path) -> str:
    """Return a warning where every user of the machine can read the file."""
    try:
        open_to_all = path.stat().st_mode & stat.S_IROTH
    except OSError:
        return ""
    return f"every user of this machine can read {path}; `chmod o-r {path}`" if open_to_all else ""
