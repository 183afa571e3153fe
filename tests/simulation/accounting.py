"""The account of one simulated run: every word, every sample, every session, held against what the server knows.

Each check returns what is wrong as sentences; `account` asserts that there are none, and shows the end of the log.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Any

from fakes.mumbling import meant, sounds
from fakes.world import RATE, World
from stenod.core.audit import Audit, Stock, audit
from stenod.core.timeline import State
from stenod.core.turns import LOST_SECONDS
from stenod.emulator import log
from stenod.emulator.oracle import words_between

TIME_SECONDS_MAX = 0.06
ATTEMPTS_MAX = 8
ATTEMPTS_SECONDS = 10.0
RATE_RATIO_MAX = 1.25
RATE_SECONDS = 10.0
ROUNDING_SECONDS = 1e-6
BILLED_SECONDS = 5.0
"""A second begun counts; a slow end is after what the provider said that it bills."""
UNNOTICED_SECONDS = 6.0
"""How long a line may be dead before that is noticed: the session counts as open, also where it took our goodbye."""
WORDS_SHOWN_MAX = 12
DEAFENING = ("deaf", "black-hole", "huge")
"""Faults during which no goodbye can arrive (a message over the limit is answered with a close, at once)."""
PIECEMEAL = ("deepgram",)
"""Dialects whose finals are pieces of turns."""

Span = tuple[int, int]


def account(world: World, *, late_words_max: int | None = None) -> None:
    """Assert that nothing is lost, nothing is said twice, and every rule was kept."""
    wrong = [f"{check.__name__}: {one}" for check in CHECKS for one in check(world)]
    if late_words_max is not None:
        late = sum(len(final["words"]) for final in world.output.of("final") if final["late"])
        if late > late_words_max:
            wrong.append(f"{late} words are late")
    if wrong:
        raise AssertionError("\n".join([*wrong, "", *told(world)]))


def told(world: World, lines_max: int = 60) -> Iterator[str]:
    """Show what the daemon logged, for a person."""
    for at, level, event, fields in world.log.lines[-lines_max:]:
        yield f"{at:10.3f} {level:7} {event} {' '.join(f'{name}={value}' for name, value in fields.items())}"


def name_of(text: str) -> str:
    """Return a word's name without a turn's formatting; one that was heard otherwise (`v`) keeps its number."""
    name = meant(text).lower().rstrip(".")
    return f"w{name[1:]}" if name.startswith("v") else name


def words(world: World) -> Iterator[str]:
    """Every captured word is printed exactly once, at its time, and nothing else is."""
    printed = Counter(name_of(word["text"]) for word, _ in printed_words(world))
    gaps = [*spans_of(world, State.GAP), *muted(world)]
    tail = world.journal.tail
    known = {text: (start, end) for text, start, end in words_between(0, tail, world.conditions.plan, rate=RATE)}
    torn = {text for text, (start, end) in known.items() if end > tail or touched(gaps, start, end)}
    if world.conditions.mumbles:
        told_apart(printed)
    missing = [text for text in known if text not in printed and text not in torn]
    yield from shown("missing", [f"{text}@{known[text][0] / RATE:.2f}" for text in missing])
    yield from shown(
        "repeated", [f"{text}@{known.get(text, (0, 0))[0] / RATE:.2f}" for text, n in printed.items() if n > 1]
    )
    fragments = {f"frag-{text[1:]}" for text in torn}
    yield from shown("never spoken", [text for text in printed if text not in known and text not in fragments])
    if world.conditions.realism:
        return
    for word, final in printed_words(world):
        at = known.get(name_of(word["text"]))
        if at is None:
            continue
        if abs(word["start"] - at[0] / RATE) > TIME_SECONDS_MAX or abs(word["end"] - at[1] / RATE) > TIME_SECONDS_MAX:
            yield (
                f"{word['text']} of {final['session']} is said to be at {word['start']} to {word['end']}, "
                f"it is at {at[0] / RATE:.3f} to {at[1] / RATE:.3f}"
            )


def told_apart(printed: Counter[str]) -> None:
    """Take one of two equal neighbours for the other: who says "no, no" is not misquoted by that."""
    for name in [name for name, count in printed.items() if count > 1 and name.startswith("w")]:
        number = int(name[1:])
        for other in (f"w{number - 1:07}", f"w{number + 1:07}"):
            if other not in printed and sounds(other) == sounds(name):
                printed[name] -= 1
                printed[other] = 1
                break


def order(world: World) -> Iterator[str]:
    """Live lines come in time order, words in order within a line, and identities are unique."""
    live = [final for final in world.output.of("final") if not final["late"]]
    for before, after in pairwise(live):
        if after["start"] < before["start"]:
            yield f"{after['id']} ({after['start']}) comes after {before['id']} ({before['start']})"
    for final in world.output.of("final"):
        starts = [word["start"] for word in final["words"]]
        if starts != sorted(starts):
            yield f"{final['id']}: its words are not in order"
    identities = [line["id"] for line in world.output.lines if "id" in line]
    if identities != sorted(set(identities)):
        yield "identities are not unique and ascending"


def apart(world: World) -> Iterator[str]:
    """No line goes on over what was lost: it would be a sentence that nobody has said."""
    gaps = [
        (start / RATE, end / RATE) for start, end in spans_of(world, State.GAP) if end - start > LOST_SECONDS * RATE
    ]
    for final in world.output.of("final"):
        for start, end in gaps:
            if any(word["end"] <= start for word in final["words"]) and final["words"][-1]["end"] > end:
                yield f"{final['id']}: {final['text']!r} goes on over a gap from {start} to {end}"


def finalised(world: World) -> Iterator[str]:
    """Each printed turn is what the server finalised in that session; at a seam, some of its words in their order.

    Where the server finalises pieces, a turn is made of several.
    """
    said: dict[str, list[tuple[str, ...]]] = {}
    by_number = {opened.session: opened.id for opened in world.emulator.log.of(log.Opened)}
    for final in world.emulator.log.of(log.Final):
        said.setdefault(by_number[final.session], []).append(tuple(name_of(word.text) for word in final.words))
    names = {
        line["session"]: line["provider_session"] for line in world.output.of("session") if line["provider_session"]
    }
    for final in world.output.of("final"):
        spoken = tuple(name_of(word["text"]) for word in final["words"])
        turns = said.get(names.get(final["session"], ""), [])
        if world.conditions.provider in PIECEMEAL:
            turns = [tuple(chain.from_iterable(turns))]
        if not any(subsequence(spoken, turn) for turn in turns):
            yield f"{final['id']}: {final['text']!r} was not finalised by the server in {final['session']}"


def subsequence(some: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether all of `some` stand in `whole`, in their order."""
    rest = iter(whole)
    return all(one in rest for one in some)


