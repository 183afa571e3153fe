"""From the configured input to the source that is read: each kind's module is imported when it is the one.

And to the streams that it becomes: one, or one a channel, each with options of its own.
"""

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from stat import S_ISREG

from stenod.core.source import Source
from stenod.options import InputKind, Options
from stenod.tasks.relief import Relief


def streams_of(options: Options) -> list[Options]:
    """Return the options of each stream: of the one, or of one a channel that has a name."""
    names = options.capture.channel_names
    if not names:
        return [options]
    journal = replace(options.journal, audio_bytes_max=options.journal.audio_bytes_max // len(names))

    def one(number: int, name: str) -> Options:
        capture = replace(options.capture, channel=number)
        return replace(options, stream=f"{options.stream}-{name}", capture=capture, journal=journal)

    return [one(number, name) for number, name in enumerate(names, start=1)]


def source_of(options: Options, *, patient: bool = False) -> Source | None:
    """Return the source that the configuration names, with all channels that are heard; None for `none`.

    `patient`: a microphone that is not there yet is waited for, instead of being an error.
    """
    chosen = options.capture.source
    channel = max(options.capture.channel, len(options.capture.channel_names))
    rate = options.capture.input_rate or options.capture.rate
    channels = options.capture.input_channels
    match chosen.kind:
        case InputKind.MICROPHONE:
            from stenod.edge.microphone import Microphone

            name = chosen.argument or None
            return Relief(Microphone(name, rate=options.capture.rate, channel=channel, patient=patient))
        case InputKind.SAMPLE:
            from stenod.edge.soundfile import sample

            return sample()
        case InputKind.FILE:
            from stenod.edge.soundfile import SoundFile

            return SoundFile(Path(chosen.argument))
        case InputKind.COMMAND:
            from stenod.edge.command import Command

            return Command(chosen.words, rate=rate, channels=channels)
        case InputKind.STDIN:
            from stenod.edge.standard_input import StandardInput

            return StandardInput(rate=rate, channels=channels)
        case InputKind.NONE:
            return None


def identity_of(options: Options) -> str | None:
    """Return what tells a source that can be read again from another one; None for what is heard only once.

    Another channel of a file is another source: it is heard from its beginning.
    """
    chosen = options.capture.source
    channel = f":channel {options.capture.channel}" if options.capture.channel else ""
    match chosen.kind:
        case InputKind.SAMPLE:
            return f"sample{channel}"
        case InputKind.FILE | InputKind.STDIN:
            with suppress(OSError):
                found = Path(chosen.argument).stat() if chosen.kind is InputKind.FILE else os.fstat(0)
                known = f"{found.st_dev}:{found.st_ino}:{found.st_size}{channel}"
                return known if S_ISREG(found.st_mode) else None
    return None
