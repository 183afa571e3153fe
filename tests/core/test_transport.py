"""How a connection ended."""

import pytest

from stenod.core.transport import ABNORMAL, ConnectionEnded


@pytest.mark.parametrize(
    ("ended", "clean"),
    [
        (ConnectionEnded("", close_code=1000), True),
        (ConnectionEnded("", close_code=1005), True),
        (ConnectionEnded("", close_code=1001), False),
        (ConnectionEnded("", close_code=1011), False),
        (ConnectionEnded("", close_code=ABNORMAL), False),
        (ConnectionEnded("", http_status=401), False),
        (ConnectionEnded("", close_code=1000, local=True), False),
    ],
)
def test_what_is_a_clean_end(ended: ConnectionEnded, clean: bool) -> None:
    """The peer's own close frame, which names no trouble; a line that broke or was cut by us is none."""
    assert clean == ended.clean
