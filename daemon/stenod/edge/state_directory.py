"""Where a journal lives: a directory of our own, locked while we run.

A directory that was named is kept. Without one, a fresh one is made under the XDG state home and removed after a clean
end; one that was left behind (a crash, audio that was not transcribed) stays until a person decides, and the next
start says so. The lock is the kernel's (flock): it is gone with the process, however that ends.
"""

import errno
import fcntl
import os
import shlex
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from stenod.core.diagnosis import Directory
from stenod.core.verdict import ExitCode

LEDGER_NAME = "ledger.sqlite"
LOCK_NAME = "lock"
RESERVE_NAME = "reserve"
WORDS_NAME = "words"
PRIVATE_MODE = 0o700
TEMPORARY_PREFIX = "run-"
UNBORN_PREFIX = ".new-"
WRITTEN_NAMES = (LOCK_NAME, LEDGER_NAME, f"{LEDGER_NAME}-wal", f"{LEDGER_NAME}-shm", RESERVE_NAME)
TRIAL_BYTES = 1 << 20
"""What a start needs at once: the reserve, and a ledger with its log."""

ROOM = "make room on its disk, or "
REMEDIES = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.ENOTDIR: "move it away, or ",
    errno.EACCES: "let its user write it (`chown -R`, `chmod -R u+w`), or ",
}


class StateDirectoryError(Exception):
    """The directory cannot be used; one sentence with the remedy."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class StateDirectory:
    """An existing, locked directory."""

    def __init__(self, path: Path, descriptor: int, *, temporary: bool) -> None:
        self.path = path
        self.temporary = temporary
        self._descriptor = descriptor

    @property
    def ledger(self) -> Path:
        """The database's file."""
        return self.path / LEDGER_NAME

    @property
    def reserve(self) -> Path:
        """The file that holds room for the database."""
        return self.path / RESERVE_NAME

    def audio(self, stream: str) -> Path:
        """Return the directory of a stream's segments; raises `StateDirectoryError` where a file stands there."""
        try:
            return _audio(self.path, stream)
        except OSError as error:
            raise _unusable(self.path, error) from error

    def remember(self, words: Sequence[str]) -> None:
        """Keep words of the command line, for whoever goes on here; a full disk keeps nothing."""
        with suppress(OSError):
            (self.path / WORDS_NAME).write_text(shlex.join(words), encoding="utf-8", errors="surrogateescape")

    def release(self) -> None:
        """Unlock; the directory stays."""
        os.close(self._descriptor)

    def remove(self) -> None:
        """Delete it with all that is in it, and unlock."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()


def named(path: Path) -> StateDirectory:
    """Open the directory that was asked for, made if missing; raises `StateDirectoryError`.

    One that holds something else is not taken: nobody means to make a home or a temporary directory private.
    """
    if _is_foreign(path):
        message = f"cannot use the state directory {path}: it holds other files; name one of its own with --state-dir"
        raise StateDirectoryError(message, ExitCode.CANNOT_CREATE)
    return _locked(path, temporary=False)


def temporary(environment: Mapping[str, str]) -> StateDirectory:
    """Make a fresh one under the XDG state home; raises `StateDirectoryError`.

    It gets its name after its lock: otherwise another start might take it for one that was left behind.
    """
    base = home(environment)
    try:
        _check_name(base)
        _check_place(base)
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        unborn = Path(tempfile.mkdtemp(prefix=UNBORN_PREFIX, dir=base))
    except OSError as error:
        raise _unusable(base, error) from error
    directory = _locked(unborn, temporary=True)
    unique = unborn.name.removeprefix(UNBORN_PREFIX)
    directory.path = unborn.rename(base / f"{TEMPORARY_PREFIX}{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{unique}")
    return directory


def holder(path: Path) -> int | None:
    """Return the process that runs in a directory, 0 where its number is not known; None where none does."""
    try:
        descriptor = os.open(path / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.pread(descriptor, 32, 0).strip()
        return int(said) if said.isdigit() else 0
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def condition(path: Path, streams: Sequence[str] = ()) -> Directory:
    """Return what can be said of a directory for streams, one that is not there yet too; nothing stays that was not.

    Whether there is room is tried with a file that has no name, where nobody runs.
    """
    trouble, remedy = "", ""
    existing = next((one for one in (path, *path.parents) if _is_directory(one)), Path("/"))
    running = holder(path)
    space = os.statvfs(existing)
    if running is None:
        try:
            _try(path, existing, streams)
        except OSError as error:
            trouble, remedy = error.strerror or str(error), _remedy(error)
    return Directory(
        path=str(path),
        exists=existing == path,
        mode=stat.S_IMODE(existing.stat().st_mode),
        holder=running,
        foreign=_is_foreign(path),
        trouble=trouble,
        remedy=remedy,
        free_bytes=space.f_bavail * space.f_frsize,
    )


def remembered(path: Path) -> list[str]:
    """Return the words that were kept in a directory, if any."""
    try:
        return shlex.split((path / WORDS_NAME).read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return []


def left_behind(environment: Mapping[str, str]) -> list[Path]:
    """Return the temporary directories that no running process holds, oldest first."""
    base, found = home(environment), []
    for path in sorted(base.glob(f"{TEMPORARY_PREFIX}*")) if _is_directory(base) else ():
        try:
            descriptor = os.open(path / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found.append(path)
        except OSError:
            continue
        finally:
            os.close(descriptor)
    return found


def home(environment: Mapping[str, str]) -> Path:
    """Return our directory under the XDG state home (XDG base directory specification)."""
    base = environment.get("XDG_STATE_HOME", "")
    root = Path(base) if base.startswith("/") else Path(environment.get("HOME") or "/") / ".local" / "state"
    return root / "stenod"


def _is_directory(path: Path) -> bool:
    with suppress(OSError):  # what we may not look into
        return path.is_dir()
    return False


def _is_foreign(path: Path) -> bool:
    with suppress(OSError):
        return any(path.iterdir()) and not (path / LOCK_NAME).exists() and not (path / LEDGER_NAME).exists()
    return False


def _try(path: Path, existing: Path, streams: Sequence[str]) -> None:
    """Raise `OSError` where we could not write at a path, `existing` being as much of it as there is."""
    _check_name(path)
    _check_place(path)
    for stream in streams:
        _audio(path, stream)
    with tempfile.TemporaryFile(dir=existing) as trial:
        trial.write(bytes(TRIAL_BYTES))
        trial.flush()
        os.fsync(trial.fileno())
    _check_writable(path)


def _audio(path: Path, stream: str) -> Path:
    """Return where a stream's segments are; raises `OSError` where something else stands there, or in the place of it.

    Names of streams are free, so whoever keeps notes beside a journal may have taken one.
    """
    for one in (path / stream, path / stream / "audio"):
        if standing := _standing(one):
            raise NotADirectoryError(errno.ENOTDIR, f"{standing}, and the audio of {stream} belongs there")
    return path / stream / "audio"


def _check_place(path: Path) -> None:
    """Raise `OSError` where something else stands in a directory's place, or in that of one above it."""
    for one in (path, *path.parents):
        if standing := _standing(one):
            raise FileExistsError(errno.EEXIST, standing)


