"""A socket in the state directory that tells whoever connects how the daemon is: one line, then it is closed.

Nobody can hold the daemon up with it. One connection is answered at a time and so many in a second, the answer fits
into the socket's buffer, and whoever takes it too slowly is left. Only the user and root reach it, for the directory is
private. What a killed process left is replaced: the directory's lock says that it is dead.

The path of a socket holds 107 bytes, a directory may be longer: both ends name it by the directory's descriptor.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from stenod.core.log import Log

NAME = "health.socket"
BACKLOG = 16
REST_SECONDS = 0.02
"""Between two answers: fifty in a second cost nobody's audio anything."""
TAKE_SECONDS = 0.5
"""How long an answer may take to be taken."""
ANSWER_SECONDS = 2.0
"""How long `ask` waits."""
ANSWER_BYTES_MAX = 1 << 20


async def serve(directory: Path, answer: Callable[[], bytes], log: Log) -> None:
    """Answer for ever, with what `answer` returns at the time; leaving removes the socket.

    Where there can be none (a file system without sockets), the log says so, and that is all.
    """
    import trio  # whoever asks needs none of it

    try:
        listener = _listening(directory)
    except OSError as error:
        log.warning("status_socket.unusable", reason=str(error.strerror))
        return
    try:
        with trio.socket.from_stdlib_socket(listener) as listening:
            while True:
                with suppress(OSError, trio.BrokenResourceError):  # a client that went, no free descriptor
                    connection, _ = await listening.accept()
                    async with trio.SocketStream(connection) as stream:
                        with trio.move_on_after(TAKE_SECONDS):
                            await stream.send_all(answer())
                await trio.sleep(REST_SECONDS)
    finally:
        (directory / NAME).unlink(missing_ok=True)


def ask(directory: Path) -> bytes:
    """Return the line of whoever runs in a directory; blocks, two seconds at most.

    Raises `OSError`: nothing is there, nobody listens, or whoever runs is stuck.
    """
    with _reached(directory) as name, closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as channel:
        channel.settimeout(ANSWER_SECONDS)
        channel.connect(name)
        told = b""
        while (more := channel.recv(1 << 16)) and len(told) < ANSWER_BYTES_MAX:
            told += more
        return told


def _listening(directory: Path) -> socket.socket:
    (directory / NAME).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _reached(directory) as name:
            listener.bind(name)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def _reached(directory: Path) -> Iterator[str]:
    """Return a short name of the socket in a directory, good until it is left."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)
