"""What a record must be: any bytes become a record or a named refusal, and nothing else."""

import json
import math
from typing import Annotated, Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from barograph.cases.contract import Contract, RecordRefusedError
from barograph.errors import BadInputError
from barograph.types import Fault

Share = Annotated[float, Meta(ge=0, le=1)]


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    number: Annotated[str, Meta(min_length=1, max_length=8)]
    size: Literal["S", "M", "L"]
    fragile: bool
    floor: Literal[0, 1, 2]
    weight_g: Annotated[int, Meta(gt=0, le=10_000)]
    full: Share | None = msgspec.field(name="how full")
    lost: Literal["no", "yes", "who knows"] | None = None

    def __post_init__(self):
        if self.size == "S" and self.weight_g > 5000:
            raise ValueError("Expected `int` <= 5000 of a small one")


CONTRACT = Contract(
    Parcel, key="number", outcome="lost", yes="yes", absent={"how full": 0.5}, max_bytes=6000
)
GOOD = {
    "number": "A-1",
    "size": "M",
    "fragile": True,
    "floor": 2,
    "weight_g": 1200,
    "how full": 0.25,
    "lost": "yes",
}


def raw(**changed):
    return json.dumps(GOOD | changed).encode()


def without(name):
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


def test_a_good_record_becomes_numbers_in_the_order_of_its_words():
    record = CONTRACT.decode(raw())
    assert CONTRACT.features == ("size", "fragile", "floor", "weight_g", "how full")
    assert CONTRACT.categories == (3, 0, 3, 0, 0)
    assert [column.categories for column in CONTRACT.columns][:3] == [
        ("S", "M", "L"),
        (),
        (0, 1, 2),
    ]
    assert CONTRACT.numbers(record) == (1.0, 1.0, 2.0, 1200.0, 0.25)
    assert CONTRACT.key_of(record) == "A-1"
    assert CONTRACT.outcome_of(record) == 1.0


def test_key_and_outcome_are_no_features():
    assert not {"number", "lost"} & set(CONTRACT.features)


@pytest.mark.parametrize(("lost", "outcome"), [("yes", 1.0), ("no", 0.0), ("who knows", 0.0)])
def test_an_outcome_is_yes_or_not(lost, outcome):
    assert CONTRACT.outcome_of(CONTRACT.decode(raw(lost=lost))) == outcome


@pytest.mark.parametrize("value", [raw(lost=None), without("lost")])
def test_an_outcome_that_is_not_known_is_no_answer(value):
    assert math.isnan(CONTRACT.outcome_of(CONTRACT.decode(value)))


def test_null_is_the_number_that_the_contract_says():
    assert CONTRACT.numbers(CONTRACT.decode(raw(**{"how full": None})))[-1] == 0.5


def test_fields_that_the_contract_does_not_name_change_nothing():
    assert CONTRACT.decode(raw(colour="red", more=[{}])) == CONTRACT.decode(raw())


def test_of_a_field_that_occurs_twice_the_last_counts():
    assert CONTRACT.decode(raw()[:-1] + b', "floor": 1}').floor == 1


