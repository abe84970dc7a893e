"""OpenSSL finds each certificate authority of the package, and trusts no other."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from OpenSSL import crypto

import authorities

COUNTRY, NAME, UNIT = NameOID.COUNTRY_NAME, NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME
ODD_NAMES = {
    "case and spaces": x509.Name([x509.NameAttribute(NAME, "  An  Invented\t ROOT ")]),
    "beyond ascii": x509.Name([x509.NameAttribute(NAME, "Główny ÉMETTEUR")]),
    "two bytes a letter": x509.Name([x509.NameAttribute(NAME, "Root É", _ASN1Type.BMPString)]),
    "long": x509.Name([x509.NameAttribute(UNIT, f"{n} {'X' * 60}") for n in range(5)]),
    "several at once": x509.Name(
        [
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(NAME, "B Root"), x509.NameAttribute(UNIT, "A")]
            ),
            x509.RelativeDistinguishedName([x509.NameAttribute(COUNTRY, "PL")]),
        ]
    ),
}


def made(folder: Path, name: x509.Name) -> Path:
    """Make an authority that answers for localhost itself: certificate and key in one file."""
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
    """Let a client that trusts this folder connect to a server with this certificate."""
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


def openssl_hash(certificate: str) -> str:
    found = crypto.load_certificate(crypto.FILETYPE_PEM, certificate.encode())
    return f"{found.subject_name_hash():08x}"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Return a folder with the authorities of the package, and how many it should have."""
    folder = tmp_path_factory.mktemp("bundle") / "authorities"
    return folder, authorities.write(Path(certifi.where()), folder)


def test_every_authority_of_the_bundle_is_where_openssl_looks_for_it(
    bundle: tuple[Path, int],
) -> None:
    folder, written = bundle
    found = authorities.certificates(Path(certifi.where()).read_text())

    assert written == len(found) > 100
    assert len(list(folder.iterdir())) == len(found)
    for certificate in found:
        there = folder.glob(f"{openssl_hash(certificate)}.?")
        assert certificate in [path.read_text() for path in there]


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=list(ODD_NAMES))
def test_odd_names_are_found_too_and_what_is_not_there_is_not_trusted(
    bundle: tuple[Path, int], tmp_path: Path, name: x509.Name
) -> None:
    authority = made(tmp_path, name)
    authorities.write(authority, tmp_path / "with")

    shake_hands(tmp_path / "with", authority)

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(bundle[0], authority)


def test_two_authorities_of_one_name_stand_side_by_side(tmp_path: Path) -> None:
    first, second = (
        authorities.certificates(made(tmp_path, ODD_NAMES["long"]).read_text())[0] for _ in "12"
    )
    (tmp_path / "both.pem").write_text(first + second)

    assert authorities.write(tmp_path / "both.pem", tmp_path / "folder") == 2
    assert {path.suffix for path in (tmp_path / "folder").iterdir()} == {".0", ".1"}
