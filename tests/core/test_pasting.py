"""What is a key, and what the name of a file."""

import pytest

from stenod.core.pasting import resembles_key

ASSEMBLYAI = "0123456789abcdef" * 2
DEEPGRAM = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    "key",
    [
        ASSEMBLYAI,
        DEEPGRAM,
        "1" * 32,
        "SECRETKEY0123456789",
        f"Bearer {ASSEMBLYAI}",
        "sk_live_4b7e91Zx81kQw0Lm5pT2",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.c2ln",
    ],
)
def test_a_key_is_no_name_of_a_file(key: str) -> None:
    """Of any service, with what belongs to no key; but whatever says where it is, is a path."""
    assert resembles_key(key)
    assert not resembles_key(f"./{key}")


@pytest.mark.parametrize(
    "name",
    [
        "key",
        "assemblyai.key",
        "assemblyai-key",
        "deepgram_production_key_2026",
        "assemblyaiproductionkey",
        "/etc/stenod/assemblyai.key",
        "~/.config/stenod/key",
        f"keys/{ASSEMBLYAI}",
        f"{ASSEMBLYAI}.key",
        "",
    ],
)
def test_a_name_of_a_file_is_no_key(name: str) -> None:
    """Words, also long ones and with a year, folders, endings."""
    assert not resembles_key(name)
