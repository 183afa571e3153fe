"""What a failure means: failures in, verdicts out, by table.

Each provider brings one table of `Rule`s. Matching is pure and total: the provider's own *text* is looked at before
the *code*, because codes were renumbered over the years while the sentences stayed; within each pass the first rule
that fits wins, so tables list the special before the general. What no rule knows means *backoff*: an unknown
failure is neither hammered nor taken for the end.

What we ended ourselves, or never reached, has no sentence of a provider: its text begins with one of `transport`'s
tokens, and `LOCAL_RULES` judge it, the same for every provider. Where the provider did say something before we gave
up waiting for its close, the text begins with that, and its table decides.

It does not know what is done about a verdict (`backoff`, the supervisor) nor how failures are observed (`edge`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stenod.core import transport


class Verdict(StrEnum):
    """What to do next, ordered from harmless to final."""

    REOPEN = "reopen"
    """Expected, no penalty: open the next session at once."""
    RETRY = "retry"
    """Unplanned but harmless: soon, with jitter."""
    BACKOFF = "backoff"
    """The other side needs time: exponentially later."""
    FATAL = "fatal"
    """A person must act before it can work."""


class Severity(StrEnum):
    """How much a person should care."""

    NORMAL = "normal"
    WARNING = "warning"
    ERROR = "error"


class Phase(StrEnum):
    """How far the session had come when it ended."""

    OPENING = "opening"
    """Name resolution, TCP, TLS, upgrade, until the provider's own word that it is ready."""
    READY = "ready"
    DRAINING = "draining"
    """We had said goodbye and were waiting for the last words."""


class Effect(StrEnum):
    """What a failure changes beyond the wait before the next opening."""

    NONE = "none"
    SLOWER = "slower"
    """We sent too fast: this provider gets audio at 1.0x from now on."""
    FEWER_OPENINGS = "fewer-openings"
    """Too many sessions: the budget of openings is halved."""
    NEW_TOKEN = "new-token"
    """A temporary token ran out: make another one; twice in a row is fatal."""
    ONCE = "once"
    """Tried again once; the same failure twice in a row is fatal."""


class ExitCode:
    """Exit codes, from sysexits.h, and when we use them."""

    OK = 0
    USAGE = 64
    """The command line is wrong."""
    BAD_DATA = 65
    """The input is not audio."""
    NO_INPUT = 66
    """The input cannot be opened."""
    UNAVAILABLE = 69
    """Something that is needed is missing or refuses."""
    SOFTWARE = 70
    """A defect of ours."""
    CANNOT_CREATE = 73
    """The state directory cannot be made or written."""
    IN_USE = 75
    """Another instance runs there: later, it may work."""
    PROTOCOL = 76
    """The provider does not understand us."""
    NO_PERMISSION = 77
    """The provider refuses the key or the account."""
    CONFIGURATION = 78
    """The configuration is wrong."""
    INTERRUPTED = 130
    """Ended at once by a second Ctrl-C."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a session ended, as observed: nothing is interpreted yet."""

    phase: Phase
    http_status: int | None = None
    """Status of a refused upgrade."""
    close_code: int | None = None
    """Code of the close frame or of the provider's error message, 1006 where the connection just broke."""
    text: str = ""
    """All that was said: error message, close reason, body of the refusal. Where `local`: a token of
    `transport`, alone or followed by a colon and the system's error text."""
    asked: bool = False
    """We had said goodbye before it ended."""
    local: bool = False
    """We ended it ourselves (a deadline, a stall) or never reached it; the provider said nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of a provider's table. It fits where every restriction that it states is met."""

    name: str
    """Stable, for logs and tests: `too-many-sessions`."""
    verdict: Verdict
    severity: Severity
    meaning: str
    """What happened, for a person, one sentence."""
    remedy: str
    """What to do, or what stenod does by itself."""
    codes: tuple[int, ...] = ()
    """Close codes. With `texts`, they are what is documented for that text; the text alone decides."""
    statuses: tuple[int, ...] = ()
    """HTTP statuses of the refused upgrade."""
    texts: tuple[str, ...] = ()
    """Lower-case fragments; one of them standing in the failure's text is enough."""
    asked: bool | None = None
    """Only when we had (True) or had not (False) said goodbye."""
    effect: Effect = Effect.NONE
    exit_code: int = ExitCode.UNAVAILABLE
    """For the foreground, where the verdict is fatal."""
    source: str = ""
    """Where the row comes from: documented, observed, or our judgement."""

    @property
    def retry_safe(self) -> bool:
        """Whether trying again without a person's help can succeed and harms nobody."""
        return self.verdict is not Verdict.FATAL


