"""`stenod doctor`: how it looks on a terminal, in a pipe, in ASCII and as JSON; what it finds is `test_examination`."""

import io
import json

import pytest
from click.testing import CliRunner

from stenod.core.diagnosis import Finding, Mark, good, odd, skipped, wrong
from stenod.doctor import Sheet, doctor
from stenod.examination import Examined, Step

CLEAN = {"HOME": "/nonexistent", "XDG_CONFIG_HOME": None, "ASSEMBLYAI_API_KEY": None, "STATE_DIRECTORY": None}
CLEAN |= {"CREDENTIALS_DIRECTORY": None, "NOTIFY_SOCKET": None, "INVOCATION_ID": None, "STENOD_TEST_ALL": None}


class Paper(io.TextIOWrapper):
    """A stream with an encoding, that may be a terminal."""

    def __init__(self, encoding: str, *, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._terminal = terminal

    def isatty(self) -> bool:
        """Say whether somebody watches."""
        return self._terminal

    @property
    def text(self) -> str:
        """What was written."""
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


async def nothing() -> Finding:
    """Never run here."""
    raise NotImplementedError


def step(name: str, of: str = "") -> Step:
    """Return one."""
    return Step(name=name, of=of, waiting=f"waiting for {name}", examine=nothing)


FOUND = [
    (step("configuration"), good("fine")),
    (step("key", "deepgram"), odd("it is long", "copy it")),
    (step("session", "deepgram"), wrong("Müll\nsecond", "mend it", 77)),
    (step("clock"), skipped("no time")),
]


def sheet(encoding: str = "utf-8", *, terminal: bool = False, **how: bool) -> str:
    """Return what a walk looks like."""
    paper = Paper(encoding, terminal=terminal)
    shown = Sheet(paper, **how)
    shown.expect([one for one, _ in FOUND])
    for one, finding in FOUND:
        shown.begin(one)
        shown.end(Examined(one, finding))
    shown.finish(77)
    return paper.text


def test_a_pipe_gets_plain_lines() -> None:
    """No colour, nothing that was erased; more lines of one step stand below it."""
    assert sheet().splitlines() == [
        "✓ configuration  fine",
        "! key            it is long; copy it",
        "✗ session        Müll",
        "                 second; mend it",
        "- clock          skipped: no time",
    ]


def test_an_encoding_without_signs_has_words() -> None:
    """And what it cannot say becomes a question mark, not an error."""
    assert sheet("ascii").splitlines() == [
        "ok configuration  fine",
        "!! key            it is long; copy it",
        "NO session        M?ll",
        "                  second; mend it",
        "-- clock          skipped: no time",
    ]


def test_a_terminal_shows_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place, no wider than it is; the signs have colours."""
    monkeypatch.setenv("COLUMNS", "24")
    text = sheet(terminal=True)
    assert "\r\x1b[K  key            waitin\r\x1b[K" in text
    assert "\x1b[32m✓\x1b[0m configuration  fine\n" in text
    assert "\x1b[31m✗\x1b[0m session" in text
    assert text.endswith("\r\x1b[K")


def test_a_foreign_text_moves_no_terminal() -> None:
    """Whoever said it; the sign keeps its colour, our lines their ends."""
    paper = Paper("utf-8", terminal=True)
    shown = Sheet(paper)
    shown.expect([FOUND[2][0]])
    shown.end(Examined(FOUND[2][0], wrong("said \x1b[2Jthis\x00\nand\rthat", "mend it", 77)))
    assert "\x1b[31m✗\x1b[0m session  said \\x1b[2Jthis\\x00\n           and\\rthat; mend it\n" in paper.text
    assert 4 == paper.text.count("\x1b") + paper.text.count("\r")


def test_a_terminal_that_can_do_nothing_is_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """TERM=dumb, as editors have it."""
    monkeypatch.setenv("TERM", "dumb")
    assert sheet() == sheet(terminal=True)


def test_who_wants_no_colour_gets_none() -> None:
    """NO_COLOR."""
    assert "\x1b[3" not in sheet(terminal=True, plain=True)


def test_json_is_one_object() -> None:
    """With each finding."""
    told = json.loads(sheet(terminal=True, as_json=True))
    assert (False, 77) == (told["ok"], told["exit_code"])
    assert {
        "step": "session",
        "of": "deepgram",
        "mark": "wrong",
        "text": "Müll\nsecond",
        "remedy": "mend it",
        "exit_code": 77,
    } == told["findings"][2]


def test_a_provider_is_named_where_there_are_several() -> None:
    """Otherwise it is clear."""
    paper = Paper("utf-8", terminal=False)
    shown = Sheet(paper)
    steps = [step("key", "deepgram"), step("key", "assemblyai"), step("clock")]
    shown.expect(steps)
    for one in steps:
        shown.end(Examined(one, good("fine")))
    assert paper.text.splitlines() == [
        "✓ key of deepgram    fine",
        "✓ key of assemblyai  fine",
        "✓ clock              fine",
    ]


def test_a_wrong_configuration_is_told_and_nothing_is_tried() -> None:
    """All that is wrong; exit code 78."""
    result = CliRunner().invoke(doctor, ["--stream", "a b", "--rate", "1", "--json"], env=CLEAN)
    assert 78 == result.exit_code
    found = {one["step"]: one for one in json.loads(result.stdout)["findings"]}
    assert Mark.WRONG == found["configuration"]["mark"]
    assert ["stream", "capture.input_rate"] == [
        line.partition(":")[0] for line in found["configuration"]["text"].splitlines()
    ]
    for name in ("session", "audio", "level", "state", "disk"):
        assert "skipped: no configuration" == found[name]["text"]
    assert "skipped: no configuration" != found["clock"]["text"]
