"""Bad news that stands: of each subject the last status record says whether there is any.

A process that ends takes no bad news back. Whoever runs next knows what was told, and says when it is over.
"""

from collections.abc import Iterable, Mapping
from typing import Any

GOOD_NEWS = frozenset({"back", "good"})


def standing(statuses: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return by subject the last status record, where that is no good news; they come oldest first."""
    last = {str(status.get("subject")): status for status in statuses}
    return {subject: status for subject, status in last.items() if status.get("state") not in GOOD_NEWS}