def tiles(world: World) -> Iterator[str]:
    """Settled spans tile the timeline, nothing is pending, and the ledger says the same."""
    position = 0
    for span in world.journal.settled():
        if span.start != position:
            yield f"a hole or an overlap at {position / RATE} to {span.start / RATE}"
        position = span.end
    if position != world.journal.tail:
        yield f"pending to the end: {position / RATE} to {world.journal.tail / RATE}"
    stored = world.ledger.open_stream(world.journal.stream, RATE)
    if list(stored.spans) != world.journal.settled():
        yield "the ledger's spans differ from those in memory"
    if world.journal.tail != world.end and world.conditions.stop_at is None:
        yield f"captured to {world.journal.tail / RATE}, spoken to {world.end / RATE}"
    quiet = spans_of(world, State.QUIET)
    kept = [span for span in world.segments.spans() if not touched(quiet, span.start, span.end)]
    if kept:
        yield f"{sum(span.count for span in kept) / RATE:.1f} s of audio that nobody needs were kept"


def heard(world: World) -> Iterator[str]:
    """What counts as transcribed was heard by the server."""
    stretches = [record for record in world.emulator.log.of(log.Heard) if record.kind == "oracle"]
    covered = union([*((record.start, record.end) for record in stretches), *muted(world)])
    for start, end in spans_of(world, State.TRANSCRIBED):
        for left, right in uncovered(covered, start, end):
            # Two samples: a device that comes back is placed on the timeline by a clock, to the rounding.
            if right - left > 2:
                yield f"{left / RATE:.3f} to {right / RATE:.3f} counts as transcribed, but nobody heard it"


def sessions(world: World) -> Iterator[str]:
    """No session meets its limit, and each ends by our goodbye unless a fault was quicker."""
    opened = {record.session: record for record in world.emulator.log.of(log.Opened)}
    ended = {record.session: record for record in world.emulator.log.of(log.Ended)}
    goodbyes = {record.session for record in world.emulator.log.of(log.Terminate)}
    struck = world.emulator.log.of(log.Struck)
    for number, opening in opened.items():
        end = ended.get(number)
        if end is None:
            yield f"session {number} never ended"
            continue
        strikes = [strike for strike in struck if strike.session in (number, None)]
        deaf = any(strike.kind in DEAFENING for strike in strikes)
        age = end.at - opening.at
        if age >= world.conditions.limit_seconds and not deaf:
            yield f"session {number} became {age:.3f} s old"
        gone_before = end.by == "network" and age <= 2 * world.conditions.latency_seconds + 0.001
        if number not in goodbyes and not (deaf or gone_before or end.by == "fault" or silenced(strikes)):
            yield f"session {number} ended without our goodbye: {end.code} {end.text!r} by {end.by}"
    for failed in world.emulator.log.of(log.Failed):
        yield f"the server failed: {failed.traceback}"
    for at, fields in world.log.of("session.failed"):
        yield f"a session failed at {at:.3f}: {fields}"


def silenced(strikes: Sequence[log.Struck]) -> bool:
    """Whether the server could say nothing: some end such a session themselves, when we do, or just before."""
    return any(strike.kind == "mute" for strike in strikes)


