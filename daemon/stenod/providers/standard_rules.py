"""What close codes and HTTP statuses mean by their standards: the rows that end a provider's verdict table.

They go by number alone, so a provider's own rows, which stand before them, always win. Sources: RFC 6455 section 7.4
and the IANA registry of close codes; RFC 9110 for the statuses of a refused upgrade.
"""

from functools import partial

from stenod.core.verdict import Effect, ExitCode, Rule, Severity, Verdict

WEBSOCKET = "RFC 6455 and the registry of close codes"
HTTP = "RFC 9110"
JUDGEMENT = "judgement"

_harmless = partial(Rule, verdict=Verdict.REOPEN, severity=Severity.NORMAL, source=WEBSOCKET)
_trouble = partial(Rule, verdict=Verdict.BACKOFF, severity=Severity.WARNING)
_refused = partial(Rule, verdict=Verdict.FATAL, severity=Severity.ERROR, source=HTTP)

CLOSE_RULES = (
    _harmless(
        name="ended-as-asked",
        codes=(1000, 1001, 1005, 1006),
        asked=True,
        meaning="The session ended after our goodbye.",
        remedy="Nothing: that is how a session ends.",
    ),
    _harmless(
        name="ended-unasked",
        codes=(1000,),
        asked=False,
        meaning="The server ended the session in good order, without our goodbye.",
        remedy="Nothing: stenod opens the next session at once.",
    ),
    _harmless(
        name="going-away",
        codes=(1001,),
        asked=False,
        meaning="The server shuts down or moves: most likely a deployment.",
        remedy="Nothing: stenod opens the next session at once.",
    ),
    _trouble(
        name="connection-lost",
        codes=(1005, 1006),
        asked=False,
        verdict=Verdict.RETRY,
        meaning="The connection ended without a reason: most likely the network.",
        remedy="stenod opens a new session and sends again what was not transcribed; if it recurs, see to the network.",
        source=WEBSOCKET,
    ),
    _trouble(
        name="protocol-error",
        codes=(1002, 1003, 1007, 1010),
        effect=Effect.ONCE,
        severity=Severity.ERROR,
        exit_code=ExitCode.PROTOCOL,
        meaning="One side did not understand the other's WebSocket frames.",
        remedy="stenod tries again once; if it recurs, check the endpoint and whether a proxy stands between.",
        source=WEBSOCKET,
    ),
    _trouble(
        name="message-too-big",
        codes=(1009,),
        effect=Effect.ONCE,
        severity=Severity.ERROR,
        exit_code=ExitCode.PROTOCOL,
        meaning="A message of stenod was larger than the server or a proxy takes.",
        remedy="stenod tries again once; if it recurs, send smaller chunks or raise the proxy's limit.",
        source=WEBSOCKET,
    ),
    _trouble(
        name="server-error",
        codes=(1011,),
        meaning="An error inside the server.",
        remedy="stenod tries again, later each time; if it stays, see the provider's status page.",
        source=WEBSOCKET,
    ),
    _trouble(
        name="server-restart",
        codes=(1012,),
        verdict=Verdict.RETRY,
        meaning="The server restarts.",
        remedy="Nothing: stenod opens a new session in a moment.",
        source=WEBSOCKET,
    ),
    _trouble(
        name="server-busy",
        codes=(1013, 1014),
        meaning="The server, or what stands before it, is overloaded for now.",
        remedy="Nothing: stenod tries again, later each time.",
        source=WEBSOCKET,
    ),
)

STATUS_RULES = (
    _refused(
        name="http-bad-request",
        statuses=(400, 422),
        exit_code=ExitCode.CONFIGURATION,
        meaning="The provider does not accept the request as it is configured.",
        remedy="Check endpoint, model and parameters in the configuration against the text that came with it.",
    ),
    _refused(
        name="http-unauthorized",
        statuses=(401,),
        exit_code=ExitCode.NO_PERMISSION,
        meaning="The provider does not accept the API key.",
        remedy="Check that the key is whole, current, and of this provider.",
    ),
    _refused(
        name="http-payment",
        statuses=(402,),
        exit_code=ExitCode.NO_PERMISSION,
        meaning="The account has no money left.",
        remedy="Add funds to your account; the service keeps recording and tries again by itself.",
    ),
    # A firewall's hiccup passes by itself, a plan or region that is not allowed does not, and more attempts make
    # a firewall angrier: so one more try, then the slow probe of what is fatal.
    _trouble(
        name="http-forbidden",
        statuses=(403,),
        effect=Effect.ONCE,
        severity=Severity.ERROR,
        exit_code=ExitCode.NO_PERMISSION,
        meaning="The key, the plan, the region or a firewall does not allow this connection.",
        remedy="stenod tries again once; if it recurs, check plan and region of the account, then firewall or VPN.",
        source=JUDGEMENT,
    ),
    _refused(
        name="http-not-found",
        statuses=(404, 405, 410),
        exit_code=ExitCode.CONFIGURATION,
        meaning="There is no such service at this endpoint.",
        remedy="Correct the endpoint in the configuration, or leave it out.",
    ),
    _trouble(
        name="http-timeout",
        statuses=(408, 425),
        meaning="The provider got tired of waiting for the request.",
        remedy="stenod tries again, later each time; if it stays, the network is too slow.",
        source=HTTP,
    ),
    _trouble(
        name="http-too-many-requests",
        statuses=(429,),
        effect=Effect.FEWER_OPENINGS,
        meaning="Your account opens too many sessions.",
        remedy="stenod waits and opens fewer; end other clients of the account, or raise its limit.",
        source=HTTP,
    ),
    _trouble(
        name="http-login-page",
        statuses=(200, 301, 302, 303, 307, 308, 407, 511),
        meaning="Something that is not the provider answered: a proxy, or the login page of a guest network.",
        remedy="stenod keeps recording and tries again; log in to the network, or correct the endpoint.",
        source=JUDGEMENT,
    ),
    _trouble(
        name="http-server-error",
        statuses=tuple(range(500, 600)),
        meaning="The provider, or what stands before it, cannot serve us now.",
        remedy="stenod tries again, later each time; if it stays, see the provider's status page.",
        source=HTTP,
    ),
)

STANDARD_RULES = (*CLOSE_RULES, *STATUS_RULES)
