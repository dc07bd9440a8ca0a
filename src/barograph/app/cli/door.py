"""Turn errors that reach the CLI into one line with a cure, and check memory limits up front."""

import errno
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

from barograph.cases.named import with_own_cases
from barograph.errors import BadInputError, BarographError, facts_and_cure
from barograph.files.disk import FULL, NO_HANDLES

if TYPE_CHECKING:
    from typer import TyperException

_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}

Refusal = (BarographError, OSError, MemoryError, ImportError, UnicodeError)
"""Errors caused by input, machine or installation; any other exception is a bug and is raised."""


TO_TRAIN = {"lightgbm", "matplotlib", "scipy", "sklearn"}
"""What deploy/image/services.excludes leaves out of an image, by the names of their modules."""

_LITTLE_BYTES = 256 << 20
_LEAST_BYTES = 2_000_000 << 10
_HEAVY = {
    "candles", "consume", "dataset", "demo", "featurize", "predict", "rehearse", "replay", "score",
    "train", "up", "verify",
}  # fmt: skip
"""Verbs that load kernels, tables or learners and so need 1.2 to 1.9 GB of address space."""


def check_memory(verb: str) -> None:
    """Raise BadInputError if the address-space limit is too low for `verb` to start.

    With less memory the libraries abort the process or hang while they load.
    """
    limit = _memory_limit()
    if verb in _HEAVY and limit is not None and limit < _LEAST_BYTES:
        raise BadInputError(
            f"{limit / 1e6:,.0f} MB of memory (`ulimit -v`)",
            f"that is too little for {verb}",
            f"Allow more (`ulimit -v {_LEAST_BYTES >> 10}`), or lift the limit",
        )


def is_short_of_memory() -> bool:
    """Whether less than 256 MiB of address space remain, which then explains any error."""
    limit = _memory_limit()
    if limit is None:
        return False
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # not Linux
        return False
    return limit - pages * resource.getpagesize() < _LITTLE_BYTES


def _memory_limit() -> int | None:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def refusal(error: BaseException) -> str:
    """The error as one line with facts and a cure, without line breaks."""
    return " ".join(_sentence(error).split())


def parts(error: BaseException) -> tuple[str, str]:
    """The facts of `refusal(error)`, and its cure, which is never empty."""
    facts, cure = facts_and_cure(error, refusal(error))
    return with_own_cases(facts), with_own_cases(cure)


def usage_parts(error: "TyperException") -> tuple[str, str]:
    """What is wrong with a command line, and where its help is."""
    context = getattr(error, "ctx", None)
    command = "barograph" if context is None else context.command_path
    message = " ".join(error.format_message().split()).replace(": Value error, ", ": ")
    return message if message.endswith((".", "?")) else f"{message}.", f"See `{command} --help`."


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
        return _of_a_package(error)
    if isinstance(error, UnicodeError):
        return f"a name or a text is not UTF-8 ({error}). Rename the file, or correct the text."
    return str(error)


def _of_a_package(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in TO_TRAIN:
        return (
            f"this needs {error.name}, which is not installed, as in the image of the services. "
            "Use the image whose tag ends in -training, or install Barograph again."
        )
    return (
        f"a package cannot be loaded ({error}). Install Barograph again, or give it more "
        "memory (`ulimit -v`)."
    )


def _of_the_system(error: OSError) -> str:
    where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    why = error.strerror or str(error)
    if error.errno in NO_HANDLES:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"{where}too many files are open; the limit is {limit}. Raise it "
            "(`ulimit -n 1024`) and start again."
        )
    if error.errno in FULL:
        return f"{where}there is no space left ({why}). Free space there and start again."
    if error.errno in _FORBIDDEN:
        return f"{where}access is denied ({why}). Check its owner and permissions."
    return f"{where or 'the system refused: '}{why}. Check what is named and start again."
