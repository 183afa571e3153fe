"""The documents say what the code has: records, causes, codes, options, commands and files that they name."""

import inspect
import re
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest

from stenod import cli
from stenod.config import load, option_paths
from stenod.core import records
from stenod.core.liveness import WARM_PAUSE_SECONDS
from stenod.core.timeline import Cause
from stenod.core.verdict import ExitCode
from stenod.options import PacerOptions
from stenod.providers.assemblyai_v2_rules import SENTENCE_RULES
from stenod.providers.billing import Billing, Measure
from stenod.providers.deepgram import Deepgram, DeepgramOptions
from stenod.providers.deepgram_flux_rules import FLUX_RULES
from stenod.providers.deepgram_rules import RULES as DEEPGRAM_RULES
from stenod.providers.standard_rules import STANDARD_RULES
from stenod.services import SERVICES
from stenod.tasks.hush import HOLD_SECONDS, QuietPolicy

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ARCHITECTURE = ROOT / "daemon" / "ARCHITECTURE.md"
DOCUMENTS = [ROOT / "README.md", ARCHITECTURE, *(ROOT / "config").rglob("*.md"), *(ROOT / "systemd").glob("*.md")]
MESSAGE_SECONDS = 1.0
"""Deepgram says something for each second of audio: that is how often interim results come."""
LINES_MAX = 150
"""Of the architecture."""
LINE = records.Final | records.Partial | records.Gap | records.Session | records.Revision | records.Status


def lines(text: str, first: str) -> list[str]:
    """Return a table's rows; `first` is its first heading."""
    _, _, rest = text.partition(f"| {first} |")
    return rest.partition("\n\n")[0].splitlines()[2:]


def rows(text: str, first: str) -> dict[str, str]:
    """Return a table's rows, first cell to the rest; `first` is its first heading."""
    return {row.strip("|").partition("|")[0].strip(" `"): row for row in lines(text, first)}


def invocations(text: str) -> Iterator[list[str]]:
    """Return the words of each stenod command that a text shows, the name itself left out."""
    literal = [line for block in re.findall(r"\x08\n((?:.+\n?)+)", text) for line in block.splitlines()]
    indented = [line for line in text.splitlines() if line.startswith("    ")]
    for line in (*literal, *indented, *re.findall(r"`(stenod [^`\n]*)`", text)):
        for part in re.split(r"\||&&|;", line.partition("  #")[0]):
            words = part.partition(" > ")[0].split()
            if "stenod" in words:
                yield words[words.index("stenod") + 1 :]


def unknown(words: list[str], group: click.Group = cli.stenod) -> str:
    """Return what of a command there is not; empty for one that there is."""
    if not words or words[0].startswith("-"):
        return ""
    command = group.get_command(click.Context(group), words[0])
    if command is None:
        return words[0]
    if isinstance(command, click.Group):
        return unknown(words[1:], command)
    known = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)} | {"--help"}
    return " ".join(word for word in words[1:] if word.startswith("--") and word.partition("=")[0] not in known)


def test_the_example_line_is_a_final_with_every_field() -> None:
    """A reader may write a program by it."""
    (line,) = re.findall(r"```json\n(.*)\n```", README)
    final = msgspec.json.decode(line, type=LINE, strict=True)
    assert isinstance(final, records.Final)
    assert line.encode() + b"\n" == records.line(final)


def test_the_table_of_records_has_each_type() -> None:
    """And no other; with each cause of a gap."""
    told = rows(README, "type")
    assert {kind.__struct_config__.tag for kind in get_args(LINE)} == set(told)
    causes = re.findall(r"`([a-z]+)`", told["gap"].partition("why:")[2].partition(";")[0])
    assert [cause.value for cause in Cause] == causes


def test_the_help_has_each_exit_code() -> None:
    """Of `stenod run`, since a service manager may act on them."""
    told = cli.run.get_help(click.Context(cli.run)).partition("Exit codes:")[2].partition("Options:")[0]
    values = {value for name, value in vars(ExitCode).items() if name.isupper()}
    assert values == {int(number) for number in re.findall(r"\b(\d+) ", told)}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_names_is_there(path: Path) -> None:
    """Commands with their options, options of the configuration, and files."""
    text = path.read_text()
    assert [words for words in invocations(text) if unknown(words)] == []
    tables = {name.partition(".")[0] for name in option_paths() if "." in name}
    named = re.findall(rf"`((?:{'|'.join(sorted(tables))})\.[a-z_]+)\b", text)
    assert [name for name in named if name not in option_paths()] == []
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.md")), ids=lambda path: path.name)
def test_a_ready_configuration_is_ready(path: Path, tmp_path: Path) -> None:
    """Whoever copies it gets what the page says: it loads, and its provider has nothing against it."""
    for block in re.findall(r"```toml\n(.*?)```", path.read_text(), re.DOTALL):
        copied = tmp_path / "stenod.toml"
        copied.write_text(block)
        chosen = load(copied).options
        dialects = [SERVICES[name].engaged(chosen) for name in chosen.providers]
        assert [(dialect.errors(), dialect.warnings()) for dialect in dialects] == [([], [])]