def attempts(world: World) -> Iterator[str]:
    """Nobody is hammered: at most so many dials in any stretch of ten seconds."""
    for dials in (world.seen.dials, world.seen.second_dials):
        for place, at in enumerate(dials):
            count = bisect_right(dials, at + ATTEMPTS_SECONDS - 1e-9) - place
            if count > ATTEMPTS_MAX:
                yield f"{count} attempts in the 10 s from {at:.3f} on"
                return


def pace(world: World) -> Iterator[str]:
    """No session is sent audio faster than the rate rule, in any ten seconds, nor outside the chunk limits."""
    for number, sent in enumerate(world.seen.audio):
        total, first = 0.0, 0
        for at, seconds in sent:
            if not 0.05 <= seconds <= 1.0:
                yield f"connection {number}: a chunk of {seconds} s at {at:.3f}"
            total += seconds
            while sent[first][0] <= at - RATE_SECONDS + ROUNDING_SECONDS:
                total -= sent[first][1]
                first += 1
            if total > RATE_RATIO_MAX * RATE_SECONDS + 1e-3:
                yield f"connection {number}: {total:.3f} s of audio in the 10 s before {at:.3f}"
                break


def money(world: World) -> Iterator[str]:
    """What we say a session costs is what the server bills: never less, more only where nobody could say goodbye."""
    query = "SELECT name, ended_at, billed_seconds, audio FROM session"
    accounts = {name: row for name, *row in world.ledger._commits.execute(query)}
    server = {one.id: one.session for one in world.emulator.log.of(log.Opened)}
    ends = {one.session: one for one in world.emulator.log.of(log.Ended)}
    orphan = world.providers[0].dialect.billing.orphan_seconds
    for record in world.output.of("session"):
        name = record["session"]
        if name not in accounts:
            yield f"{name} has no account"
        elif record["event"] == "ready" and record["provider_session"] in server:
            ended_at, billed, audio = accounts[name]
            end = ends[server[record["provider_session"]]]
            if ended_at is None:
                yield f"{name} is open in its account"
            if not -BILLED_SECONDS <= billed - end.billed_seconds <= UNNOTICED_SECONDS + orphan + BILLED_SECONDS:
                yield f"{name} cost {end.billed_seconds} s, and its account says {billed:.3f} s"
            if audio < end.audio_samples:
                yield f"{name} was sent {end.audio_samples} samples, and its account says {audio}"
        elif record["event"] == "ended" and record["billed_seconds"] != round(accounts[name][1], 3):
            yield f"{name}: its record says {record['billed_seconds']} s billed, its account {accounts[name][1]}"


def audited(world: World) -> Audit:
    """Do as `stenod verify`."""
    stream = world.journal.stream
    state = world.ledger.open_stream(stream, RATE)
    return audit(
        Stock(
            stream=stream,
            rate=RATE,
            tail=state.tail,
            sequence=state.sequence,
            spans=state.spans,
            stored=world.segments.spans(),
            lines=world.ledger.unprinted(stream, "audit", 1_000_000),
        )
    )


def sound(world: World) -> Iterator[str]:
    """What `stenod verify` would say."""
    yield from audited(world).faults


CHECKS: Sequence[Callable[[World], Iterator[str]]] = (
    words,
    order,
    apart,
    finalised,
    tiles,
    heard,
    sessions,
    attempts,
    pace,
    money,
    sound,
)


def printed_words(world: World) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each printed word with its line."""
    for final in world.output.of("final"):
        for word in final["words"]:
            yield word, final


def shown(what: str, found: list[str]) -> Iterator[str]:
    """Say what was found, shortened."""
    if found:
        more = f" and {len(found) - WORDS_SHOWN_MAX} more" if len(found) > WORDS_SHOWN_MAX else ""
        yield f"{len(found)} words {what}: {', '.join(found[:WORDS_SHOWN_MAX])}{more}"


def spans_of(world: World, state: State) -> list[Span]:
    """Return the settled spans of one state."""
    return [(span.start, span.end) for span in world.journal.settled() if span.state is state]


def muted(world: World) -> list[Span]:
    """Return where the device gave zeros: what was spoken there nobody can have heard."""
    return [(round(start * RATE), round(end * RATE)) for start, end in world.conditions.muted]


def touched(spans: Sequence[Span], start: int, end: int) -> bool:
    """Whether [start, end) shares a sample with one of the spans."""
    return any(left < end and start < right for left, right in spans)


def union(spans: Any) -> list[Span]:
    """Return the spans sorted and merged."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def uncovered(covered: Sequence[Span], start: int, end: int) -> Iterator[Span]:
    """Yield the parts of [start, end) that no span covers."""
    place = max(0, bisect_right(covered, (start, 2**62)) - 1)
    for left, right in covered[place:]:
        if left >= end:
            break
        if left > start:
            yield start, left
        start = max(start, right)
    if start < end:
        yield start, end
