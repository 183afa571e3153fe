"""Examining the configured source: does it open, how soon does it give audio, and how loud is it?

A microphone is opened as the daemon opens it, in a child process of its own. One that another program records from may
be out of reach on plain ALSA: that is told as what it is.
"""

from collections.abc import Iterator

import trio

from stenod.core.diagnosis import Finding, good, joined, odd, of_level, skipped, wrong
from stenod.core.loudness import Loudness
from stenod.core.microphones import Device, match
from stenod.core.source import Block, Source, SourceError, SourceLost
from stenod.core.verdict import ExitCode
from stenod.edge import alsa
from stenod.edge.devices import listed
from stenod.examination import Case, Step
from stenod.inputs import source_of, streams_of
from stenod.options import InputKind
from stenod.streams import converter_of

SECONDS = 1.0
OPEN_SECONDS = 12.0
"""A microphone on a small machine that is busy takes some; one that gives nothing at all is told before."""
READ_SECONDS = 6.0
LIVE = (InputKind.MICROPHONE, InputKind.COMMAND)
SERVERS = ("pulseaudio", "pipewire", "pipewire-pulse", "wireplumber", "jackd")
"""Sound servers: that they have the card is how it should be."""


class SourceExamination:
    """The configured source."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._options = case.loaded.options

    def steps(self) -> Iterator[Step]:
        """Return the steps in their order."""
        chosen = self._options.capture.input
        yield Step(
            name="audio",
            waiting=f"a second of audio from the input {chosen}",
            examine=self.audio,
            lack="no audio",
            seconds=OPEN_SECONDS,
            late="look at the sound server, or at what writes the audio",
        )
        yield Step(name="level", waiting="measuring it", examine=self.level, needs=("audio",))

    async def audio(self) -> Finding:
        """Open it, and hear a second of it."""
        source = source_of(self._options)
        if source is None:
            return skipped("the input is none")
        try:
            device = await self._device()
            began = trio.current_time()
            with trio.move_on_after(READ_SECONDS):
                blocks, first = await _heard(source)
                return self._taken(source, device, blocks, first - began)
        except (SourceError, SourceLost) as error:
            return self._failed(error)
        return wrong(f"{source.description} gives no audio: nothing came in {READ_SECONDS:.0f} s", self._remedy())

    async def level(self) -> Finding:
        """Say how loud the second was, of each stream."""
        rate, live = self._options.capture.rate, self._options.capture.source.kind in LIVE
        found = {stream: of_level(Loudness.of(pcm, rate), live=live) for stream, pcm in self._case.audio.items()}
        if len(found) == 1:
            return next(iter(found.values()))
        return joined(
            [Finding(one.mark, f"{name}: {one.text}", one.remedy, one.exit_code) for name, one in found.items()]
        )

    async def _device(self) -> Device | None:
        chosen = self._options.capture.source
        if chosen.kind is not InputKind.MICROPHONE:
            return None
        return match(await listed(READ_SECONDS), chosen.argument or None)

    def _taken(self, source: Source, device: Device | None, blocks: list[Block], seconds: float) -> Finding:
        if not blocks:
            return wrong(f"{source.description} holds no audio", "name another input", ExitCode.BAD_DATA)
        rate, channels = blocks[0].rate, blocks[0].channels
        pcm = b"".join(block.pcm for block in blocks)
        for stream in streams_of(self._options):
            converter = converter_of(stream.capture, rate, channels, self._options.capture.rate)
            self._case.audio[stream.stream] = converter.feed(pcm) + converter.finish()
        name = source.description if device is None else f"microphone '{device.name}'"
        default = " (the default one)" if device is not None and not self._options.capture.source.argument else ""
        shape = f"{rate} Hz, {channels} channel{'' if channels == 1 else 's'}"
        return good(f"{name}{default} gave audio after {seconds:.1f} s: {shape}")

    def _failed(self, error: SourceError | SourceLost) -> Finding:
        busy = [one for one in alsa.recordings() if one.program not in SERVERS]
        if self._options.capture.source.kind is InputKind.MICROPHONE and busy:
            who = f"{busy[0].program or 'a program'} (process {busy[0].process or 'unknown'})"
            text = f"'{busy[0].device}' is in use by {who}, and plain ALSA lets one program record at a time: {error}"
            return odd(text, "nothing is wrong if that is the running stenod; stop it to test the microphone here")
        if isinstance(error, SourceError):
            return wrong(str(error), exit_code=error.exit_code)
        return wrong(str(error), self._remedy(), ExitCode.NO_INPUT)

    def _remedy(self) -> str:
        match self._options.capture.source.kind:
            case InputKind.MICROPHONE:
                return "plug it in, or find another one with `stenod devices --watch`"
            case InputKind.COMMAND:
                return "run the command by itself and look at what it says"
            case _:
                return "look at what writes the audio"


async def _heard(source: Source) -> tuple[list[Block], float]:
    """Return a second of audio, less where it ends before, and when its first block came."""
    blocks: list[Block] = []
    first = 0.0
    async with source.open(0.0) as reader:
        while sum(block.frames / block.rate for block in blocks) < SECONDS:
            block = await reader.read()
            if block is None:
                break
            first = first or trio.current_time()
            blocks.append(block)
    return blocks, first
