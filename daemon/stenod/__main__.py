"""The process: what goes wrong becomes an exit code and words on standard error, here and nowhere else.

Errors that know their exit code (`exit_code`) are a person's business and are told in a sentence. Anything else that
arrives here is a defect of ours and is told with its traceback. A reader of standard output that has gone had enough:
no traceback, neither now nor when the interpreter flushes at its end.
"""

import errno
import os
import select
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress

from stenod.core.verdict import ExitCode
from stenod.saying import say

FAILING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ESTALE)
"""Disks do."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    _hold_standard_streams()
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
    except BaseException as error:
        code = _told(error)
    return _flushed(code)


def _hold_standard_streams() -> None:
    """Put something harmless where a standard stream is closed.

    The next file that is opened would take its number: our own lock would be read as audio, lines would be written
    into our database. What is put there fails when it is used (write-only as 0, read-only as 1), as the closed one did.
    """
    for descriptor, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is the one that is closed, for those below it are held by now.
            os.set_inheritable(os.open(os.devnull, flags), True)


def _run(arguments: list[str]) -> int:
    import click

    from stenod.cli import stenod

    try:
        with stenod.make_context("stenod", arguments) as context:
            stenod.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        if isinstance(error, click.UsageError):
            return ExitCode.USAGE
        return error.exit_code if error.exit_code != 1 else ExitCode.UNAVAILABLE
    except click.Abort:
        return ExitCode.INTERRUPTED
    return ExitCode.OK


def _told(error: BaseException) -> int:
    """Say what ended the command, as far as it needs saying, and return the exit code."""
    leaves = list(_leaves(error))
    codes = [getattr(leaf, "exit_code", None) for leaf in leaves]
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else ExitCode.OK if error.code is None else ExitCode.SOFTWARE
    if all(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        return ExitCode.INTERRUPTED
    if all(isinstance(leaf, BrokenPipeError) for leaf in leaves) and _reader_gone():
        return ExitCode.OK
    if all(isinstance(leaf, OSError) and leaf.errno in FAILING for leaf in leaves):
        say(f"stenod: cannot write: {leaves[0]}; make room, or see to its disk")
        return ExitCode.CANNOT_CREATE
    if isinstance(codes[0], int) and all(code is not None for code in codes):
        lines = [f"stenod: {line}" for leaf in leaves for line in str(leaf).splitlines()]
        say("\n".join(dict.fromkeys(lines)))  # streams of one source have one reason
        return codes[0]
    say("".join(traceback.format_exception(error)) + f"stenod: defect: {type(error).__name__}: {error}")
    return ExitCode.SOFTWARE


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Return what a task tree bundled."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _reader_gone() -> bool:
    """Return whether standard output leads to nobody."""
    poll = select.poll()
    poll.register(1, 0)
    return any(flags & (select.POLLERR | select.POLLHUP) for _, flags in poll.poll(0))


def _flushed(code: int) -> int:
    """Flush the standard streams, so that the interpreter has nothing left to fail at."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except (OSError, ValueError):
        _discard(2)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard(1)
    except (OSError, ValueError) as error:
        say(f"stenod: cannot write standard output: {error}; make room or send it elsewhere")
        _discard(1)
        return code or ExitCode.CANNOT_CREATE
    return code


def _discard(descriptor: int) -> None:
    """Point a standard stream to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
