"""What the providers' pages and clients say about ends and refusals, row by row, and what each means to stenod.

The rows are read from the texts by a person: `words` is what stands in the source, literally; `said` is what a server
says, where the words have places to be filled in or stand around something. Nothing here is computed from the rules.
"""

import json
from dataclasses import dataclass, field
from functools import partial

ASSEMBLYAI, V2, DEEPGRAM, FLUX = "assemblyai", "assemblyai-v2", "deepgram", "deepgram-flux"
SEE_MESSAGE = "See Error message for details"


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """What a server says that the emulator does not: text messages, then a close frame, or the answer to the upgrade.

    `code` None is a close frame without a code, and `body` is what a refusal says.
    """

    messages: tuple[str, ...] = ()
    code: int | None = None
    reason: str = ""
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it stands, what is said, and what that means to us."""

    source: str
    """The seed's number, or the page of the protocol where it is marked as observed."""
    provider: str
    code: int
    """Close code or HTTP status, as it comes out in the record."""
    words: str
    verdict: str
    rule: str
    exit_code: int = 0
    said: str = ""
    kind: str = "error"
    """The emulator's kind of fault; `raw`: see there."""
    opening: bool = False
    """Before the session is accepted, otherwise right after it."""
    raw: Raw = field(default_factory=Raw)
    by: str = "either"
    """What leads to it: `words` or `number` alone, or `either` of them."""

    @property
    def text(self) -> str:
        """What is said."""
        return self.said or self.words

    @property
    def name(self) -> str:
        """Name the case."""
        words = "-".join(self.text.split())[:40].strip("-")
        return f"{self.source}-{self.provider}-{self.code}-{self.kind}-{words}"


NEW = partial(Row, "000", ASSEMBLYAI)
OLD = partial(Row, "001", ASSEMBLYAI)
LIVE = partial(Row, "assemblyai.md", ASSEMBLYAI)
REALTIME = partial(Row, "003", V2)
THREAD, PAGE, WIRE = (partial(Row, source, DEEPGRAM) for source in ("002", "004", "deepgram.md"))
TURNS = partial(Row, "deepgram.md", FLUX)

SEED_000 = (
    NEW(3008, "Session Expired: Maximum session duration exceeded", "reopen", "session-expired"),
    NEW(
        3007,
        "Input duration violation: <time> ms. Expected between 50 and 1000 ms",
        "retry",
        "chunk-duration",
        said="Input duration violation: 20 ms. Expected between 50 and 1000 ms",
    ),
    NEW(3006, "Invalid Message Type: <message>", "fatal", "invalid-message-type", 76, "Invalid Message Type: Hello"),
    NEW(3006, "Invalid JSON: <json>", "fatal", "invalid-json", 76, 'Invalid JSON: {"type"'),
    NEW(3006, "Invalid Message: <message>", "fatal", "invalid-message", 76, "Invalid Message: []"),
    NEW(
        3006,
        "Session terminated due to inactivity: No messages received for <n> seconds",
        "reopen",
        "inactivity",
        said="Session terminated due to inactivity: No messages received for 30 seconds",
    ),
    NEW(
        3007,
        "Audio Transmission Rate Exceeded: Received <time> sec. audio in <time> sec",
        "retry",
        "too-fast",
        said="Audio Transmission Rate Exceeded: Received 12.5 sec. audio in 10.0 sec",
    ),
    NEW(3005, "Session Cancelled: An error occurred", "backoff", "session-cancelled"),
    NEW(3009, "Unauthorized Connection: Too many concurrent sessions", "backoff", "too-many-sessions", opening=True),
    NEW(1008, "Unauthorized Connection: Missing Authorization header", "fatal", "missing-key", 77, opening=True),
    NEW(
        1008,
        "insufficient account balance",
        "fatal",
        "insufficient-balance",
        77,
        "Unauthorized Connection: insufficient account balance",
        opening=True,
    ),
    NEW(
        1008,
        "account temporarily disabled",
        "fatal",
        "account-disabled",
        77,
        "Unauthorized Connection: account temporarily disabled",
        opening=True,
    ),
    NEW(
        1008,
        "Unauthorized Connection: <reason>",
        "fatal",
        "account-refused",
        77,
        "Unauthorized Connection: a reason of its own",
        opening=True,
    ),
    NEW(1011, "Internal error", "backoff", "internal-error", opening=True),
    NEW(410, "Deprecated endpoint", "fatal", "deprecated-endpoint", 78, kind="status", opening=True),
)

