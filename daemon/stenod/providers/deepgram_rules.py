"""What Deepgram's refusals and closes mean: the verdict table of v1/listen.

The documentation names tokens (`NET-0001`), the wire carries prose with a link (`... See https://dpgr.am/net0001`),
and older pages put `DATA-0000` under another number; so each row lists every form of its token and the sentence itself.
What happened before the upgrade is told by a status, with a body whose `err_code` says more. No code above 4000 is
documented, and the two official examples disagree about them: unknown means backoff.

It does not know how a text is joined from message, header, body and close (the session task, the connection), nor how
often a verdict may repeat before something gives up (the supervisor).
"""

from functools import partial

from stenod.core.verdict import Effect, ExitCode, Rule, Severity, Verdict
from stenod.providers.standard_rules import STANDARD_RULES

DOCUMENTED = "documented: troubleshooting WebSocket data and net errors; errors"
OBSERVED = "observed on the service; not documented"
JUDGEMENT = "judgement: what would tell more is missing"

_account = partial(Rule, verdict=Verdict.FATAL, severity=Severity.ERROR, exit_code=ExitCode.NO_PERMISSION)
_request = partial(Rule, verdict=Verdict.FATAL, severity=Severity.ERROR, exit_code=ExitCode.CONFIGURATION)
_audio = partial(
    Rule, verdict=Verdict.BACKOFF, severity=Severity.ERROR, effect=Effect.ONCE, exit_code=ExitCode.PROTOCOL
)
_trouble = partial(Rule, severity=Severity.WARNING, verdict=Verdict.BACKOFF)


def _forms(token: str) -> tuple[str, ...]:
    """Return the ways in which a token is written: `net-0001`, `net0001`, `net_0001`."""
    return token, token.replace("-", ""), token.replace("-", "_")


SESSION_RULES = (
    _request(
        name="not-audio",
        texts=(*_forms("data-0000"), "cannot be decoded as audio"),
        codes=(1008, 1002),
        exit_code=ExitCode.PROTOCOL,
        meaning="Deepgram cannot decode what it was sent as audio.",
        remedy="Check that nothing between here and Deepgram changes the audio, and the endpoint; if that is right, "
        "report it with this text.",
        source=DOCUMENTED,
    ),
    _trouble(
        name="no-audio",
        texts=(
            *_forms("net-0001"),
            *_forms("net-0002"),
            "did not receive audio data or a text message",
            "has not received a binary or text frame",
            "no_audio_timeout",
        ),
        codes=(1011,),
        verdict=Verdict.RETRY,
        meaning="Neither audio nor a KeepAlive reached Deepgram for 10 seconds.",
        remedy="Nothing: stenod opens the next session at once; if it recurs, the uplink stalls.",
        source=DOCUMENTED,
    ),
    _trouble(
        name="no-answer",
        texts=(*_forms("net-0000"), "did not provide a response message", "has not transmitted a text frame"),
        codes=(1011,),
        meaning="Deepgram had nothing to say for half a minute: trouble of its own, or it understands nothing of what "
        "it is sent.",
        remedy="stenod tries again, later each time; if it stays, see status.deepgram.com, then check "
        "[deepgram] in the configuration.",
        source=DOCUMENTED,
    ),
    _audio(
        name="nothing-understood",
        texts=("duration 0 although audio was sent", '"duration":0,"channels":0', '"duration":0.0,"channels":0'),
        codes=(1000,),
        meaning="Deepgram ended the session and took nothing of what it was sent for audio.",
        remedy="stenod tries again once; if it recurs, check that the endpoint speaks v1/listen, and report it.",
        source=OBSERVED,
    ),
    _trouble(
        name="cut-short",
        texts=("sha256 incomplete", '"sha256":"incomplete"', '"sha256": "incomplete"'),
        codes=(1011,),
        verdict=Verdict.RETRY,
        meaning="Deepgram ended the session before it had processed all audio.",
        remedy="Nothing: stenod opens the next session and sends again what was not transcribed.",
        source=OBSERVED,
    ),
    # Where the session lived on and ended as we asked, that was not the reason.
    _trouble(
        name="message-refused",
        texts=("schemaerror", "unparsable_client_message"),
        codes=(1011,),
        asked=False,
        severity=Severity.ERROR,
        effect=Effect.ONCE,
        exit_code=ExitCode.PROTOCOL,
        meaning="Deepgram could not read a message of stenod.",
        remedy="stenod tries again once; if it recurs, check that the endpoint speaks v1/listen, and report it.",
        source=DOCUMENTED,
    ),
    # It stands in many reports about Deepgram, whose server never sends it.
    _trouble(
        name="client-ping",
        texts=("keepalive ping timeout",),
        codes=(1011,),
        verdict=Verdict.RETRY,
        meaning="A client's library had no answer to its own ping; Deepgram does not send this.",
        remedy="stenod opens a new session; where another program said it, look at the network between.",
        source=OBSERVED,
    ),
)

