"""What a wrong paste looks like; a key is never part of the sentence."""

import pytest

from stenod.options import key_owner
from stenod.providers.key_forms import KEY_FORMS, oddity
from stenod.services import SERVICES

ASSEMBLYAI = "0123456789abcdef" * 2
DEEPGRAM = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    ("owner", "key", "told"),
    [
        ("assemblyai", ASSEMBLYAI, ""),
        ("deepgram", DEEPGRAM, ""),
        ("deepgram", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.c2ln", ""),
        ("somebody", "x", ""),
        ("assemblyai", f'"{ASSEMBLYAI}"', "it stands in quotation marks; put the key there and nothing else"),
        ("assemblyai", "your_api_key_here", "it looks like the placeholder of an example; put your own key there"),
        ("deepgram", "<DEEPGRAM_API_KEY>", "it looks like the placeholder of an example; put your own key there"),
        ("assemblyai", DEEPGRAM, "it looks like a key of deepgram; copy the one of assemblyai from its console"),
        ("deepgram", ASSEMBLYAI, "it looks like a key of assemblyai; copy the one of deepgram from its console"),
        (
            "assemblyai",
            ASSEMBLYAI[:-1],
            "it has 31 characters, and a key of assemblyai has 32 digits and letters a to f; copy it again",
        ),
    ],
)
def test_forms(owner: str, key: str, told: str) -> None:
    """A key cut short, another company's, an example's."""
    assert told == oddity(owner, key)
    assert key not in told or not told


def test_each_company_has_its_form() -> None:
    """A service that is added gets one too."""
    assert {key_owner(name) for name in SERVICES} == set(KEY_FORMS)
