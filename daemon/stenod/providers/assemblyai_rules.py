"""What AssemblyAI's refusals and closes mean: the verdict table of the v3 streaming protocol.

The sentences have outlived their numbers. Until February 2026 nearly everything was 3005, and 1008 stood for too many
sessions; since then the same sentences carry 3006 to 3009, two faults share 3007, and three kinds of fault share 3006.
Real texts put a category before the documented sentence (`Input Duration Error: Input Duration Violation: ...`) and
vary in capitals. So rows with texts come first, the special before the general, and list every code that their
sentence ever had; the rows that go by a bare number come after them and assume the most harmless reading.

It does not know how a text is joined from the error message and the close frame (the session task), nor how often
a verdict may repeat before something gives up (the supervisor).
"""

from functools import partial

from stenod.core.verdict import Effect, ExitCode, Rule, Severity, Verdict
from stenod.providers.standard_rules import STANDARD_RULES

DOCUMENTED = "documented: common session errors and closures"
OBSERVED = "observed on the service; not documented"
JUDGEMENT = "judgement: the text that would tell more is missing"

V3_ENDPOINT = "wss://streaming.assemblyai.com/v3/ws"

_account = partial(
    Rule, codes=(1008,), verdict=Verdict.FATAL, severity=Severity.ERROR, exit_code=ExitCode.NO_PERMISSION
)
_request = partial(Rule, codes=(3006, 3005), verdict=Verdict.FATAL, severity=Severity.ERROR)
_session = partial(Rule, severity=Severity.NORMAL, verdict=Verdict.REOPEN)
_trouble = partial(Rule, severity=Severity.WARNING, verdict=Verdict.BACKOFF)

ACCOUNT_RULES = (
    _account(
        name="missing-key",
        texts=("missing authorization header",),
        meaning="No API key was sent, or an empty one.",
        remedy="Put your API key where stenod reads it (systemd credential, key file or ASSEMBLYAI_API_KEY).",
        source=DOCUMENTED,
    ),
    _account(
        name="invalid-key",
        texts=("invalid api key", "invalid api token"),
        meaning="AssemblyAI does not know this API key.",
        remedy="Copy the key again from the API Keys page of your account, without `Bearer` and without spaces.",
        source=OBSERVED,
    ),
    _account(
        name="token-expired",
        texts=("signature has expired",),
        verdict=Verdict.RETRY,
        severity=Severity.WARNING,
        effect=Effect.NEW_TOKEN,
        meaning="The temporary token is too old.",
        remedy="stenod makes a new token and tries again; if that one expires too, set the system clock.",
        source=OBSERVED,
    ),
    _trouble(
        name="too-many-sessions",
        texts=("too many concurrent",),
        codes=(3009, 1008, 3005),
        effect=Effect.FEWER_OPENINGS,
        meaning="Your account opened too many sessions in a minute, or has too many open.",
        remedy="stenod waits and opens fewer; end other clients of the account, or raise its limit (Rate Limits page).",
        source=DOCUMENTED,
    ),
    _account(
        name="insufficient-balance",
        texts=("account balance", "insufficient balance", "insufficient funds", "negative balance"),
        meaning="The account has no money left.",
        remedy="Add funds on the Billing page of your account; the service keeps recording and tries again by itself.",
        source=DOCUMENTED,
    ),
    _account(
        name="account-disabled",
        texts=("temporarily disabled", "account disabled", "account is disabled", "account has been disabled"),
        meaning="AssemblyAI has disabled the account.",
        remedy="Ask support@assemblyai.com why; the service keeps recording and tries again by itself.",
        source=DOCUMENTED,
    ),
    # The documentation promises this sentence for any reason, so it comes after the reasons that we know.
    _account(
        name="account-refused",
        texts=("unauthorized connection",),
        meaning="AssemblyAI refuses the account, for a reason that is only in its own text.",
        remedy="Read that text, and look at balance and state of your account; the service tries again by itself.",
        source=DOCUMENTED,
    ),
)

SESSION_RULES = (
    _session(
        name="session-expired",
        texts=("session expired", "maximum session duration"),
        codes=(3008, 3005),
        meaning="The session reached its longest duration: 3 hours, or the temporary token's limit.",
        remedy="Nothing: stenod opens the next session at once.",
        source=DOCUMENTED,
    ),
    _session(
        name="inactivity",
        texts=("due to inactivity", "no messages received for"),
        codes=(3006, 3005),
        meaning="Neither audio nor a keepalive reached AssemblyAI for the inactivity timeout.",
        remedy="Nothing: stenod opens the next session at once; if it recurs, the uplink stalls.",
        source=DOCUMENTED,
    ),
    Rule(
        name="chunk-duration",
        texts=("input duration violation", "expected between 50 and 1000"),
        codes=(3007, 3005),
        verdict=Verdict.RETRY,
        severity=Severity.ERROR,
        effect=Effect.ONCE,
        exit_code=ExitCode.PROTOCOL,
        meaning="A chunk was shorter than 50 ms or longer than 1000 ms.",
        remedy="stenod tries again once; if it recurs it is a defect of stenod: report it with this text.",
        source=DOCUMENTED,
    ),
    _trouble(
        name="too-fast",
        texts=("transmission rate exceeded", "too much audio buffered"),
        codes=(3007, 3005),
        verdict=Verdict.RETRY,
        effect=Effect.SLOWER,
        meaning="Audio was sent faster than the service takes it.",
        remedy="Nothing: stenod sends to AssemblyAI hardly faster than real time from now on.",
        source=DOCUMENTED,
    ),
)

