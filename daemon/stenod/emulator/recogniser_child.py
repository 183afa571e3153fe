"""pocketsphinx, in a process of its own because it holds the interpreter's lock while it decodes.

Requests come on stdin, each a letter, a length and a payload: `C` configuration (JSON), `A` audio (s16le), `E` end
the turn, `P` set the pause (JSON number). Each is answered with one line of JSON: the hypotheses that it led to, and
the sample before which no word began that has not been said (in the session's own rate). The process ends when its
stdin does, so it cannot outlive its parent, and it leaves Ctrl-C to its parent.

Settings, measured on eight sentences in four flite voices (83 words each): full search with live normalisation has 4
to 5 % word errors; a single pass has three times as many. A trace of noise is added, for digital silence upsets the
normalisation (5.3 % without it, 4.2 % with it). Decoder and utterance costs: a tenth of real time.
"""

import json
import os
import re
import signal
import struct
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pocketsphinx
import soxr

from stenod.emulator.endpointing import Began, Endpointing, Samples, Went

RATE = 16_000
SAMPLES_PER_FRAME = RATE // 100  # the decoder's own frames
PARTIAL_SAMPLES = RATE * 3 // 10
DITHER_RMS = 10.0
NICENESS = 5
HEADER = struct.Struct("<cI")
FILLER = re.compile(r"[<\[+]")
ALTERNATE = re.compile(r"\(\d+\)$")

Words = list[tuple[str, int, int, float]]


class Recogniser:
    """One session's decoder; fresh, for results depend on what it heard before."""

    def __init__(self, rate: int, pause_seconds: float) -> None:
        self._rate = rate
        self._decoder = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL")
        self._resampler = None if rate == RATE else soxr.ResampleStream(rate, RATE, 1, dtype="int16")
        self._noise = np.random.default_rng(0)
        self.endpointing = Endpointing(pause_seconds)
        self._start = 0
        self._fresh = 0
        self._shown: Words = []

    def hear(self, pcm: bytes) -> Iterator[dict[str, Any]]:
        """Yield the hypotheses that more audio leads to."""
        samples = np.frombuffer(pcm, dtype="<i2")
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        for event in self.endpointing.hear(samples):
            if isinstance(event, Began):
                self._decoder.start_utt()
                self._start = event.start
                self._feed(event.audio)
            elif isinstance(event, Went):
                self._feed(event.audio)
            else:
                yield from self._finish()
        if self._fresh >= PARTIAL_SAMPLES:
            self._fresh = 0
            yield from self._partial()

    def end_turn(self) -> Iterator[dict[str, Any]]:
        """Yield the final of the utterance in progress, if there is one."""
        for _ in self.endpointing.stop():
            yield from self._finish()

    @property
    def quiet(self) -> int:
        """The session sample before which no word is still to come."""
        return round(self.endpointing.quiet * self._rate / RATE)

    def _feed(self, audio: Samples) -> None:
        noisy = audio + self._noise.normal(0, DITHER_RMS, len(audio))
        pcm = np.clip(np.rint(noisy), -32768, 32767).astype("<i2").tobytes()
        self._decoder.process_raw(pcm, False, False)
        self._fresh += len(audio)

    def _partial(self) -> Iterator[dict[str, Any]]:
        words = self._words()
        if words and words != self._shown:
            self._shown = words
            yield {"words": words, "ended": False}

    def _finish(self) -> Iterator[dict[str, Any]]:
        self._decoder.end_utt()
        words = self._words()
        if words or self._shown:
            yield {"words": words, "ended": True}
        self._shown, self._fresh = [], 0

    def _words(self) -> Words:
        if self._decoder.hyp() is None:
            return []
        exp = self._decoder.get_logmath().exp
        scale = self._rate / RATE
        words: Words = []
        for segment in self._decoder.seg():
            if FILLER.match(segment.word):
                continue
            start = self._start + segment.start_frame * SAMPLES_PER_FRAME
            end = self._start + (segment.end_frame + 1) * SAMPLES_PER_FRAME
            confidence = min(1.0, max(0.01, exp(segment.prob)))
            words.append((ALTERNATE.sub("", segment.word), round(start * scale), round(end * scale), confidence))
        return words


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are none."""
    recogniser: Recogniser | None = None
    while len(head := requests.read(HEADER.size)) == HEADER.size:
        kind, length = HEADER.unpack(head)
        payload = requests.read(length)
        hypotheses: list[dict[str, Any]] = []
        if kind == b"C":
            recogniser = Recogniser(**json.loads(payload))
        elif recogniser is not None and kind == b"A":
            hypotheses = list(recogniser.hear(payload))
        elif recogniser is not None and kind == b"E":
            hypotheses = list(recogniser.end_turn())
        elif recogniser is not None and kind == b"P":
            recogniser.endpointing.pause_seconds = float(json.loads(payload))
        quiet = 0 if recogniser is None else recogniser.quiet
        answers.write(json.dumps({"quiet": quiet, "hypotheses": hypotheses}).encode() + b"\n")
        answers.flush()


def main() -> None:
    """Run as a child: keep the answers' channel from whatever a library prints."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they are meant for all of a group; the parent ends us
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, answers)
    except BrokenPipeError:
        os._exit(0)  # The parent has gone; there is nobody left to tell.


if __name__ == "__main__":
    main()
