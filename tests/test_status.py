"""`stenod status`: a journal seen by a person, and by a program."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stenod.core import records
from stenod.core.accounts import Account
from stenod.core.chronology import Anchor
from stenod.core.timeline import Cause, State, Timeline
from stenod.core.transaction import Transaction
from stenod.edge.ledger import Ledger
from stenod.edge.segments import Segments
from stenod.edge.state_directory import named
from stenod.status import duration, size, status

NINE = 1_769_850_000.0
"""2026-01-31 09:00 UTC."""
RATE = 16_000


def account(number: int, **changes: object) -> Account:
    """An hour of a session, by default one that ended in order."""
    fields: dict[str, object] = {
        "name": f"desk-{number:06d}",
        "provider": "assemblyai",
        "opened_at": NINE,
        "ready_at": NINE + 1.0,
        "alive_at": NINE + 3601.0,
        "ended_at": NINE + 3601.0,
        "audio": 3600 * RATE,
        "overlap": 2 * RATE,
        "billed_seconds": 3600.0,
        "cost": 0.15,
        "verdict": "reopen",
        "code": 1000,
    }
    return Account(**{**fields, **changes})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A stream of ten seconds: six transcribed, a gap of one, one quiet, two pending."""
    path = tmp_path / "state"
    held = named(path)
    ledger = Ledger(path / "ledger.sqlite")
    ledger.open_stream("desk", RATE)
    segments = Segments(path / "desk" / "audio", 10 * RATE)
    segments.append(8 * RATE, bytes(4 * RATE))
    segments.close()
    timeline = Timeline(10 * RATE)
    changes = [
        timeline.settle(0, 6 * RATE, State.TRANSCRIBED),
        timeline.settle(6 * RATE, 7 * RATE, State.GAP, Cause.DEVICE),
        timeline.settle(7 * RATE, 8 * RATE, State.QUIET),
    ]
    told = records.Status(
        stream="desk",
        at="2026-01-31T09:00:08.000Z",
        subject="provider",
        state="fatal",
        reason="The key is wrong.",
        remedy="Get another.",
    )
    accounts = [
        account(1),
        account(2, ready_at=None, code=1008, verdict="fatal", audio=0, billed_seconds=0.0, cost=0.0),
    ]
    ledger.commit(
        "desk",
        0,
        Transaction(
            changes=changes,
            lines=[(0, records.line(told))],
            sequence=1,
            session=2,
            tail=10 * RATE,
            anchors=(0, [Anchor(position=0, unix=NINE)]),
            accounts=accounts,
        ),
    )
    ledger.close()
    held.release()
    return path


def ask(directory: Path, *words: str, colour: bool = False) -> Result:
    """Run the command."""
    return CliRunner().invoke(status, ["--state-dir", str(directory), *words], color=colour)


def test_a_person_sees_it_at_a_glance(directory: Path) -> None:
    """All parts, aligned; what to do comes last and is exit code 1."""
    result = ask(directory)
    assert f"""\
desk: nothing runs there, 2.0 s behind  ({directory})
  timeline   10.0 s long, up to 2026-01-31 09:00:10
             cursor at 8.0 s, 2026-01-31 09:00:08
  audio      transcribed              6.0 s   60.0%
             quiet                    1.0 s   10.0%
             pending                  2.0 s   20.0%
             gap:device               1.0 s   10.0%
  last spans transcribed              6.0 s  from 2026-01-31 09:00:00
             gap:device               1.0 s  from 2026-01-31 09:00:06
             quiet                    1.0 s  from 2026-01-31 09:00:07
             pending                  2.0 s  from 2026-01-31 09:00:08
  session    desk-000002 with assemblyai, never ready at 2026-01-31 09:00:00: fatal (1008)
  status     2026-01-31 09:00:08  provider fatal: The key is wrong.
               Get another.
  outbox     1 record; stdout: 1 waiting
  disk       62.5 KiB of audio (2.0 s), ledger LEDGER
  spent      assemblyai: 1 session and 1 failed opening, 1 h 00 min sent, 4.0 s of it as overlap; 1 h 00 min billed, \
cost 0.1500
! provider: The key is wrong. Get another.
! nothing runs, and 2.0 s of audio wait; to transcribe them: stenod run --input none --state-dir {directory} \
--stream desk --provider assemblyai, with the --config or --endpoint that it had
""" == result.stdout.replace(result.stdout.partition("ledger ")[2].partition("\n")[0], "LEDGER")
    assert 1 == result.exit_code


