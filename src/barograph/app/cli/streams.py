"""The standard streams as a verb finds them: any of them closed, full, or of a small alphabet."""

import codecs
import os
import sys

from barograph.errors import BadInputError

_PLAIN = {
    "→": "->", "←": "<-", "–": "-", "—": "-", "−": "-", "·": "*", "•": "*", "…": "...",
    "✓": "ok", "✗": "no", "×": "x", "≤": "<=", "≥": ">=", "±": "+-", "√": "sqrt ", "²": "^2",
    "³": "^3", "τ": "tau", "σ": "sigma", "µ": "u", "μ": "u", "─": "-", "━": "-", "│": "|",
    "’": "'", "‘": "'", "“": '"', "”": '"', "█": "#", "▁": "_",
}  # fmt: skip
_DOTS = range(0x2800, 0x2900)
"""Braille, of which spinners are made."""
_BYTES = range(0xDC80, 0xDD00)
"""Bytes of a name that is no UTF-8, as Python keeps them."""


def prepare() -> None:
    """Make all three streams usable, before anything is opened or printed.

    A closed descriptor is taken up, else the first file that is opened would get its number and
    what is printed. A character that a stream cannot take is written in its plain form. Raises
    BadInputError where standard output is closed: no verb works for nobody.
    """
    closed = [number for number in range(3) if not _is_open(number)]
    for number in closed:
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    if sys.stderr is None or 2 in closed:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if 0 in closed:
        sys.stdin = None  # as Python has it
    codecs.register_error("barograph", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="barograph")
    if 1 in closed:
        raise BadInputError(
            "standard output", "it is closed", "Send what nobody reads to /dev/null (>/dev/null)"
        )


def write(content: str | bytes) -> bool:
    """Write to standard output, at once; returns whether anybody reads on.

    Whoever reads no further (`| head`) has what he wants, and that is no error. Raises
    BadInputError where it cannot be written.
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
            f"the answer cannot be written ({error.strerror}); the work itself is done",
            "Make room there, or send it elsewhere",
        ) from None
    return True


def _write_nowhere() -> None:
    """What Python still wants to write when it leaves goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What a stream that cannot take these characters gets for them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_spelled, error.object[error.start : error.end])), error.end


def _spelled(character: str) -> str:
    if ord(character) in _BYTES:
        return f"\\x{ord(character) - 0xDC00:02x}"
    if ord(character) in _DOTS:
        return "*"
    return _PLAIN.get(character) or character.encode("unicode_escape").decode()
