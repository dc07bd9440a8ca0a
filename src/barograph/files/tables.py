"""Tables of text: cells between commas, semicolons, tabs or bars, a row a line, under a header."""

import csv
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
"""What may stand between cells, and its name."""

MAX_ROW_BYTES = 1 << 20
"""A longer row passes as it stands."""

_FEWEST_CELLS = 3
_MOST_CELLS = 4096
_NAME = re.compile(r"[A-Za-z_][\w .()/%:#-]{0,99}").fullmatch


class Header(NamedTuple):
    """The names of a table's columns, and what stands between its cells."""

    names: tuple[str, ...]
    delimiter: str
    is_in_file: bool = True


def header_of(first: bytes, delimiter: str = "") -> Header | None:
    """Return the header that a text begins with, None where it does not look like a table's."""
    line = first.split(b"\n", 1)[0].rstrip(b"\r")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    for each in (delimiter,) if delimiter else DELIMITERS:
        cells = [cell.strip() for cell in _cells(text, each) or ()]
        while cells and not cells[-1]:
            cells.pop()
        if not _FEWEST_CELLS <= len(cells) <= _MOST_CELLS:
            continue
        if len(set(cells)) == len(cells) and all(_NAME(cell) for cell in cells):
            return Header(tuple(cells), each)
    return None


def lines_of_table(chunks: Iterable[bytes], header: Header) -> Iterator[bytes]:
    """Yield the rows of a table as lines of JSON objects, all cells as texts; in chunks.

    The header becomes an empty line, so that a row has the number of its line in the file. A row
    that does not fit the header becomes the list of its cells. A last row without its newline
    passes as it stands where its last cell may go on: where a longer one came before.
    """
    rows = _Rows(header)
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        if whole:
            yield b"".join(rows.line(line) for line in whole)
        if len(rest) > MAX_ROW_BYTES:
            yield rest  # too long: whoever reads lines says so
            rest = b""
            rows.passing = True
    if rest:
        yield rows.last(rest)


class _Rows:
    def __init__(self, header: Header) -> None:
        self._names, self._delimiter = header.names, header.delimiter
        self._header_due = header.is_in_file
        self._longest_last = 0
        self.passing = False

    def line(self, line: bytes) -> bytes:
        """Return a row, which has its newline, as a line."""
        if self.passing:
            self.passing = False
            return line + b"\n"
        if self._header_due:
            self._header_due = False
            return b"\n"
        return self._object(line) + b"\n"

    def last(self, rest: bytes) -> bytes:
        """Return what follows the last newline."""
        if self.passing or self._header_due:
            return rest
        before = self._longest_last
        row = self._object(rest)
        cells = _cells(rest.decode(errors="replace"), self._delimiter) or [""]
        is_whole = row.startswith(b"{") and before and len(cells[-1]) >= before
        return row if is_whole else rest

    def _object(self, line: bytes) -> bytes:
        line = line.removesuffix(b"\r")
        if not line or line.isspace():
            return b""
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return line
        cells = _cells(text, self._delimiter)
        if cells is None:
            return line
        while len(cells) > len(self._names) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(self._names):
            return msgspec.json.encode(cells)
        self._longest_last = max(self._longest_last, len(cells[-1]))
        return msgspec.json.encode(dict(zip(self._names, cells, strict=True)))


def _cells(text: str, delimiter: str) -> list[str] | None:
    """Return the cells of a row; None where its quotes do not match."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
