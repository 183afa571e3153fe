"""A key that was pasted where the name of its file is wanted: seen by its form, so that it is not shown. Pure.

Nothing is known here of whose key it may be; `providers.key_forms` knows some.
"""

import re

TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
"""A temporary one (a JSON web token), which Deepgram takes in place of a key."""
UNBROKEN = re.compile(r"[A-Za-z0-9]{16,}")
"""Letters and digits without a break: longer than the words of which people make names."""
DIGITS_MIN = 32
"""As many digits alone are no date."""


def resembles_key(text: str) -> bool:
    """Return whether a text is rather a key than the name of a file.

    It has no folder and no ending, but a long stretch in which letters and digits are mixed.
    """
    if "/" in text:
        return False
    if TOKEN.search(text):
        return True
    return "." not in text and any(map(_mixed, UNBROKEN.findall(text)))


def _mixed(text: str) -> bool:
    return not text.isalpha() and (not text.isdigit() or len(text) >= DIGITS_MIN)
