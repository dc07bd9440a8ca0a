"""Hashes of the package's own source files, which are read when somebody asks."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).parent

_COMPILES = b"barograph.compiled import"
_CONSTANTS = re.compile(  # what is in capitals
    rb"^from barograph\.([\w.]+) import (?:\([^)]*?|[^(\n]*?)\b[A-Z][A-Z0-9_]+\b", re.MULTILINE
)
_LENGTH = 16


def code_hash(own: Iterable[Path] = ()) -> str:
    """SHA-256 of all sources with their names, 16 hexadecimal digits, as trainings are marked.

    own: files of the caller's that count too, by their contents alone.
    """
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode() + path.read_bytes())
    for path in own:
        digest.update(b"own\0" + path.read_bytes())
    return digest.hexdigest()[:_LENGTH]


def kernels_hash() -> str:
    """SHA-256 of the sources that compile something, 16 hexadecimal digits.

    With those from which they import constants: Numba compiles the value into the kernel.
    """
    texts = {path: path.read_bytes() for path in _sources()}
    kernels = {path for path, text in texts.items() if _COMPILES in text}
    for path in list(kernels):
        for module in _CONSTANTS.findall(texts[path]):
            kernels.add(PACKAGE / f"{module.decode().replace('.', '/')}.py")
    whole = b"".join(text for path, text in texts.items() if path in kernels)
    return hashlib.sha256(whole).hexdigest()[:_LENGTH]


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))
