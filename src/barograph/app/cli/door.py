"""The last place an error comes to: what it is in one line, and what can be done about it."""

import errno
import os
import resource

from barograph.errors import BarographError
from barograph.files.disk import FULL, NO_HANDLES

_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}

Refusal = (BarographError, OSError, MemoryError, ImportError, UnicodeError)
"""What a machine, a disk or an installation does to a verb; anything else is a fault of ours."""


def refusal(error: BaseException) -> str:
    """One line with the facts and a cure, whatever the error's own text looks like."""
    return " ".join(_sentence(error).split())


def _sentence(error: BaseException) -> str:
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
