"""One session as an offer of audio: what was known when it was dialled, and what the provider made of it."""

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Offer:
    """Written by `offers`, which draws the conclusions."""

    proven_at: float = -math.inf
    """When the provider had last answered anybody, as this session was dialled."""
    patience: int = 1
    """So many times longer than usual are an answer and the last words waited for."""
    answered: bool = False
    """The provider has said something of its audio."""
    stuck: bool = False
    """It began where the one before had begun, and got no further; noted at its end."""
