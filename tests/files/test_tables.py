import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.files.tables import Header, header_of, lines_of_table

HEADER = Header(("time", "bid", "ask"), ",")


def lines(content, header=HEADER, size=1 << 19):
    chunks = (content[place : place + size] for place in range(0, len(content), size))
    return b"".join(lines_of_table(chunks, header)).split(b"\n")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_what_stands_between_cells_is_told_by_the_header(delimiter):
    text = delimiter.join(["time", "Best Bid", '"ask"']).encode() + b"\r\n1"
    assert header_of(text) == Header(("time", "Best Bid", "ask"), delimiter)


@pytest.mark.parametrize(
    "text",
    [b"", b"a,b", b"1,2,3", b"a,a,b", b"{1},b,c", b"\xff,b,c", b'{"a":1,"b":2,"c":3}', b"a,,c,d"],
)
def test_what_is_no_header_is_no_table(text):
    assert header_of(text) is None


def test_rows_are_objects_under_the_numbers_of_their_lines():
    read = lines(b'time,bid,ask\n1,2,3\r\n\n"4","5,5",6,\n')
    assert read[0] == b""
    assert json.loads(read[1]) == {"time": "1", "bid": "2", "ask": "3"}
    assert read[2] == b""
    assert json.loads(read[3]) == {"time": "4", "bid": "5,5", "ask": "6"}
    assert read[4:] == [b""]


@pytest.mark.parametrize(
    ("row", "line"),
    [(b"1,2", b'["1","2"]'), (b"1,2,3,4", b'["1","2","3","4"]'), (b'1,"2,3', b'1,"2,3'),
     (b"\xff,2,3", b"\xff,2,3")],
)  # fmt: skip
def test_a_row_that_does_not_fit_keeps_its_text(row, line):
    assert lines(b"time,bid,ask\n" + row + b"\n") == [b"", line, b""]


@pytest.mark.parametrize(
    ("last", "is_whole"), [(b"7,8,9.25", True), (b"7,8,9.2", False), (b"7,8", False)]
)
def test_a_last_row_without_its_newline_is_taken_where_nothing_can_follow(last, is_whole):
    end = lines(b"time,bid,ask\n1,2,3.15\n4,5,6.5\n" + last)[-1]
    assert end.startswith(b"{") is is_whole
    assert is_whole or end == last


def test_a_table_without_a_header_has_the_columns_it_is_given():
    header = Header(("time", "bid", "ask"), ";", is_in_file=False)
    assert json.loads(lines(b"1;2;3\n", header)[0]) == {"time": "1", "bid": "2", "ask": "3"}


def test_a_row_beyond_the_bound_passes_as_it_stands():
    long = b"1," + b"2" * (3 << 20) + b",3"
    read = lines(b"time,bid,ask\n" + long + b"\n1,2,3\n")
    assert read[1] == long
    assert read[2].startswith(b"{")


@given(
    st.lists(st.sampled_from([b"1,2,3", b'"', b"", b"\xff", b"1,2", b'1,"2",3'])), st.integers(1, 9)
)
def test_every_row_keeps_its_number_whatever_the_chunks(rows, size):
    content = b"time,bid,ask\n" + b"".join(row + b"\n" for row in rows)
    whole = lines(content)
    assert lines(content, size=size) == whole
    assert len(whole) == len(rows) + 2
