"""Addresses and names that a person wrote."""

import pytest

from stenod.providers.endpoint import endpoint_error, nearest, normalized, shown, unencrypted_warning


def test_a_usable_endpoint() -> None:
    """A bare host is completed, a path that was chosen stays, and completing twice changes nothing."""
    assert endpoint_error("localhost:8080") is None
    assert "wss://localhost:8080/v1/listen" == normalized("localhost:8080", "/v1/listen")
    assert "ws://x/asr" == normalized("ws://x/asr", "/v1/listen")
    assert "wss://x/v1/listen" == normalized(normalized("x", "/v1/listen"), "/v1/listen")


@pytest.mark.parametrize(
    ("endpoint", "part"),
    [
        ("https://x", "scheme"),
        ("wss://", "no host"),
        ("wss://a b", "no host"),
        ("wss://a:0", "no host"),
        ("wss://a:99999", "no URL"),
        ("wss://user:hunter2@host", "more than an address"),
        ("wss://host/?token=hunter2", "more than an address"),
        ("wss://host/#x", "more than an address"),
    ],
)
def test_endpoints_that_cannot_be_used(endpoint: str, part: str) -> None:
    """One sentence with what to do, and no secret in it."""
    text = endpoint_error(endpoint)
    assert text is not None
    assert part in text
    assert text.startswith(f"cannot use the endpoint {shown(endpoint)}")
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("url", "warned"), [("wss://x/", False), ("ws://localhost:1/", False), ("ws://[::1]:1/", False), ("ws://x/", True)]
)
def test_what_travels_unencrypted(url: str, warned: bool) -> None:
    """To another machine; what stays on this one needs no encryption."""
    assert warned is (unencrypted_warning(url) is not None)


def test_what_was_perhaps_meant() -> None:
    """The nearest name, or nothing."""
    assert "; did you mean keyterm?" == nearest("keytrem", ("keyterm", "tag"))
    assert "" == nearest("zzz", ("keyterm", "tag"))
