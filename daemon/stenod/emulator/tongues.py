"""Which dialect is spoken at which path, and what else the server has there."""

from collections.abc import Callable, Mapping

from stenod.emulator import assemblyai, assemblyai_errors, assemblyai_tokens, assemblyai_v2, deepgram, deepgram_flux
from stenod.emulator.dialect import Rejection, Request, Tongue
from stenod.emulator.keyring import Keyring
from stenod.emulator.options import EmulatorOptions

TONGUES: Mapping[str, Tongue] = {module.PATH: module.TONGUE for module in (assemblyai, deepgram, deepgram_flux)}
PAGES: Mapping[str, Callable[[Request, Keyring], Rejection]] = {assemblyai_tokens.PATH: assemblyai_tokens.page}
"""What a plain GET is answered with."""
REJECTIONS: Mapping[str, Rejection] = {
    assemblyai_v2.PATH: Rejection(410, assemblyai_errors.RETIRED, {"error": assemblyai_errors.RETIRED})
}
NOT_FOUND = Rejection(404, "Not Found", {"error": "Not Found"})


def tongue_of(path: str, options: EmulatorOptions) -> Tongue | None:
    """Return the dialect at a path; the retired one is spoken only when asked for."""
    if path == assemblyai_v2.PATH and options.v2:
        return assemblyai_v2.TONGUE
    return TONGUES.get(path)


def paths_of(options: EmulatorOptions) -> tuple[str, ...]:
    """Return all paths at which a dialect is spoken, the default one last."""
    spoken = {*TONGUES, assemblyai_v2.PATH} if options.v2 else {*TONGUES}
    return (*sorted(spoken - {assemblyai.PATH}), assemblyai.PATH)


def rejection_of(path: str) -> Rejection:
    """Return the answer at a path where nothing is spoken."""
    return REJECTIONS.get(path, NOT_FOUND)
