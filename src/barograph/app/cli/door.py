"""The last place an error comes to: what it is in one line, and what can be done about it."""

import errno
import os
import resource
from pathlib import Path

from barograph.errors import BadInputError, BarographError
from barograph.files.disk import FULL, NO_HANDLES

_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}

Refusal = (BarographError, OSError, MemoryError, ImportError, UnicodeError)
"""What a machine, a disk or an installation does to a verb; anything else is a fault of ours."""


_LITTLE_BYTES = 256 << 20
_LEAST_BYTES = 2_000_000 << 10
_HEAVY = {
    "consume", "dataset", "demo", "featurize", "rehearse", "replay", "score", "train", "up",
    "verify",
}  # fmt: skip
"""Verbs that load compiled kernels, tables or learners, which take 1.2 to 1.9 GB of addresses."""


def check_memory(verb: str) -> None:
    """Raise BadInputError where a verb may not have as much memory as it takes to begin.

    Libraries that are loaded with less abort the process, or hang.
    """
    limit = _memory_limit()
    if verb in _HEAVY and limit is not None and limit < _LEAST_BYTES:
        raise BadInputError(
            f"{limit / 1e6:,.0f} MB of memory (`ulimit -v`)",
            f"that is too little for {verb}",
            f"Allow more (`ulimit -v {_LEAST_BYTES >> 10}`), or lift the limit",
        )


def is_short_of_memory() -> bool:
    """Whether this process may take less than 256 MiB more: then that explains any error."""
    limit = _memory_limit()
    if limit is None:
        return False
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # no Linux
        return False
    return limit - pages * resource.getpagesize() < _LITTLE_BYTES


def _memory_limit() -> int | None:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def refusal(error: BaseException) -> str:
    """One line with the facts and a cure, whatever the error's own text looks like."""
    return " ".join(_sentence(error).split())


def _sentence(error: BaseException) -> str:
    if not isinstance(error, BarographError | MemoryError) and is_short_of_memory():
        what = f"{type(error).__name__}: {str(error).rstrip('. ')}"
        return f"{_sentence(MemoryError())} It ended in {what}."
    if isinstance(error, OSError):
        return _of_the_system(error)
    if isinstance(error, MemoryError):
        return (
            "there is not enough memory. Free some, raise the limit (`ulimit -v`), or take fewer "
            "records at once (batch_records in barograph.toml)."
        )
    if isinstance(error, ImportError):
        return (
            f"a package cannot be loaded ({error}). Install Barograph again, or give it more "
            "memory (`ulimit -v`)."
        )
    if isinstance(error, UnicodeError):
        return f"a name or a text is no UTF-8 ({error}). Rename the file, or mend the text."
    return str(error)


def _of_the_system(error: OSError) -> str:
    where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    why = error.strerror or str(error)
    if error.errno in NO_HANDLES:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"{where}too many files are open at once, {limit} are allowed. Allow more "
            "(`ulimit -n 1024`) and start again."
        )
    if error.errno in FULL:
        return f"{where}there is no room ({why}). Free space there and start again."
    if error.errno in _FORBIDDEN:
        return f"{where}it may not be used ({why}). Check its owner and rights."
    return f"{where or 'the system refused: '}{why}. Check what is named and start again."