MAY_2025 = (
    OLD(
        3005,
        "Session Expired",
        "reopen",
        "session-expired",
        said="Session Expired: Maximum session duration exceeded",
    ),
    OLD(
        3005,
        "Input duration violation",
        "retry",
        "chunk-duration",
        said="Input duration violation: 20 ms. Expected between 50 and 1000 ms",
    ),
    OLD(
        3005,
        "Audio Transmission Rate Exceeded",
        "retry",
        "too-fast",
        said="Audio Transmission Rate Exceeded: Received 12.5 sec. audio in 10.0 sec",
    ),
    OLD(3005, "Invalid Message", "fatal", "invalid-message-type", 76, "Invalid Message Type: Hello"),
    OLD(
        1008,
        "Too many concurrent sessions",
        "backoff",
        "too-many-sessions",
        said="Unauthorized Connection: Too many concurrent sessions",
        opening=True,
    ),
    OLD(
        1008,
        "Authentication Errors (Code 1008)",
        "fatal",
        "missing-key",
        77,
        "Unauthorized Connection: Missing Authorization header",
        opening=True,
    ),
)
SEED_001 = (
    *MAY_2025,
    OLD(3005, "Input duration violation", "retry", "chunk-duration", kind="close"),
    OLD(3005, "Session Expired", "reopen", "session-expired", kind="close"),
    OLD(3005, "[]", "fatal", "invalid-message", 76, "Invalid Message: []", kind="close"),
)

METADATA = (
    '{"type":"Metadata","transaction_key":"deprecated","request_id":"b281833c-ed89-4732-84fc-43ced55440b0",'
    '"sha256":"incomplete","created":"2024-06-26T14:58:21.908Z","duration":55.78,"channels":1,'
    '"models":["c0d1a568-ce81-4fea-97e7-bd45cb1fdf3c"],"model_info":{"c0d1a568-ce81-4fea-97e7-bd45cb1fdf3c":'
    '{"name":"2-general-nova","version":"2024-01-18.26916","arch":"nova-2"}}}'
)
SEED_002 = (
    THREAD(1008, "indicates that the payload cannot be decoded as audio", "fatal", "not-audio", 76, kind="close"),
    THREAD(1011, "NET-0000", "backoff", "no-answer", kind="close"),
    THREAD(1011, "NET-0001", "retry", "no-audio", kind="close"),
    THREAD(1011, "the service has not transmitted a Text frame to the client", "backoff", "no-answer", kind="close"),
    THREAD(
        1011, "the service has not received a Binary or Text frame from the client", "retry", "no-audio", kind="close"
    ),
    THREAD(1011, METADATA, "retry", "cut-short", kind="raw", raw=Raw(messages=(METADATA,), code=1011)),
)

SEED_003 = (
    REALTIME(4000, "Sample rate must be a positive integer", "fatal", "bad-sample-rate", 78, opening=True),
    REALTIME(4001, "Not Authorized", "fatal", "not-authorized", 77, opening=True),
    REALTIME(4002, "Insufficient Funds", "fatal", "insufficient-funds", 77, opening=True),
    REALTIME(
        4003,
        "This feature is paid-only and requires you to add a credit card. Please visit to add a credit card to your "
        "account",
        "fatal",
        "paid-only",
        77,
        opening=True,
    ),
    REALTIME(4004, "Session not found", "retry", "session-not-found"),
    REALTIME(4008, "Session Expired", "reopen", "session-expired"),
    REALTIME(4010, "Session previously closed", "retry", "session-closed-before"),
    REALTIME(4029, "Client sent audio too fast", "retry", "too-fast"),
    REALTIME(4030, "Session is handled by another WebSocket", "retry", "session-elsewhere"),
    REALTIME(4031, "Session idle for too long", "reopen", "idle"),
    REALTIME(4032, "Audio duration is too short", "retry", "audio-too-short"),
    REALTIME(4033, "Audio duration is too long", "retry", "audio-too-long"),
    REALTIME(4034, "Audio too small to transcode", "retry", "audio-too-small"),
    REALTIME(4101, "Endpoint received a message with an invalid schema", "fatal", "bad-schema", 76),
    REALTIME(
        4102, "This account has exceeded the number of allowed streams", "backoff", "too-many-streams", opening=True
    ),
    REALTIME(
        4103, "This session has been reconnected. This WebSocket is no longer valid", "retry", "session-reconnected"
    ),
    REALTIME(4104, "Could not parse word boost parameter", "fatal", "bad-word-boost", 78, opening=True),
)


