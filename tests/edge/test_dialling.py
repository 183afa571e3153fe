"""What is wrong with a file of certificates. Streams over real sockets are in `test_websocket`."""

from pathlib import Path

import pytest
import trustme

from stenod.edge.dialling import Dialler, UntrustedError, addresses

KEY = trustme.CA().private_key_pem.bytes()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The sentence names the option, the file and the remedy."""
    path = tmp_path / "ca.pem"
    with pytest.raises(UntrustedError) as caught:
        Dialler(str(path))
    expected = f"cannot read tls.ca_file {path}: No such file or directory; name a file with certificates in PEM"
    assert (expected, 78) == (str(caught.value), caught.value.exit_code)


def test_a_directory(tmp_path: Path) -> None:
    """It is no file."""
    with pytest.raises(UntrustedError, match=r"^cannot read tls\.ca_file .*: Is a directory; name a file"):
        Dialler(str(tmp_path))


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\xff\x00", KEY, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    ids=["empty", "text", "bytes", "key", "broken"],
)
def test_a_file_without_certificates(tmp_path: Path, content: bytes) -> None:
    """Whatever else it holds is not shown."""
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    with pytest.raises(UntrustedError) as caught:
        Dialler(str(path))
    assert f"cannot use tls.ca_file {path}: it holds no certificate; name a file with certificates in PEM" == str(
        caught.value
    )


def test_files_that_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several authorities in one file, a file in one's home, and none at all: the system's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    pem = b"".join(trustme.CA().cert_pem.bytes() for _ in range(2))
    (tmp_path / "ca.pem").write_bytes(pem)
    Dialler("~/ca.pem")
    Dialler()


async def test_a_name_leads_to_addresses() -> None:
    """Each once; one that there cannot be is an error, as it is for a dial."""
    assert ["127.0.0.1"] == await addresses("127.0.0.1", 80)
    with pytest.raises(UnicodeError):
        await addresses("x" * 64 + ".example", 80)
