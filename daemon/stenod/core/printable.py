"""Text that may be shown on a terminal: whoever wrote it, it moves no cursor, sets no colour and ends no line of ours.

What cannot be printed (control characters, marks that turn the direction of writing, bytes that were no text) stands
there as Python writes it: `\\x1b`. It does not know where texts come from: who puts in a foreign one says `one_line`,
who writes the whole says `lines`. Colours of our own are added after that.
"""


def lines(text: str) -> str:
    """Return a text of ours, of one or several lines, with nothing in it but what is printed and the line ends."""
    return "\n".join(map(one_line, text.split("\n")))


def one_line(text: str) -> str:
    """Return a foreign text with nothing in it but what is printed."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