def _refusal(status: int, *, error: str = "", **body: str) -> Raw:
    """Return a refused upgrade as Deepgram words it: a header with the reason, and a JSON body."""
    number = "11111111-2222-4333-8444-555555555555"
    headers = (("dg-request-id", number), *((("dg-error", error),) if error else ()))
    return Raw(status=status, headers=headers, body=json.dumps(body | {"request_id": number}))


SEED_004 = (
    PAGE(1008, "DATA-0000", "fatal", "not-audio", 76, kind="close"),
    PAGE(1008, "The payload cannot be decoded as audio.", "fatal", "not-audio", 76, kind="close"),
    PAGE(1011, "NET-0000", "backoff", "no-answer", kind="close"),
    PAGE(
        1011,
        "The service has not transmitted a Text frame to the client within the timeout window.",
        "backoff",
        "no-answer",
        kind="close",
    ),
    PAGE(1011, "NET-0001", "retry", "no-audio", kind="close"),
    PAGE(
        1011,
        "The service has not received a Binary or Text frame from the client within the timeout window.",
        "retry",
        "no-audio",
        kind="close",
    ),
    PAGE(
        401,
        "Invalid credentials",
        "fatal",
        "invalid-key",
        77,
        kind="raw",
        opening=True,
        raw=_refusal(401, error="Invalid credentials."),
    ),
    PAGE(400, "HTTP 4xx", "fatal", "http-bad-request", 78, "HTTP 400", kind="raw", opening=True, raw=Raw(status=400)),
    PAGE(503, "5xx", "backoff", "http-server-error", 0, "HTTP 503", kind="raw", opening=True, raw=Raw(status=503)),
    # What goes for v1/listen stands in this provider's table as well.
    Row("004", FLUX, 1008, "DATA-0000", "fatal", "not-audio", 76, kind="close"),
    Row("004", FLUX, 1011, "NET-0000", "backoff", "no-answer", kind="close"),
    Row("004", FLUX, 1011, "NET-0001", "retry", "no-audio", kind="close"),
)


def _error(code: int, text: str, close: int | None = None) -> Raw:
    """Return AssemblyAI's error message and the close behind it, whose reason tells nothing."""
    message = json.dumps({"type": "Error", "error_code": code, "error": text})
    return Raw(messages=(message,), code=close or code, reason=SEE_MESSAGE)


