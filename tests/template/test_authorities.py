"""OpenSSL finds the certificate authorities of the package, and trusts no other."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import authorities


def made(folder: Path) -> Path:
    """Make an authority that is also the server localhost: certificate and key in one file."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "  An  Invented\t RÓOT ")])
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "authority.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem


def shake_hands(trusted: Path, server: Path) -> None:
    """Connect a client that trusts this folder to a server with this certificate."""
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(server)
    to_there, to_here = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = ssl.create_default_context(capath=trusted)
    ends = [
        here.wrap_bio(to_here, to_there, server_hostname="localhost"),
        there.wrap_bio(to_there, to_here, server_side=True),
    ]
    while ends:
        try:
            ends[0].do_handshake()
        except ssl.SSLWantReadError:
            ends.reverse()
        else:
            ends.pop(0)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the authorities of the package."""
    folder = tmp_path_factory.mktemp("package") / "authorities"
    authorities.write(Path(certifi.where()), folder)
    return folder


def test_the_folder_has_every_authority_of_certifi(package: Path) -> None:
    found = authorities.certificates(Path(certifi.where()).read_text())

    assert len(found) > 100
    assert sorted(path.read_text() for path in package.iterdir()) == sorted(found)


def test_openssl_trusts_what_is_in_the_folder_and_nothing_else(
    package: Path, tmp_path: Path
) -> None:
    authority = made(tmp_path)
    authorities.write(authority, tmp_path / "with")

    shake_hands(tmp_path / "with", authority)

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(package, authority)


def test_two_authorities_may_have_the_same_name(tmp_path: Path) -> None:
    first, second = (authorities.certificates(made(tmp_path).read_text())[0] for _ in "12")
    (tmp_path / "both.pem").write_text(first + second)

    assert authorities.write(tmp_path / "both.pem", tmp_path / "folder") == 2
    assert {path.suffix for path in (tmp_path / "folder").iterdir()} == {".0", ".1"}
