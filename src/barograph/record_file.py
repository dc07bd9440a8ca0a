"""Files of records, as tables of text or as lines of JSON: each record's JSON with its place.

Nothing is judged here but whether a file can be read at all: what cannot be a record of the
contract comes out as it stands, so that `Contract.decode` refuses it and it is kept with a reason.
"""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO, AnyStr, NamedTuple

import msgspec

from barograph.codec import UNREADABLE
from barograph.contract import Contract
from barograph.errors import BadInputError
from barograph.input_file import InputFile

MAX_LINE_BYTES = 4 << 20
"""A file with a longer line is refused: it is no file of records."""

_NDJSON = {".ndjson", ".jsonl"}
_anything = msgspec.json.Decoder()


class Line(NamedTuple):
    """A record as it stands in a file: the line where it begins, from 1, its key and its JSON.

    `key` is "" where it has none that can be read.
    """

    number: int
    key: str
    value: bytes


def lines(path: Path, contract: Contract) -> Iterator[Line]:
    """All records of a file in its order: NDJSON (.ndjson, .jsonl), else CSV with a header.

    A line of CSV goes through `Contract.from_text`; one with too few or too many cells becomes the
    JSON list of its cells, one that is not UTF-8 keeps its bytes. A line of NDJSON is given byte
    for byte. Blank lines are skipped. Memory is bounded by a record.
    Raises FileChangedError for a file that is changed meanwhile. Raises BadInputError for one that
    is empty or cannot be read, a header without the key, without a feature or with a name twice, a
    quote that never ends, and a line beyond MAX_LINE_BYTES.
    """
    with InputFile(path) as raw, BufferedReader(raw) as file:
        if raw.size == 0:
            raise BadInputError(str(path), "it is empty", "Fetch or export it again")
        if path.suffix in _NDJSON:
            yield from _of_json(path, file, contract)
        else:
            yield from _of_csv(path, file, contract)
        raw.refuse_if_changed()


def _of_json(path: Path, file: "BufferedReader[InputFile]", contract: Contract) -> Iterator[Line]:
    for number, line in enumerate(_bounded(path, file), 1):
        if value := line.strip():
            yield Line(number, _key_in(value, contract.key), value)


def _of_csv(path: Path, raw: "BufferedReader[InputFile]", contract: Contract) -> Iterator[Line]:
    # What is not UTF-8 stays itself: the bytes are put back when the line is.
    text = TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
    with _detached(text) as file:
        csv.field_size_limit(MAX_LINE_BYTES)  # a cell may be as long as a line
        rows = csv.reader(_bounded(path, file), strict=True)
        begins = 1
        try:
            header = [name.strip() for name in next(rows)]
            _refuse_header(path, header, contract)
            key, begins = header.index(contract.key), rows.line_num + 1
            for cells in rows:
                begins, number = rows.line_num + 1, begins
                if any(cell.strip() for cell in cells):
                    name = cells[key].strip() if key < len(cells) else ""
                    yield Line(number, _text(name), _value(header, cells, contract))
        except csv.Error as error:
            raise _unreadable(path, begins, str(error)) from None


@contextmanager
def _detached(text: TextIOWrapper) -> Iterator[TextIOWrapper]:
    """The text of a file that stays open."""
    try:
        yield text
    finally:
        text.detach()


def _bounded(path: Path, file: IO[AnyStr]) -> Iterator[AnyStr]:
    """The lines of a file; in text, characters count for bytes."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise _unreadable(path, number, f"it is longer than {MAX_LINE_BYTES:,} bytes")
        yield line


def _refuse_header(path: Path, header: list[str], contract: Contract) -> None:
    if missing := [name for name in (contract.key, *contract.features) if name not in header]:
        raise BadInputError(
            f"{path}, line 1",
            f"no column {', '.join(missing)}",
            "Give the table of this case, with its header",
        )
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise BadInputError(
            f"{path}, line 1", f"column {', '.join(twice)} twice", "Leave one of them out"
        )


def _value(header: list[str], cells: list[str], contract: Contract) -> bytes:
    row = dict(zip(header, cells, strict=True)) if len(cells) == len(header) else None
    try:
        return contract.from_text(row) if row else msgspec.json.encode(cells)
    except UnicodeEncodeError:  # as it stands in the file, for the contract to refuse
        text = json.dumps(row or cells, ensure_ascii=False)
        return text.encode("utf-8", "surrogateescape")


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _key_in(value: bytes, name: str) -> str:
    try:
        record = _anything.decode(value)
    except UNREADABLE:
        return ""
    key = record.get(name) if isinstance(record, dict) else None
    return key if isinstance(key, str) else ""


def _unreadable(path: Path, line: int, why: str) -> BadInputError:
    return BadInputError(f"{path}, line {line}", why, "Repair the file")
