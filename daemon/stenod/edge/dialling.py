"""Streams to providers: TCP, and TLS with the certificates that a person trusts; always verified.

Whose word counts is either the system's certificates, or those of one file, for a server of one's own or a proxy that
looks into TLS. The system's are read at each dial, since they are renewed while a daemon runs for months; the file is
read once, at the start, so that what is wrong with it is told then.

It does not know what is spoken over a stream, nor what the failures mean (`core.dialling`).
"""

import errno
import os
import socket
import ssl
from pathlib import Path

import trio

from stenod.core.verdict import ExitCode

ALLOWED = "name a file with certificates in PEM"


class UntrustedError(Exception):
    """The file of certificates cannot be used; one sentence with the remedy."""

    exit_code = ExitCode.CONFIGURATION


class Dialler:
    """Opens streams. Raises `UntrustedError` at once where the file of certificates cannot be used."""

    def __init__(self, ca_file: str = "") -> None:
        self._trusted = _trusted(Path(ca_file).expanduser()) if ca_file else None

    async def dial(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        """Open TCP, and TLS over it."""
        stream = await trio.open_tcp_stream(host, port)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not tls:
            return stream
        try:
            trusted = self._trusted or ssl.create_default_context()
            secured = trio.SSLStream(stream, trusted, server_hostname=host, https_compatible=True)
            await secured.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return secured


async def addresses(host: str, port: int) -> list[str]:
    """Return where a name leads, in the resolver's order; raises what a dial would."""
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _trusted(path: Path) -> ssl.SSLContext:
    """Return what trusts the file's certificates and no others."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        context = ssl.create_default_context(cafile=str(path))
    except ssl.SSLError as error:
        raise UntrustedError(f"cannot use tls.ca_file {path}: it holds no certificate; {ALLOWED}") from error
    except OSError as error:
        raise UntrustedError(f"cannot read tls.ca_file {path}: {error.strerror}; {ALLOWED}") from error
    if not context.cert_store_stats()["x509"]:
        raise UntrustedError(f"cannot use tls.ca_file {path}: it holds no certificate; {ALLOWED}")
    return context
