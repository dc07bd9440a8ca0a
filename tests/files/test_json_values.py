import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.files import json_values
from barograph.files.json_values import begins_with_value, values_as_lines
from barograph.files.packed import TornError

VALUES = [{"a": 'x]"\\', "b": [1, {"c": None}]}, {"d": -1.5e9, "e": "é\n"}, {}]


def lines(content, size=1 << 19):
    chunks = (content[place : place + size] for place in range(0, len(content), size))
    return b"".join(values_as_lines(chunks)).split(b"\n")


@given(
    st.lists(st.sampled_from(VALUES), min_size=1),
    st.sampled_from([None, 0, 2, "\t"]),
    st.integers(1, 50),
    st.booleans(),
)
def test_each_value_is_a_line_however_it_was_printed(values, indent, size, is_array):
    content = (
        json.dumps(values, indent=indent)
        if is_array
        else "\r\n".join(json.dumps(value, indent=indent) for value in values)
    ).encode()
    *read, end = lines(content, size)
    assert [json.loads(line) for line in read] == values
    assert end == b""


def test_a_value_keeps_its_bytes():
    assert lines(b'[{"a": 1.50 ,"b":"\\u00e9"},\n {"c" :2}]') == [
        b'{"a": 1.50 ,"b":"\\u00e9"}', b'{"c" :2}', b""
    ]  # fmt: skip


def test_the_half_of_a_last_value_has_no_newline():
    assert lines(b'[{"a":1},{"b":') == [b'{"a":1}', b'{"b":']


def test_a_value_beyond_the_bound_is_torn(monkeypatch):
    monkeypatch.setattr(json_values, "MAX_VALUE_BYTES", 100)
    with pytest.raises(TornError, match="longer than 100 bytes"):
        lines(b'[{"a":1},{"b":"' + b"x" * 500, 50)


@given(st.binary(max_size=60), st.integers(1, 9))
def test_any_bytes_are_lines(content, size):
    whole = lines(content)
    assert b"".join(lines(content, size)) == b"".join(whole)


def test_deep_nesting_ends():
    assert lines(b"[" + b'{"a":' * 100_000)[-1].startswith(b'{"a":')
    assert not begins_with_value(b'{"a":' * 100_000)
    assert begins_with_value(b' {"a":1} x')