REFUSED = {
    "no JSON": (b"weight: 12", Fault.NOT_JSON, "malformed"),
    "nothing": (b"", Fault.NOT_JSON, "truncated"),
    "cut off": (raw()[:-9], Fault.NOT_JSON, "truncated"),
    "NaN is no JSON": (raw(weight_g=math.nan), Fault.NOT_JSON, "malformed"),
    "another encoding": (raw().replace(b"A-1", b"A-\xe9"), Fault.NOT_UTF8, "0xe9"),
    "bad bytes in a field that nobody reads": (
        raw(note="x").replace(b'"x"', b'"\xff"'),
        Fault.NOT_UTF8,
        "0xff",
    ),
    "too long": (raw(note="x" * 6000), Fault.TOO_LONG, "at most 6,000"),
    "too deep": (b'{"note":' + b"[" * 1900, Fault.WRONG_SHAPE, "nested too deeply"),
    "a list": (b"[1, 2]", Fault.WRONG_SHAPE, "$: Expected `object`"),
    "a field missing": (without("weight_g"), Fault.MISSING_FIELD, "$.weight_g: is missing"),
    "a key missing": (without("number"), Fault.MISSING_FIELD, "$.number: is missing"),
    "a number null": (raw(weight_g=None), Fault.MISSING_FIELD, "$.weight_g: "),
    "a category null": (raw(size=None), Fault.MISSING_FIELD, "$.size: "),
    "a key null": (raw(number=None), Fault.MISSING_FIELD, "$.number: "),
    "another category": (raw(size="XL"), Fault.UNKNOWN_CATEGORY, "$.size: "),
    "a number for a category": (raw(size=3), Fault.UNKNOWN_CATEGORY, "$.size: "),
    "another whole number": (raw(floor=3), Fault.UNKNOWN_CATEGORY, "$.floor: "),
    "a text for a category of numbers": (raw(floor="2"), Fault.UNKNOWN_CATEGORY, "$.floor: "),
    "a flag for a category": (raw(floor=True), Fault.UNKNOWN_CATEGORY, "$.floor: "),
    "another outcome": (raw(lost="perhaps"), Fault.UNKNOWN_CATEGORY, "$.lost: "),
    "below": (raw(weight_g=0), Fault.OUT_OF_RANGE, "$.weight_g: Expected `int` >"),
    "above": (raw(weight_g=10_001), Fault.OUT_OF_RANGE, "$.weight_g: Expected `int` <="),
    "a real number above": (raw(**{"how full": 1.5}), Fault.OUT_OF_RANGE, "$.how full: "),
    "beyond any number": (
        raw(**{"how full": 7}).replace(b": 7", b": 1e999"),
        Fault.OUT_OF_RANGE,
        "$.how full: ",
    ),
    "beyond any whole number": (raw(weight_g=10**40), Fault.OUT_OF_RANGE, "$.weight_g: "),
    "more digits than an integer may have": (
        raw(weight_g=7).replace(b": 7", b": 7" + b"0" * 5000),
        Fault.OUT_OF_RANGE,
        "$.weight_g: ",
    ),
    "text for a number": (raw(weight_g="heavy"), Fault.NOT_A_NUMBER, "$.weight_g: "),
    "text for a number that may be null": (
        raw(**{"how full": "half"}),
        Fault.NOT_A_NUMBER,
        "$.how full: ",
    ),
    "a part of a whole number": (raw(weight_g=1.5), Fault.WRONG_SHAPE, "$.weight_g: "),
    "a list for a number": (raw(weight_g=[1]), Fault.WRONG_SHAPE, "$.weight_g: "),
    "a number for a flag": (raw(fragile=1), Fault.WRONG_SHAPE, "$.fragile: "),
    "a number for the key": (raw(number=7), Fault.WRONG_SHAPE, "$.number: "),
    "an empty key": (raw(number=""), Fault.WRONG_SHAPE, "$.number: Expected `str` of length"),
    "a rule between fields": (raw(size="S", weight_g=6000), Fault.WRONG_SHAPE, "of a small one"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_record_is_refused_by_name(what):
    value, fault, detail = REFUSED[what]
    with pytest.raises(RecordRefusedError) as refused:
        CONTRACT.decode(value)
    assert refused.value.fault is fault
    assert detail in refused.value.detail


def test_a_refusal_is_short_whatever_was_sent():
    value = raw(size="x" * 1500 + " - at `$.weight_g`")
    with pytest.raises(RecordRefusedError) as refused:
        CONTRACT.decode(value)
    assert refused.value.fault is Fault.UNKNOWN_CATEGORY
    assert refused.value.detail.startswith("$.size: ")
    assert len(refused.value.detail) < 300


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
nearly = st.dictionaries(st.sampled_from([*GOOD, "note"]), anything, max_size=3).map(
    lambda changed: json.dumps(GOOD | changed).encode()
)
cut = st.tuples(nearly, st.integers(0, 200), st.binary(max_size=3)).map(
    lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] :]
)


