"""Hashes of the package's own source files, which are read when somebody asks."""

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent

_COMPILES = b"barograph.compiled import"
_LENGTH = 16


def code_hash() -> str:
    """SHA-256 of all sources with their names, 16 hexadecimal digits, as trainings are marked."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:_LENGTH]


def kernels_hash() -> str:
    """SHA-256 of the sources that compile something, 16 hexadecimal digits."""
    texts = (path.read_bytes() for path in _sources())
    kernels = b"".join(text for text in texts if _COMPILES in text)
    return hashlib.sha256(kernels).hexdigest()[:_LENGTH]


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))
