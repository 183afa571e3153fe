"""SIGHUP: key files and configuration are read again, without losing a sample.

What concerns the sessions to come is taken over: a provider's key and options. What the process was built with (source,
stream, directories) needs a restart, and the log says so. Whatever is wrong is logged and told, and the old settings
stay.
"""

from collections.abc import Callable, Mapping, Sequence

from stenod import engagement
from stenod.config import ConfigErrors, Loaded, option_paths, value_at
from stenod.core.log import Log
from stenod.edge.secrets import SecretError
from stenod.options import LOCAL, table_of
from stenod.services import SERVICES
from stenod.tasks.provider import Provider

TABLES = frozenset(map(table_of, SERVICES))
"""What a new session reads."""


class Reload:
    """`load` reads the configuration again; `conceal` keeps a key out of the log."""

    def __init__(
        self,
        *,
        loaded: Loaded,
        load: Callable[[], Loaded],
        environment: Mapping[str, str],
        providers: Sequence[Provider],
        conceal: Callable[[str], None],
        log: Log,
    ) -> None:
        self._loaded = loaded
        self._load = load
        self._environment = environment
        self._providers = providers
        self._conceal = conceal
        self._log = log
        self.refused = ""
        """Why the newest settings were not taken over: the first of what is wrong with them."""

    def __call__(self) -> bool:
        """Return whether anything changed for the sessions to come."""
        try:
            loaded = self._load()
            renewed = [
                (provider, *engagement.remote(loaded.options, self._environment, provider.dialect.name, self._log))
                for provider in self._providers
                if provider.dialect.name != LOCAL
            ]
        except (ConfigErrors, SecretError, engagement.NotPossible) as error:
            self._log.error("reload.refused", reason=str(error))
            self.refused = str(error).splitlines()[0]
            return False
        self.refused = ""
        changed = False
        for provider, dialect, key in renewed:
            self._conceal(key)
            changed |= key not in ("", provider.key)
            provider.dialect, provider.key = dialect, key or provider.key
        options = [
            path for path in option_paths() if value_at(loaded.options, path) != value_at(self._loaded.options, path)
        ]
        later = [path for path in options if path.partition(".")[0] not in TABLES]
        if later:
            self._log.warning("reload.needs_restart", options=later)
        self._loaded = loaded
        self._log.info("reload.done", options=[path for path in options if path not in later], key_changed=changed)
        return changed or len(later) < len(options)
