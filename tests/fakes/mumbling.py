"""A speaker who has few words: the oracle's names become `no`, `yes` and the like, and can still be told apart.

What tells them apart is written in punctuation, which whoever compares words by their letters does not see. So a seam
meets "no no no", and a test knows which of them was lost.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stenod.providers.base import Conversation, Dialect, Event, Final, Frame, Partial, SpokenWord

WORDS = ("no", "no", "no", "yes", "well")
OTHERWISE = ("now", "know", "knew")
"""What a word becomes that a session hears otherwise."""
DIGITS = str.maketrans("0123456789", "!#$%&()*+,")
NAMES = str.maketrans("!#$%&()*+,", "0123456789")
NAME = re.compile(r"(?i)([wv])(\d+)(\.?)")
SAID = re.compile(r"[A-Za-z]+([!#$%&()*+,]+)\.?")


def sounds(name: str) -> str:
    """Return the bare word that the speaker has for a name."""
    words = OTHERWISE if name[0].lower() == "v" else WORDS
    return words[int(name[1:]) * 7919 % 31 % len(words)]


def said(text: str) -> str:
    """Return what the speaker says for a name, with what tells it apart."""
    found = NAME.fullmatch(text)
    if found is None:
        return text
    return f"{sounds(found[1] + found[2])}{found[2].translate(DIGITS)}{found[3]}"


def meant(text: str) -> str:
    """Return the name behind what was said; any other text as it is."""
    found = SAID.fullmatch(text)
    return text if found is None else f"w{found[1].translate(NAMES)}"


class MumblingConversation:
    """A conversation whose words are few."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def __getattr__(self, name: str) -> object:
        return getattr(self._conversation, name)

    def opened(self, headers: Mapping[str, str]) -> list[Event]:
        """See `Conversation`."""
        return _mumbled(self._conversation.opened(headers))

    def receive(self, message: Frame, now: float) -> list[Event]:
        """See `Conversation`."""
        return _mumbled(self._conversation.receive(message, now))

    def due(self, now: float) -> list[Event]:
        """See `Conversation`."""
        return _mumbled(self._conversation.due(now))

    def closed(self, *, clean: bool) -> list[Event]:
        """See `Conversation`."""
        return _mumbled(self._conversation.closed(clean=clean))


class MumblingDialect:
    """A dialect whose conversations do."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def __getattr__(self, name: str) -> object:
        return getattr(self._dialect, name)

    def conversation(self) -> MumblingConversation:
        """See `Dialect`."""
        return MumblingConversation(self._dialect.conversation())


def _mumbled(events: Sequence[Event]) -> list[Event]:
    return [
        replace(event, text=" ".join(map(said, event.text.split())), words=tuple(map(_word, event.words)))
        if isinstance(event, Final | Partial)
        else event
        for event in events
    ]


def _word(word: SpokenWord) -> SpokenWord:
    return replace(word, text=said(word.text))
