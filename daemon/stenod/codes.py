"""`stenod codes`: what a provider's codes and sentences mean, and what stenod does about them.

It prints the verdict tables that the daemon itself goes by, so that it cannot say anything else than what happens.
"""

import difflib
import json
import os
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from stenod.core.verdict import LOCAL_RULES, UNKNOWN, Effect, ExitCode, Failure, Phase, Rule, Severity, judge

ENGINE_INSIDE = "local"
"""It speaks AssemblyAI's protocol, so its table is the same."""
SAME_TABLE = "The engine inside speaks AssemblyAI's protocol, so its codes and sentences are AssemblyAI's."
LOCAL = "stenod"
"""Shown beside the providers: what stenod sees itself, whoever the provider is."""
COLOURS = {Severity.NORMAL: "green", Severity.WARNING: "yellow", Severity.ERROR: "red"}
WIDTH_MIN, WIDTH_MAX = 60, 120
"""Longer lines are hard to read, shorter ones cannot hold the columns."""
HEADINGS = ("CODE", "SEVERITY", "VERDICT", "RETRY SAFE", "TEXT, AND WHAT TO DO")
COLUMNS = (16, 8, 8, 10)
"""Widths of all columns but the last."""
INDENT = " " * 4


class WrongProvider(click.BadParameter):
    """A provider that has no table."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the answer; `why` where a pasted text led to it."""

    provider: str
    rule: Rule
    why: str = ""


def tables() -> Mapping[str, Sequence[Rule]]:
    """Return the verdict table of each provider, and the one of what stenod sees itself."""
    from stenod.services import SERVICES

    return {**{name: service.rules for name, service in SERVICES.items()}, LOCAL: LOCAL_RULES}


@click.command()
@click.argument("words", nargs=-1, metavar="[CODE|TEXT]")
@click.option("--provider", metavar="NAME", help="Only this table: a provider's, or stenod (what it sees itself).")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, one object a row.")
@click.pass_context
def codes(context: click.Context, words: tuple[str, ...], provider: str | None, *, as_json: bool) -> None:
    """Explain close codes, HTTP statuses and error texts: what they mean and what stenod does about them.

    \b
    stenod codes                              the whole table
    stenod codes 3005                         what this code stands for, today and in the past
    stenod codes "Unauthorized connection: Too many concurrent sessions"
    stenod codes ping-deadline                a name, as it stands in records and logs
    stenod codes --provider assemblyai --json

    A text decides before a code, since codes were renumbered while the sentences stayed. So paste what was said, with
    its code or without; the answer is the row that stenod would go by.

    \b
    reopen    expected: the next session opens at once
    retry     unplanned but harmless: soon, with jitter
    backoff   the other side needs time: later each time
    fatal     a person must act; the service keeps recording, and tries again in minutes, then hours

    Exit code 0: found. 1: nothing is known about it, which means backoff. 64: no such provider.
    """
    chosen = _chosen(tables(), provider)
    asked = " ".join(words).strip()
    rows = list(_found(chosen, asked))
    if as_json:
        click.echo(json.dumps([_as_json(row) for row in rows], ensure_ascii=False, indent=2))
    elif rows:
        width = max(WIDTH_MIN, min(WIDTH_MAX, shutil.get_terminal_size().columns))
        for line in _printed(rows, width):
            click.echo(line, color=False if "NO_COLOR" in os.environ else None)
    if not rows:
        _say_unknown(asked)
        context.exit(1)


def _chosen(known: Mapping[str, Sequence[Rule]], provider: str | None) -> Mapping[str, Sequence[Rule]]:
    """Return the tables to look at; an unknown provider is a wrong command line."""
    if provider is None:
        return known
    known = {**known, ENGINE_INSIDE: known["assemblyai"]}
    if provider not in known:
        nearest = difflib.get_close_matches(provider, known, n=1)
        meant = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(known)}"
        raise WrongProvider(f"no provider {provider!r}; {meant}", param_hint="--provider")
    return {provider: known[provider]}


def _found(chosen: Mapping[str, Sequence[Rule]], asked: str) -> Iterator[Row]:
    """Return what answers the question: all, a number's rows, a name's row, or what a text is judged to."""
    for provider, rules in chosen.items():
        if not asked:
            yield from (Row(provider, rule) for rule in rules)
        elif asked.isdecimal():
            yield from (Row(provider, rule) for rule in rules if int(asked) in (*rule.codes, *rule.statuses))
        elif named := [rule for rule in rules if rule.name == asked]:
            yield from (Row(provider, rule) for rule in named)
        elif row := _judged(provider, rules, asked):
            yield row


