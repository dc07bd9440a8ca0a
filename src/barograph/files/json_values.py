"""JSON values one after the other, in an array or not, pretty or not: each as one line."""

import json
from collections.abc import Iterable, Iterator

from barograph.codec import UNREADABLE
from barograph.files.packed import TornError

MAX_VALUE_BYTES = 4 << 20
"""The longest value that is waited for; a longer one ends the reading as a damage."""

_SKIPPED = b" \t\r\n,"
_decoder = json.JSONDecoder(strict=False, parse_float=str, parse_int=str)


def values_as_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the values of a stream in chunks of whole lines; arrays at the top are opened.

    Each value keeps its bytes, but a newline within it becomes a blank. The half of a last value
    has no newline. Raises TornError where the stream is damaged, or a value is too long.
    """
    rest = b""
    wanted = 0
    for chunk in chunks:
        rest += chunk
        if len(rest) < wanted:
            continue
        lines, rest = _taken(rest)
        if lines:
            yield lines
        # A value that is not whole yet is tried again when there is twice as much of it.
        wanted = 2 * len(rest)
        if len(rest) > MAX_VALUE_BYTES:
            raise TornError(f"a JSON value is longer than {MAX_VALUE_BYTES} bytes, or damaged")
    lines, rest = _taken(rest)
    if lines:
        yield lines
    if rest:
        yield _on_one_line(rest)


def begins_with_value(data: bytes) -> bool:
    """Whether the data begin with a whole value."""
    text = data.decode("latin-1").lstrip()
    try:
        _decoder.raw_decode(text)
    except (*UNREADABLE, ValueError):
        return False
    return True


def _taken(data: bytes) -> tuple[bytes, bytes]:
    """Return the whole values in the data as lines, and what follows them."""
    text = data.decode("latin-1")  # a character for a byte: the structure of JSON is ASCII
    lines: list[bytes] = []
    place = 0
    while True:
        while place < len(data) and (data[place] in _SKIPPED or data[place] in b"[]"):
            place += 1
        if place == len(data):
            break
        try:
            _, end = _decoder.raw_decode(text, place)
        except (*UNREADABLE, ValueError):
            break
        if end == len(data) and data[place] not in b'{"':
            break  # a number may go on
        lines.append(_on_one_line(data[place:end]) + b"\n")
        place = end
    return b"".join(lines), data[place:]


def _on_one_line(value: bytes) -> bytes:
    return value.replace(b"\r", b" ").replace(b"\n", b" ")