ACCOUNT_RULES = (
    _account(
        name="invalid-key",
        texts=("invalid_auth", "invalid credentials"),
        statuses=(401,),
        meaning="Deepgram does not know this API key, or the temporary token has expired.",
        remedy="Copy the key again from the console of your project (a temporary token lasts an hour at most: use a "
        "key).",
        source=DOCUMENTED,
    ),
    _account(
        name="insufficient-permissions",
        texts=("insufficient_permissions",),
        statuses=(401, 403),
        meaning="The key may not do this: its scope lacks usage, or its project has no access to the model.",
        remedy="Make a key with a role that may use the API, or choose a model that your project has "
        "(`deepgram.model`).",
        source=DOCUMENTED,
    ),
    _account(
        name="payment-required",
        texts=("payment_required",),
        statuses=(402,),
        meaning="The project has no credit left.",
        remedy="Add credit in the console of your project; the service keeps recording and tries again by itself.",
        source=DOCUMENTED,
    ),
    _trouble(
        name="too-many-streams",
        texts=("too_many_requests", "too many requests"),
        statuses=(429,),
        effect=Effect.FEWER_OPENINGS,
        meaning="Your project has too many streams open: the limit is the project's, whichever key they use.",
        remedy="stenod waits and opens fewer; end other clients of the project, or set supervisor.one_session where "
        "it may have a single stream.",
        source=DOCUMENTED,
    ),
)

REQUEST_RULES = (
    _request(
        name="invalid-parameter",
        texts=("invalid_query_parameter",),
        statuses=(400,),
        meaning="Deepgram does not accept a parameter; its text names it.",
        remedy="Correct that option in [deepgram] of the configuration, or take it out.",
        source=DOCUMENTED,
    ),
    _request(
        name="invalid-json",
        texts=("invalid_json",),
        statuses=(400,),
        exit_code=ExitCode.PROTOCOL,
        meaning="Deepgram could not read what came with the request.",
        remedy="Check that the endpoint speaks v1/listen; if it does, report it with this text.",
        source=DOCUMENTED,
    ),
)

CODE_RULES = (
    _audio(
        name="closed-unasked",
        codes=(1000,),
        asked=False,
        meaning="Deepgram ended the session in good order, without our goodbye: it gives up on audio that it does not "
        "understand like that.",
        remedy="stenod tries again once; if it recurs at once, check that the endpoint speaks v1/listen, and report "
        "it.",
        source=OBSERVED,
    ),
    _audio(
        name="code-1008",
        codes=(1008,),
        meaning="Deepgram refuses what it was sent, most likely because it cannot decode it as audio.",
        remedy="stenod tries again once; if it recurs, check that the endpoint speaks v1/listen, and report it.",
        source=JUDGEMENT,
    ),
)

STATUS_RULES = (
    _request(
        name="http-405",
        statuses=(405,),
        meaning="The model transcribes recordings only, or the endpoint takes no streams.",
        remedy="Choose another model (`deepgram.model`), or correct the endpoint.",
        source=OBSERVED,
    ),
    _trouble(
        name="http-499",
        statuses=(499,),
        meaning="Something before Deepgram takes our connection for ended.",
        remedy="stenod tries again, later each time; if it stays, see to the network and any proxy.",
        source=DOCUMENTED,
    ),
)

STANDARD = tuple(rule for rule in STANDARD_RULES if rule.name != "ended-unasked")
"""That one is `closed-unasked` here: it would never be reached."""

RULES = (*SESSION_RULES, *ACCOUNT_RULES, *REQUEST_RULES, *CODE_RULES, *STATUS_RULES, *STANDARD)
