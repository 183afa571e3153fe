"""AssemblyAI v3: who spoke, when `speaker_labels` asks for it.

Speakers take turns, and dice that are seeded with the session's id say who begins. The first guess is wrong for one
turn in four, and a turn of less than a second has no speaker (observed). Before the session's end a `SpeakerRevision`
says who it was: texts and times stay (documented). Turns of the distant past are not revised: what is kept is bounded.
"""

import random
from collections import deque
from collections.abc import Sequence

from stenod.emulator.dialect import Message
from stenod.emulator.engine import Word

UNKNOWN = "UNKNOWN"
UNKNOWN_SECONDS_MAX = 1.0
SPEAKERS = 2
WRONG_ONE_IN = 4
TURNS_MAX = 1_000
CONFIDENCE_SURE, CONFIDENCE_UNSURE = 0.93, 0.51


class Speakers:
    """Label one session's turns, and correct the labels at the end."""

    def __init__(self, session_id: str, speakers_max: int | None, rate: int) -> None:
        self._session_id = session_id
        self._count = min(SPEAKERS, speakers_max or SPEAKERS)
        self._first = random.Random(session_id).randrange(self._count)
        self._rate = rate
        self._told: deque[tuple[int, str, Sequence[Message]]] = deque(maxlen=TURNS_MAX)

    def label(self, turn: int, words: Sequence[Word]) -> str:
        """Return the first guess at a turn's speaker."""
        if not words or words[-1].end - words[0].start < UNKNOWN_SECONDS_MAX * self._rate:
            return UNKNOWN
        wrong = random.Random(f"{self._session_id}/{turn}").randrange(WRONG_ONE_IN) == 0
        return self._name(turn + wrong)

    def tell(self, turn: int, label: str, words: Sequence[Message]) -> list[Message]:
        """Return a turn's words with their speaker, and remember them."""
        told = [word | {"speaker": label, "speaker_confidence": _confidence(label)} for word in words]
        if self._told and self._told[-1][0] == turn:
            self._told.pop()
        self._told.append((turn, label, told))
        return told

    def revision(self) -> list[Message]:
        """Return the message that corrects what was told, if anything was."""
        revisions: list[Message] = []
        for turn, label, words in self._told:
            truth = self._name(turn)
            if label == truth or not words:
                continue
            corrected = [word | {"speaker": truth, "speaker_confidence": _confidence(truth)} for word in words]
            revisions.append({"turn_order": turn, "speaker_label": truth, "words": corrected})
        return [{"type": "SpeakerRevision", "revisions": revisions}] if revisions else []

    def _name(self, turn: int) -> str:
        return chr(ord("A") + (self._first + turn) % self._count)


def _confidence(label: str) -> float:
    return CONFIDENCE_UNSURE if label == UNKNOWN else CONFIDENCE_SURE
