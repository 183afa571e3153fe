"""A log that keeps what it is told."""


class FakeLog:
    """`lines` are (level, event, fields)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def debug(self, event: str, /, **fields: object) -> None:
        """See `core.log`."""
        self.lines.append(("debug", event, fields))

    def info(self, event: str, /, **fields: object) -> None:
        """See `core.log`."""
        self.lines.append(("info", event, fields))

    def warning(self, event: str, /, **fields: object) -> None:
        """See `core.log`."""
        self.lines.append(("warning", event, fields))

    def error(self, event: str, /, **fields: object) -> None:
        """See `core.log`."""
        self.lines.append(("error", event, fields))

    def of(self, event: str) -> list[dict[str, object]]:
        """Return the fields of every line with this name."""
        return [fields for _, name, fields in self.lines if name == event]
