import msgspec
import pytest

from barograph.times import parse_time
from barograph.venues.forms.own import form_of
from barograph.venues.forms.own_reader import OwnReader, value_at
from barograph.venues.refusals import FrameRefusedError

BOOK_TICKER = """
[fields]
time = "prefix"
product = "data.s"
bid = "data.b"
ask = "data.a"
bid_size = "data.B"
[clock]
of = "recorder"
[only]
stream = "btcusdt@bookTicker"
"""
LINE = (
    b'1723161254087891268 {"stream":"btcusdt@bookTicker","data":'
    b'{"s":"BTCUSDT","b":"61837.63","B":"3.78","a":"61837.64","A":"1.5"}}'
)


def reader_of(text, *lines):
    form = form_of(text)
    reader = OwnReader(form, form.zone_or(None))
    reader.settle(lines)
    return reader


def test_fields_are_found_in_objects_and_behind_a_number():
    reader = reader_of(BOOK_TICKER, LINE)
    frame, received_ns, whose = reader.read(LINE)
    (ticker,) = msgspec.json.decode(frame)["events"][0]["tickers"]
    assert ticker == {
        "type": "ticker", "product_id": "BTCUSDT", "price": "61837.635",
        "best_bid": "61837.63", "best_ask": "61837.64", "best_bid_quantity": "3.78",
    }  # fmt: skip
    assert parse_time(msgspec.json.decode(frame)["timestamp"]) == 1723161254087891268
    assert (received_ns, whose) == (None, "recorder")
    assert reader.line == (
        "your own form, recorder's clock `prefix` (ns), no trades (price is the middle of bid and"
        " ask), sizes, no ids"
    )


def test_a_line_without_its_time_or_of_another_unit_is_refused():
    reader = reader_of(BOOK_TICKER, LINE)
    with pytest.raises(FrameRefusedError, match="no `prefix`"):
        reader.read(LINE.partition(b" ")[2])
    with pytest.raises(ValueError, match="in a recording of ns"):
        reader.read(b"1723161254" + LINE[19:])


def test_a_name_may_go_into_objects_and_lists_or_have_dots_itself():
    members = {"a": {"b": [1, {"c": 2}]}, "a.b": 3, "n": [0]}
    assert value_at(members, "a.b") == 3
    assert value_at(members, "a.b.1.c") is None or value_at(members, "a.b.1.c") == 2
    assert value_at(members, "n.0") == 0
    assert [value_at(members, name) for name in ("x", "n.7", "n.x", "n.0.y")] == [None] * 4
