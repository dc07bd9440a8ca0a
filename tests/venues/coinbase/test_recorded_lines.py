from contextlib import suppress
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.times import parse_time
from barograph.types import Fault, Frame
from barograph.venues.coinbase.recorded_lines import Wrapper, continuity_of, time_of, unwrap
from barograph.venues.entries import Dialect
from barograph.venues.refusals import FrameRefusedError

TICKER = b'{"type":"ticker","product_id":"BTC-USD","price":"1.50"}'
ENVELOPE = b'{"channel": "ticker", "events": []}'
FLAT = {
    "product_id": "BTC-USD",
    "price": "66853.91",
    "best_bid": "66853.9",
    "best_bid_qty": "1.2",
    "best_ask": "66853.91",
    "ws_timestamp": "2026-04-04T03:19:18.799968001Z",
    "sequence_num": 4,
    "event_type": "snapshot",
    "received_at": "2026-04-04T03:19:18.802320+00:00",
}


@pytest.mark.parametrize("line", [TICKER, b'{ "price":"1", "type":"ticker"}', b'{"type":"odd"}'])
def test_a_bare_exchange_frame_is_itself(line):
    assert unwrap(line) == (line, Dialect.EXCHANGE, Wrapper.EXCHANGE, None, "venue")


@pytest.mark.parametrize("line", [ENVELOPE, b'{"timestamp":"t","channel":"ticker"}'])
def test_a_bare_envelope_is_itself(line):
    assert unwrap(line) == (line, Dialect.ADVANCED, Wrapper.ADVANCED, None, "venue")


def test_a_payload_keeps_its_bytes_and_its_receive_time():
    line = b'{"ingest_time": "2026-04-05T22:35:13.865365+00:00", "payload": %b}' % ENVELOPE
    assert unwrap(line) == (
        ENVELOPE, Dialect.ADVANCED, Wrapper.PAYLOAD, 1775428513865365000, "venue"
    )  # fmt: skip


def test_a_frame_kept_as_a_string_gets_its_bytes_back():
    line = b'{"ts":1762932011.609013,"pair":"BTC-USD","raw":%b}' % msgspec.json.encode(
        TICKER.decode()
    )
    assert unwrap(line) == (TICKER, Dialect.EXCHANGE, Wrapper.PAIR, 1762932011609013000, "venue")


def test_a_receive_time_is_read_from_its_digits_not_from_a_float():
    line = b'{"ts":1762932013.549329812,"raw":"{}"}'
    assert unwrap(line).receive_time_ns == 1762932013549329812


def test_a_ticker_with_only_the_recorders_clock_says_so():
    line = b'{"timestamp":"2025-12-06T06:47:16.986134","raw":{"type":"ticker","price" : "1.50"}}'
    unwrapped = unwrap(line)
    assert unwrapped.frame == (
        b'{"channel":"ticker","timestamp":"2025-12-06T06:47:16.986134000Z",'
        b'"events":[{"type":"update","tickers":[{"type":"ticker","price" : "1.50"}]}]}'
    )
    assert unwrapped[1:] == (Dialect.ADVANCED, Wrapper.RAW, None, "recorder")


def test_a_naive_time_is_read_in_the_recorders_zone():
    line = b'{"timestamp":"2025-12-06T01:47:16.986134","raw":{}}'
    frame = msgspec.json.decode(unwrap(line, ZoneInfo("America/New_York")).frame)
    assert parse_time(frame["timestamp"]) == parse_time("2025-12-06T06:47:16.986134Z")


def test_a_flattened_ticker_gets_an_envelope_without_the_number_that_proves_nothing():
    unwrapped = unwrap(msgspec.json.encode(FLAT))
    frame = msgspec.json.decode(unwrapped.frame)
    assert "sequence_num" not in frame
    assert frame["timestamp"] == FLAT["ws_timestamp"]
    assert frame["events"] == [
        {
            "type": "snapshot",
            "tickers": [
                {
                    "type": "ticker",
                    "product_id": "BTC-USD",
                    "price": "66853.91",
                    "best_bid": "66853.9",
                    "best_ask": "66853.91",
                    "best_bid_quantity": "1.2",
                }
            ],
        }
    ]
    assert unwrapped[1:] == (Dialect.ADVANCED, Wrapper.FLAT, 1775272758802320000, "venue")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"garbage", Fault.NOT_JSON),
        (b"\xff\xfe", Fault.NOT_UTF8),
        (b"[1,2]", Fault.WRONG_SHAPE),
        (b"17", Fault.WRONG_SHAPE),
        (b"{}", Fault.WRONG_SHAPE),
        (b'{"raw":{"price":"1"}}', Fault.WRONG_SHAPE),
        (b'{"timestamp":"yesterday","raw":{}}', Fault.BAD_TIME),
        (b'{"ts":1e300,"raw":"{}"}', Fault.BAD_TIME),
    ],
)
def test_a_line_of_no_known_form_is_refused(line, fault):
    with pytest.raises(FrameRefusedError) as refused:
        unwrap(line)
    assert refused.value.fault is fault


@pytest.mark.parametrize("odd", [b'"NaN"', b'""', b"null", b'"2026-04-05T22:35:13"', b"{}"])
def test_a_time_of_receipt_that_is_odd_or_names_no_zone_is_not_offered(odd):
    assert unwrap(b'{"ts":%b,"raw":"{}"}' % odd).receive_time_ns is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
keys = st.sampled_from(
    ["type", "channel", "payload", "raw", "ts", "ingest_time", "timestamp", *FLAT, "x"]
)


@given(st.binary() | st.dictionaries(keys, json_values).map(msgspec.json.encode))
def test_any_line_is_unwrapped_or_refused(line):
    with suppress(FrameRefusedError):
        assert isinstance(unwrap(line).frame, bytes)


def trades(*ids):
    lines = [b'{"type":"ticker","product_id":"P","trade_id":%d}' % number for number in ids]
    return [Frame(data=line, connection="c") for line in lines]


def test_trade_ids_that_return_on_changed_quotes_prove_no_holes():
    assert continuity_of(trades(1, 1, 1, 2, 2, 5)) == "none"


def test_one_repeated_trade_in_many_is_a_repeat():
    assert continuity_of(trades(*range(100), 99)) == "trade_id"


def test_a_match_that_tells_a_tickers_trade_is_no_repeat():
    matches = [
        Frame(data=f.data.replace(b"ticker", b"match"), connection="c") for f in trades(1, 2)
    ]
    first, second = trades(1, 2)
    assert continuity_of([matches[0], first, matches[1], second]) == "trade_id"


def test_frames_without_trade_ids_keep_the_strict_rule():
    assert continuity_of([Frame(data=b"garbage", connection="c"), *trades()]) == "trade_id"


def test_a_frame_is_due_by_its_receipt_and_else_by_its_own_time():
    data = b'{"type":"ticker","time":"1970-01-01T00:00:01.5Z"}'
    assert time_of(Frame(data=data, connection="c", receive_time_ns=7)) == 7
    assert time_of(Frame(data=data, connection="c")) == 1_500_000_000
    assert time_of(Frame(data=b"{}", connection="c")) is None
    assert time_of(Frame(data=b"garbage", connection="c")) is None