@given(st.binary(max_size=200) | nearly | cut)
def test_any_bytes_are_a_record_or_a_refusal_and_a_record_is_finite_numbers(value):
    try:
        record = CONTRACT.decode(value)
    except RecordRefusedError as error:
        refused = error
    else:
        refused = None
    if refused:
        assert isinstance(refused.fault, Fault)
        assert refused.detail
        return
    numbers = CONTRACT.numbers(record)
    assert len(numbers) == len(CONTRACT.features)
    assert np.isfinite(np.array(numbers, np.float32)).all()
    assert isinstance(CONTRACT.key_of(record), str)


parcels = st.fixed_dictionaries(
    {
        "number": texts.map(str.strip).filter(lambda text: 1 <= len(text) <= 8),
        "size": st.sampled_from(["M", "L"]),
        "fragile": st.booleans(),
        "floor": st.integers(0, 2),
        "weight_g": st.integers(1, 10_000),
        "how full": st.none() | st.floats(0, 1),
        "lost": st.sampled_from([None, "no", "yes"]),
    }
)


@given(parcels)
def test_a_record_survives_its_way_through_a_table_of_text(parcel):
    cells = {name: "" if value is None else str(value) for name, value in parcel.items()}
    assert CONTRACT.decode(CONTRACT.from_text(cells)) == CONTRACT.decode(raw(**parcel))


@given(st.dictionaries(st.sampled_from([*GOOD, "note"]), texts))
def test_any_cells_become_json_to_be_judged(cells):
    fields = msgspec.json.decode(CONTRACT.from_text(cells))
    assert list(fields) == list(cells)
    blank = {name for name, cell in cells.items() if not cell.strip()}
    assert {name for name, value in fields.items() if value is None} == blank


CELLS = [
    ("weight_g", "12.0", 12),
    ("weight_g", " 12 ", 12),
    ("weight_g", "12.05", 12.05),
    ("weight_g", "012", "012"),
    ("weight_g", "١٢", "١٢"),
    ("weight_g", "nan", "nan"),
    ("how full", "1e-2", 0.01),
    ("how full", "0.1234567890123456789", 0.1234567890123456789),
    ("how full", " \t", None),
    ("fragile", "True", True),
    ("fragile", "0", False),
    ("fragile", "1.0", True),
    ("fragile", "maybe", "maybe"),
    ("floor", "2", 2),
    ("floor", "1.00", 1),
    ("floor", "1.5", "1.5"),
    ("floor", "3", "3"),
    ("size", "M", "M"),
    ("number", "0012", "0012"),
    ("note", "12", "12"),
]


@pytest.mark.parametrize(("name", "cell", "value"), CELLS)
def test_a_cell_becomes_what_it_reads_as(name, cell, value):
    (read,) = msgspec.json.decode(CONTRACT.from_text({name: cell})).values()
    assert read == value
    assert type(read) is type(value)


LINES = [
    (b'{"number":"A","floor":1.0}', b'{"number":"A","floor":1}'),
    (b'{"NUMBER":"A","How Full":0.10}', b'{"number":"A","how full":0.10}'),
    (b'{"number":"A","weight_g":34.0}', b'{"number":"A","weight_g":34}'),
    (b'{"number":"A","fragile":0.0}', b'{"number":"A","fragile":false}'),
    (b'{"number":"A","weight_g":34.5, "floor":7.0}',) * 2,
    (b'{"number":"A","Number":"B"}',) * 2,
    (b'{"number": "A",\t"note":1.0, "floor":"1.0"}',) * 2,
]


@pytest.mark.parametrize(("line", "value"), LINES)
def test_a_line_of_json_is_spelled_as_the_contract_does_or_left_alone(line, value):
    record = CONTRACT.from_json(line)
    assert (record.key, record.value, record.fault) == ("A", value, "")


def test_one_of_two_names_that_differ_in_case_alone_is_the_field():
    assert CONTRACT.from_json(b'{"Floor":1,"FLOOR":2}').value == b'{"floor":1,"FLOOR":2}'