RETIRED = "Deprecated endpoint"
OBSERVED_ASSEMBLYAI = (
    LIVE(1008, "Unauthorized Connection: Invalid API key", "fatal", "invalid-key", 77, opening=True),
    LIVE(1008, "Unauthorized Connection: Signature has expired", "retry", "token-expired", opening=True),
    LIVE(
        3006,
        "User Input Validation Error: Invalid 'sample_rate': Value error, sample_rate must be at least 8,000 Hz",
        "fatal",
        "invalid-parameter",
        78,
        opening=True,
    ),
    LIVE(3006, "'flac' is not a valid Encoding", "fatal", "invalid-parameter", 78, opening=True),
    LIVE(
        3006,
        "User Input Validation Error: Invalid JSON: ...",
        "fatal",
        "invalid-json",
        76,
    ),
    LIVE(
        3007,
        "Input Duration Error: Input Duration Violation: 20.0 ms. Expected between 50 and 1000 ms",
        "retry",
        "chunk-duration",
    ),
    LIVE(
        3007,
        "Input Duration Error: Audio Transmission Rate Exceeded: Received 314.9 sec. audio in 1.312326 sec",
        "retry",
        "too-fast",
    ),
    LIVE(3007, "too much audio buffered", "retry", "too-fast"),
    LIVE(
        1008,
        "Unauthorized connection: Too many concurrent sessions",
        "backoff",
        "too-many-sessions",
        kind="close",
        opening=True,
    ),
    LIVE(
        3005,
        "Session Expired: Maximum session duration exceeded",
        "reopen",
        "session-expired",
        kind="close",
    ),
    LIVE(3006, "Max 100 items", "fatal", "invalid-parameter", 78, kind="error-untyped", opening=True),
    LIVE(1000, "Session Ended", "reopen", "ended-unasked", kind="close", by="number"),
    LIVE(
        410,
        RETIRED,
        "fatal",
        "deprecated-endpoint",
        78,
        "Deprecated endpoint: the V2 streaming API has been retired.",
        kind="raw",
        opening=True,
        raw=_error(410, "Deprecated endpoint: the V2 streaming API has been retired."),
    ),
    LIVE(1001, "going away", "reopen", "going-away", kind="close", by="number"),
    LIVE(1013, "temporary server condition", "backoff", "server-busy", kind="close", by="number"),
    LIVE(1006, "TCP reset", "retry", "connection-lost", kind="drop", by="number"),
    *(
        LIVE(status, words, verdict, rule, exit_code, f"HTTP {status}", "raw", opening=True, raw=Raw(status=status))
        for status, words, verdict, rule, exit_code in (
            (400, "HTTP 400", "fatal", "http-bad-request", 78),
            (401, "HTTP 401", "fatal", "http-unauthorized", 77),
            (403, "HTTP 401 / 403", "backoff", "http-forbidden", 0),
            (404, "HTTP 400 / 404", "fatal", "http-not-found", 78),
            (408, "HTTP 429 / 5xx / 408", "backoff", "http-timeout", 0),
            (422, "422", "fatal", "http-bad-request", 78),
            (429, "HTTP 429", "backoff", "http-too-many-requests", 0),
            (500, "HTTP 429 / 5xx", "backoff", "http-server-error", 0),
            (503, "HTTP 429 / 5xx", "backoff", "http-server-error", 0),
        )
    ),
    Row("assemblyai.md", V2, 4100, "4100 bad JSON", "fatal", "bad-json", 76, "Endpoint received invalid JSON"),
    Row("assemblyai.md", V2, 1013, "reconnect attempts exhausted", "backoff", "reconnects-exhausted"),
    Row("assemblyai.md", V2, 410, RETIRED, "fatal", "retired", 78, kind="status", opening=True),
)

