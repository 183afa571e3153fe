"""Every row of the seeds, and what the protocols' pages mark as observed, said to a real stenod over a real socket.

What stands in a row is in `seeds`, read by a person. Each is said once by a server, to a process of its own; its
record and its log must have the row's verdict and rule, and what is fatal must end it with its code and remedy. What
`stenod codes` says of the same words and numbers is the same.
"""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from daemon import Stenod, stenod, together
from sayings import saying
from seeds import BY_NAME, ROWS, Row
from server import KEY

from stenod.codes import codes
from stenod.core.diagnosis import by_hand

pytestmark = [pytest.mark.real]

WORDED = ("error", "error-untyped", "close")
"""Kinds of faults that say the row's text and nothing else."""
AT_ONCE_MAX, START_APART_SECONDS = 6, 0.1
"""Each is a second of a processor; so more at a time are not sooner done."""

SHARED = Path(__file__).parents[3] / "shared"
"""Beside the project, where the seeds are at hand."""
NUMBER = re.compile(r"(?<![\d.:-])(?:1\d{3}|3\d{3}|4\d{3}|[45]\d\d|101)(?!\.?\d|[:-]\w|\s?ms)")
"""What has the looks of a close code or an HTTP status; table cells stand next to each other without a blank."""
TOKEN = re.compile(r"(?:NET|DATA)-\d{4}")
"""Deepgram's names for the ends of a session."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NAME)
@together
async def test_what_is_said_gets_its_verdict(place: Path, name: str) -> None:
    """The record has the code, the words and the verdict, the log has the rule, and a fatal one ends with its code."""
    row = BY_NAME[name]
    keys = {"ASSEMBLYAI_API_KEY": KEY, "DEEPGRAM_API_KEY": KEY}
    async with saying(row) as url:
        words = ("run", "--input", "sample", "--provider", row.provider, "--endpoint", url)
        async with stenod(place, *words, **keys) as daemon:
            await daemon.until(lambda one: ends(one) and one.log("session.ended"))
            ended, logged = ends(daemon)[0], daemon.log("session.ended")[0]
            assert (row.code, row.verdict, row.rule) == (ended["code"], ended["verdict"], logged["rule"]), logged
            assert row.provider == ended["provider"]
            if row.kind in WORDED:
                assert row.text in ended["reason"]
            if row.verdict == "fatal":
                assert row.exit_code == await daemon.end()
                (told,) = asked(row, row.rule)
                assert by_hand(told["remedy"]) in "\n".join(daemon.sentences)


def ends(daemon: Stenod) -> list[dict]:
    """Return the records of sessions that ended."""
    return [record for record in daemon.of("session") if record["event"] == "ended"]


def asked(row: Row, *words: str) -> list[dict]:
    """Return what `stenod codes --json` answers for the row's provider."""
    result = CliRunner().invoke(codes, ["--json", "--provider", row.provider, "--", *words])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", BY_NAME)
def test_codes_explains_it(name: str) -> None:
    """The number leads to the row, so do the words, alone and behind their number; the answer says the same verdict."""
    row = BY_NAME[name]
    if row.by != "words":
        assert row.rule in [one["name"] for one in asked(row, str(row.code))]
    texts = [f"{row.code} {row.text}", *([row.text] if row.by != "number" and not row.text.isdecimal() else [])]
    for text in texts:
        (told,) = asked(row, text)
        assert (row.rule, row.verdict) == (told["name"], told["verdict"]), text
        assert row.verdict != "fatal" or row.exit_code == told["exit_code"]


def test_the_names_are_unique() -> None:
    """No row hides another one."""
    assert len(ROWS) == len(BY_NAME)


def shared(name: str) -> str:
    """Return a seed's text by its number, or a protocol's page by its name; skip where they are not at hand."""
    if not (SHARED / "seeds").is_dir():
        pytest.skip("the seeds are not beside this checkout (../shared/seeds)")
    found = SHARED / "protocols" / name if name.endswith(".md") else next((SHARED / "seeds").glob(f"{name}_*.txt"))
    return found.read_text()


NO_CODES = {"101"}
"""The upgrade that is accepted."""


@pytest.mark.parametrize("seed", ["000", "001", "002", "003", "004"])
def test_no_code_of_a_seed_is_left_out(seed: str) -> None:
    """Every number that may be a code or a status, and every token, stands in a row of that seed."""
    text = shared(seed)
    rows = [row for row in ROWS if row.source == seed]
    there = {*NUMBER.findall(text), *TOKEN.findall(text)} - NO_CODES
    known = {str(row.code) for row in rows} | {token for row in rows for token in TOKEN.findall(row.words)}
    assert there
    assert set() == there - known


@pytest.mark.parametrize("source", sorted({row.source for row in ROWS}))
def test_the_words_stand_in_their_source(source: str) -> None:
    """No row says what nobody wrote: its words are those of the seed, and in a table its code stands before them."""
    text = " ".join(re.sub(r"[“”`]", "", shared(source)).split())
    for row in ROWS:
        if row.source == source:
            assert " ".join(row.words.split()).rstrip(".") in text, row
            assert str(row.code) in text or row.code >= 400, row
