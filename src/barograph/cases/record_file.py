"""Read files of records, CSV or NDJSON, as each record's JSON with its line number.

Only unreadable files are refused here. Lines that cannot be records are passed on unchanged, so
that `Contract.decode` refuses them with a reason.
"""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO, AnyStr, NamedTuple, Self

import msgspec

from barograph.cases.contract import Contract
from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.files.input_file import InputFile

MAX_LINE_BYTES = 4 << 20
"""Longest line; a file with a longer one is refused."""

_NDJSON = {".ndjson", ".jsonl"}
_anything = msgspec.json.Decoder()


class RecordLine(NamedTuple):
    """A record of a file: its first line (from 1), its key and its JSON.

    `key` is "" if there is no readable key.
    """

    number: int
    key: str
    value: bytes


def lines(path: Path, contract: Contract) -> Iterator[RecordLine]:
    """Yield all records of a file, then close it. Raises as `RecordFile` does."""
    with RecordFile(path, contract) as file:
        yield from file


class RecordFile:
    """One pass over a file of records: NDJSON (.ndjson, .jsonl), else CSV with a header.

    Iteration yields all records in file order, and works once. A CSV row goes through
    `Contract.from_text`; one with too few or too many cells becomes the JSON list of its cells, one
    that is not UTF-8 keeps its bytes. NDJSON lines are unchanged. Blank lines are skipped. Memory
    is bounded by one record.

    Raises FileChangedError if the file changes meanwhile. Raises BadInputError for an empty or
    unreadable file, a header without the key or a feature or with a duplicate name, an unterminated
    quote, and a line longer than MAX_LINE_BYTES.
    """

    def __init__(self, path: Path, contract: Contract) -> None:
        self._path, self._contract = path, contract
        self._raw = InputFile(path)
        self._hash = sha256()
        self.ended = True
        """Whether the last line read ends in a newline; without one it may be incomplete."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def __iter__(self) -> Iterator[RecordLine]:
        path, contract = self._path, self._contract
        if self._raw.size == 0:
            raise BadInputError(str(path), "it is empty", "Fetch or export it again")
        with BufferedReader(self._raw) as file:
            yield from (self._of_json if path.suffix in _NDJSON else self._of_csv)(file, contract)
            self._raw.refuse_if_changed()

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes read so far; after the last record, of the whole file."""
        return self._raw.sha256

    def passed(self) -> str:
        """Hex digest of all lines up to the last yielded record, independent of line endings."""
        return self._hash.hexdigest()

    def refuse_if_changed(self) -> None:
        """Raise FileChangedError unless the file still starts with the bytes that were read."""
        self._raw.refuse_if_changed()

    def _of_json(
        self, file: "BufferedReader[InputFile]", contract: Contract
    ) -> Iterator[RecordLine]:
        for number, line in enumerate(self._bounded(file), 1):
            self._add(line)
            if value := line.strip():
                yield RecordLine(number, _key_in(value, contract.key), value)

    def _of_csv(self, raw: "BufferedReader[InputFile]", contract: Contract) -> Iterator[RecordLine]:
        # surrogateescape keeps bytes that are not UTF-8, so that `_value` can restore them.
        text = TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
        with _detached(text) as file:
            csv.field_size_limit(MAX_LINE_BYTES)  # a cell may be as long as a line
            rows = csv.reader(self._text_lines(file), strict=True)
            begins = 1
            try:
                header = [name.strip() for name in next(rows)]
                _refuse_header(self._path, header, contract)
                key, begins = header.index(contract.key), rows.line_num + 1
                for cells in rows:
                    begins, number = rows.line_num + 1, begins
                    if any(cell.strip() for cell in cells):
                        name = cells[key].strip() if key < len(cells) else ""
                        yield RecordLine(number, _text(name), _value(header, cells, contract))
            except csv.Error as error:
                raise _unreadable(self._path, begins, str(error)) from None

    def _text_lines(self, file: TextIOWrapper) -> Iterator[str]:
        for line in self._bounded(file):
            self._add(line.encode("utf-8", "surrogateescape"))
            yield line

    def _bounded(self, file: IO[AnyStr]) -> Iterator[AnyStr]:
        """The lines of a file; for text the limit counts characters."""
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise _unreadable(self._path, number, f"it is longer than {MAX_LINE_BYTES:,} bytes")
            yield line

    def _add(self, line: bytes) -> None:
        whole = line.rstrip(b"\r\n")
        self.ended = len(whole) < len(line)
        self._hash.update(whole)
        self._hash.update(b"\n")


@contextmanager
def _detached(text: TextIOWrapper) -> Iterator[TextIOWrapper]:
    """Detach `text` at the end, so that its file stays open."""
    try:
        yield text
    finally:
        text.detach()


def _refuse_header(path: Path, header: list[str], contract: Contract) -> None:
    if missing := [name for name in (contract.key, *contract.features) if name not in header]:
        raise BadInputError(
            f"{path}, line 1",
            f"no column {', '.join(missing)}",
            "Give the table of this case with its header",
        )
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise BadInputError(
            f"{path}, line 1", f"duplicate column {', '.join(twice)}", "Remove one of them"
        )


def _value(header: list[str], cells: list[str], contract: Contract) -> bytes:
    row = dict(zip(header, cells, strict=True)) if len(cells) == len(header) else None
    try:
        return contract.from_text(row) if row else msgspec.json.encode(cells)
    except UnicodeEncodeError:  # keep the bytes; the contract refuses them
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