def _judged(provider: str, rules: Sequence[Rule], asked: str) -> Row | None:
    """Return the row that the daemon would go by for this text, and why; None where it is unknown."""
    known = {number for rule in rules for number in (*rule.codes, *rule.statuses)}
    code = next((int(one) for one in re.findall(r"\b\d{3,4}\b", asked) if int(one) in known), None)
    local = provider == LOCAL
    # The same number is never both a close code and a status with another meaning, so it may stand for either.
    failure = Failure(phase=Phase.READY, close_code=code, http_status=code, text=asked, local=local)
    rule = judge(failure, () if local else rules)
    if rule is UNKNOWN:
        return None
    fragment = next((one for one in rule.texts if one in asked.casefold()), None)
    why = f"Why: the code {code}; no known sentence is in it." if fragment is None else f"Why: it says {fragment!r}."
    return Row(provider, rule, why)


def _say_unknown(asked: str) -> None:
    click.echo(f"{asked!r} is in no table. {UNKNOWN.meaning} Verdict: {UNKNOWN.verdict}. {UNKNOWN.remedy}", err=True)


def _as_json(row: Row) -> dict[str, Any]:
    rule = row.rule
    return {
        "provider": row.provider,
        "name": rule.name,
        "codes": rule.codes,
        "statuses": rule.statuses,
        "texts": rule.texts,
        "asked": rule.asked,
        "severity": rule.severity,
        "verdict": rule.verdict,
        "retry_safe": rule.retry_safe,
        "meaning": rule.meaning,
        "remedy": rule.remedy,
        "effect": rule.effect,
        "exit_code": rule.exit_code,
        "source": rule.source,
    }


def _printed(rows: Sequence[Row], width: int) -> Iterator[str]:
    """Return the table's lines, wrapped to the width; each provider under its own heading."""
    provider = None
    for row in rows:
        if row.provider != provider:
            yield from [] if provider is None else [""]
            provider = row.provider
            yield click.style("seen by stenod itself, with any provider" if provider == LOCAL else provider, bold=True)
            yield from textwrap.wrap(SAME_TABLE, width) if provider == ENGINE_INSIDE else ()
            yield from _laid_out(HEADINGS, width)
        yield from _laid_out(_cells(row.rule), width, COLOURS[row.rule.severity])
        for sentence in (row.rule.meaning, row.rule.remedy, row.why):
            yield from textwrap.wrap(sentence, width, initial_indent=INDENT, subsequent_indent=INDENT)


def _cells(rule: Rule) -> tuple[str, ...]:
    when = "" if rule.asked is None else ", after our goodbye" if rule.asked else ", without our goodbye"
    statuses = [f"HTTP {', '.join(_ranges(rule.statuses))}"] if rule.statuses else []
    return (
        ", ".join([*map(str, rule.codes), *statuses]) or "-",
        rule.severity,
        rule.verdict,
        "once" if rule.effect is Effect.ONCE else "yes" if rule.retry_safe else "no",
        " / ".join(rule.texts) or f"{rule.name} (any other text{when})",
    )


def _ranges(numbers: Sequence[int]) -> Iterator[str]:
    """Return numbers with runs of three or more as `500-599`."""
    run: list[int] = []
    for number in (*numbers, None):
        if number is not None and run and number == run[-1] + 1:
            run.append(number)
            continue
        yield from [f"{run[0]}-{run[-1]}"] if len(run) > 2 else map(str, run)
        run = [] if number is None else [number]


def _laid_out(cells: Sequence[str], width: int, colour: str | None = None) -> Iterator[str]:
    """Return one row's lines; the severity is coloured where there is a colour, which click drops off a terminal."""
    widths = (*COLUMNS, width - sum(COLUMNS) - 2 * len(COLUMNS))
    columns = [textwrap.wrap(cell, size) for cell, size in zip(cells, widths, strict=True)]
    for line in range(max(map(len, columns))):
        parts = [column[line] if line < len(column) else "" for column in columns]
        padded = [part.ljust(size) for part, size in zip(parts, widths, strict=True)]
        padded[1] = click.style(padded[1], fg=colour) if colour and parts[1] else padded[1]
        yield "  ".join(padded).rstrip()
