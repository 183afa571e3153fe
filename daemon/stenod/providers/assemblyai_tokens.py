"""Temporary tokens: what to ask AssemblyAI for one, and what its answers mean.

A token opens a session in place of the key, which then stays away from the WebSocket. It is good for `token_seconds`,
and the session that it opens ends after `session_seconds_max`: besides the inactivity timeout the only cap on a leaked
session that the server itself keeps. One is made for each session: whether a token may be used twice is documented one
way and was observed another. Refusals are `ConnectionEnded` with status and text, so that the table of refused upgrades
judges them.

Two shapes of errors are known, `{"error": …}` and FastAPI's `{"detail": [{"loc", "msg"}]}`; of the second only these
two are taken, since it repeats what it was sent.
"""

from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from stenod.core.transport import ConnectionEnded
from stenod.providers.reading import read_object, text

SCHEMES = {"wss": "https", "ws": "http"}
TOKEN_CHARACTERS_MAX = 4096


def token_url(url: str, *, token_seconds: int, session_seconds_max: int) -> str:
    """Return where a token for the session at `url` is made: beside it, on the same host."""
    parts = urlsplit(url)
    base = parts.path.removesuffix("/ws") if parts.path.endswith("/ws") else "/v3"
    query = urlencode({"expires_in_seconds": token_seconds, "max_session_duration_seconds": session_seconds_max})
    return urlunsplit((SCHEMES[parts.scheme], parts.netloc, f"{base}/token", query, ""))


def read_token(status: int, body: str) -> str:
    """Return the token in an answer; raises `ConnectionEnded` where there is none."""
    fields = read_object(body) or {}
    token = fields.get("token")
    if status == 200 and isinstance(token, str) and 0 < len(token) <= TOKEN_CHARACTERS_MAX:
        return token
    said = _reason(fields) if status != 200 else "the answer holds no token"
    if not said and not fields and not body.lstrip().startswith("<"):
        said = text(body)
    raise ConnectionEnded(f"no temporary token: {said or f'HTTP status {status}'}", http_status=status)


def _reason(fields: dict[str, Any]) -> str:
    """Return what an error says."""
    detail = fields.get("detail")
    if isinstance(detail, list):
        return "; ".join(said for one in detail if isinstance(one, dict) and (said := _complaint(one)))
    named = (fields.get("error"), fields.get("details"), detail, fields.get("message"))
    return ": ".join(found for one in named if (found := text(one)))


def _complaint(entry: dict[str, Any]) -> str:
    place = entry.get("loc")
    names = [str(one) for one in place if isinstance(one, str | int)] if isinstance(place, list) else []
    return ": ".join(found for one in (".".join(names), entry.get("msg")) if (found := text(one)))
