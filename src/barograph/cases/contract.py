"""The contract of a case's records, and the numbers that models take from them.

One definition serves the producer's file, the training table and the live scorer: a frozen Struct
with bounded numbers and listed categories.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import inspect

from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.foreign import first_few
from barograph.types import Fault

_FLOAT32_MAX = 3.4028234663852886e38
_LONGEST_DETAIL = 200
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_raw_cells = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_POINT_ZERO = re.compile(r"\.0+\Z")
_FLAGS = {"true": True, "false": False, "1": True, "0": False}

# msgspec reports validation errors only as text; a test pins each message.
_PLACED = re.compile(r"(.*) - at `(\$.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_ANOTHER_TYPE = re.compile(r"Expected `[\w |]*`, got `(\w+)`")
_BEYOND = re.compile(r"Expected `(?:int|float)` [<>]=? .*|(?:Number|Integer value) out of range")


class RecordRefusedError(Exception):
    """A record violates its contract and becomes a dead letter. Never reaches a user."""

    def __init__(self, fault: Fault, detail: str) -> None:
        self.fault, self.detail = fault, detail
        super().__init__(detail)


class JsonRecord(NamedTuple):
    """A line of JSON: its key ("" if unreadable), its JSON, and why it is no record of the case."""

    key: str
    value: bytes
    fault: str = ""


class Column(NamedTuple):
    """A feature: its categories in the order of their codes, or () for a number."""

    name: str
    categories: tuple[str | int, ...]


class Contract:
    """The rules that a record of a case must satisfy. Immutable and without I/O.

    words: a frozen Struct. Its fields are numbers (int or float with `msgspec.Meta` bounds on both
    sides, or bool as 0 and 1) and categories (`Literal`); use `msgspec.field(name=…)` for a name
    that is not a Python identifier. Rules between fields raise ValueError in its `__post_init__`.
    Fields have no defaults, since missing values are not filled in; only the fields of `absent` may
    be null.
    absent: fields that may be null, with the number that null means.
    key: the text field that keys the records.
    outcome: the `Literal` field to forecast, never a feature; may be null or missing.
    yes: the value of `outcome` that counts as 1.
    `feature_set` is a hash of names, categories and their order, by which models of another
    contract are refused. `features` and `categories` (the number of categories, 0 for a number)
    follow `columns`, which keep the Struct's order.
    Raises BadInputError for `words` that break these rules.
    """

    def __init__(  # noqa: PLR0913 - the Struct, three field names, and two limits
        self,
        words: type[msgspec.Struct],
        *,
        key: str,
        outcome: str,
        yes: str | int,
        absent: Mapping[str, float] = MappingProxyType({}),
        max_bytes: int = 65_536,
    ) -> None:
        self.words, self.key, self.outcome, self.yes = words, key, outcome, yes
        self.absent, self.max_bytes = dict(absent), max_bytes
        fields = {field.encode_name: field for field in msgspec.structs.fields(words)}
        kinds = {name: inspect.type_info(field.type) for name, field in fields.items()}
        _refuse_unless_meant(self, fields, kinds)
        self.columns = tuple(
            Column(name, get_args(field.type) if _is_category(kinds[name]) else ())
            for name, field in fields.items()
            if name not in (key, outcome)
        )
        self.features = tuple(column.name for column in self.columns)
        self.categories = tuple(len(column.categories) for column in self.columns)
        self.feature_set = _hash(self)
        self._decode = msgspec.json.Decoder(words).decode
        self._key = attrgetter(fields[key].name)
        self._outcome = attrgetter(fields[outcome].name)
        self._values = [
            (attrgetter(fields[column.name].name), _reader(column, self.absent))
            for column in self.columns
        ]
        self._as_json = {name: _cell_reader(kind) for name, kind in kinds.items()}
        self._folded = {name.casefold(): name for name in kinds}
        self._codes = {column.name: column.categories for column in self.columns}
        self._numbers = {name for name, kind in kinds.items() if _is_number(kind)}

    def decode(self, value: bytes) -> msgspec.Struct:
        """Decode a record's JSON into `words`; unknown fields are ignored.

        The last of duplicate fields counts. Raises only RecordRefusedError.
        """
        if len(value) > self.max_bytes:
            many = f"{len(value):,} bytes, at most {self.max_bytes:,} are taken"
            raise RecordRefusedError(Fault.TOO_LONG, many)
        try:
            if not value.isascii():
                value.decode()  # msgspec does not look inside ignored fields
            record: msgspec.Struct = self._decode(value)
        except UnicodeDecodeError as error:
            raise RecordRefusedError(Fault.NOT_UTF8, str(error)) from None
        except RecursionError:
            raise RecordRefusedError(Fault.WRONG_SHAPE, "nested too deeply") from None
        except msgspec.ValidationError as error:
            raise self._refusal(error) from None
        except msgspec.DecodeError as error:
            raise RecordRefusedError(Fault.NOT_JSON, str(error)) from None
        return record

    def key_of(self, record: msgspec.Struct) -> str:
        """Return the key of a decoded record."""
        key: str = self._key(record)
        return key

    def numbers(self, record: msgspec.Struct) -> tuple[float, ...]:
        """The model inputs of a record, in the order of `columns`; all are finite in float32.

        A category becomes its index among the categories, a bool 0 or 1, null the value in
        `absent`.
        """
        return tuple([read(value(record)) for value, read in self._values])

    def outcome_of(self, record: msgspec.Struct) -> float:
        """1.0 if the outcome is `yes`, 0.0 if it is another value, NaN if it is unknown."""
        outcome = self._outcome(record)
        return nan if outcome is None else float(outcome == self.yes)

    def from_text(self, cells: Mapping[str, str]) -> bytes:
        """Convert a row of a text table to a record's JSON, without validating it.

        Cells are stripped, and an empty cell becomes null. A cell of a number, a bool or a numeric
        category is converted if it reads as one, digit for digit; everything else stays text, as do
        columns that the contract does not name.
        """
        return msgspec.json.encode(
            {
                name: self._as_json.get(name, str)(text) if (text := cell.strip()) else None
                for name, cell in cells.items()
            }
        )

    def from_json(self, value: bytes) -> JsonRecord:
        """Spell a line of JSON as the contract does, without validating it.

        A field whose name differs only in its case gets the contract's name, unless that is there
        too; a whole number, flag or numeric category written with a decimal point (34.0) loses it.
        Whatever needs neither keeps its bytes.
        """
        try:
            cells = _raw_cells(value)
        except UNREADABLE:
            return JsonRecord("", value, "it is no JSON object")
        record: dict[str, bytes] = {}
        is_spelled_anew = False
        for name, raw in cells.items():
            cell, field = bytes(raw), self._folded.get(name.casefold(), name)
            field = name if field in cells or field in record else field
            spelled = record[field] = self._spelled(field, cell)
            is_spelled_anew |= field != name or spelled != cell
        if is_spelled_anew:
            value = msgspec.json.encode({n: msgspec.Raw(cell) for n, cell in record.items()})
        known = not record.keys().isdisjoint(self._as_json)
        fault = "" if known else f"no field of this case in {first_few(list(record))}"
        return JsonRecord(self._key_in(record), value, fault)

    def _spelled(self, name: str, cell: bytes) -> bytes:
        text = cell.decode("ascii", "replace")
        if name not in self._as_json or not _JSON_NUMBER.fullmatch(text):
            return cell
        spelled = self._as_json[name](text)
        return cell if isinstance(spelled, str) else msgspec.json.encode(spelled)

    def _key_in(self, record: Mapping[str, bytes]) -> str:
        try:
            key = msgspec.json.decode(record.get(self.key, b'""'))
        except UNREADABLE:
            return ""
        return key if isinstance(key, str) else ""

    def _refusal(self, error: msgspec.ValidationError) -> RecordRefusedError:
        if error.__cause__ is not None:  # raised by the Struct's __post_init__
            return RecordRefusedError(Fault.WRONG_SHAPE, str(error)[:_LONGEST_DETAIL])
        placed = _PLACED.fullmatch(str(error))
        what, where = placed.groups() if placed else (str(error), "$")
        if missing := _MISSING.fullmatch(what):
            return RecordRefusedError(Fault.MISSING_FIELD, f"$.{missing[1]}: is missing")
        return RecordRefusedError(
            self._fault(what, where.removeprefix("$.")), f"{where}: {what[:_LONGEST_DETAIL]}"
        )

    def _fault(self, what: str, name: str) -> Fault:
        other = _ANOTHER_TYPE.fullmatch(what)
        received = other[1] if other else ""
        if received == "null":
            return Fault.MISSING_FIELD
        if what.startswith("Invalid enum value") or (self._codes.get(name) and received):
            return Fault.UNKNOWN_CATEGORY
        if _BEYOND.fullmatch(what):
            return Fault.OUT_OF_RANGE
        if received == "str" and name in self._numbers:
            return Fault.NOT_A_NUMBER
        return Fault.WRONG_SHAPE


def _is_category(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.LiteralType)


def _is_number(kind: inspect.Type) -> bool:
    return isinstance(_known(kind), inspect.IntType | inspect.FloatType)


def _known(kind: inspect.Type) -> inspect.Type:
    """The type without None."""
    if isinstance(kind, inspect.UnionType):
        others = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        return others[0] if len(others) == 1 else kind
    return kind


def _reader(column: Column, absent: Mapping[str, float]) -> Callable[[Any], float]:
    """Return the function from a field's value to its model input."""
    if column.categories:
        codes = {value: float(code) for code, value in enumerate(column.categories)}
        return codes.__getitem__
    if column.name not in absent:
        return float
    null = float(absent[column.name])
    return lambda value: null if value is None else float(value)


