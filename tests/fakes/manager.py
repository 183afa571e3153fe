"""A service manager that does nothing but remember; what it encrypts can be told from what it does not."""

from collections.abc import Mapping, Sequence

from stenod.edge.systemctl import ManagerError

SEALED = b"sealed:"


class FakeManager:
    """`seals`: it can encrypt. `failing`: the word at which it fails."""

    def __init__(self, *, seals: bool = True, failing: str = "") -> None:
        self.seals = seals
        self.failing = failing
        self.said: list[str] = []
        self.status = 0
        self.shown = {"LoadState": "loaded", "UnitFileState": "", "ActiveState": "inactive", "SubState": "dead"}

    def require(self, *, bus: bool = False) -> None:
        """It runs."""

    def attached(self, words: Sequence[str], variables: Mapping[str, str], *, unit: str) -> int:
        """See `edge.systemctl`; it ends as `status` says."""
        self.said.append(" ".join(words))
        self.variables = dict(variables)
        return self.status

    def control(self, *words: str) -> None:
        """See `edge.systemctl`."""
        self.said.append(" ".join(words))
        if words[0] == self.failing:
            raise ManagerError(f"systemctl {' '.join(words)} failed: Job failed.")
        if words[0] == "enable":
            self.shown["UnitFileState"] = "enabled"
        if words[0] in ("start", "restart"):
            self.shown |= {"ActiveState": "active", "SubState": "running"}

    def forget(self, unit: str) -> None:
        """See `edge.systemctl`."""
        self.said.append(f"reset-failed {unit}")

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """See `edge.systemctl`."""
        return {name: self.shown.get(name, "") for name in names}

    def encrypted(self, name: str, secret: str) -> bytes | None:
        """See `edge.systemctl`."""
        return SEALED + secret.encode() if self.seals else None

    def decrypted(self, name: str, credential: bytes) -> str | None:
        """See `edge.systemctl`."""
        return credential.removeprefix(SEALED).decode() if credential.startswith(SEALED) else None
