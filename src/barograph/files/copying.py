"""Files copied durably, and hashed on the way."""

import os
from hashlib import sha256
from pathlib import Path

from barograph.errors import BadInputError
from barograph.files.disk import NO_HANDLES, declared, only_regular

_CHUNK_BYTES = 1 << 20


def copied_sha256(source: Path, target: Path, size: int) -> str:
    """Copy the first `size` bytes of a file durably; returns their SHA-256, in hexadecimal.

    Makes the target's folder and replaces the target. The names are durable only once their folders
    are synced. Raises FileNotFoundError where there is no source, BadInputError where it is shorter
    or cannot be read, DiskFullError, and BadInputError where the target cannot be written.
    """
    digest, left = sha256(), size
    try:
        file = os.fdopen(only_regular(str(source), os.O_RDONLY), "rb", buffering=0)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unreadable(source, error) from error
    with file, declared(target.parent, size):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb", buffering=0) as copy:
            while left:
                try:
                    chunk = file.read(min(left, _CHUNK_BYTES))
                except OSError as error:
                    raise _unreadable(source, error) from error
                if not chunk:
                    raise BadInputError(
                        str(source), f"it was cut short by {left:,} bytes", "Try again"
                    )
                digest.update(chunk)
                _write(copy.fileno(), chunk)
                left -= len(chunk)
            os.fsync(copy.fileno())
    return digest.hexdigest()


def _write(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _unreadable(source: Path, error: OSError) -> Exception:
    if error.errno in NO_HANDLES:
        return error
    why = error.strerror or str(error)
    return BadInputError(str(source), f"it cannot be read ({why})", "Check its owner and rights")
