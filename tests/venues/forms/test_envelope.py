import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codec import UNREADABLE
from barograph.venues.entries import Dialect
from barograph.venues.forms.envelope import Wrapper, envelope_of, object_of, text_of, value_of
from barograph.venues.refusals import FrameRefusedError
from recorded_forms import FORMS, exchange, flat, invented, shuffled

QUOTE = invented(1)[0]
INNER = json.dumps(exchange(QUOTE)).encode()


@pytest.mark.parametrize("form", FORMS)
@given(seed=st.integers(0, 99))
def test_the_order_of_keys_means_nothing(form, seed):
    line = FORMS[form](QUOTE)
    one, other = (envelope_of(json.dumps(each).encode()) for each in (line, shuffled(line, seed)))
    assert (one.wrapper, one.path, one.dialect) == (other.wrapper, other.path, other.dialect)
    assert (one.frame is None) == (other.frame is None)
    assert one.inner.keys() == other.inner.keys()
    assert one.outer.keys() == other.outer.keys()


@pytest.mark.parametrize(
    ("line", "wrapper", "path"),
    [
        (b'{"anything":%b,"at":1}' % INNER, Wrapper.NESTED, ("anything",)),
        (b'{"a":{"b":%b}}' % INNER, Wrapper.NESTED, ("a", "b")),
        (b'{"note":%b}' % json.dumps(INNER.decode()).encode(), Wrapper.NESTED, ("note",)),
        (b"1723161253937085768 %b" % INNER, Wrapper.NESTED, ("prefix",)),
        (b"1618677817.06: %b" % INNER, Wrapper.NESTED, ("prefix",)),
        (INNER, Wrapper.EXCHANGE, ()),
    ],
)
def test_a_frame_is_found_in_a_field_of_any_name_and_keeps_its_bytes(line, wrapper, path):
    envelope = envelope_of(line)
    assert (envelope.wrapper, envelope.path) == (wrapper, path)
    assert (envelope.frame, envelope.dialect) == (INNER, Dialect.EXCHANGE)


def test_fields_of_a_ticker_are_no_frame():
    envelope = envelope_of(json.dumps({"received_at": 1, "data": flat(QUOTE)}).encode())
    assert envelope.frame is None
    assert envelope.path == ("data",)
    assert set(envelope.outer) == {"received_at"}


def test_a_level_two_snapshot_is_left_to_its_machine():
    line = b'{"type":"snapshot","product_id":"P","asks":[],"bids":[]}'
    assert envelope_of(line).frame == line


def test_numbers_keep_their_digits():
    members = object_of(b'1723161253937085768 {"p":0.10,"q":1e400000000}')
    assert str(members["p"]) == "0.10"
    assert members["prefix"] == "1723161253937085768"
    envelope = envelope_of(b'{"product_id":"P","price":1.50}')
    assert str(value_of(envelope.inner["price"])) == "1.50"
    assert text_of(envelope.inner["price"]) is None
    with pytest.raises(FrameRefusedError):
        object_of(b"[]")


@given(st.binary(max_size=60))
def test_any_line_is_taken_apart_or_refused(line):
    for read in (envelope_of, object_of):
        with suppress(*UNREADABLE, FrameRefusedError):
            assert read(line) is not None
