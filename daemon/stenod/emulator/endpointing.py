"""Where speech begins and ends, by loudness against the room's own noise.

Theory. Audio is judged in frames of 20 ms. The noise floor is the quietest smoothed frame of the last three seconds,
so a fan is learned in that time and speech, which has gaps, does not become the floor. A frame is loud when it is 10
dB over the floor and over a fixed minimum (about -55 dBFS: digital silence has no floor to speak of). Speech begins
when three of five frames are loud, and ends after a pause, or when it has gone on for too long for the recogniser's
last pass.

The caller is handed whole utterances with some quiet before and after them, which recognisers need; a pause's quiet
beyond that is handed on only when speech resumes.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FRAME = 320  # 20 ms at the recogniser's 16 kHz
FRAMES_PER_SECOND = 50
FLOOR_FRAMES = 3 * FRAMES_PER_SECOND
LOUD_RATIO = 3.2
LOUD_RMS_MIN = 60.0
ONSET_LOUD, ONSET_FRAMES = 3, 5
PREROLL_FRAMES, TAIL_FRAMES = 15, 15
UTTERANCE_FRAMES_MAX = 30 * FRAMES_PER_SECOND

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Began:
    """An utterance begins at this sample; `audio` is its beginning with the quiet before it."""

    start: int
    audio: Samples


@dataclass(frozen=True, slots=True)
class Went:
    """An utterance goes on."""

    audio: Samples


@dataclass(frozen=True, slots=True)
class Stopped:
    """An utterance is over."""


class Endpointing:
    """Cut 16 kHz audio into utterances."""

    def __init__(self, pause_seconds: float) -> None:
        self.pause_seconds = pause_seconds
        self._rest: Samples = np.zeros(0, dtype=np.int16)
        self._position = 0
        self._levels: deque[float] = deque(maxlen=FLOOR_FRAMES)
        self._smooth = 0.0
        self._recent: deque[tuple[Samples, bool]] = deque(maxlen=PREROLL_FRAMES + ONSET_FRAMES)
        self._held: list[Samples] = []
        self._quiet_frames = 0
        self._frames = 0
        self._speaking = False
        self._start = 0

    @property
    def quiet(self) -> int:
        """The sample before which nothing was said that has not been handed on and stopped."""
        waiting = sum(len(frame) for frame, _ in self._recent)
        return self._start if self._speaking else self._position - waiting

    def hear(self, samples: Samples) -> Iterator[Began | Went | Stopped]:
        """Take audio; yield what it means."""
        audio = np.concatenate((self._rest, samples))
        for start in range(0, len(audio) - FRAME + 1, FRAME):
            yield from self._frame(audio[start : start + FRAME])
        self._rest = audio[len(audio) // FRAME * FRAME :]

    def stop(self) -> Iterator[Stopped]:
        """End the utterance in progress, if there is one."""
        if self._speaking:
            self._speaking = False
            self._held.clear()
            yield Stopped()

    def _frame(self, frame: Samples) -> Iterator[Began | Went | Stopped]:
        loud = self._is_loud(frame)
        self._position += FRAME
        if not self._speaking:
            self._recent.append((frame, loud))
            latest = list(self._recent)[-ONSET_FRAMES:]
            if sum(was_loud for _, was_loud in latest) < ONSET_LOUD:
                return
            audio = np.concatenate([one for one, _ in self._recent])
            self._recent.clear()
            self._speaking, self._quiet_frames, self._frames = True, 0, 0
            self._start = self._position - len(audio)
            yield Began(self._start, audio)
            return
        self._frames += 1
        self._quiet_frames = 0 if loud else self._quiet_frames + 1
        self._held.append(frame)
        if self._quiet_frames <= TAIL_FRAMES:
            yield Went(np.concatenate(self._held))
            self._held.clear()
        if self._quiet_frames >= self.pause_seconds * FRAMES_PER_SECOND or self._frames >= UTTERANCE_FRAMES_MAX:
            yield from self.stop()

    def _is_loud(self, frame: np.ndarray[Any, np.dtype[np.int16]]) -> bool:
        level = float(np.sqrt(np.mean(frame.astype(np.float32) ** 2)))
        self._smooth = 0.7 * self._smooth + 0.3 * level if self._levels else level
        self._levels.append(self._smooth)
        return level > max(LOUD_RATIO * min(self._levels), LOUD_RMS_MIN)
