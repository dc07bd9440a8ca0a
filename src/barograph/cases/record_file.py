"""Read files of records, CSV or NDJSON, as each record's JSON with its line number.

Only unreadable files, and files without any record of the case, are refused here. Single lines that
cannot be records are passed on, so that `Contract.decode` refuses them with a reason.
"""

import codecs
import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BufferedReader, RawIOBase, TextIOWrapper
from pathlib import Path
from typing import IO, AnyStr, NamedTuple, Self

import msgspec

from barograph.cases import table_header
from barograph.cases.contract import Contract
from barograph.errors import BadInputError
from barograph.files.input_file import InputFile
from barograph.files.lines import chunks_of
from barograph.files.packed import TornError

MAX_LINE_BYTES = 4 << 20
"""Longest line; a file with a longer one is refused."""

_NDJSON = {".ndjson", ".jsonl"}
_BOM = codecs.BOM_UTF8
_BEGINNING = 512
_BUFFER_BYTES = 1 << 17
_FORMS = {
    b"\xff\xfe": "it is UTF-16",
    b"\xfe\xff": "it is UTF-16",
    b"PAR1": "it is Parquet",
    b"PK\x03\x04": "it is a workbook or a zip",
    b"\xd0\xcf\x11\xe0": "it is an Excel workbook",
    b"[": "it is one JSON array",
}
"""How a file begins that is neither a table nor lines of JSON."""


class RecordLine(NamedTuple):
    """A record of a file: its first line (from 1), its key and its JSON.

    `key` is "" if there is no readable key. `fault` says what is wrong with a row of cells before
    any contract is asked, else "".
    """

    number: int
    key: str
    value: bytes
    fault: str = ""


def lines(path: Path, contract: Contract, *, outcome: bool = False) -> Iterator[RecordLine]:
    """Yield all records of a file, then close it. Raises as `RecordFile` does."""
    with RecordFile(path, contract, outcome=outcome) as file:
        yield from file


class RecordFile:
    """One pass over a file of records: NDJSON, else CSV with a header; plain or compressed.

    NDJSON is a file with the suffix .ndjson or .jsonl, or whose first line begins with a brace.
    Iteration yields all records in file order, and works once. A CSV row goes through
    `Contract.from_text`; one with too few or too many cells becomes the JSON list of its cells, one
    that is not UTF-8 keeps its bytes. NDJSON lines go through `Contract.from_json`. Blank lines and
    a byte order mark are skipped. Memory is bounded by one record.

    Raises FileChangedError if the file changes meanwhile. Raises BadInputError for an empty or
    unreadable file, a header without the key, a feature or, if `outcome`, the outcome, or with a
    duplicate name, an unterminated quote, a line longer than MAX_LINE_BYTES, and, at its end, for a
    file in which no row has as many cells as the header or no JSON has a field of the contract.
    """

    def __init__(self, path: Path, contract: Contract, *, outcome: bool = False) -> None:
        self._path, self._contract, self._outcome = path, contract, outcome
        self._raw = InputFile(path)
        self._hash = sha256()
        self._fits = False  # whether one record was of this case's form
        self._first_fault: tuple[int, str] | None = None
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
        with self._raw, BufferedReader(_Unpacked(self._raw), _BUFFER_BYTES) as file:
            try:
                beginning = file.peek(_BEGINNING)[:_BEGINNING].removeprefix(_BOM).lstrip()
                _refuse_form(path, beginning)
                is_json = bool(_NDJSON & set(path.suffixes)) or beginning.startswith(b"{")
                yield from (self._of_json if is_json else self._of_csv)(file, contract)
            except TornError as error:
                raise BadInputError(str(path), str(error), "Fetch or export it again") from None
            if self._first_fault and not self._fits:
                number, fault = self._first_fault
                cure = "Give records of this case, each row with as many cells as the header"
                raise BadInputError(f"{path}, line {number}", f"{fault}, and no record fits", cure)
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
        self, file: "BufferedReader[_Unpacked]", contract: Contract
    ) -> Iterator[RecordLine]:
        for number, line in enumerate(self._bounded(file), 1):
            self._add(line)
            if value := (line.removeprefix(_BOM) if number == 1 else line).strip():
                record = contract.from_json(value)
                self._note(number, record.fault)
                yield RecordLine(number, record.key, record.value)

    def _of_csv(self, raw: "BufferedReader[_Unpacked]", contract: Contract) -> Iterator[RecordLine]:
        # surrogateescape keeps bytes that are not UTF-8, so that `_value` can restore them.
        text = TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
        with _detached(text) as file:
            csv.field_size_limit(MAX_LINE_BYTES)  # a cell may be as long as a line
            text_lines = self._text_lines(file)
            header = table_header.read(self._path, text_lines, contract)
            if self._outcome and contract.outcome not in header.names:
                raise _no_outcome(f"{self._path}, line {header.lines}", contract)
            rows = csv.reader(text_lines, delimiter=header.delimiter, strict=True)
            key, begins = header.names.index(contract.key), header.lines + 1
            try:
                for cells in rows:
                    begins, number = header.lines + rows.line_num + 1, begins
                    if any(cell.strip() for cell in cells):
                        name = _text(cells[key].strip()) if key < len(cells) else ""
                        fault = _cells_fault(cells, header.names)
                        self._note(number, fault)
                        yield RecordLine(number, name, _value(header.names, cells, contract), fault)
            except csv.Error as error:
                raise _unreadable(self._path, begins, str(error)) from None

    def _note(self, number: int, fault: str) -> None:
        if not fault:
            self._fits = True
        elif self._first_fault is None:
            self._first_fault = number, fault

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


class _Unpacked(RawIOBase):
    """What a file holds, without its compression. Raises TornError where that is damaged."""

    def __init__(self, file: InputFile) -> None:
        super().__init__()
        self._chunks, self._rest = chunks_of(file), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _refuse_form(path: Path, beginning: bytes) -> None:
    for first, what in _FORMS.items():
        if beginning.startswith(first):
            cure = "Export it as CSV in UTF-8, or as one JSON object a line (.ndjson)"
            raise BadInputError(str(path), what, cure)


def _no_outcome(where: str, contract: Contract) -> BadInputError:
    return BadInputError(
        where,
        f"no column {contract.outcome}, and a dataset needs outcomes",
        f"Add it, with empty cells where the outcome is unknown and {contract.yes} where it counts",
    )


def _cells_fault(cells: list[str], names: list[str]) -> str:
    if len(cells) == len(names):
        return ""
    return f"{len(cells)} cells, the header has {len(names)}"


def _value(names: list[str], cells: list[str], contract: Contract) -> bytes:
    row = None
    if len(cells) == len(names):
        row = {name: cell for name, cell in zip(names, cells, strict=True) if name}
    try:
        return contract.from_text(row) if row else msgspec.json.encode(cells)
    except UnicodeEncodeError:  # keep the bytes; the contract refuses them
        text = json.dumps(row or cells, ensure_ascii=False)
        return text.encode("utf-8", "surrogateescape")


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unreadable(path: Path, line: int, why: str) -> BadInputError:
    return BadInputError(f"{path}, line {line}", why, "Repair the file")
