"""What is found when a machine is examined, step by step: facts in, findings out, each with what to do.

Pure: `edge` brings the facts. A finding is good, odd (it works, but a person should know), wrong, or a step that was
not taken. The first one that is wrong gives the exit code. No finding ever holds a key.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stenod.core.gauge import Level
from stenod.core.loudness import Loudness
from stenod.core.printable import one_line
from stenod.core.verdict import ExitCode, Rule

GB = 1_000_000_000
HOURS_FEW = 1.0
"""An outage that lasts longer than this is nothing special."""
PRIVATE_MODE = 0o700
SKIPPED = "skipped: "
CERTIFICATES = (
    ("not yet valid", "the clock of this machine is behind", "set the system clock, e.g. `timedatectl set-ntp true`"),
    ("has expired", "it is out of date", "check the system clock; if that is right, the server must renew it"),
    ("hostname mismatch", "it is for another name", "check the endpoint, and any login page or proxy in between"),
    ("ip address mismatch", "it is for another address", "name the endpoint as the certificate does"),
    (
        "self-signed",
        "nobody known vouches for it",
        "for a server or proxy of your own set tls.ca_file to its authority",
    ),
    (
        "self signed",
        "nobody known vouches for it",
        "for a server or proxy of your own set tls.ca_file to its authority",
    ),
    ("local issuer", "its authority is not known here", "install ca-certificates, or set tls.ca_file to its authority"),
)
"""What OpenSSL says about a certificate, what that means, and what to do; tried with OpenSSL 3.0."""
NO_TLS = ("wrong version number", "record layer failure", "http request")
"""What it says where a server answers without TLS; the second is 3.2's."""
OF_THE_DAEMON = ("stenod ", "Nothing: stenod ", "the service ")
"""How clauses of a remedy begin that say what goes on by itself meanwhile."""
LATER = "Try again in a while."


class Mark(StrEnum):
    """How a step ended."""

    GOOD = "good"
    ODD = "odd"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step found."""

    mark: Mark
    text: str
    remedy: str = ""
    exit_code: int = ExitCode.OK
    """Of what is wrong."""

    def __str__(self) -> str:
        return f"{self.text}; {self.remedy}" if self.remedy else self.text


def good(text: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(Mark.GOOD, text)


def odd(text: str, remedy: str) -> Finding:
    """Return one that a person should know of."""
    return Finding(Mark.ODD, text, remedy)


def wrong(text: str, remedy: str = "", exit_code: int = ExitCode.UNAVAILABLE) -> Finding:
    """Return one that a person must act upon; the text may end with the remedy already."""
    return Finding(Mark.WRONG, text, remedy, exit_code)


def skipped(reason: str) -> Finding:
    """Return that a step was not taken."""
    return Finding(Mark.SKIPPED, SKIPPED + reason)


def exit_code(findings: Iterable[Finding]) -> int:
    """Return that of the first one that is wrong, or 0."""
    return next((one.exit_code for one in findings if one.mark is Mark.WRONG), ExitCode.OK)


def joined(findings: Sequence[Finding]) -> Finding:
    """Return several as one: the worst one's mark and code, and each one's words where they differ from good."""
    order = (Mark.WRONG, Mark.ODD, Mark.SKIPPED, Mark.GOOD)
    worst = min(findings, key=lambda one: order.index(one.mark))
    telling = [one for one in findings if one.mark is not Mark.GOOD] or findings
    return Finding(worst.mark, "\n".join(map(str, telling)), exit_code=exit_code(findings))


def of_failure(rule: Rule, text: str) -> Finding:
    """Return what the verdict table says of a failure; `text` is what was observed, in anybody's words."""
    text = one_line(text)
    if rule.name == "tls" and any(one in text.casefold() for one in NO_TLS):
        remedy = "name the endpoint with ws:// instead of wss://, or another port"
        return wrong(f"No TLS is spoken there ({text})", remedy, rule.exit_code)
    for fragment, meaning, remedy in CERTIFICATES:
        if fragment in text.casefold() and rule.name == "tls":
            return wrong(f"The server's certificate was not accepted: {meaning} ({text})", remedy, rule.exit_code)
    said = f" ({text})" if text else ""
    return wrong(f"{rule.meaning}{said} {by_hand(rule.remedy)}", exit_code=rule.exit_code)


def by_hand(remedy: str) -> str:
    """Return what a person can do, of a remedy that also says what the daemon does meanwhile: here is none."""
    own = "; ".join(one for one in remedy.split("; ") if not one.startswith(OF_THE_DAEMON))
    return f"{own[0].upper()}{own[1:].removesuffix('.')}." if own else LATER


