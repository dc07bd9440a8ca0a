"""The header of a text table: what stands between its cells, and which column is which field."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from barograph.cases.contract import Contract
from barograph.errors import BadInputError
from barograph.files.tables import DELIMITERS
from barograph.foreign import first_few

_LONGEST_HEADER = 1 << 16
_CURE = "Give the table of this case with its header"


class TableHeader(NamedTuple):
    """A table's delimiter, and the field of the contract in each column.

    A column that is no field keeps its own name; one without a name is "". `lines` is the number
    of lines up to the first row.
    """

    delimiter: str
    names: list[str]
    lines: int


def read(path: Path, lines: Iterator[str], contract: Contract) -> TableHeader:
    """Take the header from the lines of a table.

    The delimiter is the one of comma, semicolon, tab and pipe that separates the most fields of the
    contract. A name matches its field exactly, or else in any case. Blank lines and Excel's `sep=;`
    before the header are skipped.
    Raises BadInputError if a field is absent or stands in two columns; the outcome may be absent.
    """
    count, text = 0, ""
    for line in lines:
        count += 1
        if not text and (not line.strip() or line.startswith("sep=")):
            continue
        text += line
        if text.count('"') % 2 == 0 or len(text) > _LONGEST_HEADER:  # no quoted cell goes on
            break
    columns = {delimiter: _columns(text, delimiter) for delimiter in DELIMITERS}
    fields = {contract.key, contract.outcome, *contract.features}
    folded = {field.casefold() for field in fields}
    delimiter = max(columns, key=lambda one: len(folded & {n.casefold() for n in columns[one]}))
    names = columns[delimiter]
    named = [_field(name, fields, names) for name in names]
    where = f"{path}, line {max(count, 1)}"
    if missing := [name for name in (contract.key, *contract.features) if name not in named]:
        raise _not_of_the_case(where, missing, max(columns.values(), key=len))
    twice = sorted(name for name, times in Counter(named).items() if name and times > 1)
    if twice:
        raise BadInputError(where, f"duplicate column {first_few(twice)}", "Remove one of them")
    return TableHeader(delimiter, named, count)


def _columns(text: str, delimiter: str) -> list[str]:
    try:
        row = next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return []
    return [name.strip() for name in row]


def _field(name: str, fields: set[str], names: list[str]) -> str:
    """The field that a column is meant to be, else its own name."""
    if name in fields:
        return name
    for field in fields:
        if field.casefold() == name.casefold() and field not in names:
            return field
    return name


def _not_of_the_case(where: str, missing: list[str], seen: list[str]) -> BadInputError:
    has, cure = "has", _CURE
    if len(seen) == 1:
        has, cure = "is one cell,", f"Separate cells by a {' or '.join(DELIMITERS.values())}"
    why = f"no column {first_few(missing)}; the header {has} {first_few(seen)}"
    return BadInputError(where, why, cure)
