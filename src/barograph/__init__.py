"""Barograph records markets without a break and says when the storm comes."""

import hashlib
import os
import sys
from pathlib import Path

__version__ = "0.1.0"


def code_hash() -> str:
    """SHA-256 of the package's sources, as the trainings of the registry name them."""
    package = Path(__file__).parent
    sources = sorted(package.rglob("*.py"))
    digest = hashlib.sha256()
    for path in sources:
        digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _keep_compiled_code_apart() -> None:
    """Give each state of the compiled sources a cache of its own.

    Numba renews a cached function when its own file changes, not when a function of another file
    that was compiled into it does. A changed kernel would go on living inside `update`.
    """
    package = Path(__file__).parent
    sources = [path.read_bytes() for path in sorted(package.rglob("*.py"))]
    digest = hashlib.sha256(b"".join(s for s in sources if b"njit" in s)).hexdigest()[:16]
    home = package / "__pycache__"
    if not os.access(home if home.exists() else package, os.W_OK):
        cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
        home = Path(cache).expanduser() / "barograph"
    directory = os.environ.setdefault("NUMBA_CACHE_DIR", str(home / f"numba-{digest}"))
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = directory


_keep_compiled_code_apart()
# What BLAS adds up depends on its threads, and on a busy machine threads wait for each other.
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")
