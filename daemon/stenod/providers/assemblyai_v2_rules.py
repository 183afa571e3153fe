"""What the refusals and closes of AssemblyAI's real-time protocol, version 2, mean: its verdict table.

Each close code had one sentence, and neither was ever renumbered; so every row stands twice, first by its sentence (an
error message may come without the close that carries its code), then by its bare code. Sessions could be resumed by
their id in that protocol; stenod never does, so what is said about that only means that this session is over.

AssemblyAI itself has retired the protocol and answers with 410. It does not know how failures are observed (the
session task).
"""

from dataclasses import replace
from functools import partial

from stenod.core.verdict import Effect, ExitCode, Rule, Severity, Verdict
from stenod.providers.assemblyai_rules import V3_ENDPOINT
from stenod.providers.standard_rules import STANDARD_RULES

DOCUMENTED = "documented: close and error codes of the v2 service"
CLIENTS = "the tables of the provider's own clients; not documented"
JUDGEMENT = "judgement: the sentence is not known"

_fatal = partial(Rule, verdict=Verdict.FATAL, severity=Severity.ERROR, source=DOCUMENTED)
_account = partial(_fatal, exit_code=ExitCode.NO_PERMISSION)
_session = partial(Rule, severity=Severity.NORMAL, source=DOCUMENTED)
_trouble = partial(Rule, verdict=Verdict.BACKOFF, severity=Severity.WARNING, source=DOCUMENTED)
_chunk = partial(
    Rule,
    verdict=Verdict.RETRY,
    severity=Severity.ERROR,
    effect=Effect.ONCE,
    exit_code=ExitCode.PROTOCOL,
    remedy="stenod tries again once; if it recurs it is a defect of stenod: report it with this text.",
    source=DOCUMENTED,
)
_message = partial(
    _fatal,
    exit_code=ExitCode.PROTOCOL,
    remedy="Check that the endpoint speaks the v2 protocol; if it does, report it with this text.",
)
_resumed = partial(
    _session,
    verdict=Verdict.RETRY,
    severity=Severity.WARNING,
    remedy="Nothing: stenod resumes no session, it opens a new one and sends again what was not transcribed.",
)

SENTENCE_RULES = (
    _fatal(
        name="bad-sample-rate",
        codes=(4000,),
        texts=("sample rate must be",),
        exit_code=ExitCode.CONFIGURATION,
        meaning="The server does not take audio of this rate.",
        remedy="Set capture.rate to one that the server takes, for example 16000.",
    ),
    _account(
        name="not-authorized",
        codes=(4001,),
        texts=("not authorized",),
        meaning="The server does not accept the key, or a temporary token that is too old or was used before.",
        remedy="Check that the key is whole and of this server; make a new temporary token where one is used.",
    ),
    _account(
        name="insufficient-funds",
        codes=(4002,),
        texts=("insufficient funds",),
        meaning="The account has no money left.",
        remedy="Add funds to the account; the service keeps recording and tries again by itself.",
    ),
    _account(
        name="paid-only",
        codes=(4003,),
        texts=("this feature is paid-only",),
        meaning="The account is a free one, and streaming is for accounts that pay.",
        remedy="Add a way to pay to the account; the service keeps recording and tries again by itself.",
    ),
    _resumed(
        name="session-not-found",
        codes=(4004,),
        texts=("session not found",),
        meaning="The server does not know the session.",
    ),
    _session(
        name="session-expired",
        codes=(4008,),
        texts=("session expired",),
        verdict=Verdict.REOPEN,
        meaning="The session reached its longest duration.",
        remedy="Nothing: stenod opens the next session at once.",
    ),
    _resumed(
        name="session-closed-before",
        codes=(4010,),
        texts=("session previously closed",),
        meaning="The server has closed the session before.",
    ),
    _trouble(
        name="too-fast",
        codes=(4029,),
        texts=("client sent audio too fast",),
        verdict=Verdict.RETRY,
        effect=Effect.SLOWER,
        meaning="More than a second of audio a second was sent, for over a minute.",
        remedy="stenod sends hardly faster than real time from now on; if it recurs, lower its rate_ratio_max to 1.",
    ),
    _resumed(
        name="session-elsewhere",
        codes=(4030,),
        texts=("session is handled by another websocket",),
        meaning="Another connection has the session.",
    ),
    _session(
        name="idle",
        codes=(4031,),
        texts=("session idle for too long",),
        verdict=Verdict.REOPEN,
        meaning="No audio reached the server for a minute.",
        remedy="Nothing: stenod opens the next session at once; if it recurs, the uplink stalls.",
    ),
    _chunk(
        name="audio-too-short",
        codes=(4032,),
        texts=("audio duration is too short",),
        meaning="A chunk was shorter than 100 ms.",
    ),
    _chunk(
        name="audio-too-long",
        codes=(4033,),
        texts=("audio duration is too long",),
        meaning="A chunk was longer than 2000 ms.",
    ),
    _chunk(
        name="audio-too-small",
        codes=(4034,),
        texts=("audio too small to transcode",),
        meaning="A chunk held less audio than the server can work with.",
    ),
    _message(
        name="bad-json",
        codes=(4100,),
        texts=("invalid json", "bad json"),
        meaning="The server could not read a message of stenod as JSON.",
        source=CLIENTS,
    ),
    _message(
        name="bad-schema",
        codes=(4101,),
        texts=("message with an invalid schema",),
        meaning="The server read a message of stenod but could make nothing of it.",
    ),
    _trouble(
        name="too-many-streams",
        codes=(4102,),
        texts=("exceeded the number of allowed streams",),
        effect=Effect.FEWER_OPENINGS,
        meaning="The account has too many sessions open.",
        remedy="stenod waits and opens fewer; end other clients of the account, or raise its limit.",
    ),
    _resumed(
        name="session-reconnected",
        codes=(4103,),
        texts=("session has been reconnected",),
        meaning="Another connection has taken the session over.",
    ),
    _fatal(
        name="bad-word-boost",
        codes=(4104,),
        texts=("could not parse word boost",),
        exit_code=ExitCode.CONFIGURATION,
        meaning="The server cannot read the list of boosted words.",
        remedy="Correct assemblyai_v2.word_boost in the configuration, or take it out.",
    ),
    _trouble(
        name="reconnects-exhausted",
        codes=(1013,),
        texts=("reconnect attempts exhausted", "temporary server condition"),
        meaning="The server has given up reaching its own recogniser.",
        remedy="stenod tries again, later each time; if it stays, look after the server.",
        source=CLIENTS,
    ),
    _fatal(
        name="retired",
        codes=(410,),
        statuses=(410,),
        texts=("deprecated endpoint", "api has been retired"),
        exit_code=ExitCode.CONFIGURATION,
        meaning="AssemblyAI has retired its own v2 service.",
        remedy=f'Use the provider "assemblyai", whose endpoint is {V3_ENDPOINT}, or a server that still speaks v2.',
    ),
)

CODE_RULES = tuple(
    replace(rule, name=f"code-{rule.codes[0]}", texts=(), source=JUDGEMENT if rule.source == CLIENTS else rule.source)
    for rule in SENTENCE_RULES
)

RULES = (*SENTENCE_RULES, *CODE_RULES, *STANDARD_RULES)