def _standing(path: Path) -> str:
    """Return what stands where a directory is wanted; empty: one, or nothing, or what we may not look at."""
    if _is_directory(path) or not os.path.lexists(path):
        return ""
    if path.is_symlink() and not path.exists():
        return f"{path} is a symbolic link that leads nowhere ({path.readlink()})"
    return f"{path} is not a directory"


def _check_name(path: Path) -> None:
    """Raise `OSError` for a name that is no text: it stands in records, logs and addresses of databases."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise OSError(errno.EILSEQ, "its name is not UTF-8") from None


def _check_writable(path: Path) -> None:
    """Raise `PermissionError` for what is ours in a directory and may not be written, as after a run by root."""
    effective = os.access in os.supports_effective_ids
    for one in (path, *(path / name for name in WRITTEN_NAMES), *path.glob("*/audio")):
        if one.exists() and not os.access(one, os.W_OK, effective_ids=effective):
            raise PermissionError(errno.EACCES, f"{os.strerror(errno.EACCES)} ({one})")


def _locked(path: Path, *, temporary: bool) -> StateDirectory:
    try:
        _check_name(path)
        _check_place(path)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~PRIVATE_MODE:
            path.chmod(mode & PRIVATE_MODE)
        descriptor = os.open(path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _check_writable(path)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        message = (
            f"another stenod (process {holder or 'unknown'}) runs in {path}; stop it, or choose another directory "
            "with --state-dir"
        )
        raise StateDirectoryError(message, ExitCode.IN_USE) from error
    except OSError as error:
        os.close(descriptor)
        raise _unusable(path, error) from error
    with suppress(OSError):  # the number is only for a person; a full disk has better ways to show itself
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return StateDirectory(path, descriptor, temporary=temporary)


def _unusable(path: Path, error: OSError) -> StateDirectoryError:
    message = f"cannot use the state directory {path}: {error.strerror}; {_remedy(error)}"
    return StateDirectoryError(message, ExitCode.CANNOT_CREATE)


def _remedy(error: OSError) -> str:
    return f"{REMEDIES.get(error.errno or 0, '')}choose another with --state-dir"