NO_RECORDS = {
    b"[1]": "it is no JSON object",
    b"{": "it is no JSON object",
    b"[" * 5000: "it is no JSON object",
    b'{"a":1,"b":2,"c":3,"d":4,"e":5}': "no field of this case in a, b, c, d and 1 more",
    b"{}": "no field of this case in no names",
}


@pytest.mark.parametrize("line", NO_RECORDS)
def test_a_line_of_json_without_a_field_of_the_case_says_what_it_has(line):
    assert CONTRACT.from_json(line) == ("", line, NO_RECORDS[line])


@given(parcels)
def test_a_record_is_the_same_in_another_case_and_with_a_point_in_its_numbers(parcel):
    cells = {
        name.upper(): float(value) if isinstance(value, int) else value
        for name, value in parcel.items()
    }
    spelled = CONTRACT.from_json(json.dumps(cells).encode())
    assert spelled.key == parcel["number"]
    assert CONTRACT.decode(spelled.value) == CONTRACT.decode(raw(**parcel))


def test_the_digits_of_a_cell_are_kept():
    assert CONTRACT.from_text({"how full": "0.10"}) == b'{"how full":0.10}'


def test_a_contract_is_known_by_names_categories_their_order_and_what_null_means():
    def made(sizes, null=0.5, top=1.0, first="size"):
        number = Annotated[float, Meta(ge=0, le=top)] | None
        fields = {"size": Literal[sizes], "full": number}
        words = msgspec.defstruct(
            "Made",
            [
                ("number", str),
                (first, fields.pop(first)),
                *fields.items(),
                ("lost", Literal["no", "yes"] | None, None),
            ],
            frozen=True,
        )
        return Contract(words, key="number", outcome="lost", yes="yes", absent={"full": null})

    one = made(("S", "M")).feature_set
    assert one == made(("S", "M")).feature_set == made(("S", "M"), top=2.0).feature_set
    others = {
        made(("M", "S")).feature_set,
        made(("S", "M", "L")).feature_set,
        made(("S", "M"), null=0.0).feature_set,
        made(("S", "M"), first="full").feature_set,
    }
    assert len(others | {one}) == 5


def words(*fields, **options):
    return msgspec.defstruct(
        "Words",
        [("id", str), *fields, ("out", Literal["a", "b"], "a")],
        **{"frozen": True} | options,
    )


UNMEANT = {
    "a key that is no field": (words(), {"key": "name"}, "name is not a field"),
    "an absent that is no field": (words(), {"absent": {"x": 0.0}}, "x is not a field"),
    "a yes that cannot be": (words(), {"yes": "c"}, "out has no value 'c' in a Literal"),
    "a key that is no text": (words(), {"key": "out"}, "the key out is not a text field"),
    "a number without bounds": (words(("x", float)), {}, "x lacks bounds on both sides"),
    "a number beyond float32": (
        words(("x", Annotated[float, Meta(ge=0, le=1e300)])),
        {},
        "x lacks bounds on both sides within float32",
    ),
    "null that means nothing": (words(("x", Share | None)), {}, "x may be null if and only if"),
    "a meaning without a null": (
        words(("x", Share)),
        {"absent": {"x": 0.0}},
        "x may be null if and only if",
    ),
    "a category that may be null": (
        words(("x", Literal["s", "m"] | None)),
        {"absent": {"x": 0.0}},
        "x is a category and may not be null",
    ),
    "free text": (words(("x", str)), {}, "x is not a bounded number, Literal or bool"),
    "a default": (words(("x", Share, 0.5)), {}, "x has a default"),
    "words that change": (words(frozen=False), {}, "not a frozen Struct"),
    "a list instead of names": (words(array_like=True), {}, "not a frozen Struct of named fields"),
}


@pytest.mark.parametrize("what", UNMEANT)
def test_words_that_are_no_contract_are_refused_with_the_field(what):
    made, changed, why = UNMEANT[what]
    with pytest.raises(BadInputError, match="the contract Words") as refused:
        Contract(made, **{"key": "id", "outcome": "out", "yes": "b"} | changed)
    assert why in str(refused.value)
