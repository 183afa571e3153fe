"""When a microphone that gives nothing but exact zeros is worth a second opening.

Zeros are a mute, a noise gate, an unplugged jack; or a sound server whose source has gone, and which goes on without.
From within one opening nobody can tell. Another opening can: it hears something, or it gives zeros too. That costs a
process for a second or two, so each that was of no use is followed by a longer wait; a mute of a day costs a hundred.

Pure. Only a microphone that has sounded is doubted.
"""

from dataclasses import dataclass, field

WAIT_SECONDS = (1.5, 5.0, 15.0, 60.0, 300.0, 900.0)
"""Of zeros, before each further opening; the last one repeats. Speech pauses for a second, a person for five."""
SOUND_SECONDS = 600.0
"""So much sound since the last doubt, and the next one is the first again: a noise gate has a pause a minute."""


def is_zeros(pcm: bytes) -> bool:
    """Return whether no sample is anything but 0."""
    return pcm.count(0) == len(pcm)


@dataclass(slots=True)
class ZeroWatch:
    """Follows one microphone over all its openings."""

    sounded: bool = False
    """Whether it has ever given anything else."""
    _zeros_seconds: float = 0.0
    _sound_seconds: float = 0.0
    _doubts: int = field(default=0)

    def add(self, pcm: bytes, seconds: float) -> bool:
        """Take contiguous audio into account; the answer is whether it is time for another opening."""
        if not is_zeros(pcm):
            self.sounded = True
            self._zeros_seconds = 0.0
            self._sound_seconds += seconds
            if self._sound_seconds >= SOUND_SECONDS:
                self._doubts = 0
            return False
        self._zeros_seconds += seconds
        if not self.sounded or self._zeros_seconds < WAIT_SECONDS[min(self._doubts, len(WAIT_SECONDS) - 1)]:
            return False
        self._doubts += 1
        self._zeros_seconds = self._sound_seconds = 0.0
        return True

    def relieved(self) -> None:
        """The other opening heard something: the doubt was right."""
        self._doubts = 0
        self._zeros_seconds = 0.0
