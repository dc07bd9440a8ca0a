"""Standard streams that may be closed, full, or limited to a small character set."""

import codecs
import os
import sys

from barograph.errors import BadInputError

_PLAIN = {
    "→": "->", "←": "<-", "–": "-", "—": "-", "−": "-", "·": "*", "•": "*", "…": "...",
    "✓": "ok", "✗": "no", "×": "x", "≤": "<=", "≥": ">=", "±": "+-", "√": "sqrt ", "²": "^2",
    "³": "^3", "τ": "tau", "σ": "sigma", "µ": "u", "μ": "u", "─": "-", "━": "-", "│": "|",
    "’": "'", "‘": "'", "“": '"', "”": '"', "█": "#", "▁": "_",
    "✅": "ok", "❌": "no", "↑": "^", "↓": "v", "●": "o", "┼": "+",
}  # fmt: skip
_DOTS = range(0x2800, 0x2900)
"""Braille patterns, which spinners use."""
_BYTES = range(0xDC80, 0xDD00)
"""Surrogates by which Python represents undecodable bytes of file names."""


def prepare() -> None:
    """Make all three streams usable; call it before anything is opened or printed.

    A closed descriptor is bound to /dev/null; otherwise the first opened file would get its number
    and everything printed. Characters that a stream cannot encode are written in a plain form.
    Raises BadInputError if standard output is closed.
    """
    closed = [number for number in range(3) if not _is_open(number)]
    for number in closed:
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    if sys.stderr is None or 2 in closed:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if 0 in closed:
        sys.stdin = None  # as Python sets it
    codecs.register_error("barograph", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="barograph")
    if 1 in closed:
        raise BadInputError(
            "standard output", "it is closed", "Redirect it to discard the output (>/dev/null)"
        )


def write(content: str | bytes) -> bool:
    """Write to standard output and flush; return whether the reader still reads.

    A closed pipe (`| head`) is not an error. Raises BadInputError if the write fails otherwise.
    """
    try:
        if isinstance(content, str):
            sys.stdout.write(content)
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except BrokenPipeError:
        _write_nowhere()
        return False
    except OSError as error:
        _write_nowhere()
        raise BadInputError(
            "standard output",
            f"the output cannot be written ({error.strerror}); the work itself is done",
            "Free space there, or redirect the output",
        ) from None
    return True


def _write_nowhere() -> None:
    """Send to /dev/null whatever Python still flushes on exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Codec error handler: plain replacements for characters that a stream cannot encode."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_spelled, error.object[error.start : error.end])), error.end


def _spelled(character: str) -> str:
    if ord(character) in _BYTES:
        return f"\\x{ord(character) - 0xDC00:02x}"
    if ord(character) in _DOTS:
        return "*"
    return _PLAIN.get(character) or character.encode("unicode_escape").decode()
