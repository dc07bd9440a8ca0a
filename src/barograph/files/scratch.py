"""Folders for one run: removed when it ends, or by the next one where it was killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from barograph.files.disk import declared

_LOCK = ".lock"


@contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """Create a temporary folder whose name begins with the prefix.

    A lock beside it, which the kernel drops with the process, says that it is in use. What others
    with this prefix left without a lock is removed. Raises DiskFullError or BadInputError.
    """
    home = Path(tempfile.gettempdir())
    with declared(home):
        _sweep(home, prefix)
        place = Path(tempfile.mkdtemp(prefix=prefix, dir=home))
        lock = _locked(place)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):
            place.with_name(place.name + _LOCK).unlink()
        os.close(lock)


def _locked(place: Path) -> int:
    """Lock the folder and return the lock's descriptor; retries when the lock file is swept."""
    path = place.with_name(place.name + _LOCK)
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            place.mkdir(mode=0o700, exist_ok=True)
            return lock
        os.close(lock)


def _sweep(home: Path, prefix: str) -> None:
    for path in home.glob(f"{prefix}*{_LOCK}"):
        with suppress(OSError):  # another's, or gone already
            lock = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path.with_name(path.name.removesuffix(_LOCK)), ignore_errors=True)
                path.unlink()
            finally:
                os.close(lock)
