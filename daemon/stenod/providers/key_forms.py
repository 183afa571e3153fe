"""What keys of services look like, so that a wrong paste is seen before it is sent. Pure; a key is never shown.

A key of another form may be right all the same (services change them), so nothing here is an error: the service has
the last word. Sources: the keys that the services' consoles give out in 2026.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stenod.core.pasting import TOKEN

QUOTES = "'\"`"
PLACEHOLDER = re.compile(r"(?i)your|api.?key|x{4,}|\.\.\.|<|>")


@dataclass(frozen=True, slots=True)
class KeyForm:
    """How long a key is, and of what."""

    length: int
    characters: str
    """A class of characters of a regular expression."""
    words: str

    def fits(self, key: str) -> bool:
        """Return whether it may be one."""
        return re.fullmatch(f"[{self.characters}]{{{self.length}}}", key) is not None


KEY_FORMS: Mapping[str, KeyForm] = {
    "assemblyai": KeyForm(32, "0-9a-f", "32 digits and letters a to f"),
    "deepgram": KeyForm(40, "0-9a-z", "40 digits and small letters"),
}
"""By the company whose key it is."""


def oddity(owner: str, key: str) -> str:
    """Return what is odd about the key's form, in a clause that ends with what to do; empty where nothing is."""
    form = KEY_FORMS.get(owner)
    if form is None or form.fits(key) or TOKEN.fullmatch(key):
        return ""
    if key[:1] in QUOTES or key[-1:] in QUOTES:
        return "it stands in quotation marks; put the key there and nothing else"
    if PLACEHOLDER.search(key):
        return "it looks like the placeholder of an example; put your own key there"
    other = next((name for name, one in KEY_FORMS.items() if name != owner and one.fits(key)), None)
    if other is not None:
        return f"it looks like a key of {other}; copy the one of {owner} from its console"
    return f"it has {len(key)} characters, and a key of {owner} has {form.words}; copy it again"
