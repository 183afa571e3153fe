"""What AssemblyAI can change about a session that is open, and how it is told.

Its own clients list what `UpdateConfiguration` takes; model, rate, encoding, timeout and speaker labels are for the
opening. It gives no acknowledgement and no way to unset a parameter, so what was taken out takes a new session, as does
whatever is not on the list: an unknown name would be ignored without a word.
"""

from collections.abc import Mapping, Sequence

import msgspec

CHANGEABLE = frozenset((
    "acknowledge_silence", "agent_context", "end_of_turn_confidence_threshold", "filter_profanity", "format_turns",
    "interruption_delay", "keyterms_prompt", "language_codes", "max_turn_silence", "min_turn_silence", "mode", "prompt",
    "turn_left_pad_ms", "vad_threshold",
))  # fmt: skip
"""`mode` is in the documentation, the others in the Python client; what only other people's clients send is not."""


def update(before: Mapping[str, object], after: Mapping[str, object]) -> Sequence[str] | None:
    """Return the messages that make a session opened `before` one of `after`; None where only a new one can be that."""
    changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
    if not changed.keys() <= CHANGEABLE or before.keys() - after.keys():
        return None
    return (msgspec.json.encode({"type": "UpdateConfiguration", **changed}).decode(),) if changed else ()
