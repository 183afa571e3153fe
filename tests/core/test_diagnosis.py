"""What facts mean: a mark, a sentence, and the remedy in it."""

import re

import pytest

from stenod.core import diagnosis, transport
from stenod.core.diagnosis import Directory, Finding, Mark, Unit, good, odd, skipped, wrong
from stenod.core.loudness import SILENCE, Loudness
from stenod.core.verdict import LOCAL_RULES, Failure, Phase, judge
from stenod.providers.standard_rules import STANDARD_RULES
from stenod.services import SERVICES

HOUR_BYTES = 3600 * 32000
LIMITS = {"bytes_a_second": 32000, "floor_bytes": 200_000_000, "audio_bytes_max": 4_000_000_000, "hours_max": 168.0}


def test_the_first_that_is_wrong_gives_the_code() -> None:
    """What is odd or was not tried gives none."""
    assert 0 == diagnosis.exit_code([good("a"), odd("b", "c"), skipped("no network")])
    assert 77 == diagnosis.exit_code([odd("b", "c"), wrong("d", "e", 77), wrong("f", "g", 66)])


def test_several_are_as_bad_as_the_worst() -> None:
    """What is fine is not told beside what is not."""
    both = diagnosis.joined([good("fine"), odd("strange", "look"), wrong("broken", "mend", 78)])
    assert (Mark.WRONG, 78, "strange; look\nbroken; mend") == (both.mark, both.exit_code, both.text)
    assert good("one\ntwo") == diagnosis.joined([good("one"), good("two")])


@pytest.mark.parametrize(
    ("loudness", "mark", "told"),
    [
        (SILENCE, Mark.WRONG, "muted, or nothing is plugged in; unmute it"),
        (Loudness(-70.0, -61.0, 0.0), Mark.ODD, "very quiet, level -70 dB, peak -61 dB; fine if nobody spoke"),
        (Loudness(-3.0, 0.0, 0.02), Mark.ODD, "clipping (2.0% of it is at full scale)"),
        (Loudness(-30.0, -12.0, 0.0), Mark.GOOD, "level -30 dB, peak -12 dB"),
    ],
)
def test_levels(loudness: Loudness, mark: Mark, told: str) -> None:
    """Each with what to do."""
    found = diagnosis.of_level(loudness)
    assert mark is found.mark
    assert told in str(found)
    assert (66 if mark is Mark.WRONG else 0) == found.exit_code


def test_a_recording_may_begin_in_silence() -> None:
    """Nothing is muted then."""
    found = diagnosis.of_level(SILENCE, live=False)
    assert (Mark.ODD, 0) == (found.mark, found.exit_code)
    assert "muted" not in str(found)
    assert Mark.GOOD is diagnosis.of_level(Loudness(-30.0, -12.0, 0.0), live=False).mark


@pytest.mark.parametrize(
    ("said", "meaning", "remedy"),
    [
        ("certificate verify failed: certificate is not yet valid", "clock of this machine is behind", "timedatectl"),
        ("certificate verify failed: certificate has expired", "it is out of date", "check the system clock"),
        ("certificate verify failed: self-signed certificate", "nobody known vouches", "tls.ca_file"),
        ("certificate verify failed: self signed certificate in certificate chain", "nobody known", "tls.ca_file"),
        ("certificate verify failed: Hostname mismatch, certificate is not valid for 'x'", "another name", "endpoint"),
        ("certificate verify failed: unable to get local issuer certificate", "authority is not known", "ca-certific"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "No TLS is spoken there (", "ws:// instead of wss://"),
        ("EOF occurred in violation of protocol", "something stands between", "Check the system clock"),
    ],
)
def test_trouble_with_a_certificate_is_named(said: str, meaning: str, remedy: str) -> None:
    """What OpenSSL says, in words; anything else is what the verdict table says."""
    text = f"{transport.TLS_FAILED}: no trusted connection to example.com: {said}"
    found = diagnosis.of_failure(judge(Failure(phase=Phase.OPENING, text=text, local=True), ()), text)
    assert meaning in found.text
    assert remedy in str(found)
    assert 69 == found.exit_code


EVERY_RULE = {
    rule.name: rule
    for rules in (LOCAL_RULES, STANDARD_RULES, *(service.rules for service in SERVICES.values()))
    for rule in rules
}


@pytest.mark.parametrize("name", sorted(EVERY_RULE))
def test_a_remedy_is_a_persons(name: str) -> None:
    """No daemon runs that would do anything: whatever the tables say, what is told is a sentence for who reads it."""
    told = diagnosis.by_hand(EVERY_RULE[name].remedy)
    assert told[0].isupper()
    assert told.endswith(".")
    daemon = re.compile(r"stenod (tries|opens|keeps|waits|sends|makes|replaces)|keeps recording|by itself|from now on")
    assert None is daemon.search(told)


def test_the_daemons_part_is_left_out() -> None:
    """Before, behind, or all of it."""
    assert "Check the network." == diagnosis.by_hand("stenod keeps recording and tries again; check the network.")
    assert "Add funds." == diagnosis.by_hand("Add funds; the service keeps recording and tries again by itself.")
    assert diagnosis.LATER == diagnosis.by_hand("Nothing: stenod tries again, later each time.")


