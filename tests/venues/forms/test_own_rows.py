import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.venues.forms.own import form_of
from barograph.venues.forms.own_rows import prepared

FIELDS = '[fields]\ntime = "t"\nprice = "p"\nproduct = "s"\n'
SIDES = form_of(FIELDS + '[sides]\nfield = "side"\n')
ONLY = form_of(FIELDS + 'bid = "b"\nask = "a"\n[only]\nkind = "quote"\n')
BID = b'{"t":1,"p":"9","side":"bid"}\n'
ASK = b'{"t":1,"p":"10","side":"ask"}\n'


def rows(content, form, size=1 << 19):
    chunks = [content[place : place + size] for place in range(0, len(content), size)]
    return b"".join(prepared(chunks, form))


@pytest.mark.parametrize("pair", [(BID, ASK), (ASK, BID)])
def test_two_rows_of_a_quote_become_one_with_the_number_of_the_second(pair):
    first, second, end = rows(b"".join(pair), SIDES).split(b"\n")
    read = json.loads(second)
    assert (first, end) == (b"", b"")
    assert (read["bid"]["p"], read["ask"]["p"], read["t"]) == ("9", "10", 1)


def test_a_row_without_its_other_half_passes_as_it_stands():
    later = ASK.replace(b"1,", b"2,")
    assert rows(BID + later, SIDES) == BID + later
    assert rows(BID + b"\nx\n", SIDES) == BID + b"\nx\n"
    assert rows(BID, SIDES) == BID


def test_lines_without_the_wanted_values_are_passed_over():
    wanted = b'{"kind":"quote"}\n'
    assert rows(b'{"kind":"trade"}\n' + wanted + b"x\n", ONLY) == b"\n" + wanted + b"x\n"


@given(
    st.lists(st.sampled_from([BID, ASK, b"\n", b"x\n", b'{"t":2,"side":"bid"}\n'])),
    st.binary(max_size=9),
    st.integers(1, 40),
)
def test_every_line_keeps_its_number_whatever_the_chunks(lines, rest, size):
    content = b"".join(lines) + rest
    whole = rows(content, SIDES)
    assert rows(content, SIDES, size) == whole
    assert whole.count(b"\n") == content.count(b"\n")


def test_without_rows_to_prepare_chunks_pass():
    plain = form_of(FIELDS + 'bid = "b"\nask = "a"\n')
    assert list(prepared([b"a", b"b"], plain)) == [b"a", b"b"]


def test_a_line_beyond_the_bound_passes_in_pieces():
    long = b'{"x":"' + b"y" * (3 << 20) + b'"}\n'
    assert rows(BID + long + BID + ASK, SIDES).startswith(BID + long + b"\n{")
