"""The door of Deepgram's streaming interfaces, which /v1/listen and /v2/listen share: keys, statuses, headers.

Facts and where they come from:

- Everything is judged before the 101. `dg-request-id` is on every answer, on the 101 too; `dg-error` and a JSON body
  with the same text on every refusal (documented). The body is `err_code`, `err_msg`, `request_id`; that of a 503 has
  `error_code` for the first (as documented).
- `Authorization: Token <key>`, or `Bearer <jwt>` for temporary tokens; the scheme is also accepted in lower case.
  Browsers offer the subprotocols `token, <key>`, and `token` is echoed (captured).
- Too many concurrent streams of a project is a 429 at the handshake (documented).
- A request without key is worded like one with a wrong key (uncertain: only the latter was published).
"""

import json
from collections.abc import Mapping, Sequence

from stenod.emulator.dialect import Acceptance, Command, Message, Rejection, Request, Violation
from stenod.emulator.keyring import Keyring

BAD_PARAMETER = "INVALID_QUERY_PARAMETER"
STATUSES: Mapping[int, Violation] = {
    status: Violation(status, text, name)
    for status, name, text in (
        (400, "Bad Request", "Bad Request: failed to process the request."),
        (401, "INVALID_AUTH", "Invalid credentials."),
        (
            402,
            "ASR_PAYMENT_REQUIRED",
            "Project does not have enough credits for an ASR request and does not have an overage agreement.",
        ),
        (403, "INSUFFICIENT_PERMISSIONS", "Project does not have access to the requested model."),
        (404, "Not Found", "The requested resource could not be found."),
        (405, "Method Not Allowed", "The requested model does not support streaming."),
        (408, "Request Timeout", "The request timed out."),
        (429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later."),
        (499, "Client Closed Request", "The client closed the request."),
        (500, "Internal Server Error", "An internal error occurred."),
        (502, "Bad Gateway", "Bad gateway."),
        (503, "Service Unavailable", "The service is currently unavailable. Please try again later."),
        (504, "Gateway Timeout", "Gateway timeout."),
    )
}
SCHEMES = ("token", "bearer")
CHARACTER_MAX = "~"


def refusal(text: str) -> Violation:
    """Return the refusal of a parameter."""
    return Violation(400, text, BAD_PARAMETER)


def key_of(request: Request) -> str:
    """Return the key that a request carries, empty if none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in SCHEMES:
        return key.strip()
    offered = request.subprotocols
    return offered[1] if len(offered) == 2 and offered[0].lower() in SCHEMES else ""


def judge_key(request: Request, keyring: Keyring) -> Violation | None:
    """Return why a request may not come in."""
    return None if keyring.knows(key_of(request)) else STATUSES[401]


def accept(request: Request, request_id: str) -> Acceptance:
    """Return what the 101 says."""
    offered = request.subprotocols
    chosen = offered[0] if offered and offered[0].lower() in SCHEMES else None
    return Acceptance((("dg-request-id", request_id),), chosen)


def rejection(violation: Violation, request_id: str) -> Rejection:
    """Return a refusal as this provider words it."""
    code = "error_code" if violation.code == 503 else "err_code"
    name = violation.name or STATUSES.get(violation.code, STATUSES[500]).name
    body: Message = {code: name, "err_msg": violation.text, "request_id": request_id}
    headers = (("dg-request-id", request_id), ("dg-error", _header_text(violation.text)))
    return Rejection(violation.code, violation.text, body, headers)


def message_of(text: str, commands: Mapping[str, Command]) -> tuple[dict[str, object], Command] | str:
    """Read a client's text message; return it with its meaning, or what is wrong with it."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return "Could not deserialize last text message: it is not valid JSON."
    kind = message.get("type") if isinstance(message, dict) else None
    if not isinstance(kind, str):
        return "Could not deserialize last text message: missing field `type`."
    if kind not in commands:
        return (
            f"Could not deserialize last text message: unknown variant `{kind}`, expected one of {_listed(commands)}."
        )
    return message, commands[kind]


def keyterms_excess(keyterms: Sequence[str], tokens_max: int = 500) -> bool:
    """Tell whether keyterms hold more tokens than a request may; a token is a word here, as it is about."""
    return sum(len(keyterm.split()) for keyterm in keyterms) > tokens_max


def _listed(names: Mapping[str, Command]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _header_text(text: str) -> str:
    """Return a text that may stand in a header, whatever the client wrote into its parameters."""
    return "".join(one if " " <= one <= CHARACTER_MAX else "?" for one in text).strip()
