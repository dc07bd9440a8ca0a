import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.archive.entry_lines import (
    LONGEST_LINE_BYTES,
    entry_of,
    head_of,
    line_of,
    with_bodies,
)
from barograph.types import DeadLetter, Fault, Frame
from barograph.venues.entries import Answer, Closing, Dialect, Heard, Opening, Rules, Settlement

names = st.text(max_size=5)
json_frames = st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers()).map(
    lambda value: json.dumps(value, ensure_ascii=False).encode()
)
nasty = st.sampled_from(
    [b"", b"{}", b" {}", b'{},"at":{}', b'{"a":\n1}', b"{\r\n}", b'{"a":"\xff"}', b"[" * 9000, b"{"]
)
times = st.none() | st.integers(-(2**63), 2**63 - 1)
frames = st.builds(
    Frame,
    data=st.binary(max_size=99) | json_frames | nasty,
    connection=names,
    receive_time_ns=times,
)
openings = st.builds(
    Opening,
    connection=names,
    dialect=st.sampled_from(Dialect),
    continuity=st.sampled_from(["trade_id", "none"]),
    rules=st.none() | st.builds(Rules, products=st.none() | st.frozensets(names)),
    fill=st.booleans(),
)
entries = st.one_of(
    st.builds(Heard, frames, st.sampled_from(Dialect)),
    openings,
    st.builds(Closing, names),
    st.builds(Answer, names, frames),
    st.builds(Settlement, names, names, times),
)


@pytest.mark.slow
@given(entries)
def test_every_entry_comes_back_as_it_went_and_stands_on_one_line(entry):
    line = line_of(entry)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    back = entry_of("f", 1, line[:-1])
    assert type(back) is type(entry)
    assert back == entry


def test_the_lines_are_what_other_programs_may_read():
    frame = Frame(data=b'{"price":  "1.50"}', connection="c", receive_time_ns=7)
    assert line_of(Heard(frame, Dialect.EXCHANGE)) == (
        b'{"connection":"c","dialect":"exchange","receive_time_ns":7,"frame":{"price":  "1.50"}}\n'
    )
    page = Frame(data=b'[{"trade_id":1}]', connection="c", receive_time_ns=7)
    assert json.loads(line_of(Answer("BTC-USD", page))) == {
        "connection": "c",
        "answer": "BTC-USD",
        "receive_time_ns": 7,
        "text": '[{"trade_id":1}]',
    }
    assert json.loads(line_of(Settlement("c", "BTC-USD", 7))) == {
        "connection": "c",
        "settled": "BTC-USD",
        "receive_time_ns": 7,
    }


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (b'{"connection":"c"}', Closing("c")),
        (b'{"connection":"c","closed":true}', Closing("c")),
        (
            b'{"connection":"c","open":{"connection":"c","dialect":"exchange"}}',
            Opening(connection="c", dialect=Dialect.EXCHANGE),
        ),
        (
            b'{"connection":"c","dialect":"advanced","base64":"/w=="}',
            Heard(Frame(data=b"\xff", connection="c"), Dialect.ADVANCED),
        ),
    ],
)
def test_lines_of_older_archives_are_read(line, entry):
    assert entry_of("f", 1, line) == entry


@pytest.mark.parametrize("byte", [b"\0", b'"', b"\xff", "€".encode()])
def test_the_longest_page_fits_into_a_line_that_is_read(byte):
    """Whatever stands in it: a page has 4 MiB at most, and JSON takes six bytes for some."""
    body = Frame(data=byte * ((4 << 20) // len(byte)), connection="c")
    line = line_of(Answer("BTC-USD", body))
    assert len(line) < LONGEST_LINE_BYTES
    assert entry_of("f", 1, line[:-1]).frame.data == body.data


def test_a_line_that_is_none_is_a_letter_of_its_file():
    letter = entry_of("000001.ndjson.gz", 3, b"garbage")
    assert isinstance(letter, DeadLetter)
    assert (letter.fault, letter.identity) == (Fault.WRONG_SHAPE, "000001.ndjson.gz@3")
    assert letter.original == b"garbage"


def test_a_reader_of_ours_takes_what_a_later_version_adds():
    line = msgspec.json.encode({"connection": "c", "closed": True, "why": "told"})
    assert entry_of("f", 1, line) == Closing("c")


@pytest.mark.parametrize("note", [b"", b"{[" * 90, b"{[" * 200])
def test_frames_together_are_the_lines_that_they_are_alone(note):
    frames = [b'{"n":%d,"note":"%b"}' % (n, note) for n in range(4)]
    alone = [Heard(Frame(data=frame, connection="c"), Dialect.EXCHANGE) for frame in frames]
    together = with_bodies(head_of("c", Dialect.EXCHANGE), frames)
    assert together == b"".join(map(line_of, alone))