REQUEST_RULES = (
    _request(
        name="invalid-message-type",
        texts=("invalid message type",),
        exit_code=ExitCode.PROTOCOL,
        meaning="AssemblyAI does not know a message type that stenod sent.",
        remedy="Check that the endpoint speaks the v3 protocol; if it does, report it with this text.",
        source=DOCUMENTED,
    ),
    _request(
        name="invalid-json",
        texts=("invalid json",),
        exit_code=ExitCode.PROTOCOL,
        meaning="AssemblyAI could not read a message of stenod as JSON.",
        remedy="Check that the endpoint speaks the v3 protocol; if it does, report it with this text.",
        source=DOCUMENTED,
    ),
    _request(
        name="invalid-message",
        texts=("invalid message",),
        exit_code=ExitCode.PROTOCOL,
        meaning="AssemblyAI read a message of stenod but could make nothing of it.",
        remedy="Check that the endpoint speaks the v3 protocol; if it does, report it with this text.",
        source=DOCUMENTED,
    ),
    _request(
        name="invalid-parameter",
        texts=(
            "is not a valid",
            "exceeds maximum length",
            "max 100 items",
            "failed to decode",
            "invalid '",
            "user input validation error",
        ),
        exit_code=ExitCode.CONFIGURATION,
        meaning="AssemblyAI does not accept a parameter; its text names it.",
        remedy="Correct that option in [assemblyai] of the configuration, or take it out.",
        source=OBSERVED,
    ),
    _request(
        name="deprecated-endpoint",
        texts=("deprecated endpoint", "api has been retired"),
        codes=(410,),
        statuses=(410,),
        exit_code=ExitCode.CONFIGURATION,
        meaning="The endpoint belongs to the v2 API, which has been retired.",
        remedy=f"Set the endpoint to {V3_ENDPOINT}, or leave it out of the configuration.",
        source=DOCUMENTED,
    ),
)

SERVER_RULES = (
    _trouble(
        name="session-cancelled",
        texts=("session cancelled",),
        codes=(3005,),
        meaning="An error of the server that it does not explain; a session with a preview model may end so too.",
        remedy="stenod tries again, later each time; if it stays, try another speech_model.",
        source=DOCUMENTED,
    ),
    _trouble(
        name="internal-error",
        texts=("internal error", "internal server error"),
        codes=(1011,),
        meaning="An error inside AssemblyAI, for example while it checked the key.",
        remedy="stenod tries again, later each time; if it stays, ask support@assemblyai.com.",
        source=DOCUMENTED,
    ),
)

CODE_RULES = (
    _session(
        name="code-3008",
        codes=(3008,),
        meaning="The session reached its longest duration.",
        remedy="Nothing: stenod opens the next session at once.",
        source=DOCUMENTED,
    ),
    _trouble(
        name="code-3009",
        codes=(3009,),
        effect=Effect.FEWER_OPENINGS,
        meaning="Your account opened too many sessions in a minute, or has too many open.",
        remedy="stenod waits and opens fewer; end other clients of the account, or raise its limit (Rate Limits page).",
        source=DOCUMENTED,
    ),
    _trouble(
        name="code-3007",
        codes=(3007,),
        effect=Effect.SLOWER,
        meaning="Either a chunk had a wrong duration, or audio was sent too fast.",
        remedy="stenod tries again at hardly more than real time; if it recurs, report it.",
        source=JUDGEMENT,
    ),
    _trouble(
        name="code-3006",
        codes=(3006,),
        meaning="Either the inactivity timeout elapsed, or AssemblyAI does not accept a message or a parameter.",
        remedy="stenod tries again, later each time; if it stays, check [assemblyai] in the configuration.",
        source=JUDGEMENT,
    ),
    _trouble(
        name="code-3005",
        codes=(3005,),
        meaning="An error of the server that no other code covers; before 2026, nearly every error.",
        remedy="stenod tries again, later each time; if it stays, check [assemblyai] and see AssemblyAI's status.",
        source=DOCUMENTED,
    ),
    # Wrong keys came with their sentence in every observation; what came without one was the limit on sessions.
    _trouble(
        name="code-1008",
        codes=(1008,),
        severity=Severity.ERROR,
        effect=Effect.FEWER_OPENINGS,
        meaning="AssemblyAI refuses the key, the account, or one more session; it did not say which.",
        remedy="stenod tries again with fewer openings; if it stays, check key, balance and the Rate Limits page.",
        source=JUDGEMENT,
    ),
    _request(
        name="code-410",
        codes=(410,),
        statuses=(410,),
        exit_code=ExitCode.CONFIGURATION,
        meaning="The endpoint has been retired.",
        remedy=f"Set the endpoint to {V3_ENDPOINT}, or leave it out of the configuration.",
        source=DOCUMENTED,
    ),
)

RULES = (*ACCOUNT_RULES, *SESSION_RULES, *REQUEST_RULES, *SERVER_RULES, *CODE_RULES, *STANDARD_RULES)