UNKNOWN = Rule(
    name="unknown",
    verdict=Verdict.BACKOFF,
    severity=Severity.WARNING,
    meaning="A failure that is not in the table.",
    remedy="stenod tries again, later each time; if it stays, look at the provider's status page.",
    source="judgement: unknown is neither hammered nor taken for the end",
)


def _local(token: str, verdict: Verdict, meaning: str, remedy: str, codes: tuple[int, ...] = ()) -> Rule:
    """Return the row of one local token: a defect is an error, the rest heals by itself."""
    defect = token == transport.DEFECT
    return Rule(
        name=token,
        codes=codes,
        texts=(token,),
        verdict=verdict,
        severity=Severity.ERROR if defect else Severity.WARNING,
        meaning=meaning,
        remedy=remedy,
        exit_code=ExitCode.SOFTWARE if defect else ExitCode.UNAVAILABLE,
        source="judgement: seen by stenod itself",
    )


LOCAL_RULES = (
    _local(
        transport.PING_DEADLINE,
        Verdict.RETRY,
        "The connection is dead: nothing answered our ping.",
        "stenod opens a new session and sends again what was not transcribed; if it recurs, look at the network.",
    ),
    _local(
        transport.SEND_DEADLINE,
        Verdict.RETRY,
        "The connection does not take our audio any more.",
        "stenod opens a new session and sends again what was not transcribed; if it recurs, the uplink is too slow.",
    ),
    _local(
        transport.STALLED,
        Verdict.RETRY,
        "The session was sent speech and said nothing at all.",
        "stenod sends the audio again, and asks the next provider where there is one; see the provider's status page.",
    ),
    _local(
        transport.DRAIN_DEADLINE,
        Verdict.BACKOFF,
        "The last words did not come in time after our goodbye.",
        "stenod sends again what was not transcribed; if it recurs, see the provider's status page.",
    ),
    _local(
        transport.OPENING_DEADLINE,
        Verdict.BACKOFF,
        "The session did not become ready in time.",
        "stenod tries again, later each time; if it stays, look at the network and the provider's status page.",
    ),
    _local(
        transport.CONNECTION_REFUSED,
        Verdict.BACKOFF,
        "The host is there, but nothing listens on that port.",
        "stenod tries again, later each time; check the endpoint, or start the server if it is your own.",
    ),
    _local(
        transport.NAME_NOT_RESOLVED,
        Verdict.BACKOFF,
        "The provider's host name cannot be resolved: most likely there is no network.",
        "stenod keeps recording and tries again; check the network, the name server and the endpoint.",
    ),
    # A machine without a battery clock boots in the past, where every certificate is not yet valid; that heals.
    _local(
        transport.TLS_FAILED,
        Verdict.BACKOFF,
        "No encrypted connection could be made: the certificate was not accepted, or something stands between.",
        "stenod tries again, later each time; check the system clock, the CA certificates, any proxy or login page.",
    ),
    _local(
        transport.UNREACHABLE,
        Verdict.BACKOFF,
        "There is no route to the provider.",
        "stenod keeps recording and tries again; check the network.",
    ),
    _local(
        transport.OVERSIZED,
        Verdict.BACKOFF,
        "The server sent a message that is larger than stenod takes, so stenod closed the session.",
        "stenod tries again, later each time; if it recurs, check the endpoint: no provider's messages are that large.",
        codes=(1009,),
    ),
    _local(
        transport.DEFECT,
        Verdict.BACKOFF,
        "An error in stenod itself ended the session.",
        "stenod tries again; if it recurs, it only records until restarted. Report the logged traceback.",
    ),
)


def judge(failure: Failure, rules: Sequence[Rule]) -> Rule:
    """Return the first rule that fits, text before code before HTTP status, or `UNKNOWN`."""
    text = failure.text.casefold().strip()
    if failure.local:
        token = text.partition(":")[0]
        for rule in LOCAL_RULES:
            if token in rule.texts:
                return rule
    elif failure.http_status is not None and text.startswith("<"):
        # A web page (a proxy's, a firewall's) is no sentence of the provider: any words may stand in it.
        text = ""
    eligible = [rule for rule in rules if rule.asked is None or rule.asked == failure.asked]
    if text:
        for rule in eligible:
            if any(fragment in text for fragment in rule.texts):
                return rule
    for rule in eligible:
        if not rule.texts and failure.close_code is not None and failure.close_code in rule.codes:
            return rule
    for rule in eligible:
        if not rule.texts and failure.http_status is not None and failure.http_status in rule.statuses:
            return rule
    return UNKNOWN
