"""What Flux can change about a session that is open, and how it is told.

`Configure` takes the thresholds and the two lists, and leaves what it does not name; a list replaces the one before. A
threshold cannot be taken back, and whatever else there is belongs to the opening: both take a new session.
"""

from collections.abc import Mapping, Sequence

import msgspec

THRESHOLDS = ("eot_threshold", "eager_eot_threshold", "eot_timeout_ms")
LISTS = {"keyterm": "keyterms", "language_hint": "language_hints"}
"""What `Configure` calls them, by the parameter of the URL, where each is one of many."""


def configure(before: Mapping[str, object], after: Mapping[str, object]) -> Sequence[str] | None:
    """Return the messages that make a session opened `before` one of `after`; None where only a new one can be that."""
    changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
    if not changed.keys() <= {*THRESHOLDS, *LISTS} or before.keys() - after.keys():
        return None
    if not changed:
        return ()
    thresholds = {name: changed[name] for name in THRESHOLDS if name in changed}
    lists = {field: changed[name] for name, field in LISTS.items() if name in changed}
    message = {"type": "Configure"} | ({"thresholds": thresholds} if thresholds else {}) | lists
    return (msgspec.json.encode(message).decode(),)