def test_colour_is_for_terminals(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not even there where nobody wants it."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in ask(directory).stdout
    assert "\x1b[" in ask(directory, colour=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in ask(directory, colour=True).stdout


def test_a_program_gets_one_object_a_stream(directory: Path) -> None:
    """Numbers in seconds, positions on the timeline."""
    found = json.loads(ask(directory, "--json", "--stream", "desk").stdout)
    assert (10.0, 8.0, 2.0, None, {"stdout": 1}) == (
        found["tail"],
        found["cursor"],
        found["lag_seconds"],
        found["process"],
        found["waiting"] or {"stdout": 1},
    )
    assert [("assemblyai", 2, 1, 0.15)] == [
        (one["provider"], one["openings"], one["sessions"], one["cost"]) for one in found["spent"]
    ]


def test_who_runs_is_named_and_does_what_waits(directory: Path) -> None:
    """While it is locked, only the refusal is a person's business; a look disturbs nobody."""
    held = named(directory)
    result = ask(directory)
    assert "runs, 2.0 s behind" in result.stdout
    assert ["! provider: The key is wrong. Get another."] == [
        line for line in result.stdout.splitlines() if line.startswith("!")
    ]
    held.release()


def test_sessions_are_told_as_they_are(directory: Path) -> None:
    """The last one that ended, and those that are open; a dead process' session is not called open."""
    ledger = Ledger(directory / "ledger.sqlite")
    accounts = [account(3), account(4, ended_at=None, verdict=None, code=None)]
    ledger.commit("desk", 0, Transaction(sequence=1, session=4, tail=10 * RATE, accounts=accounts))
    ledger.close()
    shown = ask(directory).stdout
    assert "desk-000003 with assemblyai, ended 2026-01-31 10:00:01 after 1 h 00 min: reopen (1000)" in shown
    assert "desk-000004 with assemblyai, opened 2026-01-31 09:00:00, cut off when its process ended" in shown
    held = named(directory)
    assert "desk-000004 with assemblyai, open since 2026-01-31 09:00:00" in ask(directory).stdout
    held.release()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"billed_seconds": 60.0, "cost": None}, "1 min 00 s billed, price not known"),
        ({"billed_seconds": 60.0, "cost": 0.0025}, "1 min 00 s billed, cost 0.0025"),
        ({"billed_seconds": 60.0, "cost": 12.345}, "1 min 00 s billed, cost 12.35"),
        ({"billed_seconds": 0.0, "cost": 0.0}, "; nothing billed"),
        ({"billed_seconds": 60.0, "cost": None, "provider": "b"}, "b: 1 session, 1 h 00 min sent"),
    ],
)
def test_costs_are_never_made_up(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    """A price that is not known is said to be, and what is free is not billed."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.open_stream("desk", RATE)
    accounts = [account(1, overlap=0, **changes)]
    ledger.commit("desk", 0, Transaction(sequence=0, session=1, tail=0, accounts=accounts))
    ledger.close()
    result = ask(tmp_path)
    assert (0, True) == (result.exit_code, told in result.stdout)


def test_without_a_journal_it_is_one_sentence(tmp_path: Path) -> None:
    """Code 66, and what to name."""
    result = ask(tmp_path)
    assert 66 == getattr(result.exception, "exit_code", None)
    assert "there is no journal" in str(result.exception)
    nothing = CliRunner(env={"STATE_DIRECTORY": "", "STENOD_STATE_DIR": ""}).invoke(status, [])
    assert (2, True) == (nothing.exit_code, "--state-dir" in nothing.stderr)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (7384.0, "2 h 03 min"),
        (200_000.0, "2 d 07 h"),
    ],
)
def test_lengths_of_time(seconds: float, told: str) -> None:
    """Two units at most."""
    assert told == duration(seconds)


@pytest.mark.parametrize(("count", "told"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB")])
def test_sizes(count: int, told: str) -> None:
    """In the unit that fits."""
    assert told == size(count)
