"""`stenod devices --watch`: a level meter of each microphone, drawn in place, until Ctrl-C.

Each device is opened in a child process of its own. Many of them may be one thing by several names (ALSA's aliases),
and plain ALSA opens a card once: one that cannot be opened says why, and is tried again now and then. Where nobody can
watch, each is heard for a second, and there is one line, or one JSON object, of each.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

import click
import trio

from stenod.core import meters
from stenod.core.meters import Meter
from stenod.core.microphones import NO_DEVICE, Device, match
from stenod.core.source import SourceError, SourceLost
from stenod.core.verdict import ExitCode
from stenod.edge.devices import list_devices
from stenod.edge.microphone import Microphone

DRAWS_A_SECOND = 10
RATE = 16000
REOPEN_SECONDS = 5.0
"""Each try starts a process, which a small machine feels."""
MEASURED_SECONDS = 1.0
MEASURING_SECONDS_MAX = 10.0
HINT = "* the default   `stenod run --input mic:NAME` uses one   Ctrl-C ends"
BEGIN, END = "\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h"
"""Without a cursor, and without wrapping what is wider than it seems."""
ERASE_LINE, ERASE_BELOW = "\x1b[K", "\x1b[J"
NOTHING_CAME = "no audio came"


def watch(name: str | None, *, as_json: bool) -> int:
    """Show the levels of all microphones, or of the one that is named; returns the exit code."""
    found = list_devices()
    if not found:
        raise SourceError(NO_DEVICE, ExitCode.UNAVAILABLE)
    chosen = found if name is None else [match(found, name)]
    boards = [Meter(one.index, one.name, one.default) for one in chosen]
    wanted = [_wanted(one, found) for one in chosen]
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not as_json:
        trio.run(_live, boards, wanted)
        return ExitCode.OK
    trio.run(_measure, boards, wanted)
    click.echo(_as_json(boards) if as_json else "\n".join(meters.measured(boards)))
    return ExitCode.OK if any(not one.trouble for one in boards) else ExitCode.UNAVAILABLE


def _wanted(device: Device, all_devices: Sequence[Device]) -> str:
    """Return what names a device: its name, which stays while others are opened; the index where two share it."""
    alike = [one for one in all_devices if one.name == device.name]
    return device.name if len(alike) == 1 else str(device.index)


async def _live(boards: list[Meter], wanted: list[str]) -> None:
    """Draw until a signal comes."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            for board, name in zip(boards, wanted, strict=True):
                nursery.start_soon(_follow, board, name)
            nursery.start_soon(_draw, boards, sys.stdout, nursery.cancel_scope)
            async for _ in signals:
                break
            nursery.cancel_scope.cancel()


async def _follow(board: Meter, wanted: str) -> None:
    """Keep one device open and its meter fed."""
    while True:
        await _listen(board, wanted)
        await trio.sleep(REOPEN_SECONDS)


async def _listen(board: Meter, wanted: str, seconds: float | None = None) -> None:
    """Feed a meter until the device is lost, or has been heard for so long."""
    heard = 0.0
    try:
        async with Microphone(wanted, rate=RATE).open(0.0) as reader:
            while seconds is None or heard < seconds:
                block = await reader.read()
                assert block is not None, "a microphone has no end"
                heard += block.frames / block.rate
                board.add(block, trio.current_time())
    except (SourceError, SourceLost) as error:
        board.lose(str(error))


async def _measure(boards: list[Meter], wanted: list[str]) -> None:
    """Hear each for a second."""
    with trio.move_on_after(MEASURING_SECONDS_MAX):
        async with trio.open_nursery() as nursery:
            for board, name in zip(boards, wanted, strict=True):
                nursery.start_soon(_listen, board, name, MEASURED_SECONDS)
    for board in boards:
        if board.trouble == meters.STARTING:
            board.lose(NOTHING_CAME)


async def _draw(boards: list[Meter], stream: TextIO, watched: trio.CancelScope) -> None:
    """Draw in place, ten times a second; leaves the last picture and the cursor as a terminal should have it.

    A terminal that is gone ends what is `watched`.
    """
    encoding = stream.encoding or "ascii"
    glyphs = meters.BLOCKS if _encodable(encoding) else meters.ASCII
    before = 0
    try:
        stream.write(BEGIN)
        while True:
            size = shutil.get_terminal_size()
            width, height = size.columns - 1, max(1, size.lines - 2)
            drawn = meters.lines(boards, trio.current_time(), width=width, height=height, glyphs=glyphs)
            drawn.append(HINT[:width])
            text = "".join(f"{line}{ERASE_LINE}\n" for line in drawn)
            up = f"\x1b[{before}A" if before else ""
            stream.write((up + "\r" + text + ERASE_BELOW).encode(encoding, "replace").decode(encoding))
            stream.flush()
            before = len(drawn)
            await trio.sleep(1.0 / DRAWS_A_SECOND)
    except OSError:
        watched.cancel()
    finally:
        with suppress(OSError):
            stream.write(END)
            stream.flush()


def _encodable(encoding: str) -> bool:
    try:
        f"{meters.BLOCKS.full}{meters.BLOCKS.peak}{meters.BLOCKS.empty}".encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _as_json(boards: Sequence[Meter]) -> str:
    rows: list[dict[str, Any]] = []
    for one in boards:
        loud = None if one.trouble else one.overall
        rows.append(
            {
                "index": one.index,
                "name": one.name,
                "default": one.default,
                "level_db": loud and round(loud.level_db, 1),
                "peak_db": loud and round(loud.peak_db, 1),
                "state": meters.state(one),
            }
        )
    return json.dumps(rows, indent=2)
