"""What Barograph sets in the environment of its own process: all of it, and when.

Packages read these variables when they are imported, so each function runs before that import.
`import barograph` sets nothing.

| function | called by | sets |
|---|---|---|
| `for_numpy` | the command line, before a verb | `OPENBLAS_NUM_THREADS`, `OMP_NUM_THREADS` |
| `for_numba` | `compiled`, with the first kernel | `NUMBA_CACHE_DIR` |
| `for_onnxruntime` | a model, when it is loaded | `ORT_DISABLE_TELEMETRY` |
| `for_mlflow` | the registry, when it writes | `MLFLOW_DISABLE_TELEMETRY`, `DO_NOT_TRACK` |
"""

import os
import warnings
from functools import cache
from pathlib import Path

from barograph.sources import PACKAGE, kernels_hash

_COMPILED_BYTES = 64 << 20
"""Room for all kernels, several times."""


class UnkeptKernelsWarning(UserWarning):
    """Compiled kernels end with the process: no folder takes them."""


def for_numpy() -> None:
    """One thread for BLAS and OpenMP, unless the environment says how many.

    What BLAS adds up depends on its threads, and on a busy machine threads wait for each other.
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def for_numba() -> str:
    """The folder of compiled kernels, one for each state of their sources, unless one is set.

    Numba renews a cached function when its own file changes, not when a function of another file
    that was compiled into it does. A changed kernel would go on living inside `update`. Where no
    folder outlives the process, one of its own; empty where there is not even that. Warns with
    UnkeptKernelsWarning then, unless kernels came with the installation.
    """
    directory = os.environ.get("NUMBA_CACHE_DIR") or _lasting_folder()
    if not directory:
        if not shipped_kernels():
            warnings.warn(
                "compiled code cannot be kept: neither the package nor the cache can be written, "
                "so each start compiles anew. Name a folder for it in XDG_CACHE_HOME.",
                UnkeptKernelsWarning,
                stacklevel=2,
            )
        directory = _folder_of_this_process()
    os.environ["NUMBA_CACHE_DIR"] = directory
    return directory


def shipped_kernels() -> str:
    """The folder of kernels that came with the installation, which this user may not write.

    Of the package's sources as they are. Empty where there is none, or where Numba writes there.
    """
    folder = PACKAGE / "__pycache__" / _kernels_folder()
    if os.environ.get("NUMBA_CACHE_DIR") == str(folder) or not any(folder.glob("*")):
        return ""
    return str(folder)


def for_onnxruntime() -> None:
    """No reports to its maker, and no complaint where the home directory cannot be written."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def for_mlflow() -> None:
    """No reports, and no question to a server what to report."""
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def for_profiling() -> None:
    """No reports to the makers of profiles, and no window for their pictures."""
    os.environ |= {
        "YDATA_PROFILING_NO_ANALYTICS": "true",
        "DO_NOT_TRACK": "true",
        "MPLBACKEND": "agg",
    }


def _lasting_folder() -> str:
    """In the package, or in the user's cache; empty where neither takes files."""
    # Of a user without a home it stays relative, and is left out.
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    cache_home = Path(home)
    for parent in (PACKAGE / "__pycache__", cache_home / "barograph"):
        if parent.is_absolute() and _takes_files(parent / _kernels_folder()):
            return str(parent / _kernels_folder())
    return ""


@cache
def _kernels_folder() -> str:
    return f"numba-{kernels_hash()}"


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


def _folder_of_this_process() -> str:
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
