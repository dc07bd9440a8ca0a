"""What a record of a case must be, and the numbers that models take from it.

One definition serves the producer's file, the training table and the live scorer: a frozen Struct,
in which numbers have bounds and categories are spelled out.
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

from barograph.errors import BadInputError
from barograph.types import Fault

_FLOAT32_MAX = 3.4028234663852886e38
_LONGEST_DETAIL = 200
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_POINT_ZERO = re.compile(r"\.0+\Z")
_FLAGS = {"true": True, "false": False, "1": True, "0": False}

# msgspec tells what is wrong with a record in words only; a test pins each of them.
_PLACED = re.compile(r"(.*) - at `(\$.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_ANOTHER_TYPE = re.compile(r"Expected `[\w |]*`, got `(\w+)`")
_BEYOND = re.compile(r"Expected `(?:int|float)` [<>]=? .*|(?:Number|Integer value) out of range")


class RecordRefusedError(Exception):
    """A record does not keep its contract; a dead letter is made of it. Never reaches a user."""

    def __init__(self, fault: Fault, detail: str) -> None:
        self.fault, self.detail = fault, detail
        super().__init__(detail)


class Column(NamedTuple):
    """A feature: its values in the order of their codes, () for a number."""

    name: str
    categories: tuple[str | int, ...]


class Contract:
    """What a record of a case must be. Everything in it is a function of its arguments.

    words: a frozen Struct. Its fields are numbers (int or float with `msgspec.Meta` bounds on both
    sides, or bool as 0 and 1) and categories (`Literal`); a name that is no Python name stands in
    `msgspec.field(name=…)`. Rules between fields stand in its `__post_init__`, as ValueError.
    Fields have no defaults, since what is not known is not filled in; null is taken for the fields
    of `absent` alone, which says what number it means.
    key: the text field by which records are keyed.
    outcome: the `Literal` field that is forecast, never a feature; may be null, or not there.
    yes: the value of it that counts as 1.
    `feature_set` identifies names, categories and their order: a model made under another contract
    is refused by it. `features` and `categories` (how many each has, 0 for a number) are those of
    `columns`, which keep the Struct's order.
    Raises BadInputError for words that are no such contract.
    """

    def __init__(  # noqa: PLR0913 - the words, the part that three fields play in them, two limits
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
        self._codes = {column.name: column.categories for column in self.columns}
        self._numbers = {name for name, kind in kinds.items() if _is_number(kind)}

    def decode(self, value: bytes) -> msgspec.Struct:
        """A record's JSON → `words`; fields that the contract does not name are ignored.

        Of a field that occurs twice the last counts. Raises RecordRefusedError, and nothing else.
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
        """The key of a decoded record."""
        key: str = self._key(record)
        return key

    def numbers(self, record: msgspec.Struct) -> tuple[float, ...]:
        """What models see, in the order of `columns`; all are finite in float32.

        A number as it is, a category as its place among the categories, a bool as 0 or 1, null as
        `absent` says.
        """
        return tuple([read(value(record)) for value, read in self._values])

    def outcome_of(self, record: msgspec.Struct) -> float:
        """1.0 where the outcome is `yes`, 0.0 where it is another, NaN where it is not known."""
        said = self._outcome(record)
        return nan if said is None else float(said == self.yes)

    def from_text(self, cells: Mapping[str, str]) -> bytes:
        """One line of a text table as a record's JSON: judging it is `decode`'s business.

        Blanks around a cell go, and a blank cell becomes null. A cell of a number, a bool or a
        numeric category becomes that where it reads as one, digit for digit; all else stays the
        text that it is, also in columns that the contract does not name.
        """
        return msgspec.json.encode(
            {
                name: self._as_json.get(name, str)(text) if (text := cell.strip()) else None
                for name, cell in cells.items()
            }
        )

    def _refusal(self, error: msgspec.ValidationError) -> RecordRefusedError:
        if error.__cause__ is not None:  # what the words' __post_init__ raised
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
        found = other[1] if other else ""
        if found == "null":
            return Fault.MISSING_FIELD
        if what.startswith("Invalid enum value") or (self._codes.get(name) and found):
            return Fault.UNKNOWN_CATEGORY
        if _BEYOND.fullmatch(what):
            return Fault.OUT_OF_RANGE
        if found == "str" and name in self._numbers:
            return Fault.NOT_A_NUMBER
        return Fault.WRONG_SHAPE


def _is_category(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.LiteralType)


def _is_number(kind: inspect.Type) -> bool:
    return isinstance(_known(kind), inspect.IntType | inspect.FloatType)


def _known(kind: inspect.Type) -> inspect.Type:
    """The type without its null."""
    if isinstance(kind, inspect.UnionType):
        others = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        return others[0] if len(others) == 1 else kind
    return kind


def _reader(column: Column, absent: Mapping[str, float]) -> Callable[[Any], float]:
    """A field's value → the number that models see."""
    if column.categories:
        codes = {value: float(code) for code, value in enumerate(column.categories)}
        return codes.__getitem__
    if column.name not in absent:
        return float
    null = float(absent[column.name])
    return lambda value: null if value is None else float(value)


def _cell_reader(kind: inspect.Type) -> Callable[[str], object]:
    """The text of a cell → what stands for it in JSON, or the text again."""
    kind = _known(kind)
    if isinstance(kind, inspect.BoolType):
        return lambda cell: _FLAGS.get(cell.lower(), cell)
    if isinstance(kind, inspect.LiteralType):
        spelled = {str(value): value for value in kind.values}
        return lambda cell: spelled.get(cell, cell)
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
    """Raise BadInputError unless the words are what `Contract` asks for."""
    roles = (contract.key, contract.outcome)
    faults = [
        f"{name} is no field of it" for name in (*roles, *contract.absent) if name not in fields
    ]
    if not contract.words.__struct_config__.frozen or contract.words.__struct_config__.array_like:
        faults.append("it is not a frozen Struct of named fields")
    if not faults:
        outcome = _known(kinds[contract.outcome])
        if not isinstance(kinds[contract.key], inspect.StrType):
            faults.append(f"{contract.key} is no text to key records by")
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
            f"the contract {contract.words.__name__}", "; ".join(faults), "Correct its words"
        )


def _feature_fault(kind: inspect.Type, *, null: bool) -> str:
    inner = _known(kind)
    if (inner is not kind) != null:
        return "may be null if and only if `absent` says what null means"
    if isinstance(inner, inspect.LiteralType):
        return "may be null, which no category is" if null else ""
    if isinstance(inner, inspect.BoolType):
        return ""
    if not isinstance(inner, inspect.IntType | inspect.FloatType):
        return "is no bounded number, Literal or bool"
    low = inner.ge if inner.ge is not None else inner.gt
    high = inner.le if inner.le is not None else inner.lt
    if low is None or high is None or not -_FLOAT32_MAX <= low <= high <= _FLOAT32_MAX:
        return "has no bounds on both sides within float32"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The topics and the contract of a case whose records are scored as they come, each for itself.

    `source` has the records, `target` gets a `RecordPrediction` for each that keeps the contract,
    `dead_letters` the others.
    """

    contract: Contract
    source: str
    target: str
    dead_letters: str