def test_the_page_of_v2_has_each_code() -> None:
    """With what it means and what is done."""
    told = " ".join(rows((ROOT / "config" / "assemblyai-v2.md").read_text(), "code"))
    assert {rule.codes[0] for rule in SENTENCE_RULES} == {int(code) for code in re.findall(r"\d+", told)}


def test_the_page_of_flux_has_each_error() -> None:
    """By the word that Flux says."""
    text = (ROOT / "config" / "deepgram-flux.md").read_text().partition("## When something fails")[2]
    assert {one for rule in FLUX_RULES for one in rule.texts} == {
        one.casefold() for one in re.findall("[A-Z]+_[A-Z_]+", text)
    }


def test_what_a_day_costs_is_reckoned_right() -> None:
    """By the rule that counts it."""
    text = (ROOT / "config" / "assemblyai.md").read_text()
    price = Billing(measure=Measure.SESSION, price_per_hour=0.15)
    seconds = {"h": 3600.0, "min": 60.0}
    days = re.findall(r"\| (\d+) (h|min) \| ([\d.]+) \|", text)
    assert len(days) == text.count("\n| ") - 1
    assert [cost for *_, cost in days] == [
        f"{price.cost(int(n) * seconds[unit]):.{len(cost) - 2}f}" for n, unit, cost in days
    ]


def test_what_a_day_of_deepgram_costs_is_reckoned_right() -> None:
    """By the audio that the daemon would send: what is kept around each stretch, and the silence for it to answer."""
    table = lines((ROOT / "config" / "deepgram.md").read_text(), "a day of")
    limits = Deepgram(DeepgramOptions()).limits
    price = Billing(measure=Measure.AUDIO, price_per_hour=0.5)
    day, preroll = 86_400.0, PacerOptions().preroll_seconds
    silences = ceil(MESSAGE_SECONDS / limits.warm_chunk_seconds)
    warm = silences * limits.warm_chunk_seconds / (limits.warm_seconds + (silences - 1) * WARM_PAUSE_SECONDS)
    speech = {
        policy: 7_200.0 + 60 * (HOLD_SECONDS[policy] + preroll) for policy in (QuietPolicy.PAUSE, QuietPolicy.PARK)
    }
    sent = [
        day,
        speech[QuietPolicy.PAUSE] + warm * (day - speech[QuietPolicy.PAUSE]),
        speech[QuietPolicy.PARK],
        warm * day,
        HOLD_SECONDS[QuietPolicy.PARK],
    ]
    expected = [f"{seconds / 60:.0f} min | {price.cost(seconds):.2f}" for seconds in sent]
    assert expected == [" | ".join(row.strip("| ").split(" | ")[2:]) for row in table]


def test_the_page_of_deepgram_has_each_row() -> None:
    """With what it means and what is done, and no row that there is not."""
    told = set(rows((ROOT / "config" / "deepgram.md").read_text(), "row"))
    own = {rule.name for rule in DEEPGRAM_RULES if rule not in STANDARD_RULES}
    assert own <= told
    assert told <= {rule.name for rule in DEEPGRAM_RULES}


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_what_a_help_names_is_there(name: str) -> None:
    """Its examples are commands with options that there are."""
    command = cli.stenod.get_command(click.Context(cli.stenod), name)
    assert command is not None
    assert [words for words in invocations(inspect.cleandoc(command.callback.__doc__)) if unknown(words)] == []


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["run", "--input", "sample"], ""),
        (["--version"], ""),
        (["rnu"], "rnu"),
        (["service", "install", "--user"], ""),
        (["service", "instal"], "instal"),
        (["run", "--imput", "-", "--provider", "local"], "--imput"),
    ],
)
def test_what_is_not_there_is_found(words: list[str], wrong: str) -> None:
    """The check itself can fail."""
    assert unknown(words) == wrong


def test_the_architecture_is_one_sitting() -> None:
    """What is longer is not read."""
    assert len(ARCHITECTURE.read_text().splitlines()) <= LINES_MAX