NET_0000 = "Deepgram did not provide a response message within the timeout window. See https://dpgr.am/net0000"
NET_0001 = (
    "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001"
)
NOTHING = '{"type":"Metadata","sha256":"incomplete","duration":0.0,"channels":0}'
UNPARSED = (
    '{"type":"Error","variant":"SchemaError","description":"could not parse","message":"{\\"type\\":\\"Keepalive\\"}"}'
)
OBSERVED_DEEPGRAM = (
    WIRE(1011, NET_0000, "backoff", "no-answer"),
    WIRE(1011, NET_0001, "retry", "no-audio"),
    WIRE(1011, NET_0001, "retry", "no-audio", kind="close"),
    WIRE(1011, "NET-0002", "retry", "no-audio", kind="close"),
    WIRE(1011, "no_audio_timeout", "retry", "no-audio", kind="close"),
    WIRE(1008, "data0000", "fatal", "not-audio", 76, "See https://dpgr.am/data0000", kind="close"),
    WIRE(1002, "1002 + DATA-0000", "fatal", "not-audio", 76, "DATA-0000", kind="close"),
    WIRE(1011, "keepalive ping timeout", "retry", "client-ping", kind="close"),
    WIRE(1000, "not asked for", "backoff", "closed-unasked", 0, "1000", kind="raw", raw=Raw(code=1000)),
    WIRE(1001, "going away", "reopen", "going-away", kind="raw", raw=Raw(code=1001), by="number"),
    WIRE(1003, "1002 / 1003 / 1007", "backoff", "protocol-error", 0, "1003", kind="raw", raw=Raw(code=1003)),
    WIRE(1007, "1002 / 1003 / 1007", "backoff", "protocol-error", 0, "1007", kind="raw", raw=Raw(code=1007)),
    WIRE(1009, "message too large", "backoff", "message-too-big", kind="close", by="number"),
    WIRE(1012, "1012 / 1013", "retry", "server-restart", 0, "1012", kind="raw", raw=Raw(code=1012)),
    WIRE(1013, "try later", "backoff", "server-busy", kind="close", by="number"),
    WIRE(1006, "no close frame (network)", "retry", "connection-lost", kind="drop", by="number"),
    WIRE(
        1011, "SchemaError", "backoff", "message-refused", 0, UNPARSED, "raw", raw=Raw(messages=(UNPARSED,), code=1011)
    ),
    *(
        WIRE(
            status,
            name,
            verdict,
            rule,
            code,
            "",
            "raw",
            opening=True,
            raw=_refusal(status, err_code=name, err_msg="..."),
        )
        for status, name, verdict, rule, code in (
            (400, "INVALID_QUERY_PARAMETER", "fatal", "invalid-parameter", 78),
            (401, "INVALID_AUTH", "fatal", "invalid-key", 77),
            (401, "INSUFFICIENT_PERMISSIONS", "fatal", "insufficient-permissions", 77),
            (402, "ASR_PAYMENT_REQUIRED", "fatal", "payment-required", 77),
            (403, "INSUFFICIENT_PERMISSIONS", "fatal", "insufficient-permissions", 77),
            (429, "TOO_MANY_REQUESTS", "backoff", "too-many-streams", 0),
        )
    ),
    WIRE(
        400,
        "INVALID_JSON",
        "fatal",
        "invalid-json",
        76,
        kind="raw",
        opening=True,
        raw=_refusal(400, category="INVALID_JSON", message="...", details="..."),
    ),
    *(
        WIRE(status, words, verdict, rule, code, f"HTTP {status}", "status", opening=True)
        for status, words, verdict, rule, code in (
            (400, "Bad Request", "fatal", "http-bad-request", 78),
            (404, "404", "fatal", "http-not-found", 78),
            (405, "405", "fatal", "http-405", 78),
            (408, "408, 499, 500, 502, 503, 504", "backoff", "http-timeout", 0),
            (499, "408, 499, 500, 502, 503, 504", "backoff", "http-499", 0),
            (500, "408, 499, 500, 502, 503, 504", "backoff", "http-server-error", 0),
            (502, "408, 499, 500, 502, 503, 504", "backoff", "http-server-error", 0),
            (503, "Service Unavailable", "backoff", "http-server-error", 0),
            (504, "408, 499, 500, 502, 503, 504", "backoff", "http-server-error", 0),
        )
    ),
    *(
        TURNS(
            1005,
            word,
            verdict,
            rule,
            kind="raw",
            raw=Raw(messages=(json.dumps({"type": "Error", "sequence_id": 9, "code": word, "description": "..."}),)),
            by="words",
        )
        for word, verdict, rule in (
            ("INTERNAL_SERVER_ERROR", "backoff", "flux-internal-error"),
            ("INACTIVE_CLIENT", "reopen", "flux-inactive"),
            ("CLIENT_MESSAGE_TIMEOUT", "retry", "flux-message-timeout"),
            ("UNPARSABLE_CLIENT_MESSAGE", "backoff", "flux-message-unknown"),
        )
    ),
    TURNS(1005, "no close code", "retry", "connection-lost", 0, "1005", kind="raw", raw=Raw()),
    *(
        TURNS(status, name, verdict, rule, code, kind="raw", opening=True, raw=_refusal(status, err_code=name))
        for status, name, verdict, rule, code in (
            (402, "ASR_PAYMENT_REQUIRED", "fatal", "payment-required", 77),
            (429, "TOO_MANY_REQUESTS", "backoff", "too-many-streams", 0),
        )
    ),
)

SEEDS = (*SEED_000, *SEED_001, *SEED_002, *SEED_003, *SEED_004)
ROWS = (*SEEDS, *OBSERVED_ASSEMBLYAI, *OBSERVED_DEEPGRAM)
BY_NAME = {row.name: row for row in ROWS}
