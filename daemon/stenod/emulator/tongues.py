"""Which dialect is spoken at which path, and what else the server has there."""

from collections.abc import Callable, Mapping

from stenod.emulator import assemblyai, deepgram, deepgram_flux
from stenod.emulator.dialect import Rejection, Request, Tongue
from stenod.emulator.keyring import Keyring
from stenod.emulator.options import EmulatorOptions

TONGUES: Mapping[str, Tongue] = {module.PATH: module.TONGUE for module in (assemblyai, deepgram, deepgram_flux)}
PAGES: Mapping[str, Callable[[Request, Keyring], Rejection]] = {}
"""What a plain GET is answered with."""
REJECTIONS: Mapping[str, Rejection] = {**assemblyai.REJECTIONS}
NOT_FOUND = Rejection(404, "Not Found", {"error": "Not Found"})


def tongue_of(path: str, options: EmulatorOptions) -> Tongue | None:  # noqa: ARG001
    """Return the dialect at a path."""
    return TONGUES.get(path)


def rejection_of(path: str) -> Rejection:
    """Return the answer at a path where nothing is spoken."""
    return REJECTIONS.get(path, NOT_FOUND)
