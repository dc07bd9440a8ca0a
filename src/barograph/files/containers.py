"""What holds the records of a file, told by its content: lines, a JSON array, a table.

Each container becomes lines of JSON, so that what reads recordings knows nothing else. A row of a
table is an object of its cells under the names of its header; the numbers of its lines are those of
the file. What cannot be taken apart passes as it stands and is refused by whoever reads it.
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from barograph.files.json_values import begins_with_value, values_as_lines
from barograph.files.packed import TornError
from barograph.files.tables import Header, header_of, lines_of_table

SNIFFED_BYTES = 1 << 16
"""How much of a file is looked at to tell what holds its records."""

_BOM = codecs.BOM_UTF8
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PARQUET = b"PAR1"
_ARRAY = re.compile(rb"\s*\[\s*\{").match
_PRETTY = re.compile(rb"\s*\{[ \t]*\r?\n").match
_FOREIGN = {
    b"ARROW1": "an Arrow file",
    b"FEA1": "a Feather file",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
}


class Container(NamedTuple):
    """The lines of a file in chunks, and what they were made of, in words."""

    name: str
    chunks: Iterator[bytes]

    @property
    def is_lines(self) -> bool:
        """Whether its lines are those of the file."""
        return self.name == "lines"


def contained(
    chunks: Iterable[bytes], columns: Sequence[str] = (), delimiter: str = ""
) -> Container:
    """Return the records of an unpacked stream as lines.

    columns: the header of a table that has none. delimiter: of a table, where it is not to be told.
    The chunks of the result raise TornError where they cannot go on.
    """
    stream = iter(chunks)
    first, torn = _first(stream)
    stream = chain([first], stream) if torn is None else chain([first], _torn(torn))
    if first.startswith(_PARQUET):
        from barograph.files.parquet_rows import (  # noqa: PLC0415 - heavy, for such files only
            rows_as_lines,
        )

        return Container("Parquet table", rows_as_lines(stream))
    for magic, name in _FOREIGN.items():
        if first.startswith(magic):
            return Container(name, _torn(TornError(f"it is {name}, which is not read")))
    if first.startswith(_WIDE):
        return contained(_decoded(stream), columns, delimiter)
    if first.startswith(_BOM):
        first = first[len(_BOM) :]
        stream = _without(len(_BOM), stream)
    return _text(first, stream, columns, delimiter)


def _text(
    first: bytes, stream: Iterator[bytes], columns: Sequence[str], delimiter: str
) -> Container:
    if _ARRAY(first):
        return Container("JSON array", values_as_lines(stream))
    if _PRETTY(first) and begins_with_value(first):
        return Container("JSON objects", values_as_lines(stream))
    header = (
        Header(tuple(columns), delimiter or ",", is_in_file=False)
        if columns
        else header_of(first, delimiter)
    )
    if header is not None:
        return Container(f"table ({_shown(header.delimiter)})", lines_of_table(stream, header))
    return Container("lines", stream)


def _shown(delimiter: str) -> str:
    return {",": "CSV", "\t": "tab-separated"}.get(delimiter, f"cells between {delimiter}")


def _first(stream: Iterator[bytes]) -> tuple[bytes, TornError | None]:
    first = b""
    try:
        while len(first) < SNIFFED_BYTES:
            if (chunk := next(stream, None)) is None:
                break
            first += chunk
    except TornError as error:
        return first, error
    return first, None


def _torn(error: TornError) -> Iterator[bytes]:
    yield from ()
    raise error


def _without(number: int, stream: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in stream:
        if rest := chunk[number:]:
            yield rest
        number = max(0, number - len(chunk))


def _decoded(stream: Iterator[bytes]) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        for chunk in stream:
            if text := decoder.decode(chunk):
                yield text.encode(errors="surrogatepass")
        if text := decoder.decode(b"", final=True):
            yield text.encode(errors="surrogatepass")
    except UnicodeDecodeError as error:
        raise TornError(f"the utf-16 text is damaged: {error.reason}") from None
