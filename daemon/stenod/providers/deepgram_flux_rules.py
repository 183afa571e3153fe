"""What Flux's errors and closes mean: the verdict table of Deepgram's v2/listen.

An error message names its kind in a word of its own (`INACTIVE_CLIENT`), never in a number, and the close behind it
has no code; so those words decide. Its own good end, after `CloseStream`, is a close without a code as well: whether we
asked is what tells the two apart. Key, credit, limits and what stands before the service are those of Deepgram's other
protocol, and so are their rows.

It does not know how a text is joined from the error message and the close frame (the session task).
"""

from dataclasses import replace
from functools import partial

from stenod.core.verdict import Effect, ExitCode, Rule, Severity, Verdict
from stenod.providers import deepgram_rules
from stenod.providers.standard_rules import STANDARD_RULES

DOCUMENTED = "documented: errors of v2/listen"
SIBLING = "documented for a sibling of this service"
OBSERVED = "observed by other clients; not documented"

_trouble = partial(Rule, verdict=Verdict.BACKOFF, severity=Severity.WARNING)

FLUX_RULES = (
    _trouble(
        name="flux-internal-error",
        texts=("internal_server_error",),
        meaning="An error inside Deepgram.",
        remedy="stenod tries again, later each time; if it stays, see Deepgram's status page.",
        source=DOCUMENTED,
    ),
    Rule(
        name="flux-inactive",
        texts=("inactive_client",),
        verdict=Verdict.REOPEN,
        severity=Severity.NORMAL,
        meaning="Neither audio nor a ping reached Deepgram for too long.",
        remedy="Nothing: stenod opens the next session at once; if it recurs, a proxy keeps the pings to itself.",
        source=OBSERVED,
    ),
    _trouble(
        name="flux-message-timeout",
        texts=("client_message_timeout",),
        verdict=Verdict.RETRY,
        meaning="Deepgram waited too long for a message of stenod.",
        remedy="stenod opens a new session and sends again what was not transcribed; if it recurs, the uplink stalls.",
        source=SIBLING,
    ),
    _trouble(
        name="flux-message-unknown",
        texts=("unparsable_client_message",),
        effect=Effect.ONCE,
        severity=Severity.ERROR,
        exit_code=ExitCode.PROTOCOL,
        meaning="Deepgram could make nothing of a message of stenod.",
        remedy="stenod tries again once; if it recurs, check that the server speaks v2/listen, then report this text.",
        source=SIBLING,
    ),
)

V1_ONLY = ("nothing-understood", "cut-short", "message-refused", "closed-unasked", "http-405")
"""Rows about messages that Flux does not send, or about what only the other protocol does."""


def _of_flux(rule: Rule) -> Rule:
    """Return a row of the other protocol with this one's options and path in its remedy."""
    remedy = rule.remedy.replace("[deepgram]", "[deepgram_flux]").replace("`deepgram.", "`deepgram_flux.")
    return replace(rule, remedy=remedy.replace("v1/listen", "v2/listen"))


SHARED_RULES = tuple(
    _of_flux(rule) for rule in deepgram_rules.RULES if rule.name not in V1_ONLY and rule not in STANDARD_RULES
)

RULES = (*FLUX_RULES, *SHARED_RULES, *STANDARD_RULES)