def test_a_refusal_is_what_the_table_says() -> None:
    """With what was observed, and its exit code; an unknown one too."""
    found = diagnosis.of_failure(judge(Failure(phase=Phase.OPENING, text="oh"), ()), "oh")
    assert "A failure that is not in the table. (oh) If it stays, look at the provider's status page." == found.text
    foreign = diagnosis.of_failure(judge(Failure(phase=Phase.OPENING, text="oh\n\x1b[2J"), ()), "oh\n\x1b[2J")
    assert r"(oh\n\x1b[2J)" in foreign.text
    text = "the token has expired"
    assert "certificate" not in diagnosis.of_failure(judge(Failure(phase=Phase.OPENING, text=text), ()), text).text


@pytest.mark.parametrize(
    ("found", "temporary", "mark", "told"),
    [
        (Directory(path="/s", exists=True), False, Mark.GOOD, "/s can be written, its mode is 0700"),
        (Directory(path="/s", exists=False, mode=0o755), False, Mark.GOOD, "/s will be made"),
        (Directory(path="/s", exists=True, mode=0o755), True, Mark.GOOD, "a temporary one in /s; --state-dir keeps"),
        (Directory(path="/s", exists=True, mode=0o755), False, Mark.ODD, "its mode is 0755; `chmod 700 /s`"),
        (Directory(path="/s", exists=True, holder=12), False, Mark.GOOD, "in use by a running stenod (process 12)"),
        (Directory(path="/s", exists=True, holder=0, mode=0o755), False, Mark.GOOD, "(a process), so it was only"),
        (Directory(path="/s", exists=True, foreign=True), True, Mark.GOOD, "a temporary one in /s; --state-dir keeps"),
        (Directory(path="/s", exists=True, foreign=True), False, Mark.WRONG, "other files; name one of its own"),
        (
            Directory(path="/s", exists=True, trouble="Permission denied", remedy="let its user write it"),
            False,
            Mark.WRONG,
            "/s cannot be written: Permission denied; let its user write it",
        ),
        (
            Directory(path="/s", exists=True, trouble="No space left on device", remedy="make room"),
            True,
            Mark.WRONG,
            "No space left on device; make room",
        ),
    ],
)
def test_state_directories(found: Directory, temporary: bool, mark: Mark, told: str) -> None:
    """One that somebody uses is not wrong."""
    finding = diagnosis.of_directory(found, temporary=temporary)
    assert mark is finding.mark
    assert told in str(finding)
    assert (73 if mark is Mark.WRONG else 0) == finding.exit_code


@pytest.mark.parametrize(
    ("free", "mark", "told"),
    [
        (10**12, Mark.GOOD, "34.7 hours of audio can wait, the limit of journal.audio_bytes_max"),
        (200_000_000 + 5 * HOUR_BYTES, Mark.GOOD, "5.0 hours of audio can wait, the limit of the disk"),
        (200_000_000 + HOUR_BYTES // 2, Mark.ODD, "0.5 hours"),
        (200_000_000, Mark.WRONG, "0.20 GB are free, and 0.20 GB must stay free"),
        (0, Mark.WRONG, "no audio can wait; make room"),
    ],
)
def test_disks(free: int, mark: Mark, told: str) -> None:
    """The narrowest limit is the one that counts."""
    found = diagnosis.of_disk(free, **LIMITS)
    assert mark is found.mark
    assert told in str(found)
    hours = diagnosis.of_disk(10**15, **(LIMITS | {"audio_bytes_max": 10**15}))
    assert "168.0 hours of audio can wait, the limit of journal.audio_hours_max" in hours.text


def test_clocks() -> None:
    """One that nobody set is odd, not wrong; one of which nobody knows is not praised."""
    assert Mark.GOOD is diagnosis.of_clock(synchronised=True).mark
    unknown = diagnosis.of_clock(synchronised=None)
    assert Mark.SKIPPED is unknown.mark
    assert "on the machine itself `timedatectl` does" in unknown.text
    assert "timedatectl" in diagnosis.of_clock(synchronised=False).remedy


def unit(**fields: object) -> Unit:
    """Return one that is as it should be, but for these."""
    return Unit(**({"name": "stenod", "active": "active", "sub": "running", "enabled": "enabled"} | fields))


@pytest.mark.parametrize(
    ("units", "mark", "told"),
    [
        (None, Mark.SKIPPED, "no systemd here"),
        ([], Mark.SKIPPED, "no unit is installed"),
        ([unit(text="live")], Mark.GOOD, "stenod is active (running): live"),
        ([unit(enabled="disabled")], Mark.ODD, "not after a reboot; `systemctl enable stenod`"),
        ([unit(active="inactive", sub="dead", user=True)], Mark.ODD, "`systemctl --user enable --now stenod`"),
        (
            [unit(active="failed", sub="failed", result="exit-code", status="78")],
            Mark.WRONG,
            "has failed (exit-code, exit status 78); `journalctl -u stenod -n 50` says why",
        ),
        ([unit(active="activating", sub="auto-restart", user=True)], Mark.WRONG, "`journalctl --user -u stenod"),
        ([unit(active="activating", sub="start")], Mark.ODD, "stenod is starting; `systemctl status stenod` says how"),
        (
            [unit(), unit(user=True)],
            Mark.GOOD,
            "stenod is active (running)\nstenod (--user) is active (running)",
        ),
    ],
)
def test_units(units: list[Unit] | None, mark: Mark, told: str) -> None:
    """Where there is none, a hint."""
    found = diagnosis.of_units(units)
    assert mark is found.mark
    assert told in str(found)


def test_a_sentence_ends_with_its_remedy() -> None:
    """Where there is one."""
    assert "broken; mend it" == str(Finding(Mark.WRONG, "broken", "mend it"))
    assert "fine" == str(good("fine"))