def _cell_reader(kind: inspect.Type) -> Callable[[str], object]:
    """Return the function from a cell's text to its JSON value, or the text if it does not fit."""
    kind = _known(kind)
    if isinstance(kind, inspect.BoolType):
        return lambda cell: _FLAGS.get(_POINT_ZERO.sub("", cell.lower()), cell)
    if isinstance(kind, inspect.LiteralType):
        spelled = {str(value): value for value in kind.values}
        whole = {str(value): value for value in kind.values if isinstance(value, int)}
        return lambda cell: spelled.get(cell, whole.get(_POINT_ZERO.sub("", cell), cell))
    if isinstance(kind, inspect.IntType):
        return lambda cell: _number(_POINT_ZERO.sub("", cell))
    return _number if isinstance(kind, inspect.FloatType) else str


def _number(cell: str) -> object:
    return msgspec.Raw(cell.encode()) if _JSON_NUMBER.fullmatch(cell) else cell


def _hash(contract: Contract) -> str:
    identity = ["contract/1", contract.columns, sorted(contract.absent.items())]
    return hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:16]


def _refuse_unless_meant(
    contract: Contract,
    fields: Mapping[str, msgspec.structs.FieldInfo],
    kinds: Mapping[str, inspect.Type],
) -> None:
    """Raise BadInputError unless `contract.words` follows the rules of `Contract`."""
    roles = (contract.key, contract.outcome)
    faults = [f"{name} is not a field" for name in (*roles, *contract.absent) if name not in fields]
    if not contract.words.__struct_config__.frozen or contract.words.__struct_config__.array_like:
        faults.append("it is not a frozen Struct of named fields")
    if not faults:
        outcome = _known(kinds[contract.outcome])
        if not isinstance(kinds[contract.key], inspect.StrType):
            faults.append(f"the key {contract.key} is not a text field")
        if not isinstance(outcome, inspect.LiteralType) or contract.yes not in outcome.values:
            faults.append(f"{contract.outcome} has no value {contract.yes!r} in a Literal")
        faults += [
            f"{name} {why}"
            for name, kind in kinds.items()
            if name not in roles
            if (why := _feature_fault(kind, null=name in contract.absent))
        ]
        faults += [
            f"{name} has a default"
            for name, field in fields.items()
            if name != contract.outcome and not field.required
        ]
    if faults:
        raise BadInputError(
            f"the contract {contract.words.__name__}", "; ".join(faults), "Correct the Struct"
        )


def _feature_fault(kind: inspect.Type, *, null: bool) -> str:
    inner = _known(kind)
    if (inner is not kind) != null:
        return "may be null if and only if `absent` says what null means"
    if isinstance(inner, inspect.LiteralType):
        return "is a category and may not be null" if null else ""
    if isinstance(inner, inspect.BoolType):
        return ""
    if not isinstance(inner, inspect.IntType | inspect.FloatType):
        return "is not a bounded number, Literal or bool"
    low = inner.ge if inner.ge is not None else inner.gt
    high = inner.le if inner.le is not None else inner.lt
    if low is None or high is None or not -_FLOAT32_MAX <= low <= high <= _FLOAT32_MAX:
        return "lacks bounds on both sides within float32"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The topics and the contract of a record case.

    `source` has the records; each valid one yields a `RecordPrediction` in `target`, each other one
    a dead letter in `dead_letters`.
    """

    contract: Contract
    source: str
    target: str
    dead_letters: str
