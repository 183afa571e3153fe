"""Who may come in: the keys that the server was given, and the temporary tokens that it has minted itself.

Without keys any text that is not empty will do, but a token of our own is held to its expiry all the same. A token
may be used more than once within its time: the documentation says once, two observers used one again (uncertain; a
client that mints one a connection is right under both).

Pure but for the clock that it is handed; tokens come from seeded dice.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

TOKENS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Token:
    """A temporary token: until when it opens sessions, and how long those may last."""

    expires_at: float
    session_seconds_max: float


class Keyring:
    """Judge keys and tokens; mint tokens."""

    def __init__(self, keys: frozenset[str] | None, seed: int, time_scale: float, now: Callable[[], float]) -> None:
        self._keys = keys
        self._time_scale = time_scale
        self._now = now
        self._random = random.Random(f"{seed}/tokens")
        self._tokens: dict[str, Token] = {}

    def knows(self, key: str) -> bool:
        """Tell whether a text is a key."""
        return bool(key) and (self._keys is None or key in self._keys)

    def opens(self, text: str) -> bool:
        """Tell whether a text opens a session: a token that has not expired, or a key."""
        token = self.token(text)
        return self.knows(text) if token is None else not self.expired(token)

    def mint(self, seconds: float, session_seconds_max: float) -> str:
        """Make a token that expires after so many seconds; return its text."""
        text = f"{self._random.getrandbits(256):064x}"
        self._tokens[text] = Token(self._now() + seconds * self._time_scale, session_seconds_max)
        if len(self._tokens) > TOKENS_MAX:
            del self._tokens[next(iter(self._tokens))]
        return text

    def token(self, text: str) -> Token | None:
        """Return a minted token, None for any other text."""
        return self._tokens.get(text)

    def expired(self, token: Token) -> bool:
        """Tell whether a token's time is over."""
        return self._now() >= token.expires_at
