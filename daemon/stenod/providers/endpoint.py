"""Where a session is opened: addresses that a person wrote, and names that were perhaps misspelt.

It knows no provider: each has its own path and its own hosts.
"""

import difflib
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def endpoint_error(endpoint: str) -> str | None:
    """Return what is wrong with an endpoint, as a sentence that ends with what to do; None where it is usable."""
    allowed = "give it as wss://host, or as ws://host:port for a server of your own"
    cannot = f"cannot use the endpoint {shown(endpoint)}"
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"wss://{endpoint}")
        usable = bool(parts.hostname) and parts.port != 0 and endpoint.isprintable() and " " not in endpoint
    except ValueError:
        return f"{cannot}: it is no URL; {allowed}"
    if parts.scheme not in ("ws", "wss"):
        return f"{cannot}: its scheme is {parts.scheme!r}; {allowed}"
    if not usable:
        return f"{cannot}: it names no host; {allowed}"
    if parts.username or parts.password or parts.query or parts.fragment:
        return f"{cannot}: it holds more than an address; keys and parameters have their options"
    return None


def shown(endpoint: str) -> str:
    """Return an endpoint as an error may show it: without what may be a secret."""
    return repr(endpoint.split("?")[0].rpartition("@")[2][:100])


def normalized(endpoint: str, path: str) -> str:
    """Return a usable endpoint in full: a bare host is `wss`, and without a path it is the protocol's own `path`."""
    parts = urlsplit(endpoint if "://" in endpoint else f"wss://{endpoint}")
    chosen = path if parts.path in ("", "/") else parts.path
    return urlunsplit((parts.scheme, parts.netloc, chosen, "", ""))


def unencrypted_warning(url: str) -> str | None:
    """Return a warning where what is sent could be read on its way; None where it cannot, or goes nowhere."""
    parts = urlsplit(url)
    if parts.scheme != "ws" or parts.hostname in LOOPBACK:
        return None
    return "ws:// to another machine: key and audio travel unencrypted; use wss://"


def nearest(name: str, names: Sequence[str]) -> str:
    """Return what was perhaps meant, to be put behind a sentence; empty where nothing is alike."""
    alike = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {alike[0]}?" if alike else ""