def of_level(loudness: Loudness, *, live: bool = True) -> Finding:
    """Return what a second of audio says about its source; one that is not `live` may begin in silence."""
    figures = f"level {loudness.level_db:.0f} dB, peak {loudness.peak_db:.0f} dB"
    if not live and loudness.sound in (Level.MUTED, Level.QUIET):
        return odd(f"it begins very quiet, {figures}", "fine if it becomes louder")
    match loudness.sound:
        case Level.MUTED:
            return wrong(
                "exact zeros: the microphone is muted, or nothing is plugged in",
                "unmute it in the mixer or with its switch, and look at `stenod devices --watch`",
                ExitCode.NO_INPUT,
            )
        case Level.CLIPPING:
            return odd(
                f"clipping ({loudness.clipped_share:.1%} of it is at full scale), {figures}",
                "turn the microphone's gain down",
            )
        case Level.QUIET:
            return odd(
                f"very quiet, {figures}",
                "fine if nobody spoke; otherwise turn its gain up, or find the right one with `stenod devices --watch`",
            )
        case Level.GOOD:
            return good(figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A state directory as it was found."""

    path: str
    exists: bool
    mode: int = PRIVATE_MODE
    holder: int | None = None
    """The process that runs there, 0 where its number is not known."""
    foreign: bool = False
    """It holds other files than ours."""
    trouble: str = ""
    """What the system says to a trial of writing there; it is not tried where somebody runs."""
    remedy: str = ""
    """What to do about that."""
    free_bytes: int = 0

    @property
    def in_use(self) -> bool:
        """Whether somebody runs there."""
        return self.holder is not None


def of_directory(found: Directory, *, temporary: bool) -> Finding:
    """Return whether a journal can live there; `temporary`: it is only where temporary ones are made."""
    if found.in_use:
        who = f"process {found.holder}" if found.holder else "a process"
        return good(f"{found.path} is in use by a running stenod ({who}), so it was only looked at")
    if found.foreign and not temporary:  # beside temporary ones there are others, and what they left
        remedy = "name one of its own with --state-dir"
        return wrong(f"{found.path} holds other files", remedy, ExitCode.CANNOT_CREATE)
    if found.trouble:
        return wrong(f"{found.path} cannot be written: {found.trouble}", found.remedy, ExitCode.CANNOT_CREATE)
    if temporary:
        return good(f"a temporary one in {found.path}; --state-dir keeps the journal from run to run")
    if not found.exists:
        return good(f"{found.path} will be made")
    if found.mode != PRIVATE_MODE:
        return odd(f"{found.path} is open to others, its mode is {found.mode:04o}", f"`chmod 700 {found.path}`")
    return good(f"{found.path} can be written, its mode is 0700")


def of_disk(
    free_bytes: int, *, bytes_a_second: int, floor_bytes: int, audio_bytes_max: int, hours_max: float
) -> Finding:
    """Return how much audio fits beside what is stored, within the journal's limits."""
    room = free_bytes - floor_bytes
    free = f"{free_bytes / GB:.2f} GB are free"
    if room <= 0:
        text = f"{free}, and {floor_bytes / GB:.2f} GB must stay free (journal.free_bytes_min): no audio can wait"
        return wrong(text, "make room, or put the journal elsewhere with --state-dir", ExitCode.CANNOT_CREATE)
    limits = {
        "of the disk": room / bytes_a_second / 3600.0,
        "of journal.audio_bytes_max": audio_bytes_max / bytes_a_second / 3600.0,
        "of journal.audio_hours_max": hours_max,
    }
    which = min(limits, key=lambda name: limits[name])
    text = f"{free}: {limits[which]:.1f} hours of audio can wait, the limit {which}"
    if limits[which] < HOURS_FEW:
        return odd(text, "make room, so that a longer outage loses nothing")
    return good(text)


def of_clock(*, synchronised: bool | None) -> Finding:
    """Return what it means whether the system clock was set by a reference; None: nobody here can say."""
    if synchronised is None:
        return skipped(
            "nobody here may say whether the clock is synchronised; on the machine itself `timedatectl` does"
        )
    if synchronised:
        return good("the system clock is synchronised")
    return odd(
        "the system clock is not synchronised: lines may say a wrong time of day",
        "`timedatectl set-ntp true`, or install chrony",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit as systemd tells it, in its own words."""

    name: str
    active: str
    sub: str
    enabled: str
    result: str = ""
    status: str = ""
    """The exit status of its last process."""
    text: str = ""
    """What the service says of itself."""
    user: bool = False

    @property
    def whose(self) -> str:
        """Its name, and that it is the user's where it is: there may be two of one name."""
        return f"{self.name} (--user)" if self.user else self.name

    @property
    def command(self) -> str:
        """How its manager is spoken to."""
        return "systemctl --user" if self.user else "systemctl"


def of_units(units: Sequence[Unit] | None) -> Finding:
    """Return whether stenod runs as a service; None: there is no systemd."""
    if units is None:
        return skipped("no systemd here; whatever starts stenod should start it again when it ends")
    if not units:
        return skipped("no unit is installed; systemd/README.md says how to run it as a service")
    return joined([_of_unit(unit) for unit in units])


def _of_unit(unit: Unit) -> Finding:
    if unit.active == "failed" or (unit.active == "activating" and unit.sub == "auto-restart"):
        text = f"{unit.whose} has failed ({unit.result}, exit status {unit.status})"
        log = "journalctl --user" if unit.user else "journalctl"
        return wrong(text, f"`{log} -u {unit.name} -n 50` says why", ExitCode.UNAVAILABLE)
    if unit.active == "activating":
        return odd(f"{unit.whose} is starting", f"`{unit.command} status {unit.name}` says how far it is")
    if unit.active != "active":
        return odd(f"{unit.whose} is installed, but {unit.active}", f"`{unit.command} enable --now {unit.name}`")
    said = f": {unit.text}" if unit.text else ""
    if unit.enabled == "disabled":
        return odd(f"{unit.whose} runs, but not after a reboot", f"`{unit.command} enable {unit.name}`")
    return good(f"{unit.whose} is {unit.active} ({unit.sub}){said}")
