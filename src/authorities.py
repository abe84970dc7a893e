"""Makes a folder of certificate authorities in which OpenSSL finds one without reading all.

OpenSSL names such a file by a hash of the subject (`openssl-rehash(1)`); the hash is of the
canonical form of the name (OpenSSL, crypto/x509/x_name.c, `x509_name_canon`): each string in
UTF-8, lower case, without spaces at its ends, and with one space where there are several.

The same authorities are trusted as with the bundle: only the time of reading differs.
"""

import hashlib
import re
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

SEQUENCE, SET, VERSION = 0x30, 0x31, 0xA0
# The types of string that are made canonical, and how each is written (X.690).
ENCODINGS = {
    0x0C: "utf-8",  # UTF8String
    0x13: "ascii",  # PrintableString
    0x14: "latin-1",  # T61String, as OpenSSL reads it
    0x16: "ascii",  # IA5String
    0x1A: "ascii",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}
UTF8 = 0x0C


def certificates(bundle: str) -> list[str]:
    """Return each certificate of a bundle in PEM."""
    return re.findall(
        r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", bundle, re.DOTALL
    )


def subject_hash(certificate: str) -> str:
    """Return what OpenSSL calls the subject's hash, of a certificate in PEM."""
    (_, outer), *_ = _parts(ssl.PEM_cert_to_DER_cert(certificate))
    (_, signed), *_ = _parts(outer)
    # [version], serial number, algorithm, issuer, validity, subject (RFC 5280, 4.1).
    fields = [body for tag, body in _parts(signed) if tag != VERSION]
    canonical = b"".join(_name(body) for _, body in _parts(fields[4]))
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def write(bundle: Path, folder: Path) -> int:
    """Write each certificate of a bundle into the folder, and return how many there are."""
    taken = Counter[str]()
    folder.mkdir()
    for certificate in certificates(bundle.read_text()):
        name = subject_hash(certificate)
        (folder / f"{name}.{taken[name]}").write_text(certificate)
        taken[name] += 1
    return taken.total()


def _name(one: bytes) -> bytes:
    # A SET is in the order of its members' bytes, and those have changed.
    members = (b"".join(map(_canonical, _parts(pair))) for _, pair in _parts(one))
    return _der(SET, b"".join(sorted(_der(SEQUENCE, member) for member in members)))


def _canonical(part: tuple[int, bytes]) -> bytes:
    tag, body = part
    if tag not in ENCODINGS:
        return _der(tag, body)
    text = " ".join(re.split(r"[ \t\n\v\f\r]+", body.decode(ENCODINGS[tag]).strip(" \t\n\v\f\r")))
    lower = re.sub("[A-Z]", lambda letter: letter[0].lower(), text)
    return _der(UTF8, lower.encode())


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    while der:
        tag, length, start = der[0], der[1], 2
        if length > 0x80:
            start += length - 0x80
            length = int.from_bytes(der[2:start])
        yield tag, der[start : start + length]
        der = der[start + length :]


def _der(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 + len(octets)]) + octets + body
