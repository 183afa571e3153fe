"""AssemblyAI v3: the page that mints temporary tokens, `GET /v3/token`.

Facts and where they come from: `expires_in_seconds` is required, 1 to 600; `max_session_duration_seconds` is 60 to
10,800 and that by default; the answer is `token` and `expires_in_seconds` (documented). Bad values and a missing header
are a 422 with a `detail` list as FastAPI writes it (observed; the documentation has 400), a wrong key is a 401 with
`error`.
"""

import re
from collections.abc import Mapping

from stenod.emulator.dialect import Message, Rejection, Request
from stenod.emulator.keyring import Keyring

PATH = "/v3/token"
SESSION_SECONDS_MAX = 10_800
BOUNDS: Mapping[str, tuple[int, int]] = {
    "expires_in_seconds": (1, 600),
    "max_session_duration_seconds": (60, SESSION_SECONDS_MAX),
}


def page(request: Request, keyring: Keyring) -> Rejection:
    """Answer a request for a token."""
    query = {"max_session_duration_seconds": str(SESSION_SECONDS_MAX)} | dict(request.query)
    wrong = [detail for name in BOUNDS if (detail := _wrong(name, query.get(name))) is not None]
    key = request.headers.get("authorization")
    if key is None:
        missing: Message = {"type": "missing", "loc": ["header", "authorization"], "msg": "Field required"}
        wrong.append(missing | {"input": None})
    if wrong:
        return Rejection(422, "a request for a token was wrong", {"detail": wrong})
    if not keyring.knows(key or ""):
        return Rejection(401, "a request for a token had a wrong key", {"error": "Invalid API key"})
    seconds = int(query["expires_in_seconds"])
    token = keyring.mint(seconds, int(query["max_session_duration_seconds"]))
    return Rejection(200, "a token was minted", {"token": token, "expires_in_seconds": seconds})


def _wrong(name: str, text: str | None) -> Message | None:
    """Return what is wrong with a parameter."""
    low, high = BOUNDS[name]
    told: Message = {"loc": ["query", name], "input": text}
    if text is None:
        return {"type": "missing", "msg": "Field required"} | told
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        reason = "Input should be a valid integer, unable to parse string as an integer"
        return {"type": "int_parsing", "msg": reason} | told
    if int(text) < low:
        reason = f"Input should be greater than or equal to {low}"
        return {"type": "greater_than_equal", "msg": reason, "ctx": {"ge": low}} | told
    if int(text) > high:
        reason = f"Input should be less than or equal to {high}"
        return {"type": "less_than_equal", "msg": reason, "ctx": {"le": high}} | told
    return None
