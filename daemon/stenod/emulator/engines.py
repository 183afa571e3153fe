"""Which engine serves: by the option's text, one session at a time."""

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from stenod.emulator import log
from stenod.emulator.decoder import Kind, Piece
from stenod.emulator.engine import Engine
from stenod.emulator.oracle_engine import OracleEngine
from stenod.emulator.realism import Realism, RealisticEngine
from stenod.emulator.script import Script, load_script

INSTALL_HINT = "pip install 'stenod[local]'"


class EngineUnavailableError(LookupError):
    """The engine cannot serve here; the message says what to do."""


class EngineChoiceError(ValueError):
    """The option names no engine, or its script is wrong; the message says what to write."""


class Engines:
    """Open one engine a session. Raises the two errors above when built, so that a server does not start in vain."""

    def __init__(self, choice: str, journal: log.Log, realism: Realism | None) -> None:
        self._choice = choice
        self._log = journal
        self._realism = realism
        self._script: Script | None = None
        name, _, argument = choice.partition(":")
        if name == "script" and argument:
            try:
                self._script = load_script(Path(argument))
            except ValueError as error:
                raise EngineChoiceError(str(error)) from error
        elif choice == "pocketsphinx":
            if importlib.util.find_spec("pocketsphinx") is None:
                msg = f"the engine pocketsphinx is not installed: {INSTALL_HINT}"
                raise EngineUnavailableError(msg)
        elif choice != "oracle":
            msg = f"unknown engine {choice!r}: use pocketsphinx, oracle or script:FILE"
            raise EngineChoiceError(msg)

    @asynccontextmanager
    async def open(self, session: int, rate: int, pause_seconds: float) -> AsyncIterator[Engine]:
        """Yield a session's engine. Raises `EngineError` when it cannot serve this session."""
        if self._script is not None:
            engine: Engine = self._script.engine(session, rate, pause_seconds)
            yield self._untidy(engine, session, rate)
        elif self._choice == "oracle":
            pause_for = self._realism.pause_seconds if self._realism else None
            yield self._untidy(
                OracleEngine(rate, pause_seconds, self._witness(session, rate), pause_for), session, rate
            )
        else:
            from stenod.emulator.recogniser import open_recogniser

            async with open_recogniser(rate, pause_seconds) as engine:
                yield self._untidy(engine, session, rate)

    def _untidy(self, engine: Engine, session: int, rate: int) -> Engine:
        return engine if self._realism is None else RealisticEngine(engine, self._realism, session, rate)

    def _witness(self, session: int, rate: int) -> "Witness":
        return Witness(self._log, session, rate)


class Witness:
    """Enter in the log what a session's oracle has decoded, and count what was not the oracle's."""

    def __init__(self, journal: log.Log, session: int, rate: int) -> None:
        self._log = journal
        self._session = session
        self._tolerance = rate // 200

    def __call__(self, piece: Piece) -> None:
        """Take one piece."""
        oracle = piece.kind is Kind.ORACLE
        stretch = log.Heard(
            session=self._session,
            kind=piece.kind.value,
            session_start=piece.start,
            session_end=piece.start + piece.count,
            start=piece.position,
            end=piece.position + piece.count if oracle else 0,
            plan=piece.plan,
            exact=piece.exact,
        )
        self._log.hear(stretch, self._tolerance)
