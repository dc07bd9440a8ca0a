"""Barograph records markets without a break and says when the storm comes."""

import hashlib
import os
import sys
from pathlib import Path

__version__ = "0.1.0"

_COMPILED_BYTES = 64 << 20
"""Room for all kernels, several times."""


def code_hash() -> str:
    """SHA-256 of the package's sources, as the trainings of the registry name them."""
    package = Path(__file__).parent
    sources = sorted(package.rglob("*.py"))
    digest = hashlib.sha256()
    for path in sources:
        digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _keep_compiled_code_apart() -> bool:
    """Give each state of the compiled sources a cache of its own; whether it outlives the process.

    Numba renews a cached function when its own file changes, not when a function of another file
    that was compiled into it does. A changed kernel would go on living inside `update`.
    """
    package = Path(__file__).parent
    sources = [path.read_bytes() for path in sorted(package.rglob("*.py"))]
    digest = hashlib.sha256(b"".join(s for s in sources if b"njit" in s)).hexdigest()[:16]
    # Of a user without a home it stays relative, and is left out.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    directory = os.environ.get("NUMBA_CACHE_DIR", "")
    for home in (package / "__pycache__", cache / "barograph"):
        if not directory and home.is_absolute() and _takes_files(home / f"numba-{digest}"):
            directory = str(home / f"numba-{digest}")
    kept = bool(directory)
    os.environ["NUMBA_CACHE_DIR"] = directory or _for_this_process()
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]
    return kept


def _takes_files(directory: Path) -> bool:
    """Whether compiled code can be put there; the folder is made."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        room = os.statvfs(directory)
    except OSError:
        return False
    enough = room.f_frsize * room.f_bavail >= _COMPILED_BYTES and (
        room.f_favail or not room.f_files
    )
    return bool(enough) and os.access(directory, os.W_OK | os.X_OK)


def _for_this_process() -> str:
    """A folder that goes when the process ends; empty where there is no place even for that."""
    import atexit  # noqa: PLC0415 - these three are seldom needed, and `--help` is quick
    import shutil  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    try:
        directory = tempfile.mkdtemp(prefix="barograph-compiled-")
    except OSError:
        return ""
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


COMPILED_CODE_IS_KEPT = _keep_compiled_code_apart()
"""Whether what one process compiles is there for the next one."""
# What BLAS adds up depends on its threads, and on a busy machine threads wait for each other.
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")
